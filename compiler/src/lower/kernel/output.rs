//! What a program says: an event record with the output's number and the arguments, sent through the ring.

use reel_lang::hir::Expr;
use reel_lang::span::Span;
use reel_lang::ty::IntTy;

use super::Lower;
use crate::ir::{At, Inst, OutputKind, RegTy};
use crate::lower::Lowered;
use crate::lower::shape;
use crate::lower::tables::EVENTS;

/// The output's number and 4 bytes of zero.
const HEAD_LEN_BYTES: u32 = 8;

impl Lower<'_> {
    /// Sends an output with these arguments.
    pub(crate) fn emit(&mut self, kind: OutputKind, args: &[Expr], span: Span) -> Lowered<()> {
        self.tables.own_map(EVENTS);
        let shapes: Vec<_> = args.iter().map(|arg| self.shape(arg)).collect();
        let typed: Vec<_> = args.iter().map(|arg| &arg.ty).zip(shapes.iter().cloned()).collect();
        let (places, len_bytes) = shape::record(HEAD_LEN_BYTES, &typed);
        let record = self.b.buf(len_bytes);
        let filled: u32 = places.iter().map(|place| place.len_bytes).sum();
        if HEAD_LEN_BYTES + filled < len_bytes {
            self.b.push(Inst::Zero { to: record, len_bytes }, span);
        }
        for ((arg, place), shape) in args.iter().zip(&places).zip(&shapes) {
            let to = At { offset: place.offset, ..record };
            self.store(arg, to, shape)?;
        }
        let output = self.tables.output(kind, places, len_bytes, span);
        let head = self.b.constant(RegTy::Int(IntTy::U64), i64::from(output.0), span);
        self.b.push(Inst::Store { to: record, src: head }, span);
        self.b.push(Inst::Emit { output, record }, span);
        Ok(())
    }
}
