//! Text patterns: regular expressions over bytes, unanchored, linear time; and globs, anchored, in which `*` stops at `/`
//! and `**` does not.
//!
//! A glob becomes a regular expression, but patterns that are plain text with an anchor or one star at the end, which most
//! are, run as comparisons of bytes. Any other goes through a table of states where the text is short.

mod table;

use memchr::memmem::Finder;
use reel_lang::hir::Pattern;
use reel_lang::value::Value;
use regex::bytes::{Regex, RegexBuilder};

use super::View;
use table::Table;

/// A pattern that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern {pattern:?} does not compile: {message}")]
pub struct PatternError {
    pub pattern: String,
    pub message: String,
}

/// A compiled pattern may take so much memory.
pub const MAX_COMPILED_LEN_BYTES: usize = 10 << 20;
/// Up to this length a look-up for each byte costs less than setting up a search.
const SHORT_LEN_BYTES: usize = 64;

/// A compiled pattern.
#[derive(Debug)]
pub enum Matcher {
    Exact(Vec<u8>),
    Prefix(Vec<u8>),
    Suffix(Vec<u8>),
    Contains(Box<Finder<'static>>),
    /// A glob of texts with `*` between them.
    Segments(Box<Segments>),
    Regex(Box<Engine>),
}

/// A general regular expression.
#[derive(Debug)]
pub struct Engine {
    /// For short texts.
    table: Option<Table>,
    /// For long ones, which it can skip through.
    regex: Regex,
}

impl Engine {
    fn is_match(&self, text: &[u8]) -> bool {
        match &self.table {
            Some(table) if text.len() <= SHORT_LEN_BYTES => table.matches(text),
            _ => self.regex.is_match(text),
        }
    }
}

impl Matcher {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// Says why it does not compile; the checker has said so before with a place in the script.
    pub fn new(pattern: &Pattern) -> Result<Self, PatternError> {
        match pattern {
            Pattern::Regex(text) => simple_regex(text).map_or_else(|| compile(text, text), Ok),
            Pattern::Glob(text) => simple_glob(text).map_or_else(|| compile(&glob_regex(text), text), Ok),
        }
    }

    /// Whether a value is a text that matches, or an address whose text does.
    pub fn matches(&self, value: View<'_>) -> bool {
        match value {
            View::Str(text) => self.matches_bytes(text),
            View::Value(Value::Ip(ip)) => self.matches_bytes(ip.to_string().as_bytes()),
            _ => false,
        }
    }

    /// Whether a text matches.
    pub fn matches_bytes(&self, text: &[u8]) -> bool {
        match self {
            Matcher::Exact(exact) => text == exact,
            Matcher::Prefix(prefix) => text.starts_with(prefix),
            Matcher::Suffix(suffix) => text.ends_with(suffix),
            Matcher::Contains(finder) => finder.find(text).is_some(),
            Matcher::Segments(segments) => segments.matches(text),
            Matcher::Regex(engine) => engine.is_match(text),
        }
    }
}

fn compile(regex: &str, pattern: &str) -> Result<Matcher, PatternError> {
    let built = RegexBuilder::new(regex).size_limit(MAX_COMPILED_LEN_BYTES).build();
    let regex = built.map_err(|error| PatternError { pattern: pattern.into(), message: error.to_string() })?;
    Ok(Matcher::Regex(Box::new(Engine { table: Table::of(regex.as_str()), regex })))
}

/// A regular expression that is plain text with or without anchors.
fn simple_regex(text: &str) -> Option<Matcher> {
    let (start, rest) = text.strip_prefix('^').map_or((false, text), |rest| (true, rest));
    let (end, literal) = rest.strip_suffix('$').map_or((false, rest), |rest| (true, rest));
    if literal.bytes().any(regex_syntax_byte) {
        return None;
    }
    let bytes = literal.as_bytes();
    Some(match (start, end) {
        (true, true) => Matcher::Exact(bytes.to_vec()),
        (true, false) => Matcher::Prefix(bytes.to_vec()),
        (false, true) => Matcher::Suffix(bytes.to_vec()),
        (false, false) => Matcher::Contains(Box::new(Finder::new(bytes).into_owned())),
    })
}

fn regex_syntax_byte(byte: u8) -> bool {
    br"\.+*?()|[]{}^$".contains(&byte)
}

/// A glob of plain texts with `*` between them, at least one.
///
/// Each text between two stars is taken where it comes first. That decides: a later place can be reached only without
/// crossing a `/`, so what the first place leaves to the next star is free of `/` wherever the later one's rest is.
#[derive(Debug)]
pub struct Segments {
    first: Vec<u8>,
    middle: Vec<Finder<'static>>,
    last: Vec<u8>,
}

impl Segments {
    fn matches(&self, text: &[u8]) -> bool {
        let inside = text.strip_prefix(self.first.as_slice()).and_then(|rest| rest.strip_suffix(self.last.as_slice()));
        let Some(mut rest) = inside else { return false };
        let is_segment = |bytes: &[u8]| !bytes.contains(&b'/');
        for finder in &self.middle {
            let Some(at) = finder.find(rest).filter(|at| is_segment(&rest[..*at])) else { return false };
            rest = &rest[at + finder.needle().len()..];
        }
        is_segment(rest)
    }
}

/// A glob without classes and alternatives, whose stars are single, or double only at its end.
fn simple_glob(text: &str) -> Option<Matcher> {
    if text.bytes().any(|byte| br"?[]{}\".contains(&byte)) {
        return None;
    }
    if let Some(prefix) = text.strip_suffix("**").filter(|prefix| !prefix.contains('*')) {
        return Some(Matcher::Prefix(prefix.into()));
    }
    if text.contains("**") {
        return None;
    }
    let parts: Vec<&str> = text.split('*').collect();
    Some(match parts.as_slice() {
        [first, middle @ .., last] => Matcher::Segments(Box::new(Segments {
            first: first.as_bytes().to_vec(),
            middle: middle.iter().map(|part| Finder::new(part).into_owned()).collect(),
            last: last.as_bytes().to_vec(),
        })),
        _ => Matcher::Exact(text.into()),
    })
}

/// Translates a glob: `*`, `**`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`, and `\` before a character that stands for itself.
fn glob_regex(glob: &str) -> String {
    let mut regex = String::from(r"(?s)\A");
    let mut chars = glob.chars().peekable();
    let mut braces = 0usize;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                while chars.next_if_eq(&'*').is_some() {}
                regex.push_str(".*");
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => class(&mut chars, &mut regex),
            '{' => {
                braces += 1;
                regex.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                regex.push(')');
            }
            ',' if braces > 0 => regex.push('|'),
            '\\' => literal(chars.next().unwrap_or('\\'), &mut regex),
            other => literal(other, &mut regex),
        }
    }
    // A brace that is not closed ends with the glob.
    regex.push_str(&")".repeat(braces));
    regex.push_str(r"\z");
    regex
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, regex: &mut String) {
    let inside: String = chars.clone().take_while(|c| *c != ']').collect();
    if inside.is_empty() || chars.clone().count() == inside.chars().count() {
        // Not a class: no `]`, or nothing in it.
        regex.push_str(r"\[");
        return;
    }
    chars.nth(inside.chars().count());
    let (not, members) = inside.strip_prefix('!').map_or((false, inside.as_str()), |rest| (true, rest));
    regex.push_str(if not { "[^/" } else { "[" });
    for c in members.chars() {
        match c {
            '-' => regex.push('-'),
            other => literal(other, regex),
        }
    }
    regex.push(']');
}

fn literal(c: char, regex: &mut String) {
    regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn check(pattern: Pattern, yes: &[&str], no: &[&str]) {
        let matcher = Matcher::new(&pattern).unwrap();
        let plain = match &pattern {
            Pattern::Regex(text) => compile(text, text).unwrap(),
            Pattern::Glob(text) => compile(&glob_regex(text), text).unwrap(),
        };
        for (texts, expect) in [(yes, true), (no, false)] {
            for text in texts {
                assert_eq!(matcher.matches_bytes(text.as_bytes()), expect, "{pattern:?} on {text:?}");
                assert_eq!(plain.matches_bytes(text.as_bytes()), expect, "{pattern:?} as a regex on {text:?}");
                let Matcher::Regex(engine) = &plain else { panic!("{plain:?} is no regex") };
                assert_eq!(engine.regex.is_match(text.as_bytes()), expect, "{pattern:?} without a table on {text:?}");
            }
        }
    }

    #[test]
    fn a_star_stops_at_a_slash_and_two_do_not() {
        let glob = |text: &str| Pattern::Glob(text.into());
        check(glob("/orders/*"), &["/orders/1", "/orders/"], &["/orders/1/items", "/orders", "x/orders/1"]);
        check(glob("/orders/**"), &["/orders/1", "/orders/1/items"], &["/orders"]);
        check(glob("/*/items"), &["/1/items"], &["/1/2/items", "/1/itemsx"]);
        check(glob("a*b*c"), &["abc", "abbc", "abbcbc", "axbxc"], &["ab/bc", "abxb", "a/bc", "ac"]);
        check(glob("a*/b*c"), &["a/bc", "axx/bc"], &["a/bx/bc", "a/b/c"]);
        check(glob("a*a"), &["aa", "aba"], &["a", "a/a"]);
        check(glob("*"), &["", "x"], &["/"]);
        check(glob("/**/items"), &["/1/2/items"], &["/items"]);
        check(glob("*.{png,jpg}"), &["a.png", "b.jpg"], &["a.gif", "d/a.png"]);
        check(glob("v[0-9]?"), &["v1a", "v12"], &["va1", "v1/"]);
        check(glob("[!a]b"), &["xb"], &["ab", "/b"]);
        check(glob(r"a\*b"), &["a*b"], &["axb"]);
        check(glob("[x"), &["[x"], &["x"]);
        check(glob("{a,b"), &["a", "b"], &["c"]);
        check(glob("/a.b"), &["/a.b"], &["/axb"]);
        check(glob("***"), &["", "a/b"], &[]);
    }

    #[test]
    fn a_regex_is_unanchored_over_bytes() {
        let regex = |text: &str| Pattern::Regex(text.into());
        check(regex("ord"), &["order", "word"], &["or", "ORD"]);
        check(regex("^ord"), &["order"], &["word"]);
        check(regex("ord$"), &["word"], &["order", "word\n"]);
        check(regex("^ord$"), &["ord"], &["word"]);
        check(regex("^ORD-[0-9]{8}$"), &["ORD-12345678"], &["ORD-1234567"]);
        check(regex("a^b"), &[], &["a^b"]);
        check(regex(""), &["", "x"], &[]);
        let matcher = Matcher::new(&regex("a(?-u:.)b")).unwrap();
        assert!(matcher.matches(View::Str(b"a\xffb")));
        assert!(!matcher.matches(View::Int(1)) && !matcher.matches(View::Nil));
        let local = Matcher::new(&regex("^127[.]")).unwrap();
        assert!(local.matches(View::of(&Value::Ip([127, 0, 0, 1].into()))));
        assert!(!local.matches(View::of(&Value::Ip([10, 0, 0, 1].into()))));
    }
}
