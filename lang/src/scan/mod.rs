//! The scanner: one linear pass that makes a text safe to parse, and finds its top-level items.
//!
//! It knows strings, comments, preprocessor lines and brackets, and nothing else of the grammar. It checks sizes and depth
//! (LANGUAGE.md, "Names and lexis"), reports what is wrong with brackets and strings, and cuts the file into items, so
//! that each is parsed alone and one broken clause never hides another.
//!
//! Its result is a *masked* copy of the text: as long as the original, with comments, preprocessor lines and the
//! branches not taken turned into spaces. So offsets stay true, and the grammar needs no rule for comments.

mod clause;
pub mod limits;
mod preprocess;

use std::ops::Range;

use crate::diagnostic::{Diagnostic, code};
use crate::span::{FileId, MAX_FILE_LEN_BYTES, Span};
use limits::{MAX_CLAUSE_LEN_BYTES, MAX_LINE_LEN_BYTES, MAX_OPEN, Nesting};
use preprocess::Preprocessor;
pub use preprocess::RawDefine;

/// The most times that the scanner guesses where a clause without its `}` was meant to end.
const MAX_RECOVERIES: usize = 20;

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
        return Scan {
            diagnostics: vec![diagnostic],
            ..Scan::default()
        };
    }
    let mut scanner = Scanner::new(text, file);
    scanner.run();
    scanner.finish()
}

fn too_large(text: &str, file: FileId) -> Option<Diagnostic> {
    if text.len() > MAX_FILE_LEN_BYTES {
        let message = format!(
            "this file has {} bytes, and the limit is {MAX_FILE_LEN_BYTES}",
            text.len()
        );
        return Some(Diagnostic::new(
            code::TOO_LARGE,
            Span::point(file, 0),
            message,
        ));
    }
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]) {
        if end - start > MAX_LINE_LEN_BYTES {
            let message = format!(
                "this line has {} bytes, and the limit is {MAX_LINE_LEN_BYTES}",
                end - start
            );
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
    bytes: &'a [u8],
    file: FileId,
    masked: Vec<u8>,
    pos: usize,
    nesting: Nesting,
    item_start: Option<usize>,
    /// What the current item is, once a bracket of it was closed at the top level.
    item_kind: Option<RawKind>,
    broken: bool,
    recoveries: usize,
    preprocessor: Preprocessor,
    scan: Scan,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str, file: FileId) -> Self {
        Scanner {
            text,
            bytes: text.as_bytes(),
            file,
            masked: text.as_bytes().to_vec(),
            pos: 0,
            nesting: Nesting::default(),
            item_start: None,
            item_kind: None,
            broken: false,
            recoveries: 0,
            preprocessor: Preprocessor::default(),
            scan: Scan::default(),
        }
    }

    fn run(&mut self) {
        if self.bytes.starts_with(b"#!") {
            self.mask_to(self.line_end(0));
        }
        loop {
            while self.pos < self.bytes.len() {
                self.step();
            }
            if !self.recover_at_end() {
                break;
            }
        }
        let left_open = self.preprocessor.left_open();
        for at in left_open {
            let span = Span::new(self.file, at, self.line_end(at));
            let diagnostic =
                Diagnostic::new(code::PREPROCESSOR, span, "this condition is never closed");
            self.report(diagnostic.hint("add `#endif`"));
        }
    }

    fn finish(mut self) -> Scan {
        let text = String::from_utf8(std::mem::take(&mut self.masked));
        self.scan.masked =
            text.unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        self.scan.defines = self.preprocessor.into_defines();
        self.scan
    }

    /// Consumes one token, or one run of text that means nothing here.
    fn step(&mut self) {
        let byte = self.bytes[self.pos];
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => self.pos += 1,
            b'#' if self.is_first_on_line() => self.directive(),
            b'/' if self.bytes[self.pos..].starts_with(b"//") => {
                self.mask_to(self.line_end(self.pos))
            }
            b'/' if self.bytes[self.pos..].starts_with(b"/*") => self.block_comment(),
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
        while self
            .bytes
            .get(self.pos)
            .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
        {
            self.pos += 1;
        }
        let is_plain = start == 0 || !matches!(self.bytes[start - 1], b'.' | b'$' | b'@' | b'>');
        if is_plain && &self.bytes[start..self.pos] == b"if" {
            self.nesting.note(b"if");
            self.check_depth(start);
        }
    }

    fn string(&mut self) {
        let start = self.pos;
        self.pos += 1;
        while let Some(&byte) = self.bytes.get(self.pos) {
            match byte {
                b'"' => {
                    self.pos += 1;
                    return;
                }
                b'\\' if self.pos + 1 < self.bytes.len() => self.pos += 2,
                b'\n' => break,
                _ => self.pos += 1,
            }
        }
        self.pos = self.pos.min(self.bytes.len());
        let span = Span::new(self.file, start, self.pos);
        let diagnostic = Diagnostic::new(
            code::UNCLOSED,
            span,
            "this string is not closed on its line",
        );
        self.report(
            diagnostic
                .label("opened here")
                .hint("add `\"`; write a line end inside a string as `\\n`"),
        );
        self.broken = true;
    }

    fn block_comment(&mut self) {
        let start = self.pos;
        match memchr::memmem::find(&self.bytes[start + 2..], b"*/") {
            Some(len) => self.mask_to(start + 2 + len + 2),
            None => {
                let span = Span::new(self.file, start, start + 2);
                let diagnostic =
                    Diagnostic::new(code::UNCLOSED, span, "this comment is never closed");
                self.report(diagnostic.label("opened here").hint("add `*/`"));
                self.broken = true;
                self.mask_to(self.bytes.len());
            }
        }
    }

    fn open(&mut self, bracket: u8) {
        self.nesting.open(bracket, self.pos);
        self.check_depth(self.pos);
        self.pos += 1;
    }

    fn check_depth(&mut self, at: usize) {
        if self.broken || !self.nesting.is_too_deep() {
            return;
        }
        let message = format!("more than {MAX_OPEN} brackets, conditions and `?` are open here");
        let diagnostic = Diagnostic::new(code::TOO_DEEP, Span::new(self.file, at, at + 1), message);
        self.report(diagnostic.hint("name a part of it with `let $x = ...;`"));
        self.broken = true;
    }

    fn close(&mut self, bracket: u8) {
        let wanted = opening(bracket);
        self.drop_unclosed(bracket, wanted);
        if self
            .nesting
            .innermost()
            .is_some_and(|open| open.bracket == wanted)
        {
            self.nesting.close();
        } else {
            self.report_unmatched(bracket);
        }
        self.pos += 1;
        let is_top = self.nesting.brackets() == 0;
        // An attribute's `)` ends a struct whose `}` is behind; `item_kind` is set by that `}`.
        let may_end = bracket == b'}' || (bracket == b')' && self.item_kind == Some(RawKind::CDef));
        if is_top && may_end && !self.goes_on() {
            self.end_item(self.pos);
        }
    }

    /// Takes back brackets that a closing one of another kind shows to be unclosed: `}` ends any `(`.
    fn drop_unclosed(&mut self, bracket: u8, wanted: u8) {
        while let Some(open) = self.nesting.innermost() {
            let is_inner =
                open.bracket != wanted && self.nesting.is_open(wanted) && open.bracket != b'{';
            if !is_inner {
                return;
            }
            self.nesting.close();
            if !self.broken {
                let here = Span::new(self.file, self.pos, self.pos + 1);
                let (closer, found) = (closing(open.bracket) as char, bracket as char);
                let diagnostic = Diagnostic::expected(
                    code::UNCLOSED,
                    here,
                    format!("`{closer}`"),
                    format!("`{found}`"),
                )
                .secondary(Span::new(self.file, open.at, open.at + 1), "opened here")
                .hint(format!("close it with `{closer}`"));
                self.report(diagnostic);
                self.broken = true;
            }
        }
    }

    fn report_unmatched(&mut self, bracket: u8) {
        if self.broken {
            return;
        }
        let here = Span::new(self.file, self.pos, self.pos + 1);
        let message = format!("`{}` closes nothing", bracket as char);
        self.report(
            Diagnostic::new(code::UNMATCHED, here, message)
                .hint("remove it, or open a bracket before it"),
        );
        if self.item_start == Some(self.pos) {
            // Nothing but the bracket: the next item is whole.
            self.masked[self.pos] = b' ';
            self.item_start = None;
        } else {
            self.broken = true;
        }
    }

    /// Tells whether the current item goes on after a closing bracket: to its `;`, to a struct's attributes, or because
    /// the brace ended a block expression in a predicate.
    fn goes_on(&mut self) -> bool {
        let Some(start) = self.item_start else {
            return false;
        };
        let kind = self
            .item_kind
            .get_or_insert_with(|| clause::kind(&self.masked, start));
        let rest = clause::after_comments(&self.bytes[self.pos..]);
        match kind {
            RawKind::Noise | RawKind::MapDecl | RawKind::Typedef => true,
            RawKind::CDef => rest.starts_with(b"__"),
            RawKind::Headless { .. } => rest
                .first()
                .is_some_and(|first| b"/&|=!<>+-%?^".contains(first)),
            _ => false,
        }
    }

    fn end_item(&mut self, end: usize) {
        let Some(start) = self.item_start.take() else {
            return;
        };
        self.nesting.reset();
        self.item_kind = None;
        let broken = std::mem::take(&mut self.broken);
        if broken || self.masked[start..end] == *b";" {
            return;
        }
        if end - start > MAX_CLAUSE_LEN_BYTES {
            let message = format!(
                "this clause has {} bytes, and the limit is {MAX_CLAUSE_LEN_BYTES}",
                end - start
            );
            self.report(Diagnostic::new(
                code::TOO_LARGE,
                Span::new(self.file, start, start + 1),
                message,
            ));
            return;
        }
        let kind = match clause::kind(&self.masked, start) {
            RawKind::Headless { .. } => clause::split(&self.masked, start..end),
            kind => kind,
        };
        self.scan.items.push(RawItem {
            kind,
            range: start..end,
        });
    }

    /// Ends the item that reaches the end of the file. Where its `}` is missing, guesses where the next one begins, goes
    /// back there, and returns true.
    fn recover_at_end(&mut self) -> bool {
        let Some(start) = self.item_start else {
            return false;
        };
        let Some(open) = self.nesting.innermost() else {
            let end = self.masked.trim_ascii_end().len();
            self.end_item(end);
            return false;
        };
        let next = clause::next_item_line(&self.masked, open.at)
            .filter(|_| self.recoveries < MAX_RECOVERIES);
        if !self.broken {
            let closer = closing(open.bracket) as char;
            let found = if next.is_some() {
                "the next clause"
            } else {
                "the end of the file"
            };
            let end = self.masked[..next.unwrap_or(self.bytes.len())]
                .trim_ascii_end()
                .len()
                .max(open.at + 1);
            let diagnostic = Diagnostic::expected(
                code::UNCLOSED,
                Span::point(self.file, end),
                format!("`{closer}`"),
                found,
            )
            .secondary(Span::new(self.file, open.at, open.at + 1), "opened here")
            .hint(format!("close it with `{closer}`"));
            self.report(diagnostic);
            self.broken = true;
        }
        self.end_item(start);
        let Some(next) = next else { return false };
        self.recoveries += 1;
        self.pos = next;
        true
    }

    fn directive(&mut self) {
        let start = self.pos;
        let mut end = self.line_end(start);
        while end < self.bytes.len() && self.bytes[..end].trim_ascii_end().ends_with(b"\\") {
            end = self.line_end(end + 1);
        }
        let faults = self
            .preprocessor
            .line(&self.text[start..end], start, self.file);
        faults.into_iter().for_each(|fault| self.report(fault));
        self.mask_to(end);
        while !self.preprocessor.is_active() && self.pos < self.bytes.len() {
            let end = (self.line_end(self.pos) + 1).min(self.bytes.len());
            if self.bytes[self.pos..end]
                .trim_ascii_start()
                .starts_with(b"#")
            {
                self.pos += self.bytes[self.pos..end].len()
                    - self.bytes[self.pos..end].trim_ascii_start().len();
                return;
            }
            self.mask_to(end);
        }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.scan.diagnostics.push(diagnostic);
    }

    /// Turns everything up to `end` into spaces, but for line ends, and goes there.
    fn mask_to(&mut self, end: usize) {
        self.masked[self.pos..end]
            .iter_mut()
            .filter(|b| **b != b'\n')
            .for_each(|b| *b = b' ');
        self.pos = end;
    }

    fn line_end(&self, from: usize) -> usize {
        memchr::memchr(b'\n', &self.bytes[from..]).map_or(self.bytes.len(), |len| from + len)
    }

    fn is_first_on_line(&self) -> bool {
        let before = &self.masked[..self.pos];
        before
            .iter()
            .rev()
            .find(|b| !matches!(b, b' ' | b'\t' | b'\r'))
            .is_none_or(|b| *b == b'\n')
    }
}

fn opening(bracket: u8) -> u8 {
    match bracket {
        b')' => b'(',
        b']' => b'[',
        _ => b'{',
    }
}

fn closing(bracket: u8) -> u8 {
    match bracket {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}
