//! Arithmetic inline, as `crate::native::scalar` defines it.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use reel_lang::ty::IntTy;

use super::translate::{Translator, int_type};
use crate::ir::{BinaryOp, CompareOp, Inst, RegTy, UnaryOp};
use crate::native::scalar;

/// Cranelift's word for a comparison.
pub(super) fn condition(op: CompareOp, signed: bool) -> IntCC {
    let signed_code = match op {
        CompareOp::Eq => IntCC::Equal,
        CompareOp::Ne => IntCC::NotEqual,
        CompareOp::Lt => IntCC::SignedLessThan,
        CompareOp::Le => IntCC::SignedLessThanOrEqual,
        CompareOp::Gt => IntCC::SignedGreaterThan,
        CompareOp::Ge => IntCC::SignedGreaterThanOrEqual,
    };
    if signed { signed_code } else { signed_code.unsigned() }
}

impl Translator<'_, '_> {
    pub(super) fn arithmetic(&mut self, inst: &Inst) -> bool {
        match inst {
            Inst::Const { dst, value } => {
                let bits = scalar::wrap(self.int(*dst), value.cast_unsigned());
                let constant = self.constant(bits.cast_signed());
                self.set(*dst, constant);
            }
            Inst::Copy { dst, src } if self.ty(*dst) == RegTy::Value => {
                let words = self.words(*src);
                self.set_words(*dst, words);
            }
            Inst::Copy { dst, src } => {
                let value = self.scalar(*src);
                self.set(*dst, value);
            }
            Inst::Cast { dst, src } => {
                let value = self.scalar(*src);
                let value = self.wrap(self.int(*dst), value);
                self.set(*dst, value);
            }
            Inst::Unary { op, dst, src } => {
                let value = self.scalar(*src);
                let ty = self.int(*dst);
                let result = match op {
                    UnaryOp::Neg => self.builder.ins().ineg(value),
                    UnaryOp::BitNot => self.builder.ins().bnot(value),
                    UnaryOp::Not => {
                        let zero = self.constant(0);
                        self.compare(IntCC::Equal, value, zero)
                    }
                };
                let result = self.wrap(ty, result);
                self.set(*dst, result);
            }
            Inst::Binary { op, dst, left, right } => {
                let (left, right) = (self.scalar(*left), self.scalar(*right));
                let ty = self.int(*dst);
                let result = self.binary(*op, ty, left, right);
                let result = self.wrap(ty, result);
                self.set(*dst, result);
            }
            Inst::Compare { op, dst, left, right } => {
                let code = condition(*op, self.int(*left).signed);
                let (left, right) = (self.scalar(*left), self.scalar(*right));
                let truth = self.compare(code, left, right);
                self.set(*dst, truth);
            }
            _ => return false,
        }
        true
    }

    /// Compares into a 64-bit 0 or 1.
    pub(super) fn compare(&mut self, code: IntCC, left: Value, right: Value) -> Value {
        let truth = self.builder.ins().icmp(code, left, right);
        self.builder.ins().uextend(types::I64, truth)
    }

    /// Cuts to a type's width and extends by its sign.
    pub(super) fn wrap(&mut self, ty: IntTy, value: Value) -> Value {
        if ty.bits >= 64 {
            return value;
        }
        let cut = self.builder.ins().ireduce(int_type(ty.len_bytes()), value);
        self.extend(ty, cut)
    }

    /// Extends a narrow integer by its type's sign.
    pub(super) fn extend(&mut self, ty: IntTy, value: Value) -> Value {
        match (ty.bits, ty.signed) {
            (64.., _) => value,
            (_, true) => self.builder.ins().sextend(types::I64, value),
            (_, false) => self.builder.ins().uextend(types::I64, value),
        }
    }

    fn binary(&mut self, op: BinaryOp, ty: IntTy, left: Value, right: Value) -> Value {
        match op {
            BinaryOp::Add => self.builder.ins().iadd(left, right),
            BinaryOp::Sub => self.builder.ins().isub(left, right),
            BinaryOp::Mul => self.builder.ins().imul(left, right),
            BinaryOp::And => self.builder.ins().band(left, right),
            BinaryOp::Or => self.builder.ins().bor(left, right),
            BinaryOp::Xor => self.builder.ins().bxor(left, right),
            BinaryOp::Div | BinaryOp::Rem => self.divide(op, ty, left, right),
            BinaryOp::Shl | BinaryOp::Shr => {
                let mask = self.constant(i64::from(ty.bits) - 1);
                let amount = self.builder.ins().band(right, mask);
                match (op, ty.signed) {
                    (BinaryOp::Shl, _) => self.builder.ins().ishl(left, amount),
                    (_, true) => self.builder.ins().sshr(left, amount),
                    (_, false) => self.builder.ins().ushr(left, amount),
                }
            }
        }
    }

    /// Divides; the machine's own division never sees 0, nor -1 on signed numbers.
    fn divide(&mut self, op: BinaryOp, ty: IntTy, left: Value, right: Value) -> Value {
        let (zero, one) = (self.constant(0), self.constant(1));
        let by_zero = self.builder.ins().icmp(IntCC::Equal, right, zero);
        let divisor = self.builder.ins().select(by_zero, one, right);
        if !ty.signed {
            let result = match op {
                BinaryOp::Div => self.builder.ins().udiv(left, divisor),
                _ => self.builder.ins().urem(left, divisor),
            };
            let otherwise = if op == BinaryOp::Div { zero } else { left };
            return self.builder.ins().select(by_zero, otherwise, result);
        }
        let minus_one = self.constant(-1);
        let negates = self.builder.ins().icmp(IntCC::Equal, right, minus_one);
        let divisor = self.builder.ins().select(negates, one, divisor);
        if op == BinaryOp::Rem {
            // By 1 and by -1 the remainder is 0.
            let result = self.builder.ins().srem(left, divisor);
            return self.builder.ins().select(by_zero, left, result);
        }
        let quotient = self.builder.ins().sdiv(left, divisor);
        let negated = self.builder.ins().ineg(left);
        let quotient = self.builder.ins().select(negates, negated, quotient);
        self.builder.ins().select(by_zero, zero, quotient)
    }
}
