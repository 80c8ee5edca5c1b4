//! Expressions of kernel clauses.

use reel_lang::hir::{self, BinaryOp, Expr, ExprKind, Stmt, UnaryOp};
use reel_lang::span::Span;
use reel_lang::ty::{IntTy, Ty};

use super::vars::Slot;
use super::{Lower, Val};
use crate::builtins;
use crate::ir::{self, At, Inst, Reg, RegTy};
use crate::lower::Lowered;
use crate::lower::shape::Shape;

impl Lower<'_> {
    /// Lowers an expression.
    pub(crate) fn value(&mut self, expr: &Expr) -> Lowered<Val> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Int(value) => Ok(Val::Reg(self.b.constant(super::memory::reg_ty(&expr.ty), *value, span))),
            ExprKind::Bool(value) => Ok(Val::Reg(self.b.constant(RegTy::Bool, i64::from(*value), span))),
            ExprKind::Str(text) => Ok(self.constant_text(text, span)),
            ExprKind::Var(var) => self.var(*var, expr),
            ExprKind::MapGet { map, key } => self.map_get(*map, key, expr),
            ExprKind::Builtin(name) => builtins::lower_value(self, name, expr),
            ExprKind::Arg(index) => self.argument(*index, expr),
            ExprKind::Member { base, offset_bytes, bits } => self.member(base, *offset_bytes, *bits, expr),
            ExprKind::Index { base, index } => self.index(base, index, expr),
            ExprKind::Deref(base) => {
                let place = self.place(base)?;
                self.read(place, &expr.ty, span)
            }
            ExprKind::TupleItem { base, index } => self.tuple_item(base, *index, expr),
            ExprKind::Tuple(_) => self.tuple(expr),
            ExprKind::Unary { op, value } => self.unary(*op, value, expr),
            ExprKind::Binary { op, left, right } => self.operator(*op, left, right, expr),
            ExprKind::Ternary { condition, then, otherwise } => self.ternary(condition, then, otherwise, expr),
            ExprKind::Cast(from) => self.cast(from, expr),
            ExprKind::Call { function, args } => builtins::lower_call(self, function, args, expr),
            ExprKind::Block { body, value } => self.block(body, value),
            ExprKind::Word(word) => match verdict(word) {
                Some(value) => Ok(Val::Reg(self.b.constant(RegTy::Int(IntTy::I64), value, span))),
                None => self.cannot(span, format!("`{word}` is no value in a kernel probe")),
            },
            ExprKind::Match { .. } => self.cannot(span, "a kernel program cannot match a pattern"),
            _ => self.cannot(span, "only message probes and rules have such a value"),
        }
    }

    /// Lowers an expression that is a number, address or bool.
    pub(crate) fn scalar(&mut self, expr: &Expr) -> Lowered<Reg> {
        match self.value(expr)? {
            Val::Reg(reg) => Ok(reg),
            Val::Place(place) => self.pointer_to(place, expr.span),
            Val::Mem(..) | Val::Nothing => self.cannot(expr.span, format!("a {} is no number", expr.ty)),
        }
    }

    /// Lowers an expression to a 64-bit number.
    pub(crate) fn number(&mut self, expr: &Expr) -> Lowered<Reg> {
        let reg = self.scalar(expr)?;
        let ty = match self.b.ty(reg) {
            RegTy::Int(int) => RegTy::Int(IntTy { bits: 64, ..int }),
            _ => RegTy::Int(IntTy::U64),
        };
        Ok(self.b.cast(reg, ty, expr.span))
    }

    /// Puts an expression's value into a buffer, in a shape that is at least as large; all of the shape is written.
    pub(crate) fn store(&mut self, expr: &Expr, to: At, shape: &Shape) -> Lowered<()> {
        if let (ExprKind::Tuple(items), Shape::Tuple(shapes)) = (&expr.kind, shape) {
            self.b.push(Inst::Zero { to, len_bytes: shape.len_bytes() }, expr.span);
            for ((item, part), offset) in items.iter().zip(shapes).zip(shape.offsets()) {
                let to = At { offset: to.offset + offset, ..to };
                self.store(item, to, part)?;
            }
            return Ok(());
        }
        let value = self.value(expr)?;
        self.put(value, &expr.ty, to, shape, expr.span)
    }

    /// Puts a value into a buffer.
    pub(crate) fn put(&mut self, value: Val, ty: &Ty, to: At, shape: &Shape, span: Span) -> Lowered<()> {
        let room = shape.len_bytes();
        match value {
            Val::Reg(reg) => {
                let int = match shape {
                    Shape::Scalar(int) => *int,
                    _ => IntTy::U64,
                };
                let src = match self.b.ty(reg) {
                    RegTy::Bool if int.bits == 8 => reg,
                    _ => self.b.cast(reg, RegTy::Int(int), span),
                };
                self.b.push(Inst::Store { to, src }, span);
            }
            Val::Mem(from, Shape::Tuple(items)) => {
                self.put_tuple(from, &Shape::Tuple(items), ty, to, shape, span)?;
            }
            Val::Mem(from, from_shape) => {
                let len_bytes = from_shape.len_bytes().min(room);
                self.b.push(Inst::CopyBuf { to, from, len_bytes }, span);
                if room > len_bytes {
                    let to = At { offset: to.offset + len_bytes, ..to };
                    self.b.push(Inst::Zero { to, len_bytes: room - len_bytes }, span);
                }
            }
            Val::Place(place) => self.copy_place(place, room, to, span),
            Val::Nothing => return self.cannot(span, "this gives no value"),
        }
        Ok(())
    }

    fn var(&mut self, var: hir::VarId, expr: &Expr) -> Lowered<Val> {
        match self.slot(var) {
            Some(Slot::Reg(reg)) if matches!(expr.ty, Ty::Struct(_) | Ty::Array(..)) => {
                Ok(Val::Place(self.pointee(reg, &expr.ty)))
            }
            // A copy, since the variable may change before the value is used: `$a + { $a = 2; $a }`.
            Some(Slot::Reg(src)) => {
                let dst = self.b.reg(self.b.ty(src));
                self.b.push(Inst::Copy { dst, src }, expr.span);
                Ok(Val::Reg(dst))
            }
            Some(Slot::Mem(at, shape)) => Ok(Val::Mem(at, shape)),
            None => self.cannot(expr.span, "a variable without a place"),
        }
    }

    fn unary(&mut self, op: UnaryOp, value: &Expr, expr: &Expr) -> Lowered<Val> {
        let (op, src) = match op {
            UnaryOp::Neg => (ir::UnaryOp::Neg, self.scalar(value)?),
            UnaryOp::BitNot => (ir::UnaryOp::BitNot, self.scalar(value)?),
            UnaryOp::Not => (ir::UnaryOp::Not, self.boolean(value)?),
        };
        let dst = self.b.reg(self.b.ty(src));
        self.b.push(Inst::Unary { op, dst, src }, expr.span);
        Ok(Val::Reg(self.as_ty(dst, &expr.ty, expr.span)))
    }

    fn operator(&mut self, op: BinaryOp, left: &Expr, right: &Expr, expr: &Expr) -> Lowered<Val> {
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            return Ok(Val::Reg(self.logic(expr)?));
        }
        let Some(op) = arithmetic_op(op) else {
            return Ok(Val::Reg(self.comparison(op, left, right, expr)?));
        };
        if let Ty::Ptr(to, _) = &expr.ty {
            return self.pointer_arithmetic(op, left, right, self.size_of(to), expr);
        }
        let ty = super::memory::reg_ty(&expr.ty);
        let a = self.scalar(left)?;
        let b = self.scalar(right)?;
        let a = self.b.cast(a, ty, expr.span);
        let b = self.b.cast(b, ty, expr.span);
        Ok(Val::Reg(self.b.binary(op, a, b, expr.span)))
    }

    /// `p + n`: in units of what `p` points at.
    fn pointer_arithmetic(
        &mut self,
        op: ir::BinaryOp,
        left: &Expr,
        right: &Expr,
        size: u32,
        expr: &Expr,
    ) -> Lowered<Val> {
        let span = expr.span;
        let scaled = |this: &mut Self, side: &Expr| -> Lowered<Reg> {
            let reg = this.scalar(side)?;
            let reg = this.b.cast(reg, RegTy::Int(IntTy::U64), span);
            Ok(match (&side.ty, size) {
                (Ty::Ptr(..), _) | (_, 1) => reg,
                _ => this.b.binary_const(ir::BinaryOp::Mul, reg, i64::from(size), span),
            })
        };
        let a = scaled(self, left)?;
        let b = scaled(self, right)?;
        let sum = self.b.binary(op, a, b, span);
        Ok(Val::Reg(self.b.cast(sum, super::memory::reg_ty(&expr.ty), span)))
    }

    fn ternary(&mut self, condition: &Expr, then: &Expr, otherwise: &Expr, expr: &Expr) -> Lowered<Val> {
        let (yes, no, end) = (self.b.block(), self.b.block(), self.b.block());
        self.condition(condition, yes, no)?;
        if expr.ty.is_scalar() {
            return self.ternary_scalar([(yes, then), (no, otherwise)], end, expr);
        }
        let shape = self.shape(expr);
        let to = self.b.buf(shape.len_bytes().max(1));
        for (block, side) in [(yes, then), (no, otherwise)] {
            self.b.at(block);
            if expr.ty == Ty::Void {
                self.value(side)?;
            } else {
                self.store(side, to, &shape)?;
            }
            self.b.jump(end);
        }
        self.b.at(end);
        Ok(if expr.ty == Ty::Void { Val::Nothing } else { Val::Mem(to, shape) })
    }

    fn ternary_scalar(&mut self, sides: [(ir::Block, &Expr); 2], end: ir::Block, expr: &Expr) -> Lowered<Val> {
        let mut dst: Option<Reg> = None;
        for (block, side) in sides {
            self.b.at(block);
            let reg = self.scalar(side)?;
            let reg = match dst {
                None => self.as_ty(reg, &expr.ty, expr.span),
                Some(dst) if self.b.ty(dst) == RegTy::Bool => self.as_ty(reg, &Ty::Bool, expr.span),
                Some(dst) => self.b.cast(reg, self.b.ty(dst), expr.span),
            };
            let dst = *dst.get_or_insert_with(|| self.b.reg(self.b.ty(reg)));
            self.b.push(Inst::Copy { dst, src: reg }, expr.span);
            self.b.jump(end);
        }
        self.b.at(end);
        Ok(dst.map_or(Val::Nothing, Val::Reg))
    }

    fn block(&mut self, body: &[Stmt], value: &Expr) -> Lowered<Val> {
        self.stmts(body)?;
        self.value(value)
    }

    fn tuple(&mut self, expr: &Expr) -> Lowered<Val> {
        let shape = self.shape(expr);
        let to = self.b.buf(shape.len_bytes().max(1));
        self.store(expr, to, &shape)?;
        Ok(Val::Mem(to, shape))
    }

    fn tuple_item(&mut self, base: &Expr, index: u32, expr: &Expr) -> Lowered<Val> {
        let Val::Mem(at, shape) = self.value(base)? else {
            return self.cannot(expr.span, "only a tuple has parts by number");
        };
        let offset = shape.offsets().get(index as usize).copied();
        let (Some(offset), Shape::Tuple(items)) = (offset, &shape) else {
            return self.cannot(expr.span, "the tuple has no such part");
        };
        let at = At { offset: at.offset + offset, ..at };
        Ok(self.part(at, &items[index as usize], &expr.ty, expr.span))
    }

    /// A part of a tuple, or the value of a map, that lies in a buffer.
    pub(crate) fn part(&mut self, at: At, shape: &Shape, ty: &Ty, span: Span) -> Val {
        match shape {
            Shape::Scalar(int) => {
                let reg = self.b.load(RegTy::Int(*int), at, span);
                Val::Reg(self.as_ty(reg, ty, span))
            }
            shape => Val::Mem(at, shape.clone()),
        }
    }

    /// Copies a tuple whose parts may be larger where it goes.
    fn put_tuple(&mut self, from: At, shape: &Shape, ty: &Ty, to: At, room: &Shape, span: Span) -> Lowered<()> {
        let (Shape::Tuple(parts), Shape::Tuple(rooms), Ty::Tuple(types)) = (shape, room, ty) else {
            return self.cannot(span, "the tuples differ");
        };
        if shape == room {
            self.b.push(Inst::CopyBuf { to, from, len_bytes: room.len_bytes() }, span);
            return Ok(());
        }
        self.b.push(Inst::Zero { to, len_bytes: room.len_bytes() }, span);
        let places = shape.offsets().into_iter().zip(room.offsets());
        for (((part, room), ty), (out, into)) in parts.iter().zip(rooms).zip(types).zip(places) {
            let out = At { offset: from.offset + out, ..from };
            let into = At { offset: to.offset + into, ..to };
            let value = self.part(out, part, ty, span);
            self.put(value, ty, into, room, span)?;
        }
        Ok(())
    }

    /// A tuple as one of other types: part by part.
    pub(super) fn cast_tuple(&mut self, from: At, shape: &Shape, from_ty: &Ty, expr: &Expr) -> Val {
        let room = match (&expr.ty, shape) {
            (Ty::Tuple(types), Shape::Tuple(parts)) => Shape::Tuple(
                types
                    .iter()
                    .zip(parts)
                    .map(|(ty, part)| match part {
                        Shape::Scalar(_) => Shape::of(ty),
                        other => other.clone(),
                    })
                    .collect(),
            ),
            _ => shape.clone(),
        };
        let to = self.b.buf(room.len_bytes().max(1));
        match self.put_tuple(from, shape, from_ty, to, &room, expr.span) {
            Ok(()) => Val::Mem(to, room),
            Err(_) => Val::Mem(from, shape.clone()),
        }
    }

    /// The shape of an expression's value.
    pub(crate) fn shape(&self, expr: &Expr) -> Shape {
        self.cx.shapes.expr(self.cx.clause.id, expr)
    }
}

/// The value of a verdict's word.
fn verdict(word: &str) -> Option<i64> {
    match word {
        "pass" => Some(1),
        "drop" => Some(0),
        _ => None,
    }
}

/// The arithmetic operation of the IR.
pub(crate) fn arithmetic_op(op: BinaryOp) -> Option<ir::BinaryOp> {
    Some(match op {
        BinaryOp::Add => ir::BinaryOp::Add,
        BinaryOp::Sub => ir::BinaryOp::Sub,
        BinaryOp::Mul => ir::BinaryOp::Mul,
        BinaryOp::Div => ir::BinaryOp::Div,
        BinaryOp::Rem => ir::BinaryOp::Rem,
        BinaryOp::BitAnd => ir::BinaryOp::And,
        BinaryOp::BitOr => ir::BinaryOp::Or,
        BinaryOp::BitXor => ir::BinaryOp::Xor,
        BinaryOp::Shl => ir::BinaryOp::Shl,
        BinaryOp::Shr => ir::BinaryOp::Shr,
        _ => return None,
    })
}
