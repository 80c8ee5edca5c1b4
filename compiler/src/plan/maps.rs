//! On which side each map lives.

use std::collections::BTreeSet;

use reel_lang::diagnostic::{Diagnostic, code};
use reel_lang::hir::{self, Expr, ExprKind, Header, MapId, Stmt, StmtKind};
use reel_lang::span::Span;

use crate::lower::walk;

/// Where a map lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapSide {
    Kernel,
    Native,
    /// Both: an aggregation has a shard on each side.
    Shared,
}

impl MapSide {
    /// The word in `reel plan`.
    pub fn name(self) -> &'static str {
        match self {
            MapSide::Kernel => "kernel",
            MapSide::Native => "native",
            MapSide::Shared => "shared",
        }
    }
}

/// A map and where it lives.
#[derive(Debug, Clone, PartialEq)]
pub struct MapPlan {
    pub map: MapId,
    pub name: String,
    pub side: MapSide,
}

/// Plans the maps; one that is counted up in place from both sides is a fault.
pub(super) fn maps(program: &hir::Program) -> (Vec<MapPlan>, Vec<Diagnostic>) {
    let mut uses = [BTreeSet::new(), BTreeSet::new()];
    let mut adds: [Vec<(MapId, Span)>; 2] = Default::default();
    for clause in &program.clauses {
        let side = usize::from(!matches!(clause.header, Header::Kernel(_)));
        let mut note = |expr: &Expr| match &expr.kind {
            ExprKind::MapGet { map, .. } | ExprKind::Map(map) => {
                uses[side].insert(*map);
            }
            _ => {}
        };
        clause.predicate.iter().for_each(|predicate| walk::expr(predicate, &mut note));
        walk::stmts(&clause.body, &mut note);
        stored(&clause.body, &mut uses[side], &mut adds[side]);
    }
    let plans = program.maps.iter().map(|map| {
        let side = match (uses[0].contains(&map.id), uses[1].contains(&map.id)) {
            (true, true) => MapSide::Shared,
            (false, true) => MapSide::Native,
            _ => MapSide::Kernel,
        };
        MapPlan { map: map.id, name: map.name.clone(), side }
    });
    let faults = program.maps.iter().filter_map(|map| {
        let at = |side: usize| adds[side].iter().find(|(id, _)| *id == map.id).map(|(_, span)| *span);
        let (kernel, native) = (at(0)?, at(1)?);
        let text = format!("{} is counted up from a kernel probe and from a message probe", map.name);
        Some(Diagnostic::new(code::SHARED_WRITE, native, text).secondary(kernel, "and in the kernel here").hint(
            format!("write `{} = count()` or `{} = sum(...)`, which are kept apart and merged", map.name, map.name),
        ))
    });
    (plans.collect(), faults.collect())
}

fn stored(stmts: &[Stmt], uses: &mut BTreeSet<MapId>, adds: &mut Vec<(MapId, Span)>) {
    for stmt in stmts {
        match &stmt.kind {
            StmtKind::MapAdd { map, .. } => {
                uses.insert(*map);
                adds.push((*map, stmt.span));
            }
            StmtKind::MapSet { map, .. } | StmtKind::MapAggregate { map, .. } => {
                uses.insert(*map);
            }
            _ => {}
        }
        for inner in walk::blocks(stmt) {
            stored(inner, uses, adds);
        }
        walk::parts(stmt, &mut |expr| {
            if let ExprKind::Block { body, .. } = &expr.kind {
                stored(body, uses, adds);
            }
        });
    }
}
