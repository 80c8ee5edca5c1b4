//! Texts in the kernel: buffers that end in zero bytes.
//!
//! A text that was cut has [`CUT`] as its last character, so that it equals no constant. Constants are compared in words,
//! without a buffer of their own.

use reel_lang::hir::{Expr, ExprKind};
use reel_lang::span::Span;
use reel_lang::ty::{IntTy, Space, Ty};

use super::{Lower, Place, Val};
use crate::ir::{At, BinaryOp, CompareOp, Inst, Reg, RegTy};
use crate::lower::Lowered;
use crate::lower::shape::{CUT, CUT_AS_ASKED, Shape};

const BYTE: RegTy = RegTy::Int(IntTy { bits: 8, signed: false });

impl Lower<'_> {
    /// A constant text in a buffer.
    pub(super) fn constant_text(&mut self, text: &[u8], span: Span) -> Val {
        let shape = Shape::Text(text.len() as u32 + 1);
        let to = self.b.buf(shape.len_bytes());
        let mut padded = text.to_vec();
        padded.resize(shape.len_bytes() as usize, 0);
        let data = self.tables.data(&padded);
        self.b.push(Inst::SetData { to, data }, span);
        Val::Mem(to, shape)
    }

    /// Reads a C string of at most `len_bytes` with its NUL, and marks it where it was cut.
    pub(crate) fn read_text(&mut self, address: Reg, space: Space, len_bytes: u32, span: Span) -> Val {
        let shape = Shape::Text(len_bytes.max(1));
        let to = self.b.buf(shape.len_bytes());
        self.b.push(Inst::Zero { to, len_bytes: shape.len_bytes() }, span);
        let got = self.b.int(IntTy::I64);
        let read = Inst::ProbeStr { space, to, len_bytes: len_bytes.max(1), address, dst: Some(got) };
        self.b.push(read, span);
        self.mark_cut(got, to, len_bytes, span);
        Val::Mem(to, shape)
    }

    /// Marks a text that filled its room.
    fn mark_cut(&mut self, got: Reg, text: At, len_bytes: u32, span: Span) {
        if len_bytes < 2 {
            return;
        }
        let (cut, whole) = (self.b.block(), self.b.block());
        let full = self.b.compare_const(CompareOp::Ge, got, i64::from(len_bytes), span);
        self.b.branch(full, cut, whole);
        self.b.at(cut);
        let asked = len_bytes < self.cx.program.config.max_strlen;
        let mark = if asked { CUT_AS_ASKED } else { CUT };
        let src = self.b.constant(BYTE, i64::from(mark), span);
        let to = At { offset: text.offset + len_bytes - 1, ..text };
        self.b.push(Inst::Store { to, src }, span);
        self.b.jump(whole);
        self.b.at(whole);
    }

    /// An array of characters as a text: C's fixed buffers, which end at a NUL if there is one.
    pub(super) fn array_text(&mut self, place: Place, len_bytes: u32, span: Span) -> Val {
        let shape = Shape::Text(len_bytes + 1);
        let to = self.b.buf(shape.len_bytes());
        self.b.push(Inst::Zero { to, len_bytes: shape.len_bytes() }, span);
        match self.address_of(place, span) {
            Some((address, space)) => {
                let read = Inst::ProbeStr { space, to, len_bytes: len_bytes + 1, address, dst: None };
                self.b.push(read, span);
            }
            None => self.copy_place(place, len_bytes, to, span),
        }
        Val::Mem(to, shape)
    }

    /// Whether two values that are no numbers are equal.
    pub(super) fn equal(&mut self, left: &Expr, right: &Expr, expr: &Expr) -> Lowered<Reg> {
        if let (Ty::Str, ExprKind::Str(text)) = (&left.ty, &right.kind) {
            return self.equals_constant(left, text, expr.span);
        }
        if let (ExprKind::Str(text), Ty::Str) = (&left.kind, &right.ty) {
            return self.equals_constant(right, text, expr.span);
        }
        let (Val::Mem(a, a_shape), Val::Mem(b, b_shape)) = (self.value(left)?, self.value(right)?) else {
            return self.cannot(expr.span, format!("values of type {} cannot be compared in the kernel", left.ty));
        };
        match (&a_shape, &b_shape) {
            (Shape::Text(x), Shape::Text(y)) => Ok(self.equal_texts((a, *x), (b, *y), expr.span)),
            (Shape::Tuple(_), Shape::Tuple(_)) if a_shape != b_shape => {
                let shape = a_shape.join(&b_shape);
                let (x, y) = (self.b.buf(shape.len_bytes()), self.b.buf(shape.len_bytes()));
                self.put(Val::Mem(a, a_shape), &left.ty, x, &shape, expr.span)?;
                self.put(Val::Mem(b, b_shape), &right.ty, y, &shape, expr.span)?;
                Ok(self.equal_bytes(x, y, shape.len_bytes(), expr.span))
            }
            _ => Ok(self.equal_bytes(a, b, a_shape.len_bytes().min(b_shape.len_bytes()), expr.span)),
        }
    }

    fn equal_bytes(&mut self, left: At, right: At, len_bytes: u32, span: Span) -> Reg {
        let dst = self.b.reg(RegTy::Bool);
        self.b.push(Inst::EqualBuf { dst, left, right, len_bytes }, span);
        dst
    }

    /// Whether two texts are equal: the bytes that both have room for are, and the shorter one was not cut. A text that is
    /// zero at the end of the shorter room ends there in both.
    fn equal_texts(&mut self, left: (At, u32), right: (At, u32), span: Span) -> Reg {
        let ((short, room), (long, _)) = if left.1 <= right.1 { (left, right) } else { (right, left) };
        let len_bytes = Shape::Text(room).len_bytes();
        let equal = self.equal_bytes(short, long, len_bytes, span);
        let last = At { offset: short.offset + room.saturating_sub(1), ..short };
        let last = self.b.load(BYTE, last, span);
        let whole = self.b.compare_const(CompareOp::Eq, last, 0, span);
        self.b.binary(BinaryOp::And, equal, whole, span)
    }

    /// Whether a text is a constant: its words are xored with the constant's, and the differences or-ed together.
    fn equals_constant(&mut self, value: &Expr, text: &[u8], span: Span) -> Lowered<Reg> {
        let Val::Mem(at, shape) = self.value(value)? else {
            return self.cannot(span, "only a text is compared with a text");
        };
        let mut bytes = text.to_vec();
        bytes.push(0);
        if bytes.len() as u32 > shape.len_bytes() {
            return Ok(self.b.constant(RegTy::Bool, 0, span));
        }
        Ok(self.starts_with(at, &bytes, span))
    }

    /// Whether a buffer starts with these bytes.
    pub(crate) fn starts_with(&mut self, at: At, bytes: &[u8], span: Span) -> Reg {
        let mut different: Option<Reg> = None;
        let mut done = 0;
        while done < bytes.len() {
            let rest = &bytes[done..];
            let size = [8, 4, 2, 1].into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
            let mut word = [0; 8];
            word[..size].copy_from_slice(&rest[..size]);
            let ty = RegTy::Int(IntTy { bits: (size * 8) as u8, signed: false });
            let from = At { offset: at.offset + done as u32, ..at };
            let found = self.b.load(ty, from, span);
            let found = self.b.cast(found, RegTy::Int(IntTy::U64), span);
            let bits = self.b.binary_const(BinaryOp::Xor, found, i64::from_le_bytes(word), span);
            different = Some(match different {
                None => bits,
                Some(before) => self.b.binary(BinaryOp::Or, before, bits, span),
            });
            done += size;
        }
        match different {
            Some(different) => self.b.compare_const(CompareOp::Eq, different, 0, span),
            None => self.b.constant(RegTy::Bool, 1, span),
        }
    }
}
