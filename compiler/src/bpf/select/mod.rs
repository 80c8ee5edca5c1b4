//! Instruction selection: each IR instruction becomes a few eBPF instructions.
//!
//! r0 to r5 hold nothing between IR instructions, so each one may use them freely; what lives longer is in r6 to r9, in a
//! slot of the stack, or is a constant ([`super::alloc`]). An instruction reads all its operands before it writes its
//! result, because the two may share a home. Integers are kept canonical: a register holds its type's value, extended by
//! its sign to 64 bits, so that comparisons, divisions and casts need no knowledge of what came before.

mod aggregate;
mod arithmetic;
mod calls;
mod maps;
mod memory;

use reel_lang::span::Span;
use reel_lang::ty::IntTy;

use super::alloc::Home;
use super::asm::{Assembler, Code, Label};
use super::flow::{context_reg, scratch_reg};
use super::frame::{Frame, TEMP, slot_offset};
use super::insn::{Alu, Cond, FRAME, Insn, Machine, Size};
use super::maps::Maps;
use super::{BpfError, Options, Program};
use crate::ir::{Block, Function, Inst, Module, Reg, RegTy, Terminator};

/// Numbers of helpers, from `enum bpf_func_id` in include/uapi/linux/bpf.h.
mod helper {
    pub const MAP_LOOKUP_ELEM: i32 = 1;
    pub const MAP_UPDATE_ELEM: i32 = 2;
    pub const MAP_DELETE_ELEM: i32 = 3;
    pub const PROBE_READ_USER: i32 = 112;
    pub const PROBE_READ_KERNEL: i32 = 113;
    pub const PROBE_READ_USER_STR: i32 = 114;
    pub const PROBE_READ_KERNEL_STR: i32 = 115;
    pub const RINGBUF_OUTPUT: i32 = 130;
    pub const RINGBUF_QUERY: i32 = 134;
}

/// The state of one function's selection.
pub(super) struct Select<'a> {
    asm: Assembler,
    module: &'a Module,
    function: &'a Function,
    program: &'a Program,
    options: &'a Options,
    frame: &'a Frame,
    maps: &'a mut Maps,
    blocks: Vec<Label>,
}

/// Selects the code of one program.
pub(super) fn select(
    module: &Module,
    function: &Function,
    program: &Program,
    options: &Options,
    frame: &Frame,
    maps: &mut Maps,
) -> Result<Code, BpfError> {
    let start =
        function.blocks.first().and_then(|block| block.insts.first()).map_or(Span::default(), |(_, span)| *span);
    let mut asm = Assembler::new(start);
    let blocks = function.blocks.iter().map(|_| asm.label()).collect();
    let mut select = Select { asm, module, function, program, options, frame, maps, blocks };
    select.entry();
    for (position, &block) in frame.flow.order.iter().enumerate() {
        select.block(block, frame.flow.order.get(position + 1).copied())?;
    }
    select.asm.finish().ok_or_else(|| BpfError::TooLong { function: function.name.clone(), span: start })
}

impl Select<'_> {
    /// Saves the context, and looks the scratch value up.
    fn entry(&mut self) {
        if self.frame.flow.uses_context {
            self.write_home(self.frame.homes[context_reg(self.function)], 1);
        }
        if self.frame.scratch_len_bytes == 0 {
            return;
        }
        let (scratch, index) = self.maps.scratch_entry(self.frame.scratch_len_bytes);
        self.asm.push(Insn::store_imm(Size::B4, FRAME, TEMP, i32::try_from(index).unwrap_or(i32::MAX)));
        self.asm.map(1, scratch);
        self.temp_address(2);
        self.asm.push(Insn::call(helper::MAP_LOOKUP_ELEM));
        let found = self.asm.label();
        self.asm.jump(Insn::jump_imm(Cond::Ne, 0, 0), found);
        // Never taken, since the entry exists; the verifier wants to see it.
        self.asm.push(Insn::exit());
        self.asm.bind(found);
        self.write_home(self.frame.homes[scratch_reg(self.function)], 0);
    }

    fn block(&mut self, block: Block, next: Option<Block>) -> Result<(), BpfError> {
        let function = self.function;
        let data = &function.blocks[block.0 as usize];
        self.asm.bind(self.blocks[block.0 as usize]);
        let (insts, fused) = self.frame.flow.split(block, data);
        for (index, (inst, span)) in insts.iter().enumerate() {
            self.asm.span = *span;
            if !self.frame.flow.dead.contains(&(block.0, index)) {
                self.inst(inst)?;
            }
        }
        if let Some((_, span)) = data.insts.last() {
            self.asm.span = *span;
        }
        match &data.terminator {
            Terminator::Return(reg) => {
                self.read_into(*reg, 0);
                self.asm.push(Insn::exit());
            }
            Terminator::Jump(to) => self.go(*to, next),
            Terminator::Branch { condition, then, otherwise } => {
                let jump = match fused {
                    Some(Inst::Compare { op, left, right, .. }) => self.comparison(*op, *left, *right),
                    _ => {
                        let condition = self.read(*condition, 0);
                        Insn::jump_imm(Cond::Ne, condition, 0)
                    }
                };
                if next == Some(*then) {
                    let label = self.blocks[otherwise.0 as usize];
                    self.asm.jump(negated(jump), label);
                } else {
                    let label = self.blocks[then.0 as usize];
                    self.asm.jump(jump, label);
                    self.go(*otherwise, next);
                }
            }
        }
        Ok(())
    }

    fn go(&mut self, to: Block, next: Option<Block>) {
        if next != Some(to) {
            let label = self.blocks[to.0 as usize];
            self.asm.goto(label);
        }
    }

    fn inst(&mut self, inst: &Inst) -> Result<(), BpfError> {
        match inst {
            Inst::Const { dst, value } => {
                let value = canonical(*value, self.int(*dst)?);
                self.write_constant(*dst, value);
                Ok(())
            }
            Inst::Copy { dst, src } => {
                match self.constant(*src) {
                    Some(value) => self.write_constant(*dst, value),
                    None => {
                        let from = self.target(*dst, 0);
                        let from = self.read(*src, from);
                        self.write(*dst, from);
                    }
                }
                Ok(())
            }
            Inst::Unary { op, dst, src } => self.unary(*op, *dst, *src),
            Inst::Binary { op, dst, left, right } => self.binary(*op, *dst, *left, *right),
            Inst::Compare { op, dst, left, right } => {
                self.compare(*op, *dst, *left, *right);
                Ok(())
            }
            Inst::Cast { dst, src } => self.cast(*dst, *src),
            Inst::Zero { .. }
            | Inst::SetData { .. }
            | Inst::Load { .. }
            | Inst::Store { .. }
            | Inst::CopyBuf { .. }
            | Inst::EqualBuf { .. } => self.memory(inst),
            Inst::MapGet { .. } | Inst::MapSet { .. } | Inst::MapAdd { .. } | Inst::MapDelete { .. } => {
                self.map_inst(inst)
            }
            Inst::MapAggregate { map, key, agg, value } => self.aggregate(*map, *key, *agg, *value),
            Inst::Emit { output, record } => self.emit(*output, *record),
            Inst::Context { .. }
            | Inst::ContextAddress { .. }
            | Inst::Follow { .. }
            | Inst::Put { .. }
            | Inst::Probe { .. }
            | Inst::ProbeStr { .. }
            | Inst::Helper { .. }
            | Inst::Kfunc { .. }
            | Inst::SetContext { .. } => self.kernel(inst),
            Inst::Field { .. }
            | Inst::Text { .. }
            | Inst::TextEqual { .. }
            | Inst::CompareInt { .. }
            | Inst::Matches { .. }
            | Inst::Path { .. }
            | Inst::ToInt { .. }
            | Inst::FromInt { .. }
            | Inst::IsNil { .. }
            | Inst::Host { .. } => Err(BpfError::Native { function: self.function.name.clone(), span: self.asm.span }),
        }
    }

    // ---- registers

    fn home(&self, reg: Reg) -> Home {
        self.frame.homes[reg.0 as usize]
    }

    fn ty(&self, reg: Reg) -> RegTy {
        self.function.regs[reg.0 as usize]
    }

    /// How a register's value is held; pointers are 64-bit numbers.
    fn int(&self, reg: Reg) -> Result<IntTy, BpfError> {
        self.ty(reg).int().ok_or_else(|| BpfError::Native { function: self.function.name.clone(), span: self.asm.span })
    }

    fn is_signed(&self, reg: Reg) -> bool {
        matches!(self.ty(reg), RegTy::Int(int) if int.signed)
    }

    /// The constant that a register is, canonical.
    fn constant(&self, reg: Reg) -> Option<i64> {
        match (self.home(reg), self.int(reg)) {
            (Home::Const(value), Ok(int)) => Some(canonical(value, int)),
            _ => None,
        }
    }

    /// The constant that a register is, where an instruction can hold it.
    fn immediate(&self, reg: Reg) -> Option<i32> {
        self.constant(reg).and_then(|value| i32::try_from(value).ok())
    }

    /// Returns the machine register that holds a value, which is `spare` where it has none of its own.
    fn read(&mut self, reg: Reg, spare: Machine) -> Machine {
        match self.home(reg) {
            Home::Machine(machine) => machine,
            _ => {
                self.read_into(reg, spare);
                spare
            }
        }
    }

    /// Puts a value into a machine register.
    fn read_into(&mut self, reg: Reg, to: Machine) {
        match self.constant(reg) {
            Some(value) => self.asm.constant(to, value),
            None => self.read_home(self.home(reg), to),
        }
    }

    fn read_home(&mut self, home: Home, to: Machine) {
        match home {
            Home::Machine(machine) => self.asm.mov(to, machine),
            Home::Slot(slot) => self.asm.load(Size::B8, to, FRAME, slot_offset(slot)),
            Home::Const(value) => self.asm.constant(to, value),
            // Read before it is written, which `verify` refuses: any value will do, and the verifier wants one.
            Home::Nowhere => self.asm.constant(to, 0),
        }
    }

    /// Returns the machine register to compute a result in: its own, else `spare`.
    fn target(&self, dst: Reg, spare: Machine) -> Machine {
        match self.home(dst) {
            Home::Machine(machine) => machine,
            _ => spare,
        }
    }

    /// Brings a result home.
    fn write(&mut self, dst: Reg, from: Machine) {
        self.write_home(self.home(dst), from);
    }

    fn write_constant(&mut self, dst: Reg, value: i64) {
        match (self.home(dst), i32::try_from(value)) {
            (Home::Slot(slot), Ok(imm)) => {
                self.asm.push(Insn::store_imm(Size::B8, FRAME, slot_offset(slot), imm));
            }
            _ => {
                let to = self.target(dst, 0);
                self.asm.constant(to, value);
                self.write(dst, to);
            }
        }
    }

    fn write_home(&mut self, home: Home, from: Machine) {
        match home {
            Home::Machine(machine) => self.asm.mov(machine, from),
            Home::Slot(slot) => {
                self.asm.push(Insn::store(Size::B8, FRAME, slot_offset(slot), from));
            }
            Home::Const(_) | Home::Nowhere => {}
        }
    }

    /// Makes the value in a machine register canonical for a type.
    fn normalise(&mut self, machine: Machine, int: IntTy) {
        match (int.bits, int.signed) {
            (64, _) => {}
            (32, false) => self.asm.push(Insn::mov32(machine, machine)),
            (bits, true) => {
                let shift = 64 - i32::from(bits);
                self.asm.push(Insn::alu_imm(Alu::Lsh, machine, shift));
                self.asm.push(Insn::alu_imm(Alu::Arsh, machine, shift));
            }
            (bits, false) => {
                let mask = (1i32 << bits) - 1;
                self.asm.push(Insn::alu_imm(Alu::And, machine, mask));
            }
        }
    }

    /// Puts the address of the 8 bytes that an instruction may use for itself into a machine register.
    fn temp_address(&mut self, to: Machine) {
        self.asm.mov(to, FRAME);
        self.asm.push(Insn::alu_imm(Alu::Add, to, i32::from(TEMP)));
    }

    fn malformed(&self, reason: &'static str) -> BpfError {
        BpfError::Malformed { function: self.function.name.clone(), span: self.asm.span, reason }
    }
}

/// The value that a register of a type holds for a constant.
fn canonical(value: i64, int: IntTy) -> i64 {
    let shift = 64 - u32::from(int.bits);
    match int.signed {
        _ if shift == 0 => value,
        true => value << shift >> shift,
        false => ((value as u64) << shift >> shift) as i64,
    }
}

/// The same jump under the opposite condition.
fn negated(jump: Insn) -> Insn {
    const CONDITIONS: [Cond; 10] =
        [Cond::Eq, Cond::Gt, Cond::Ge, Cond::Ne, Cond::SGt, Cond::SGe, Cond::Lt, Cond::Le, Cond::SLt, Cond::SLe];
    let mut jump = jump;
    if let Some(cond) = CONDITIONS.iter().find(|&&c| c as u8 == jump.code & 0xf0) {
        jump.code = (jump.code & 0x0f) | cond.negated() as u8;
    }
    jump
}
