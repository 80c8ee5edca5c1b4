//! Tokens of a script, comments among them.
//!
//! What is a comment or a preprocessor line, the scanner has found out: it is blank in the masked text. Whatever is not known
//! here is a token of one character.

use std::ops::Range;

/// What a token is, as far as spacing cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, keyword, number, string, variable or map: what an expression can begin and end with.
    Word,
    /// An operator or bracket.
    Sign,
    /// One element of a clause's header, as it was written.
    Header,
    /// The `/` before and behind a predicate.
    OpenPredicate,
    ClosePredicate,
    LineComment,
    BlockComment,
    /// Lines that are left as they are: of the preprocessor, or in a branch that is not taken.
    Verbatim,
}

impl Kind {
    pub(super) fn is_comment(self) -> bool {
        matches!(self, Kind::LineComment | Kind::BlockComment | Kind::Verbatim)
    }
}

/// A token and the line ends before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    pub(super) at: usize,
    pub(super) line_ends: usize,
    /// Whether layout stands before it in a line: set by `space`.
    pub(super) is_apart: bool,
}

impl Token<'_> {
    pub(super) fn end(&self) -> usize {
        self.at + self.text.len()
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.kind == Kind::Sign && self.text == text
    }
}

/// Operators of more than one character, longest first.
const SIGNS: &[&str] = &[
    "<<=", ">>=", "&&", "||", "==", "!=", "=~", "!~", "<=", ">=", "<<", ">>", "+=", "-=", "*=", "/=", "%=", "&=", "|=",
    "^=", "++", "--", "->", "..", "::", "?:",
];

/// The tokens of a range of expressions and statements, comments included.
pub(super) fn tokens<'t>(text: &'t str, masked: &str, range: Range<usize>) -> Vec<Token<'t>> {
    lex(text, masked, range, |rest| {
        let len = word_len(rest);
        if len > 0 { (Kind::Word, len) } else { (Kind::Sign, sign_len(rest)) }
    })
}

/// The elements of a header list, and the commas between them.
pub(super) fn header<'t>(text: &'t str, masked: &str, range: Range<usize>) -> Vec<Token<'t>> {
    lex(text, masked, range, |rest| {
        if rest.starts_with(',') {
            return (Kind::Sign, 1);
        }
        let mut in_string = false;
        let mut escaped = false;
        let end = rest.find(|c: char| {
            in_string ^= c == '"' && !escaped;
            escaped = in_string && c == '\\' && !escaped;
            !in_string && (c == ',' || c.is_ascii_whitespace())
        });
        (Kind::Header, end.unwrap_or(rest.len()))
    })
}

fn lex<'t>(text: &'t str, masked: &str, range: Range<usize>, one: impl Fn(&str) -> (Kind, usize)) -> Vec<Token<'t>> {
    let mut tokens = Vec::new();
    let mut at = range.start;
    let mut line_ends = 0;
    while let Some(rest) = text.get(at..range.end).filter(|rest| !rest.is_empty()) {
        let first = rest.as_bytes()[0];
        if first.is_ascii_whitespace() || first == 0x0b {
            line_ends += usize::from(first == b'\n');
            at += 1;
            continue;
        }
        let is_code = !masked.as_bytes().get(at).is_none_or(u8::is_ascii_whitespace);
        let (kind, len) = if is_code {
            // What is code ends where the masked text ends: a comment may follow without layout.
            let code = masked.get(at..range.end).unwrap_or(rest);
            let (kind, len) = one(code);
            (kind, len.max(1))
        } else {
            masked_len(rest)
        };
        let len = (len..=rest.len()).find(|len| rest.is_char_boundary(*len)).unwrap_or(rest.len());
        tokens.push(Token { kind, text: &rest[..len], at, line_ends, is_apart: false });
        at += len;
        line_ends = 0;
    }
    tokens
}

/// A comment, or a line that is no code.
fn masked_len(rest: &str) -> (Kind, usize) {
    let line = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
    if rest.starts_with("//") {
        return (Kind::LineComment, rest[..line].trim_end().len());
    }
    if rest.starts_with("/*") {
        let len = memchr::memmem::find(rest.as_bytes(), b"*/").map_or(rest.len(), |len| len + 2);
        return (Kind::BlockComment, len);
    }
    (Kind::Verbatim, rest[..line].trim_end().len().max(1))
}

fn word_len(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let name_len = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    match bytes[0] {
        b'"' => string_len(bytes),
        b'$' if bytes.get(1) == Some(&b'#') => 2,
        b'$' | b'@' => 1 + name_len(1),
        b'0'..=b'9' => number_len(rest, name_len(0)),
        b if b.is_ascii_alphabetic() || b == b'_' => name_len(0),
        _ => 0,
    }
}

fn string_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// `1.5`, but not `1..5`; `1%` where nothing but the end of an argument follows.
fn number_len(rest: &str, whole: usize) -> usize {
    let mut len = whole;
    let after = &rest[len..];
    if after.starts_with('.') && after[1..].starts_with(|c: char| c.is_ascii_digit()) {
        let fraction = after[1..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        len += 1 + fraction;
    }
    if let Some(after) = rest[len..].strip_prefix('%')
        && after.trim_start().starts_with([',', ')'])
    {
        len += 1;
    }
    len
}

fn sign_len(rest: &str) -> usize {
    let known = SIGNS.iter().find(|sign| rest.starts_with(**sign));
    known.map_or_else(|| rest.chars().next().map_or(1, char::len_utf8), |sign| sign.len())
}
