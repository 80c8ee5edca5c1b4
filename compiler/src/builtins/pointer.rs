//! `str`: text behind a pointer.

use reel_lang::env::{Function, Param, Places, Returns};
use reel_lang::ty::{Space, Ty};

use super::{UNSIGNED, call};
use crate::ir::{Arg, At, CompareOp, Inst};
use crate::lower::shape::Shape;
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::{Expr, ExprKind};
use reel_lang::span::Span;

pub(super) fn functions() -> Vec<Function> {
    vec![Function {
        optional: 1,
        ..call(
            "str",
            &[Param::Pointer, Param::Int],
            Returns::Ty(Ty::Str),
            Places::BOTH,
            [
                "Reads the C string that a pointer points at, at most `len` bytes with its NUL, or `max_strlen`; a text it cuts so.",
                "tracepoint:syscalls:sys_enter_openat { printf(\"%s\\n\", str(args.filename)); }",
            ],
        )
    }]
}

pub(super) fn kernel(lower: &mut Lower<'_>, _name: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    let span = expr.span;
    let pointer = super::arg(lower, args, 0, expr)?;
    let max = lower.cx.program.config.max_strlen;
    if pointer.ty == Ty::Str {
        let text = lower.value(pointer)?;
        return match (args.get(1), &text) {
            (None, _) => Ok(text),
            (Some(len), Val::Mem(from, Shape::Text(room))) => match constant_len(len).map(|len| len.min(max)) {
                Some(len) if len < *room => Ok(cut(lower, *from, len, span)),
                Some(_) => Ok(text),
                None => {
                    lower.cannot(len.span, "the length at which a text is cut is a number from 0 up, known beforehand")
                }
            },
            _ => lower.cannot(span, "this text cannot be cut"),
        };
    }
    let place = lower.place(pointer)?;
    let Some((address, space)) = lower.address_of(place, span) else {
        return lower.cannot(pointer.span, "this has no address");
    };
    let Some(len) = args.get(1) else {
        return Ok(lower.read_text(address, space, max, span));
    };
    if let Some(len) = constant_len(len) {
        return Ok(lower.read_text(address, space, len.min(max), span));
    }
    // A length known at run time, bounded where the verifier sees it. A text that is cut at a length of the script's own
    // choosing is no cut text.
    let wanted = lower.scalar(len)?;
    let wanted = lower.b.cast(wanted, UNSIGNED, span);
    let bounded = lower.b.reg(UNSIGNED);
    let (over, done) = (lower.b.block(), lower.b.block());
    lower.b.push(Inst::Copy { dst: bounded, src: wanted }, span);
    let more = lower.b.compare_const(CompareOp::Gt, bounded, i64::from(max), span);
    lower.b.branch(more, over, done);
    lower.b.at(over);
    lower.b.push(Inst::Const { dst: bounded, value: i64::from(max) }, span);
    lower.b.jump(done);
    lower.b.at(done);
    let shape = Shape::Text(max);
    let to = lower.b.buf(shape.len_bytes());
    lower.b.push(Inst::Zero { to, len_bytes: shape.len_bytes() }, span);
    // BPF_FUNC_probe_read_user_str, BPF_FUNC_probe_read_kernel_str
    let helper = if space == Space::User { 114 } else { 115 };
    let args = vec![Arg::At(to), Arg::Reg(bounded), Arg::Reg(address)];
    lower.b.push(Inst::Helper { dst: None, helper, args }, span);
    Ok(Val::Mem(to, shape))
}

/// The first bytes of a text, so many with the NUL: a text of its own, which equals what it shows.
fn cut(lower: &mut Lower<'_>, from: At, len: u32, span: Span) -> Val {
    let shape = Shape::Text(len.max(1));
    let to = lower.b.buf(shape.len_bytes());
    lower.b.push(Inst::Zero { to, len_bytes: shape.len_bytes() }, span);
    if len > 1 {
        lower.b.push(Inst::CopyBuf { to, from, len_bytes: len - 1 }, span);
    }
    Val::Mem(to, shape)
}

/// The length that a call names, where it is known.
pub(super) fn constant_len(len: &Expr) -> Option<u32> {
    match &len.kind {
        ExprKind::Int(n) => u32::try_from(*n).ok(),
        ExprKind::Cast(inner) => constant_len(inner),
        _ => None,
    }
}
