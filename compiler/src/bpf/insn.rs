//! One eBPF instruction: its eight bytes, and constructors for the forms that the back end emits.
//!
//! The encoding is that of the kernel's Documentation/bpf/standardization/instruction-set.rst (little endian). Only forms
//! that every kernel since 5.10 runs are made here, but for [`Insn::jump_far`], which wants 6.6 and is used only where a
//! program is longer than a 16-bit offset reaches.

/// A machine register, 0 to 10.
pub type Machine = u8;

/// The read-only frame pointer.
pub const FRAME: Machine = 10;

/// One slot of a program. A 64-bit constant takes two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Insn {
    pub code: u8,
    pub dst: Machine,
    pub src: Machine,
    pub offset: i16,
    pub imm: i32,
}

/// Sizes of a memory access, as the instruction set encodes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    B1 = 0x10,
    B2 = 0x08,
    B4 = 0x00,
    B8 = 0x18,
}

impl Size {
    /// Returns the size of so many bytes; anything that is no power of two up to 8 counts as one byte.
    pub fn of(len_bytes: u32) -> Size {
        match len_bytes {
            2 => Size::B2,
            4 => Size::B4,
            8 => Size::B8,
            _ => Size::B1,
        }
    }

    /// Returns the size in bytes.
    pub fn len_bytes(self) -> u32 {
        match self {
            Size::B1 => 1,
            Size::B2 => 2,
            Size::B4 => 4,
            Size::B8 => 8,
        }
    }
}

/// Operations of the arithmetic unit, as encoded in the high bits of the opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alu {
    Add = 0x00,
    Sub = 0x10,
    Mul = 0x20,
    Div = 0x30,
    Or = 0x40,
    And = 0x50,
    Lsh = 0x60,
    Rsh = 0x70,
    Neg = 0x80,
    Mod = 0x90,
    Xor = 0xa0,
    Mov = 0xb0,
    Arsh = 0xc0,
}

/// Conditions of a jump, as encoded in the high bits of the opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cond {
    Eq = 0x10,
    Gt = 0x20,
    Ge = 0x30,
    Ne = 0x50,
    SGt = 0x60,
    SGe = 0x70,
    Lt = 0xa0,
    Le = 0xb0,
    SLt = 0xc0,
    SLe = 0xd0,
}

impl Cond {
    /// Returns the condition that holds exactly where this one does not.
    pub fn negated(self) -> Cond {
        match self {
            Cond::Eq => Cond::Ne,
            Cond::Ne => Cond::Eq,
            Cond::Gt => Cond::Le,
            Cond::Le => Cond::Gt,
            Cond::Ge => Cond::Lt,
            Cond::Lt => Cond::Ge,
            Cond::SGt => Cond::SLe,
            Cond::SLe => Cond::SGt,
            Cond::SGe => Cond::SLt,
            Cond::SLt => Cond::SGe,
        }
    }

    /// Returns the condition that holds with the operands the other way round.
    pub fn swapped(self) -> Cond {
        match self {
            Cond::Eq | Cond::Ne => self,
            Cond::Gt => Cond::Lt,
            Cond::Lt => Cond::Gt,
            Cond::Ge => Cond::Le,
            Cond::Le => Cond::Ge,
            Cond::SGt => Cond::SLt,
            Cond::SLt => Cond::SGt,
            Cond::SGe => Cond::SLe,
            Cond::SLe => Cond::SGe,
        }
    }
}

/// The opcode of the first slot of a 64-bit constant.
pub const LD_IMM64: u8 = 0x18;
/// The opcode of a call.
pub const CALL: u8 = 0x85;
/// The opcode of the return.
pub const EXIT: u8 = 0x95;
/// The opcode of an unconditional jump.
pub const JUMP: u8 = 0x05;
/// The opcode of an unconditional jump with a 32-bit offset.
pub const JUMP_FAR: u8 = 0x06;
/// `src` of a call to a kernel function.
pub const CALL_KFUNC: Machine = 2;
/// `src` of a 64-bit constant that is a map.
pub const MAP_FD: Machine = 1;

impl Insn {
    fn new(code: u8, dst: Machine, src: Machine, offset: i16, imm: i32) -> Insn {
        Insn { code, dst, src, offset, imm }
    }

    /// `dst op= imm`, 64 bits wide, the constant extended by its sign.
    pub fn alu_imm(op: Alu, dst: Machine, imm: i32) -> Insn {
        Insn::new(0x07 | op as u8, dst, 0, 0, imm)
    }

    /// `dst op= src`, 64 bits wide.
    pub fn alu(op: Alu, dst: Machine, src: Machine) -> Insn {
        Insn::new(0x0f | op as u8, dst, src, 0, 0)
    }

    /// `dst = (u32)src`.
    pub fn mov32(dst: Machine, src: Machine) -> Insn {
        Insn::new(0xbc, dst, src, 0, 0)
    }

    /// `dst = *(size *)(base + offset)`, extended with zeroes.
    pub fn load(size: Size, dst: Machine, base: Machine, offset: i16) -> Insn {
        Insn::new(0x61 | size as u8, dst, base, offset, 0)
    }

    /// `*(size *)(base + offset) = src`.
    pub fn store(size: Size, base: Machine, offset: i16, src: Machine) -> Insn {
        Insn::new(0x63 | size as u8, base, src, offset, 0)
    }

    /// `*(size *)(base + offset) = imm`, extended by its sign.
    pub fn store_imm(size: Size, base: Machine, offset: i16, imm: i32) -> Insn {
        Insn::new(0x62 | size as u8, base, 0, offset, imm)
    }

    /// `lock *(size *)(base + offset) += src`; four or eight bytes.
    pub fn atomic_add(size: Size, base: Machine, offset: i16, src: Machine) -> Insn {
        Insn::new(0xc3 | size as u8, base, src, offset, 0)
    }

    /// `if left cond imm goto`; the assembler fills in the offset.
    pub fn jump_imm(cond: Cond, left: Machine, imm: i32) -> Insn {
        Insn::new(0x05 | cond as u8, left, 0, 0, imm)
    }

    /// `if left cond right goto`; the assembler fills in the offset.
    pub fn jump_reg(cond: Cond, left: Machine, right: Machine) -> Insn {
        Insn::new(0x0d | cond as u8, left, right, 0, 0)
    }

    /// `goto`; the assembler fills in the offset.
    pub fn jump() -> Insn {
        Insn::new(JUMP, 0, 0, 0, 0)
    }

    /// `goto` with a 32-bit offset (kernel 6.6).
    pub fn jump_far(offset: i32) -> Insn {
        Insn::new(JUMP_FAR, 0, 0, 0, offset)
    }

    /// Calls a helper by number.
    pub fn call(helper: i32) -> Insn {
        Insn::new(CALL, 0, 0, 0, helper)
    }

    /// Calls a kernel function; its BTF id is patched in at load.
    pub fn call_kfunc() -> Insn {
        Insn::new(CALL, 0, CALL_KFUNC, 0, 0)
    }

    /// Ends the program with r0.
    pub fn exit() -> Insn {
        Insn::new(EXIT, 0, 0, 0, 0)
    }

    /// The two slots of `dst = value`.
    pub fn load_imm64(dst: Machine, value: i64) -> [Insn; 2] {
        [Insn::new(LD_IMM64, dst, 0, 0, value as i32), Insn::new(0, 0, 0, 0, (value >> 32) as i32)]
    }

    /// Returns the bytes in the object.
    pub fn bytes(self) -> [u8; 8] {
        let mut out = [0u8; 8];
        out[0] = self.code;
        out[1] = self.dst | (self.src << 4);
        out[2..4].copy_from_slice(&self.offset.to_le_bytes());
        out[4..8].copy_from_slice(&self.imm.to_le_bytes());
        out
    }
}
