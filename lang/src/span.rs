//! Where a piece of a script stands: files, byte offsets, lines and columns.
//!
//! A program may come from several sources (`-r a.rr -r b.rr`, `-e TEXT`, standard input), so a span names its file. A
//! `Span` is `Copy` and twelve bytes: every node of every tree carries one, down to the instructions that the compiler
//! emits, so that a verifier's complaint can be shown on the script. Offsets are bytes into the file's text, half open.
//! Invariant: `start <= end`, and a file is at most `MAX_FILE_LEN_BYTES` long, so that a u32 holds every offset.

use std::fmt;
use std::ops::Range;

/// The longest source text that is accepted, in bytes. A script is written by hand; this is a guard, not a budget.
pub const MAX_FILE_LEN_BYTES: usize = 64 * 1024 * 1024;

/// Names one source of a [`SourceMap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file{}", self.0)
    }
}

/// A half-open range of bytes in one file.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// Makes the span of bytes `start..end` of a file; offsets past u32 are clamped.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { file, start: clamp(start), end: clamp(end.max(start)) }
    }

    /// Makes an empty span at one offset: the place *before* which something is missing.
    pub fn point(file: FileId, at: usize) -> Self {
        Span::new(file, at, at)
    }

    /// Returns the smallest span that covers both; spans of different files give `self`.
    pub fn to(self, other: Span) -> Span {
        if self.file != other.file {
            return self;
        }
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Returns the bytes that the span covers.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Tells whether the span covers nothing.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Returns the length in bytes.
    pub fn len(self) -> usize {
        self.range().len()
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}..{}", self.file.0, self.start, self.end)
    }
}

/// A value and where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

/// A position for people: both numbers start at 1, and the column counts characters, not bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    pub line: usize,
    pub column: usize,
}

/// One source text, with the name that messages call it by.
#[derive(Debug)]
pub struct SourceFile {
    name: String,
    text: String,
    /// The offset of each line's first byte.
    line_starts: Vec<u32>,
}

impl SourceFile {
    fn new(name: String, text: String) -> Self {
        let mut line_starts = vec![0];
        line_starts.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|i| i as u32 + 1));
        SourceFile { name, text, line_starts }
    }

    /// Returns the name shown in messages: a path, `<arg>` for `-e`, or `stdin`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns line and column of a byte offset; an offset past the end gives the end.
    pub fn line_column(&self, offset: u32) -> LineColumn {
        let offset = offset.min(self.text.len() as u32);
        let line = self.line_starts.partition_point(|&start| start <= offset).max(1);
        let start = self.line_starts[line - 1] as usize;
        let prefix = &self.text.as_bytes()[start..offset as usize];
        // Continuation bytes of UTF-8 are not characters of their own.
        let column = prefix.iter().filter(|&&b| b & 0xc0 != 0x80).count() + 1;
        LineColumn { line, column }
    }

    /// Returns a line's text without its end; lines start at 1.
    pub fn line(&self, line: usize) -> Option<&str> {
        let start = *self.line_starts.get(line.checked_sub(1)?)? as usize;
        let end = self.line_starts.get(line).map_or(self.text.len(), |&next| next as usize - 1);
        self.text.get(start..end)
    }
}

/// All sources of one program, by [`FileId`].
#[derive(Debug, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

/// The name of text given with `-e`.
pub const ARGUMENT_NAME: &str = "<arg>";
/// The name of text read from standard input.
pub const STDIN_NAME: &str = "stdin";

impl SourceMap {
    /// Makes an empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a map of one source, and returns its id too: what tests and one-liners want.
    pub fn single(name: impl Into<String>, text: impl Into<String>) -> (Self, FileId) {
        let mut map = Self::new();
        let file = map.add(name, text);
        (map, file)
    }

    /// Adds a source. A text over [`MAX_FILE_LEN_BYTES`] is kept, and refused by the parser with a diagnostic.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let id = FileId(self.files.len() as u32);
        self.files.push(SourceFile::new(name.into(), text.into()));
        id
    }

    /// Returns a file, or `None` for an id of another map.
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// Returns all ids in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..self.files.len() as u32).map(FileId)
    }

    /// Returns the text of a span, empty where the span does not fit.
    pub fn text(&self, span: Span) -> &str {
        self.file(span.file).and_then(|f| f.text.get(span.range())).unwrap_or("")
    }

    /// Returns `name:line:column` of a span's start.
    pub fn place(&self, span: Span) -> String {
        match self.file(span.file) {
            Some(file) => {
                let at = file.line_column(span.start);
                format!("{}:{}:{}", file.name, at.line, at.column)
            }
            None => "<unknown>".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn columns_count_characters() {
        let (map, file) = SourceMap::single("x.rr", "äb\ncd");
        let source = map.file(file).unwrap();
        assert_eq!(source.line_column(2), LineColumn { line: 1, column: 2 });
        assert_eq!(source.line_column(4), LineColumn { line: 2, column: 1 });
        assert_eq!(source.line_column(99), LineColumn { line: 2, column: 3 });
        assert_eq!(source.line(1), Some("äb"));
        assert_eq!(source.line(2), Some("cd"));
        assert_eq!(source.line(3), None);
        assert_eq!(map.place(Span::new(file, 4, 5)), "x.rr:2:1");
    }

    #[test]
    fn a_span_joins_only_within_its_file() {
        let a = Span::new(FileId(0), 3, 5);
        assert_eq!(a.to(Span::new(FileId(0), 1, 4)), Span::new(FileId(0), 1, 5));
        assert_eq!(a.to(Span::new(FileId(1), 1, 4)), a);
    }
}
