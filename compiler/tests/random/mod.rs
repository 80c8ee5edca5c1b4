//! Random well-typed IR functions, the same for the same seed.
//!
//! A function takes [`INPUTS`] numbers, computes with them in straight lines, branches, bounded loops and buffers, and
//! returns a digest of everything it has. The inputs are its first instructions: reads of the context for the kernel,
//! fields of a message for native code. Types hold by construction, and every register is written first.

use reel_compiler::ir::*;
use reel_lang::span::Span;
use reel_lang::ty::IntTy;

/// How many numbers a function takes.
pub const INPUTS: usize = 4;

/// How many buffers are in use from start to end.
const PERMANENT: usize = 4;

/// The most instructions that a function gets before its digest.
const BUDGET: usize = 90;

/// A small generator of numbers.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.word() >> 33) as usize % limit
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A number that arithmetic finds interesting.
    pub fn number(&mut self) -> u64 {
        match self.below(6) {
            0 => self.below(4) as u64,
            1 => (self.below(4) as u64).wrapping_neg(),
            2 => 1 << self.below(64),
            3 => (1u64 << self.below(64)).wrapping_sub(1),
            4 => self.below(1000) as u64,
            _ => self.word(),
        }
    }
}

const INTS: [IntTy; 8] = {
    const fn int(bits: u8, signed: bool) -> IntTy {
        IntTy { bits, signed }
    }
    [
        int(8, false),
        int(8, true),
        int(16, false),
        int(16, true),
        int(32, false),
        int(32, true),
        int(64, false),
        int(64, true),
    ]
};

struct Generator {
    random: Random,
    function: Function,
    data: Vec<Vec<u8>>,
    budget: usize,
    /// Registers that random instructions may write.
    variables: usize,
}

/// Makes a function; `with_buffers` lets it use memory.
pub fn module(seed: u64, with_buffers: bool) -> Module {
    let mut random = Random::new(seed);
    let mut function =
        Function { name: "f".to_owned(), regs: Vec::new(), bufs: Vec::new(), blocks: vec![empty_block()] };
    function.regs = (0..INPUTS + 3 + random.below(12)).map(|_| RegTy::Int(random.one_of(&INTS))).collect();
    function.regs.extend([RegTy::Bool; 3]);
    if with_buffers {
        function.bufs = [24, 48, 300, 600].map(|len_bytes| BufDef { len_bytes, on_stack: false }).to_vec();
    }
    let variables = function.regs.len();
    let data = vec![(1..=17).collect()];
    let mut generator = Generator { random, function, data, budget: BUDGET, variables };
    generator.start();
    generator.body(2);
    generator.digest();
    let Generator { function, data, .. } = generator;
    Module { functions: vec![function], data, ..Module::default() }
}

fn empty_block() -> BlockData {
    BlockData { insts: Vec::new(), terminator: Terminator::Jump(Block(0)) }
}

impl Generator {
    fn push(&mut self, inst: Inst) {
        self.function.blocks.last_mut().unwrap().insts.push((inst, Span::default()));
    }

    fn new_block(&mut self) -> Block {
        self.function.blocks.push(empty_block());
        Block(self.function.blocks.len() as u32 - 1)
    }

    fn here(&self) -> Block {
        Block(self.function.blocks.len() as u32 - 1)
    }

    fn end(&mut self, block: Block, terminator: Terminator) {
        self.function.blocks[block.0 as usize].terminator = terminator;
    }

    fn fresh(&mut self, ty: RegTy) -> Reg {
        self.function.regs.push(ty);
        Reg(self.function.regs.len() as u32 - 1)
    }

    fn constant(&mut self, ty: RegTy) -> Reg {
        let dst = self.fresh(ty);
        let value = if ty == RegTy::Bool { self.random.below(2) as i64 } else { self.random.number() as i64 };
        self.push(Inst::Const { dst, value });
        dst
    }

    /// A variable of a type, or a constant where there is none.
    fn some(&mut self, ty: RegTy) -> Reg {
        let fits = |reg: &u32| self.function.regs[*reg as usize] == ty;
        let all: Vec<u32> = (0..self.variables as u32).filter(fits).collect();
        if all.is_empty() || self.random.below(4) == 0 {
            return self.constant(ty);
        }
        Reg(self.random.one_of(&all))
    }

    fn variable(&mut self) -> (Reg, RegTy) {
        let reg = self.random.below(self.variables);
        (Reg(reg as u32), self.function.regs[reg])
    }

    fn start(&mut self) {
        for input in 0..INPUTS as u32 {
            self.push(Inst::Context { dst: Reg(input), offset: 8 * input });
        }
        for reg in INPUTS..self.variables {
            let is_bool = self.function.regs[reg] == RegTy::Bool;
            let value = if is_bool { self.random.below(2) as i64 } else { self.random.number() as i64 };
            self.push(Inst::Const { dst: Reg(reg as u32), value });
        }
        for (buf, def) in (0..).zip(self.function.bufs.clone()) {
            self.push(Inst::Zero { to: At { buf: Buf(buf), offset: 0 }, len_bytes: def.len_bytes });
        }
    }

    fn body(&mut self, depth: usize) {
        for _ in 0..2 + self.random.below(9) {
            if self.budget == 0 {
                return;
            }
            self.budget -= 1;
            match self.random.below(12) {
                0 | 1 if depth > 0 => self.branch(depth - 1),
                2 if depth > 0 => self.repeat(depth - 1),
                3..=5 if !self.function.bufs.is_empty() => self.memory(),
                _ => self.scalar(),
            }
        }
    }

    fn condition(&mut self) -> Reg {
        if self.random.below(3) == 0 {
            return self.some(RegTy::Bool);
        }
        let dst = self.fresh(RegTy::Bool);
        self.compare(dst);
        dst
    }

    fn compare(&mut self, dst: Reg) {
        let ty = RegTy::Int(self.random.one_of(&INTS));
        let (left, right) = (self.some(ty), self.some(ty));
        let ops = [CompareOp::Eq, CompareOp::Ne, CompareOp::Lt, CompareOp::Le, CompareOp::Gt, CompareOp::Ge];
        let op = self.random.one_of(&ops);
        self.push(Inst::Compare { op, dst, left, right });
    }

    fn branch(&mut self, depth: usize) {
        let condition = self.condition();
        let before = self.here();
        let then = self.new_block();
        self.body(depth);
        let then_end = self.here();
        let otherwise = self.new_block();
        self.body(depth);
        let otherwise_end = self.here();
        let after = self.new_block();
        self.end(before, Terminator::Branch { condition, then, otherwise });
        self.end(then_end, Terminator::Jump(after));
        self.end(otherwise_end, Terminator::Jump(after));
    }

    fn repeat(&mut self, depth: usize) {
        let (counter, limit, one) = (self.fresh(RegTy::Int(IntTy::I64)), 1 + self.random.below(3), IntTy::I64);
        let (limit_reg, one) = (self.fresh(RegTy::Int(IntTy::I64)), self.fresh(RegTy::Int(one)));
        self.push(Inst::Const { dst: counter, value: 0 });
        self.push(Inst::Const { dst: limit_reg, value: limit as i64 });
        self.push(Inst::Const { dst: one, value: 1 });
        let before = self.here();
        let head = self.new_block();
        let condition = self.fresh(RegTy::Bool);
        self.push(Inst::Compare { op: CompareOp::Lt, dst: condition, left: counter, right: limit_reg });
        let body = self.new_block();
        self.body(depth);
        self.push(Inst::Binary { op: BinaryOp::Add, dst: counter, left: counter, right: one });
        let body_end = self.here();
        let after = self.new_block();
        self.end(before, Terminator::Jump(head));
        self.end(head, Terminator::Branch { condition, then: body, otherwise: after });
        self.end(body_end, Terminator::Jump(head));
    }

    fn scalar(&mut self) {
        let (dst, ty) = self.variable();
        if ty == RegTy::Bool {
            match self.random.below(3) {
                0 => {
                    let src = self.some(ty);
                    self.push(Inst::Unary { op: UnaryOp::Not, dst, src });
                }
                1 => {
                    let (left, right) = (self.some(ty), self.some(ty));
                    let op = self.random.one_of(&[BinaryOp::And, BinaryOp::Or, BinaryOp::Xor]);
                    self.push(Inst::Binary { op, dst, left, right });
                }
                _ => self.compare(dst),
            }
            return;
        }
        match self.random.below(8) {
            0 => {
                let src = self.some(ty);
                self.push(Inst::Copy { dst, src });
            }
            1 => {
                let src = self.some(ty);
                let op = self.random.one_of(&[UnaryOp::Neg, UnaryOp::BitNot]);
                self.push(Inst::Unary { op, dst, src });
            }
            2 => {
                let (src, _) = self.variable();
                self.push(Inst::Cast { dst, src });
            }
            _ => {
                let (left, right) = (self.some(ty), self.some(ty));
                let ops = [
                    BinaryOp::Add,
                    BinaryOp::Sub,
                    BinaryOp::Mul,
                    BinaryOp::Div,
                    BinaryOp::Rem,
                    BinaryOp::And,
                    BinaryOp::Or,
                    BinaryOp::Xor,
                    BinaryOp::Shl,
                    BinaryOp::Shr,
                ];
                let op = self.random.one_of(&ops);
                self.push(Inst::Binary { op, dst, left, right });
            }
        }
    }

    /// A place of a buffer with room for so many bytes.
    fn place(&mut self, buf: usize, len_bytes: u32) -> At {
        let room = self.function.bufs[buf].len_bytes - len_bytes;
        At { buf: Buf(buf as u32), offset: self.random.below(room as usize + 1) as u32 }
    }

    fn memory(&mut self) {
        let count = PERMANENT;
        let buf = self.random.below(count);
        let other = (buf + 1 + self.random.below(count - 1)) % count;
        let shorter = self.function.bufs[buf].len_bytes.min(self.function.bufs[other].len_bytes);
        let len_bytes = 1 + self.random.below(shorter as usize) as u32;
        match self.random.below(8) {
            6 | 7 => self.temporary(Buf(buf as u32)),
            0 | 1 => {
                let (src, _) = self.variable();
                let to = self.place(buf, 8);
                self.push(Inst::Store { to, src });
            }
            2 => {
                let dst = Reg(self.random.below(INPUTS) as u32);
                let from = self.place(buf, 8);
                self.push(Inst::Load { dst, from });
            }
            3 => {
                let (to, from) = (self.place(buf, len_bytes), self.place(other, len_bytes));
                self.push(Inst::CopyBuf { to, from, len_bytes });
            }
            4 => {
                let dst = Reg(self.variables as u32 - 1);
                let (left, right) = (self.place(buf, len_bytes), self.place(other, len_bytes));
                self.push(Inst::EqualBuf { dst, left, right, len_bytes });
            }
            _ => {
                let to = self.place(buf, 17);
                self.push(Inst::SetData { to, data: Data(0) });
            }
        }
    }

    /// A buffer of its own for a few instructions, which may share its memory with others.
    fn temporary(&mut self, to: Buf) {
        let len_bytes = 24 + 8 * self.random.below(40) as u32;
        self.function.bufs.push(BufDef { len_bytes, on_stack: false });
        let at = At { buf: Buf(self.function.bufs.len() as u32 - 1), offset: 0 };
        self.push(Inst::Zero { to: at, len_bytes });
        let ((first, _), (second, _)) = (self.variable(), self.variable());
        let offset = self.random.below(len_bytes as usize - 8) as u32;
        self.push(Inst::Store { to: At { offset, ..at }, src: first });
        self.push(Inst::Store { to: At { offset: 8, ..at }, src: second });
        if self.budget > 0 && self.random.below(3) == 0 {
            self.body(0);
        }
        self.push(Inst::CopyBuf { to: At { buf: to, offset: 0 }, from: at, len_bytes: 24 });
        let dst = Reg(self.random.below(INPUTS) as u32);
        self.push(Inst::Load { dst, from: At { offset, ..at } });
    }

    /// Returns all variables and some memory, folded into 32 bits.
    fn digest(&mut self) {
        let word = RegTy::Int(IntTy::U64);
        let (sum, part, prime) = (self.fresh(word), self.fresh(word), self.fresh(word));
        let (half, high) = (self.fresh(word), self.fresh(word));
        self.push(Inst::Const { dst: sum, value: 17 });
        self.push(Inst::Const { dst: prime, value: 1_000_003 });
        self.push(Inst::Const { dst: half, value: 32 });
        let fold = |generator: &mut Self| {
            generator.push(Inst::Binary { op: BinaryOp::Mul, dst: sum, left: sum, right: prime });
            generator.push(Inst::Binary { op: BinaryOp::Xor, dst: sum, left: sum, right: part });
        };
        for src in (0..self.variables as u32).map(Reg) {
            self.push(Inst::Cast { dst: part, src });
            fold(self);
        }
        for (buf, def) in (0..).map(Buf).zip(self.function.bufs.clone()).take(PERMANENT) {
            for offset in (0..def.len_bytes.min(64) - 7).step_by(8) {
                self.push(Inst::Load { dst: part, from: At { buf, offset } });
                fold(self);
            }
        }
        self.push(Inst::Binary { op: BinaryOp::Shr, dst: high, left: sum, right: half });
        self.push(Inst::Binary { op: BinaryOp::Xor, dst: sum, left: sum, right: high });
        let last = self.here();
        self.end(last, Terminator::Return(sum));
    }
}
