//! The eBPF back end: IR functions to an ELF object that the kernel's loader takes.
//!
//! A function becomes a program in steps: [`reuse`] and [`sink`] (what pays before all else), [`flow`] (what is alive
//! where), [`alloc`] and [`frame`] (homes and places), [`select`] (instructions), [`asm`] (slots). [`elf`] writes all
//! programs of a module into one object, with its maps. Every slot knows the script's span it came from, so that
//! [`diagnose`] can show a rejection by the verifier on the script. Code is for every kernel since 5.10, and a BTF id is
//! never baked in: [`Object::resolve`] fills in those of the running kernel. The same module always gives the same bytes.

mod alloc;
mod asm;
mod btf;
pub mod diagnose;
pub mod disassemble;
mod elf;
mod flow;
mod frame;
pub mod insn;
mod maps;
mod outline;
mod reuse;
mod select;
mod share;
mod sink;

use reel_lang::diagnostic::{Diagnostic, code};
use reel_lang::span::Span;

use crate::ir::Module;
use asm::Patch;
pub use diagnose::{diagnose, diagnose_own};
pub use disassemble::disassemble;
pub use frame::{SCRATCH_LEN_BYTES, STACK_LEN_BYTES};
use insn::Insn;
pub use maps::{LOST_EVENTS, LOST_UPDATES, MapSpec, NO_PREALLOC};
pub use outline::outline;

/// One program to make from a function of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The index of the function.
    pub function: usize,
    /// The section's name, which says the kind: `tracepoint`, `tp_btf/sys_enter`, `raw_tp`, `uprobe`, `cgroup/connect4`.
    pub section: String,
    /// The program's name in the object; unique, and shown by the kernel (its first 15 bytes).
    pub name: String,
}

impl Program {
    /// Whether the context is an array of 64-bit words, which is how the kernel lets the arguments of these kinds be read.
    fn reads_words(&self) -> bool {
        let kind = self.section.split('/').next().unwrap_or_default();
        let kind = kind.trim_end_matches(".s");
        matches!(kind, "raw_tp" | "raw_tracepoint" | "tp_btf" | "fentry" | "fexit" | "lsm" | "lsm_cgroup")
    }
}

/// When the reader of the event ring is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wakeup {
    /// By the kernel's own rule: when the reader has caught up.
    Always,
    /// Only when more than this waits; the reader polls for the rest.
    Above { threshold_bytes: u32 },
}

/// What a caller may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub wakeup: Wakeup,
    /// The event ring's size: a power of two, and whole pages.
    pub ring_len_bytes: u32,
    /// Makes all entries of hash maps at load. Kernels before 6.1 want it for programs that trace; later ones start faster without.
    pub preallocate: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { wakeup: Wakeup::Always, ring_len_bytes: 1 << 20, preallocate: false }
    }
}

/// The code of one program.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgramCode {
    pub name: String,
    pub section: String,
    /// One per 8-byte slot; a 64-bit constant takes two.
    pub insns: Vec<Insn>,
    /// The script's span that each slot came from.
    pub spans: Vec<Span>,
    /// 64-bit constants that are maps, as (slot, index of the map).
    pub map_slots: Vec<(u32, u32)>,
}

/// What a BTF id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FixupKind {
    /// A kernel function that is called.
    Kfunc,
    /// A struct whose id is an argument.
    Struct,
}

/// A constant that is known only on the kernel that loads the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixup {
    /// The index of the program.
    pub program: usize,
    pub slot: u32,
    pub kind: FixupKind,
    pub name: String,
}

/// An object to load.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// ELF, EM_BPF, little endian. Load it after [`Object::resolve`].
    pub elf: Vec<u8>,
    pub programs: Vec<ProgramCode>,
    pub maps: Vec<MapSpec>,
    pub fixups: Vec<Fixup>,
}

/// Why a function cannot become a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BpfError {
    /// The script asks for more than the kernel's stack holds.
    #[error("`{function}` needs {needed_bytes} bytes of stack, and the kernel gives 512")]
    Stack { function: String, span: Span, needed_bytes: u64 },
    /// The script asks for more than a per-CPU value holds.
    #[error("`{function}` needs {needed_bytes} bytes of scratch memory, and the kernel gives 32768")]
    Scratch { function: String, span: Span, needed_bytes: u64 },
    /// The program does not fit the instruction set; the script is too long.
    #[error("`{function}` is too long for a kernel program")]
    TooLong { function: String, span: Span },
    /// The planner's mistake: the function has an instruction that only user space can run.
    #[error("`{function}` has an instruction that only user space can run")]
    Native { function: String, span: Span },
    /// The lowering's mistake: the function breaks a rule of the IR.
    #[error("`{function}` is malformed: {reason}")]
    Malformed { function: String, span: Span, reason: &'static str },
    /// The caller's mistake: a program names no function of the module.
    #[error("program `{0}` names no function of the module")]
    NoFunction(String),
    /// The kernel's limit: it has no such function or struct.
    #[error("this kernel has no {} `{name}`", match kind { FixupKind::Kfunc => "function", FixupKind::Struct => "struct" })]
    Unresolved { kind: FixupKind, name: String },
    /// The object could not be written.
    #[error("the object cannot be written: {0}")]
    Object(String),
}

impl BpfError {
    /// Returns what the script's author is told.
    pub fn diagnostic(&self) -> Diagnostic {
        let (span, hint) = match self {
            BpfError::Stack { span, .. } | BpfError::Scratch { span, .. } => {
                (*span, "Lower config max_strlen, or keep fewer strings and buffers at once.")
            }
            BpfError::TooLong { span, .. } => (*span, "Split the clause in two."),
            BpfError::Native { span, .. } | BpfError::Malformed { span, .. } => {
                (*span, "Report this as a fault of reel.")
            }
            _ => (Span::default(), "Report this as a fault of reel."),
        };
        Diagnostic::new(code::KERNEL_LIMIT, span, self.to_string()).hint(hint)
    }
}

/// Compiles functions of a module into one object.
///
/// # Errors
/// See [`BpfError`]; the first function that fails ends it.
pub fn compile(module: &Module, programs: &[Program], options: &Options) -> Result<Object, BpfError> {
    let mut maps = maps::Maps::new(module, options);
    let mut codes = Vec::with_capacity(programs.len());
    let mut fixups = Vec::new();
    for (index, program) in programs.iter().enumerate() {
        let function =
            module.functions.get(program.function).ok_or_else(|| BpfError::NoFunction(program.name.clone()))?;
        let mut function = reuse::pointers(function);
        sink::comparisons(&mut function);
        let frame = frame::plan(&function)?;
        let code = select::select(module, &function, program, options, &frame, &mut maps)?;
        let mut map_slots = Vec::new();
        for (slot, patch) in code.patches {
            let (kind, name) = match patch {
                Patch::Map(map) => {
                    map_slots.push((slot, map));
                    continue;
                }
                Patch::Kfunc(name) => (FixupKind::Kfunc, name),
                Patch::Struct(name) => (FixupKind::Struct, name),
            };
            fixups.push(Fixup { program: index, slot, kind, name });
        }
        codes.push(ProgramCode {
            name: program.name.clone(),
            section: program.section.clone(),
            insns: code.insns,
            spans: code.spans,
            map_slots,
        });
    }
    let maps = maps.finish();
    Ok(Object { elf: elf::write(&codes, &maps)?, programs: codes, maps, fixups })
}

impl Object {
    /// Fills in the BTF ids of the running kernel, and writes the object anew.
    ///
    /// # Errors
    /// [`BpfError::Unresolved`] names the first function or struct that `id` does not know.
    pub fn resolve(&mut self, mut id: impl FnMut(FixupKind, &str) -> Option<u32>) -> Result<(), BpfError> {
        if self.fixups.is_empty() {
            return Ok(());
        }
        for fixup in &self.fixups {
            let found = id(fixup.kind, &fixup.name)
                .ok_or_else(|| BpfError::Unresolved { kind: fixup.kind, name: fixup.name.clone() })?;
            let insn =
                self.programs.get_mut(fixup.program).and_then(|program| program.insns.get_mut(fixup.slot as usize));
            if let Some(insn) = insn {
                insn.imm = found as i32;
            }
        }
        self.elf = elf::write(&self.programs, &self.maps)?;
        Ok(())
    }
}
