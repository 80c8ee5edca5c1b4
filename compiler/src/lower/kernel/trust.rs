//! Which pointers the verifier knows: arguments of BTF-typed tracepoints, and what is reached from them.
//!
//! Those are followed with plain loads; any other address is read with a helper that survives a fault. The two must not
//! meet in one variable, so a variable is known only if everything that is assigned to it is.

use std::collections::HashSet;

use reel_lang::env::ProbeKind;
use reel_lang::hir::{Expr, ExprKind, Stmt, StmtKind, VarId};
use reel_lang::ty::{Space, Ty};

use super::Context;
use crate::lower::walk;

/// Whether the probes hand over pointers that the verifier knows.
pub(super) fn is_typed(cx: Context<'_>) -> bool {
    cx.points.iter().all(|point| matches!(point.kind, ProbeKind::BtfTracepoint | ProbeKind::Fentry | ProbeKind::Fexit))
}

/// Whether a cast to this type goes through `bpf_rdonly_cast`.
pub(super) fn casts(cx: Context<'_>, to: &Ty) -> bool {
    let is_struct = matches!(to, Ty::Ptr(to, Space::Kernel) if matches!(**to, Ty::Struct(_)));
    is_struct && is_typed(cx) && (cx.options.rdonly_cast)()
}

/// The variables that hold nothing but known pointers.
pub(super) fn trusted_vars(cx: Context<'_>) -> HashSet<VarId> {
    let mut known: HashSet<VarId> = (0..cx.clause.vars.len() as u32)
        .map(VarId)
        .filter(|var| {
            cx.clause.vars.get(var.0 as usize).is_some_and(|var| matches!(var.ty, Ty::Ptr(..) | Ty::Struct(_)))
        })
        .collect();
    let mut assignments = Vec::new();
    collect(&cx.clause.body, &mut assignments);
    loop {
        let unknown: Vec<VarId> = assignments
            .iter()
            .filter(|(var, value)| known.contains(var) && !is_known(cx, value, &known))
            .map(|(var, _)| *var)
            .collect();
        if unknown.is_empty() {
            return known;
        }
        for var in unknown {
            known.remove(&var);
        }
    }
}

fn collect<'a>(stmts: &'a [Stmt], into: &mut Vec<(VarId, &'a Expr)>) {
    for stmt in stmts {
        if let StmtKind::Assign { var, value } = &stmt.kind {
            into.push((*var, value));
        }
        walk::parts(stmt, &mut |expr| {
            if let ExprKind::Block { body, .. } = &expr.kind {
                collect(body, into);
            }
        });
        for inner in walk::blocks(stmt) {
            collect(inner, into);
        }
    }
}

/// Whether an expression gives a pointer that the verifier knows.
fn is_known(cx: Context<'_>, expr: &Expr, vars: &HashSet<VarId>) -> bool {
    let to_struct = |ty: &Ty| match ty {
        Ty::Ptr(to, _) => matches!(**to, Ty::Struct(_)),
        Ty::Struct(_) | Ty::Array(..) => true,
        _ => false,
    };
    match &expr.kind {
        ExprKind::Arg(_) => is_typed(cx) && to_struct(&expr.ty),
        ExprKind::Builtin("curtask") => is_typed(cx) && cx.options.typed_task,
        ExprKind::Call { function: "tcp_sock", .. } => true,
        ExprKind::Var(var) => vars.contains(var),
        ExprKind::Member { base, .. } => to_struct(&expr.ty) && is_known(cx, base, vars),
        ExprKind::Index { base, index } => {
            to_struct(&expr.ty) && matches!(index.kind, ExprKind::Int(_)) && is_known(cx, base, vars)
        }
        ExprKind::Deref(base) => to_struct(&expr.ty) && is_known(cx, base, vars),
        ExprKind::Cast(base) => casts(cx, &expr.ty) || (expr.ty == base.ty && is_known(cx, base, vars)),
        ExprKind::Ternary { then, otherwise, .. } => is_known(cx, then, vars) && is_known(cx, otherwise, vars),
        ExprKind::Block { value, .. } => is_known(cx, value, vars),
        _ => false,
    }
}
