//! A YAML file in pieces: its documents, or the entries of its only map, each with where it stands.
//!
//! A file is read piece by piece, so that its size costs no memory. YAML allows it: `---` and `...` at the start of a line end a
//! document wherever they stand (YAML 1.2, section 9.1.4), and a line of a map at the file's edge that begins neither with a
//! blank nor with `#` begins a key.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::stamp::Hasher;
use crate::recording::yaml::MAX_DOCUMENT_LEN_BYTES;
use crate::recording::{Error, layout};

/// Where a file is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Documents,
    /// The keys of a map that is the file's only document.
    Keys,
}

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) offset: u64,
    /// Its first line, from 1.
    pub(crate) line: u32,
}

/// Reads the pieces of a file, which must have its end.
pub(crate) struct Scanner {
    path: PathBuf,
    cut: Cut,
    lines: BufReader<File>,
    /// The line that begins the next piece.
    ahead: Vec<u8>,
    offset: u64,
    line: u32,
    is_over: bool,
    hasher: Hasher,
}

impl Scanner {
    pub(crate) fn open(path: &Path, cut: Cut) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io(path))?;
        Ok(Scanner {
            path: path.to_owned(),
            cut,
            lines: BufReader::with_capacity(64 << 10, file),
            ahead: Vec::new(),
            offset: 0,
            line: 1,
            is_over: false,
            hasher: Hasher::default(),
        })
    }

    /// Reads the next piece; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let (offset, line) = (self.offset, self.line);
        let mut bytes = std::mem::take(&mut self.ahead);
        let mut has_content = self.pass(&bytes);
        let mut last = bytes.clone();
        loop {
            let mut next = Vec::new();
            self.lines.read_until(b'\n', &mut next).map_err(Error::io(&self.path))?;
            if next.is_empty() {
                self.is_over = true;
                break;
            }
            if has_content && begins(self.cut, &next) {
                self.ahead = next;
                break;
            }
            has_content |= self.pass(&next);
            bytes.extend_from_slice(&next);
            if bytes.len() as u64 > MAX_DOCUMENT_LEN_BYTES {
                return Err(self.damaged(line, format!("a document has more than {MAX_DOCUMENT_LEN_BYTES} bytes")));
            }
            if !is_blank(&next) {
                last = next;
            }
        }
        if self.is_over && last.trim_ascii_end() != layout::END.trim_end().as_bytes() {
            let at = (self.line - 1).max(1);
            return Err(self.damaged(at, "the file was cut: its last line is not `...`".into()));
        }
        if !has_content {
            return Ok(None);
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
            let lines = u32::try_from(before.filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX);
            self.damaged(line.saturating_add(lines), "the file is not UTF-8".into())
        })?;
        Ok(Some(Piece { text, offset, line }))
    }

    /// The length and the hash of what was read.
    pub(crate) fn content(self) -> (u64, u64) {
        (self.offset, self.hasher.finish())
    }

    /// Counts a line in. Says whether it has content of its own: a piece that has none yet does not end.
    fn pass(&mut self, line: &[u8]) -> bool {
        self.hasher.add(line);
        self.offset += line.len() as u64;
        self.line = self.line.saturating_add(u32::from(!line.is_empty()));
        let rest = line.strip_prefix(b"---").unwrap_or(line).trim_ascii_start();
        !rest.is_empty() && !rest.starts_with(b"#") && !rest.starts_with(b"%") && !is_mark(line, b"...")
    }

    fn damaged(&self, line: u32, reason: String) -> Error {
        Error::Damaged { file: self.path.clone(), line, reason }
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

/// Whether a line is `---` or `...`, with a blank or nothing after it.
fn is_mark(line: &[u8], mark: &[u8]) -> bool {
    line.strip_prefix(mark).is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace))
}

/// Whether a line ends the piece before it.
fn begins(cut: Cut, line: &[u8]) -> bool {
    match cut {
        Cut::Documents => is_mark(line, b"---") || is_mark(line, b"..."),
        Cut::Keys => line.first().is_some_and(|byte| *byte != b'#' && !byte.is_ascii_whitespace()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pieces(cut: Cut, text: &str) -> Result<Vec<(u32, u64, String)>, String> {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("f.yaml");
        std::fs::write(&path, text).unwrap();
        let mut scanner = Scanner::open(&path, cut).unwrap();
        let mut found = Vec::new();
        while let Some(Piece { text, offset, line }) = scanner.next().map_err(|error| match error {
            Error::Damaged { line, reason, .. } => format!("{line}: {reason}"),
            other => other.to_string(),
        })? {
            found.push((line, offset, text));
        }
        assert_eq!(scanner.content(), (text.len() as u64, Hasher::of(text.as_bytes())));
        Ok(found)
    }

    #[test]
    fn a_file_is_cut_between_its_documents() {
        let text = "# a\n---\nid: 1\ntext: |\n  ---\n--- # b\nid: 2\n...\n";
        let expect = [(1, 0, "# a\n---\nid: 1\ntext: |\n  ---\n".into()), (6, 28, "--- # b\nid: 2\n".to_owned())];
        assert_eq!(pieces(Cut::Documents, text).unwrap(), expect);
        let text = "a: {x: 1}\nb:\n  c: 2\n# of c\nd: 3\n...\n";
        let expect =
            [(1, 0, "a: {x: 1}\n".into()), (2, 10, "b:\n  c: 2\n# of c\n".into()), (5, 27, "d: 3\n".to_owned())];
        assert_eq!(pieces(Cut::Keys, text).unwrap(), expect);
    }

    #[test]
    fn a_file_without_its_end_or_its_encoding_is_damaged() {
        for (text, expect) in [
            ("", "1: the file was cut: its last line is not `...`"),
            ("a: 1\n", "1: the file was cut: its last line is not `...`"),
            ("---\na: 1\n---\nb: 2\nc", "5: the file was cut: its last line is not `...`"),
            ("---\na: 1\n...\n---\n", "4: the file was cut: its last line is not `...`"),
        ] {
            assert_eq!(pieces(Cut::Documents, text).unwrap_err(), expect, "{text}");
        }
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("f.yaml");
        std::fs::write(&path, b"---\na: 1\n---\nb: \xff\n...\n").unwrap();
        let mut scanner = Scanner::open(&path, Cut::Documents).unwrap();
        assert!(scanner.next().is_ok());
        assert!(scanner.next().unwrap_err().to_string().ends_with("f.yaml:4: the file is not UTF-8"));
    }
}
