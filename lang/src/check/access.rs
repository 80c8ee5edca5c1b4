//! Postfix steps on kernel values: `args.x`, members of structs, elements of arrays and tuples.
//!
//! `.` follows pointers, so `->` means the same. Steps into message values are in `native`.

use super::Checker;
use super::scope::{Bound, Place};
use crate::ast::{self, AccessKind, AccessStep, ExprKind as Ast};
use crate::diagnostic::{Diagnostic, code, nearest};
use crate::hir::{self, ExprKind};
use crate::span::Span;
use crate::ty::{IntTy, Ty};

impl<'a> Checker<'a> {
    /// Checks `base.step[step]...`.
    pub(super) fn access(&mut self, base: &'a ast::Expr, steps: &'a [AccessStep], span: Span) -> hir::Expr {
        let (mut value, rest) = match self.first_step(base, steps) {
            Some(done) => done,
            None => (self.value(base), steps),
        };
        for step in rest {
            if value.ty == Ty::Error {
                // The indices may hold faults of their own.
                if let AccessKind::Index(index) = &step.kind {
                    let _ = self.value(index);
                }
                continue;
            }
            let place = value.span.to(step.span);
            value = self.step(value, step, place);
        }
        hir::Expr { span, ..value }
    }

    /// Bases that mean something only together with their first step: `args.x`, `request.x`, `headers["x"]`, `body.raw`.
    fn first_step(&mut self, base: &'a ast::Expr, steps: &'a [AccessStep]) -> Option<(hir::Expr, &'a [AccessStep])> {
        let Ast::Name(name) = &base.kind else {
            return None;
        };
        if let Some(Bound::Expr(expr, frames)) = self.bound(name) {
            // A macro's parameter: what was passed may itself be such a base.
            return self.in_frames_of(frames, |checker| match expr.kind {
                Ast::Name(_) => checker.first_step(expr, steps),
                _ => None,
            });
        }
        match self.body.place.clone()? {
            Place::Kernel { args, point, .. } if name == "args" => {
                let (first, rest) = steps.split_first()?;
                let (AccessKind::Field(field) | AccessKind::Arrow(field)) = &first.kind else {
                    return None;
                };
                let span = base.span.to(first.span);
                let value = match args.args.iter().position(|arg| arg.name == *field) {
                    Some(index) => self.arg(&args, index, span),
                    None => self.no_such_arg(&args, &point, field, first.span),
                };
                Some((value, rest))
            }
            Place::Message { schema, own, both, .. } => self.message_base((schema, own, both), name, base.span, steps),
            _ => None,
        }
    }

    fn step(&mut self, value: hir::Expr, step: &'a AccessStep, span: Span) -> hir::Expr {
        if matches!(value.ty, Ty::Any | Ty::Headers | Ty::Strings | Ty::List) {
            return self.message_step(value, step, span);
        }
        match &step.kind {
            AccessKind::Field(name) | AccessKind::Arrow(name) => self.member(value, name, step.span, span),
            AccessKind::Element(n) => self.tuple_item(value, i64::from(*n), step.span, span),
            AccessKind::Index(index) => {
                let index = self.value(index);
                if let (Ty::Tuple(_), Some(n)) = (&value.ty, self.constant(&index)) {
                    return self.tuple_item(value, n, step.span, span);
                }
                self.element(value, index, span)
            }
            AccessKind::Each | AccessKind::Deep => self.only_in_rules(step.span),
        }
    }

    /// Reports `[*]` and `**` outside a rule's path.
    pub(super) fn only_in_rules(&mut self, span: Span) -> hir::Expr {
        self.fault(
            Diagnostic::new(code::BAD_PATH, span, "`[*]` and `**` stand only in the paths of rules")
                .hint("name one element: `items[0]`"),
        )
    }

    fn member(&mut self, value: hir::Expr, name: &str, place: Span, span: Span) -> hir::Expr {
        let struct_name = match &value.ty {
            Ty::Struct(name) => name.clone(),
            Ty::Ptr(to, _) => match &**to {
                Ty::Struct(name) => name.clone(),
                _ => return self.no_members(&value, name, place),
            },
            _ => return self.no_members(&value, name, place),
        };
        let Some(layout) = self.env.layout(&struct_name) else {
            return self.fault(
                Diagnostic::new(
                    code::UNKNOWN_TYPE,
                    place,
                    format!("the layout of `struct {struct_name}` is not known"),
                )
                .hint("check the name; kernel types come from the kernel's BTF"),
            );
        };
        let Some(member) = layout.members.iter().find(|member| member.name == name) else {
            let near = nearest(name, layout.members.iter().map(|m| m.name.as_str()));
            let diagnostic =
                Diagnostic::new(code::UNKNOWN_MEMBER, place, format!("`struct {struct_name}` has no member `{name}`"))
                    .label("unknown member");
            return self.fault(match near {
                Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
                None => diagnostic,
            });
        };
        hir::Expr {
            kind: ExprKind::Member { base: Box::new(value), offset_bytes: member.offset_bytes, bits: member.bits },
            ty: member.ty.clone(),
            span,
        }
    }

    fn no_members(&mut self, value: &hir::Expr, name: &str, place: Span) -> hir::Expr {
        let ty = &value.ty;
        let diagnostic =
            Diagnostic::new(code::BAD_ACCESS, place, format!("a value of type {ty} has no member `{name}`"))
                .secondary(value.span, ty.to_string());
        let is_address =
            matches!(ty, Ty::Int(_)) || matches!(ty, Ty::Ptr(to, _) if matches!(**to, Ty::Void | Ty::Int(_)));
        self.fault(if is_address {
            diagnostic.hint(format!("cast it first: `((struct NAME *)x).{name}`"))
        } else {
            diagnostic
        })
    }

    fn tuple_item(&mut self, value: hir::Expr, n: i64, place: Span, span: Span) -> hir::Expr {
        let Ty::Tuple(items) = &value.ty else {
            let diagnostic =
                Diagnostic::new(code::BAD_ACCESS, place, format!("a value of type {} has no numbered parts", value.ty))
                    .secondary(value.span, value.ty.to_string());
            return self.fault(diagnostic);
        };
        let index = usize::try_from(n).ok();
        let Some(ty) = index.and_then(|n| items.get(n)).cloned() else {
            let message = format!("the tuple has {} parts, counted from 0", items.len());
            return self.fault(Diagnostic::new(code::BAD_ACCESS, place, message));
        };
        hir::Expr {
            kind: ExprKind::TupleItem { base: Box::new(value), index: u32::try_from(n).unwrap_or(0) },
            ty,
            span,
        }
    }

    /// An element of an array, or the nth thing after a pointer's.
    fn element(&mut self, value: hir::Expr, index: hir::Expr, span: Span) -> hir::Expr {
        let (ty, len) = match &value.ty {
            Ty::Array(item, len) => ((**item).clone(), Some(*len)),
            Ty::Ptr(to, _) if **to != Ty::Void => ((**to).clone(), None),
            other => {
                let diagnostic =
                    Diagnostic::new(code::BAD_ACCESS, span, format!("a value of type {other} has no elements"));
                return self.fault(diagnostic);
            }
        };
        let index = self.integer(index);
        if index.ty == Ty::Error {
            return index;
        }
        if let (Some(n), Some(len)) = (self.constant(&index), len)
            && (n < 0 || n >= i64::from(len))
        {
            return self.fault(Diagnostic::new(
                code::BAD_ACCESS,
                index.span,
                format!("the array has {len} elements, counted from 0"),
            ));
        }
        let index = super::infer::coerce(index, &Ty::Int(IntTy::I64));
        hir::Expr { kind: ExprKind::Index { base: Box::new(value), index: Box::new(index) }, ty, span }
    }
}
