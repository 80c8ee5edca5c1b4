//! Arithmetic and comparison, with the language's meaning on every width.
//!
//! eBPF's unsigned division gives 0 for x/0 and x for x%0, which is the language's rule; signed division exists only since
//! cpu v4, so it is made from magnitudes, without branches: MIN/-1 wraps to MIN, and MIN%-1 is 0.

use super::super::BpfError;
use super::super::insn::{Alu, Cond, Insn, Machine};
use super::Select;
use crate::ir::{BinaryOp, CompareOp, Reg, RegTy, UnaryOp};

impl Select<'_> {
    pub(super) fn unary(&mut self, op: UnaryOp, dst: Reg, src: Reg) -> Result<(), BpfError> {
        let int = self.int(dst)?;
        let to = self.target(dst, 0);
        self.read_into(src, to);
        match op {
            UnaryOp::Neg => self.asm.push(Insn::alu_imm(Alu::Neg, to, 0)),
            UnaryOp::BitNot => self.asm.push(Insn::alu_imm(Alu::Xor, to, -1)),
            UnaryOp::Not => self.asm.push(Insn::alu_imm(Alu::Xor, to, 1)),
        }
        if op != UnaryOp::Not {
            self.normalise(to, int);
        }
        self.write(dst, to);
        Ok(())
    }

    pub(super) fn cast(&mut self, dst: Reg, src: Reg) -> Result<(), BpfError> {
        let (int, from) = (self.int(dst)?, self.int(src)?);
        let is_contained = self.constant(src).is_none()
            && match (int.signed, from.signed) {
                (a, b) if a == b => int.bits >= from.bits,
                (true, false) => int.bits > from.bits,
                _ => int.bits == 64,
            };
        if is_contained {
            let from = self.read(src, 0);
            self.write(dst, from);
            return Ok(());
        }
        let to = self.target(dst, 0);
        self.read_into(src, to);
        self.normalise(to, int);
        self.write(dst, to);
        Ok(())
    }

    pub(super) fn binary(&mut self, op: BinaryOp, dst: Reg, left: Reg, right: Reg) -> Result<(), BpfError> {
        let int = self.int(dst)?;
        if int.signed && matches!(op, BinaryOp::Div | BinaryOp::Rem) {
            self.signed_division(op, left, right);
            if op == BinaryOp::Div {
                self.normalise(0, int);
            }
            self.write(dst, 0);
            return Ok(());
        }
        // A constant on the left of an operation that does not care goes to the right.
        let swaps = matches!(op, BinaryOp::Add | BinaryOp::Mul | BinaryOp::And | BinaryOp::Or | BinaryOp::Xor);
        let (left, right) = match swaps && self.immediate(left).is_some() {
            true => (right, left),
            false => (left, right),
        };
        let own = self.target(dst, 0);
        let clashes = self.home(right) == self.home(dst) && self.home(left) != self.home(dst);
        let to = if clashes { 0 } else { own };
        self.read_into(left, to);
        let shift = match op {
            BinaryOp::Shl | BinaryOp::Shr => Some(i32::from(int.bits) - 1),
            _ => None,
        };
        let alu = match op {
            BinaryOp::Add => Alu::Add,
            BinaryOp::Sub => Alu::Sub,
            BinaryOp::Mul => Alu::Mul,
            BinaryOp::Div => Alu::Div,
            BinaryOp::Rem => Alu::Mod,
            BinaryOp::And => Alu::And,
            BinaryOp::Or => Alu::Or,
            BinaryOp::Xor => Alu::Xor,
            BinaryOp::Shl => Alu::Lsh,
            BinaryOp::Shr if int.signed => Alu::Arsh,
            BinaryOp::Shr => Alu::Rsh,
        };
        match (self.immediate(right), shift) {
            (Some(imm), Some(mask)) => self.asm.push(Insn::alu_imm(alu, to, imm & mask)),
            (None, Some(mask)) => {
                self.read_into(right, 1);
                self.asm.push(Insn::alu_imm(Alu::And, 1, mask));
                self.asm.push(Insn::alu(alu, to, 1));
            }
            // The kernel refuses a constant 0 here.
            (Some(0), None) if alu == Alu::Div => self.asm.constant(to, 0),
            (Some(0), None) if alu == Alu::Mod => {}
            (Some(imm), None) if imm > 0 || !matches!(alu, Alu::Div | Alu::Mod) => {
                self.asm.push(Insn::alu_imm(alu, to, imm));
            }
            (_, None) => {
                let right = self.read(right, 1);
                self.asm.push(Insn::alu(alu, to, right));
            }
        }
        if matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Shl) {
            self.normalise(to, int);
        }
        self.write(dst, to);
        Ok(())
    }

    /// Divides by magnitudes, into r0; changes r1, r2 and r3.
    fn signed_division(&mut self, op: BinaryOp, left: Reg, right: Reg) {
        self.read_into(left, 0);
        self.sign_and_magnitude(0, 2);
        let alu = match op {
            BinaryOp::Div => Alu::Div,
            _ => Alu::Mod,
        };
        match self.immediate(right) {
            Some(0) if alu == Alu::Div => {
                self.asm.constant(0, 0);
                return;
            }
            Some(0) => {}
            Some(imm) if imm > 0 => self.asm.push(Insn::alu_imm(alu, 0, imm)),
            _ => {
                self.read_into(right, 1);
                self.sign_and_magnitude(1, 3);
                self.asm.push(Insn::alu(alu, 0, 1));
                if alu == Alu::Div {
                    self.asm.push(Insn::alu(Alu::Xor, 2, 3));
                }
            }
        }
        self.asm.push(Insn::alu(Alu::Xor, 0, 2));
        self.asm.push(Insn::alu(Alu::Sub, 0, 2));
    }

    /// Splits a number into its magnitude and 0 or -1 for its sign.
    fn sign_and_magnitude(&mut self, number: Machine, sign: Machine) {
        self.asm.mov(sign, number);
        self.asm.push(Insn::alu_imm(Alu::Arsh, sign, 63));
        self.asm.push(Insn::alu(Alu::Xor, number, sign));
        self.asm.push(Insn::alu(Alu::Sub, number, sign));
    }

    /// Makes the jump that is taken where a comparison holds; may change r0 and r1.
    pub(super) fn comparison(&mut self, op: CompareOp, left: Reg, right: Reg) -> Insn {
        let is_signed = self.is_signed(left);
        let cond = match (op, is_signed) {
            (CompareOp::Eq, _) => Cond::Eq,
            (CompareOp::Ne, _) => Cond::Ne,
            (CompareOp::Lt, true) => Cond::SLt,
            (CompareOp::Le, true) => Cond::SLe,
            (CompareOp::Gt, true) => Cond::SGt,
            (CompareOp::Ge, true) => Cond::SGe,
            (CompareOp::Lt, false) => Cond::Lt,
            (CompareOp::Le, false) => Cond::Le,
            (CompareOp::Gt, false) => Cond::Gt,
            (CompareOp::Ge, false) => Cond::Ge,
        };
        if let Some(imm) = self.immediate(right) {
            let left = self.read(left, 0);
            return Insn::jump_imm(cond, left, imm);
        }
        if let Some(imm) = self.immediate(left) {
            let right = self.read(right, 0);
            return Insn::jump_imm(cond.swapped(), right, imm);
        }
        let left = self.read(left, 0);
        let right = self.read(right, 1);
        Insn::jump_reg(cond, left, right)
    }

    /// Compares into a bool.
    pub(super) fn compare(&mut self, op: CompareOp, dst: Reg, left: Reg, right: Reg) {
        debug_assert!(matches!(self.ty(dst), RegTy::Bool | RegTy::Int(_)));
        let shares = self.home(dst) == self.home(left) || self.home(dst) == self.home(right);
        // r0 and r1 may hold the operands.
        let to = match shares {
            true => 2,
            false => self.target(dst, 2),
        };
        let jump = self.comparison(op, left, right);
        let holds = self.asm.label();
        self.asm.constant(to, 1);
        self.asm.jump(jump, holds);
        self.asm.constant(to, 0);
        self.asm.bind(holds);
        self.write(dst, to);
    }
}
