//! What the checker must be told from outside: builtins, functions, protocols and the kernel.
//!
//! lang knows none of these. Whoever checks a program hands in an [`Environment`]; the program's is made from the running
//! kernel and the registries, a test's from a few lines.

use std::sync::Arc;

use crate::schema::Schema;
use crate::ty::{IntTy, Ty};

/// Where a name can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// In clauses of kernel probes.
    pub kernel: bool,
    /// In clauses of message probes and rules.
    pub native: bool,
    /// Only in the programs that come with reel (capture, redirect): one helper call, kfunc call or field read.
    pub trusted: bool,
}

impl Places {
    pub const BOTH: Places = Places { kernel: true, native: true, trusted: false };
    pub const KERNEL: Places = Places { kernel: true, native: false, trusted: false };
    pub const NATIVE: Places = Places { kernel: false, native: true, trusted: false };
    pub const TRUSTED: Places = Places { kernel: true, native: false, trusted: true };
}

/// A name that is a value by itself, such as `pid`.
#[derive(Debug, Clone)]
pub struct Builtin {
    pub name: &'static str,
    pub ty: Ty,
    pub places: Places,
    pub doc: &'static str,
}

/// What a parameter accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Param {
    /// A literal format string; the rest of the arguments must fit its directives.
    Format,
    /// Any value that can be printed.
    Value,
    Int,
    /// An integer that is known at compile time.
    LiteralInt,
    Str,
    LiteralStr,
    Bool,
    Duration,
    Pointer,
    /// `@m`, without key.
    Map,
    /// `@m[k]` or `@m` without keys.
    MapEntry,
    /// One of these bare words.
    Word(&'static [&'static str]),
    /// A path of a message field.
    Path,
    /// A scratch variable of type [`Ty::Dynptr`], by reference.
    Dynptr,
}

/// What a call gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returns {
    Nothing,
    Ty(Ty),
    /// A map aggregation: only right of `@m[k] =`.
    Agg,
    /// The type of the first argument.
    Argument,
}

/// A function that scripts can call.
#[derive(Debug, Clone)]
pub struct Function {
    pub name: &'static str,
    pub params: &'static [Param],
    /// How many of `params` may be left out at the end.
    pub optional: usize,
    /// Whether the last parameter may repeat.
    pub variadic: bool,
    pub returns: Returns,
    pub places: Places,
    /// Gives the same for the same arguments and does nothing else: what a noise class may call.
    pub pure: bool,
    /// A call that other programs notice (`signal`, `system`): wants `--unsafe`.
    pub is_unsafe: bool,
    pub doc: &'static str,
    pub example: &'static str,
}

impl Function {
    /// How it is called, for people: `str(pointer, [int])`, where what stands in brackets may be left out.
    pub fn signature(&self) -> String {
        let required = self.params.len() - self.optional;
        let word = |(index, param): (usize, &Param)| {
            let name = match param {
                Param::Format => "format",
                Param::Value => "value",
                Param::Int => "int",
                Param::LiteralInt => "literal int",
                Param::Str => "text",
                Param::LiteralStr => "literal text",
                Param::Bool => "bool",
                Param::Duration => "duration",
                Param::Pointer => "pointer",
                Param::Map => "@map",
                Param::MapEntry => "@map[key]",
                Param::Word(_) => "word",
                Param::Path => "field",
                Param::Dynptr => "dynptr",
            };
            if index < required { name.to_owned() } else { format!("[{name}]") }
        };
        let mut words: Vec<String> = self.params.iter().enumerate().map(word).collect();
        if self.variadic {
            words.push("...".to_owned());
        }
        format!("{}({})", self.name, words.join(", "))
    }
}

/// Why clauses on messages lack a name that kernel probes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elsewhere {
    /// What follows a colon.
    pub why: &'static str,
    /// What to write instead.
    pub remedy: &'static str,
}

/// The kind of a kernel or user-space attach point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbeKind {
    Begin,
    End,
    Interval,
    Profile,
    Tracepoint,
    RawTracepoint,
    /// A BTF-typed raw tracepoint (`tp_btf`), whose pointers can be followed with plain loads.
    BtfTracepoint,
    Uprobe,
    Uretprobe,
    Kprobe,
    Kretprobe,
    Fentry,
    Fexit,
    /// A cgroup hook such as `connect4`; its body ends in a verdict.
    Cgroup,
    Sockops,
}

/// One place that a clause attaches to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttachPoint {
    pub kind: ProbeKind,
    /// The canonical name, which `probe` prints: `tracepoint:syscalls:sys_enter_openat`.
    pub name: String,
    /// What the loader needs, by kind: category and name; function; path and symbol; unit and count.
    pub target: Vec<String>,
    /// Its arguments; points with equal layouts share one program.
    pub args: Arc<ArgsLayout>,
}

/// The arguments of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ArgsLayout {
    pub args: Vec<Arg>,
    /// The syscall number to compare with, where the point is one syscall of a raw `sys_enter` or `sys_exit`.
    pub syscall: Option<u32>,
}

/// One argument of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Arg {
    pub name: String,
    pub ty: Ty,
    pub at: ArgAt,
}

/// Where an argument is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArgAt {
    /// At this offset of the context, which is the tracepoint's record.
    Record { offset: u32, len_bytes: u32 },
    /// A `__data_loc` word at this offset of the record: offset and length of the data behind it.
    DataLoc { offset: u32 },
    /// The nth 64-bit word of a raw tracepoint's context.
    Raw(u32),
    /// The nth argument of a syscall, out of the `pt_regs` that raw `sys_enter` hands over.
    Syscall(u32),
    /// The result of a syscall.
    SyscallResult,
    /// The nth argument of a function by the platform's calling convention, out of `pt_regs`.
    Register(u32),
    /// The return value, out of `pt_regs`.
    ReturnValue,
}

/// A member of a C struct or union, with those of anonymous members flattened in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    pub name: String,
    pub ty: Ty,
    pub offset_bytes: u32,
    /// Bit offset within the storage unit at `offset_bytes`, and width, of a bit-field.
    pub bits: Option<(u8, u8)>,
}

/// The layout of a C struct or union.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Layout {
    pub name: String,
    pub len_bytes: u32,
    pub members: Vec<Member>,
}

/// Why a header attaches nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachError {
    /// No provider of this name; the nearest names.
    NoProvider(Vec<String>),
    /// The parts do not fit the provider: what it wants.
    Malformed(String),
    /// Nothing of this name exists; the nearest names.
    NotFound(Vec<String>),
    /// This kernel cannot: why, and what to do.
    Unsupported { why: String, remedy: String },
    /// This version of reel has no back end for it yet.
    NotYet,
}

/// What the checker asks.
pub trait Environment {
    /// The registered protocols.
    fn schemas(&self) -> Vec<&Schema>;

    /// A value by name.
    fn builtin(&self, name: &str) -> Option<&Builtin>;

    /// A function by name.
    fn function(&self, name: &str) -> Option<&Function>;

    /// Every name of a builtin or function, for suggestions and completion.
    fn names(&self) -> Vec<&'static str>;

    /// Why clauses on messages lack a name of kernel probes.
    fn elsewhere(&self, _name: &str) -> Option<Elsewhere> {
        None
    }

    /// The points that a header's provider and parts name, wildcards expanded, in a stable order.
    ///
    /// # Errors
    /// [`AttachError`] says why there is none.
    fn attach(&self, provider: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError>;

    /// The layout of a struct or union by name.
    fn layout(&self, name: &str) -> Option<Arc<Layout>>;

    /// The value, type and enum name of a kernel enumerator.
    fn enumerator(&self, name: &str) -> Option<(i64, IntTy, String)>;
}
