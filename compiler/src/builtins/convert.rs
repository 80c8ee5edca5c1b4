//! `int`, `strftime`: a value as another kind.

use reel_lang::env::{Function, Param, Places, Returns};
use reel_lang::ty::Ty;

use super::{I64, call, pure};
use crate::ir::{At, Inst};
use crate::lower::shape::Shape;
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::{Expr, ExprKind};

pub(super) fn functions() -> Vec<Function> {
    vec![
        pure(call(
            "int",
            &[Param::Value],
            Returns::Ty(I64),
            Places::NATIVE,
            [
                "The integer that a text holds, nil where it holds none.",
                "http:request /int(query[\"page\"]) == 2/ { @ = count(); }",
            ],
        )),
        pure(call(
            "strftime",
            &[Param::LiteralStr, Param::Int],
            Returns::Ty(Ty::Timestamp),
            Places::BOTH,
            [
                "The time of day of an `nsecs` value, by a strftime(3) format.",
                "begin { printf(\"%s\\n\", strftime(\"%H:%M:%S\", nsecs)); }",
            ],
        )),
    ]
}

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    match (name, args) {
        ("strftime", [format, nsecs]) => timestamp(lower, args, format, nsecs, expr),
        _ => lower.cannot(expr.span, format!("a kernel probe cannot call `{name}`")),
    }
}

/// How long a timestamp is in kernel memory: the nanoseconds, then its format, which is applied where it is printed.
pub(crate) fn timestamp_len(args: &[Expr]) -> u32 {
    8 + padded_format(args.first()).len() as u32
}

fn padded_format(format: Option<&Expr>) -> Vec<u8> {
    let mut bytes = match format.map(|format| &format.kind) {
        Some(ExprKind::Str(text)) => text.clone(),
        _ => Vec::new(),
    };
    bytes.resize((bytes.len() + 1).next_multiple_of(8), 0);
    bytes
}

fn timestamp(lower: &mut Lower<'_>, args: &[Expr], format: &Expr, nsecs: &Expr, expr: &Expr) -> Lowered<Val> {
    let src = lower.number(nsecs)?;
    let to = lower.b.buf(timestamp_len(args));
    lower.b.push(Inst::Store { to, src }, expr.span);
    let data = lower.tables.data(&padded_format(Some(format)));
    lower.b.push(Inst::SetData { to: At { offset: 8, ..to }, data }, expr.span);
    Ok(Val::Mem(to, Shape::Bytes(timestamp_len(args))))
}
