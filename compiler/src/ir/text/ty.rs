//! Types in the text form. Unlike `Ty`'s `Display`, which is for people, this form loses nothing: an integer's sign, a
//! pointer's space, an aggregation's parameters.

use reel_lang::ty::{Agg, IntTy, Space, Ty};

use super::super::RegTy;
use super::Quoted;

/// The text of a register's type.
pub fn reg_ty_text(ty: RegTy) -> String {
    match ty {
        RegTy::Int(int) => int_text(int),
        RegTy::Bool => "bool".into(),
        RegTy::Address(space) => format!("address({})", space_text(space)),
        RegTy::Btf => "btf".into(),
        RegTy::Value => "value".into(),
    }
}

/// The text of an integer type: `i64`, `u8`.
pub(super) fn int_text(int: IntTy) -> String {
    format!("{}{}", if int.signed { 'i' } else { 'u' }, int.bits)
}

/// The word for an address space.
pub(super) fn space_text(space: Space) -> &'static str {
    match space {
        Space::Kernel => "kernel",
        Space::User => "user",
    }
}

/// The text of an aggregation with its parameters.
pub fn agg_text(agg: Agg) -> String {
    let sign = |signed: bool| if signed { "i" } else { "u" };
    match agg {
        Agg::Count => "count".into(),
        Agg::Sum { signed } => format!("sum({})", sign(signed)),
        Agg::Min { signed } => format!("min({})", sign(signed)),
        Agg::Max { signed } => format!("max({})", sign(signed)),
        Agg::Avg { signed } => format!("avg({})", sign(signed)),
        Agg::Stats { signed } => format!("stats({})", sign(signed)),
        Agg::Hist { bits } => format!("hist({bits})"),
        Agg::Lhist { min, max, step } => format!("lhist({min}, {max}, {step})"),
    }
}

/// The text of a type, without loss.
pub fn ty_text(ty: &Ty) -> String {
    match ty {
        Ty::Int(int) => int_text(*int),
        Ty::Buf(len) => format!("buf({len})"),
        Ty::Tuple(items) => {
            let items: Vec<String> = items.iter().map(ty_text).collect();
            format!("tuple({})", items.join(", "))
        }
        Ty::Array(item, len) => format!("array({}, {len})", ty_text(item)),
        Ty::Ptr(to, space) => format!("ptr({}, {})", ty_text(to), space_text(*space)),
        Ty::Struct(name) => format!("struct({})", Quoted(name.as_bytes())),
        Ty::Enum(name, int) => format!("enum({}, {})", Quoted(name.as_bytes()), int_text(*int)),
        Ty::Agg(agg) => agg_text(*agg),
        other => SIMPLE.iter().find(|(ty, _)| ty == other).map_or_else(|| "error".into(), |(_, word)| (*word).into()),
    }
}

/// Types that are one word.
pub(in crate::ir) const SIMPLE: &[(Ty, &str)] = &[
    (Ty::Error, "error"),
    (Ty::Void, "void"),
    (Ty::Bool, "bool"),
    (Ty::Duration, "duration"),
    (Ty::Time, "time"),
    (Ty::Str, "string"),
    (Ty::Args, "args"),
    (Ty::Probe, "probe"),
    (Ty::Ip, "ip"),
    (Ty::Decimal, "decimal"),
    (Ty::Nil, "nil"),
    (Ty::Null, "null"),
    (Ty::Any, "any"),
    (Ty::Headers, "headers"),
    (Ty::Strings, "strings"),
    (Ty::List, "list"),
    (Ty::KStack, "kstack"),
    (Ty::UStack, "ustack"),
    (Ty::KSym, "ksym"),
    (Ty::USym, "usym"),
    (Ty::Username, "username"),
    (Ty::Timestamp, "timestamp"),
    (Ty::Dynptr, "dynptr"),
];
