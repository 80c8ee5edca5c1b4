//! Builds one IR function: registers, buffers and blocks, with the place in the script that each instruction comes from.
//!
//! The builder stands at the end of one block at a time. A block that was ended takes no more instructions: code behind a
//! `return` or `break` is dropped.

use reel_lang::span::Span;
use reel_lang::ty::IntTy;

use crate::ir::{At, BinaryOp, Block, BlockData, Buf, BufDef, CompareOp, Function, Inst, Reg, RegTy, Terminator};

/// A function in the making.
#[derive(Debug)]
pub(crate) struct Builder {
    function: Function,
    /// Parallel to the function's blocks: whether the terminator was set.
    ended: Vec<bool>,
    current: Block,
}

impl Builder {
    /// Starts a function at its entry block.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        let mut builder = Builder {
            function: Function { name: name.into(), regs: Vec::new(), bufs: Vec::new(), blocks: Vec::new() },
            ended: Vec::new(),
            current: Block(0),
        };
        builder.block();
        builder
    }

    /// Makes a register.
    pub(crate) fn reg(&mut self, ty: RegTy) -> Reg {
        let reg = Reg(self.function.regs.len() as u32);
        self.function.regs.push(ty);
        reg
    }

    /// Makes a register for an integer.
    pub(crate) fn int(&mut self, ty: IntTy) -> Reg {
        self.reg(RegTy::Int(ty))
    }

    /// The type of a register.
    pub(crate) fn ty(&self, reg: Reg) -> RegTy {
        self.function.regs.get(reg.0 as usize).copied().unwrap_or(RegTy::Int(IntTy::U64))
    }

    /// Makes a buffer.
    pub(crate) fn buf(&mut self, len_bytes: u32) -> At {
        self.place(len_bytes, false)
    }

    /// Makes a buffer on the stack.
    pub(crate) fn stack(&mut self, len_bytes: u32) -> At {
        self.place(len_bytes, true)
    }

    fn place(&mut self, len_bytes: u32, on_stack: bool) -> At {
        let buf = Buf(self.function.bufs.len() as u32);
        self.function.bufs.push(BufDef { len_bytes, on_stack });
        At { buf, offset: 0 }
    }

    /// Makes a block, without going to it.
    pub(crate) fn block(&mut self) -> Block {
        let block = Block(self.function.blocks.len() as u32);
        self.function.blocks.push(BlockData { insts: Vec::new(), terminator: Terminator::Jump(block) });
        self.ended.push(false);
        block
    }

    /// Goes on at the end of a block.
    pub(crate) fn at(&mut self, block: Block) {
        self.current = block;
    }

    /// Whether what is added now can be reached.
    pub(crate) fn is_open(&self) -> bool {
        !self.ended[self.current.0 as usize]
    }

    /// Adds an instruction.
    pub(crate) fn push(&mut self, inst: Inst, span: Span) {
        if self.is_open() {
            self.function.blocks[self.current.0 as usize].insts.push((inst, span));
        }
    }

    /// Ends the block.
    pub(crate) fn end(&mut self, terminator: Terminator) {
        if self.is_open() {
            self.function.blocks[self.current.0 as usize].terminator = terminator;
            self.ended[self.current.0 as usize] = true;
        }
    }

    /// Ends the block with a jump.
    pub(crate) fn jump(&mut self, to: Block) {
        self.end(Terminator::Jump(to));
    }

    /// Ends the block with a branch on a bool.
    pub(crate) fn branch(&mut self, condition: Reg, then: Block, otherwise: Block) {
        self.end(Terminator::Branch { condition, then, otherwise });
    }

    /// A constant in a new register.
    pub(crate) fn constant(&mut self, ty: RegTy, value: i64, span: Span) -> Reg {
        let dst = self.reg(ty);
        self.push(Inst::Const { dst, value }, span);
        dst
    }

    /// A 64-bit unsigned constant.
    pub(crate) fn u64(&mut self, value: u64, span: Span) -> Reg {
        self.constant(RegTy::Int(IntTy::U64), value.cast_signed(), span)
    }

    /// The result of an arithmetic operation, of the left side's type.
    pub(crate) fn binary(&mut self, op: BinaryOp, left: Reg, right: Reg, span: Span) -> Reg {
        let dst = self.reg(self.ty(left));
        self.push(Inst::Binary { op, dst, left, right }, span);
        dst
    }

    /// Arithmetic with a constant.
    pub(crate) fn binary_const(&mut self, op: BinaryOp, left: Reg, right: i64, span: Span) -> Reg {
        let right = self.constant(self.ty(left), right, span);
        self.binary(op, left, right, span)
    }

    /// The result of a comparison.
    pub(crate) fn compare(&mut self, op: CompareOp, left: Reg, right: Reg, span: Span) -> Reg {
        let dst = self.reg(RegTy::Bool);
        self.push(Inst::Compare { op, dst, left, right }, span);
        dst
    }

    /// A comparison with a constant.
    pub(crate) fn compare_const(&mut self, op: CompareOp, left: Reg, right: i64, span: Span) -> Reg {
        let right = self.constant(self.ty(left), right, span);
        self.compare(op, left, right, span)
    }

    /// The register as another type; itself where it has it.
    pub(crate) fn cast(&mut self, src: Reg, ty: RegTy, span: Span) -> Reg {
        if self.ty(src) == ty {
            return src;
        }
        let dst = self.reg(ty);
        self.push(Inst::Cast { dst, src }, span);
        dst
    }

    /// What lies in a buffer.
    pub(crate) fn load(&mut self, ty: RegTy, from: At, span: Span) -> Reg {
        let dst = self.reg(ty);
        self.push(Inst::Load { dst, from }, span);
        dst
    }

    /// The function, once every block is ended; an open one returns `result`. Blocks that nothing goes to are left out: the
    /// kernel refuses code that cannot be reached.
    pub(crate) fn finish(mut self, result: i64, span: Span) -> Function {
        for block in 0..self.function.blocks.len() {
            self.current = Block(block as u32);
            if self.is_open() {
                let value = self.constant(RegTy::Int(IntTy::I64), result, span);
                self.end(Terminator::Return(value));
            }
        }
        let reached = reached(&self.function.blocks);
        let mut number = 0;
        let renumbered: Vec<Block> = reached
            .iter()
            .map(|reached| {
                let block = Block(number);
                number += u32::from(*reached);
                block
            })
            .collect();
        let to = |block: Block| renumbered.get(block.0 as usize).copied().unwrap_or(block);
        let blocks = std::mem::take(&mut self.function.blocks).into_iter().zip(&reached);
        self.function.blocks = blocks.filter(|(_, reached)| **reached).map(|(block, _)| block).collect();
        for block in &mut self.function.blocks {
            block.terminator = match block.terminator {
                Terminator::Jump(target) => Terminator::Jump(to(target)),
                Terminator::Branch { condition, then, otherwise } => {
                    Terminator::Branch { condition, then: to(then), otherwise: to(otherwise) }
                }
                Terminator::Return(reg) => Terminator::Return(reg),
            };
        }
        self.function
    }
}

/// Which blocks can be reached from the first.
fn reached(blocks: &[BlockData]) -> Vec<bool> {
    let mut reached = vec![false; blocks.len()];
    let mut todo = vec![Block(0)];
    while let Some(block) = todo.pop() {
        let index = block.0 as usize;
        let (Some(seen), Some(data)) = (reached.get_mut(index), blocks.get(index)) else {
            continue;
        };
        if std::mem::replace(seen, true) {
            continue;
        }
        match data.terminator {
            Terminator::Jump(to) => todo.push(to),
            Terminator::Branch { then, otherwise, .. } => todo.extend([then, otherwise]),
            Terminator::Return(_) => {}
        }
    }
    reached
}
