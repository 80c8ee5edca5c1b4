//! The limits of a script's text, and the check of nesting that every later stage relies on.
//!
//! Everything after the scanner may recurse over brackets and operators: the pest parser, the lowering, the checker, the
//! compilers. So depth is bounded here, before any of them runs, in one linear pass. Numbers are far above what people
//! write and far below what a thread's stack holds in a debug build.

/// The longest line, in bytes.
pub const MAX_LINE_LEN_BYTES: usize = 1024 * 1024;
/// The longest top-level clause, in bytes.
pub const MAX_CLAUSE_LEN_BYTES: usize = 1024 * 1024;
/// The most brackets, `if` conditions and `? :` that may be open at one place.
pub const MAX_OPEN: usize = 64;
/// The tallest expression tree; a chain of `+` counts, a chain of `&&` or `||` only by its logarithm.
pub const MAX_TREE_DEPTH: usize = 200;
/// The most `*` and `[]` after a type.
pub const MAX_TYPE_SUFFIXES: usize = 16;

/// A bracket that is open, and what is pending directly inside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) bracket: u8,
    pub(super) at: usize,
    /// `if` words whose block has not been seen.
    ifs: usize,
    /// `?` whose `:` has not been seen.
    questions: usize,
}

/// Counts how deep the text is nested at the current place.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    stack: Vec<Open>,
    /// The sum of `ifs` and `questions` over the stack.
    pending: usize,
}

impl Nesting {
    /// Opens a bracket.
    pub(super) fn open(&mut self, bracket: u8, at: usize) {
        self.stack.push(Open { bracket, at, ifs: 0, questions: 0 });
    }

    /// Closes the innermost bracket and returns it.
    pub(super) fn close(&mut self) -> Option<Open> {
        let open = self.stack.pop()?;
        self.pending -= open.ifs + open.questions;
        if let (b'{', Some(outer)) = (open.bracket, self.stack.last_mut()) {
            let ends_if = usize::from(outer.ifs > 0);
            outer.ifs -= ends_if;
            self.pending -= ends_if;
        }
        Some(open)
    }

    /// Notes an operator or word that nests without a bracket, or that ends such a nesting.
    pub(super) fn note(&mut self, token: &[u8]) {
        let Some(top) = self.stack.last_mut() else {
            return;
        };
        let before = top.ifs + top.questions;
        match token {
            b"if" => top.ifs += 1,
            b"?" => top.questions += 1,
            b":" => top.questions = top.questions.saturating_sub(1),
            b";" => (top.ifs, top.questions) = (0, 0),
            _ => {}
        }
        self.pending = self.pending + top.ifs + top.questions - before;
    }

    /// Returns the innermost open bracket.
    pub(super) fn innermost(&self) -> Option<Open> {
        self.stack.last().copied()
    }

    /// Tells whether a bracket of this kind is open somewhere.
    pub(super) fn is_open(&self, bracket: u8) -> bool {
        self.stack.iter().any(|open| open.bracket == bracket)
    }

    /// Returns the number of open brackets.
    pub(super) fn brackets(&self) -> usize {
        self.stack.len()
    }

    /// Tells whether the limit is passed.
    pub(super) fn is_too_deep(&self) -> bool {
        self.stack.len() + self.pending > MAX_OPEN
    }

    /// Forgets everything: a new item begins.
    pub(super) fn reset(&mut self) {
        self.stack.clear();
        self.pending = 0;
    }
}

/// Tells whether a text without comments (a `#define`'s body) is nested past the limit.
pub(crate) fn nests_too_deep(text: &str) -> bool {
    let mut nesting = Nesting::default();
    nesting.open(b'(', 0);
    for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        nesting.note(word.trim_end_matches(|c: char| !c.is_alphanumeric()).as_bytes());
        match word.as_bytes().last() {
            Some(&b @ (b'(' | b'[' | b'{')) => nesting.open(b, 0),
            Some(b')' | b']' | b'}') => drop(nesting.close()),
            Some(b'?') => nesting.note(b"?"),
            _ => {}
        }
        if nesting.is_too_deep() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_words_count_until_they_are_closed() {
        let mut nesting = Nesting::default();
        nesting.open(b'{', 0);
        for _ in 0..MAX_OPEN * 2 {
            nesting.note(b"if");
            nesting.open(b'{', 0);
            nesting.close();
        }
        assert!(!nesting.is_too_deep());
        (0..MAX_OPEN).for_each(|_| nesting.note(b"?"));
        assert!(nesting.is_too_deep());
        nesting.note(b";");
        assert!(!nesting.is_too_deep());
    }

    #[test]
    fn a_deep_text_is_found() {
        assert!(nests_too_deep(&"(".repeat(MAX_OPEN + 1)));
        assert!(nests_too_deep(&"x ? ".repeat(MAX_OPEN + 1)));
        assert!(!nests_too_deep("(a) + (b) + c ? d : e"));
    }
}
