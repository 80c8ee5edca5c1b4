//! Arithmetic of the language on 64-bit registers.
//!
//! A register holds its number extended to 64 bits by the sign of its type; every operation takes and gives that form. These
//! few lines are the definition that both back ends are held against: x/0 = 0, x%0 = x, MIN/-1 = MIN, MIN%-1 = 0, shifts
//! modulo the width, everything wraps.

use reel_lang::ty::IntTy;

use super::equal::holds;
use crate::ir::{BinaryOp, CompareOp, UnaryOp};

/// Cuts a number to a type's width and extends it by the type's sign.
pub fn wrap(ty: IntTy, bits: u64) -> u64 {
    let spare = 64u32.saturating_sub(u32::from(ty.bits));
    if ty.signed { (bits.cast_signed() << spare >> spare).cast_unsigned() } else { bits << spare >> spare }
}

/// Computes a unary operation.
pub fn unary(op: UnaryOp, ty: IntTy, value: u64) -> u64 {
    match op {
        UnaryOp::Neg => wrap(ty, value.wrapping_neg()),
        UnaryOp::BitNot => wrap(ty, !value),
        UnaryOp::Not => u64::from(value == 0),
    }
}

/// Computes a binary operation.
pub fn binary(op: BinaryOp, ty: IntTy, left: u64, right: u64) -> u64 {
    let amount = (right & u64::from(ty.bits.saturating_sub(1))) as u32;
    let result = match op {
        BinaryOp::Add => left.wrapping_add(right),
        BinaryOp::Sub => left.wrapping_sub(right),
        BinaryOp::Mul => left.wrapping_mul(right),
        BinaryOp::Div if right == 0 => 0,
        BinaryOp::Rem if right == 0 => left,
        BinaryOp::Div if ty.signed => left.cast_signed().wrapping_div(right.cast_signed()).cast_unsigned(),
        BinaryOp::Rem if ty.signed => left.cast_signed().wrapping_rem(right.cast_signed()).cast_unsigned(),
        BinaryOp::Div => left / right,
        BinaryOp::Rem => left % right,
        BinaryOp::And => left & right,
        BinaryOp::Or => left | right,
        BinaryOp::Xor => left ^ right,
        BinaryOp::Shl => left << amount,
        BinaryOp::Shr if ty.signed => (left.cast_signed() >> amount).cast_unsigned(),
        BinaryOp::Shr => left >> amount,
    };
    wrap(ty, result)
}

/// Compares two numbers of one type.
pub fn compare(op: CompareOp, ty: IntTy, left: u64, right: u64) -> bool {
    let order = if ty.signed { left.cast_signed().cmp(&right.cast_signed()) } else { left.cmp(&right) };
    holds(op, order)
}

#[cfg(test)]
mod tests {
    use super::*;

    const I8: IntTy = IntTy { bits: 8, signed: true };
    const U8: IntTy = IntTy { bits: 8, signed: false };

    #[test]
    fn arithmetic_is_the_language_s() {
        let signed =
            |op, left: i64, right: i64| binary(op, I8, left.cast_unsigned(), right.cast_unsigned()).cast_signed();
        assert_eq!(signed(BinaryOp::Add, 127, 1), -128);
        assert_eq!(signed(BinaryOp::Div, -128, -1), -128);
        assert_eq!(signed(BinaryOp::Rem, -128, -1), 0);
        assert_eq!(signed(BinaryOp::Div, 5, 0), 0);
        assert_eq!(signed(BinaryOp::Rem, -5, 0), -5);
        assert_eq!(signed(BinaryOp::Div, -7, 2), -3);
        assert_eq!(signed(BinaryOp::Rem, -7, 2), -1);
        assert_eq!(signed(BinaryOp::Shl, 1, 9), 2);
        assert_eq!(signed(BinaryOp::Shr, -128, 7), -1);
        assert_eq!(binary(BinaryOp::Shr, U8, 0x80, 7), 1);
        assert_eq!(binary(BinaryOp::Sub, U8, 0, 1), 255);
        assert_eq!(unary(UnaryOp::BitNot, U8, 0), 255);
        assert_eq!(unary(UnaryOp::Neg, I8, wrap(I8, 0x80)), wrap(I8, 0x80));
        let min = i64::MIN.cast_unsigned();
        assert_eq!(binary(BinaryOp::Div, IntTy::I64, min, u64::MAX), min);
        assert_eq!(binary(BinaryOp::Rem, IntTy::I64, min, u64::MAX), 0);
    }

    #[test]
    fn order_follows_the_sign() {
        assert!(compare(CompareOp::Lt, I8, wrap(I8, 0xff), 1));
        assert!(!compare(CompareOp::Lt, U8, wrap(U8, 0xff), 1));
    }
}
