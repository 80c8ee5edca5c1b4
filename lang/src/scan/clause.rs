//! What a top-level item is, and where a clause's header, predicate and body are.
//!
//! Works on masked text, so comments are spaces. A header that contains `:` wants whitespace before its predicate, because
//! a path may contain `/`; inside a predicate, outside brackets, `/` followed by layout and `{` closes it.

use std::ops::Range;

use super::RawKind;

/// Returns the word at the start of a text, empty where none is.
pub(super) fn first_word(text: &[u8]) -> &[u8] {
    let len = text.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    &text[..len]
}

/// Returns the text after layout and comments.
pub(super) fn after_comments(text: &[u8]) -> &[u8] {
    let mut rest = text.trim_ascii_start();
    loop {
        let len = match rest {
            [b'/', b'/', ..] => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
            [b'/', b'*', ..] => memchr::memmem::find(&rest[2..], b"*/").map_or(rest.len(), |i| i + 4),
            _ => return rest,
        };
        rest = rest[len..].trim_ascii_start();
    }
}

/// Tells the kind of the item that starts at `start`; every clause is `Headless` until it is split.
pub(super) fn kind(masked: &[u8], start: usize) -> RawKind {
    let text = &masked[start..];
    let word = first_word(text);
    let rest = text[word.len()..].trim_ascii_start();
    let next = rest.first().copied().unwrap_or(0);
    let clause = RawKind::Headless { at: start, in_predicate: false };
    let name_follows = next.is_ascii_alphabetic() || next == b'_';
    match word {
        b"macro" if name_follows => RawKind::Macro,
        b"fn" if name_follows => RawKind::Fn,
        b"noise" if name_follows && is_noise(rest) => RawKind::Noise,
        b"let" => RawKind::MapDecl,
        b"import" if next == b'"' || name_follows => RawKind::Import,
        b"config" if matches!(next, b'=' | b'{') => RawKind::Config,
        b"typedef" if name_follows => RawKind::Typedef,
        b"struct" | b"union" | b"enum" if name_follows || next == b'{' => RawKind::CDef,
        _ => clause,
    }
}

/// `noise` is a word only before `NAME(`.
fn is_noise(after: &[u8]) -> bool {
    after[first_word(after).len()..].trim_ascii_start().starts_with(b"(")
}

/// Finds the parts of a clause.
pub(super) fn split(masked: &[u8], range: Range<usize>) -> RawKind {
    let header_end = header_end(masked, range.clone());
    let header = range.start..masked[..header_end].trim_ascii_end().len().max(range.start);
    match masked[..range.end].get(header_end) {
        Some(b'{') => RawKind::Clause { header, predicate: None, body: header_end..range.end },
        Some(b'/') => split_predicate(masked, header, header_end + 1..range.end),
        _ => {
            let at = header_word_end(masked, header);
            RawKind::Headless { at, in_predicate: false }
        }
    }
}

fn split_predicate(masked: &[u8], header: Range<usize>, range: Range<usize>) -> RawKind {
    match slashes(masked, range.clone()) {
        Slashes::Closing(close) => {
            let body = close + 1 + layout_len(&masked[close + 1..range.end]);
            RawKind::Clause { header, predicate: Some(range.start..close), body: body..range.end }
        }
        // The last `/` probably was meant to close it, and no `{` follows.
        Slashes::Last(slash) => RawKind::Headless { at: slash + 1, in_predicate: false },
        Slashes::None => {
            let brace = memchr::memchr(b'{', &masked[range.clone()]);
            RawKind::Headless { at: range.start + brace.unwrap_or(range.len()), in_predicate: true }
        }
    }
}

/// Returns where a header without a body goes wrong: after the first run of text without layout, or after the last comma.
fn header_word_end(masked: &[u8], header: Range<usize>) -> usize {
    let text = &masked[header.clone()];
    let from = text.iter().rposition(|b| *b == b',').map_or(0, |i| i + 1);
    let from = from + layout_len(&text[from..]);
    let len = text[from..].iter().position(u8::is_ascii_whitespace).unwrap_or(text.len() - from);
    header.start + from + len
}

/// Returns where the header list ends: at `{`, at the predicate's `/`, or at the end of the range.
fn header_end(masked: &[u8], range: Range<usize>) -> usize {
    let mut has_colon = false;
    let mut after_layout = true;
    let mut pos = range.start;
    while pos < range.end {
        let byte = masked[pos];
        match byte {
            b'{' => return pos,
            b'/' if !has_colon || after_layout => return pos,
            b'"' => pos = string_end(masked, pos),
            b':' => has_colon = true,
            b',' => has_colon = false,
            _ => {}
        }
        after_layout = byte.is_ascii_whitespace();
        pos += 1;
    }
    range.end
}

/// The `/`s of a predicate that stand outside brackets.
enum Slashes {
    /// This one closes the predicate: layout and `{` follow.
    Closing(usize),
    /// None closes it; this is the last.
    Last(usize),
    None,
}

fn slashes(masked: &[u8], range: Range<usize>) -> Slashes {
    let mut depth = 0usize;
    let mut last = Slashes::None;
    let mut pos = range.start;
    while pos < range.end {
        match masked[pos] {
            b'"' => pos = string_end(masked, pos),
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                if masked[pos + 1..range.end].trim_ascii_start().starts_with(b"{") {
                    return Slashes::Closing(pos);
                }
                last = Slashes::Last(pos);
            }
            _ => {}
        }
        pos += 1;
    }
    last
}

/// Returns the offset of a string's closing quote, or of the text's last byte.
fn string_end(masked: &[u8], open: usize) -> usize {
    let mut pos = open + 1;
    while pos < masked.len() && masked[pos] != b'"' {
        pos += if masked[pos] == b'\\' { 2 } else { 1 };
    }
    pos.min(masked.len().saturating_sub(1))
}

fn layout_len(text: &[u8]) -> usize {
    text.len() - text.trim_ascii_start().len()
}

/// Returns the innermost bracket that a text opens and does not close, and where.
pub(super) fn last_open(masked: &[u8]) -> Option<(u8, usize)> {
    let mut stack = Vec::new();
    let mut pos = 0;
    while pos < masked.len() {
        match masked[pos] {
            b'"' => pos = string_end(masked, pos),
            bracket @ (b'(' | b'[' | b'{') => stack.push((bracket, pos)),
            b')' | b']' | b'}' => drop(stack.pop()),
            _ => {}
        }
        pos += 1;
    }
    stack.pop()
}

/// Returns the start of the first line after `from` that begins, without indentation, like a top-level item.
pub(super) fn next_item_line(masked: &[u8], from: usize) -> Option<usize> {
    memchr::memchr_iter(b'\n', &masked[from..]).map(|i| from + i + 1).find(|&start| {
        let end = memchr::memchr(b'\n', &masked[start..]).map_or(masked.len(), |len| start + len);
        looks_like_item(&masked[start..end])
    })
}

fn looks_like_item(line: &[u8]) -> bool {
    let word = first_word(line);
    let next = line.get(word.len()).copied().unwrap_or(b'\n');
    let lower = word.to_ascii_lowercase();
    match lower.as_slice() {
        b"" | b"if" | b"else" | b"for" | b"while" | b"unroll" | b"let" | b"return" | b"break" | b"continue" => false,
        b"begin" | b"end" => matches!(next, b' ' | b'{' | b'/' | b',' | b'\n'),
        b"macro" | b"fn" | b"noise" | b"struct" | b"config" => next == b' ',
        _ => next == b':' && line.get(word.len() + 1).is_some_and(|b| !b.is_ascii_whitespace()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(&str, Option<&str>, &str)> {
        match split(text.as_bytes(), 0..text.len()) {
            RawKind::Clause { header, predicate, body } => {
                Some((&text[header], predicate.map(|p| &text[p]), &text[body]))
            }
            _ => None,
        }
    }

    #[test]
    fn a_slash_in_a_path_is_no_predicate() {
        let text = "uprobe:/bin/sh:main /a / 2 == 1/ { b / { 2 } }";
        assert_eq!(parts(text), Some(("uprobe:/bin/sh:main", Some("a / 2 == 1"), "{ b / { 2 } }")));
        assert_eq!(parts("begin/x/{}"), Some(("begin", Some("x"), "{}")));
        assert_eq!(parts("a:b,\nc:d\n/x/\n{}"), Some(("a:b,\nc:d", Some("x"), "{}")));
        assert_eq!(parts("u:\"a /{\":f {}"), Some(("u:\"a /{\":f", None, "{}")));
    }

    #[test]
    fn a_predicate_may_hold_blocks_and_slashes_in_strings() {
        let text = "a:b /path == \"/ {\" && { 1 }/ { }";
        assert_eq!(parts(text), Some(("a:b", Some("path == \"/ {\" && { 1 }"), "{ }")));
        assert_eq!(parts("a:b /path == 1 { }"), None);
    }
}
