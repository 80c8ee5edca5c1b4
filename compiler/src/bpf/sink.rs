//! A block's comparison moves down to the branch that reads it, so that the two become one instruction.
//!
//! It moves only past instructions that write none of its operands and do not read it; its span moves with it.

use crate::ir::{Function, Inst, Terminator};

/// Moves the comparisons of all blocks.
pub(super) fn comparisons(function: &mut Function) {
    for block in &mut function.blocks {
        let Terminator::Branch { condition, .. } = block.terminator else {
            continue;
        };
        let Some(index) = block.insts.iter().rposition(|(inst, _)| inst.dst() == Some(condition)) else {
            continue;
        };
        let Some((Inst::Compare { left, right, .. }, _)) = block.insts.get(index) else {
            continue;
        };
        let operands = [Some(*left), Some(*right)];
        let is_free = |inst: &Inst| {
            let dst = inst.dst();
            (dst.is_none() || !operands.contains(&dst)) && !inst.reads().contains(&condition)
        };
        if block.insts.iter().skip(index + 1).all(|(inst, _)| is_free(inst)) {
            let compare = block.insts.remove(index);
            block.insts.push(compare);
        }
    }
}
