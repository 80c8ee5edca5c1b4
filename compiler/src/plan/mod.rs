//! The planner: which part of a program runs where, and why (LANGUAGE.md, "Where things run").
//!
//! A clause lowers to one back end, never half, so planning is about what the kernel may know *besides*: of a rule's
//! predicate, each conjunct at the top level is a fact about a whole connection, a fact about one message, or for user space
//! alone. Only facts about connections may drop anything in the kernel, since a stream with a message cut out cannot be
//! framed any more. [`filter`] makes of them the predicate that goes into the capture program.

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
    /// What the capture program lets pass, by direction.
    pub filters: Filters,
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
    let filters = filters(program, env);
    if faults.is_empty() { Ok(Plan { clauses, maps, filters }) } else { Err(faults) }
}

/// What the capture program lets pass, by direction.
pub fn filters(program: &hir::Program, env: &dyn Environment) -> Filters {
    let protocols: Vec<String> = env.schemas().iter().map(|schema| schema.protocol.clone()).collect();
    Filters {
        incoming: filter::direction(program, &protocols, Direction::In),
        outgoing: filter::direction(program, &protocols, Direction::Out),
    }
}

fn clause(clause: &hir::Clause) -> ClausePlan {
    let in_kernel = matches!(clause.header, Header::Kernel(_));
    let pushes = matches!(&clause.header, Header::Rule(rule) if rule.stage == Stage::Capture);
    let conjuncts = clause.predicate.iter().flat_map(label::conjuncts).map(|expr| match (in_kernel, pushes) {
        (true, _) => Conjunct {
            label: Label::Kernel,
            why: "a kernel probe's predicate runs in its program".to_owned(),
            span: expr.span,
        },
        (false, true) => label::label(expr),
        (false, false) => Conjunct {
            label: Label::Native,
            why: "the kernel decides nothing for a clause that does not choose what is recorded".to_owned(),
            span: expr.span,
        },
    });
    ClausePlan { clause: clause.id, in_kernel, conjuncts: conjuncts.collect(), span: clause.span }
}
