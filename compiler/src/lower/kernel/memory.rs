//! Values and places: what an expression gives, and how memory behind a pointer is read.
//!
//! A struct or array is not read as a whole: it is a [`Place`], and only the number at the end of a path is loaded, in one
//! instruction where the verifier knows the pointer, else with a helper that gives zero on a fault.

use reel_lang::hir::{Expr, ExprKind};
use reel_lang::span::Span;
use reel_lang::ty::{IntTy, Space, Ty};

use super::{Lower, trust};
use crate::ir::{Arg, At, BinaryOp, CompareOp, Inst, Reg, RegTy};
use crate::lower::Lowered;
use crate::lower::shape::Shape;

/// What an expression gives.
#[derive(Debug, Clone)]
pub(crate) enum Val {
    /// A number, an address, a bool.
    Reg(Reg),
    /// A text, bytes or a tuple in a buffer.
    Mem(At, Shape),
    /// A struct or array where it lies.
    Place(Place),
    /// The result of what is done for its effect.
    Nothing,
}

/// Where a struct or array lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    base: Base,
    offset: u32,
}

#[derive(Debug, Clone, Copy)]
enum Base {
    /// Behind a pointer that the verifier knows.
    Known(Reg),
    Address(Reg, Space),
    /// In the program's context.
    Context,
}

impl Place {
    pub(crate) fn context(offset: u32) -> Place {
        Place { base: Base::Context, offset }
    }

    pub(crate) fn address(reg: Reg, space: Space) -> Place {
        Place { base: Base::Address(reg, space), offset: 0 }
    }

    fn plus(self, offset: u32) -> Place {
        Place { offset: self.offset.wrapping_add(offset), ..self }
    }
}

/// The register that a scalar of this type is held in.
pub(crate) fn reg_ty(ty: &Ty) -> RegTy {
    match ty {
        Ty::Bool => RegTy::Bool,
        Ty::Ptr(_, space) => RegTy::Address(*space),
        other => RegTy::Int(other.int().unwrap_or(IntTy::U64)),
    }
}

impl Lower<'_> {
    /// A number as a type: cut or extended, or for a bool compared with 0.
    pub(crate) fn as_ty(&mut self, reg: Reg, ty: &Ty, span: Span) -> Reg {
        match (reg_ty(ty), self.b.ty(reg)) {
            (RegTy::Bool, RegTy::Bool) => reg,
            (RegTy::Bool, _) => self.b.compare_const(CompareOp::Ne, reg, 0, span),
            (RegTy::Address(_), RegTy::Btf) => reg,
            (to, _) => self.b.cast(reg, to, span),
        }
    }

    /// The size of a type in memory that C laid out.
    pub(crate) fn size_of(&self, ty: &Ty) -> u32 {
        match ty {
            Ty::Struct(name) => self.cx.env.layout(name).map_or(1, |layout| layout.len_bytes),
            Ty::Array(item, len) => self.size_of(item).saturating_mul(*len),
            Ty::Buf(len) => *len,
            Ty::Void => 1,
            other => other.int().map_or(8, IntTy::len_bytes),
        }
    }

    /// The place that an expression names: a struct or array, or what a pointer points at.
    pub(crate) fn place(&mut self, expr: &Expr) -> Lowered<Place> {
        match self.value(expr)? {
            Val::Place(place) => Ok(place),
            Val::Reg(reg) => Ok(self.pointee(reg, &expr.ty)),
            Val::Mem(..) | Val::Nothing => self.cannot(expr.span, format!("a {} has no members", expr.ty)),
        }
    }

    /// What a register of this type points at.
    pub(crate) fn pointee(&mut self, reg: Reg, ty: &Ty) -> Place {
        let base = match (self.b.ty(reg), ty) {
            (RegTy::Btf, _) => Base::Known(reg),
            (RegTy::Address(space), _) => Base::Address(reg, space),
            (_, Ty::Ptr(_, space)) => Base::Address(reg, *space),
            _ => Base::Address(reg, self.pointee_space()),
        };
        Place { base, offset: 0 }
    }

    /// `base.member`
    pub(super) fn member(
        &mut self,
        base: &Expr,
        offset_bytes: u32,
        bits: Option<(u8, u8)>,
        expr: &Expr,
    ) -> Lowered<Val> {
        let place = self.place(base)?.plus(offset_bytes);
        let Some((shift, width)) = bits else {
            return self.read(place, &expr.ty, expr.span);
        };
        // A bit-field: the storage unit, shifted to both ends to cut it out, its sign kept.
        let int = expr.ty.int().unwrap_or(IntTy::U32);
        let unit = self.read_reg(place, RegTy::Int(int), expr.span);
        let left = i64::from(int.bits).saturating_sub(i64::from(shift) + i64::from(width)).max(0);
        let right = i64::from(int.bits).saturating_sub(i64::from(width)).max(0);
        let high = self.b.binary_const(BinaryOp::Shl, unit, left, expr.span);
        let low = self.b.binary_const(BinaryOp::Shr, high, right, expr.span);
        Ok(Val::Reg(self.as_ty(low, &expr.ty, expr.span)))
    }

    /// `base[index]`
    pub(super) fn index(&mut self, base: &Expr, index: &Expr, expr: &Expr) -> Lowered<Val> {
        let place = self.place(base)?;
        let size = self.size_of(&expr.ty);
        if let ExprKind::Int(n) = index.kind {
            let offset = n.wrapping_mul(i64::from(size)) as u32;
            return self.read(place.plus(offset), &expr.ty, expr.span);
        }
        let number = self.scalar(index)?;
        let Some((address, space)) = self.address_of(place, expr.span) else {
            return self.cannot(index.span, "an array in the context takes only a constant index");
        };
        let number = self.b.cast(number, RegTy::Int(IntTy::U64), expr.span);
        let scaled = self.b.binary_const(BinaryOp::Mul, number, i64::from(size), expr.span);
        let address = self.b.binary(BinaryOp::Add, address, scaled, expr.span);
        self.read(Place::address(address, space), &expr.ty, expr.span)
    }

    /// Reads what lies at a place; a struct or array stays where it is.
    pub(crate) fn read(&mut self, place: Place, ty: &Ty, span: Span) -> Lowered<Val> {
        match ty {
            Ty::Struct(_) | Ty::Array(..) => Ok(Val::Place(place)),
            Ty::Buf(len) => {
                let at = self.b.buf((*len).max(1));
                self.copy_place(place, *len, at, span);
                Ok(Val::Mem(at, Shape::Bytes(*len)))
            }
            ty if ty.is_scalar() => {
                let to_struct = matches!(ty, Ty::Ptr(to, Space::Kernel) if matches!(**to, Ty::Struct(_)));
                if let (Base::Known(base), true) = (place.base, to_struct) {
                    let dst = self.b.reg(RegTy::Btf);
                    let offset = place.offset;
                    self.b.push(Inst::Follow { dst, base, offset }, span);
                    return Ok(Val::Reg(dst));
                }
                let unit = match ty {
                    Ty::Bool => RegTy::Int(IntTy { bits: 8, signed: false }),
                    other => reg_ty(other),
                };
                let reg = self.read_reg(place, unit, span);
                Ok(Val::Reg(self.as_ty(reg, ty, span)))
            }
            other => self.cannot(span, format!("a {other} cannot be read from memory")),
        }
    }

    /// Reads a number.
    fn read_reg(&mut self, place: Place, ty: RegTy, span: Span) -> Reg {
        let offset = place.offset;
        match place.base {
            Base::Known(base) => {
                let dst = self.b.reg(ty);
                self.b.push(Inst::Follow { dst, base, offset }, span);
                dst
            }
            Base::Context => {
                let dst = self.b.reg(ty);
                self.b.push(Inst::Context { dst, offset }, span);
                dst
            }
            Base::Address(..) => {
                let len_bytes = match ty {
                    RegTy::Int(int) => int.len_bytes(),
                    _ => 8,
                };
                let to = self.b.buf(8);
                self.copy_place(place, len_bytes, to, span);
                self.b.load(ty, to, span)
            }
        }
    }

    /// Copies bytes from a place to a buffer.
    pub(crate) fn copy_place(&mut self, place: Place, len_bytes: u32, to: At, span: Span) {
        let Some((address, space)) = self.address_of(place, span) else {
            self.copy_context(place.offset, len_bytes, to, span);
            return;
        };
        self.b.push(Inst::Probe { space, to, len_bytes, address, failed: None }, span);
    }

    /// A place as a number; none for one in the context, which has no address to read from.
    pub(crate) fn address_of(&mut self, place: Place, span: Span) -> Option<(Reg, Space)> {
        let (base, space) = match place.base {
            Base::Known(base) => (base, Space::Kernel),
            Base::Address(base, space) => (base, space),
            Base::Context => return None,
        };
        let base = self.b.cast(base, RegTy::Int(IntTy::U64), span);
        let address = match place.offset {
            0 => base,
            // Offsets are two's complement: `p[-1]` is below.
            n => self.b.binary_const(BinaryOp::Add, base, i64::from(n.cast_signed()), span),
        };
        Some((address, space))
    }

    /// A place as a pointer in a register, which keeps what the verifier knows.
    pub(crate) fn pointer_to(&mut self, place: Place, span: Span) -> Lowered<Reg> {
        match place.base {
            Base::Known(base) if place.offset == 0 => Ok(base),
            Base::Known(left) => {
                let right = self.b.u64(u64::from(place.offset), span);
                let dst = self.b.reg(RegTy::Btf);
                let op = BinaryOp::Add;
                self.b.push(Inst::Binary { op, dst, left, right }, span);
                Ok(dst)
            }
            _ => match self.address_of(place, span) {
                Some((address, space)) => Ok(self.b.cast(address, RegTy::Address(space), span)),
                None => self.cannot(span, "an array in the context has no address"),
            },
        }
    }

    /// A cast between numbers and pointers.
    pub(super) fn cast(&mut self, from: &Expr, expr: &Expr) -> Lowered<Val> {
        let span = expr.span;
        let value = self.value(from)?;
        if let (Val::Mem(..), Ty::Str | Ty::Buf(_)) = (&value, &expr.ty) {
            return Ok(value);
        }
        if let (Val::Mem(at, shape), Ty::Tuple(_)) = (&value, &expr.ty) {
            return Ok(self.cast_tuple(*at, shape, &from.ty, expr));
        }
        if let (Val::Place(place), Ty::Str, Ty::Array(_, len)) = (&value, &expr.ty, &from.ty) {
            return Ok(self.array_text(*place, *len, span));
        }
        let reg = match value {
            Val::Reg(reg) => reg,
            Val::Place(place) => self.pointer_to(place, span)?,
            Val::Mem(..) | Val::Nothing => return self.cannot(span, format!("a {} is no {}", from.ty, expr.ty)),
        };
        if trust::casts(self.cx, &expr.ty) && from.ty != expr.ty {
            return Ok(Val::Reg(self.rdonly_cast(reg, &expr.ty, span)));
        }
        if !expr.ty.is_scalar() {
            return self.cannot(span, format!("a {} is no {}", from.ty, expr.ty));
        }
        let space = self.pointee_space();
        let known = self.b.ty(reg) == RegTy::Btf && matches!(expr.ty, Ty::Ptr(..));
        if known && from.ty == expr.ty {
            return Ok(Val::Reg(reg));
        }
        let to = match (reg_ty(&expr.ty), self.b.ty(reg)) {
            // A pointer keeps its space; a number that becomes one points where this probe's numbers point.
            (RegTy::Address(_), RegTy::Address(from)) => RegTy::Address(from),
            (RegTy::Address(_), RegTy::Btf) => RegTy::Address(Space::Kernel),
            (RegTy::Address(Space::Kernel), _) => RegTy::Address(space),
            (to, _) => to,
        };
        if to == RegTy::Bool {
            return Ok(Val::Reg(self.as_ty(reg, &Ty::Bool, span)));
        }
        Ok(Val::Reg(self.b.cast(reg, to, span)))
    }

    /// The pointer as one to a struct that the verifier knows; what it leads to is read as if it might fault.
    fn rdonly_cast(&mut self, reg: Reg, to: &Ty, span: Span) -> Reg {
        let name = match to {
            Ty::Ptr(to, _) => match &**to {
                Ty::Struct(name) => name.clone(),
                _ => String::new(),
            },
            _ => String::new(),
        };
        let data = self.tables.data(name.as_bytes());
        let dst = self.b.reg(RegTy::Btf);
        self.b.push(
            Inst::Kfunc {
                dst: Some(dst),
                name: "bpf_rdonly_cast".to_owned(),
                args: vec![Arg::Reg(reg), Arg::BtfType(data)],
            },
            span,
        );
        dst
    }
}
