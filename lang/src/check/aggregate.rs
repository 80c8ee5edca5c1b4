//! Map aggregations: `@m[k] = count()`, `sum`, `min`, `max`, `avg`, `stats`, `hist`, `lhist`.
//!
//! Which names are aggregations the environment says; what they keep is part of the language and stands here.

use super::Checker;
use super::stmt::push;
use crate::ast::{self, ExprKind as Ast};
use crate::diagnostic::{Diagnostic, code};
use crate::env::Returns;
use crate::hir::{self, ExprKind, StmtKind};
use crate::span::Span;
use crate::ty::{Agg, IntTy, Ty};

/// The most buckets of a linear histogram, as in bpftrace.
const MAX_LHIST_BUCKETS: i64 = 1_000;
/// The most bits by which a bucket of `hist` is cut, as in bpftrace.
const MAX_HIST_BITS: i64 = 5;

impl<'a> Checker<'a> {
    /// Whether an expression is a call of an aggregation.
    pub(super) fn is_aggregation(&self, value: &ast::Expr) -> bool {
        matches!(&value.kind, Ast::Call { name, .. }
            if self.env.function(&name.name).is_some_and(|f| f.returns == Returns::Agg))
    }

    /// Checks `@name[keys] = agg(...)`.
    pub(super) fn aggregate(
        &mut self,
        span: Span,
        (name, keys, place): (&str, &'a [ast::Expr], Span),
        value: &'a ast::Expr,
        out: &mut Vec<hir::Stmt>,
    ) {
        let (map, key) = self.map_entry(name, keys, place);
        let Ast::Call { name: function, args } = &value.kind else {
            return;
        };
        let Some(declared) = self.env.function(&function.name) else {
            return;
        };
        let args = self.arguments(declared, args, value.span);
        if args.iter().any(|arg| arg.ty == Ty::Error) {
            return;
        }
        let Some(agg) = self.aggregation(&function.name, &args, value.span) else {
            return;
        };
        let stored = hir::Expr { kind: ExprKind::Nil, ty: Ty::Agg(agg), span: value.span };
        let joined = self.join_value(map, stored);
        let Ty::Agg(agg) = joined.ty else {
            return;
        };
        let value = args.into_iter().next();
        push(out, StmtKind::MapAggregate { map, key, agg, value }, span);
    }

    fn aggregation(&mut self, name: &str, args: &[hir::Expr], span: Span) -> Option<Agg> {
        let signed = match args.first().map(|arg| &arg.ty) {
            Some(Ty::Int(IntTy { signed, .. })) => *signed,
            _ => true,
        };
        let number = |checker: &Self, n: usize| args.get(n).and_then(|arg| checker.constant(arg));
        Some(match name {
            "count" => Agg::Count,
            "sum" => Agg::Sum { signed },
            "min" => Agg::Min { signed },
            "max" => Agg::Max { signed },
            "avg" => Agg::Avg { signed },
            "stats" => Agg::Stats { signed },
            "hist" => {
                let bits = number(self, 1).unwrap_or(0);
                if !(0..=MAX_HIST_BITS).contains(&bits) {
                    let place = args.get(1).map_or(span, |arg| arg.span);
                    self.report(Diagnostic::expected(
                        code::BAD_ARGUMENT,
                        place,
                        "a number of bits from 0 to 5",
                        bits.to_string(),
                    ));
                    return None;
                }
                Agg::Hist { bits: bits as u8 }
            }
            "lhist" => {
                let (min, max, step) = (number(self, 1)?, number(self, 2)?, number(self, 3)?);
                return self.lhist(min, max, step, span);
            }
            _ => {
                self.not_yet(code::NOT_YET_FUNCTION, span, &format!("`{name}`"));
                return None;
            }
        })
    }

    fn lhist(&mut self, min: i64, max: i64, step: i64, span: Span) -> Option<Agg> {
        let wrong = if step <= 0 {
            "the width of a bucket must be above 0".to_owned()
        } else if max <= min {
            "the highest value must be above the lowest".to_owned()
        } else if max.saturating_sub(min) / step > MAX_LHIST_BUCKETS {
            format!("that makes more than {MAX_LHIST_BUCKETS} buckets")
        } else {
            return Some(Agg::Lhist { min, max, step });
        };
        self.report(
            Diagnostic::new(code::BAD_ARGUMENT, span, wrong).hint("write lhist(value, lowest, highest, width)"),
        );
        None
    }
}
