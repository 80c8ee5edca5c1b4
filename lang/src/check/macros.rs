//! Macros, expanded where they are called.
//!
//! An expansion is hygienic: its body is checked in a frame of its own, in which `$v` and `@m` are what was passed and an
//! expression parameter is checked where it was written, with the caller's names. A macro that takes nothing is also called
//! without `()`; so is a `#define`.

use std::collections::HashMap;

use super::Checker;
use super::scope::{Bound, Frame};
use crate::ast::{self, ExprKind as Ast, MacroParam};
use crate::diagnostic::{Diagnostic, code};
use crate::hir;
use crate::span::Span;

/// The deepest nesting of expansions.
const MAX_EXPANSION_DEPTH: usize = 32;
/// The most expansions in one clause: a macro that uses its parameter twice doubles what is passed.
const MAX_EXPANSIONS: usize = 4_096;

impl<'a> Checker<'a> {
    /// Expands a macro or `#define` that is named without `()`.
    pub(super) fn macro_by_name(&mut self, name: &'a str, span: Span) -> Option<hir::Expr> {
        if let Some(define) = self.decls.defines.get(name).copied() {
            let value = define.value.as_ref()?;
            if self.body.frames.len() > MAX_EXPANSION_DEPTH {
                return Some(self.too_deep(name, span));
            }
            self.body.frames.push(Frame { blocks: vec![HashMap::new()], ..Frame::default() });
            let value = self.any_value(value);
            self.body.frames.pop();
            return Some(hir::Expr { span, ..value });
        }
        let found = self.decls.macros.get(name)?.iter().copied().find(|m| m.params.is_empty())?;
        Some(self.expand_with(found, HashMap::new(), span))
    }

    /// Expands `name(args)`.
    pub(super) fn expand(&mut self, name: &'a ast::Ident, args: &'a [ast::Arg], span: Span) -> hir::Expr {
        let candidates = self.decls.macros.get(name.name.as_str()).cloned().unwrap_or_default();
        let fits = |found: &&&ast::Macro| {
            found.params.len() == args.len() && found.params.iter().zip(args).all(|(param, arg)| accepts(param, arg))
        };
        let Some(found) = candidates.iter().find(fits).copied() else {
            let mut diagnostic =
                Diagnostic::new(code::ARGUMENT_COUNT, span, format!("no macro `{}` takes these arguments", name.name));
            for candidate in &candidates {
                diagnostic = diagnostic.secondary(candidate.name.span, format!("takes {}", signature(candidate)));
            }
            return self.fault(diagnostic);
        };
        let frames = self.body.frames.len();
        let mut params = HashMap::new();
        for (param, arg) in found.params.iter().zip(args) {
            match (param, &arg.value.kind) {
                (MacroParam::Var(ident), Ast::Var(passed)) => {
                    let id = self.lookup(passed).unwrap_or_else(|| self.declare(passed, arg.value.span));
                    params.insert(format!("${}", ident.name), Bound::Var(id));
                }
                (MacroParam::Map(ident), Ast::Map { name, .. }) => {
                    if let Some(name) = self.map_name(name, arg.value.span) {
                        params.insert(format!("@{}", ident.name), Bound::Map(name));
                    }
                }
                (MacroParam::Expr(ident), _) => {
                    params.insert(ident.name.clone(), Bound::Expr(&arg.value, frames));
                }
                _ => {}
            }
        }
        self.expand_with(found, params, span)
    }

    fn expand_with(&mut self, found: &'a ast::Macro, params: HashMap<String, Bound<'a>>, span: Span) -> hir::Expr {
        let name = &found.name.name;
        let recursive = self.body.frames.iter().any(|frame| frame.expands.is_some_and(|m| std::ptr::eq(m, found)));
        if recursive {
            return self.fault(
                Diagnostic::new(code::RECURSION, span, format!("the macro `{name}` expands to itself"))
                    .secondary(found.name.span, "defined here")
                    .hint("use a loop"),
            );
        }
        if self.body.frames.len() > MAX_EXPANSION_DEPTH {
            return self.too_deep(name, span);
        }
        self.body.expansions += 1;
        if self.body.expansions > MAX_EXPANSIONS {
            let message = format!("the clause expands more than {MAX_EXPANSIONS} macros");
            return self.fault(Diagnostic::new(code::RECURSION, found.name.span, message));
        }
        self.body.frames.push(Frame { blocks: vec![HashMap::new()], params, expands: Some(found) });
        let value = self.block_expr(&found.body, span);
        self.body.frames.pop();
        value
    }

    fn too_deep(&mut self, name: &str, span: Span) -> hir::Expr {
        self.fault(Diagnostic::new(
            code::RECURSION,
            span,
            format!("`{name}` expands more than {MAX_EXPANSION_DEPTH} levels deep"),
        ))
    }

    /// Checks something with only the first `frames` frames: what was written in the caller sees the caller's names.
    pub(super) fn in_frames_of<R>(&mut self, frames: usize, inner: impl FnOnce(&mut Self) -> R) -> R {
        let hidden = self.body.frames.split_off(frames.min(self.body.frames.len()));
        let result = inner(self);
        self.body.frames.truncate(frames);
        self.body.frames.extend(hidden);
        result
    }
}

/// Whether what is passed has the form of the parameter.
fn accepts(param: &MacroParam, arg: &ast::Arg) -> bool {
    arg.name.is_none()
        && match param {
            MacroParam::Var(_) => matches!(arg.value.kind, Ast::Var(_)),
            MacroParam::Map(_) => matches!(&arg.value.kind, Ast::Map { keys, .. } if keys.is_empty()),
            MacroParam::Expr(_) => true,
        }
}

fn signature(found: &ast::Macro) -> String {
    let params: Vec<String> = found
        .params
        .iter()
        .map(|param| match param {
            MacroParam::Var(ident) => format!("${}", ident.name),
            MacroParam::Map(ident) => format!("@{}", ident.name),
            MacroParam::Expr(ident) => ident.name.clone(),
        })
        .collect();
    format!("({})", params.join(", "))
}
