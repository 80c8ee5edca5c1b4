//! Paths of rules: `body.items[*].updated_at`, `header["date"]`, `body.**.id`.
//!
//! A path begins with a field, which `request.` or `response.` may qualify. Where a rule is on both messages and both have
//! the field, it speaks of both: one path for each.

use super::Checker;
use super::native::{raw_view, side_named};
use crate::ast::{self, AccessKind, AccessStep, ExprKind as Ast};
use crate::diagnostic::{Diagnostic, code, nearest};
use crate::hir::{Path, Step};
use crate::schema::{Field, FieldType, Schema, Side};
use crate::span::Span;

impl<'a> Checker<'a> {
    /// Reads a path, one for each of the sides whose message has its field. Empty where something was reported.
    pub(super) fn paths(&mut self, schema: &'a Schema, sides: &[Side], expr: &'a ast::Expr) -> Vec<Path> {
        let (base, steps) = match &expr.kind {
            Ast::Access { base, steps } => (&**base, steps.as_slice()),
            _ => (expr, &[][..]),
        };
        let Ast::Name(name) = &base.kind else {
            if base.kind != Ast::Error {
                self.report(
                    Diagnostic::expected(code::BAD_PATH, base.span, "a field of the message", "something else")
                        .hint("write a path such as body.items[*].id or header[\"date\"]"),
                );
            }
            return Vec::new();
        };
        let is_field = sides.iter().any(|side| schema.field(*side, name).is_some());
        if let (Some(side), Some((first, rest)), false) = (side_named(name), steps.split_first(), is_field)
            && let AccessKind::Field(field) | AccessKind::Arrow(field) = &first.kind
        {
            if !sides.contains(&side) {
                return self.not_this_side(side, base.span);
            }
            return self.field_paths(schema, &[side], (field, first.span), rest, expr.span);
        }
        self.field_paths(schema, sides, (name, base.span), steps, expr.span)
    }

    fn not_this_side(&mut self, side: Side, span: Span) -> Vec<Path> {
        let message = format!("this rule does not speak of the {}", side.name());
        self.report(Diagnostic::new(code::OTHER_SIDE, span, message));
        Vec::new()
    }

    fn field_paths(
        &mut self,
        schema: &'a Schema,
        sides: &[Side],
        (name, place): (&str, Span),
        steps: &'a [AccessStep],
        span: Span,
    ) -> Vec<Path> {
        let mut paths = Vec::new();
        let mut reported = false;
        for side in sides {
            let find = |name: &str| schema.field(*side, name);
            let plural = name.strip_suffix('s').and_then(find).filter(|f| f.ty == FieldType::Headers);
            let Some(mut field) = find(name).or(plural) else {
                continue;
            };
            let mut rest = steps;
            if let Some((first, after)) = steps.split_first()
                && let Some(raw) = raw_view(find, name, &first.kind)
            {
                (field, rest) = (raw, after);
            }
            match self.path_steps(field, rest) {
                Some(steps) => paths.push(Path { field: field.id, side: *side, steps, span }),
                None => reported = true,
            }
        }
        if paths.is_empty() && !reported {
            self.no_path_field(schema, sides, name, place);
        }
        if reported { Vec::new() } else { paths }
    }

    fn no_path_field(&mut self, schema: &Schema, sides: &[Side], name: &str, place: Span) {
        if let [side] = sides {
            if let Some(field) = schema.field(side.opposite(), name).filter(|field| field.side.is_some()) {
                let (other, this) = (side.opposite().name(), side.name());
                let message = format!("`{}` is a field of the {other}; this rule speaks of the {this}", field.name);
                self.report(Diagnostic::new(code::OTHER_SIDE, place, message));
                return;
            }
            self.no_field(schema, *side, name, place);
            return;
        }
        let names: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
        let message = format!("{} messages have no field `{name}`", schema.protocol);
        let diagnostic = Diagnostic::new(code::UNKNOWN_FIELD, place, message).label("unknown field");
        self.report(match nearest(name, names) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic,
        });
    }

    /// Reads the steps and holds them against what the field can have in it.
    fn path_steps(&mut self, field: &Field, steps: &'a [AccessStep]) -> Option<Vec<Step>> {
        let mut read = Vec::new();
        for step in steps {
            read.push(self.path_step(step)?);
        }
        let wrong = match (field.ty, read.as_slice()) {
            (_, []) | (FieldType::Any, _) => None,
            (FieldType::Headers | FieldType::Strings, [Step::Name(_) | Step::Each | Step::Deep]) => None,
            (FieldType::Headers | FieldType::Strings, [Step::Index(_), ..]) => Some((0, "is reached by name")),
            (FieldType::List, [Step::Index(_) | Step::Each | Step::Deep]) => None,
            (FieldType::List, [Step::Name(_), ..]) => Some((0, "is reached by number")),
            (FieldType::Headers | FieldType::Strings | FieldType::List, _) => {
                Some((1, "has texts in it, and nothing in those"))
            }
            _ => Some((0, "has nothing in it")),
        };
        if let Some((at, why)) = wrong {
            let span = steps.get(at).map_or(Span::default(), |step| step.span);
            let message = format!("`{}` {why}", field.name);
            self.report(Diagnostic::new(code::BAD_PATH, span, message));
            return None;
        }
        Some(read)
    }

    fn path_step(&mut self, step: &'a AccessStep) -> Option<Step> {
        Some(match &step.kind {
            AccessKind::Field(name) | AccessKind::Arrow(name) => Step::Name(name.clone()),
            AccessKind::Element(n) => Step::Index(i64::from(*n)),
            AccessKind::Each => Step::Each,
            AccessKind::Deep => Step::Deep,
            AccessKind::Index(index) => match &index.kind {
                Ast::Str(text) => Step::Name(String::from_utf8_lossy(text).into_owned()),
                Ast::Int { value, .. } => Step::Index(i64::try_from(*value).unwrap_or(i64::MAX)),
                Ast::Error => return None,
                _ => {
                    self.report(
                        Diagnostic::expected(code::BAD_PATH, index.span, "a literal name or number", "something else")
                            .hint("write [\"name\"], [0] or [*]"),
                    );
                    return None;
                }
            },
        })
    }
}
