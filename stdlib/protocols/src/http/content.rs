//! The decoded view of a payload: what Content-Type and Content-Encoding say it is.
//!
//! JSON becomes a value, a form strings, anything else stays text. gzip and deflate are undone; bytes under another coding, or
//! that do not decompress, are tagged `encoded`, so that writing them does not compress them twice. JSON in another style than
//! plain compact is tagged with its style (`crate::json::Style`). JSON is also seen where a client or server says nothing or
//! `text/plain`, as Go does by default, or `x-www-form-urlencoded`, as curl does.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use reel_lang::value::Value;

use super::{INFLATED_LEN_MAX, form};
use crate::Unencodable;
use crate::json::{self, Style};

/// Bytes that are still under their content coding.
const ENCODED: &str = "encoded";

/// The wire tags of bodies.
pub(super) const TAGS: [&str; 17] = {
    let mut tags = [ENCODED; 17];
    let mut i = 0;
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    while i < Style::NAMES.len() {
        tags[i] = Style::NAMES[i];
        i += 1;
    }
    tags
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Json,
    Form,
    /// Nothing is said, or `text/plain`.
    Plain,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Deflate,
    /// Another one, or several.
    Unknown,
}

/// What the header fields say about a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    media: Media,
    coding: Coding,
}

impl Content {
    pub(super) fn of<'a>(headers: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Content {
        let mut content = Content { media: Media::Plain, coding: Coding::Identity };
        for (name, value) in headers {
            match name.len() {
                12 if name.eq_ignore_ascii_case(b"content-type") => content.media = media(value),
                16 if name.eq_ignore_ascii_case(b"content-encoding") => {
                    content.coding = if content.coding == Coding::Identity { coding(value) } else { Coding::Unknown };
                }
                _ => {}
            }
        }
        content
    }

    /// Whether decoding undoes a compression, whose bytes writing again would not give.
    pub(super) fn is_compressed(self) -> bool {
        matches!(self.coding, Coding::Gzip | Coding::Deflate)
    }

    /// The decoded view of a payload.
    pub(super) fn decode(self, payload: &Bytes) -> Value {
        if payload.is_empty() {
            return Value::Nil;
        }
        let inflated = match self.coding {
            Coding::Identity => Some(payload.clone()),
            Coding::Gzip => inflate(MultiGzDecoder::new(&**payload)),
            Coding::Deflate => {
                inflate(ZlibDecoder::new(&**payload)).or_else(|| inflate(DeflateDecoder::new(&**payload)))
            }
            Coding::Unknown => None,
        };
        match inflated {
            Some(text) => self.view(text),
            None => Value::Tagged(ENCODED, Box::new(Value::Str(payload.clone()))),
        }
    }

    fn view(self, text: Bytes) -> Value {
        let starts_json = matches!(text.trim_ascii_start().first(), Some(b'{' | b'['));
        let try_json = self.media == Media::Json || (starts_json && self.media != Media::Other);
        if let Some(value) = try_json.then(|| json::parse(&text).ok()).flatten() {
            let style = Style::of(&text);
            // Untagged text is bytes, and an untagged map under a form's type is a form.
            let plain = style == Style::default() && !matches!(value, Value::Str(_)) && self.media != Media::Form;
            return if plain { value } else { Value::Tagged(style.name(), Box::new(value)) };
        }
        let is_form =
            self.media == Media::Form && memchr::memchr(b'=', &text).is_some() && text.iter().all(u8::is_ascii_graphic);
        if is_form { form::parse(&text) } else { Value::Str(text) }
    }

    /// Writes a payload from its decoded view.
    pub(super) fn encode(self, body: &Value) -> Result<Vec<u8>, Unencodable> {
        if let Value::Tagged(ENCODED, bytes) = body {
            return bytes.as_bytes().map(<[u8]>::to_vec).ok_or_else(|| unencodable("expected bytes under `encoded`"));
        }
        if body.is_nil() {
            return Ok(Vec::new());
        }
        let text = self.text(body)?;
        match self.coding {
            Coding::Identity => Ok(text),
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&text).and_then(|()| encoder.finish()).map_err(|e| unencodable(&e.to_string()))
            }
            Coding::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&text).and_then(|()| encoder.finish()).map_err(|e| unencodable(&e.to_string()))
            }
            Coding::Unknown => Err(unencodable("only gzip and deflate can be written from a decoded body")),
        }
    }

    fn text(self, body: &Value) -> Result<Vec<u8>, Unencodable> {
        let mut out = Vec::new();
        let (style, value) = match body {
            Value::Tagged(tag, value) => match Style::by_name(tag) {
                Some(style) => (Some(style), &**value),
                None => (None, &**value),
            },
            value => (None, value),
        };
        match (style, value) {
            (None, Value::Str(text)) => out.extend_from_slice(text),
            (None, Value::Map(pairs)) if self.media == Media::Form => {
                form::write(pairs, &mut out).ok_or_else(|| unencodable("a form has text only"))?;
            }
            (style, value) => {
                json::write(value, style.unwrap_or_default(), &mut out).map_err(|e| unencodable(&e.to_string()))?;
            }
        }
        Ok(out)
    }
}

fn unencodable(reason: &str) -> Unencodable {
    Unencodable { field: "body".to_owned(), reason: reason.to_owned() }
}

/// RFC 9110 section 8.3.1; `+json` is RFC 6839 section 3.1.
fn media(content_type: &[u8]) -> Media {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let essence = essence.to_ascii_lowercase();
    match essence.as_slice() {
        b"application/json" | b"text/json" => Media::Json,
        other if other.ends_with(b"+json") => Media::Json,
        b"application/x-www-form-urlencoded" => Media::Form,
        b"text/plain" | b"" => Media::Plain,
        _ => Media::Other,
    }
}

/// RFC 9110 section 8.4.1.
fn coding(value: &[u8]) -> Coding {
    match value.trim_ascii().to_ascii_lowercase().as_slice() {
        b"" | b"identity" => Coding::Identity,
        b"gzip" | b"x-gzip" => Coding::Gzip,
        b"deflate" => Coding::Deflate,
        _ => Coding::Unknown,
    }
}

/// Everything that a decoder gives, if that is not too much.
fn inflate(decoder: impl Read) -> Option<Bytes> {
    let mut out = Vec::new();
    let limit = INFLATED_LEN_MAX as u64;
    decoder.take(limit.saturating_add(1)).read_to_end(&mut out).ok()?;
    (out.len() <= INFLATED_LEN_MAX).then(|| Bytes::from(out))
}
