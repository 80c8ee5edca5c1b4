//! Message clauses, rules and noise classes to functions over a flat record.
//!
//! A predicate, a condition of an action and a noise class are functions that return a bool; a body returns 0. A noise class
//! reads a record of one slot, the value it is asked about. The computed values of an action (`respond(...)`) come from a
//! function that calls `HostOp::Action` with them.

mod compare;
mod expr;
mod print;
mod stmt;

pub use stmt::{LOOP_CUT, MAX_ROUNDS};

use reel_lang::diagnostic::{Diagnostic, code};
use reel_lang::hir::{self, Action, ClauseId, Expr, ExprKind, Header, Stmt, StmtKind, VarId};
use reel_lang::schema::FieldId;
use reel_lang::span::Span;
use reel_lang::ty::IntTy;

use super::Lowered;
use super::build::Builder;
use super::sizes::Shapes;
use super::tables::Tables;
use crate::ir::{self, Block, Inst, Module, Reg, RegTy, Terminator};

/// The native half of a program.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NativeModule {
    pub module: Module,
    /// One for each clause that runs natively, in file order.
    pub clauses: Vec<NativeClause>,
    /// The function of each noise class, by `NoiseId`.
    pub noise: Vec<u32>,
}

/// A clause's functions, as indexes into the module's.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeClause {
    pub clause: ClauseId,
    /// Whether the clause holds; always, where there is none.
    pub predicate: Option<u32>,
    /// What the clause does; none where there is nothing but actions.
    pub body: Option<u32>,
    /// The actions of a rule, in order.
    pub actions: Vec<NativeAction>,
}

/// An action of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeAction {
    pub action: Action,
    /// Whether the `if`s around it hold.
    pub guard: Option<u32>,
    /// Of `require`, whether its expression holds. Of `respond`, calls `HostOp::Action` with the values, in order.
    pub values: Option<u32>,
    pub span: Span,
}

/// Lowers message probes, rules and noise classes.
///
/// # Errors
/// A diagnostic for each part that cannot be lowered.
pub fn native(program: &hir::Program) -> Result<NativeModule, Vec<Diagnostic>> {
    clauses(program, |clause| !matches!(clause.header, Header::Kernel(_)))
}

/// Lowers a whole program, `begin`, `end` and `interval` too: it runs without a kernel. [`crate::plan::source::faults`] has found that
/// it can.
///
/// # Errors
/// As for [`native`].
pub fn native_only(program: &hir::Program) -> Result<NativeModule, Vec<Diagnostic>> {
    clauses(program, |_| true)
}

fn clauses(program: &hir::Program, is_native: impl Fn(&hir::Clause) -> bool) -> Result<NativeModule, Vec<Diagnostic>> {
    let shapes = Shapes::infer(program, std::iter::empty());
    let mut module = Tables::default();
    let mut faults = Vec::new();
    let mut noise = Vec::new();
    for class in &program.noise {
        let mut unit = Unit { program, shapes: &shapes, tables: &mut module };
        match unit.noise(class) {
            Ok(function) => noise.push(function),
            Err(fault) => faults.push(*fault),
        }
    }
    let mut clauses = Vec::new();
    for clause in &program.clauses {
        if !is_native(clause) {
            continue;
        }
        let mut unit = Unit { program, shapes: &shapes, tables: &mut module };
        match unit.clause(clause) {
            Ok(made) => clauses.push(made),
            Err(fault) => faults.push(*fault),
        }
    }
    let made = NativeModule { module: module.module, clauses, noise };
    if faults.is_empty() { Ok(made) } else { Err(faults) }
}

/// What the functions of a module share.
struct Unit<'a> {
    program: &'a hir::Program,
    shapes: &'a Shapes,
    tables: &'a mut Tables,
}

/// The conditions around an action, and whether each must hold or not.
type Guards<'a> = Vec<(&'a Expr, bool)>;

impl Unit<'_> {
    fn noise(&mut self, class: &hir::Noise) -> Lowered<u32> {
        let mut lower = self.lower(format!("noise_{}", class.name), &[], class.span);
        let param = lower.b.reg(RegTy::Value);
        lower.b.push(Inst::Field { dst: param, field: FieldId(0) }, class.span);
        lower.param = Some(param);
        let holds = lower.boolean(&class.body)?;
        lower.b.end(Terminator::Return(holds));
        Ok(lower.finish(class.span))
    }

    fn clause(&mut self, clause: &hir::Clause) -> Lowered<NativeClause> {
        let id = clause.id;
        let predicate = match &clause.predicate {
            Some(predicate) => Some(self.predicate(format!("{id}_predicate"), clause, &[(predicate, true)])?),
            None => None,
        };
        let body = if has_effects(&clause.body) { Some(self.body(clause)?) } else { None };
        let mut found = Vec::new();
        actions(&clause.body, &mut Vec::new(), &mut found);
        let mut actions = Vec::new();
        for (index, (action, guards, span)) in found.into_iter().enumerate() {
            let guard = match guards.as_slice() {
                [] => None,
                guards => Some(self.predicate(format!("{id}_guard{index}"), clause, guards)?),
            };
            let values = self.values(clause, index as u32, action, span)?;
            actions.push(NativeAction { action: action.clone(), guard, values, span });
        }
        Ok(NativeClause { clause: id, predicate, body, actions })
    }

    /// A function that tells whether all conditions are as they should be.
    fn predicate(&mut self, name: String, clause: &hir::Clause, conditions: &[(&Expr, bool)]) -> Lowered<u32> {
        let mut lower = self.of_clause(name, clause);
        let no = lower.b.block();
        for (condition, wanted) in conditions {
            let next = lower.b.block();
            let (then, otherwise) = if *wanted { (next, no) } else { (no, next) };
            lower.condition(condition, then, otherwise)?;
            lower.b.at(next);
        }
        lower.give_bool(1, clause.span);
        lower.b.at(no);
        lower.give_bool(0, clause.span);
        Ok(lower.finish(clause.span))
    }

    fn body(&mut self, clause: &hir::Clause) -> Lowered<u32> {
        let mut lower = self.of_clause(format!("{}_body", clause.id), clause);
        lower.stmts(&clause.body)?;
        Ok(lower.finish(clause.span))
    }

    fn values(&mut self, clause: &hir::Clause, index: u32, action: &Action, span: Span) -> Lowered<Option<u32>> {
        match action {
            Action::Require(condition, _) => {
                let name = format!("{}_require{index}", clause.id);
                self.predicate(name, clause, &[(condition, true)]).map(Some)
            }
            Action::Respond(values) => {
                let name = format!("{}_respond{index}", clause.id);
                let mut lower = self.of_clause(name, clause);
                let args = values.iter().map(|(_, value)| lower.value(value)).collect::<Lowered<_>>()?;
                let op = ir::HostOp::Action(index);
                lower.b.push(Inst::Host { dst: None, op, args }, span);
                Ok(Some(lower.finish(clause.span)))
            }
            _ => Ok(None),
        }
    }

    /// Begins a function of a clause.
    fn of_clause(&mut self, name: String, clause: &hir::Clause) -> Lower<'_> {
        let mut lower = self.lower(name, &clause.vars, clause.span);
        let mut has_loop = stmt::has_loop(&clause.body);
        clause.predicate.iter().for_each(|predicate| has_loop |= stmt::has_loop_within(predicate));
        if has_loop {
            lower.rounds = Some(lower.b.constant(RegTy::Int(IntTy::I64), 0, clause.span));
        }
        lower
    }

    fn lower(&mut self, name: String, vars: &[hir::Var], span: Span) -> Lower<'_> {
        let mut b = Builder::new(name);
        let vars: Vec<Reg> = vars.iter().map(|_| b.reg(RegTy::Value)).collect();
        for var in &vars {
            b.push(Inst::Host { dst: Some(*var), op: ir::HostOp::Nil, args: Vec::new() }, span);
        }
        Lower {
            program: self.program,
            shapes: self.shapes,
            tables: self.tables,
            b,
            vars,
            param: None,
            loops: Vec::new(),
            rounds: None,
        }
    }
}

/// Lowers one function.
struct Lower<'a> {
    program: &'a hir::Program,
    shapes: &'a Shapes,
    tables: &'a mut Tables,
    b: Builder,
    /// Scratch variables are values: views of the message, of constants, or of what the host made.
    vars: Vec<Reg>,
    /// The value that a noise class is asked about.
    param: Option<Reg>,
    /// Where `continue` and `break` go, innermost last.
    loops: Vec<(Block, Block)>,
    /// How many rounds loops have made, of a clause that has any.
    rounds: Option<Reg>,
}

impl Lower<'_> {
    fn cannot<T>(&self, span: Span, what: impl Into<String>) -> Lowered<T> {
        Err(Box::new(Diagnostic::new(code::NOT_NATIVE, span, what)))
    }

    fn finish(self, span: Span) -> u32 {
        let function = self.b.finish(0, span);
        self.tables.module.functions.push(function);
        (self.tables.module.functions.len() - 1) as u32
    }

    fn give_bool(&mut self, value: i64, span: Span) {
        let reg = self.b.constant(RegTy::Bool, value, span);
        self.b.end(Terminator::Return(reg));
    }

    fn var_reg(&self, var: VarId) -> Option<Reg> {
        match self.param {
            Some(param) => Some(param),
            None => self.vars.get(var.0 as usize).copied(),
        }
    }
}

/// Whether statements do more than name actions.
fn has_effects(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Action(_) => false,
        StmtKind::If { then, otherwise, .. } => has_effects(then) || has_effects(otherwise),
        StmtKind::Expr(Expr { kind: ExprKind::Block { body, .. }, .. }) => has_effects(body),
        _ => true,
    })
}

/// Collects the actions with the conditions around them.
fn actions<'a>(stmts: &'a [Stmt], guards: &mut Guards<'a>, found: &mut Vec<(&'a Action, Guards<'a>, Span)>) {
    for stmt in stmts {
        match &stmt.kind {
            StmtKind::Action(action) => found.push((action, guards.clone(), stmt.span)),
            StmtKind::If { condition, then, otherwise } => {
                for (stmts, wanted) in [(then, true), (otherwise, false)] {
                    guards.push((condition, wanted));
                    actions(stmts, guards, found);
                    guards.pop();
                }
            }
            _ => {}
        }
    }
}
