//! `deny`: the verdict of a cgroup hook that fails the system call with an error of choice.

use reel_lang::env::{Function, Param, Places, Returns};

use super::{I64, call};
use crate::ir::{Arg, Inst, RegTy};
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::{Expr, ExprKind};
use reel_lang::ty::IntTy;

/// The errors that `deny` names (errno(3), the numbers that all of Linux's common platforms share).
pub(crate) const ERRORS: &[(&str, i64)] = &[
    ("EPERM", 1),
    ("ENOENT", 2),
    ("EIO", 5),
    ("EACCES", 13),
    ("EADDRINUSE", 98),
    ("ENETUNREACH", 101),
    ("ECONNRESET", 104),
    ("ETIMEDOUT", 110),
    ("ECONNREFUSED", 111),
    ("EHOSTUNREACH", 113),
];

const WORDS: &[&str] = &[
    "EPERM",
    "ENOENT",
    "EIO",
    "EACCES",
    "EADDRINUSE",
    "ENETUNREACH",
    "ECONNRESET",
    "ETIMEDOUT",
    "ECONNREFUSED",
    "EHOSTUNREACH",
];

pub(super) fn functions() -> Vec<Function> {
    vec![Function {
        is_unsafe: true,
        ..call(
            "deny",
            &[Param::Word(WORDS)],
            Returns::Ty(I64),
            Places::KERNEL,
            [
                "The verdict that fails the call with this error.",
                "cgroup:connect4 /args.user_ip4 == 0/ { return deny(ECONNREFUSED); }",
            ],
        )
    }]
}

pub(super) fn kernel(lower: &mut Lower<'_>, _name: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    let error = match args.first().map(|arg| &arg.kind) {
        Some(ExprKind::Word(word)) => ERRORS.iter().find(|(name, _)| name == word),
        _ => None,
    };
    let Some((word, error)) = error else {
        return lower.cannot(expr.span, "`deny` wants an error, as in `deny(EPERM)`");
    };
    // The verdict 0 alone gives EPERM; another error needs BPF_FUNC_set_retval, which Linux has since 5.18.
    if *word != "EPERM" {
        let args = vec![Arg::Imm(-error)];
        lower.b.push(Inst::Helper { dst: None, helper: 187, args }, expr.span);
    }
    Ok(Val::Reg(lower.b.constant(RegTy::Int(IntTy::I64), 0, expr.span)))
}
