//! Types as they are written: casts, `let`, `sizeof`.

use super::Checker;
use super::infer::truncate;
use super::names::default_space;
use crate::ast::{self, TypeKind, TypeOrExpr};
use crate::diagnostic::{Diagnostic, code, nearest};
use crate::hir;
use crate::span::Span;
use crate::ty::{IntTy, Ty};

/// The names of integers: bpftrace's, C's and the kernel's.
const INTEGERS: &[(&str, u8, bool)] = &[
    ("int8", 8, true),
    ("int16", 16, true),
    ("int32", 32, true),
    ("int64", 64, true),
    ("uint8", 8, false),
    ("uint16", 16, false),
    ("uint32", 32, false),
    ("uint64", 64, false),
    ("int", 32, true),
    ("signed", 32, true),
    ("signed int", 32, true),
    ("unsigned", 32, false),
    ("unsigned int", 32, false),
    ("char", 8, true),
    ("signed char", 8, true),
    ("unsigned char", 8, false),
    ("short", 16, true),
    ("short int", 16, true),
    ("unsigned short", 16, false),
    ("unsigned short int", 16, false),
    ("long", 64, true),
    ("long int", 64, true),
    ("unsigned long", 64, false),
    ("long unsigned int", 64, false),
    ("unsigned long int", 64, false),
    ("long long", 64, true),
    ("long long int", 64, true),
    ("unsigned long long", 64, false),
    ("long long unsigned int", 64, false),
    ("int8_t", 8, true),
    ("int16_t", 16, true),
    ("int32_t", 32, true),
    ("int64_t", 64, true),
    ("uint8_t", 8, false),
    ("uint16_t", 16, false),
    ("uint32_t", 32, false),
    ("uint64_t", 64, false),
    ("s8", 8, true),
    ("s16", 16, true),
    ("s32", 32, true),
    ("s64", 64, true),
    ("u8", 8, false),
    ("u16", 16, false),
    ("u32", 32, false),
    ("u64", 64, false),
    ("__s8", 8, true),
    ("__s16", 16, true),
    ("__s32", 32, true),
    ("__s64", 64, true),
    ("__u8", 8, false),
    ("__u16", 16, false),
    ("__u32", 32, false),
    ("__u64", 64, false),
    ("__be16", 16, false),
    ("__be32", 32, false),
    ("__be64", 64, false),
    ("size_t", 64, false),
    ("ssize_t", 64, true),
    ("uintptr_t", 64, false),
    ("pid_t", 32, true),
    ("uid_t", 32, false),
    ("gid_t", 32, false),
    ("dev_t", 32, false),
    ("off_t", 64, true),
    ("loff_t", 64, true),
    ("sector_t", 64, false),
];

impl<'a> Checker<'a> {
    /// Finds out which type is written.
    pub(super) fn resolve_type(&mut self, ty: &'a ast::Type) -> Ty {
        match &ty.kind {
            TypeKind::Name(name) => self.named_type(name, ty.span),
            TypeKind::Tagged { tag: ast::Tag::Enum, .. } => Ty::Int(IntTy::U32),
            TypeKind::Tagged { tag, name } => {
                if self.env.layout(name).is_none() {
                    let word = tag.name();
                    self.report(
                        Diagnostic::new(code::UNKNOWN_TYPE, ty.span, format!("unknown type `{word} {name}`"))
                            .hint("check the name; kernel types come from the kernel's BTF"),
                    );
                    return Ty::Error;
                }
                Ty::Struct(name.clone())
            }
            TypeKind::Pointer(to) => match self.pointee(to) {
                Ty::Error => Ty::Error,
                to => Ty::Ptr(Box::new(to), default_space(self.body.place.as_ref())),
            },
            TypeKind::Array { element, len } => self.array_type(element, len.as_deref(), ty.span),
            TypeKind::Tuple(items) => {
                let items: Vec<_> = items.iter().map(|item| self.resolve_type(item)).collect();
                if items.contains(&Ty::Error) { Ty::Error } else { Ty::Tuple(items) }
            }
            TypeKind::Typeof(_) | TypeKind::Inline(_) | TypeKind::FnPointer => {
                self.not_yet(code::NOT_YET_TYPE_OPERATOR, ty.span, "this type");
                Ty::Error
            }
        }
    }

    /// A pointer may lead to a struct whose layout is not known.
    fn pointee(&mut self, ty: &'a ast::Type) -> Ty {
        match &ty.kind {
            TypeKind::Name(name) if name == "void" => Ty::Void,
            _ => self.resolve_type(ty),
        }
    }

    fn named_type(&mut self, name: &str, span: Span) -> Ty {
        if let Some(ty) = simple_type(name) {
            return ty;
        }
        if self.env.layout(name).is_some() {
            return Ty::Struct(name.to_owned());
        }
        let known = INTEGERS.iter().map(|(name, ..)| *name).chain(["string", "bool", "buffer"]);
        let diagnostic = Diagnostic::new(code::UNKNOWN_TYPE, span, format!("unknown type `{name}`"));
        self.report(match nearest(name, known) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic,
        });
        Ty::Error
    }

    fn array_type(&mut self, element: &'a ast::Type, len: Option<&'a ast::Expr>, span: Span) -> Ty {
        let len = match len {
            None => None,
            Some(len) => {
                let value = self.value(len);
                match self.constant(&value).and_then(|n| u32::try_from(n).ok()) {
                    Some(n) => Some(n),
                    None => {
                        if value.ty != Ty::Error {
                            self.report(Diagnostic::expected(
                                code::NOT_CONSTANT,
                                len.span,
                                "a length that is known here",
                                value.ty.to_string(),
                            ));
                        }
                        return Ty::Error;
                    }
                }
            }
        };
        match (&element.kind, len) {
            (TypeKind::Name(name), _) if name == "string" => Ty::Str,
            (TypeKind::Name(name), Some(len)) if name == "buffer" => Ty::Buf(len),
            (_, Some(len)) => match self.resolve_type(element) {
                Ty::Error => Ty::Error,
                element => Ty::Array(Box::new(element), len),
            },
            (_, None) => {
                self.not_yet(code::NOT_YET_TYPE_OPERATOR, span, "an array without a length");
                Ty::Error
            }
        }
    }

    /// Checks `(type)value`.
    pub(super) fn cast(&mut self, ty: &'a ast::Type, operand: &'a ast::Expr, span: Span) -> hir::Expr {
        let value = self.value(operand);
        let value = self.plain(value);
        let mut to = self.resolve_type(ty);
        if to == Ty::Error || value.ty == Ty::Error {
            return super::error_expr(span);
        }
        if let (Ty::Ptr(_, space), Ty::Ptr(_, known)) = (&mut to, &value.ty) {
            *space = *known;
        }
        let from = &value.ty;
        let ok = match &to {
            Ty::Int(_) => from.int().is_some() || matches!(from, Ty::Array(..)),
            Ty::Bool => from.int().is_some(),
            Ty::Ptr(..) => matches!(from, Ty::Int(_) | Ty::Ptr(..) | Ty::Array(..) | Ty::Struct(_)),
            Ty::Str => matches!(from, Ty::Str | Ty::Buf(_) | Ty::Array(..)),
            other => other == from,
        };
        if !ok {
            let message = format!("a value of type {from} cannot be cast to {to}");
            return self.fault(Diagnostic::new(code::BAD_CAST, span, message));
        }
        if value.ty == to {
            return hir::Expr { span, ..value };
        }
        match (&to, &value.kind) {
            (Ty::Int(int), hir::ExprKind::Int(n)) if matches!(value.ty, Ty::Int(_) | Ty::Enum(..)) => {
                hir::Expr { kind: hir::ExprKind::Int(truncate(*n, *int)), ty: to, span }
            }
            _ => hir::Expr { kind: hir::ExprKind::Cast(Box::new(value)), ty: to, span },
        }
    }

    /// Checks `sizeof(x)`.
    pub(super) fn sizeof(&mut self, of: &'a TypeOrExpr, span: Span) -> hir::Expr {
        let ty = match of {
            TypeOrExpr::Type(ty) => self.resolve_type(ty),
            TypeOrExpr::Expr(expr) => match &expr.kind {
                ast::ExprKind::Name(name) if simple_type(name).is_some() || self.env.layout(name).is_some() => {
                    self.named_type(name, expr.span)
                }
                _ => self.value(expr).ty,
            },
        };
        if ty == Ty::Error {
            return super::error_expr(span);
        }
        match self.size_of(&ty) {
            Some(size) => super::literal::int(i64::from(size), span),
            None => {
                self.fault(Diagnostic::new(code::BAD_ARGUMENT, span, format!("a value of type {ty} has no fixed size")))
            }
        }
    }

    /// The size of a type in memory.
    pub(super) fn size_of(&self, ty: &Ty) -> Option<u32> {
        Some(match ty {
            Ty::Int(int) | Ty::Enum(_, int) => int.len_bytes(),
            Ty::Bool => 1,
            Ty::Ptr(..) | Ty::Duration | Ty::Time => 8,
            Ty::Array(item, len) => self.size_of(item)?.checked_mul(*len)?,
            Ty::Struct(name) => self.env.layout(name)?.len_bytes,
            Ty::Buf(len) => *len,
            Ty::Void => 1,
            Ty::Tuple(items) => {
                let mut end: u32 = 0;
                let mut align = 1;
                for item in items {
                    let size = self.size_of(item)?;
                    let item_align = size.clamp(1, 8).next_power_of_two().min(8);
                    align = align.max(item_align);
                    end = end.checked_next_multiple_of(item_align)?.checked_add(size)?;
                }
                end.checked_next_multiple_of(align)?
            }
            Ty::Str if self.in_kernel() => self.config.program.max_strlen,
            _ => return None,
        })
    }
}

/// A type that needs no layout.
fn simple_type(name: &str) -> Option<Ty> {
    if let Some((_, bits, signed)) = INTEGERS.iter().find(|(known, ..)| *known == name) {
        return Some(Ty::Int(IntTy { bits: *bits, signed: *signed }));
    }
    Some(match name {
        "bool" | "_Bool" => Ty::Bool,
        "string" => Ty::Str,
        "void" => Ty::Void,
        _ => return None,
    })
}
