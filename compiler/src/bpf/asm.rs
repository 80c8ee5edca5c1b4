//! The assembler: instructions, labels and the script's spans, put together into slots.
//!
//! Jumps name labels. `finish` lays the items out, widens the jumps that a 16-bit offset does not reach, and gives a span
//! for every slot. Widening only ever grows the code, so it ends. A conditional jump has no wide form: it becomes the same
//! condition over a wide jump.

use reel_lang::span::Span;

use super::insn::{Alu, Insn, Machine, Size};

/// A place in the code that is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(u32);

/// What the loader fills in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Patch {
    /// A 64-bit constant becomes a map's file descriptor: index into the object's maps.
    Map(u32),
    /// A call becomes the BTF id of a kernel function.
    Kfunc(String),
    /// A constant becomes the BTF id of a struct.
    Struct(String),
}

enum Item {
    Insn(Insn),
    Jump(Insn, Label),
    Label(Label),
}

/// The finished code of one program.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub insns: Vec<Insn>,
    pub spans: Vec<Span>,
    /// Slots that the loader fills in.
    pub patches: Vec<(u32, Patch)>,
}

/// Collects the items of one program.
pub(super) struct Assembler {
    items: Vec<(Item, Span)>,
    labels: u32,
    patches: Vec<(usize, Patch)>,
    /// The span that the next items belong to.
    pub span: Span,
}

impl Assembler {
    pub fn new(span: Span) -> Self {
        Assembler { items: Vec::new(), labels: 0, patches: Vec::new(), span }
    }

    pub fn push(&mut self, insn: Insn) {
        self.items.push((Item::Insn(insn), self.span));
    }

    pub fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    pub fn bind(&mut self, label: Label) {
        self.items.push((Item::Label(label), self.span));
    }

    /// Adds a jump, conditional or not, to a label.
    pub fn jump(&mut self, insn: Insn, to: Label) {
        self.items.push((Item::Jump(insn, to), self.span));
    }

    pub fn goto(&mut self, to: Label) {
        self.jump(Insn::jump(), to);
    }

    /// Adds `dst = src`, unless they are one.
    pub fn mov(&mut self, dst: Machine, src: Machine) {
        if dst != src {
            self.push(Insn::alu(Alu::Mov, dst, src));
        }
    }

    /// Adds `dst = value` in as few slots as it takes.
    pub fn constant(&mut self, dst: Machine, value: i64) {
        match i32::try_from(value) {
            Ok(imm) => self.push(Insn::alu_imm(Alu::Mov, dst, imm)),
            Err(_) => Insn::load_imm64(dst, value).into_iter().for_each(|insn| self.push(insn)),
        }
    }

    /// Adds `dst = map`, which the loader fills in.
    pub fn map(&mut self, dst: Machine, map: u32) {
        self.patches.push((self.items.len(), Patch::Map(map)));
        Insn::load_imm64(dst, 0).into_iter().for_each(|insn| self.push(insn));
    }

    /// Adds an instruction that the loader fills in.
    pub fn patched(&mut self, insn: Insn, patch: Patch) {
        self.patches.push((self.items.len(), patch));
        self.push(insn);
    }

    /// Adds `dst = *(size *)(base + offset)`; what was stored there just now is taken from its register.
    pub fn load(&mut self, size: Size, dst: Machine, base: Machine, offset: i16) {
        match self.items.last() {
            Some((Item::Insn(last), _))
                if size == Size::B8 && *last == Insn::store(Size::B8, base, offset, last.src) =>
            {
                let stored = last.src;
                self.mov(dst, stored);
            }
            _ => self.push(Insn::load(size, dst, base, offset)),
        }
    }

    /// Lays everything out. `None` if a jump reaches no label, or further than 32 bits.
    pub fn finish(self) -> Option<Code> {
        let mut wide = vec![false; self.items.len()];
        loop {
            let (places, labels) = self.layout(&wide);
            let mut grown = false;
            for (index, (item, _)) in self.items.iter().enumerate() {
                if let Item::Jump(_, label) = item {
                    let target = labels.get(label.0 as usize).copied().flatten()?;
                    let distance = i64::from(target) - i64::from(places[index]) - 1;
                    if i16::try_from(distance).is_err() && !wide[index] {
                        wide[index] = true;
                        grown = true;
                    }
                }
            }
            if !grown {
                return self.emit(&wide, &places, &labels);
            }
        }
    }

    fn layout(&self, wide: &[bool]) -> (Vec<u32>, Vec<Option<u32>>) {
        let mut labels = vec![None; self.labels as usize];
        let mut places = Vec::with_capacity(self.items.len());
        let mut slot = 0u32;
        for (index, (item, _)) in self.items.iter().enumerate() {
            places.push(slot);
            slot += match item {
                Item::Insn(_) => 1,
                Item::Jump(insn, _) if wide[index] && insn.code != super::insn::JUMP => 3,
                Item::Jump(..) => 1,
                Item::Label(label) => {
                    labels[label.0 as usize] = Some(slot);
                    0
                }
            };
        }
        (places, labels)
    }

    fn emit(self, wide: &[bool], places: &[u32], labels: &[Option<u32>]) -> Option<Code> {
        let mut code = Code::default();
        for (index, (item, span)) in self.items.iter().enumerate() {
            let before = code.insns.len();
            match item {
                Item::Label(_) => continue,
                Item::Insn(insn) => code.insns.push(*insn),
                Item::Jump(insn, label) => {
                    let target = i64::from(labels[label.0 as usize]?);
                    place_jump(&mut code.insns, *insn, target, wide[index])?;
                }
            }
            code.spans.resize(code.insns.len(), *span);
            debug_assert_eq!(before, places[index] as usize);
        }
        code.patches = self.patches.into_iter().map(|(item, patch)| (places[item], patch)).collect();
        Some(code)
    }
}

/// Adds a jump to `target`; wide ones are `if cond goto +1; goto +1; gotol target`.
fn place_jump(insns: &mut Vec<Insn>, mut insn: Insn, target: i64, wide: bool) -> Option<()> {
    if !wide {
        insn.offset = i16::try_from(target - insns.len() as i64 - 1).ok()?;
        insns.push(insn);
        return Some(());
    }
    if insn.code != super::insn::JUMP {
        insn.offset = 1;
        insns.push(insn);
        let mut over = Insn::jump();
        over.offset = 1;
        insns.push(over);
    }
    let offset = i32::try_from(target - insns.len() as i64 - 1).ok()?;
    insns.push(Insn::jump_far(offset));
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bpf::insn::{Cond, JUMP_FAR};

    #[test]
    fn jumps_out_of_reach_become_wide() {
        let mut asm = Assembler::new(Span::default());
        let end = asm.label();
        asm.jump(Insn::jump_imm(Cond::Eq, 1, 0), end);
        asm.goto(end);
        for _ in 0..40_000 {
            asm.constant(0, 0);
        }
        asm.bind(end);
        asm.push(Insn::exit());
        let code = asm.finish().unwrap();
        assert_eq!(code.insns.len(), code.spans.len());
        assert_eq!(code.insns[0].offset, 1);
        assert_eq!(code.insns[2].code, JUMP_FAR);
        assert_eq!(code.insns[2].imm, 40_001);
        assert_eq!(code.insns[3].code, JUMP_FAR);
        assert_eq!(code.insns[3].imm, 40_000);
    }

    #[test]
    fn a_label_that_is_never_bound_is_refused() {
        let mut asm = Assembler::new(Span::default());
        let nowhere = asm.label();
        asm.goto(nowhere);
        assert!(asm.finish().is_none());
    }
}
