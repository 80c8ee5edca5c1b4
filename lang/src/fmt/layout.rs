//! Lines: where they break, and how far they are indented.
//!
//! What fits on one line and was not broken by its author stands on one. A line that is too long is broken where it binds least:
//! behind `=`, before `?` and `:`, before `||`, before `&&`, behind commas, inside its longest bracket, before other operators.

use super::token::{Kind, Token};
use super::tree::{Block, Entry, EntryKind, Part};
use super::{INDENT, MAX_WIDTH, space};

/// Lays out a file.
pub(super) fn lines(entries: &[Entry<'_>]) -> String {
    let mut out = Out::default();
    out.entries(entries, 0);
    if !out.text.is_empty() {
        out.text.push('\n');
    }
    out.text
}

#[derive(Default)]
struct Out {
    text: String,
    /// The length of the last line, in characters.
    column: usize,
}

/// Operators before which a line breaks, by how little they bind; all of a group at once.
const LOGICAL: [&[&str]; 3] = [&["?", ":", "?:"], &["||"], &["&&"]];
/// Operators that end the left side.
const ASSIGN: [&str; 11] = ["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="];
/// Operators before which a line breaks as a last resort.
const OTHER: [&str; 18] =
    ["|", "^", "&", "==", "!=", "=~", "!~", "<", "<=", ">", ">=", "<<", ">>", "+", "-", "*", "/", "%"];

impl Out {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        match text.rsplit_once('\n') {
            Some((_, last)) => self.column = last.chars().count(),
            None => self.column += text.chars().count(),
        }
    }

    fn new_line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.push_str(&" ".repeat(indent));
        self.column = indent;
    }

    fn entries(&mut self, entries: &[Entry<'_>], indent: usize) {
        for entry in entries {
            if let EntryKind::Comment { text, is_trailing: true } = entry.kind {
                self.push(" ");
                self.push(text);
                continue;
            }
            if entry.has_blank {
                self.text.push('\n');
            }
            let indent = if matches!(entry.kind, EntryKind::Verbatim(_)) { 0 } else { indent };
            if !self.text.is_empty() {
                self.new_line(indent);
            }
            match &entry.kind {
                EntryKind::Comment { text, .. } | EntryKind::Verbatim(text) => self.push(text),
                EntryKind::Stmt(parts) => self.stmt(parts, indent),
            }
        }
    }

    fn stmt(&mut self, parts: &[Part<'_>], indent: usize) {
        if let Some(flat) = flat_parts(parts)
            && indent + width(&flat) <= MAX_WIDTH
        {
            return self.push(&flat);
        }
        for (index, part) in parts.iter().enumerate() {
            let is_block_next = matches!(parts.get(index + 1), Some(Part::Block(_)));
            let tail = if is_block_next { " {".len() } else { 0 };
            let is_first = index == 0 || self.column == indent;
            match part {
                Part::Seq(tokens) => {
                    if !is_first && stands_apart(tokens) {
                        self.push(" ");
                    }
                    self.seq(tokens, indent + INDENT, tail);
                }
                Part::Headers { tokens, is_broken } => self.headers(tokens, *is_broken, indent),
                Part::Predicate(tokens) => {
                    if self.column + " ".len() + width(&flat(tokens)) + tail <= MAX_WIDTH {
                        self.push(" ");
                    } else {
                        self.new_line(indent);
                    }
                    self.seq(tokens, indent + INDENT, tail);
                }
                Part::Raw { text, ends_in_line_comment } => {
                    if !is_first {
                        self.push(" ");
                    }
                    self.push(text);
                    if *ends_in_line_comment {
                        self.new_line(indent);
                    }
                }
                Part::Block(block) => {
                    if !is_first {
                        self.push(" ");
                    }
                    self.block(block, indent);
                }
            }
        }
    }

    fn headers(&mut self, tokens: &[Token<'_>], is_broken: bool, indent: usize) {
        let flat = flat(tokens);
        if !is_broken && self.column + width(&flat) + " {".len() <= MAX_WIDTH {
            return self.push(&flat);
        }
        for (index, token) in tokens.iter().enumerate() {
            if token.kind == Kind::Header && index > 0 {
                self.new_line(indent);
            }
            self.push(token.text);
        }
    }

    fn block(&mut self, block: &Block<'_>, indent: usize) {
        if block.entries.is_empty() {
            return self.push("{ }");
        }
        self.push("{");
        self.entries(&block.entries, indent + INDENT);
        self.new_line(indent);
        self.push("}");
    }

    /// Writes tokens from the current column on; lines after the first begin at `indent`, and `tail` characters follow the last.
    fn seq(&mut self, tokens: &[Token<'_>], indent: usize, tail: usize) {
        if self.column + width(&flat(tokens)) + tail <= MAX_WIDTH {
            return self.push(&flat(tokens));
        }
        let top = top_level(tokens);
        if let Some(at) = top.iter().copied().find(|&at| ASSIGN.iter().any(|sign| tokens[at].is(sign))) {
            return self.assignment(tokens, at, indent, tail);
        }
        for signs in LOGICAL {
            let breaks: Vec<usize> =
                top.iter().copied().filter(|&at| at > 0 && signs.iter().any(|sign| tokens[at].is(sign))).collect();
            // A `:` alone names an argument, or a type.
            if breaks.iter().any(|&at| !tokens[at].is(":")) {
                return self.before_each(tokens, &breaks, indent, tail);
            }
        }
        // A line that ends in a comma is not broken there.
        let commas = top.iter().map(|at| at + 1).filter(|&after| after < tokens.len() && tokens[after - 1].is(","));
        let commas: Vec<usize> = commas.collect();
        if !commas.is_empty() {
            return self.filled(tokens, &commas, indent, tail);
        }
        if let Some((open, close)) = longest_bracket(tokens) {
            self.push(&flat(&tokens[..=open]));
            let after = &tokens[close..];
            self.seq(&tokens[open + 1..close], indent, width(&flat(after)).min(MAX_WIDTH / 2) + tail);
            return self.seq(after, indent, tail);
        }
        let operators: Vec<usize> = top
            .into_iter()
            .filter(|&at| at > 0 && tokens[at].is_apart && OTHER.iter().any(|s| tokens[at].is(s)))
            .collect();
        // A sign before its operand is apart too, and the operand is not apart from it.
        let infix: Vec<usize> =
            operators.into_iter().filter(|&at| tokens.get(at + 1).is_some_and(|t| t.is_apart)).collect();
        if infix.is_empty() { self.push(&flat(tokens)) } else { self.filled(tokens, &infix, indent, tail) }
    }

    /// `target =`, and the value on a line of its own, if that helps: it fits there, has to be broken at an operator anyhow, or
    /// cannot be broken at all.
    fn assignment(&mut self, tokens: &[Token<'_>], at: usize, indent: usize, tail: usize) {
        let (target, value) = tokens.split_at(at + 1);
        self.push(&flat(target));
        let is_sign = |at: &usize, signs: &[&str]| signs.iter().any(|sign| value[*at].is(sign));
        let top = top_level(value);
        let is_logical = top.iter().any(|at| LOGICAL.iter().any(|signs| is_sign(at, signs)));
        let is_solid = longest_bracket(value).is_none() && !top.iter().any(|at| is_sign(at, &[","]));
        let fits = indent + width(&flat(value)) + tail <= MAX_WIDTH;
        if self.column <= MAX_WIDTH && (is_logical || is_solid || fits) {
            self.new_line(indent);
            self.seq(value, indent + INDENT, tail);
        } else {
            self.push(" ");
            self.seq(value, indent, tail);
        }
    }

    fn before_each(&mut self, tokens: &[Token<'_>], breaks: &[usize], indent: usize, tail: usize) {
        let mut from = 0;
        for &at in breaks.iter().chain([&tokens.len()]) {
            if from > 0 {
                self.new_line(indent);
            }
            let tail = if at == tokens.len() { tail } else { 0 };
            self.seq(&tokens[from..at], indent + INDENT, tail);
            from = at;
        }
    }

    /// As many pieces on each line as fit.
    fn filled(&mut self, tokens: &[Token<'_>], breaks: &[usize], indent: usize, tail: usize) {
        let mut from = 0;
        for &at in breaks.iter().chain([&tokens.len()]).filter(|&&at| at <= tokens.len()) {
            let piece = &tokens[from..at];
            if piece.is_empty() {
                continue;
            }
            let tail = if at == tokens.len() { tail } else { 0 };
            let len = width(&flat(piece)) + tail;
            let gap = usize::from(from > 0 && piece[0].is_apart);
            if from > 0 && self.column + gap + len > MAX_WIDTH && indent + len <= MAX_WIDTH && self.column > indent {
                self.new_line(indent);
            } else if gap > 0 {
                self.push(" ");
            }
            self.seq(piece, indent, tail);
            from = at;
        }
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Tokens on one line.
fn flat(tokens: &[Token<'_>]) -> String {
    let mut out = String::new();
    for (index, token) in tokens.iter().enumerate() {
        if index > 0 && token.is_apart {
            out.push(' ');
        }
        out.push_str(token.text);
    }
    out
}

/// Whether tokens behind a block stand apart from it: `else`, but not `;`.
fn stands_apart(tokens: &[Token<'_>]) -> bool {
    tokens.first().is_some_and(|first| ![";", ",", ")", ".", "["].iter().any(|sign| first.is(sign)))
}

/// Parts on one line; none where a comment or a broken block forbids it.
fn flat_parts(parts: &[Part<'_>]) -> Option<String> {
    let mut out = String::new();
    for part in parts {
        let (text, is_apart) = match part {
            Part::Seq(tokens) => (flat(tokens), stands_apart(tokens)),
            Part::Headers { is_broken: true, .. } | Part::Raw { .. } => return None,
            Part::Headers { tokens, .. } | Part::Predicate(tokens) => (flat(tokens), true),
            Part::Block(block) => (flat_block(block)?, true),
        };
        if is_apart && !out.is_empty() {
            out.push(' ');
        }
        out += &text;
    }
    Some(out)
}

fn flat_block(block: &Block<'_>) -> Option<String> {
    if block.entries.is_empty() {
        return Some("{ }".to_owned());
    }
    if !block.is_one_line {
        return None;
    }
    let one = |entry: &Entry<'_>| match &entry.kind {
        EntryKind::Stmt(parts) => flat_parts(parts),
        EntryKind::Comment { .. } | EntryKind::Verbatim(_) => None,
    };
    let stmts = block.entries.iter().map(one).collect::<Option<Vec<_>>>()?;
    Some(format!("{{ {} }}", stmts.join(" ")))
}

/// The indices of tokens outside of brackets.
fn top_level(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        found.push(at);
        at = bracket(tokens, at).map_or(at, |close| close) + 1;
    }
    found
}

/// The closing bracket of one that opens at `at`.
fn bracket(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let is_open = ["(", "[", "{"].iter().any(|open| tokens[at].is(open));
    if is_open { space::closing(tokens, at) } else { None }
}

/// The longest bracket outside of others that holds more than one token.
fn longest_bracket(tokens: &[Token<'_>]) -> Option<(usize, usize)> {
    let all = (0..tokens.len()).filter_map(|at| bracket(tokens, at).map(|close| (at, close)));
    let mut end = 0;
    let outermost = all.filter(|&(open, close)| {
        let is_outer = open >= end;
        end = end.max(close);
        is_outer && close > open + 2
    });
    outermost.max_by_key(|&(open, close)| width(&flat(&tokens[open..=close])))
}
