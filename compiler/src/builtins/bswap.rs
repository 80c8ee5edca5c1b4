//! `bswap`: bytes in the other order, as ports and addresses in network order want.

use reel_lang::env::{Function, Param, Places, Returns};

use super::{UNSIGNED, call, pure};
use crate::ir::{BinaryOp, Reg, RegTy};
use crate::lower::{Builder, Lower, Lowered, Val};
use reel_lang::hir::{Expr, ExprKind};
use reel_lang::span::Span;
use reel_lang::ty::IntTy;

pub(super) fn functions() -> Vec<Function> {
    vec![pure(call(
        "bswap",
        &[Param::Int],
        Returns::Argument,
        Places::BOTH,
        ["The integer with its bytes in reverse order.", "begin { printf(\"%x\\n\", bswap((uint16)0x1234)); }"],
    ))]
}

pub(super) fn kernel(lower: &mut Lower<'_>, _name: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    let span = expr.span;
    let number = narrowest(super::arg(lower, args, 0, expr)?);
    let bits = number.ty.int().map_or(64, |int| int.bits);
    let value = lower.scalar(number)?;
    let result = swapped(&mut lower.b, value, bits, span);
    Ok(Val::Reg(lower.as_ty(result, &expr.ty, span)))
}

/// The argument of a call in a message clause, and how many bits of it count.
pub(crate) fn operand(args: &[Expr]) -> Option<(&Expr, u8)> {
    let number = narrowest(args.first()?);
    Some((number, number.ty.int().map_or(64, |int| int.bits)))
}

/// So many bits of a number, their bytes in reverse order, as an unsigned number of 64 bits.
pub(crate) fn swapped(b: &mut Builder, value: Reg, bits: u8, span: Span) -> Reg {
    let value = b.cast(value, RegTy::Int(IntTy { bits, signed: false }), span);
    let value = b.cast(value, UNSIGNED, span);
    let bytes = i64::from(bits / 8);
    let mut result = None;
    for byte in 0..bytes {
        let low = b.binary_const(BinaryOp::Shr, value, byte * 8, span);
        let alone = b.binary_const(BinaryOp::And, low, 0xff, span);
        let moved = b.binary_const(BinaryOp::Shl, alone, (bytes - 1 - byte) * 8, span);
        result = Some(match result {
            None => moved,
            Some(before) => b.binary(BinaryOp::Or, before, moved, span),
        });
    }
    result.unwrap_or(value)
}

/// The number before it was widened to 64 bits as an argument: its own size says how many bytes there are.
fn narrowest(expr: &Expr) -> &Expr {
    let bits = |expr: &Expr| expr.ty.int().map_or(64, |int| int.bits);
    match &expr.kind {
        ExprKind::Cast(inner) if bits(inner) <= bits(expr) && inner.ty.is_scalar() => narrowest(inner),
        _ => expr,
    }
}
