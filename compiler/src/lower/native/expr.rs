//! Expressions of native clauses.
//!
//! A message field may be nil, so it stays a value until arithmetic asks for its number; only what is made of literals and
//! arithmetic is held as a number. Constant paths are one instruction; a computed key is a host operation.

use reel_lang::hir::{BinaryOp, Expr, ExprKind, Segment, Stmt, UnaryOp};
use reel_lang::span::Span;
use reel_lang::ty::{IntTy, Ty};

use super::Lower;
use crate::builtins::{self, bswap};
use crate::ir::{self, HostOp, Inst, PathStep, Reg, RegTy, ValueTy};
use crate::lower::Lowered;
use crate::lower::kernel::{arithmetic_op, compare_op};

impl Lower<'_> {
    /// An expression as a value.
    pub(super) fn value(&mut self, expr: &Expr) -> Lowered<Reg> {
        let span = expr.span;
        if is_number(expr) {
            let src = self.number(expr)?;
            return Ok(self.number_value(src, value_ty(&expr.ty), span));
        }
        match &expr.kind {
            ExprKind::Field(field) => {
                let dst = self.b.reg(RegTy::Value);
                self.b.push(Inst::Field { dst, field: *field }, span);
                Ok(dst)
            }
            ExprKind::Path { base, segments } => self.path(base, segments, span),
            ExprKind::Str(text) => {
                let data = self.tables.data(text);
                let dst = self.b.reg(RegTy::Value);
                self.b.push(Inst::Text { dst, data }, span);
                Ok(dst)
            }
            ExprKind::Decimal(digits) => {
                let data = self.tables.data(digits.as_bytes());
                Ok(self.host(HostOp::Decimal(data), Vec::new(), span))
            }
            ExprKind::Nil => Ok(self.host(HostOp::Nil, Vec::new(), span)),
            ExprKind::Null => Ok(self.host(HostOp::Null, Vec::new(), span)),
            ExprKind::Var(var) => {
                let Some(src) = self.var_reg(*var) else {
                    return self.cannot(span, "a variable without a place");
                };
                let dst = self.b.reg(RegTy::Value);
                self.b.push(Inst::Copy { dst, src }, span);
                Ok(dst)
            }
            ExprKind::MapGet { map, key } => {
                let args = self.values(key)?;
                let map = self.map(*map);
                Ok(self.host(HostOp::MapGet(map), args, span))
            }
            ExprKind::Builtin(name) => Ok(self.host(HostOp::Builtin(name), Vec::new(), span)),
            ExprKind::Tuple(items) => {
                let args = self.values(items)?;
                Ok(self.host(HostOp::Tuple, args, span))
            }
            ExprKind::TupleItem { base, index } => {
                let args = vec![self.value(base)?];
                Ok(self.host(HostOp::TupleItem(*index), args, span))
            }
            ExprKind::Index { base, index } => {
                let args = vec![self.value(base)?, self.value(index)?];
                Ok(self.host(HostOp::Index, args, span))
            }
            ExprKind::Cast(inner) => self.value(inner),
            ExprKind::Ternary { condition, then, otherwise } => self.ternary(condition, [then, otherwise], expr),
            ExprKind::Block { body, value } => self.block(body, value),
            ExprKind::Call { function, args } => self.call(function, args, expr),
            _ if is_bool(expr) => {
                let src = self.boolean(expr)?;
                Ok(self.number_value(src, ValueTy::Bool, span))
            }
            _ => self.cannot(span, "only a kernel probe has such a value"),
        }
    }

    /// Expressions as values.
    pub(super) fn values(&mut self, exprs: &[Expr]) -> Lowered<Vec<Reg>> {
        exprs.iter().map(|expr| self.value(expr)).collect()
    }

    /// An expression as a 64-bit number; 0 where it has none.
    pub(super) fn number(&mut self, expr: &Expr) -> Lowered<Reg> {
        let span = expr.span;
        let ty = number_ty(&expr.ty);
        let reg = match &expr.kind {
            ExprKind::Int(value) => self.b.constant(RegTy::Int(ty), *value, span),
            ExprKind::Unary { op: op @ (UnaryOp::Neg | UnaryOp::BitNot), value } => {
                let src = self.number(value)?;
                let src = self.b.cast(src, RegTy::Int(ty), span);
                let op = if *op == UnaryOp::Neg { ir::UnaryOp::Neg } else { ir::UnaryOp::BitNot };
                let dst = self.b.int(ty);
                self.b.push(Inst::Unary { op, dst, src }, span);
                dst
            }
            ExprKind::Binary { op, left, right } if arithmetic_op(*op).is_some() => {
                self.arithmetic(*op, left, right, ty, span)?
            }
            ExprKind::Cast(inner) if is_number(inner) => self.number(inner)?,
            _ if is_bool(expr) => self.boolean(expr)?,
            _ => {
                let inner = strip(expr);
                let value = self.value(inner)?;
                let dst = self.b.int(ty);
                self.b.push(Inst::ToInt { dst, value }, span);
                dst
            }
        };
        // `(int8)x` cuts, and is then widened again.
        let exact = expr.ty.int().unwrap_or(ty);
        let cut = self.b.cast(reg, RegTy::Int(exact), span);
        Ok(self.b.cast(cut, RegTy::Int(ty), span))
    }

    fn arithmetic(&mut self, op: BinaryOp, left: &Expr, right: &Expr, ty: IntTy, span: Span) -> Lowered<Reg> {
        let a = self.number(left)?;
        let b = self.number(right)?;
        let a = self.b.cast(a, RegTy::Int(ty), span);
        let b = self.b.cast(b, RegTy::Int(ty), span);
        match arithmetic_op(op) {
            Some(op) => Ok(self.b.binary(op, a, b, span)),
            None => self.cannot(span, "this is no arithmetic"),
        }
    }

    pub(super) fn number_value(&mut self, src: Reg, ty: ValueTy, span: Span) -> Reg {
        let dst = self.b.reg(RegTy::Value);
        self.b.push(Inst::FromInt { dst, src, ty }, span);
        dst
    }

    /// A host operation that gives a value.
    pub(super) fn host(&mut self, op: HostOp, args: Vec<Reg>, span: Span) -> Reg {
        let dst = self.b.reg(RegTy::Value);
        self.b.push(Inst::Host { dst: Some(dst), op, args }, span);
        dst
    }

    /// A host operation that gives a bool.
    pub(super) fn ask(&mut self, op: HostOp, args: Vec<Reg>, span: Span) -> Reg {
        let dst = self.b.reg(RegTy::Bool);
        self.b.push(Inst::Host { dst: Some(dst), op, args }, span);
        dst
    }

    pub(super) fn map(&mut self, map: reel_lang::hir::MapId) -> u32 {
        self.tables.script_map(self.program, self.shapes, map)
    }

    fn path(&mut self, base: &Expr, segments: &[Segment], span: Span) -> Lowered<Reg> {
        let mut at = self.value(base)?;
        let mut in_headers = base.ty == Ty::Headers;
        let mut steps = Vec::new();
        for segment in segments {
            match segment {
                Segment::Name(name) if in_headers => steps.push(PathStep::Header(name.clone())),
                Segment::Name(name) => steps.push(PathStep::Name(name.clone())),
                Segment::All(name) => steps.push(PathStep::AllHeaders(name.clone())),
                Segment::Index(index) => steps.push(PathStep::Index(*index)),
                Segment::Key(key) => {
                    at = self.walk(at, std::mem::take(&mut steps), span);
                    let args = vec![at, self.value(key)?];
                    let op = if in_headers { HostOp::Call("header") } else { HostOp::Index };
                    at = self.host(op, args, span);
                }
            }
            in_headers = false;
        }
        Ok(self.walk(at, steps, span))
    }

    fn walk(&mut self, value: Reg, steps: Vec<PathStep>, span: Span) -> Reg {
        if steps.is_empty() {
            return value;
        }
        let path = self.tables.path(steps);
        let dst = self.b.reg(RegTy::Value);
        self.b.push(Inst::Path { dst, value, path }, span);
        dst
    }

    fn ternary(&mut self, condition: &Expr, sides: [&Expr; 2], expr: &Expr) -> Lowered<Reg> {
        let dst = self.b.reg(RegTy::Value);
        let (yes, no, end) = (self.b.block(), self.b.block(), self.b.block());
        self.condition(condition, yes, no)?;
        for (block, side) in [yes, no].into_iter().zip(sides) {
            self.b.at(block);
            let src = self.value(side)?;
            self.b.push(Inst::Copy { dst, src }, expr.span);
            self.b.jump(end);
        }
        self.b.at(end);
        Ok(dst)
    }

    fn block(&mut self, body: &[Stmt], value: &Expr) -> Lowered<Reg> {
        self.stmts(body)?;
        self.value(value)
    }

    fn call(&mut self, function: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Reg> {
        let span = expr.span;
        if self.print(function, args, span)? {
            return Ok(self.host(HostOp::Nil, Vec::new(), span));
        }
        if let ("delete" | "has_key", Some((map, key))) = (function, builtins::entry(args)) {
            let args = self.values(key)?;
            let map = self.map(map);
            let op = if function == "delete" { HostOp::MapDelete(map) } else { HostOp::MapHas(map) };
            let src = self.ask(op, args, span);
            return Ok(self.number_value(src, ValueTy::Bool, span));
        }
        if let ("len", [Expr { kind: ExprKind::Map(map), .. }]) = (function, args) {
            let map = self.map(*map);
            return Ok(self.host(HostOp::MapLen(map), Vec::new(), span));
        }
        if let ("bswap", Some((number, bits))) = (function, bswap::operand(args)) {
            let src = self.number(number)?;
            let src = bswap::swapped(&mut self.b, src, bits, span);
            let src = self.b.cast(src, RegTy::Int(number_ty(&expr.ty)), span);
            return Ok(self.number_value(src, ValueTy::Int, span));
        }
        let args = self.values(args)?;
        Ok(self.host(HostOp::Call(function), args, span))
    }
}

/// Looks through casts that only change how a value is seen.
pub(super) fn strip(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Cast(inner) => strip(inner),
        _ => expr,
    }
}

/// Whether an expression is held as a number, which is never nil.
pub(super) fn is_number(expr: &Expr) -> bool {
    let by_kind = match &expr.kind {
        ExprKind::Int(_) => true,
        ExprKind::Unary { op: UnaryOp::Neg | UnaryOp::BitNot, .. } => true,
        ExprKind::Binary { op, .. } => arithmetic_op(*op).is_some(),
        ExprKind::Cast(inner) => is_number(inner) || narrows(expr, inner),
        _ => false,
    };
    by_kind && (expr.ty.int().is_some() || expr.ty == Ty::Any)
}

/// Whether a cast changes the number: to fewer bits than 64, between signed and unsigned, or from what has no number by type.
fn narrows(to: &Expr, from: &Expr) -> bool {
    match (&to.ty, &from.ty) {
        (Ty::Int(int), _) if int.bits < 64 => true,
        (Ty::Int(to), Ty::Int(from)) if from.bits == 64 => to.signed != from.signed,
        (Ty::Int(_), Ty::Bool) => true,
        _ => false,
    }
}

/// Whether an expression is a truth that is computed, and not a field.
fn is_bool(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Bool(_) | ExprKind::Match { .. } | ExprKind::Noise { .. } => true,
        ExprKind::Unary { op: UnaryOp::Not, .. } => true,
        ExprKind::Binary { op, .. } => compare_op(*op).is_some() || matches!(op, BinaryOp::And | BinaryOp::Or),
        _ => false,
    }
}

/// The 64-bit type of a number.
fn number_ty(ty: &Ty) -> IntTy {
    match ty.int() {
        Some(int) => IntTy { bits: 64, ..int },
        None => IntTy::I64,
    }
}

/// What kind of value a number becomes.
fn value_ty(ty: &Ty) -> ValueTy {
    match ty {
        Ty::Duration => ValueTy::Duration,
        Ty::Time => ValueTy::Time,
        Ty::Bool => ValueTy::Bool,
        _ => ValueTy::Int,
    }
}
