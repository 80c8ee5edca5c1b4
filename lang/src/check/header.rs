//! Headers: what a clause attaches to.
//!
//! The word before the first `:` decides the family: a rule's stage, a protocol's name, or a provider of the environment.
//! Kernel points are expanded once, before the passes; their clauses are split by argument layout in `clause`.

use super::Checker;
use super::config::Missing;
use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, code, nearest};
use crate::env::{AttachError, AttachPoint, ProbeKind};
use crate::hir::{Event, MessageProbe, Rule, Stage};
use crate::schema::{Direction, Named, Probe, Schema};
use crate::span::Span;

/// A clause with its headers resolved.
#[derive(Debug)]
pub(super) struct Resolved<'a> {
    pub(super) ast: &'a ast::Clause,
    pub(super) on: On<'a>,
    /// From the first header to the last.
    pub(super) span: Span,
}

/// What a clause is on.
#[derive(Debug)]
pub(super) enum On<'a> {
    Kernel(Vec<AttachPoint>),
    /// Of the messages only those that the name is for, where it is one of the schema's own.
    Message(&'a Schema, MessageProbe, Option<&'a Named>),
    Rule(&'a Schema, Rule),
}

impl<'a> Checker<'a> {
    /// Resolves every clause's headers: the user's programs first, then stdlib's.
    pub(super) fn headers(&mut self, programs: &'a [ast::Program]) -> (Vec<Resolved<'a>>, Diagnostics) {
        self.declared_maps();
        let split = self.options.stdlib_programs.min(programs.len());
        let (stdlib, user) = programs.split_at(split);
        let mut resolved = Vec::new();
        for item in user.iter().chain(stdlib).flat_map(|program| &program.items) {
            if let ast::Item::Clause(clause) = item {
                self.resolve_clause(clause, &mut resolved);
            }
        }
        (resolved, std::mem::take(&mut self.diagnostics))
    }

    fn resolve_clause(&mut self, clause: &'a ast::Clause, out: &mut Vec<Resolved<'a>>) {
        let mut points = Vec::new();
        let mut kernel: Option<Span> = None;
        let mut other: Option<Span> = None;
        let span = header_span(clause);
        for header in &clause.headers {
            let Some(parts) = self.parts(header) else {
                continue;
            };
            if header.stage.is_none() && self.schema(&header.provider.name).is_none() {
                kernel.get_or_insert(header.span);
                points.extend(self.attach(header, &parts));
                continue;
            }
            other.get_or_insert(header.span);
            if let Some(on) = self.message_header(header, &parts) {
                out.push(Resolved { ast: clause, on, span: header.span });
            }
        }
        if let (Some(kernel), Some(other)) = (kernel, other) {
            self.report(
                Diagnostic::new(code::MIXED_HEADERS, other, "one clause cannot be on a kernel probe and on a message")
                    .secondary(kernel, "a kernel probe")
                    .hint("write two clauses"),
            );
        }
        if !points.is_empty() {
            let mut seen = std::collections::HashSet::new();
            points.retain(|point: &AttachPoint| seen.insert(point.name.clone()));
            out.push(Resolved { ast: clause, on: On::Kernel(points), span });
        }
    }

    /// The texts of a header's parts, with positional parameters filled in.
    fn parts(&mut self, header: &ast::Header) -> Option<Vec<String>> {
        let mut parts = Vec::new();
        for part in &header.parts {
            let mut text = String::new();
            for piece in &part.pieces {
                match piece {
                    ast::Piece::Bare(s) | ast::Piece::Quoted(s) => text.push_str(s),
                    ast::Piece::PositionalCount => text.push_str(&self.options.positional.len().to_string()),
                    ast::Piece::Positional(n) => match self.positional(*n) {
                        Some(value) => text.push_str(value),
                        None => {
                            self.report(
                                Diagnostic::new(
                                    code::MISSING_POSITIONAL,
                                    part.span,
                                    format!("the header names `${n}`, which was not given"),
                                )
                                .hint("give it on the command line, after the script"),
                            );
                            return None;
                        }
                    },
                }
            }
            parts.push(text);
        }
        Some(parts)
    }

    /// The nth positional parameter, counted from 1.
    pub(super) fn positional(&self, n: u32) -> Option<&'a str> {
        let index = (n as usize).checked_sub(1)?;
        self.options.positional.get(index).map(String::as_str)
    }

    fn schema(&self, name: &str) -> Option<&'a Schema> {
        self.env.schemas().into_iter().find(|schema| schema.protocol.eq_ignore_ascii_case(name))
    }

    fn attach(&mut self, header: &ast::Header, parts: &[String]) -> Vec<AttachPoint> {
        let name = header_text(header, parts);
        let error = match self.env.attach(&header.provider.name, parts) {
            Ok(points) if !points.is_empty() => {
                self.verdicts_allowed(header, &points);
                return points;
            }
            Ok(_) => AttachError::NotFound(Vec::new()),
            Err(error) => error,
        };
        let diagnostic = match error {
            AttachError::NoProvider(near) => self.no_provider(header, near),
            AttachError::Malformed(wanted) => {
                Diagnostic::new(code::BAD_PROBE, header.span, format!("`{name}` is not a whole probe"))
                    .hint(format!("write it as {wanted}"))
            }
            AttachError::NotFound(near) => match self.config.missing_probes {
                Missing::Ignore => return Vec::new(),
                Missing::Warn => not_found(code::MISSING_PROBE, header, &name, near),
                Missing::Error => not_found(code::NO_SUCH_PROBE, header, &name, near),
            },
            AttachError::Unsupported { why, remedy } => Diagnostic::new(
                code::UNSUPPORTED_PROBE,
                header.span,
                format!("this machine cannot attach `{name}`: {why}"),
            )
            .hint(remedy),
            AttachError::NotYet => super::not_yet(code::NOT_YET_PROBE, header.span, &format!("the probe `{name}`")),
        };
        self.report(diagnostic);
        Vec::new()
    }

    /// A probe whose clause decides what happens to a call or packet changes what other programs see.
    fn verdicts_allowed(&mut self, header: &ast::Header, points: &[AttachPoint]) {
        let decides = points.iter().any(|point| point.kind == ProbeKind::Cgroup);
        if decides && !self.options.allow_unsafe && !self.options.trusted {
            let message = format!("a clause on `{}` decides what other programs may do", header.provider.name);
            self.report(Diagnostic::new(code::UNSAFE, header.span, message).hint("run with --unsafe to allow it"));
        }
    }

    fn no_provider(&self, header: &ast::Header, near: Vec<String>) -> Diagnostic {
        let name = &header.provider.name;
        let protocols = self.protocols();
        let diagnostic = Diagnostic::new(
            code::NO_PROVIDER,
            header.provider.span,
            format!("`{name}` is neither a probe nor a protocol"),
        )
        .label("unknown");
        let best = near.first().map(String::as_str).or_else(|| nearest(name, protocols.iter().map(String::as_str)));
        match best {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic.hint(format!(
                "write a probe such as `tracepoint`, `uprobe` or `interval`, or a protocol: {}",
                protocols.join(", ")
            )),
        }
    }

    fn protocols(&self) -> Vec<String> {
        self.env.schemas().into_iter().map(|s| s.protocol.clone()).collect()
    }

    fn message_header(&mut self, header: &ast::Header, parts: &[String]) -> Option<On<'a>> {
        let Some(schema) = self.schema(&header.provider.name) else {
            let protocols = self.protocols();
            let name = &header.provider.name;
            let hint = match nearest(name, protocols.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write one of {}", protocols.join(", ")),
            };
            self.report(
                Diagnostic::new(code::UNKNOWN_PROTOCOL, header.provider.span, format!("unknown protocol `{name}`"))
                    .hint(hint),
            );
            return None;
        };
        let words = self.header_words(header, schema, parts)?;
        match header.stage {
            Some(stage) => self.rule_header(header, schema, stage, words),
            None => self.message_probe(header, schema, words),
        }
    }

    /// Reads `[:in|out][:EVENT]`.
    fn header_words(&mut self, header: &ast::Header, schema: &'a Schema, parts: &[String]) -> Option<Words<'a>> {
        let mut words = Words { direction: None, probe: None };
        // Rules speak of messages alone, and of all of them.
        let is_here = |probe: &Probe<'_>| header.stage.is_none() || probe.event.is_message() && probe.named.is_none();
        let probes: Vec<Probe<'a>> = schema.probes().filter(is_here).collect();
        for (index, part) in parts.iter().enumerate() {
            let first = words.direction.is_none() && words.probe.is_none();
            match part.as_str() {
                "in" if first => words.direction = Some(Direction::In),
                "out" if first => words.direction = Some(Direction::Out),
                other => match probes.iter().find(|probe| probe.name() == other) {
                    Some(probe) if words.probe.is_none() => words.probe = Some(*probe),
                    _ => {
                        let span = header.parts.get(index).map_or(header.span, |part| part.span);
                        let is_meant = |named: &&Named| header.stage.is_some() && named.name == other;
                        let named = schema.named.iter().find(is_meant);
                        self.report(match named {
                            Some(named) => bad_word(&probes, other, first, span)
                                .hint(format!("a rule is on all messages: write `/{}/` after it", named.condition())),
                            None => bad_word(&probes, other, first, span),
                        });
                        return None;
                    }
                },
            }
        }
        Some(words)
    }

    fn message_probe(&mut self, header: &ast::Header, schema: &'a Schema, words: Words<'a>) -> Option<On<'a>> {
        let Some(Probe { event, named }) = words.probe else {
            let name = &schema.protocol;
            self.report(
                Diagnostic::new(
                    code::BAD_MESSAGE_HEADER,
                    header.span,
                    format!("`{name}` alone does not say which message"),
                )
                .hint(format!("write {}", one_of(schema.probes().map(|probe| format!("{name}:{}", probe.name()))))),
            );
            return None;
        };
        let schema = schema.of(event)?;
        let name = Probe { event, named }.name().to_owned();
        let probe = MessageProbe { protocol: schema.protocol.clone(), direction: words.direction, event, name };
        Some(On::Message(schema, probe, named))
    }

    fn rule_header(
        &mut self,
        header: &ast::Header,
        schema: &'a Schema,
        stage: ast::Stage,
        words: Words<'a>,
    ) -> Option<On<'a>> {
        let stage_name = stage.name();
        let side = match words.probe.map(|probe| probe.event) {
            None => None,
            Some(Event::Exchange) => {
                self.bad_rule(header, "a rule is on a whole exchange already", "leave `:exchange` out");
                return None;
            }
            Some(event) => event.side(),
        };
        let stage = match stage {
            ast::Stage::Capture => Stage::Capture,
            ast::Stage::Match => Stage::Match,
            ast::Stage::Mock => Stage::Mock,
        };
        if side.is_some() && stage != Stage::Match {
            let why = format!("a {stage_name} rule is on both messages of an exchange");
            self.bad_rule(header, &why, "leave `:request` or `:response` out");
            return None;
        }
        if stage == Stage::Mock && words.direction == Some(Direction::In) {
            self.bad_rule(header, "only calls that the app makes are mocked", "leave `:in` out");
            return None;
        }
        let rule = Rule { stage, protocol: schema.protocol.clone(), direction: words.direction, side };
        Some(On::Rule(schema, rule))
    }

    fn bad_rule(&mut self, header: &ast::Header, why: &str, hint: &str) {
        self.report(Diagnostic::new(code::BAD_RULE_HEADER, header.span, why).hint(hint));
    }
}

/// A word after a protocol that says nothing.
fn bad_word(probes: &[Probe<'_>], word: &str, is_first: bool, span: Span) -> Diagnostic {
    let mut known: Vec<String> = probes.iter().map(|probe| probe.name().to_owned()).collect();
    if is_first {
        known.splice(..0, ["in".to_owned(), "out".to_owned()]);
    }
    let wanted = one_of(known.iter().cloned());
    let diagnostic = Diagnostic::expected(code::BAD_MESSAGE_HEADER, span, &wanted, format!("`{word}`"));
    match nearest(word, known.iter().map(String::as_str)).filter(|near| *near != word) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

/// `a`, `b` or `c`.
fn one_of(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} or {last}", words.join(", ")) }
}

/// What the words after a protocol say.
struct Words<'a> {
    direction: Option<Direction>,
    probe: Option<Probe<'a>>,
}

fn not_found(code: crate::diagnostic::Code, header: &ast::Header, name: &str, near: Vec<String>) -> Diagnostic {
    let diagnostic = Diagnostic::new(code, header.span, format!("`{name}` matches no probe of this machine"));
    match near.as_slice() {
        [] => diagnostic,
        [one] => diagnostic.hint(format!("did you mean `{one}`?")),
        many => diagnostic.hint(format!("did you mean one of {}?", many.join(", "))),
    }
}

/// The header as one would write it.
fn header_text(header: &ast::Header, parts: &[String]) -> String {
    std::iter::once(header.provider.name.as_str()).chain(parts.iter().map(String::as_str)).collect::<Vec<_>>().join(":")
}

fn header_span(clause: &ast::Clause) -> Span {
    match (clause.headers.first(), clause.headers.last()) {
        (Some(first), Some(last)) => first.span.to(last.span),
        _ => clause.span,
    }
}
