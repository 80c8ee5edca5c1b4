//! Values taken out of a message, and put back: whole fields, parts of texts, numbers.

use bytes::Bytes;
use reel_lang::hir::Step;
use reel_lang::schema::{Field, FieldType, Schema};
use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};

use super::{collect, token_spans, visit};
use crate::matching::Number;
use crate::recording::value::NUMBER;

/// What is replaced, each by what.
pub(super) type Places<'a> = [(&'a [u8], &'a [u8])];

/// Replaces whole values at a path.
pub(super) fn replace_at(message: &mut Message, field: &Field, steps: &[Step], places: &Places<'_>) -> bool {
    let mut value = message.field(field.id).clone();
    let mut found = false;
    visit(&mut value, steps, field.ty, &mut |value| found |= replace(value, places, Replace::Whole));
    message.put(field.id, value);
    found
}

/// How much of a text is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::recording) enum Replace {
    /// The whole text, where it is the value.
    Whole,
    /// Each occurrence within a text.
    Part,
    /// Every text, whatever it is.
    All,
}

/// Takes a text of a derived field out of the stored ones, however it is written there.
pub(super) fn replace_derived(
    protocol: &dyn Protocol,
    message: &mut Message,
    text: &[u8],
    token: &mut dyn FnMut(&[u8]) -> String,
) -> bool {
    let mut spellings = protocol.spellings(message, text);
    spellings.push(Bytes::copy_from_slice(text));
    // One may stand within another.
    spellings.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    spellings.dedup();
    let mut found = false;
    for spelling in spellings {
        let put = |message: &mut Message, to: &[u8]| {
            let places = [(&*spelling, to)];
            replace_in(protocol.schema(), message, &places, Replace::Part, |field| is_free(protocol, field))
        };
        // A secret that is nowhere gets no token.
        if put(&mut message.clone(), b"") {
            found |= put(message, token(&spelling).as_bytes());
        }
    }
    message.exact = None;
    protocol.derive(message);
    found
}

/// Whether a field can hold any text, as a body can: a word of the protocol, such as a method or a version, cannot.
pub(super) fn is_free(protocol: &dyn Protocol, field: &Field) -> bool {
    field.ty != FieldType::String || !field.compared || !protocol.framed()
}

/// Replaces values in every stored field of a message.
pub(in crate::recording) fn replace_stored(
    schema: &Schema,
    message: &mut Message,
    places: &Places<'_>,
    how: Replace,
) -> bool {
    replace_in(schema, message, places, how, |_| true)
}

/// Replaces values in some of the stored fields of a message.
pub(super) fn replace_in(
    schema: &Schema,
    message: &mut Message,
    places: &Places<'_>,
    how: Replace,
    is_meant: impl Fn(&Field) -> bool,
) -> bool {
    let mut found = false;
    let side = message.side;
    for field in schema.fields.iter().filter(|field| field.side == Some(side) && !field.derived && is_meant(field)) {
        let mut value = message.field(field.id).clone();
        if replace(&mut value, places, how) {
            found = true;
            message.put(field.id, value);
        }
    }
    found
}

fn replace(value: &mut Value, places: &Places<'_>, how: Replace) -> bool {
    match value {
        Value::Str(text) => match replaced(text, places, how) {
            Some(new) => {
                *text = new;
                true
            }
            None => false,
        },
        Value::List(items) => items.iter_mut().fold(false, |found, item| replace(item, places, how) | found),
        Value::Map(pairs) => pairs.iter_mut().fold(false, |found, (_, item)| replace(item, places, how) | found),
        Value::Tagged(NUMBER, inner) if how == Replace::Part => {
            match inner.as_bytes().and_then(|token| number(token, places)) {
                Some(digits) => {
                    *value = digits;
                    true
                }
                None => false,
            }
        }
        Value::Tagged(_, inner) => replace(inner, places, how),
        Value::Int(_) | Value::Uint(_) | Value::Decimal(_) => {
            let mut digits = Vec::new();
            collect(value, &mut digits);
            // Within a number nothing is replaced: it is the value whole, or it is not.
            let text = digits.pop().map(Bytes::from).filter(|_| how != Replace::Part);
            match text.and_then(|digits| replaced(&digits, places, how)) {
                Some(text) => {
                    *value = Value::Tagged(NUMBER, Box::new(Value::Str(text)));
                    true
                }
                _ => false,
            }
        }
        _ => false,
    }
}

/// The number that stands for a token; a text where what was supplied is none.
fn number(token: &[u8], places: &Places<'_>) -> Option<Value> {
    let (_, value) = places.iter().find(|(from, _)| *from == token)?;
    let digits =
        std::str::from_utf8(value).ok().filter(|digits| Number::of(&Value::Decimal((*digits).into())).is_some());
    Some(digits.map_or_else(|| Value::text(*value), |digits| Value::Decimal(digits.into())))
}

fn replaced(text: &Bytes, places: &Places<'_>, how: Replace) -> Option<Bytes> {
    let mut current: Option<Vec<u8>> = None;
    for (from, to) in places {
        let text = current.as_deref().unwrap_or(text);
        match how {
            Replace::All => return Some(Bytes::copy_from_slice(to)),
            Replace::Whole if text == *from => return Some(Bytes::copy_from_slice(to)),
            Replace::Part => current = replaced_within(text, from, to).or(current),
            _ => {}
        }
    }
    current.map(Bytes::from)
}

/// Replaces each occurrence within a text; what is within a token is none.
fn replaced_within(text: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    if from.is_empty() {
        return None;
    }
    let mut tokens = token_spans(text).peekable();
    let mut new = Vec::new();
    // What is copied, and where the search goes on.
    let (mut copied, mut next) = (0, 0);
    while let Some(at) = memchr::memmem::find(text.get(next..)?, from).map(|at| next + at) {
        while tokens.next_if(|token| token.end <= at).is_some() {}
        match tokens.peek() {
            Some(token) if token.start < at => next = token.end,
            _ => {
                new.extend_from_slice(text.get(copied..at)?);
                new.extend_from_slice(to);
                next = at + from.len();
                copied = next;
            }
        }
    }
    (copied > 0).then(|| {
        new.extend_from_slice(text.get(copied..).unwrap_or_default());
        new
    })
}
