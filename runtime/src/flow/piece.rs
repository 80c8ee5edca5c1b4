//! The pieces of a text that may be a value: words, and what is between the joints of a word.
//!
//! A word ends at white space, quotes, brackets, commas and semicolons. In a word a value stands between joints: `/orders/ID`,
//! `session:ID`, `sid=VALUE`, `?cursor=VALUE&limit=10`. What stands after the first `=` or `:` may have joints of its own, as base64 has.
//! The token of a secret is one piece.

use std::ops::Range;

use crate::recording::token_spans;

/// Whether a byte separates words.
pub fn is_between(byte: u8) -> bool {
    !byte.is_ascii_graphic() || b"\"'`<>(){}[],;\\".contains(&byte)
}

/// Whether a byte may separate a value from what stands before or after it in a word.
pub fn is_joint(byte: u8) -> bool {
    b"/?&=:#@|".contains(&byte)
}

/// The words of a text.
pub fn words(text: &[u8]) -> Vec<Range<usize>> {
    let mut tokens = token_spans(text).peekable();
    let (mut words, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let start = at;
        loop {
            while tokens.next_if(|token| token.end <= at).is_some() {}
            match (tokens.peek(), text.get(at)) {
                (Some(token), _) if token.start == at => at = token.end,
                (_, Some(byte)) if !is_between(*byte) => at += 1,
                _ => break,
            }
        }
        if at > start {
            words.push(start..at);
        }
        at += 1;
    }
    words
}

/// What may be a value in a word, the longest first.
pub fn pieces(text: &[u8], word: Range<usize>) -> Vec<Range<usize>> {
    let body = text.get(word.clone()).unwrap_or_default();
    let tokens: Vec<Range<usize>> = token_spans(body).collect();
    let is_free = |at: &usize| !tokens.iter().any(|token| token.contains(at));
    let joints: Vec<usize> = (0..body.len()).filter(|at| is_joint(body[*at])).filter(is_free).collect();
    let mut found = Vec::new();
    if !is_url(body) && !is_pair(body) {
        found.push(word.clone());
    }
    let after = |joint: u8| joints.iter().find(|at| body[**at] == joint).map(|at| word.start + at + 1..word.end);
    found.extend(after(b'='));
    found.extend(after(b':'));
    let mut start = word.start;
    for at in &joints {
        found.push(start..word.start + at);
        start = word.start + at + 1;
    }
    found.push(start..word.end);
    found.retain(|piece| !piece.is_empty());
    found.dedup();
    found
}

/// Whether a word is a path or a URL, which is no value as a whole. Base64 may begin with a slash too, but hardly has a segment that is a
/// name.
pub fn is_url(word: &[u8]) -> bool {
    const MIN_NAME_LEN: usize = 3;
    let is_name = |segment: &[u8]| {
        segment.len() >= MIN_NAME_LEN && !segment.iter().any(|byte| byte.is_ascii_uppercase() || b"+=".contains(byte))
    };
    let is_path = || word.starts_with(b"/") && word.split(|byte| *byte == b'/').any(is_name);
    memchr::memmem::find(word, b"://").is_some() || memchr::memchr(b'?', word).is_some() || is_path()
}

/// Whether a word is a name with its value, as a cookie is; the padding of base64 makes none.
fn is_pair(word: &[u8]) -> bool {
    memchr::memchr(b'=', word).is_some_and(|at| word.get(at + 1).is_some_and(|next| *next != b'='))
}

/// A text without its percent encoding; none where it has none.
pub fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'%', text)?;
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut out, mut at, mut is_coded) = (Vec::with_capacity(text.len()), 0, false);
    while let Some(byte) = text.get(at) {
        match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 3;
                is_coded = true;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    is_coded.then_some(out)
}

/// A text in percent encoding: all but letters, digits and `-._~` (RFC 3986 section 2.3).
pub fn encoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_piece_wherever_it_stands() {
        for (text, value) in [
            ("abc", "abc"),
            ("Bearer abc", "abc"),
            ("/orders/abc/items", "abc"),
            ("http://h:80/orders/abc?x=1", "abc"),
            ("/items?cursor=abc&limit=10", "abc"),
            ("sid=abc; Path=/; HttpOnly", "abc"),
            ("sid=ab/c==; Path=/", "ab/c=="),
            ("session:ab/c==", "ab/c=="),
            ("/YJaHoG/MfzgKsGnDiUsNuc=", "/YJaHoG/MfzgKsGnDiUsNuc="),
            ("<input name=\"csrf\" value=\"abc\">", "abc"),
            ("{\"id\": \"abc\"}", "abc"),
            ("{{secret:cookie:n1}}", "{{secret:cookie:n1}}"),
            ("/x?key={{secret:cookie:n1}}&y", "{{secret:cookie:n1}}"),
        ] {
            let bytes = text.as_bytes();
            let found = words(bytes).into_iter().flat_map(|word| pieces(bytes, word));
            assert!(found.map(|piece| &text[piece]).any(|piece| piece == value), "{text}");
        }
        assert!(!pieces(b"/orders/abc", 0..11).contains(&(0..11)));
        assert!(!pieces(b"sid=abc", 0..7).contains(&(0..7)));
    }

    #[test]
    fn percent_encoding_goes_and_comes() {
        assert_eq!(decoded(b"a%3D%2fb%"), Some(b"a=/b%".to_vec()));
        assert_eq!([decoded(b"abc"), decoded(b"100%"), decoded(b"%zz")], [None, None, None]);
        assert_eq!(encoded(b"a=/b+c~"), b"a%3D%2Fb%2Bc~");
    }
}
