//! What actions take: words, literals, noise classes, and the fields of a response.

use super::Checker;
use crate::ast::{self, ExprKind as Ast};
use crate::diagnostic::{Diagnostic, code, nearest};
use crate::hir::{Abort, Action, Tolerance};
use crate::schema::{FieldType, Schema, Side};
use crate::ty::Ty;

/// What `abort` can do.
const ABORTS: &[(&str, Abort)] = &[("reset", Abort::Reset), ("refused", Abort::Refused), ("timeout", Abort::Timeout)];

impl<'a> Checker<'a> {
    pub(super) fn abort(&mut self, expr: &'a ast::Expr) -> Option<Abort> {
        let name = match &expr.kind {
            Ast::Name(name) => name.as_str(),
            Ast::Error => return None,
            _ => "",
        };
        if let Some((_, abort)) = ABORTS.iter().find(|(word, _)| *word == name) {
            return Some(*abort);
        }
        let found = if name.is_empty() { "something else".to_owned() } else { format!("`{name}`") };
        let diagnostic = Diagnostic::expected(code::BAD_WORD, expr.span, "reset, refused or timeout", found);
        self.report(match nearest(name, ABORTS.iter().map(|(word, _)| *word)) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic,
        });
        None
    }

    /// `respond(status: 503, body: "busy")`, or one value for the protocol's first response field.
    pub(super) fn respond(&mut self, schema: &'a Schema, args: &'a [ast::Arg]) -> Vec<Action> {
        let mut fields: Vec<(String, crate::hir::Expr)> = Vec::new();
        for arg in args {
            let field = match &arg.name {
                Some(name) => match schema.field(Side::Response, &name.name).filter(|f| f.side.is_some()) {
                    Some(field) => field,
                    None => {
                        self.no_field(schema, Side::Response, &name.name, name.span);
                        let _ = self.value(&arg.value);
                        continue;
                    }
                },
                None => match schema.fields.iter().find(|f| f.side == Some(Side::Response)) {
                    Some(field) if args.len() == 1 => field,
                    _ => {
                        self.report(
                            Diagnostic::new(
                                code::BAD_ARGUMENT,
                                arg.value.span,
                                "of several fields each needs its name",
                            )
                            .hint("write `status: 503`"),
                        );
                        continue;
                    }
                },
            };
            let value = self.value(&arg.value);
            if fields.iter().any(|(name, _)| *name == field.name) {
                let message = format!("the field `{}` is given twice", field.name);
                self.report(Diagnostic::new(code::BAD_ARGUMENT, arg.value.span, message));
            }
            let value = self.response_value(field.ty, value);
            fields.push((field.name.clone(), value));
        }
        vec![Action::Respond(fields)]
    }

    fn response_value(&mut self, ty: FieldType, value: crate::hir::Expr) -> crate::hir::Expr {
        let fits = match (ty, &value.ty) {
            (_, Ty::Error | Ty::Any | Ty::Nil) => true,
            (FieldType::Any, found) => super::infer::is_message_value(found),
            (expected, found) => *found == super::names::field_ty(expected),
        };
        if fits {
            return value;
        }
        let expected = super::names::field_ty(ty).to_string();
        self.fault(Diagnostic::expected(code::MISMATCH, value.span, expected, value.ty.to_string()))
    }

    pub(super) fn noise_named(&mut self, expr: &'a ast::Expr) -> Option<crate::hir::NoiseId> {
        let name = match &expr.kind {
            Ast::Name(name) => name.as_str(),
            Ast::Error => return None,
            _ => {
                self.report(Diagnostic::expected(
                    code::UNKNOWN_NOISE,
                    expr.span,
                    "the name of a noise class",
                    "something else",
                ));
                return None;
            }
        };
        if let Some(class) = self.decls.noise.get(name) {
            return Some(class.id);
        }
        let diagnostic = Diagnostic::new(code::UNKNOWN_NOISE, expr.span, format!("unknown noise class `{name}`"));
        let near = nearest(name, self.decls.noise.keys().copied()).map(str::to_owned);
        self.report(match near {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic.hint(format!("define it: `noise {name}(s) = s =~ \"...\";`")),
        });
        None
    }

    pub(super) fn tolerance(&mut self, expr: &'a ast::Expr) -> Option<Tolerance> {
        let number = match &expr.kind {
            Ast::Int { value, .. } => value.to_string().parse().ok().map(Tolerance::Absolute),
            Ast::Decimal(digits) => digits.parse().ok().map(Tolerance::Absolute),
            Ast::Percent(digits) => digits.parse().ok().map(|n: f64| Tolerance::Relative(n / 100.0)),
            Ast::Duration { ns, .. } => ns.to_string().parse().ok().map(Tolerance::Absolute),
            Ast::Error => return None,
            _ => None,
        };
        if number.is_none() {
            self.report(Diagnostic::expected(
                code::BAD_TOLERANCE,
                expr.span,
                "a literal number or percentage",
                "something else",
            ));
        }
        number
    }

    pub(super) fn text_of_action(&mut self, expr: &'a ast::Expr) -> Option<String> {
        match &expr.kind {
            Ast::Str(text) => return Some(String::from_utf8_lossy(text).into_owned()),
            Ast::Error => {}
            _ => self.report(Diagnostic::expected(code::NOT_CONSTANT, expr.span, "a literal text", "something else")),
        }
        None
    }

    pub(super) fn number_of_action(
        &mut self,
        expr: &'a ast::Expr,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = self.value(expr);
        let n = match value.ty {
            Ty::Error => return None,
            Ty::Int(_) => self.constant(&value).filter(|n| range.contains(n)),
            _ => None,
        };
        if n.is_none() {
            self.report(Diagnostic::expected(
                code::NOT_CONSTANT,
                expr.span,
                "a literal number above 0",
                value.ty.to_string(),
            ));
        }
        n
    }
}
