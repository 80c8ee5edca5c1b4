//! The checker: names, types and attach points. Syntax tree in, typed program out.
//!
//! Types of maps and scratch variables come from their uses, which may stand in any order and in any clause. So the
//! clauses are checked in passes: each pass joins what it sees into the tables of maps and variables, and the pass in which
//! nothing changed any more is the one whose typed program and diagnostics are kept. Joins only widen, so this ends; a limit
//! guards it. What has no type yet is [`Ty::Error`](crate::ty::Ty::Error), which agrees with everything: one fault is
//! reported once, at its cause.
//!
//! What the checker cannot know by itself it asks the [`Environment`]; it names no builtin, protocol or probe of its own but
//! `args`, `argN`, `request`, `response` and the map aggregations, which are part of the language.

mod access;
mod action_values;
mod actions;
mod aggregate;
mod arguments;
mod assign;
mod call;
mod clause;
mod compare;
mod config;
mod decls;
mod expr;
mod format;
mod header;
mod infer;
mod literal;
mod macros;
mod maps;
mod names;
mod native;
mod never;
mod noise;
mod operators;
mod paths;
mod pattern;
mod rules;
mod scope;
mod shadow;
mod stmt;
mod types;

pub use actions::names as actions;

use std::collections::{HashMap, HashSet};

use crate::ast;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::env::Environment;
use crate::hir;
use crate::span::Span;
use crate::ty::{IntTy, Ty};

/// The most passes; reached only by a fault in the joins, and then the last pass counts.
const MAX_PASSES: usize = 16;

/// What the command line says about a program.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `$1`, `$2`, ...
    pub positional: Vec<String>,
    /// Entries that win over the `config` block, by name: the environment's `BPFTRACE_*`.
    pub config: Vec<(String, String)>,
    /// Whether calls that other programs notice are allowed (`--unsafe`).
    pub allow_unsafe: bool,
    /// Whether the program comes with reel and may use trusted builtins.
    pub trusted: bool,
    /// How many of the programs, from the first, are stdlib's: a user's definitions may replace theirs, and a user's rules
    /// come before theirs.
    pub stdlib_programs: usize,
}

/// What checking gives.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The typed program; none if there is an error.
    pub program: Option<hir::Program>,
    /// Errors and warnings.
    pub diagnostics: Diagnostics,
}

/// Checks programs that run as one: stdlib's first, then the user's in their order.
///
/// What did not parse is left out without a word, since the parser has reported it: the result is of use only where nothing
/// was wrong there.
///
/// Clauses of the result stand in the order in which rules win: the user's, then stdlib's.
pub fn check(programs: &[ast::Program], env: &dyn Environment, options: &Options) -> Checked {
    let mut diagnostics = Diagnostics::new();
    let decls = decls::collect(programs, options, &mut diagnostics);
    let config = config::config(programs, options, &mut diagnostics);
    let mut checker = Checker::new(env, options, decls, config);
    let (clauses, header_diagnostics) = checker.headers(programs);
    let mut program = hir::Program::default();
    for _ in 0..MAX_PASSES {
        checker.begin_pass();
        program = checker.pass(&clauses);
        if !checker.changed {
            break;
        }
    }
    checker.diagnostics.extend(header_diagnostics.iter().cloned());
    checker.finish_maps(&mut program);
    diagnostics.extend(checker.diagnostics.iter().cloned());
    let stdlib = programs.get(..options.stdlib_programs).unwrap_or(programs);
    shadow::warn(&program, stdlib, &mut diagnostics);
    never::warn(&program, stdlib, &mut diagnostics);
    Checked { program: (!diagnostics.has_errors()).then_some(program), diagnostics }
}

/// The state of a check.
struct Checker<'a> {
    env: &'a dyn Environment,
    options: &'a Options,
    decls: decls::Decls<'a>,
    config: config::Settings,
    /// Kept from pass to pass.
    maps: maps::Maps,
    /// The scratch variables of each clause and layout, kept from pass to pass.
    vars: HashMap<(usize, usize), Vec<scope::VarState>>,
    /// What the environment said of names, kept from pass to pass.
    enumerators: HashMap<String, Option<(i64, IntTy, String)>>,
    /// The patterns that were found right, kept from pass to pass.
    patterns: HashSet<String>,
    /// Whether this pass changed a type.
    changed: bool,
    /// What this pass reported.
    diagnostics: Diagnostics,
    /// The clause, noise class or macro that is being checked.
    body: scope::Body<'a>,
}

impl<'a> Checker<'a> {
    fn new(env: &'a dyn Environment, options: &'a Options, decls: decls::Decls<'a>, config: config::Settings) -> Self {
        Checker {
            env,
            options,
            decls,
            config,
            maps: maps::Maps::default(),
            vars: HashMap::new(),
            enumerators: HashMap::new(),
            patterns: HashSet::new(),
            changed: false,
            diagnostics: Diagnostics::new(),
            body: scope::Body::default(),
        }
    }

    fn begin_pass(&mut self) {
        self.changed = false;
        self.diagnostics = Diagnostics::new();
    }

    fn pass(&mut self, clauses: &[header::Resolved<'a>]) -> hir::Program {
        let noise = self.noise_classes();
        let mut program =
            hir::Program { config: self.config.program.clone(), maps: Vec::new(), noise, clauses: Vec::new() };
        for (index, clause) in clauses.iter().enumerate() {
            self.clause(index, clause, &mut program.clauses);
        }
        program
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports a fault and gives the expression that stands for it.
    fn fault(&mut self, diagnostic: Diagnostic) -> hir::Expr {
        let span = diagnostic.span;
        self.report(diagnostic);
        error_expr(span)
    }

    /// Reports a construct that parses and that no back end runs yet.
    fn not_yet(&mut self, code: Code, span: Span, what: &str) -> hir::Expr {
        self.fault(not_yet(code, span, what))
    }
}

/// Makes the diagnostic of a construct that no back end runs yet.
fn not_yet(code: Code, span: Span, what: &str) -> Diagnostic {
    Diagnostic::new(code, span, format!("{what} is understood, but this version does not run it yet"))
        .label("not run yet")
}

/// The expression in the place of one that was wrong: of type [`Ty::Error`], which agrees with everything.
fn error_expr(span: Span) -> hir::Expr {
    hir::Expr { kind: hir::ExprKind::Nil, ty: Ty::Error, span }
}
