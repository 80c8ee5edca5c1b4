//! Items, statements and blocks, as far as lines depend on them: what ends where, and which comments stand on lines of their own.

use super::space;
use super::token::{Kind, Token, header, tokens};
use crate::scan::{RawItem, RawKind, Scan};

/// What stands on a line of its own, or behind what does.
#[derive(Debug)]
pub(super) struct Entry<'t> {
    pub(super) kind: EntryKind<'t>,
    /// A blank line stands before it.
    pub(super) has_blank: bool,
}

#[derive(Debug)]
pub(super) enum EntryKind<'t> {
    Comment {
        text: &'t str,
        /// Behind something on its line.
        is_trailing: bool,
    },
    /// Left as it is, from the start of its line: preprocessor lines.
    Verbatim(&'t str),
    Stmt(Vec<Part<'t>>),
}

/// A piece of a statement or of a top-level item.
#[derive(Debug)]
pub(super) enum Part<'t> {
    /// Tokens without a block or a comment among them.
    Seq(Vec<Token<'t>>),
    /// Headers of a clause, with the commas between them.
    Headers {
        tokens: Vec<Token<'t>>,
        is_broken: bool,
    },
    /// With its slashes.
    Predicate(Vec<Token<'t>>),
    /// Text that keeps its lines, since a comment is inside.
    Raw {
        text: &'t str,
        ends_in_line_comment: bool,
    },
    Block(Block<'t>),
}

/// What stands between braces.
#[derive(Debug)]
pub(super) struct Block<'t> {
    pub(super) entries: Vec<Entry<'t>>,
    /// It was written on one line.
    pub(super) is_one_line: bool,
}

/// The entries of a whole file.
pub(super) fn file<'t>(text: &'t str, scanned: &Scan) -> Vec<Entry<'t>> {
    let masked = &scanned.masked;
    let mut entries = Vec::new();
    let mut at = 0;
    for item in &scanned.items {
        let between = tokens(text, masked, at..item.range.start);
        entries.extend(comments(&between, !entries.is_empty()));
        // The line ends after the last comment, or after the item before.
        let from = between.last().map_or(at, Token::end);
        let line_ends = text[from..item.range.start].matches('\n').count();
        let has_blank = line_ends > 1 && !entries.is_empty();
        let mut kind = top_level(text, masked, item);
        at = item.range.end;
        if let (EntryKind::Verbatim(whole), Some(end)) = (&mut kind, semicolon(text, masked, at)) {
            // C's own, which the language does not ask for.
            *whole = &text[item.range.start..end];
            at = end;
        }
        entries.push(Entry { kind, has_blank });
    }
    let rest = tokens(text, masked, at..text.len());
    entries.extend(comments(&rest, !entries.is_empty()));
    entries
}

/// How far behind a definition its `;` is looked for, in bytes.
const MAX_GAP: usize = 64;

/// The end of a `;` right behind what ends at `at`.
fn semicolon(text: &str, masked: &str, at: usize) -> Option<usize> {
    let next = tokens(text, masked, at..text.len().min(at + MAX_GAP)).into_iter().next()?;
    next.is(";").then(|| next.end())
}

/// The comments among tokens between two items; a lone `;` means nothing there.
fn comments<'t>(tokens: &[Token<'t>], is_after: bool) -> Vec<Entry<'t>> {
    let all = tokens.iter().filter(|token| token.kind.is_comment()).enumerate();
    all.map(|(index, token)| comment(token, is_after || index > 0)).collect()
}

fn comment<'t>(token: &Token<'t>, is_after: bool) -> Entry<'t> {
    let has_blank = is_after && token.line_ends > 1;
    let kind = match token.kind {
        Kind::Verbatim => EntryKind::Verbatim(token.text),
        _ => EntryKind::Comment { text: token.text, is_trailing: is_after && token.line_ends == 0 },
    };
    Entry { kind, has_blank }
}

fn top_level<'t>(text: &'t str, masked: &str, item: &RawItem) -> EntryKind<'t> {
    let whole = &text[item.range.clone()];
    let all = tokens(text, masked, item.range.clone());
    let has_directive = all.iter().any(|token| token.kind == Kind::Verbatim);
    match &item.kind {
        _ if has_directive => EntryKind::Verbatim(whole),
        RawKind::CDef | RawKind::Typedef | RawKind::Headless { .. } => EntryKind::Verbatim(whole),
        RawKind::Clause { header: headers, predicate, body } => {
            let before = tokens(text, masked, headers.start..body.start);
            let mut parts = Vec::new();
            if before.iter().any(|token| token.kind.is_comment()) {
                parts.push(raw(text, &before));
            } else {
                let list = header(text, masked, headers.clone());
                let is_broken = list.iter().skip(1).any(|token| token.line_ends > 0);
                parts.push(Part::Headers { tokens: marked(list), is_broken });
                if let Some(range) = predicate {
                    parts.push(Part::Predicate(marked(slashed(
                        text,
                        range.start - 1,
                        tokens(text, masked, range.clone()),
                    ))));
                }
            }
            let body = tokens(text, masked, body.clone());
            parts.push(Part::Block(Parser { text, tokens: &body, at: 1 }.block(0)));
            EntryKind::Stmt(parts)
        }
        _ => EntryKind::Stmt(Parser { text, tokens: &all, at: 0 }.stmt()),
    }
}

/// A predicate's tokens between its slashes.
fn slashed<'t>(text: &'t str, open: usize, inside: Vec<Token<'t>>) -> Vec<Token<'t>> {
    let slash = |kind| Token { kind, text: &text[open..=open], at: open, line_ends: 0, is_apart: false };
    [slash(Kind::OpenPredicate)].into_iter().chain(inside).chain([slash(Kind::ClosePredicate)]).collect()
}

fn marked(mut tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    space::mark(&mut tokens);
    tokens
}

fn raw<'t>(text: &'t str, tokens: &[Token<'t>]) -> Part<'t> {
    let range = tokens.first().map_or(0, |token| token.at)..tokens.last().map_or(0, Token::end);
    let ends_in_line_comment = tokens.last().is_some_and(|token| token.kind == Kind::LineComment);
    Part::Raw { text: &text[range], ends_in_line_comment }
}

/// Statements that end with their block.
const WITH_BLOCK: [&str; 7] = ["if", "while", "for", "unroll", "macro", "fn", "config"];

struct Parser<'a, 't> {
    text: &'t str,
    tokens: &'a [Token<'t>],
    at: usize,
}

impl<'t> Parser<'_, 't> {
    fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.at)
    }

    /// Reads a block after its `{`, which is the token `open`, and its `}`.
    fn block(&mut self, open: usize) -> Block<'t> {
        let mut entries = Vec::new();
        while let Some(token) = self.peek().filter(|token| !token.is("}")) {
            if token.kind.is_comment() {
                let mut entry = comment(token, true);
                entry.has_blank &= !entries.is_empty();
                entries.push(entry);
                self.at += 1;
                continue;
            }
            let has_blank = token.line_ends > 1 && !entries.is_empty();
            entries.push(Entry { kind: EntryKind::Stmt(self.stmt()), has_blank });
        }
        self.at += 1;
        let inside = self.tokens.get(open + 1..self.at).unwrap_or_default();
        Block { entries, is_one_line: inside.iter().all(|token| token.line_ends == 0) }
    }

    /// Reads one statement, its `;` included.
    fn stmt(&mut self) -> Vec<Part<'t>> {
        let ends_with_block = self.peek().is_some_and(|t| t.is("{") || WITH_BLOCK.contains(&t.text));
        let mut parts = Vec::new();
        loop {
            let start = self.at;
            let is_ended = self.seq();
            if self.at > start {
                parts.push(self.seq_part(start));
            }
            if is_ended || !self.peek().is_some_and(|token| token.is("{")) {
                return parts;
            }
            self.at += 1;
            parts.push(Part::Block(self.block(self.at - 1)));
            if ends_with_block && !self.goes_on() {
                return parts;
            }
        }
    }

    /// Goes to the next `{` or `}` outside of brackets, or past the next `;`, and returns whether that was it.
    fn seq(&mut self) -> bool {
        while let Some(token) = self.peek() {
            match token.text {
                _ if token.kind != Kind::Sign => {}
                "(" | "[" => match space::closing(self.tokens, self.at) {
                    Some(close) => self.at = close,
                    None => self.at = self.tokens.len() - 1,
                },
                "{" | "}" => return false,
                ";" => {
                    self.at += 1;
                    return true;
                }
                _ => {}
            }
            self.at += 1;
        }
        true
    }

    fn seq_part(&self, start: usize) -> Part<'t> {
        let tokens = &self.tokens[start..self.at];
        if tokens.iter().any(|token| token.kind.is_comment()) {
            raw(self.text, tokens)
        } else {
            Part::Seq(marked(tokens.to_vec()))
        }
    }

    /// Whether a statement with a block goes on after it: with `else`, or with a `;` of its own.
    fn goes_on(&self) -> bool {
        let next = self.tokens[self.at.min(self.tokens.len())..].iter().find(|token| !token.kind.is_comment());
        next.is_some_and(|token| token.kind == Kind::Word && token.text == "else")
            || self.peek().is_some_and(|t| t.is(";"))
    }
}
