//! The reference evaluator: the meaning of the IR, written for reading.
//!
//! It runs every instruction that is not the kernel's alone; both back ends are held against it on data files and by a
//! fuzzer. A function that does not come to an end within [`MAX_STEPS`] is an error, since a random program may loop.

mod memory;
mod native;

use reel_lang::ty::IntTy;

use crate::ir::verify::{VerifyError, verify};
use crate::ir::{Block, Function, Inst, Module, Reg, RegTy, Terminator};
use crate::native::pattern::PatternError;
use crate::native::{Host, Prepared, View, scalar};
use native::Held;

/// The most instructions of one call.
pub const MAX_STEPS: u64 = 10_000_000;

/// Why a module cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A bug of lowering.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// Why a call ended without a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// The function uses an instruction that only the kernel can run.
    #[error("only the kernel can run `{0}`")]
    Kernel(String),
    #[error("the function ran {MAX_STEPS} instructions without an end")]
    Steps,
    #[error("there is no function {0}")]
    NoFunction(usize),
}

/// A module that can be evaluated.
#[derive(Debug)]
pub struct Evaluator<'m> {
    module: &'m Module,
    prepared: Prepared,
}

impl<'m> Evaluator<'m> {
    /// Verifies a module and compiles its patterns.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn new(module: &'m Module) -> Result<Self, LoadError> {
        verify(module)?;
        Ok(Evaluator { module, prepared: Prepared::new(module)? })
    }

    /// Runs a function on a message, given by its fields in slot order; a field past the end is nil.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub fn call(&self, function: usize, fields: &[View<'_>], host: &mut dyn Host) -> Result<i64, EvalError> {
        let Some(function) = self.module.functions.get(function) else {
            return Err(EvalError::NoFunction(function));
        };
        let mut frame = Frame {
            module: self.module,
            prepared: &self.prepared,
            function,
            fields,
            scalars: vec![0; function.regs.len()],
            values: vec![Held::default(); function.regs.len()],
            bufs: function.bufs.iter().map(|buf| vec![0; buf.len_bytes as usize]).collect(),
            host,
        };
        frame.run()
    }
}

/// The state of one call. Verification has shown that indexes exist; where one would not, nothing happens.
struct Frame<'a, 'h> {
    module: &'a Module,
    prepared: &'a Prepared,
    function: &'a Function,
    fields: &'a [View<'a>],
    scalars: Vec<u64>,
    values: Vec<Held<'a>>,
    bufs: Vec<Vec<u8>>,
    host: &'h mut dyn Host,
}

impl Frame<'_, '_> {
    fn run(&mut self) -> Result<i64, EvalError> {
        let mut at = Block(0);
        let mut steps = 0;
        while let Some(block) = self.function.blocks.get(at.0 as usize) {
            steps += block.insts.len() as u64 + 1;
            if steps > MAX_STEPS {
                return Err(EvalError::Steps);
            }
            for (inst, _) in &block.insts {
                self.step(inst)?;
            }
            at = match &block.terminator {
                Terminator::Jump(to) => *to,
                Terminator::Branch { condition, then, otherwise } => {
                    if self.scalar(*condition) != 0 {
                        *then
                    } else {
                        *otherwise
                    }
                }
                Terminator::Return(reg) => return Ok(self.scalar(*reg).cast_signed()),
            };
        }
        Err(EvalError::Steps)
    }

    fn step(&mut self, inst: &Inst) -> Result<(), EvalError> {
        if self.arithmetic(inst) || self.memory(inst) || self.native(inst) {
            return Ok(());
        }
        Err(EvalError::Kernel(inst.to_string()))
    }

    fn ty(&self, reg: Reg) -> RegTy {
        self.function.regs.get(reg.0 as usize).copied().unwrap_or(RegTy::Bool)
    }

    fn int(&self, reg: Reg) -> IntTy {
        self.ty(reg).int().unwrap_or(IntTy::U64)
    }

    fn scalar(&self, reg: Reg) -> u64 {
        self.scalars.get(reg.0 as usize).copied().unwrap_or(0)
    }

    /// Sets a register, cut and extended to its type.
    fn set(&mut self, reg: Reg, bits: u64) {
        let bits = scalar::wrap(self.int(reg), bits);
        if let Some(register) = self.scalars.get_mut(reg.0 as usize) {
            *register = bits;
        }
    }

    /// Instructions on registers alone.
    fn arithmetic(&mut self, inst: &Inst) -> bool {
        match inst {
            Inst::Const { dst, value } => self.set(*dst, value.cast_unsigned()),
            Inst::Copy { dst, src } if self.ty(*dst) == RegTy::Value => {
                let held = self.held(*src);
                self.hold(*dst, held);
            }
            Inst::Copy { dst, src } | Inst::Cast { dst, src } => self.set(*dst, self.scalar(*src)),
            Inst::Unary { op, dst, src } => {
                let result = scalar::unary(*op, self.int(*src), self.scalar(*src));
                self.set(*dst, result);
            }
            Inst::Binary { op, dst, left, right } => {
                let result = scalar::binary(*op, self.int(*dst), self.scalar(*left), self.scalar(*right));
                self.set(*dst, result);
            }
            Inst::Compare { op, dst, left, right } => {
                let truth = scalar::compare(*op, self.int(*left), self.scalar(*left), self.scalar(*right));
                self.set(*dst, u64::from(truth));
            }
            _ => return false,
        }
        true
    }
}
