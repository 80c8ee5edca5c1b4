//! Where in a text a value stands: `Bearer {}`, `/orders/{%}`, `sid={}`, `csrf" value="{}"`.
//!
//! `{}` is the value, `{%}` the value in percent encoding, `*` anything that differs from run to run; a backslash takes the next character
//! as it is. A pattern may stand anywhere in a text, and means the first place that it fits. What `{}` and `*` stand for ends where the
//! pattern goes on, and in any case with the word.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::piece::{decoded, encoded, is_between, words};
use super::worth::is_made;
use crate::recording::{is_secret, token_spans};

/// How far from a value a pattern looks for what tells its place.
const MAX_CONTEXT_LEN_BYTES: usize = 120;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Part {
    Text(Box<str>),
    Any,
    Value(Coding),
}

/// How a value is written at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Coding {
    Plain,
    Percent,
}

impl Coding {
    /// The value of what is written.
    pub fn read(self, written: &[u8]) -> Vec<u8> {
        match self {
            Coding::Plain => written.to_vec(),
            Coding::Percent => decoded(written).unwrap_or_else(|| written.to_vec()),
        }
    }

    /// How a value is written.
    pub fn write(self, value: &[u8]) -> Vec<u8> {
        match self {
            Coding::Plain => value.to_vec(),
            Coding::Percent => encoded(value),
        }
    }
}

impl Pattern {
    /// Makes the pattern that leads to a piece of a text: the shortest that has a name in it and leads nowhere else before.
    pub fn leading_to(text: &[u8], piece: &Range<usize>, coding: Coding) -> Option<Pattern> {
        let after = text.get(piece.end).filter(|byte| !is_between(**byte));
        let suffix = after.map_or(Ok(""), |byte| std::str::from_utf8(std::slice::from_ref(byte))).ok()?;
        let first = piece.start.saturating_sub(MAX_CONTEXT_LEN_BYTES);
        let made = made_pieces(text.get(first..piece.start)?, first);
        let is_edge = |at: usize| at == 0 || text.get(at - 1).is_some_and(|byte| !byte.is_ascii_alphanumeric());
        let is_whole = |at: usize| !made.iter().any(|piece| piece.start < at && at < piece.end);
        let starts = (first..piece.start).rev().filter(|at| is_edge(*at) && is_whole(*at));
        for start in starts.chain((piece.start == 0).then_some(0)) {
            let context = text.get(start..piece.start)?;
            if start > 0 && !context.iter().any(u8::is_ascii_alphanumeric) {
                continue;
            }
            let Some(mut parts) = parts(context, start, &made) else { continue };
            parts.push(Part::Value(coding));
            parts.extend((!suffix.is_empty()).then(|| Part::Text(suffix.into())));
            let pattern = Pattern(parts);
            if pattern.find(text).as_ref() == Some(piece) {
                return Some(pattern);
            }
        }
        None
    }

    /// Makes the pattern of a whole text, with one of these pieces as the value and `*` for the others.
    pub fn whole(text: &[u8], pieces: &[Range<usize>], value: &Range<usize>, coding: Coding) -> Option<Pattern> {
        let (mut made, mut at) = (Vec::new(), 0);
        for piece in pieces {
            let literal = std::str::from_utf8(text.get(at..piece.start)?).ok()?;
            made.extend((!literal.is_empty()).then(|| Part::Text(literal.into())));
            made.push(if piece == value { Part::Value(coding) } else { Part::Any });
            at = piece.end;
        }
        let rest = std::str::from_utf8(text.get(at..)?).ok()?;
        made.extend((!rest.is_empty()).then(|| Part::Text(rest.into())));
        let pattern = Pattern(made);
        (pattern.find(text).as_ref() == Some(value)).then_some(pattern)
    }

    /// How the value is written.
    pub fn coding(&self) -> Coding {
        let coding = |part: &Part| if let Part::Value(coding) = part { Some(*coding) } else { None };
        self.0.iter().find_map(coding).unwrap_or(Coding::Plain)
    }

    /// The words around the value, which whoever reads the pattern sees.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| if let Part::Text(text) = part { Some(&**text) } else { None })
    }

    /// Finds the value's place in a text.
    pub fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        let tokens: Vec<Range<usize>> = token_spans(text).collect();
        let mut at = 0;
        loop {
            // The first words decide where it can begin.
            if let Some(Part::Text(first)) = self.0.first() {
                at += memchr::memmem::find(text.get(at..)?, first.as_bytes())?;
            }
            if let Some(found) = self.fits(text, at, &tokens) {
                return Some(found);
            }
            at += 1;
            if at > text.len() {
                return None;
            }
        }
    }

    fn fits(&self, text: &[u8], start: usize, tokens: &[Range<usize>]) -> Option<Range<usize>> {
        let (mut at, mut found) = (start, None);
        for (number, part) in self.0.iter().enumerate() {
            match part {
                Part::Text(literal) => {
                    text.get(at..)?.strip_prefix(literal.as_bytes())?;
                    at += literal.len();
                }
                Part::Any | Part::Value(_) => {
                    let next = self.0.get(number + 1);
                    let stop = if let Some(Part::Text(next)) = next { next.bytes().next() } else { None };
                    let end = end_of_run(text, at, stop, tokens);
                    if end == at {
                        return None;
                    }
                    if matches!(part, Part::Value(_)) {
                        found = Some(at..end);
                    }
                    at = end;
                }
            }
        }
        found
    }

    /// Writes the text that has these values, in the order of `{}` and `*`; none where one is not known.
    pub fn text_of(&self, values: &[Option<Vec<u8>>]) -> Option<Vec<u8>> {
        let (mut out, mut values) = (Vec::new(), values.iter());
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Any | Part::Value(_) => out.extend_from_slice(values.next()?.as_ref()?),
            }
        }
        Some(out)
    }

    /// Which of the `{}` and `*` is the value, and how many there are.
    pub fn slot(&self) -> (usize, usize) {
        let slots = || self.0.iter().filter(|part| !matches!(part, Part::Text(_)));
        (slots().position(|part| matches!(part, Part::Value(_))).unwrap_or(0), slots().count())
    }
}

/// The pieces of the text before a value that differ from run to run, in their order; the text begins at `base`.
fn made_pieces(context: &[u8], base: usize) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for word in words(context) {
        let is_made = |piece: &Range<usize>| context.get(piece.clone()).is_some_and(|p| is_made(p) || is_secret(p));
        for piece in super::piece::pieces(context, word).into_iter().filter(is_made) {
            let piece = base + piece.start..base + piece.end;
            if found.iter().all(|other| other.end <= piece.start || piece.end <= other.start) {
                found.push(piece);
            }
        }
    }
    found.sort_by_key(|piece| piece.start);
    found
}

/// The parts of the text before a value, which begins at `start`: what differs from run to run is `*`. None where it is no text.
fn parts(context: &[u8], start: usize, made: &[Range<usize>]) -> Option<Vec<Part>> {
    let text = std::str::from_utf8(context).ok()?;
    let (mut parts, mut at) = (Vec::new(), 0);
    for piece in made.iter().filter(|piece| piece.start >= start) {
        let literal = text.get(at..piece.start - start)?;
        parts.extend((!literal.is_empty()).then(|| Part::Text(literal.into())));
        parts.push(Part::Any);
        at = piece.end - start;
    }
    let rest = text.get(at..)?;
    parts.extend((!rest.is_empty()).then(|| Part::Text(rest.into())));
    Some(parts)
}

/// Where a run of a value's bytes ends: at the end of the word, or where this byte stands.
fn end_of_run(text: &[u8], start: usize, stop: Option<u8>, tokens: &[Range<usize>]) -> usize {
    let mut at = start;
    loop {
        match (tokens.iter().find(|token| token.start == at), text.get(at)) {
            (Some(token), _) => at = token.end,
            (_, Some(byte)) if !is_between(*byte) && Some(*byte) != stop => at += 1,
            _ => return at,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Any => f.write_str("*")?,
                Part::Value(Coding::Plain) => f.write_str("{}")?,
                Part::Value(Coding::Percent) => f.write_str("{%}")?,
                Part::Text(text) => {
                    for char in text.chars() {
                        if matches!(char, '*' | '{' | '\\') {
                            f.write_str("\\")?;
                        }
                        write!(f, "{char}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
        let mut values = 0;
        while let Some(first) = rest.chars().next() {
            let (part, len) = match first {
                '*' => (Some(Part::Any), 1),
                '{' if rest.starts_with("{}") => (Some(Part::Value(Coding::Plain)), 2),
                '{' if rest.starts_with("{%}") => (Some(Part::Value(Coding::Percent)), 3),
                _ => (None, first.len_utf8()),
            };
            match part {
                Some(part) => {
                    values += usize::from(matches!(part, Part::Value(_)));
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal).into()));
                    }
                    parts.push(part);
                }
                None => {
                    let escaped = if first == '\\' { rest.chars().nth(1) } else { None };
                    literal.push(escaped.unwrap_or(first));
                    rest = rest.get(escaped.map_or(0, char::len_utf8)..).unwrap_or_default();
                }
            }
            rest = rest.get(len..).unwrap_or_default();
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        match values {
            1 => Ok(Pattern(parts)),
            _ => Err(format!("a part has one `{{}}` or `{{%}}` where its value stands, found `{text}`")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ID: &str = "6fa459ea-ee8a-3ca4-894e-db77e160355e";
    const OTHER: &str = "0b54bb52-0000-4f7d-9c3f-0123456789ab";

    #[track_caller]
    fn check(text: &str, value: &str, expect: Option<&str>) {
        let start = text.rfind(value).unwrap();
        let piece = start..start + value.len();
        let pattern = Pattern::leading_to(text.as_bytes(), &piece, Coding::Plain);
        assert_eq!(pattern.as_ref().map(ToString::to_string).as_deref(), expect, "{text}");
        if let Some(pattern) = pattern {
            assert_eq!(pattern.to_string().parse(), Ok(pattern.clone()), "{text}");
            assert_eq!(pattern.find(text.as_bytes()), Some(piece));
        }
    }

    #[test]
    fn the_shortest_that_leads_there_is_made() {
        check(&format!("Bearer {ID}"), ID, Some("Bearer {}"));
        check(&format!("/orders/{ID}"), ID, Some("orders/{}"));
        check(&format!("/orders/{ID}/items"), ID, Some("orders/{}/"));
        check(&format!("/{OTHER}/{ID}"), ID, Some("*/{}"));
        check(&format!("{ID}:suffix"), ID, Some("{}:"));
        check(&format!("sid={ID}; Path=/"), ID, Some("sid={}"));
        check(&format!("a={OTHER}; sid={ID}"), ID, Some("sid={}"));
        check("sid=ab/c9==; Path=/", "ab/c9==", Some("sid={}"));
        check(&format!("<i value=\"x\"><i name=\"csrf\" value=\"{ID}\">"), ID, Some("csrf\" value=\"{}"));
        check(&format!("a*b\\{{}} {ID}"), ID, Some("b\\\\\\{} {}"));
    }

    #[test]
    fn a_value_is_found_in_another_text_of_the_same_shape() {
        for (pattern, text, expect) in [
            ("orders/{}", "http://h:1/orders/abc", Some("abc")),
            ("orders/{}/", "/orders/abc/items", Some("abc")),
            ("orders/{}", "/users/abc", None),
            ("*/{}", "/one/two", Some("two")),
            ("sid={}", "a=b; sid=ab/c==; Path=/", Some("ab/c==")),
            ("sid=*; csrf={}", "sid=one; csrf=two", Some("two")),
            ("sid={}", "sid=; Path=/", None),
            ("key={}&", "/x?key={{secret:k:n1}}&y=1", Some("{{secret:k:n1}}")),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!(pattern.find(text.as_bytes()).map(|at| &text[at]), expect, "{pattern} {text}");
        }
        for wrong in ["", "abc", "{} {}", "*"] {
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_whole_text_is_written_again() {
        let text = format!("sid={ID}; csrf={OTHER}");
        let pieces = [4..40, 47..83];
        let pattern = Pattern::whole(text.as_bytes(), &pieces, &pieces[1], Coding::Plain).unwrap();
        assert_eq!((pattern.to_string().as_str(), pattern.slot()), ("sid=*; csrf={}", (1, 2)));
        let values = [Some(b"a".to_vec()), Some(b"b".to_vec())];
        assert_eq!(pattern.text_of(&values), Some(b"sid=a; csrf=b".to_vec()));
        assert_eq!(pattern.text_of(&[Some(b"a".to_vec()), None]), None);
    }
}
