//! Which side of a program uses which map, and how.
//!
//! Printing or clearing a map is no use of it: reel does that itself, wherever the entries are.

use std::collections::BTreeSet;

use reel_lang::hir::{self, Expr, ExprKind, Header, MapId, Stmt, StmtKind};
use reel_lang::span::Span;
use reel_lang::ty::Ty;

use super::walk;

/// Functions that reel itself does to a map, on both sides of it.
const SPEAKS_OF_MAPS: [&str; 3] = ["print", "clear", "zero"];

/// The maps that one side uses.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// Those that it has.
    pub maps: BTreeSet<MapId>,
    /// Where it counts up in place: `@m++`, `@m += n`.
    pub adds: Vec<(MapId, Span)>,
    /// Those of which it reads or removes entries.
    pub asks: BTreeSet<MapId>,
}

/// What both sides use.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    pub kernel: Side,
    pub native: Side,
}

impl Uses {
    /// Looks through a program.
    pub(crate) fn of(program: &hir::Program) -> Uses {
        let mut uses = Uses::default();
        for clause in &program.clauses {
            let side = match clause.header {
                Header::Kernel(_) => &mut uses.kernel,
                _ => &mut uses.native,
            };
            clause.predicate.iter().for_each(|predicate| walk::expr(predicate, &mut |expr| side.expr(expr)));
            walk::stmts(&clause.body, &mut |expr| side.expr(expr));
            side.stmts(&clause.body);
        }
        uses
    }

    /// Whether both sides have a map.
    pub(crate) fn is_shared(&self, map: MapId) -> bool {
        self.kernel.maps.contains(&map) && self.native.maps.contains(&map)
    }

    /// Whether the native shard of an aggregation lies in the kernel too, since a kernel program reads it.
    pub(crate) fn has_native_shard(&self, map: &hir::Map) -> bool {
        matches!(map.value, Ty::Agg(_)) && self.is_shared(map.id) && self.kernel.asks.contains(&map.id)
    }
}

impl Side {
    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::MapGet { map, .. } => {
                self.maps.insert(*map);
                self.asks.insert(*map);
            }
            ExprKind::Call { function, args } if !SPEAKS_OF_MAPS.contains(function) => {
                for map in
                    args.iter().filter_map(|arg| if let ExprKind::Map(map) = arg.kind { Some(map) } else { None })
                {
                    self.maps.insert(map);
                    self.asks.insert(map);
                }
            }
            _ => {}
        }
    }

    fn stmts(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::MapAdd { map, .. } => {
                    self.maps.insert(*map);
                    self.adds.push((*map, stmt.span));
                }
                StmtKind::MapSet { map, .. } | StmtKind::MapAggregate { map, .. } => {
                    self.maps.insert(*map);
                }
                _ => {}
            }
            for inner in walk::blocks(stmt) {
                self.stmts(inner);
            }
            let mut bodies = Vec::new();
            walk::parts(stmt, &mut |expr| {
                if let ExprKind::Block { body, .. } = &expr.kind {
                    bodies.push(body);
                }
            });
            bodies.into_iter().for_each(|body| self.stmts(body));
        }
    }
}
