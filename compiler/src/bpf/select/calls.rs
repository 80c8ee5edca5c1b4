//! What only the kernel can do: the context, typed pointers, memory that may fault, helpers, kernel functions, records.

use reel_lang::ty::Space;

use super::super::asm::Patch;
use super::super::insn::{Alu, Cond, Insn, Machine, Size};
use super::super::maps::LOST_EVENTS;
use super::super::{BpfError, Wakeup};
use super::{Select, context_reg, helper};
use crate::ir::{Arg, At, Inst, OutputId, Reg, RegTy};

/// The most arguments of a call.
const MAX_ARGS: usize = 5;
/// `BPF_RB_NO_WAKEUP`.
const NO_WAKEUP: i64 = 1;
/// `BPF_RB_FORCE_WAKEUP`.
const FORCE_WAKEUP: i64 = 2;
/// `BPF_RB_AVAIL_DATA`.
const AVAILABLE: i64 = 0;

impl Select<'_> {
    pub(super) fn kernel(&mut self, inst: &Inst) -> Result<(), BpfError> {
        match inst {
            Inst::Context { dst, offset } => self.read_context(*dst, *offset),
            Inst::ContextAddress { dst, offset } => {
                // The mask is what the verifier knows of the offset.
                self.read_into(*offset, 1);
                self.asm.push(Insn::alu_imm(Alu::And, 1, 0xffff));
                let context = self.context(0);
                self.asm.mov(0, context);
                self.asm.push(Insn::alu(Alu::Add, 0, 1));
                self.write(*dst, 0);
                Ok(())
            }
            Inst::Follow { dst, base, offset } => self.follow(*dst, *base, *offset),
            Inst::Put { base, offset, src } => self.put(*base, *offset, *src),
            Inst::SetContext { offset, src } => {
                let size = Size::of(self.int(*src)?.len_bytes());
                let offset = self.offset(*offset)?;
                let context = self.context(1);
                let src = self.read(*src, 0);
                self.asm.push(Insn::store(size, context, offset, src));
                Ok(())
            }
            Inst::Probe { space, to, len_bytes, address, failed } => {
                let call = match space {
                    Space::User => helper::PROBE_READ_USER,
                    Space::Kernel => helper::PROBE_READ_KERNEL,
                };
                self.probe(call, *to, *len_bytes, *address)?;
                if let Some(failed) = failed {
                    self.is_not_zero(*failed);
                }
                Ok(())
            }
            Inst::ProbeStr { space, to, len_bytes, address, dst } => {
                let call = match space {
                    Space::User => helper::PROBE_READ_USER_STR,
                    Space::Kernel => helper::PROBE_READ_KERNEL_STR,
                };
                self.probe(call, *to, *len_bytes, *address)?;
                self.result(*dst)
            }
            Inst::Helper { dst, helper, args } => {
                self.arguments(args)?;
                let number = i32::try_from(*helper);
                let number = number.map_err(|_| self.malformed("no such helper"))?;
                self.asm.push(Insn::call(number));
                self.result(*dst)
            }
            Inst::Kfunc { dst, name, args } => {
                self.arguments(args)?;
                self.asm.patched(Insn::call_kfunc(), Patch::Kfunc(name.clone()));
                self.result(*dst)
            }
            _ => Err(self.malformed("not an instruction of the kernel")),
        }
    }

    fn offset(&self, offset: u32) -> Result<i16, BpfError> {
        i16::try_from(offset).map_err(|_| self.malformed("an offset is out of reach"))
    }

    /// Returns the register that holds the context.
    fn context(&mut self, spare: Machine) -> Machine {
        match self.frame.homes[context_reg(self.function)] {
            super::Home::Machine(machine) => machine,
            home => {
                self.read_home(home, spare);
                spare
            }
        }
    }

    fn read_context(&mut self, dst: Reg, offset: u32) -> Result<(), BpfError> {
        let int = self.int(dst)?;
        let offset = self.offset(offset)?;
        let to = self.target(dst, 0);
        let context = self.context(0);
        // The arguments of these kinds are an array of u64, and the kernel lets it be read as nothing else.
        let len_bytes = match self.program.reads_words() {
            true => 8,
            false => int.len_bytes(),
        };
        self.asm.load(Size::of(len_bytes), to, context, offset);
        if int.signed || len_bytes != int.len_bytes() {
            self.normalise(to, int);
        }
        self.write(dst, to);
        Ok(())
    }

    fn follow(&mut self, dst: Reg, base: Reg, offset: u32) -> Result<(), BpfError> {
        let int = self.int(dst)?;
        let to = self.target(dst, 0);
        let (base, offset) = self.pointer(base, offset)?;
        self.asm.load(Size::of(int.len_bytes()), to, base, offset);
        if int.signed {
            self.normalise(to, int);
        }
        self.write(dst, to);
        Ok(())
    }

    fn put(&mut self, base: Reg, offset: u32, src: Reg) -> Result<(), BpfError> {
        let size = Size::of(self.int(src)?.len_bytes());
        let (base, offset) = self.pointer(base, offset)?;
        match self.immediate(src) {
            Some(imm) => self.asm.push(Insn::store_imm(size, base, offset, imm)),
            None => {
                let src = self.read(src, 0);
                self.asm.push(Insn::store(size, base, offset, src));
            }
        }
        Ok(())
    }

    /// Reads a pointer, into r1 where it has no register; a far offset is added to it there.
    fn pointer(&mut self, base: Reg, offset: u32) -> Result<(Machine, i16), BpfError> {
        if let Ok(offset) = i16::try_from(offset) {
            return Ok((self.read(base, 1), offset));
        }
        let far = i32::try_from(offset);
        let far = far.map_err(|_| self.malformed("an offset is out of reach"))?;
        self.read_into(base, 1);
        self.asm.push(Insn::alu_imm(Alu::Add, 1, far));
        Ok((1, 0))
    }

    fn probe(&mut self, call: i32, to: At, len_bytes: u32, address: Reg) -> Result<(), BpfError> {
        self.address(to, len_bytes, 1)?;
        self.asm.constant(2, i64::from(len_bytes));
        self.read_into(address, 3);
        self.asm.push(Insn::call(call));
        Ok(())
    }

    fn arguments(&mut self, args: &[Arg]) -> Result<(), BpfError> {
        if args.len() > MAX_ARGS {
            return Err(self.malformed("a call takes at most five arguments"));
        }
        for (to, arg) in (1u8..).zip(args) {
            match arg {
                Arg::Reg(reg) => self.read_into(*reg, to),
                Arg::Imm(value) => self.asm.constant(to, *value),
                Arg::At(at) => self.address(*at, 0, to)?,
                Arg::Map(map) => {
                    if self.module.maps.len() <= *map as usize {
                        return Err(self.malformed("no such map"));
                    }
                    self.asm.map(to, *map);
                }
                Arg::Context => {
                    let context = self.context(to);
                    self.asm.mov(to, context);
                }
                Arg::BtfType(data) => {
                    let name = self.module.data.get(data.0 as usize);
                    let name = name.ok_or_else(|| self.malformed("no such constant"))?;
                    let name = String::from_utf8_lossy(name).into_owned();
                    self.asm.patched(Insn::alu_imm(Alu::Mov, to, 0), Patch::Struct(name));
                }
            }
        }
        Ok(())
    }

    /// Brings r0 home.
    fn result(&mut self, dst: Option<Reg>) -> Result<(), BpfError> {
        let Some(dst) = dst else { return Ok(()) };
        if !matches!(self.ty(dst), RegTy::Btf | RegTy::Address(_)) {
            let int = self.int(dst)?;
            self.normalise(0, int);
        }
        self.write(dst, 0);
        Ok(())
    }

    fn is_not_zero(&mut self, dst: Reg) {
        let to = self.target(dst, 1);
        let holds = self.asm.label();
        self.asm.constant(to, 1);
        self.asm.jump(Insn::jump_imm(Cond::Ne, 0, 0), holds);
        self.asm.constant(to, 0);
        self.asm.bind(holds);
        self.write(dst, to);
    }

    /// Sends a record to the ring; one that has no room is counted.
    pub(super) fn emit(&mut self, output: OutputId, record: At) -> Result<(), BpfError> {
        let output = self.module.outputs.get(output.0 as usize);
        let output = output.ok_or_else(|| self.malformed("no such output"))?;
        let events = self.maps.events();
        match self.options.wakeup {
            Wakeup::Always => self.asm.constant(4, 0),
            Wakeup::Above { threshold_bytes } => {
                self.asm.map(1, events);
                self.asm.constant(2, AVAILABLE);
                self.asm.push(Insn::call(helper::RINGBUF_QUERY));
                let few = self.asm.label();
                self.asm.constant(4, NO_WAKEUP);
                let threshold = i32::try_from(threshold_bytes).unwrap_or(i32::MAX);
                self.asm.jump(Insn::jump_imm(Cond::Le, 0, threshold), few);
                self.asm.constant(4, FORCE_WAKEUP);
                self.asm.bind(few);
            }
        }
        self.asm.map(1, events);
        self.address(record, output.len_bytes, 2)?;
        self.asm.constant(3, i64::from(output.len_bytes));
        self.asm.push(Insn::call(helper::RINGBUF_OUTPUT));
        let sent = self.asm.label();
        self.asm.jump(Insn::jump_imm(Cond::Eq, 0, 0), sent);
        self.count_lost(LOST_EVENTS);
        self.asm.bind(sent);
        Ok(())
    }
}
