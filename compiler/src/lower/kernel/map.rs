//! Maps of the script: keys are built in a buffer, values copied in and out.

use reel_lang::hir::{Expr, MapId};
use reel_lang::span::Span;
use reel_lang::ty::{Agg, IntTy, Ty};

use super::{Lower, Val};
use crate::aggregate;
use crate::ir::{At, BinaryOp, Inst, Reg, RegTy};
use crate::lower::Lowered;
use crate::lower::shape;

impl Lower<'_> {
    /// The index of a map of the script.
    pub(crate) fn map(&mut self, map: MapId) -> u32 {
        self.tables.script_map(self.cx.program, self.cx.shapes, map)
    }

    /// The type of a map's values.
    fn value_ty(&self, map: MapId) -> Ty {
        let found = self.cx.program.maps.iter().find(|known| known.id == map);
        found.map_or(Ty::Error, |map| map.value.clone())
    }

    /// Builds a key.
    pub(crate) fn key(&mut self, map: MapId, parts: &[Expr], span: Span) -> Lowered<At> {
        let shapes = self.cx.shapes.keys(map).to_vec();
        let typed: Vec<_> = parts.iter().map(|part| &part.ty).zip(shapes.iter().cloned()).collect();
        let (places, len_bytes) = shape::record(0, &typed);
        let len_bytes = len_bytes.max(8);
        let to = self.b.buf(len_bytes);
        let filled: u32 = places.iter().map(|place| place.len_bytes).sum();
        if filled < len_bytes {
            self.b.push(Inst::Zero { to, len_bytes }, span);
        }
        for ((part, place), shape) in parts.iter().zip(&places).zip(&shapes) {
            let to = At { offset: place.offset, ..to };
            self.store(part, to, shape)?;
        }
        Ok(to)
    }

    pub(super) fn map_get(&mut self, map: MapId, key: &[Expr], expr: &Expr) -> Lowered<Val> {
        if let Ty::Agg(agg) = self.value_ty(map) {
            return self.aggregate_value(map, key, agg, expr.span);
        }
        let shape = self.cx.shapes.value(map);
        let to = self.b.buf(shape::align(shape.len_bytes(), 8));
        let key = self.key(map, key, expr.span)?;
        let map = self.map(map);
        self.b.push(Inst::MapGet { map, key, to, found: None }, expr.span);
        Ok(self.part(to, &shape, &expr.ty, expr.span))
    }

    /// Whether a map has a key.
    pub(crate) fn map_has(&mut self, map: MapId, key: &[Expr], span: Span) -> Lowered<Reg> {
        let len = match self.value_ty(map) {
            Ty::Agg(agg) => aggregate::len_bytes(agg),
            _ => self.cx.shapes.value(map).len_bytes(),
        };
        let to = self.b.buf(shape::align(len, 8));
        let key = self.key(map, key, span)?;
        let ask = |this: &mut Self, map| {
            let found = this.b.reg(RegTy::Bool);
            this.b.push(Inst::MapGet { map, key, to, found: Some(found) }, span);
            found
        };
        Ok(self.in_shards(map, span, ask))
    }

    /// Does something to a map, and to the shard of message clauses where it lies in the kernel; the truth of either.
    fn in_shards(&mut self, map: MapId, span: Span, mut each: impl FnMut(&mut Self, u32) -> Reg) -> Reg {
        let (own, native) = (self.map(map), self.native_shard(map));
        let found = each(self, own);
        match native {
            Some(native) => {
                let other = each(self, native);
                self.b.binary(BinaryOp::Or, found, other, span)
            }
            None => found,
        }
    }

    /// The map that has the shard of message clauses, of an aggregation that both sides have.
    pub(super) fn native_shard(&mut self, map: MapId) -> Option<u32> {
        let known = self.cx.program.maps.iter().find(|known| known.id == map)?;
        self.cx.uses.has_native_shard(known).then(|| {
            let own = self.map(map);
            self.tables.native_shard(own)
        })
    }

    /// Removes an entry.
    pub(crate) fn map_delete(&mut self, map: MapId, key: &[Expr], span: Span) -> Lowered<Reg> {
        let key = self.key(map, key, span)?;
        let delete = |this: &mut Self, map| {
            let found = this.b.reg(RegTy::Bool);
            this.b.push(Inst::MapDelete { map, key, found: Some(found) }, span);
            found
        };
        Ok(self.in_shards(map, span, delete))
    }

    pub(super) fn map_set(&mut self, map: MapId, key: &[Expr], value: &Expr, span: Span) -> Lowered<()> {
        let shape = self.cx.shapes.value(map);
        let len_bytes = shape::align(shape.len_bytes(), 8);
        let to = self.b.buf(len_bytes);
        if shape.len_bytes() < len_bytes {
            self.b.push(Inst::Zero { to, len_bytes }, span);
        }
        self.store(value, to, &shape)?;
        let key = self.key(map, key, span)?;
        let map = self.map(map);
        self.b.push(Inst::MapSet { map, key, value: to }, span);
        Ok(())
    }

    pub(super) fn map_add(&mut self, map: MapId, key: &[Expr], delta: &Expr, span: Span) -> Lowered<()> {
        let delta = self.number(delta)?;
        let key = self.key(map, key, span)?;
        let map = self.map(map);
        self.b.push(Inst::MapAdd { map, key, delta }, span);
        Ok(())
    }

    pub(super) fn map_aggregate(
        &mut self,
        map: MapId,
        key: &[Expr],
        agg: Agg,
        value: Option<&Expr>,
        span: Span,
    ) -> Lowered<()> {
        // The map knows the sign that all its uses agree on.
        let agg = match self.value_ty(map) {
            Ty::Agg(agreed) => agreed,
            _ => agg,
        };
        let value = match value {
            Some(value) => {
                let number = self.number(value)?;
                let signed = matches!(self.b.ty(number), RegTy::Int(int) if int.signed);
                let ty = if signed { IntTy::I64 } else { IntTy::U64 };
                Some(self.b.cast(number, RegTy::Int(ty), span))
            }
            None => None,
        };
        let key = self.key(map, key, span)?;
        let map = self.map(map);
        self.b.push(Inst::MapAggregate { map, key, agg, value }, span);
        Ok(())
    }
}
