//! Headers: what a clause listens to.
//!
//! Whether a header is a kernel probe or a message probe is the checker's to know. Only `capture`, `match` and `mock`
//! before a `:` are words of the grammar: such a header is a rule's, and a rule's header has no wildcards.

use pest::iterators::Pair;

use super::{Lower, Rule};
use crate::ast::{Header, Part, Piece, Stage};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

/// Providers whose parts are names in the kernel, never paths: a `/` there is a predicate without a space before it.
const WITHOUT_PATHS: &[&str] = &[
    "tracepoint",
    "t",
    "rawtracepoint",
    "rt",
    "kprobe",
    "k",
    "kretprobe",
    "kr",
    "fentry",
    "f",
    "fexit",
    "fr",
    "kfunc",
    "kretfunc",
    "interval",
    "i",
    "profile",
    "p",
    "software",
    "s",
    "hardware",
    "h",
];

impl Lower<'_> {
    /// Lowers one header of a comma list.
    pub(super) fn header(&mut self, pair: Pair<'_, Rule>) -> Option<Header> {
        let span = self.span(&pair);
        let (mut label, mut stage, mut provider) = (None, None, None);
        let mut parts = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::label => label = part.into_inner().next().map(|p| self.ident(&p)),
                Rule::stage => stage = stage_of(part.as_str()),
                Rule::provider => provider = Some(self.ident(&part)),
                Rule::part => parts.push(self.part(part)),
                _ => {}
            }
        }
        let header = Header { label, stage, provider: provider?, parts, span };
        self.check_header(&header);
        Some(header)
    }

    fn part(&mut self, pair: Pair<'_, Rule>) -> Part {
        let span = self.span(&pair);
        let mut pieces = Vec::new();
        for piece in pair.into_inner() {
            match piece.as_rule() {
                Rule::string => {
                    let bytes = self.string(&piece);
                    pieces.push(Piece::Quoted(String::from_utf8_lossy(&bytes).into_owned()));
                }
                Rule::positional_count => pieces.push(Piece::PositionalCount),
                Rule::positional => pieces.extend(self.positional(&piece).map(Piece::Positional)),
                _ => pieces.push(Piece::Bare(piece.as_str().to_owned())),
            }
        }
        Part { pieces, span }
    }

    fn check_header(&mut self, header: &Header) {
        if let Some(stage) = header.stage {
            let provider_is_wild = header.provider.name.contains('*');
            let wild = header.parts.iter().find(|p| p.is_wildcard()).map(|p| p.span);
            if let Some(span) = provider_is_wild.then_some(header.provider.span).or(wild) {
                let message = format!("a `{}` rule takes no wildcards", stage.name());
                let diagnostic = Diagnostic::new(code::BAD_HEADER, span, message);
                self.report(diagnostic.hint("write one clause for each protocol"));
            }
        } else if WITHOUT_PATHS.contains(&header.provider.name.to_ascii_lowercase().as_str()) {
            self.check_no_path(header);
        }
    }

    fn check_no_path(&mut self, header: &Header) {
        for part in &header.parts {
            let slash = part.pieces.iter().find_map(|piece| match piece {
                Piece::Bare(text) => text.find('/'),
                _ => None,
            });
            if let Some(at) = slash {
                let start = part.span.start as usize + at;
                let span = Span::new(self.file, start, start + 1);
                let diagnostic = Diagnostic::new(code::BAD_HEADER, span, "this `/` is part of the probe's name");
                self.report(diagnostic.hint("put a space before the predicate"));
                return;
            }
        }
    }
}

fn stage_of(word: &str) -> Option<Stage> {
    [Stage::Capture, Stage::Match, Stage::Mock].into_iter().find(|stage| stage.name() == word)
}
