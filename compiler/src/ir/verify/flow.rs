//! Definite assignment: a forward data flow over the blocks, whose meet is the intersection of the written sets.

use super::super::{Function, Reg, Terminator};
use super::successors;

/// Finds a read that no write precedes on some path from the entry: its block, instruction and register.
pub(super) fn unwritten(function: &Function) -> Option<(usize, usize, Reg)> {
    // None: not reached yet, which is the set of all registers.
    let mut entry: Vec<Option<Set>> = vec![None; function.blocks.len()];
    let mut work = vec![0];
    if let Some(first) = entry.first_mut() {
        *first = Some(Set::empty(function.regs.len()));
    }
    while let Some(index) = work.pop() {
        let (Some(Some(set)), Some(block)) = (entry.get(index), function.blocks.get(index)) else {
            continue;
        };
        let mut set = set.clone();
        for (inst, _) in &block.insts {
            inst.dst().into_iter().for_each(|dst| set.insert(dst));
        }
        for next in successors(&block.terminator) {
            let next = next.0 as usize;
            let Some(known) = entry.get_mut(next) else {
                continue;
            };
            let changed = match known {
                None => {
                    *known = Some(set.clone());
                    true
                }
                Some(known) => known.intersect(&set),
            };
            if changed {
                work.push(next);
            }
        }
    }
    let mut sets = entry.into_iter().enumerate();
    sets.find_map(|(index, set)| first_unwritten(function, index, set?))
}

fn first_unwritten(function: &Function, index: usize, mut set: Set) -> Option<(usize, usize, Reg)> {
    let block = function.blocks.get(index)?;
    for (number, (inst, _)) in block.insts.iter().enumerate() {
        if let Some(reg) = inst.reads().into_iter().find(|reg| !set.contains(*reg)) {
            return Some((index, number, reg));
        }
        inst.dst().into_iter().for_each(|dst| set.insert(dst));
    }
    let read = match block.terminator {
        Terminator::Jump(_) => return None,
        Terminator::Branch { condition, .. } => condition,
        Terminator::Return(reg) => reg,
    };
    (!set.contains(read)).then_some((index, block.insts.len(), read))
}

/// A set of registers.
#[derive(Debug, Clone)]
struct Set(Vec<u64>);

impl Set {
    fn empty(regs: usize) -> Self {
        Set(vec![0; regs.div_ceil(64)])
    }

    fn insert(&mut self, reg: Reg) {
        if let Some(word) = self.0.get_mut(reg.0 as usize / 64) {
            *word |= 1 << (reg.0 % 64);
        }
    }

    fn contains(&self, reg: Reg) -> bool {
        let word = self.0.get(reg.0 as usize / 64);
        word.is_some_and(|word| word >> (reg.0 % 64) & 1 == 1)
    }

    /// Keeps what both have; whether anything went.
    fn intersect(&mut self, other: &Set) -> bool {
        let mut changed = false;
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            let both = *word & other;
            changed |= both != *word;
            *word = both;
        }
        changed
    }
}
