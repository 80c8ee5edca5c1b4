//! What recorded values are called in this replay.
//!
//! A value that the app made anew stands for the recorded one wherever that was: in what dependencies answer, in what the app asks of
//! them, in its own answers. This is the one place that knows which value that is. It is told by [`super::Equality`], of values that a
//! rule has let differ, and by the replay, of values that flowed from an answer into a request. Only values that nobody comes to by
//! chance are kept ([`is_made`]), and only as whole pieces of a text are they replaced.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};

use super::compare::digits;
use crate::flow::piece::{decoded, encoded, is_between, is_joint, pieces, words};
use crate::flow::{MAX_LEN_BYTES, MIN_LEN_BYTES, is_made, like};

/// How many values are kept; beyond that no more are replaced.
const MAX_NAMES: usize = 1_000_000;
/// How many parts of a piece are looked at: between its dots, dashes and underscores.
const MAX_PARTS: usize = 16;

/// Which way a value is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the recording to this replay.
    ToReplay,
    /// From this replay to the recording.
    ToRecording,
}

/// Values of the recording, each with what it is in this replay.
#[derive(Debug, Default)]
pub struct Names {
    forth: HashMap<Bytes, Bytes>,
    back: HashMap<Bytes, Bytes>,
}

impl Names {
    /// Notes what a recorded value is in this replay. The latest word counts.
    pub fn put(&mut self, recorded: &[u8], replayed: &[u8]) {
        if recorded == replayed {
            // It is what it was, whatever stood for it before.
            if let Some(before) = self.forth.remove(recorded) {
                self.back.remove(&before);
            }
        } else if is_made(recorded) && is_made(replayed) && self.forth.len() < MAX_NAMES {
            let (recorded, replayed) = (Bytes::copy_from_slice(recorded), Bytes::copy_from_slice(replayed));
            self.forth.insert(recorded.clone(), replayed.clone());
            self.back.insert(replayed, recorded);
        }
    }

    /// Whether anything would be replaced at all.
    pub fn is_empty(&self) -> bool {
        self.forth.is_empty()
    }

    /// A text with its values replaced; none where it has none.
    pub fn text(&self, way: Way, text: &[u8]) -> Option<Bytes> {
        if self.is_empty() || text.len() < MIN_LEN_BYTES {
            return None;
        }
        let (mut out, mut copied) = (Vec::new(), 0);
        for word in words(text).into_iter().filter(|word| word.len() >= MIN_LEN_BYTES) {
            for (at, new) in self.in_word(way, text, word) {
                out.extend_from_slice(text.get(copied..at.start)?);
                out.extend_from_slice(&new);
                copied = at.end;
            }
        }
        (copied > 0).then(|| {
            out.extend_from_slice(text.get(copied..).unwrap_or_default());
            out.into()
        })
    }

    /// What is replaced in a word, in order: the longest pieces first, and none within another.
    fn in_word(&self, way: Way, text: &[u8], word: Range<usize>) -> Vec<(Range<usize>, Bytes)> {
        let mut found: Vec<(Range<usize>, Bytes)> = Vec::new();
        for piece in pieces(text, word).into_iter().flat_map(|piece| with_parts(text, piece)) {
            let is_free = found.iter().all(|(other, _)| other.end <= piece.start || piece.end <= other.start);
            if is_free && let Some(new) = text.get(piece.clone()).and_then(|piece| self.value(way, piece)) {
                found.push((piece, new));
            }
        }
        found.sort_by_key(|(at, _)| at.start);
        found
    }

    /// What a piece is called, however it is encoded.
    fn value(&self, way: Way, piece: &[u8]) -> Option<Bytes> {
        if !(MIN_LEN_BYTES..=MAX_LEN_BYTES).contains(&piece.len()) {
            return None;
        }
        let map = if way == Way::ToReplay { &self.forth } else { &self.back };
        map.get(piece).cloned().or_else(|| Some(encoded(map.get(decoded(piece)?.as_slice())?).into()))
    }

    /// A value with all that is in it replaced; none where nothing is.
    pub fn within(&self, way: Way, value: &Value) -> Option<Value> {
        if self.is_empty() {
            return None;
        }
        match value {
            Value::Str(text) => self.text(way, text).map(Value::Str),
            Value::Tagged(tag, inner) => Some(Value::Tagged(tag, Box::new(self.within(way, inner)?))),
            Value::List(items) => {
                let new: Vec<Option<Value>> = items.iter().map(|item| self.within(way, item)).collect();
                let is_changed = new.iter().any(Option::is_some);
                let all = || new.into_iter().zip(items).map(|(new, old)| new.unwrap_or_else(|| old.clone()));
                is_changed.then(|| Value::List(all().collect()))
            }
            Value::Map(pairs) => {
                let both = |(key, value): &(Value, Value)| (self.within(way, key), self.within(way, value));
                let new: Vec<_> = pairs.iter().map(both).collect();
                let is_changed = new.iter().any(|(key, value)| key.is_some() || value.is_some());
                let all = || {
                    new.into_iter().zip(pairs).map(|((key, value), (old_key, old_value))| {
                        (key.unwrap_or_else(|| old_key.clone()), value.unwrap_or_else(|| old_value.clone()))
                    })
                };
                is_changed.then(|| Value::Map(all().collect()))
            }
            number => {
                let text = digits(number)?;
                Some(like(number, &self.value(way, text.as_bytes())?))
            }
        }
    }

    /// A message with all that is in it replaced; none where nothing is.
    pub fn message(&self, way: Way, protocol: &dyn Protocol, message: &Message) -> Option<Message> {
        if self.is_empty() || !protocol.framed() || message.cut_from.is_some() {
            return None;
        }
        let mut new: Option<Message> = None;
        let side = message.side;
        for field in protocol.schema().fields.iter().filter(|field| field.side == Some(side) && !field.derived) {
            if let Some(value) = self.within(way, message.field(field.id)) {
                new.get_or_insert_with(|| message.clone()).put(field.id, value);
            }
        }
        if let Some(new) = &mut new {
            new.exact = None;
            protocol.derive(new);
        }
        new
    }
}

/// The pairs of values in two texts of one shape: `session:A` beside `session:B` also says that A is B.
pub(super) fn aligned(recorded: &[u8], replayed: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let segments =
        |text: &'_ [u8]| text.split(|byte| is_between(*byte) || is_joint(*byte)).map(<[u8]>::to_vec).collect();
    let (was, is): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (segments(recorded), segments(replayed));
    let mut pairs = vec![(recorded.to_vec(), replayed.to_vec())];
    if was.len() > 1 && was.len() == is.len() {
        pairs.extend(was.into_iter().zip(is).filter(|(was, is)| was != is));
    }
    pairs
}

/// A piece, and what stands in it between dots, dashes and underscores, the longest first.
fn with_parts(text: &[u8], piece: Range<usize>) -> Vec<Range<usize>> {
    let is_joint = |at: &usize| text.get(*at).is_some_and(|byte| b".-_~".contains(byte));
    let joints: Vec<usize> = piece.clone().filter(is_joint).take(MAX_PARTS + 1).collect();
    let mut found = vec![piece.clone()];
    if !joints.is_empty() && joints.len() <= MAX_PARTS {
        let starts = || std::iter::once(piece.start).chain(joints.iter().map(|at| at + 1));
        let ends = || joints.iter().copied().chain([piece.end]);
        let spans = starts().flat_map(|start| ends().map(move |end| start..end));
        found.extend(spans.filter(|span| span.len() >= MIN_LEN_BYTES && *span != piece));
        found.sort_by_key(|span| std::cmp::Reverse(span.len()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "6fa459ea-ee8a-3ca4-894e-db77e160355e";
    const B: &str = "0b54bb52-0000-4f7d-9c3f-0123456789ab";

    fn names() -> Names {
        let mut names = Names::default();
        names.put(A.as_bytes(), B.as_bytes());
        names.put(b"ab+c9/D3eF==", b"zY8xw7v6/U5+");
        names
    }

    #[test]
    fn a_value_is_replaced_wherever_it_stands_whole() {
        for (text, expect) in [
            (A.to_owned(), Some(B.to_owned())),
            (format!("session:{A}"), Some(format!("session:{B}"))),
            (format!("/orders/{A}/items?after={A}"), Some(format!("/orders/{B}/items?after={B}"))),
            (format!("order-{A}.json"), Some(format!("order-{B}.json"))),
            (format!("{{\"id\": \"{A}\"}}"), Some(format!("{{\"id\": \"{B}\"}}"))),
            ("sid=ab+c9/D3eF==; Path=/".into(), Some("sid=zY8xw7v6/U5+; Path=/".into())),
            ("?c=ab%2Bc9%2FD3eF%3D%3D".into(), Some("?c=zY8xw7v6%2FU5%2B".into())),
            (format!("x{A}"), None),
            (A[..35].to_owned(), None),
            (B.to_owned(), None),
        ] {
            let names = names();
            let replaced = names.text(Way::ToReplay, text.as_bytes());
            assert_eq!(replaced.as_deref(), expect.as_deref().map(str::as_bytes), "{text}");
            if let Some(replaced) = replaced {
                assert_eq!(names.text(Way::ToRecording, &replaced).as_deref(), Some(text.as_bytes()));
            }
        }
    }

    #[test]
    fn what_anybody_may_come_to_is_not_kept() {
        let mut names = Names::default();
        for (recorded, replayed) in [("1", "2"), ("2026-11-21", "2026-11-22"), ("admin", "guest"), (A, A)] {
            names.put(recorded.as_bytes(), replayed.as_bytes());
            assert!(names.is_empty(), "{recorded}");
        }
        names.put(A.as_bytes(), B.as_bytes());
        names.put(A.as_bytes(), A.as_bytes());
        assert!(names.is_empty() && names.back.is_empty());
    }

    #[test]
    fn texts_of_one_shape_say_what_is_in_them() {
        let pairs = aligned(format!("order:{A}").as_bytes(), format!("order:{B}").as_bytes());
        assert_eq!(pairs[1..], [(A.as_bytes().to_vec(), B.as_bytes().to_vec())]);
        assert_eq!(aligned(b"a:b", b"a:b:c").len(), 1);
    }

    #[test]
    fn numbers_stay_numbers() {
        let mut names = Names::default();
        names.put(b"1795000000123456789", b"1795000000123456999");
        let list = |n| Value::List(vec![Value::Int(n), Value::Int(7)]);
        assert_eq!(
            names.within(Way::ToReplay, &list(1_795_000_000_123_456_789)),
            Some(list(1_795_000_000_123_456_999))
        );
        assert_eq!(names.within(Way::ToReplay, &list(5)), None);
    }
}
