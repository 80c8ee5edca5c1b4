//! What flows where in a function: the order of its blocks, and which registers are alive together.
//!
//! Besides the function's own registers there are two that the back end needs on every path: the program's context and
//! the address of its scratch value. They are numbered behind the others, so that allocation treats all alike.
//! A register that is written once, by a constant, is no register here: its uses take the constant. A comparison whose
//! only reader is the branch behind it is part of that branch.

use std::collections::HashSet;

use crate::ir::{Arg, At, Block, BlockData, Function, Inst, Terminator};

/// A set of small numbers.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct BitSet(Vec<u64>);

impl BitSet {
    pub fn new(len: usize) -> Self {
        BitSet(vec![0; len.div_ceil(64)])
    }

    pub fn insert(&mut self, bit: usize) {
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    pub fn remove(&mut self, bit: usize) {
        self.0[bit / 64] &= !(1 << (bit % 64));
    }

    pub fn contains(&self, bit: usize) -> bool {
        self.0[bit / 64] & (1 << (bit % 64)) != 0
    }

    fn union(&mut self, other: &BitSet) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0
            .iter()
            .enumerate()
            .flat_map(|(word, &bits)| (0..64).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| word * 64 + bit))
    }
}

/// The facts about one function that allocation and selection need.
pub(super) struct Flow {
    /// The blocks that can be reached, in reverse postorder.
    pub order: Vec<Block>,
    /// The value of each register that is only a constant.
    pub constants: Vec<Option<i64>>,
    /// Instructions that nobody needs, as (block, index).
    pub dead: HashSet<(u32, usize)>,
    /// Blocks whose last instruction, a comparison, is part of the branch.
    pub fused: HashSet<u32>,
    /// Which registers must not share a home.
    pub conflicts: Vec<HashSet<u32>>,
    /// How often each register is touched, loops counting more.
    pub weights: Vec<u64>,
    /// Registers that one copies to the other.
    pub copies: Vec<(u32, u32)>,
    /// Whether the context is read after entry.
    pub uses_context: bool,
}

/// Visits the places of buffers that an instruction reads or writes.
pub(super) fn places(inst: &Inst, mut visit: impl FnMut(At)) {
    match inst {
        Inst::Zero { to, .. }
        | Inst::SetData { to, .. }
        | Inst::Store { to, .. }
        | Inst::Probe { to, .. }
        | Inst::ProbeStr { to, .. } => visit(*to),
        Inst::Load { from, .. } => visit(*from),
        Inst::CopyBuf { to, from, .. } => [*to, *from].into_iter().for_each(visit),
        Inst::EqualBuf { left, right, .. } => [*left, *right].into_iter().for_each(visit),
        Inst::MapGet { key, to, .. } => [*key, *to].into_iter().for_each(visit),
        Inst::MapSet { key, value, .. } => [*key, *value].into_iter().for_each(visit),
        Inst::MapAdd { key, .. } | Inst::MapDelete { key, .. } | Inst::MapAggregate { key, .. } => visit(*key),
        Inst::Emit { record, .. } => visit(*record),
        Inst::Helper { args, .. } | Inst::Kfunc { args, .. } => {
            for arg in args {
                if let Arg::At(at) = arg {
                    visit(*at);
                }
            }
        }
        _ => {}
    }
}

/// Whether an instruction needs the program's context.
fn needs_context(inst: &Inst) -> bool {
    match inst {
        Inst::Context { .. } | Inst::ContextAddress { .. } | Inst::SetContext { .. } => true,
        Inst::Helper { args, .. } | Inst::Kfunc { args, .. } => args.contains(&Arg::Context),
        _ => false,
    }
}

/// Whether an instruction does nothing but write its register.
fn is_pure(inst: &Inst) -> bool {
    matches!(
        inst,
        Inst::Const { .. }
            | Inst::Copy { .. }
            | Inst::Unary { .. }
            | Inst::Binary { .. }
            | Inst::Compare { .. }
            | Inst::Cast { .. }
            | Inst::Load { .. }
            | Inst::EqualBuf { .. }
            | Inst::Context { .. }
            | Inst::ContextAddress { .. }
            | Inst::Follow { .. }
    )
}

/// Returns the blocks behind a terminator.
pub(super) fn successors(terminator: &Terminator) -> Vec<Block> {
    match terminator {
        Terminator::Jump(to) => vec![*to],
        Terminator::Branch { then, otherwise, .. } => vec![*otherwise, *then],
        Terminator::Return(_) => Vec::new(),
    }
}

/// The number of the context's register.
pub(super) fn context_reg(function: &Function) -> usize {
    function.regs.len()
}

/// The number of the register that holds the address of the scratch value.
pub(super) fn scratch_reg(function: &Function) -> usize {
    function.regs.len() + 1
}

impl Flow {
    /// Works the facts out; `in_scratch` says which buffers are reached through the scratch value.
    pub fn new(function: &Function, in_scratch: &dyn Fn(At) -> bool) -> Flow {
        let count = function.regs.len() + 2;
        let order = reverse_postorder(function);
        let constants = constants(function, &order);
        let fused = fused(function, &order);
        let mut flow = Flow {
            order,
            constants,
            dead: HashSet::new(),
            fused,
            conflicts: vec![HashSet::new(); count],
            weights: vec![0; count],
            copies: Vec::new(),
            uses_context: false,
        };
        let live_out = flow.liveness(function, in_scratch);
        flow.conflicts(function, in_scratch, &live_out);
        flow
    }

    /// The instructions of a block that are selected one by one, with the comparison that its branch takes in.
    pub fn split<'f>(
        &self,
        block: Block,
        data: &'f BlockData,
    ) -> (&'f [(Inst, reel_lang::span::Span)], Option<&'f Inst>) {
        match data.insts.split_last() {
            Some(((last, _), rest)) if self.fused.contains(&block.0) => (rest, Some(last)),
            _ => (&data.insts, None),
        }
    }

    fn is_register(&self, reg: usize) -> bool {
        self.constants.get(reg).is_none_or(Option::is_none)
    }

    /// Visits the registers that an instruction reads, the two extra ones among them.
    fn each_read(
        &self,
        function: &Function,
        inst: &Inst,
        in_scratch: &dyn Fn(At) -> bool,
        mut visit: impl FnMut(usize),
    ) {
        let mut regs: Vec<usize> = inst.reads().iter().map(|reg| reg.0 as usize).collect();
        let mut scratch = false;
        places(inst, |at| scratch |= in_scratch(at));
        if needs_context(inst) {
            regs.push(context_reg(function));
        }
        if scratch {
            regs.push(scratch_reg(function));
        }
        regs.into_iter().filter(|&reg| self.is_register(reg)).for_each(&mut visit);
    }

    fn each_terminator_read(&self, function: &Function, block: Block, data: &BlockData, mut visit: impl FnMut(usize)) {
        if let (_, Some(compare)) = self.split(block, data) {
            self.each_read(function, compare, &|_| false, visit);
            return;
        }
        let reg = match &data.terminator {
            Terminator::Jump(_) => return,
            Terminator::Branch { condition, .. } => condition.0 as usize,
            Terminator::Return(reg) => reg.0 as usize,
        };
        if self.is_register(reg) {
            visit(reg);
        }
    }

    /// The registers that are alive at each block's end. Instructions whose result is dead are not counted as readers.
    fn liveness(&self, function: &Function, in_scratch: &dyn Fn(At) -> bool) -> Vec<BitSet> {
        let count = function.regs.len() + 2;
        let mut live_in = vec![BitSet::new(count); function.blocks.len()];
        let mut live_out = live_in.clone();
        loop {
            let mut changed = false;
            for &block in self.order.iter().rev() {
                let data = &function.blocks[block.0 as usize];
                let mut live = BitSet::new(count);
                for next in successors(&data.terminator) {
                    live.union(&live_in[next.0 as usize]);
                }
                live_out[block.0 as usize] = live.clone();
                self.walk(function, block, &mut live, in_scratch, &mut |_, _, _, _| {});
                if live != live_in[block.0 as usize] {
                    live_in[block.0 as usize] = live;
                    changed = true;
                }
            }
            if !changed {
                return live_out;
            }
        }
    }

    /// Walks a block backwards; `visit` gets each instruction with what is alive behind it and whether it is dead.
    fn walk(
        &self,
        function: &Function,
        block: Block,
        live: &mut BitSet,
        in_scratch: &dyn Fn(At) -> bool,
        visit: &mut dyn FnMut(usize, &Inst, &BitSet, bool),
    ) {
        let data = &function.blocks[block.0 as usize];
        self.each_terminator_read(function, block, data, |reg| live.insert(reg));
        let (insts, _) = self.split(block, data);
        for (index, (inst, _)) in insts.iter().enumerate().rev() {
            let dst = inst.dst().map(|reg| reg.0 as usize);
            let is_needed = dst.is_some_and(|dst| self.is_register(dst) && live.contains(dst));
            let dead = is_pure(inst) && !is_needed;
            visit(index, inst, live, dead);
            if dead {
                continue;
            }
            if let Some(dst) = dst {
                live.remove(dst);
            }
            self.each_read(function, inst, in_scratch, |reg| live.insert(reg));
        }
    }

    /// Fills in conflicts, weights, copies and dead instructions.
    fn conflicts(&mut self, function: &Function, in_scratch: &dyn Fn(At) -> bool, live_out: &[BitSet]) {
        let depths = depths(function, &self.order);
        let mut conflicts = std::mem::take(&mut self.conflicts);
        let mut weights = std::mem::take(&mut self.weights);
        let (mut dead, mut copies) = (HashSet::new(), Vec::new());
        for (position, &block) in self.order.iter().enumerate() {
            let weight = 1u64 << (3 * depths[position].min(6));
            let data = &function.blocks[block.0 as usize];
            self.each_terminator_read(function, block, data, |reg| weights[reg] += weight);
            let mut live = live_out[block.0 as usize].clone();
            self.walk(function, block, &mut live, in_scratch, &mut |index, inst, live, is_dead| {
                if is_dead {
                    dead.insert((block.0, index));
                    return;
                }
                self.each_read(function, inst, in_scratch, |reg| weights[reg] += weight);
                let Some(dst) = inst.dst().map(|reg| reg.0 as usize) else {
                    return;
                };
                weights[dst] += weight;
                let copied = match inst {
                    Inst::Copy { src, .. } => Some(src.0 as usize),
                    _ => None,
                };
                if let Some(src) = copied.filter(|&src| self.is_register(src)) {
                    copies.push((dst as u32, src as u32));
                }
                for other in live.iter().filter(|&o| o != dst && Some(o) != copied) {
                    conflicts[dst].insert(other as u32);
                    conflicts[other].insert(dst as u32);
                }
            });
            if position == 0 {
                // What is alive at entry is written there: the two extra registers.
                let alive: Vec<usize> = live.iter().collect();
                self.uses_context = live.contains(context_reg(function));
                for &a in &alive {
                    for &b in alive.iter().filter(|&&b| b != a) {
                        conflicts[a].insert(b as u32);
                    }
                }
            }
        }
        (self.conflicts, self.weights) = (conflicts, weights);
        (self.dead, self.copies) = (dead, copies);
    }
}

/// The reachable blocks, each before those that it leads to but for loops.
pub(super) fn reverse_postorder(function: &Function) -> Vec<Block> {
    let mut seen = vec![false; function.blocks.len()];
    let mut order = Vec::new();
    let mut stack = vec![(Block(0), 0usize)];
    if let Some(first) = seen.first_mut() {
        *first = true;
    }
    while let Some((block, child)) = stack.pop() {
        let next = function.blocks.get(block.0 as usize).map(|data| successors(&data.terminator)).unwrap_or_default();
        match next.get(child) {
            Some(&to) => {
                stack.push((block, child + 1));
                if let Some(seen) = seen.get_mut(to.0 as usize).filter(|seen| !**seen) {
                    *seen = true;
                    stack.push((to, 0));
                }
            }
            None => order.push(block),
        }
    }
    order.reverse();
    order
}

/// How many loops each block of the order stands in.
fn depths(function: &Function, order: &[Block]) -> Vec<u32> {
    let mut place = vec![usize::MAX; function.blocks.len()];
    for (position, block) in order.iter().enumerate() {
        place[block.0 as usize] = position;
    }
    let mut depths = vec![0; order.len()];
    for (position, block) in order.iter().enumerate() {
        for next in successors(&function.blocks[block.0 as usize].terminator) {
            let head = place[next.0 as usize];
            if head <= position {
                depths[head..=position].iter_mut().for_each(|d| *d += 1);
            }
        }
    }
    depths
}

fn constants(function: &Function, order: &[Block]) -> Vec<Option<i64>> {
    let mut writes = vec![0u32; function.regs.len()];
    let mut values = vec![None; function.regs.len()];
    for block in order {
        for (inst, _) in &function.blocks[block.0 as usize].insts {
            let Some(dst) = inst.dst() else { continue };
            writes[dst.0 as usize] += 1;
            if let Inst::Const { value, .. } = inst {
                values[dst.0 as usize] = Some(*value);
            }
        }
    }
    values.into_iter().zip(writes).map(|(value, writes)| value.filter(|_| writes == 1)).collect()
}

fn fused(function: &Function, order: &[Block]) -> HashSet<u32> {
    let compared = |block: &Block| {
        let data = &function.blocks[block.0 as usize];
        match (data.insts.last(), &data.terminator) {
            (Some((Inst::Compare { dst, .. }, _)), Terminator::Branch { condition, .. }) if dst == condition => {
                Some(*dst)
            }
            _ => None,
        }
    };
    // Registers that anything but the branch behind their comparison reads.
    let mut kept = HashSet::new();
    for block in order {
        let data = &function.blocks[block.0 as usize];
        data.insts.iter().for_each(|(inst, _)| kept.extend(inst.reads()));
        match &data.terminator {
            Terminator::Branch { condition, .. } if compared(block).is_none() => kept.insert(*condition),
            Terminator::Return(reg) => kept.insert(*reg),
            _ => false,
        };
    }
    let is_fused = |block: &&Block| compared(block).is_some_and(|reg| !kept.contains(&reg));
    order.iter().filter(is_fused).map(|block| block.0).collect()
}
