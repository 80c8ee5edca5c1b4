//! `strncmp`, `strlen`, `strcontains`, `lower`, `upper`, `route`: text.

use reel_lang::env::{Function, Param, Places, Returns};
use reel_lang::span::Span;
use reel_lang::ty::{IntTy, Ty};

use super::{I64, U64, UNSIGNED, call, helper, pure};
use crate::ir::{Arg, At, BinaryOp, CompareOp, Inst, Reg, RegTy};
use crate::lower::shape::Shape;
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::{Expr, ExprKind};

pub(super) fn functions() -> Vec<Function> {
    vec![
        pure(call(
            "strncmp",
            &[Param::Str, Param::Str, Param::LiteralInt],
            Returns::Ty(I64),
            Places::BOTH,
            [
                "Compares at most `n` bytes of two texts: 0 where they are equal, else 1.",
                "begin { if (strncmp(\"abc\", \"abd\", 2) == 0) { printf(\"same\\n\"); } }",
            ],
        )),
        pure(call(
            "strlen",
            &[Param::Str],
            Returns::Ty(U64),
            Places::BOTH,
            ["The number of bytes of a text.", "begin { printf(\"%d\\n\", strlen(\"abc\")); }"],
        )),
        pure(call(
            "strcontains",
            &[Param::Str, Param::Str],
            Returns::Ty(Ty::Bool),
            Places::BOTH,
            [
                "Tells whether the first text contains the second.",
                "begin { if (strcontains(\"abcd\", \"bc\")) { printf(\"yes\\n\"); } }",
            ],
        )),
        pure(call(
            "lower",
            &[Param::Str],
            Returns::Ty(Ty::Str),
            Places::NATIVE,
            ["The text with ASCII letters in lower case.", "http:request { @[lower(host)] = count(); }"],
        )),
        pure(call(
            "route",
            &[Param::Str],
            Returns::Ty(Ty::Str),
            Places::NATIVE,
            [
                "A path without its query, each segment that looks like an id (a number, a UUID, a long token) as `:id`.",
                "http:exchange { @[method, route(path)] = hist(latency); }",
            ],
        )),
        pure(call(
            "upper",
            &[Param::Str],
            Returns::Ty(Ty::Str),
            Places::NATIVE,
            ["The text with ASCII letters in upper case.", "redis:request { @[upper(command)] = count(); }"],
        )),
    ]
}

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    match name {
        "strlen" => strlen(lower, super::arg(lower, args, 0, expr)?, expr).map(Val::Reg),
        "strncmp" => strncmp(lower, args, expr).map(Val::Reg),
        "strcontains" => contains(lower, args, expr).map(Val::Reg),
        _ => lower.cannot(expr.span, format!("a kernel probe cannot call `{name}`")),
    }
}

/// A text in a buffer, and how much room it has.
fn buffer(lower: &mut Lower<'_>, expr: &Expr) -> Lowered<(At, u32)> {
    match lower.value(expr)? {
        Val::Mem(at, shape @ Shape::Text(_)) => Ok((at, shape.len_bytes())),
        _ => lower.cannot(expr.span, "only a text is compared here"),
    }
}

/// The kernel copies the text to find its end, and says how long it was.
fn strlen(lower: &mut Lower<'_>, text: &Expr, expr: &Expr) -> Lowered<Reg> {
    let (from, len_bytes) = buffer(lower, text)?;
    let to = lower.b.buf(len_bytes);
    // BPF_FUNC_probe_read_kernel_str
    let args = vec![Arg::At(to), Arg::Imm(i64::from(len_bytes)), Arg::At(from)];
    let with_nul = helper(lower, 115, args, UNSIGNED, expr.span);
    Ok(lower.b.binary_const(BinaryOp::Sub, with_nul, 1, expr.span))
}

/// Compares the first bytes; both texts end in zero bytes, so that what is beyond the shorter one's room is its end.
fn strncmp(lower: &mut Lower<'_>, args: &[Expr], expr: &Expr) -> Lowered<Reg> {
    let span = expr.span;
    let wanted = super::pointer::constant_len(super::arg(lower, args, 2, expr)?).unwrap_or(0);
    let (left, right) = (super::arg(lower, args, 0, expr)?, super::arg(lower, args, 1, expr)?);
    let equal = match (&left.kind, &right.kind) {
        (_, ExprKind::Str(text)) => prefix(lower, left, text, wanted, span)?,
        (ExprKind::Str(text), _) => prefix(lower, right, text, wanted, span)?,
        _ => {
            let (a, a_len) = buffer(lower, left)?;
            let (b, b_len) = buffer(lower, right)?;
            let len_bytes = wanted.min(a_len).min(b_len);
            let dst = lower.b.reg(RegTy::Bool);
            lower.b.push(Inst::EqualBuf { dst, left: a, right: b, len_bytes }, span);
            dst
        }
    };
    let different = lower.b.compare_const(CompareOp::Eq, equal, 0, span);
    Ok(lower.b.cast(different, RegTy::Int(IntTy::I64), span))
}

fn prefix(lower: &mut Lower<'_>, value: &Expr, text: &[u8], wanted: u32, span: Span) -> Lowered<Reg> {
    let (at, len_bytes) = buffer(lower, value)?;
    let mut bytes = text.to_vec();
    bytes.push(0);
    bytes.truncate(wanted as usize);
    if bytes.len() as u32 > len_bytes {
        return Ok(lower.b.constant(RegTy::Bool, 0, span));
    }
    Ok(lower.starts_with(at, &bytes, span))
}

/// The longest text that is searched in the kernel: each place is compared, in code.
const MAX_SEARCHED_LEN_BYTES: u32 = 256;

fn contains(lower: &mut Lower<'_>, args: &[Expr], expr: &Expr) -> Lowered<Reg> {
    let span = expr.span;
    let (text, part) = (super::arg(lower, args, 0, expr)?, super::arg(lower, args, 1, expr)?);
    let ExprKind::Str(bytes) = &part.kind else {
        return lower.cannot(part.span, "in a kernel probe the text to look for is a constant");
    };
    let (at, len_bytes) = buffer(lower, text)?;
    if len_bytes > MAX_SEARCHED_LEN_BYTES {
        return lower.cannot(text.span, format!("a kernel probe searches texts of at most {MAX_SEARCHED_LEN_BYTES} bytes: read fewer, as in `str(p, 256)`"));
    }
    let found = lower.b.reg(RegTy::Bool);
    let (yes, end) = (lower.b.block(), lower.b.block());
    for offset in 0..len_bytes.saturating_sub(bytes.len() as u32) {
        let here = At { offset: at.offset + offset, ..at };
        let matches = lower.starts_with(here, bytes, span);
        let next = lower.b.block();
        lower.b.branch(matches, yes, next);
        lower.b.at(next);
    }
    lower.b.push(Inst::Const { dst: found, value: 0 }, span);
    lower.b.jump(end);
    lower.b.at(yes);
    lower.b.push(Inst::Const { dst: found, value: 1 }, span);
    lower.b.jump(end);
    lower.b.at(end);
    Ok(found)
}
