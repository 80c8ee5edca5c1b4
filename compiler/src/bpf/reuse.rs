//! Pointers that the verifier knows are loaded once.
//!
//! To the verifier each load gives a pointer of its own, so a check for 0 says nothing about the same field loaded again:
//! `args.skb.sk != 0 && args.skb.sk.sk_protocol == 6` would be refused. Where an equal load of a pointer lies on every path
//! to a second one, the second becomes a copy of the first; the copy shares what the verifier knows, and mostly vanishes.
//! Only registers that are written once take part, so that a name always stands for the same load. Numbers are loaded
//! each time, as the script says.

use std::collections::HashMap;

use super::flow::{reverse_postorder, successors};
use crate::ir::{Block, Function, Inst, Reg, RegTy};

/// What a pointer was loaded from.
#[derive(PartialEq, Eq, Hash)]
enum Source {
    Context(u32),
    Follow(Reg, u32),
}

/// Returns the function with repeated loads of pointers turned into copies.
pub(super) fn pointers(function: &Function) -> Function {
    let mut function = function.clone();
    let order = reverse_postorder(&function);
    let dominators = Dominators::new(&function, &order);
    let mut writes = vec![0u32; function.regs.len()];
    for (inst, _) in order.iter().flat_map(|block| &function.blocks[block.0 as usize].insts) {
        inst.dst().into_iter().for_each(|dst| writes[dst.0 as usize] += 1);
    }
    let is_pointer = |reg: Reg, regs: &[RegTy]| regs[reg.0 as usize] == RegTy::Btf && writes[reg.0 as usize] == 1;
    // The first register that holds the same pointer.
    let mut first: Vec<Reg> = (0..function.regs.len() as u32).map(Reg).collect();
    let mut loads: HashMap<Source, Vec<(Block, Reg)>> = HashMap::new();
    for &block in &order {
        for (inst, _) in &mut function.blocks[block.0 as usize].insts {
            let source = match inst {
                Inst::Copy { dst, src } if is_pointer(*dst, &function.regs) && is_pointer(*src, &function.regs) => {
                    first[dst.0 as usize] = first[src.0 as usize];
                    continue;
                }
                Inst::Context { offset, .. } => Source::Context(*offset),
                Inst::Follow { base, offset, .. } if is_pointer(*base, &function.regs) => {
                    Source::Follow(first[base.0 as usize], *offset)
                }
                _ => continue,
            };
            let Some(dst) = inst.dst().filter(|&dst| is_pointer(dst, &function.regs)) else {
                continue;
            };
            let known = loads.entry(source).or_default();
            match known.iter().find(|(earlier, _)| dominators.dominates(*earlier, block)) {
                Some(&(_, src)) => {
                    first[dst.0 as usize] = src;
                    *inst = Inst::Copy { dst, src };
                }
                None => known.push((block, dst)),
            }
        }
    }
    function
}

/// Which blocks lie on every path to which (Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm").
struct Dominators {
    /// The place of each block in reverse postorder.
    place: Vec<usize>,
    /// The nearest dominator of each place, as a place.
    nearest: Vec<usize>,
}

impl Dominators {
    fn new(function: &Function, order: &[Block]) -> Dominators {
        let mut place = vec![usize::MAX; function.blocks.len()];
        let mut before = vec![Vec::new(); order.len()];
        for (position, block) in order.iter().enumerate() {
            place[block.0 as usize] = position;
        }
        for (position, block) in order.iter().enumerate() {
            for next in successors(&function.blocks[block.0 as usize].terminator) {
                before[place[next.0 as usize]].push(position);
            }
        }
        let mut nearest = vec![usize::MAX; order.len()];
        nearest.iter_mut().take(1).for_each(|entry| *entry = 0);
        let mut changed = true;
        while changed {
            changed = false;
            for position in 1..order.len() {
                let known = before[position].iter().copied().filter(|&p| nearest[p] != usize::MAX);
                let common = known.reduce(|a, b| common(&nearest, a, b)).unwrap_or(0);
                changed |= nearest[position] != common;
                nearest[position] = common;
            }
        }
        Dominators { place, nearest }
    }

    fn dominates(&self, above: Block, below: Block) -> bool {
        let (above, below) = (self.place[above.0 as usize], self.place[below.0 as usize]);
        common(&self.nearest, above, below) == above
    }
}

/// The nearest place that dominates both.
fn common(nearest: &[usize], mut a: usize, mut b: usize) -> usize {
    while a != b {
        if a < b {
            std::mem::swap(&mut a, &mut b);
        }
        a = nearest[a];
    }
    a
}
