//! Postfix steps into message values: headers, queries, lists, JSON.
//!
//! `header["x"]` is the first value of a header and `headers["x"]` all of them; `request.x` and `response.x` name the
//! message of an exchange; `body.raw` is the field `body_raw`.

use super::Checker;
use super::names::{field_expr, field_of};
use crate::ast::{AccessKind, AccessStep, ExprKind as Ast};
use crate::diagnostic::{Diagnostic, code};
use crate::hir::{self, ExprKind, Segment};
use crate::schema::{Field, Schema, Side};
use crate::span::Span;
use crate::ty::Ty;

impl<'a> Checker<'a> {
    /// A name with its first step, where the two together name something of the message.
    pub(super) fn message_base(
        &mut self,
        (schema, own, both): (&'a Schema, Side, bool),
        name: &'a str,
        span: Span,
        steps: &'a [AccessStep],
    ) -> Option<(hir::Expr, &'a [AccessStep])> {
        let (first, rest) = steps.split_first()?;
        if field_of(schema, own, both, name).is_none()
            && let Some(side) = side_named(name)
        {
            return self.qualified((schema, own, both), side, span, steps);
        }
        if let Some(field) = raw_view(|name| field_of(schema, own, both, name), name, &first.kind) {
            return Some((field_expr(field, span.to(first.span)), rest));
        }
        let value = self.all_values(|name| field_of(schema, own, both, name), name, span, first)?;
        Some((value, rest))
    }

    /// `request.x`, `response.x`
    fn qualified(
        &mut self,
        (schema, own, both): (&'a Schema, Side, bool),
        side: Side,
        span: Span,
        steps: &'a [AccessStep],
    ) -> Option<(hir::Expr, &'a [AccessStep])> {
        let (first, rest) = steps.split_first()?;
        let (AccessKind::Field(name) | AccessKind::Arrow(name)) = &first.kind else {
            return None;
        };
        let place = span.to(first.span);
        if side != own && !both {
            let word = side.name();
            let diagnostic = Diagnostic::new(code::OTHER_SIDE, place, format!("the {word} is not there yet"))
                .hint(self.where_known(&schema.protocol, word));
            return Some((self.fault(diagnostic), rest));
        }
        if let Some((second, after)) = rest.split_first() {
            if let Some(field) = raw_view(|name| schema.field(side, name), name, &second.kind) {
                return Some((field_expr(field, place.to(second.span)), after));
            }
            if let Some(value) = self.all_values(|name| schema.field(side, name), name, place, second) {
                return Some((value, after));
            }
        }
        let value = match schema.field(side, name) {
            Some(field) => field_expr(field, place),
            None => self.no_field(schema, side, name, first.span),
        };
        Some((value, rest))
    }

    /// Reports a field that one message of a protocol lacks.
    pub(super) fn no_field(&mut self, schema: &Schema, side: Side, name: &str, span: Span) -> hir::Expr {
        let word = side.name();
        let names: Vec<&str> = schema
            .fields
            .iter()
            .filter(|field| field.side.is_none_or(|s| s == side))
            .map(|field| field.name.as_str())
            .collect();
        let diagnostic =
            Diagnostic::new(code::UNKNOWN_FIELD, span, format!("a {} {word} has no field `{name}`", schema.protocol))
                .label("unknown field");
        self.fault(match crate::diagnostic::nearest(name, names.iter().copied()) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic.hint(format!("the fields are {}", names.join(", "))),
        })
    }

    /// `headers["x"]`, where the schema has `header`.
    fn all_values<'f>(
        &mut self,
        find: impl Fn(&str) -> Option<&'f Field>,
        name: &str,
        span: Span,
        step: &'a AccessStep,
    ) -> Option<hir::Expr> {
        let singular = name.strip_suffix('s').filter(|_| find(name).is_none())?;
        let field = find(singular).filter(|field| field.ty == crate::schema::FieldType::Headers)?;
        let place = span.to(step.span);
        let AccessKind::Index(index) = &step.kind else {
            return None;
        };
        let Ast::Str(text) = &index.kind else {
            return Some(
                self.fault(
                    Diagnostic::expected(code::MISMATCH, index.span, "a literal name", "something else")
                        .hint(format!("write {name}[\"set-cookie\"]")),
                ),
            );
        };
        let key = String::from_utf8_lossy(text).into_owned();
        Some(hir::Expr {
            kind: ExprKind::Path { base: Box::new(field_expr(field, span)), segments: vec![Segment::All(key)] },
            ty: Ty::List,
            span: place,
        })
    }

    /// One step into a message value.
    pub(super) fn message_step(&mut self, value: hir::Expr, step: &'a AccessStep, span: Span) -> hir::Expr {
        let segment = match &step.kind {
            AccessKind::Field(name) | AccessKind::Arrow(name) => Segment::Name(name.clone()),
            AccessKind::Element(n) => Segment::Index(i64::from(*n)),
            AccessKind::Index(index) => {
                let index = self.value(index);
                match (index.ty == Ty::Error, self.segment(index)) {
                    (true, _) => return super::error_expr(span),
                    (false, Ok(segment)) => segment,
                    (false, Err(fault)) => return fault,
                }
            }
            AccessKind::Each | AccessKind::Deep => return self.only_in_rules(step.span),
        };
        let by_name = match &segment {
            Segment::Name(_) | Segment::All(_) => true,
            Segment::Index(_) => false,
            Segment::Key(key) => key.ty == Ty::Str,
        };
        let ty = match (&value.ty, by_name) {
            (Ty::Headers | Ty::Strings, true) => Ty::Str,
            (Ty::List, false) => Ty::Str,
            (Ty::Headers | Ty::Strings, false) => return self.wrong_step(&value.ty, "a name in quotes", step.span),
            (Ty::List, true) => return self.wrong_step(&value.ty, "a number", step.span),
            _ => Ty::Any,
        };
        extend(value, segment, ty, span)
    }

    fn segment(&mut self, index: hir::Expr) -> Result<Segment, hir::Expr> {
        match (&index.kind, &index.ty) {
            (ExprKind::Str(text), _) => Ok(Segment::Name(String::from_utf8_lossy(text).into_owned())),
            (_, Ty::Str) => Ok(Segment::Key(Box::new(index))),
            (_, Ty::Int(_) | Ty::Enum(..)) => Ok(match self.constant(&index) {
                Some(n) => Segment::Index(n),
                None => Segment::Key(Box::new(self.integer(index))),
            }),
            (_, other) => {
                let found = other.to_string();
                Err(self.fault(Diagnostic::expected(code::MISMATCH, index.span, "a text or a number", found)))
            }
        }
    }

    fn wrong_step(&mut self, ty: &Ty, expected: &str, span: Span) -> hir::Expr {
        self.fault(
            Diagnostic::new(code::BAD_ACCESS, span, format!("an entry of {ty} is reached by {expected}"))
                .label(format!("expected {expected}")),
        )
    }
}

/// `request` or `response`.
pub(super) fn side_named(name: &str) -> Option<Side> {
    [Side::Request, Side::Response].into_iter().find(|side| side.name() == name)
}

/// `body.raw` is the field `body_raw`, where there is one.
pub(super) fn raw_view<'f>(
    find: impl Fn(&str) -> Option<&'f Field>,
    name: &str,
    step: &AccessKind,
) -> Option<&'f Field> {
    match step {
        AccessKind::Field(raw) if raw == "raw" => find(&format!("{name}_raw")),
        _ => None,
    }
}

/// Adds a segment to a path, or begins one.
fn extend(value: hir::Expr, segment: Segment, ty: Ty, span: Span) -> hir::Expr {
    let kind = match value.kind {
        ExprKind::Path { base, mut segments } => {
            segments.push(segment);
            ExprKind::Path { base, segments }
        }
        kind => ExprKind::Path {
            base: Box::new(hir::Expr { kind, ty: value.ty, span: value.span }),
            segments: vec![segment],
        },
    };
    hir::Expr { kind, ty, span }
}
