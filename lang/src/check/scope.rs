//! Scratch variables: block scopes without shadowing, and what a body is checked in.
//!
//! A variable is declared by its first assignment, in the block where that stands, and is gone after the block. A macro's
//! body is a frame of its own: it sees its parameters and its own variables, never those of the caller. Variables are
//! numbered in the order of declaration, so that their types carry over from pass to pass.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Checker;
use super::infer::{Infer, Width, coerce};
use crate::ast;
use crate::diagnostic::{Diagnostic, code, nearest};
use crate::env::{ArgsLayout, ProbeKind};
use crate::hir::{self, VarId};
use crate::schema::{Schema, Side};
use crate::span::Span;
use crate::ty::Ty;

/// What surrounds the expressions that are being checked.
#[derive(Debug, Clone)]
pub(super) enum Place<'a> {
    /// A clause of a kernel probe.
    Kernel {
        kind: ProbeKind,
        args: Arc<ArgsLayout>,
        /// The name of one of the attach points, for messages.
        point: String,
    },
    /// A clause of a message probe, or a rule.
    Message {
        schema: &'a Schema,
        /// Where bare names are looked up first.
        own: Side,
        /// Whether the other message is known too.
        both: bool,
        /// What the rule is about; none in a message probe.
        stage: Option<hir::Stage>,
    },
    /// A noise class with its parameter's name.
    Noise { param: &'a str },
}

/// A variable's state over all passes.
#[derive(Debug, Clone)]
pub(super) struct VarState {
    pub(super) name: String,
    /// Where it is declared.
    at: Span,
    pub(super) infer: Infer,
    /// `let $x: T`: the type is what was written.
    pub(super) declared: bool,
}

/// What a macro's parameter stands for.
#[derive(Debug, Clone)]
pub(super) enum Bound<'a> {
    Var(VarId),
    Map(String),
    /// An expression and the number of frames that it sees.
    Expr(&'a ast::Expr, usize),
}

/// The clause body, or the expansion of a macro.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame<'a> {
    pub(super) blocks: Vec<HashMap<String, VarId>>,
    pub(super) params: HashMap<String, Bound<'a>>,
    /// The macro; none for the clause itself.
    pub(super) expands: Option<&'a ast::Macro>,
}

/// What is being checked.
#[derive(Debug, Clone, Default)]
pub(super) struct Body<'a> {
    /// None only between clauses.
    pub(super) place: Option<Place<'a>>,
    pub(super) vars: Vec<VarState>,
    /// The variables declared so far in this pass.
    pub(super) declared: usize,
    pub(super) frames: Vec<Frame<'a>>,
    /// The loops around this statement.
    pub(super) loops: usize,
    /// The arguments that the clause reads.
    pub(super) reads_args: BTreeSet<usize>,
    /// How many expressions and blocks are around this one.
    pub(super) depth: usize,
    /// The macros that were expanded.
    pub(super) expansions: usize,
    /// The noise classes that were used.
    pub(super) noise: Vec<hir::NoiseId>,
}

impl<'a> Checker<'a> {
    /// Starts a body with the variables that earlier passes know.
    pub(super) fn enter(&mut self, place: Place<'a>, vars: Vec<VarState>) {
        self.body = Body {
            place: Some(place),
            vars,
            frames: vec![Frame { blocks: vec![HashMap::new()], ..Frame::default() }],
            ..Body::default()
        };
    }

    /// Whether the body runs in the kernel.
    pub(super) fn in_kernel(&self) -> bool {
        matches!(self.body.place, Some(Place::Kernel { .. }))
    }

    /// Runs `inner` in a block of its own.
    pub(super) fn in_block<R>(&mut self, inner: impl FnOnce(&mut Self) -> R) -> R {
        if let Some(frame) = self.body.frames.last_mut() {
            frame.blocks.push(HashMap::new());
        }
        let result = inner(self);
        if let Some(frame) = self.body.frames.last_mut() {
            frame.blocks.pop();
        }
        result
    }

    /// What a macro's parameter of this name stands for.
    pub(super) fn bound(&self, name: &str) -> Option<Bound<'a>> {
        self.body.frames.last()?.params.get(name).cloned()
    }

    /// Finds a variable that is in scope.
    pub(super) fn lookup(&self, name: &str) -> Option<VarId> {
        let frame = self.body.frames.last()?;
        if let Some(Bound::Var(id)) = frame.params.get(&format!("${name}")) {
            return Some(*id);
        }
        frame.blocks.iter().rev().find_map(|block| block.get(name).copied())
    }

    /// Declares a variable in the innermost block.
    pub(super) fn declare(&mut self, name: &str, span: Span) -> VarId {
        let index = self.body.declared;
        self.body.declared += 1;
        if self.body.vars.get(index).is_some_and(|var| var.name != name || var.at != span) {
            // An earlier pass knew too little to see all variables, so those from here on had other numbers.
            self.body.vars.truncate(index);
            self.changed = true;
        }
        if index >= self.body.vars.len() {
            let infer = Infer::unknown(span);
            self.body.vars.push(VarState { name: name.to_owned(), at: span, infer, declared: false });
        }
        let id = VarId(index as u32);
        if let Some(block) = self.body.frames.last_mut().and_then(|f| f.blocks.last_mut()) {
            block.insert(name.to_owned(), id);
        }
        id
    }

    /// Declares a variable of a fixed type.
    pub(super) fn declare_typed(&mut self, name: &str, ty: Ty, span: Span) -> VarId {
        let id = self.declare(name, span);
        if let Some(var) = self.body.vars.get_mut(id.0 as usize) {
            var.declared = true;
            var.infer = Infer { ty: Some(ty), flexible: false, span };
        }
        id
    }

    /// Declares a hidden variable that holds `value`, and gives the assignment and the variable.
    pub(super) fn hidden(&mut self, value: hir::Expr) -> (hir::Stmt, hir::Expr) {
        let (span, ty) = (value.span, value.ty.clone());
        let id = self.declare_typed(&format!("#{}", self.body.declared), ty.clone(), span);
        let set = hir::Stmt { kind: hir::StmtKind::Assign { var: id, value }, span };
        (set, hir::Expr { kind: hir::ExprKind::Var(id), ty, span })
    }

    /// The type of a variable, so far.
    pub(super) fn var_ty(&self, id: VarId) -> Ty {
        self.body.vars.get(id.0 as usize).map_or(Ty::Error, |var| var.infer.current())
    }

    /// Checks that a value can be stored in a variable, and makes it of the variable's type.
    pub(super) fn store(&mut self, id: VarId, value: hir::Expr) -> hir::Expr {
        let Some(var) = self.body.vars.get_mut(id.0 as usize) else {
            return value;
        };
        let name = var.name.clone();
        if var.declared {
            let ty = var.infer.current();
            let first = var.infer.span;
            return self.store_declared(&name, ty, first, value);
        }
        match var.infer.join(&value, Width::Exact) {
            Ok(changed) => {
                self.changed |= changed;
                let ty = self.var_ty(id);
                coerce(value, &ty)
            }
            Err((has, found)) => {
                let first = var.infer.span;
                self.fault(
                    Diagnostic::new(
                        code::VARIABLE_CONFLICT,
                        value.span,
                        format!("`${name}` holds {has}, and here {found} is stored in it"),
                    )
                    .label(found.to_string())
                    .secondary(first, format!("here it got the type {has}"))
                    .hint("use another variable"),
                )
            }
        }
    }

    /// Stores the result of `$x += e` or `$x++`, which keeps the variable's type as in C.
    pub(super) fn store_back(&mut self, id: VarId, value: hir::Expr) -> hir::Expr {
        let fixed = self.body.vars.get(id.0 as usize).filter(|var| !var.infer.flexible).map(|var| var.infer.current());
        match (fixed, &value.ty) {
            (Some(ty @ Ty::Int(_)), Ty::Int(_)) => coerce(value, &ty),
            _ => self.store(id, value),
        }
    }

    fn store_declared(&mut self, name: &str, ty: Ty, first: Span, value: hir::Expr) -> hir::Expr {
        if self.fits(&value, &ty) {
            return coerce(value, &ty);
        }
        let found = value.ty.clone();
        self.fault(
            Diagnostic::new(
                code::VARIABLE_CONFLICT,
                value.span,
                format!("`${name}` is declared {ty}, and here {found} is stored in it"),
            )
            .label(found.to_string())
            .secondary(first, format!("declared {ty} here")),
        )
    }

    /// Whether a value can be stored where the type was written.
    fn fits(&self, value: &hir::Expr, ty: &Ty) -> bool {
        match (ty, &value.ty) {
            (_, Ty::Error) | (Ty::Error, _) => true,
            (Ty::Int(_), found) => found.int().is_some(),
            (Ty::Ptr(..), Ty::Ptr(..) | Ty::Int(_)) => true,
            (ty, found) => super::infer::join(&super::infer::stored(found), ty).as_ref() == Some(ty),
        }
    }

    /// Reads a variable.
    pub(super) fn var(&mut self, name: &str, span: Span) -> hir::Expr {
        match self.lookup(name) {
            Some(id) => hir::Expr { ty: self.var_ty(id), kind: hir::ExprKind::Var(id), span },
            None => {
                let diagnostic = self.unknown_var(name, span);
                self.fault(diagnostic)
            }
        }
    }

    fn unknown_var(&self, name: &str, span: Span) -> Diagnostic {
        let known: Vec<&str> = self
            .body
            .frames
            .last()
            .into_iter()
            .flat_map(|frame| frame.blocks.iter())
            .flat_map(|block| block.keys())
            .map(String::as_str)
            .filter(|name| !name.starts_with('#'))
            .collect();
        let mut sorted = known;
        sorted.sort_unstable();
        let diagnostic = Diagnostic::new(code::UNKNOWN_VARIABLE, span, format!("`${name}` has no value here"))
            .label("never assigned in this block or one around it");
        match nearest(name, sorted) {
            Some(near) => diagnostic.hint(format!("did you mean `${near}`?")),
            None => diagnostic.hint("assign it first; a variable ends with the block it was first assigned in"),
        }
    }
}
