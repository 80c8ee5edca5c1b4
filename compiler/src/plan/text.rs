//! `reel plan`: the plan as people read it.

use std::fmt::Write;

use reel_lang::hir::{self, Header};
use reel_lang::span::SourceMap;

use super::{Filter, Handover, Plan};

/// Writes a plan: each clause with its side, each conjunct with its label and why, the maps, and what the kernel hands over.
pub fn text(plan: &Plan, program: &hir::Program, sources: &SourceMap) -> String {
    let mut out = String::new();
    for (clause, planned) in program.clauses.iter().zip(&plan.clauses) {
        let side = if planned.in_kernel { "kernel" } else { "native" };
        let header = one_line(sources.text(planned.span));
        let points = match &clause.header {
            Header::Kernel(points) if points.len() > 1 => format!(", {} attach points", points.len()),
            _ => String::new(),
        };
        let _ = writeln!(out, "{}  {header}\n    runs: {side}{points}", sources.place(planned.span));
        for conjunct in &planned.conjuncts {
            let source = one_line(sources.text(conjunct.span));
            let _ = writeln!(out, "    {:<10}  {source}\n                {}", conjunct.label.name(), conjunct.why);
        }
    }
    for map in &plan.maps {
        let _ = writeln!(out, "map {}: {}", map.name, map.side.name());
    }
    for Handover { whom, direction, filter, why } in &plan.handovers {
        let says = match filter {
            Filter::Const(true) => "every connection".to_owned(),
            Filter::Const(false) => "no connection".to_owned(),
            filter => format!("connections with {filter}"),
        };
        let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let _ = writeln!(out, "{whom} {}: the kernel hands over {says}{why}", direction.name());
    }
    out
}

/// The first line of a piece of source, its spaces as one.
fn one_line(text: &str) -> String {
    let text = text.split('{').next().unwrap_or(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
