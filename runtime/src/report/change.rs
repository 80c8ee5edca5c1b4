//! A change that can be accepted, for the person who decides.

use super::style::{Painter, Style};
use super::value::sides;
use crate::update::Change;

/// Writes a change, with colours.
pub fn change(change: &Change) -> String {
    let mut out = Painter::default();
    out.paint(Style::Heading, &change.title).line();
    if let Some(found) = change.difference() {
        sides(&mut out, "  ", found);
    }
    out.finish()
}
