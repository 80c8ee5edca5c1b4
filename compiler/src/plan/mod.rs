//! The planner: which part of a program runs where, and why (LANGUAGE.md, "Where things run").
//!
//! A clause lowers to one back end, never half, so planning is about what the kernel may know *besides*: of the predicate of a
//! message probe or capture rule, each conjunct at the top level is a fact about a whole connection, a fact about one message, or for user
//! space alone. Only facts about connections may drop anything in the kernel, since a stream with a message cut out cannot be framed any
//! more. [`derive`] makes of them the [`filter`] that goes into the capture program.

mod derive;
mod emit;
pub mod filter;
pub mod label;
mod maps;
pub mod source;
mod text;

use reel_lang::diagnostic::Diagnostic;
use reel_lang::env::Environment;
use reel_lang::hir::{self, ClauseId, Header, Stage};
use reel_lang::schema::Direction;
use reel_lang::span::Span;

pub use filter::{Fact, Filter, Filters};
pub use label::{Conjunct, Label};
pub use maps::{MapPlan, MapSide, shared_faults};
pub use text::text;

/// Where a program runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub clauses: Vec<ClausePlan>,
    pub maps: Vec<MapPlan>,
    /// What the capture program hands over for whom, each direction.
    pub handovers: Vec<Handover>,
}

/// What the capture program hands over of one direction, and why not less.
#[derive(Debug, Clone, PartialEq)]
pub struct Handover {
    /// `listen` for message probes, `capture` for rules.
    pub whom: &'static str,
    pub direction: Direction,
    pub filter: Filter,
    pub why: Option<String>,
}

/// Where a clause runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ClausePlan {
    pub clause: ClauseId,
    /// Whether its back end is eBPF.
    pub in_kernel: bool,
    /// The top-level conjuncts of its predicate, in order.
    pub conjuncts: Vec<Conjunct>,
    pub span: Span,
}

/// Plans a program.
///
/// # Errors
/// What cannot run as it is written: see [`shared_faults`].
pub fn plan(program: &hir::Program, env: &dyn Environment) -> Result<Plan, Vec<Diagnostic>> {
    let clauses = program.clauses.iter().map(clause).collect();
    let (maps, faults) = (maps::maps(program), shared_faults(program));
    let handovers = handovers(program, env);
    if faults.is_empty() { Ok(Plan { clauses, maps, handovers }) } else { Err(faults) }
}

/// Which connections message probes can want.
pub fn heard(program: &hir::Program) -> Filters {
    Filters { incoming: derive::heard(program, Direction::In), outgoing: derive::heard(program, Direction::Out) }
}

/// Which connections capture rules can want, or need to see. A request that is not recorded takes its calls with it, so where any call
/// may be recorded, every request must be seen.
pub fn filters(program: &hir::Program, env: &dyn Environment) -> Filters {
    let wanted =
        |direction| filter::any(by_protocol(program, env, direction).into_iter().map(|(_, filter)| filter).collect());
    let outgoing = wanted(Direction::Out);
    let incoming = if outgoing == Filter::Const(false) { wanted(Direction::In) } else { Filter::ALL };
    Filters { incoming, outgoing }
}

/// What capture rules want for each protocol.
fn by_protocol(program: &hir::Program, env: &dyn Environment, direction: Direction) -> Vec<(String, Filter)> {
    let recorded = |protocol: &String| (protocol.clone(), derive::recorded(program, protocol, direction));
    env.schemas().iter().map(|schema| recorded(&schema.protocol)).collect()
}

fn handovers(program: &hir::Program, env: &dyn Environment) -> Vec<Handover> {
    const BOTH: [Direction; 2] = [Direction::In, Direction::Out];
    let has = |is: fn(&Header) -> bool| program.clauses.iter().any(|clause| is(&clause.header));
    let mut all = Vec::new();
    if has(|header| matches!(header, Header::Message(_))) {
        let filters = heard(program);
        let handover =
            |direction| Handover { whom: "listen", direction, filter: filters.of(direction).clone(), why: None };
        all.extend(BOTH.map(handover));
    }
    if has(|header| matches!(header, Header::Rule(rule) if rule.stage == Stage::Capture)) {
        let filters = filters(program, env);
        let handover = |direction| {
            let filter = filters.of(direction).clone();
            let whole = by_protocol(program, env, direction).into_iter().filter(|(_, filter)| *filter == Filter::ALL);
            let whole: Vec<String> = whole.map(|(protocol, _)| protocol).collect();
            let why = match (&filter, whole.as_slice()) {
                (Filter::Const(true), []) => {
                    Some("a request that is not recorded takes its calls with it, and calls are recorded".to_owned())
                }
                (Filter::Const(true), whole) => Some(format!(
                    "what it carries shows only in its first bytes, and no rule excludes any for {}",
                    whole.join(", ")
                )),
                _ => None,
            };
            Handover { whom: "capture", direction, filter, why }
        };
        all.extend(BOTH.map(handover));
    }
    all
}

fn clause(clause: &hir::Clause) -> ClausePlan {
    let in_kernel = matches!(clause.header, Header::Kernel(_));
    let pushes = match &clause.header {
        Header::Kernel(_) => false,
        Header::Message(_) => true,
        Header::Rule(rule) => rule.stage == Stage::Capture,
    };
    let conjuncts = clause.predicate.iter().flat_map(label::conjuncts).map(|expr| match (in_kernel, pushes) {
        (true, _) => Conjunct {
            label: Label::Kernel,
            why: "a kernel probe's predicate runs in its program".to_owned(),
            span: expr.span,
        },
        (false, true) => label::label(expr),
        (false, false) => Conjunct {
            label: Label::Native,
            why: "the kernel decides nothing for a rule that does not choose what is recorded".to_owned(),
            span: expr.span,
        },
    });
    ClausePlan { clause: clause.id, in_kernel, conjuncts: conjuncts.collect(), span: clause.span }
}
