//! IR functions to Cranelift's IR.
//!
//! A scalar register is one variable of 64 bits, extended by the sign of its type as in `crate::native::scalar`; a value
//! register is two, the words of its slot. Cranelift makes SSA of them. Every IR block is a block here, and an instruction
//! with a fast and a slow path adds some.

use cranelift_codegen::ir::{
    AbiParam, Block as ClifBlock, Function as ClifFunction, InstBuilder, MemFlagsData, Signature, SourceLoc, StackSlot,
    StackSlotData, StackSlotKind, Type, Value, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use cranelift_jit::JITModule;
use cranelift_module::Module as _;
use reel_lang::span::Span;
use reel_lang::ty::IntTy;

use super::{Compiler, JitError, MAX_BUFS_LEN_BYTES};
use crate::ir::{At, Block, Function, Inst, Reg, RegTy, Terminator};

/// The signature of a function that takes and gives 64-bit words.
pub(super) fn signature(code: &JITModule, params: usize) -> Signature {
    let mut signature = code.make_signature();
    signature.params = vec![AbiParam::new(types::I64); params];
    signature.returns = vec![AbiParam::new(types::I64)];
    signature
}

/// Translates a verified function; source locations are indices of the spans that it gives.
pub(super) fn function(
    compiler: &mut Compiler<'_>,
    function: &Function,
    to: &mut ClifFunction,
    builders: &mut FunctionBuilderContext,
) -> Result<Vec<Span>, JitError> {
    let len_bytes = function.bufs.iter().fold(0u32, |sum, buf| sum.saturating_add(buf.len_bytes));
    if len_bytes > MAX_BUFS_LEN_BYTES {
        return Err(JitError::TooLarge(function.name.clone()));
    }
    to.signature = signature(&compiler.code, 2);
    let config = compiler.code.target_config();
    let mut builder = FunctionBuilder::new(to, builders);
    let blocks: Vec<ClifBlock> = function.blocks.iter().map(|_| builder.create_block()).collect();
    // The entry can be jumped to, and has no parameters; so the parameters get a block of their own.
    let first = builder.create_block();
    builder.append_block_params_for_function_params(first);
    builder.switch_to_block(first);
    let (context, record) = match builder.block_params(first) {
        [context, record] => (*context, *record),
        _ => return Err(JitError::Codegen("the signature has no two parameters".into())),
    };
    let homes = function.regs.iter().map(|ty| Home::new(&mut builder, *ty)).collect();
    let args = args_len(function);
    let mut translator = Translator {
        compiler,
        function,
        bufs: function.bufs.iter().map(|buf| stack_slot(&mut builder, buf.len_bytes)).collect(),
        args: stack_slot(&mut builder, 16 * args.max(1)),
        out: stack_slot(&mut builder, 16),
        builder,
        blocks,
        homes,
        context,
        record,
        spans: Vec::new(),
    };
    translator.body()?;
    translator.builder.seal_all_blocks();
    let Translator { builder, spans, .. } = translator;
    builder.finalize(config);
    Ok(spans)
}

/// The most arguments of a host operation in a function.
fn args_len(function: &Function) -> u32 {
    let insts = function.blocks.iter().flat_map(|block| &block.insts);
    let counts = insts.map(|(inst, _)| match inst {
        Inst::Host { args, .. } => args.len() as u32,
        _ => 0,
    });
    counts.max().unwrap_or(0)
}

fn stack_slot(builder: &mut FunctionBuilder<'_>, len_bytes: u32) -> StackSlot {
    // Whole words, so that a buffer is zeroed by words.
    let len_bytes = len_bytes.next_multiple_of(8).max(8);
    builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, len_bytes, 3))
}

/// Where a register lives.
#[derive(Clone, Copy)]
enum Home {
    Scalar(Variable),
    Value { low: Variable, high: Variable },
}

impl Home {
    fn new(builder: &mut FunctionBuilder<'_>, ty: RegTy) -> Self {
        match ty {
            RegTy::Value => Home::Value { low: builder.declare_var(types::I64), high: builder.declare_var(types::I64) },
            _ => Home::Scalar(builder.declare_var(types::I64)),
        }
    }
}

/// The state of translating one function.
pub(super) struct Translator<'t, 'm> {
    pub compiler: &'t mut Compiler<'m>,
    pub function: &'t Function,
    pub builder: FunctionBuilder<'t>,
    blocks: Vec<ClifBlock>,
    homes: Vec<Home>,
    bufs: Vec<StackSlot>,
    /// Arguments of the host operation that is being called, and its result.
    pub args: StackSlot,
    pub out: StackSlot,
    pub context: Value,
    pub record: Value,
    spans: Vec<Span>,
}

impl Translator<'_, '_> {
    fn body(&mut self) -> Result<(), JitError> {
        let bufs: Vec<(StackSlot, u32)> =
            self.bufs.iter().copied().zip(self.function.bufs.iter().map(|buf| buf.len_bytes)).collect();
        for (slot, len_bytes) in bufs {
            let address = self.builder.ins().stack_addr(types::I64, slot, 0);
            self.zero(address, len_bytes.next_multiple_of(8));
        }
        let entry = self.block(Block(0));
        self.builder.ins().jump(entry, &[]);
        for (index, block) in self.function.blocks.iter().enumerate() {
            let here = self.block(Block(index as u32));
            self.builder.switch_to_block(here);
            for (inst, span) in &block.insts {
                self.place(*span);
                self.instruction(inst)?;
            }
            self.terminator(&block.terminator);
        }
        Ok(())
    }

    /// What is made from now on is made of this part of the script; a block's end belongs to its last instruction.
    fn place(&mut self, span: Span) {
        if self.spans.last() != Some(&span) {
            self.builder.set_srcloc(SourceLoc::new(self.spans.len() as u32));
            self.spans.push(span);
        }
    }

    fn instruction(&mut self, inst: &Inst) -> Result<(), JitError> {
        if self.arithmetic(inst) || self.memory(inst) || self.native(inst) {
            return Ok(());
        }
        Err(JitError::Kernel(inst.to_string()))
    }

    fn terminator(&mut self, terminator: &Terminator) {
        match terminator {
            Terminator::Jump(to) => {
                let to = self.block(*to);
                self.builder.ins().jump(to, &[]);
            }
            Terminator::Branch { condition, then, otherwise } => {
                let condition = self.scalar(*condition);
                let (then, otherwise) = (self.block(*then), self.block(*otherwise));
                self.builder.ins().brif(condition, then, &[], otherwise, &[]);
            }
            Terminator::Return(reg) => {
                let result = self.scalar(*reg);
                self.builder.ins().return_(&[result]);
            }
        }
    }

    fn block(&self, block: Block) -> ClifBlock {
        // Verified: every block that is named exists.
        self.blocks[block.0 as usize]
    }

    pub(super) fn ty(&self, reg: Reg) -> RegTy {
        self.function.regs[reg.0 as usize]
    }

    pub(super) fn int(&self, reg: Reg) -> IntTy {
        self.ty(reg).int().unwrap_or(IntTy::U64)
    }

    pub(super) fn scalar(&mut self, reg: Reg) -> Value {
        match self.homes[reg.0 as usize] {
            Home::Scalar(variable) | Home::Value { low: variable, .. } => self.builder.use_var(variable),
        }
    }

    pub(super) fn set(&mut self, reg: Reg, value: Value) {
        if let Home::Scalar(variable) = self.homes[reg.0 as usize] {
            self.builder.def_var(variable, value);
        }
    }

    /// The words of a value register.
    pub(super) fn words(&mut self, reg: Reg) -> [Value; 2] {
        match self.homes[reg.0 as usize] {
            Home::Value { low, high } => [self.builder.use_var(low), self.builder.use_var(high)],
            Home::Scalar(variable) => [self.builder.use_var(variable); 2],
        }
    }

    pub(super) fn set_words(&mut self, reg: Reg, words: [Value; 2]) {
        if let Home::Value { low, high } = self.homes[reg.0 as usize] {
            self.builder.def_var(low, words[0]);
            self.builder.def_var(high, words[1]);
        }
    }

    pub(super) fn constant(&mut self, number: i64) -> Value {
        self.builder.ins().iconst(types::I64, number)
    }

    /// The address of a place in a buffer.
    pub(super) fn address(&mut self, at: At) -> Value {
        let slot = self.bufs[at.buf.0 as usize];
        self.builder.ins().stack_addr(types::I64, slot, at.offset as i32)
    }

    /// Calls a helper with the context and these words.
    pub(super) fn helper(&mut self, helper: usize, args: &[Value]) -> Value {
        let id = self.compiler.helpers[helper];
        let function = self.compiler.code.declare_func_in_func(id, self.builder.func);
        let mut all = vec![self.context];
        all.extend(args);
        let call = self.builder.ins().call(function, &all);
        self.builder.inst_results(call)[0]
    }
}

/// An access that does not trap, of an address that may not be aligned.
pub(super) const UNALIGNED: MemFlagsData = MemFlagsData::new().with_notrap();

/// The Cranelift type of so many bytes: 1, 2, 4 or 8.
pub(super) fn int_type(len_bytes: u32) -> Type {
    match len_bytes {
        1 => types::I8,
        2 => types::I16,
        4 => types::I32,
        _ => types::I64,
    }
}
