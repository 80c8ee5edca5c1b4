//! What a native clause says: the host gets the output's number and the arguments as values.

use reel_lang::hir::{Expr, ExprKind};
use reel_lang::span::Span;

use super::Lower;
use crate::builtins;
use crate::ir::{HostOp, Inst};
use crate::lower::Lowered;
use crate::lower::shape::{self, Shape};

impl Lower<'_> {
    /// Lowers a call that prints or speaks of a whole map; false where the function is another.
    pub(super) fn print(&mut self, function: &str, args: &[Expr], span: Span) -> Lowered<bool> {
        let Some((kind, rest)) = builtins::output(function, args) else {
            return Ok(false);
        };
        for arg in args {
            if let ExprKind::Map(map) = &arg.kind {
                self.map(*map);
            }
        }
        let typed: Vec<_> = rest.iter().map(|arg| (&arg.ty, Shape::of(&arg.ty))).collect();
        let (places, len_bytes) = shape::record(8, &typed);
        let args = self.values(rest)?;
        let output = self.tables.output(kind, places, len_bytes, span);
        self.b.push(Inst::Host { dst: None, op: HostOp::Emit(output), args }, span);
        Ok(true)
    }
}
