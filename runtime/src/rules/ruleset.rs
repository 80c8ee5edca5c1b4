//! Compiled rules: predicates as machine code, actions as data.
//!
//! Of match rules every clause that holds has its say; of mock rules the first one that holds wins. Clauses stand in the order
//! in which they win: the user's files, then stdlib's.

use std::sync::{Arc, Mutex, PoisonError};

use reel_compiler::jit::{Native, Record};
use reel_compiler::lower::{NativeAction, NativeModule};
use reel_compiler::native::Maps;
use reel_compiler::plan::Filters;
use reel_lang::hir::{self, Action, ExprKind, Header, NoiseId, Stage};
use reel_lang::schema::{Side, conn};
use reel_lang::span::{SourceMap, Span};
use reel_lang::value::Value;
use reel_probes::programs::Transports;
use reel_protocols::record::Conn;

use super::machine::{Machine, RuleHost};
use super::{ActionId, Capture, Classes, Mocking, Origin, Relax, Relaxation, Rules, Unmet, View};

/// Rules, ready to be asked.
pub struct Ruleset {
    clauses: Vec<Clause>,
    /// The function and name of each class.
    noise: Vec<(usize, Arc<str>)>,
    /// One at a time: a rule may use maps.
    machine: Mutex<Machine>,
    filters: Filters,
    transports: Transports,
}

pub(super) struct Clause {
    pub(super) rule: hir::Rule,
    pub(super) predicate: Option<usize>,
    pub(super) body: Option<usize>,
    pub(super) actions: Vec<Act>,
    /// Whether it asks for nothing but facts of the connection.
    is_of_connection: bool,
}

pub(super) struct Act {
    pub(super) id: ActionId,
    pub(super) made: NativeAction,
    pub(super) origin: Origin,
}

impl Ruleset {
    /// Takes note of what the rules say of whole connections.
    pub(super) fn with_filters(mut self, filters: Filters) -> Self {
        self.filters = filters;
        self
    }

    /// Takes note of what is to be recorded beside TCP.
    pub(super) fn with_transports(mut self, transports: Transports) -> Self {
        self.transports = transports;
        self
    }

    /// Whether a capture rule asks for a protocol of datagrams.
    pub fn transports(&self) -> Transports {
        self.transports
    }

    /// What the capture rules say of whole connections: the kernel drops the others.
    pub fn filters(&self) -> &Filters {
        &self.filters
    }

    pub(super) fn new(
        program: &hir::Program,
        module: NativeModule,
        native: Native,
        sources: &SourceMap,
        stdlib_programs: usize,
    ) -> Self {
        let mut clauses = Vec::new();
        let mut next = 0;
        for made in module.clauses {
            let Some(clause) = program.clauses.iter().find(|clause| clause.id == made.clause) else { continue };
            let Header::Rule(rule) = &clause.header else { continue };
            let origin = |span| {
                let mut origin = origin(sources, span, stdlib_programs);
                // What an action on whole calls means shows only with the calls that it speaks of.
                if let (Stage::Mock, Some(predicate)) = (rule.stage, &clause.predicate) {
                    origin.text = format!("{} where {}", origin.text, one_line(sources.text(predicate.span))).into();
                }
                origin
            };
            let mut act = |made: NativeAction| {
                let id = ActionId(next);
                next += 1;
                Act { id, origin: origin(made.span), made }
            };
            clauses.push(Clause {
                rule: rule.clone(),
                predicate: made.predicate.map(|index| index as usize),
                body: made.body.map(|index| index as usize),
                actions: made.actions.into_iter().map(&mut act).collect(),
                is_of_connection: clause.predicate.as_ref().is_none_or(is_of_connection),
            });
        }
        let names = program.noise.iter().map(|class| Arc::from(class.name.as_str()));
        let noise = module.noise.iter().map(|index| *index as usize).zip(names).collect();
        let host = RuleHost { maps: Maps::new(&module.module.maps), values: Vec::new() };
        Ruleset {
            clauses,
            noise,
            machine: Mutex::new(Machine { native, host }),
            filters: Filters::default(),
            transports: Transports::default(),
        }
    }

    /// Runs what asks of an exchange with the machine and the exchange's flat record.
    fn on<R>(&self, view: &View<'_>, ask: impl FnOnce(&mut Machine, &Record<'_>) -> R) -> R {
        let conn = view.conn();
        let record = record(view, &conn);
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&mut machine, &record)
    }

    /// The clauses of a stage that speak of an exchange.
    fn of_stage<'a>(&'a self, stage: Stage, view: &'a View<'_>) -> impl Iterator<Item = &'a Clause> {
        let protocol = &view.schema().protocol;
        self.clauses.iter().filter(move |clause| {
            let rule = &clause.rule;
            rule.stage == stage
                && rule.protocol == *protocol
                && rule.direction.is_none_or(|direction| direction == view.direction)
        })
    }
}

impl Clause {
    fn requires(&self) -> bool {
        self.actions.iter().any(|act| matches!(act.made.action, Action::Require(..)))
    }
}

/// The flat record of an exchange, connection fields first.
fn record<'a>(view: &'a View<'_>, conn: &'a Conn) -> Record<'a> {
    const NIL: &Value = &Value::Nil;
    let own = view.schema().fields.iter().skip(conn::COUNT as usize).map(|field| {
        let message = match field.side {
            Some(Side::Request) => view.request,
            Some(Side::Response) => view.response,
            None => None,
        };
        message.map_or(NIL, |message| message.field(field.id))
    });
    Record::of(conn.values.iter().chain(own))
}

/// Whether an expression is the same for every message of a connection.
fn is_of_connection(expr: &hir::Expr) -> bool {
    let facts = [conn::DIRECTION, conn::ADDR, conn::PORT, conn::PEER_ADDR, conn::PEER_PORT];
    match &expr.kind {
        ExprKind::Field(field) => facts.contains(field),
        ExprKind::Binary { left, right, .. } => is_of_connection(left) && is_of_connection(right),
        ExprKind::Unary { value, .. } | ExprKind::Match { value, .. } | ExprKind::Cast(value) => {
            is_of_connection(value)
        }
        ExprKind::Int(_) | ExprKind::Bool(_) | ExprKind::Str(_) | ExprKind::Nil | ExprKind::Null => true,
        _ => false,
    }
}

fn origin(sources: &SourceMap, span: Span, stdlib_programs: usize) -> Origin {
    let place = sources.place(span);
    // The line is enough for a reader; the column would only be noise.
    let place = place.rsplit_once(':').map_or(place.as_str(), |(place, _)| place);
    let text = one_line(sources.text(span));
    let text = text.trim_end_matches(';');
    Origin { place: place.into(), text: text.into(), is_default: (span.file.0 as usize) < stdlib_programs }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Classes for Ruleset {
    fn contains(&self, class: NoiseId, value: &Value) -> bool {
        let Some((function, _)) = self.noise.get(class.0 as usize) else { return false };
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        machine.is_true(Some(*function), &Record::of([value]))
    }
}

impl Rules for Ruleset {
    fn capture(&self, view: &View<'_>) -> Capture {
        self.on(view, |machine, record| {
            let mut capture = Capture::default();
            let (mut selects, mut selected, mut skipped) = (false, false, false);
            for clause in self.of_stage(Stage::Capture, view) {
                let speaks_of_choice = clause.actions.is_empty()
                    || clause.actions.iter().any(|act| matches!(act.made.action, Action::Skip | Action::Sample(_)));
                let is_skip = clause.actions.iter().any(|act| act.made.action == Action::Skip);
                selects |= speaks_of_choice && !is_skip;
                if !machine.holds(clause, record) {
                    continue;
                }
                selected |= speaks_of_choice && !is_skip;
                for act in &clause.actions {
                    if machine.fires(act, record) {
                        match &act.made.action {
                            Action::Skip => skipped = true,
                            Action::Redact(path) => capture.redact.push(path.clone()),
                            Action::Tag(tag) => capture.tags.push(tag.clone()),
                            Action::Sample(count) => capture.sample = Some(*count),
                            Action::Limit(bytes) => {
                                capture.limit_bytes = Some(capture.limit_bytes.map_or(*bytes, |less| less.min(*bytes)));
                            }
                            _ => {}
                        }
                    }
                }
            }
            capture.record = !skipped && (selected || !selects);
            capture
        })
    }

    fn relaxations(&self, side: Side, view: &View<'_>) -> Vec<Relaxation> {
        self.on(view, |machine, record| {
            let mut found = Vec::new();
            for clause in self.of_stage(Stage::Match, view) {
                if clause.rule.side.is_some_and(|wanted| wanted != side) || !machine.holds(clause, record) {
                    continue;
                }
                for act in &clause.actions {
                    if let Some((relax, path)) = self.relax(&act.made.action)
                        && path.side == side
                        && machine.fires(act, record)
                    {
                        found.push(Relaxation { id: act.id, relax, path: path.clone(), origin: act.origin.clone() });
                    }
                }
            }
            found
        })
    }

    fn relaxing(&self) -> Vec<(ActionId, Origin)> {
        let actions = self.clauses.iter().filter(|clause| clause.rule.stage == Stage::Match).flat_map(|c| &c.actions);
        let relaxing = actions.filter(|act| self.relax(&act.made.action).is_some());
        relaxing.map(|act| (act.id, act.origin.clone())).collect()
    }

    fn unmet(&self, side: Side, view: &View<'_>) -> Vec<Unmet> {
        // Most rule sets require nothing, and this is asked of every call.
        if !self.of_stage(Stage::Match, view).any(Clause::requires) {
            return Vec::new();
        }
        self.on(view, |machine, record| {
            let mut unmet = Vec::new();
            for clause in self.of_stage(Stage::Match, view) {
                // A clause that names no side speaks of the whole exchange, which the response completes.
                let due = clause.rule.side.unwrap_or(Side::Response) == side;
                if !clause.requires() || !due || !machine.holds(clause, record) {
                    continue;
                }
                for act in &clause.actions {
                    if let Action::Require(_, why) = &act.made.action
                        && machine.fires(act, record)
                        && !machine.is_true(act.made.values.map(|index| index as usize), record)
                    {
                        unmet.push(Unmet { why: why.clone(), origin: act.origin.clone() });
                    }
                }
            }
            unmet
        })
    }

    fn mocking(&self, view: &View<'_>) -> Mocking {
        self.on(view, |machine, record| {
            let mut clauses = self.of_stage(Stage::Mock, view);
            let clause = clauses.find(|clause| machine.holds(clause, record));
            clause.map_or_else(Mocking::default, |clause| machine.mocking(clause, record))
        })
    }

    fn mocking_of_connection(&self, view: &View<'_>) -> Option<Mocking> {
        self.on(view, |machine, record| {
            // Behind a clause that a message decides, nothing is certain yet.
            let mut certain = self.of_stage(Stage::Mock, view).take_while(|clause| clause.is_of_connection);
            let clause = certain.find(|clause| machine.holds(clause, record))?;
            Some(machine.mocking(clause, record))
        })
    }
}

impl Ruleset {
    fn relax<'a>(&self, action: &'a Action) -> Option<(Relax, &'a hir::Path)> {
        Some(match action {
            Action::Ignore(path) => (Relax::Ignore, path),
            Action::Like(path, class) => {
                let name = self.noise.get(class.0 as usize).map_or_else(|| Arc::from("?"), |(_, name)| name.clone());
                (Relax::Like { class: *class, name }, path)
            }
            Action::Within(path, tolerance) => (Relax::Within(*tolerance), path),
            Action::Unordered(path) => (Relax::Unordered, path),
            Action::Optional(path) => (Relax::Optional, path),
            _ => return None,
        })
    }
}
