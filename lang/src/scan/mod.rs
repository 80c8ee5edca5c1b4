//! The scanner: one linear pass that makes a text safe to parse, and finds its top-level items.
//!
//! It knows strings, comments, preprocessor lines and brackets, and nothing else of the grammar. It checks sizes and depth
//! (LANGUAGE.md, "Names and lexis"), reports what is wrong with brackets and strings, and cuts the file into items, so
//! that each is parsed alone and one broken clause never hides another.
//!
//! Its result is a *masked* copy of the text: as long as the original, with comments, preprocessor lines and the
//! branches not taken turned into spaces. So offsets stay true, and the grammar needs no rule for comments.

mod brackets;
mod clause;
mod items;
pub mod limits;
mod preprocess;

use std::ops::Range;

use crate::diagnostic::{Diagnostic, code};
use crate::span::{FileId, MAX_FILE_LEN_BYTES, Span};
use limits::{MAX_LINE_LEN_BYTES, Nesting};
use preprocess::Preprocessor;
pub use preprocess::RawDefine;

/// What some editors write before the text.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// What the scanner found in one file.
#[derive(Debug, Default)]
pub struct Scan {
    /// The text with all that is not code turned into spaces; same length, same offsets.
    pub masked: String,
    pub items: Vec<RawItem>,
    pub defines: Vec<RawDefine>,
    pub diagnostics: Vec<Diagnostic>,
}

/// A top-level item: where it is and what it begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawItem {
    pub kind: RawKind,
    pub range: Range<usize>,
}

/// What kind of item its first words announce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawKind {
    /// `header /predicate/ { body }`; the predicate's range is without its slashes, the body's with its braces.
    Clause {
        header: Range<usize>,
        predicate: Option<Range<usize>>,
        body: Range<usize>,
    },
    /// A clause whose body or predicate cannot be found; the offset is where it should have gone on.
    Headless {
        at: usize,
        in_predicate: bool,
    },
    Macro,
    Fn,
    MapDecl,
    Noise,
    Import,
    Config,
    /// A struct, union or enum.
    CDef,
    Typedef,
}

/// Scans one file.
pub fn scan(text: &str, file: FileId) -> Scan {
    if let Some(diagnostic) = too_large(text, file) {
        return Scan { diagnostics: vec![diagnostic], ..Scan::default() };
    }
    let mut scanner = Scanner::new(text, file);
    scanner.run();
    scanner.finish()
}

fn too_large(text: &str, file: FileId) -> Option<Diagnostic> {
    if text.len() > MAX_FILE_LEN_BYTES {
        let message = format!("this file has {} bytes, and the limit is {MAX_FILE_LEN_BYTES}", text.len());
        return Some(Diagnostic::new(code::TOO_LARGE, Span::point(file, 0), message));
    }
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]) {
        if end - start > MAX_LINE_LEN_BYTES {
            let message = format!("this line has {} bytes, and the limit is {MAX_LINE_LEN_BYTES}", end - start);
            let diagnostic = Diagnostic::new(code::TOO_LARGE, Span::point(file, start), message);
            return Some(diagnostic.hint("break the line, or read the data from elsewhere"));
        }
        start = end + 1;
    }
    None
}

/// The state of the pass. `broken` means that a fault of the current item was reported already.
struct Scanner<'a> {
    text: &'a str,
    file: FileId,
    /// The text with what was passed over turned into spaces; not yet different after `pos`. The scanner reads this and
    /// not `text`, so that going back to an item meets no comment or preprocessor line a second time.
    masked: Vec<u8>,
    pos: usize,
    nesting: Nesting,
    item_start: Option<usize>,
    /// What the current item is, once a bracket of it was closed at the top level.
    item_kind: Option<RawKind>,
    broken: bool,
    recoveries: usize,
    /// Faults of comments and preprocessor lines, which are met once even where an item is scanned again.
    once: Vec<Diagnostic>,
    /// Where the last unclosed string was cut.
    string_cut_at: Option<usize>,
    preprocessor: Preprocessor,
    scan: Scan,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str, file: FileId) -> Self {
        Scanner {
            text,
            file,
            masked: text.as_bytes().to_vec(),
            pos: 0,
            nesting: Nesting::default(),
            item_start: None,
            item_kind: None,
            broken: false,
            recoveries: 0,
            once: Vec::new(),
            string_cut_at: None,
            preprocessor: Preprocessor::default(),
            scan: Scan::default(),
        }
    }

    fn run(&mut self) {
        if self.text.starts_with(BYTE_ORDER_MARK) {
            self.mask_to(BYTE_ORDER_MARK.len_utf8());
        }
        if self.masked[self.pos..].starts_with(b"#!") {
            self.mask_to(self.line_end(0));
        }
        loop {
            while self.pos < self.masked.len() {
                self.step();
            }
            self.end_of_file();
            if self.pos >= self.masked.len() {
                break;
            }
        }
        let left_open = self.preprocessor.left_open();
        for at in left_open {
            let span = Span::new(self.file, at, self.line_end(at));
            let diagnostic = Diagnostic::new(code::PREPROCESSOR, span, "this condition is never closed");
            self.once.push(diagnostic.hint("add `#endif`"));
        }
    }

    fn finish(mut self) -> Scan {
        let text = String::from_utf8(std::mem::take(&mut self.masked));
        self.scan.masked = text.unwrap_or_else(|_| self.text.to_owned());
        self.scan.diagnostics.append(&mut self.once);
        self.scan.defines = self.preprocessor.into_defines();
        self.scan
    }

    /// Consumes one token, or one run of text that means nothing here.
    fn step(&mut self) {
        let byte = self.masked[self.pos];
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => self.pos += 1,
            b'#' if self.is_first_on_line() => self.directive(),
            b'/' if self.masked[self.pos..].starts_with(b"//") => self.mask_to(self.line_end(self.pos)),
            b'/' if self.masked[self.pos..].starts_with(b"/*") => self.block_comment(),
            _ => {
                self.item_start.get_or_insert(self.pos);
                self.token(byte);
            }
        }
    }

    fn token(&mut self, byte: u8) {
        match byte {
            b'"' => self.string(),
            b'(' | b'[' | b'{' => self.open(byte),
            b')' | b']' | b'}' => self.close(byte),
            b';' => {
                self.nesting.note(b";");
                self.pos += 1;
                if self.nesting.brackets() == 0 {
                    self.end_item(self.pos);
                }
            }
            b'?' | b':' => {
                self.nesting.note(&[byte]);
                self.pos += 1;
                self.check_depth(self.pos - 1);
            }
            _ if byte.is_ascii_alphanumeric() || byte == b'_' => self.word(),
            _ => self.pos += 1,
        }
    }

    fn word(&mut self) {
        let start = self.pos;
        while self.masked.get(self.pos).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_') {
            self.pos += 1;
        }
        let is_plain = start == 0 || !matches!(self.masked[start - 1], b'.' | b'$' | b'@' | b'>');
        if is_plain && &self.masked[start..self.pos] == b"if" {
            self.nesting.note(b"if");
            self.check_depth(start);
        }
    }

    fn string(&mut self) {
        let start = self.pos;
        self.pos += 1;
        while let Some(&byte) = self.masked.get(self.pos) {
            match byte {
                b'"' => {
                    self.pos += 1;
                    return;
                }
                b'\\' if self.pos + 1 < self.masked.len() => self.pos += 2,
                b'\n' => break,
                _ => self.pos += 1,
            }
        }
        self.pos = self.pos.min(self.masked.len());
        self.broken = true;
        let cut_before = self.string_cut_at.replace(self.pos);
        if cut_before.is_some_and(|cut| self.line_end((cut + 1).min(start)) == self.pos) {
            // The quote that should have closed the string of the line above.
            return;
        }
        let span = Span::new(self.file, start, self.pos);
        let diagnostic = Diagnostic::new(code::UNCLOSED, span, "this string is not closed on its line");
        self.report(diagnostic.label("opened here").hint("add `\"`; write a line end inside a string as `\\n`"));
    }

    fn block_comment(&mut self) {
        let start = self.pos;
        match memchr::memmem::find(&self.masked[start + 2..], b"*/") {
            Some(len) => self.mask_to(start + 2 + len + 2),
            None => {
                let span = Span::new(self.file, start, start + 2);
                let diagnostic = Diagnostic::new(code::UNCLOSED, span, "this comment is never closed");
                self.once.push(diagnostic.label("opened here").hint("add `*/`"));
                self.broken = true;
                self.mask_to(self.masked.len());
            }
        }
    }

    fn directive(&mut self) {
        let start = self.pos;
        let mut end = self.line_end(start);
        while end < self.masked.len() && self.masked[..end].trim_ascii_end().ends_with(b"\\") {
            end = self.line_end(end + 1);
        }
        let faults = self.preprocessor.line(&self.text[start..end], start, self.file);
        self.once.extend(faults);
        self.mask_to(end);
        while !self.preprocessor.is_active() && self.pos < self.masked.len() {
            let end = (self.line_end(self.pos) + 1).min(self.masked.len());
            if self.masked[self.pos..end].trim_ascii_start().starts_with(b"#") {
                self.pos += self.masked[self.pos..end].len() - self.masked[self.pos..end].trim_ascii_start().len();
                return;
            }
            self.mask_to(end);
        }
    }

    /// Adds a fault.
    fn report(&mut self, diagnostic: Diagnostic) {
        self.scan.diagnostics.push(diagnostic);
    }

    /// Turns everything up to `end` into spaces, but for line ends, and goes there.
    fn mask_to(&mut self, end: usize) {
        self.masked[self.pos..end].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
        self.pos = end;
    }

    fn line_end(&self, from: usize) -> usize {
        memchr::memchr(b'\n', &self.masked[from..]).map_or(self.masked.len(), |len| from + len)
    }

    fn is_first_on_line(&self) -> bool {
        let before = &self.masked[..self.pos];
        before.iter().rev().find(|b| !matches!(b, b' ' | b'\t' | b'\r')).is_none_or(|b| *b == b'\n')
    }
}
