//! The actions of rules: which stage has which, and what each takes.

use super::Checker;
use super::rules::stage_name;
use super::scope::Place;
use crate::ast;
use crate::diagnostic::{Diagnostic, code, nearest};
use crate::hir::{Action, Path, Rule, Stage};
use crate::schema::{Direction, Schema, Side};
use crate::span::Span;
use crate::ty::Ty;

/// Each action with its stage, the number of its arguments and how it is written.
const ACTIONS: &[(&str, Stage, usize, &str)] = &[
    ("skip", Stage::Capture, 0, "skip"),
    ("redact", Stage::Capture, 1, "redact(header[\"x-api-key\"])"),
    ("tag", Stage::Capture, 1, "tag(\"checkout\")"),
    ("sample", Stage::Capture, 1, "sample(10)"),
    ("limit", Stage::Capture, 1, "limit(64KiB)"),
    ("ignore", Stage::Match, 1, "ignore(body.updated_at)"),
    ("like", Stage::Match, 2, "like(body.id, uuid)"),
    ("within", Stage::Match, 2, "within(body.total, 0.01)"),
    ("unordered", Stage::Match, 1, "unordered(body.items)"),
    ("optional", Stage::Match, 1, "optional(body.note)"),
    ("require", Stage::Match, 2, "require(status == 200, \"the order exists\")"),
    ("key", Stage::Mock, usize::MAX, "key(method, path)"),
    ("respond", Stage::Mock, usize::MAX, "respond(status: 503)"),
    ("delay", Stage::Mock, 1, "delay(20ms)"),
    ("abort", Stage::Mock, 1, "abort(reset)"),
    ("passthrough", Stage::Mock, 0, "passthrough"),
    ("cycle", Stage::Mock, 0, "cycle"),
    ("latest", Stage::Mock, 0, "latest"),
];

/// Whether a name is an action's.
pub(super) fn is_action(name: &str) -> bool {
    ACTIONS.iter().any(|(action, ..)| *action == name)
}

/// The actions of a stage.
pub fn names(stage: Stage) -> Vec<&'static str> {
    ACTIONS.iter().filter(|(_, s, ..)| *s == stage).map(|(name, ..)| *name).collect()
}

impl<'a> Checker<'a> {
    /// Checks an action. One on a field that both messages have becomes two.
    pub(super) fn action(&mut self, rule: &Rule, name: &'a str, args: &'a [ast::Arg], span: Span) -> Vec<Action> {
        let Some((_, stage, count, example)) = ACTIONS.iter().find(|(action, ..)| *action == name).copied() else {
            self.unknown_action(rule, name, span);
            return Vec::new();
        };
        if stage != rule.stage {
            let (has, here) = (stage_name(stage), stage_name(rule.stage));
            self.report(
                Diagnostic::new(
                    code::ACTION_STAGE,
                    span,
                    format!("`{name}` is an action of {has} rules, and this is a {here} rule"),
                )
                .hint(format!("write it in a clause on `{has}:{}`", rule.protocol)),
            );
            return Vec::new();
        }
        let fits = if count == usize::MAX { !args.is_empty() } else { args.len() == count };
        if !fits {
            let wanted = match count {
                usize::MAX => "at least 1 argument".to_owned(),
                1 => "1 argument".to_owned(),
                n => format!("{n} arguments"),
            };
            self.report(
                Diagnostic::expected(code::ARGUMENT_COUNT, span, wanted, args.len().to_string())
                    .hint(format!("write it as `{example}`")),
            );
            return Vec::new();
        }
        if name != "respond"
            && let Some(named) = args.iter().find_map(|arg| arg.name.as_ref())
        {
            self.report(
                Diagnostic::new(code::BAD_ARGUMENT, named.span, format!("`{name}` takes no named arguments"))
                    .hint(format!("write it as `{example}`")),
            );
            return Vec::new();
        }
        let Some(Place::Message { schema, .. }) = self.body.place.clone() else {
            return Vec::new();
        };
        match stage {
            Stage::Capture => self.capture_action(rule, schema, name, args, span),
            Stage::Match => self.match_action(rule, schema, name, args),
            Stage::Mock => self.mock_action(schema, name, args),
        }
    }

    fn unknown_action(&mut self, rule: &Rule, name: &str, span: Span) {
        let known = names(rule.stage);
        let diagnostic = Diagnostic::new(
            code::UNKNOWN_ACTION,
            span,
            format!("a {} rule has no action `{name}`", stage_name(rule.stage)),
        );
        self.report(match nearest(name, known.iter().copied()) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic.hint(format!("the actions here are {}", known.join(", "))),
        });
    }

    fn capture_action(
        &mut self,
        rule: &Rule,
        schema: &'a Schema,
        name: &str,
        args: &'a [ast::Arg],
        span: Span,
    ) -> Vec<Action> {
        let Some(arg) = args.first() else {
            return vec![Action::Skip];
        };
        match name {
            "redact" => {
                if is_opaque(schema) {
                    self.report(
                        Diagnostic::new(
                            code::REDACT_OPAQUE,
                            span,
                            format!("{} is an opaque stream, of which nothing can be redacted", schema.protocol),
                        )
                        .hint("skip it, or record a protocol that reel decodes"),
                    );
                    return Vec::new();
                }
                let paths = self.paths(schema, &[Side::Request, Side::Response], &arg.value);
                paths.into_iter().map(Action::Redact).collect()
            }
            "tag" => self.text_of_action(&arg.value).map(Action::Tag).into_iter().collect(),
            "sample" => {
                if rule.direction != Some(Direction::In) {
                    self.report(
                        Diagnostic::new(code::SAMPLE_DIRECTION, span, "`sample` is for incoming messages only")
                            .hint(format!("write it in a clause on `capture:{}:in`", rule.protocol)),
                    );
                }
                let n = self.number_of_action(&arg.value, 1..=i64::from(u32::MAX));
                n.and_then(|n| u32::try_from(n).ok()).map(Action::Sample).into_iter().collect()
            }
            _ => {
                let n = self.number_of_action(&arg.value, 1..=i64::MAX);
                n.map(|n| Action::Limit(n.unsigned_abs())).into_iter().collect()
            }
        }
    }

    fn match_action(&mut self, rule: &Rule, schema: &'a Schema, name: &str, args: &'a [ast::Arg]) -> Vec<Action> {
        let Some(first) = args.first() else {
            return Vec::new();
        };
        let second = args.get(1).map(|arg| &arg.value);
        if let ("require", Some(why)) = (name, second) {
            let condition = self.condition(&first.value);
            let why = self.text_of_action(why);
            return why.map(|why| Action::Require(condition, why)).into_iter().collect();
        }
        let paths = self.paths(schema, compared_sides(rule), &first.value);
        self.warn_uncompared(schema, &paths);
        let make: Box<dyn Fn(Path) -> Action> = match (name, second) {
            ("ignore", _) => Box::new(Action::Ignore),
            ("unordered", _) => Box::new(Action::Unordered),
            ("optional", _) => Box::new(Action::Optional),
            ("like", Some(class)) => match self.noise_named(class) {
                Some(id) => Box::new(move |path| Action::Like(path, id)),
                None => return Vec::new(),
            },
            (_, Some(tolerance)) => match self.tolerance(tolerance) {
                Some(tolerance) => Box::new(move |path| Action::Within(path, tolerance)),
                None => return Vec::new(),
            },
            _ => return Vec::new(),
        };
        paths.into_iter().map(make).collect()
    }

    fn mock_action(&mut self, schema: &'a Schema, name: &str, args: &'a [ast::Arg]) -> Vec<Action> {
        match (name, args.first()) {
            ("passthrough", _) => vec![Action::Passthrough],
            ("cycle", _) => vec![Action::Cycle],
            ("latest", _) => vec![Action::Latest],
            ("key", _) => {
                let mut key = Vec::new();
                for arg in args {
                    key.extend(self.paths(schema, &[Side::Request], &arg.value));
                }
                vec![Action::Key(key)]
            }
            ("respond", _) => self.respond(schema, args),
            ("delay", Some(arg)) => {
                let value = self.value(&arg.value);
                match (&value.ty, self.constant(&value)) {
                    (Ty::Duration, Some(ns)) => return vec![Action::Delay(ns)],
                    (Ty::Error, _) => {}
                    (ty, _) => {
                        let found = ty.to_string();
                        self.report(
                            Diagnostic::expected(code::MISMATCH, arg.value.span, "a literal duration", found)
                                .hint("write the unit: `delay(20ms)`"),
                        );
                    }
                }
                Vec::new()
            }
            (_, Some(arg)) => self.abort(&arg.value).map(Action::Abort).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn warn_uncompared(&mut self, schema: &Schema, paths: &[Path]) {
        for path in paths {
            let Some(field) = schema.fields.get(path.field.0 as usize).filter(|field| !field.compared) else {
                continue;
            };
            let message = format!("`{}` takes no part in comparing messages", field.name);
            self.report(
                Diagnostic::new(code::NOT_COMPARED, path.span, message)
                    .hint("name the field that it is derived from, or remove this"),
            );
        }
    }
}

/// The messages that a match rule compares: what the app sends, which is responses to callers and requests to others.
fn compared_sides(rule: &Rule) -> &'static [Side] {
    match (rule.side, rule.direction) {
        (Some(Side::Request), _) => &[Side::Request],
        (Some(Side::Response), _) => &[Side::Response],
        (None, Some(Direction::In)) => &[Side::Response],
        (None, Some(Direction::Out)) => &[Side::Request],
        (None, None) => &[Side::Request, Side::Response],
    }
}

/// Whether a protocol is the one for conversations that no other decodes.
fn is_opaque(schema: &Schema) -> bool {
    schema.protocol == "tcp" || schema.protocol == "opaque"
}
