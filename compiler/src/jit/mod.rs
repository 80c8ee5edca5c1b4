//! The native back end: IR functions to machine code, through Cranelift.
//!
//! A function becomes `extern "C" fn(context, record) -> i64`. What a filter mostly does runs inline: a field is two loads
//! from the flat record, a short text is compared by words, integers by one instruction. Everything else calls back into
//! [`runtime`], which does what `crate::native` says, so that the evaluator and compiled code cannot drift apart.
//!
//! `unsafe` is confined to this folder. It rests on three things: a module is verified before it is compiled (buffers in
//! bounds, registers written, types right); a [`Record`] is made only from borrowed values and outlives the call; and code
//! lives as long as the [`Native`] that it is called through.
#![allow(unsafe_code)]

mod listing;
mod memory;
pub mod record;
mod runtime;
mod scalar;
mod slot;
mod translate;
mod values;

use std::fmt;
use std::sync::{Mutex, PoisonError};

use cranelift_codegen::Context as CodeContext;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{DataDescription, DataId, FuncId, Linkage, Module as _, ModuleError};
use reel_lang::schema::Slot;
use reel_lang::span::Span;

use crate::ir::verify::{VerifyError, verify};
use crate::ir::{Inst, Module};
use crate::native::pattern::PatternError;
use crate::native::{Host, Prepared};
pub use listing::{Stage, list};
pub use record::Record;
use runtime::{Context, Shared, Tables};

/// The most bytes of buffers that a function may have: they lie on the thread's stack.
pub const MAX_BUFS_LEN_BYTES: u32 = 64 << 10;

/// Why a module cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum JitError {
    /// A bug of lowering.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Lowering has put an instruction of the kernel into native code.
    #[error("native code cannot run `{0}`")]
    Kernel(String),
    #[error("the buffers of {0:?} take more than {MAX_BUFS_LEN_BYTES} bytes")]
    TooLarge(String),
    /// This processor is not supported.
    #[error("no native code for this machine: {0}")]
    Target(String),
    /// A bug of ours, in Cranelift's words.
    #[error("code generation failed: {0}")]
    Codegen(String),
}

impl From<ModuleError> for JitError {
    fn from(error: ModuleError) -> Self {
        JitError::Codegen(error.to_string())
    }
}

type Entry = extern "C" fn(*mut Context<'_>, *const Slot) -> i64;

/// Runs a function on a record that is shorter than what it reads.
#[cold]
fn padded(entry: Entry, context: &mut Context<'_>, record: &Record<'_>, slots: usize) -> i64 {
    let mut padded = record.slots().to_vec();
    padded.resize(slots, Slot::NIL);
    entry(&raw mut *context, padded.as_ptr())
}

/// A compiled module.
pub struct Native {
    shared: Shared,
    entries: Vec<Function>,
    /// Owns the memory of the code, which is freed on drop; never locked before that, but it makes this type `Sync`.
    code: Mutex<Option<JITModule>>,
}

struct Function {
    entry: Entry,
    /// How many slots of the record the code reads at most.
    slots: usize,
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native").field("module", &self.shared.module).finish_non_exhaustive()
    }
}

impl Native {
    /// Verifies and compiles a module.
    ///
    /// # Errors
    /// See [`JitError`].
    pub fn compile(module: &Module) -> Result<Self, JitError> {
        Compiler::new(module)?.compile()
    }

    /// Runs a function on a message. A record that is shorter than what the function reads is nil there.
    ///
    /// A function that does not exist gives 0. A panic of the host goes through.
    #[inline]
    pub fn call(&self, function: usize, record: &Record<'_>, host: &mut dyn Host) -> i64 {
        let Some(Function { entry, slots }) = self.entries.get(function) else {
            return 0;
        };
        let mut context = Context::new(&self.shared, host);
        let result = if record.slots().len() >= *slots {
            entry(&raw mut context, record.slots().as_ptr())
        } else {
            padded(*entry, &mut context, record, *slots)
        };
        context.finish();
        result
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        let code = self.code.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(code) = code {
            // SAFETY: no code runs any more and no pointer into it is left: entries are private, and `call` borrows `self`
            // while code runs.
            unsafe { code.free_memory() }
        }
    }
}

/// What compiling needs beside the module.
struct Compiler<'m> {
    module: &'m Module,
    prepared: Prepared,
    tables: Tables,
    code: JITModule,
    data: Vec<DataId>,
    helpers: Vec<FuncId>,
}

impl<'m> Compiler<'m> {
    fn new(module: &'m Module) -> Result<Self, JitError> {
        verify(module)?;
        let prepared = Prepared::new(module)?;
        let mut code = JITModule::new(builder()?);
        let mut data = Vec::new();
        for (index, bytes) in module.data.iter().enumerate() {
            let id = code.declare_data(&format!("data{index}"), Linkage::Local, false, false)?;
            let mut description = DataDescription::new();
            // An empty text still wants an address.
            let bytes = if bytes.is_empty() { vec![0] } else { bytes.clone() };
            description.define(bytes.into_boxed_slice());
            code.define_data(id, &description)?;
            data.push(id);
        }
        let mut helpers = Vec::new();
        for helper in runtime::HELPERS {
            let signature = translate::signature(&code, helper.params);
            helpers.push(code.declare_function(helper.name, Linkage::Import, &signature)?);
        }
        Ok(Compiler { module, prepared, tables: Tables::default(), code, data, helpers })
    }

    /// Makes Cranelift's IR of a function; source locations in it are indices of the spans.
    fn translate(
        &mut self,
        function: &crate::ir::Function,
        builders: &mut FunctionBuilderContext,
    ) -> Result<(CodeContext, Vec<Span>), JitError> {
        let mut context = self.code.make_context();
        let spans = translate::function(self, function, &mut context.func, builders)?;
        Ok((context, spans))
    }

    /// Makes machine code of it.
    fn define(&mut self, index: usize, mut context: CodeContext) -> Result<(FuncId, CodeContext), JitError> {
        let signature = translate::signature(&self.code, 2);
        let id = self.code.declare_function(&format!("function{index}"), Linkage::Local, &signature)?;
        // Only there a listing is made of it.
        context.set_disasm(cfg!(not(target_arch = "x86_64")));
        self.code.define_function(id, &mut context)?;
        Ok((id, context))
    }

    fn compile(mut self) -> Result<Native, JitError> {
        let mut ids = Vec::new();
        let mut builders = FunctionBuilderContext::new();
        for (index, function) in self.module.functions.iter().enumerate() {
            let (context, _) = self.translate(function, &mut builders)?;
            let (id, _) = self.define(index, context)?;
            ids.push(id);
        }
        self.code.finalize_definitions()?;
        let slots = |function: &crate::ir::Function| {
            let insts = function.blocks.iter().flat_map(|block| &block.insts);
            let last = insts.filter_map(|(inst, _)| match inst {
                Inst::Field { field, .. } => Some(field.0 as usize + 1),
                _ => None,
            });
            last.max().unwrap_or(0)
        };
        let entry = |(id, function): (FuncId, &crate::ir::Function)| {
            let code = self.code.get_finalized_function(id);
            // SAFETY: the function was compiled with this signature, in the C calling convention of this machine, and its
            // code stays mapped until `Native` is dropped.
            let entry = unsafe { std::mem::transmute::<*const u8, Entry>(code) };
            Function { entry, slots: slots(function) }
        };
        let entries = ids.into_iter().zip(&self.module.functions).map(entry).collect();
        Ok(Native {
            shared: Shared { module: self.module.clone(), prepared: self.prepared, tables: self.tables },
            entries,
            code: Mutex::new(Some(self.code)),
        })
    }
}

fn builder() -> Result<JITBuilder, JitError> {
    let mut flags = settings::builder();
    let wanted = [
        ("opt_level", "speed"),
        ("use_colocated_libcalls", "false"),
        ("is_pic", "false"),
        // A frame may be larger than a guard page.
        ("enable_probestack", "true"),
        ("probestack_strategy", "inline"),
    ];
    for (name, value) in wanted {
        flags.set(name, value).map_err(|error| JitError::Codegen(error.to_string()))?;
    }
    let isa = cranelift_native::builder().map_err(|error| JitError::Target(error.into()))?;
    let isa = isa.finish(settings::Flags::new(flags)).map_err(|error| JitError::Target(error.to_string()))?;
    if isa.endianness() != cranelift_codegen::ir::Endianness::Little || isa.pointer_bytes() != 8 {
        return Err(JitError::Target(isa.triple().to_string()));
    }
    let mut builder = JITBuilder::with_isa(isa, cranelift_module::default_libcall_names());
    for helper in runtime::HELPERS {
        builder.symbol(helper.name, helper.address());
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_can_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Native>();
    }
}
