//! Values that flow: what the app made and gave away in an answer, and gets back in a later request.
//!
//! An id, a token, a cookie, a cursor is new in each run, so that a recorded request that carries one must be sent with what the app has
//! given in *this* replay. A recording says for each such request where the value stands in it and from where it came; places and
//! never values, so that a person can review it and two recordings of the same traffic say the same. Who finds them is
//! `record::flows`, who sends them `replay::flows`; that a recorded value is another one in this replay is known to
//! [`crate::matching::Names`] alone.

mod pattern;
pub mod piece;
mod spot;
mod worth;

use std::collections::HashMap;

use reel_protocols::{Message, Protocol};
use serde::{Deserialize, Serialize};

pub use pattern::{Coding, Pattern};
pub use spot::{Spot, leaves, like, text_of};
pub use worth::{MAX_LEN_BYTES, MIN_DIGITS, MIN_LEN_BYTES, is_made};

use crate::recording::{Owner, is_secret};

/// A value that a request got from an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flow {
    /// Where it stands in the request.
    pub to: Spot,
    /// The exchange that it came from: of a test the answer, of a call the app's request.
    pub from: Owner,
    /// Where it stands there.
    pub at: Spot,
    /// How many answers before the request had it; the latest counts.
    pub latest_of: u32,
    /// A call with the value in its request, where both ends are redacted and only it says what the value was.
    pub plain: Option<(Owner, Spot)>,
}

/// The values that exchanges have given in a replay, by exchange and place.
pub type Given = HashMap<(Owner, Spot), Vec<u8>>;

/// What an exchange is called, for people.
pub fn source(owner: Owner) -> String {
    match owner {
        Owner::Test(id) => format!("test {id}"),
        Owner::Mock(id) => format!("call {id}"),
    }
}

/// Puts values where flows say. A field that is a redacted value whole, and is not known, is written from its flows' patterns. Gives the
/// flows for which that was not possible.
pub fn fill<'f>(protocol: &dyn Protocol, message: &mut Message, values: &[(&'f Flow, Vec<u8>)]) -> Vec<&'f Flow> {
    let mut left = Vec::new();
    for (flow, value) in values {
        // What is there already stays as it was written.
        if flow.to.read(protocol, message).as_ref() == Some(value) {
            continue;
        }
        if !flow.to.write(protocol, message, value) && !fill_whole(protocol, message, flow, values) {
            left.push(*flow);
        }
    }
    protocol.derive(message);
    left
}

/// Writes a field anew of which only the token is known.
fn fill_whole(protocol: &dyn Protocol, message: &mut Message, flow: &Flow, values: &[(&Flow, Vec<u8>)]) -> bool {
    let Some(pattern) = &flow.to.part else { return false };
    let whole = Spot { place: flow.to.place.clone(), part: None };
    if !whole.read(protocol, message).is_some_and(|text| is_secret(&text)) {
        return false;
    }
    let mut slots = vec![None; pattern.slot().1];
    for (other, value) in values.iter().filter(|(other, _)| other.to.place == flow.to.place) {
        let slot = other.to.part.as_ref().map_or(0, |part| part.slot().0);
        if let Some(slot) = slots.get_mut(slot) {
            *slot = Some(other.to.coding().write(value));
        }
    }
    pattern.text_of(&slots).is_some_and(|text| whole.write(protocol, message, &text))
}
