//! `clear`, `zero`, `delete`, `has_key`, `len`: maps as a whole, and their entries.

use reel_lang::env::{Function, Param, Places, Returns};
use reel_lang::ty::Ty;

use super::{U64, call, pure};
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::{Expr, ExprKind, MapId};

pub(super) fn functions() -> Vec<Function> {
    let on_entry = |name, doc, example| Function {
        // The older spelling `delete(@m, key)` gives the key apart.
        optional: 1,
        ..call(name, &[Param::MapEntry, Param::Value], Returns::Ty(Ty::Bool), Places::BOTH, [doc, example])
    };
    vec![
        call(
            "clear",
            &[Param::Map],
            Returns::Nothing,
            Places::BOTH,
            ["Removes every entry of a map.", "interval:s:1 { print(@m); clear(@m); }"],
        ),
        call(
            "zero",
            &[Param::Map],
            Returns::Nothing,
            Places::BOTH,
            ["Sets every value of a map to zero.", "interval:s:1 { print(@m); zero(@m); }"],
        ),
        on_entry("delete", "Removes an entry, and tells whether it was there.", "begin { @m[1] = 2; delete(@m[1]); }"),
        on_entry(
            "has_key",
            "Tells whether a map has an entry.",
            "begin { @m[1] = 2; if (has_key(@m[1])) { printf(\"yes\\n\"); } }",
        ),
        pure(call(
            "len",
            &[Param::Value],
            Returns::Ty(U64),
            Places::NATIVE,
            [
                "The number of elements of a list or map, of entries of `@map`, or of bytes of a text; 0 for anything else.",
                "http:response { @n = len(headers[\"set-cookie\"]); }",
            ],
        )),
    ]
}

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    match name {
        "clear" | "zero" => super::output::kernel(lower, name, args, expr),
        "delete" | "has_key" => {
            let Some((map, key)) = entry(args) else {
                return lower.cannot(expr.span, format!("`{name}` wants an entry of a map"));
            };
            Ok(Val::Reg(match name {
                "delete" => lower.map_delete(map, key, expr.span)?,
                _ => lower.map_has(map, key, expr.span)?,
            }))
        }
        _ => lower.cannot(expr.span, format!("a kernel probe cannot call `{name}`")),
    }
}

/// The map and key of `@m[k]`, or of `@m, k`.
pub(crate) fn entry(args: &[Expr]) -> Option<(MapId, &[Expr])> {
    match args {
        [Expr { kind: ExprKind::MapGet { map, key }, .. }] => Some((*map, key)),
        [Expr { kind: ExprKind::Map(map), .. }, Expr { kind: ExprKind::Tuple(key), .. }] => Some((*map, key)),
        [Expr { kind: ExprKind::Map(map), .. }, key @ ..] => Some((*map, key)),
        _ => None,
    }
}
