//! The intermediate representation: one small typed IR for both back ends and the reference evaluator.
//!
//! A [`Function`] is a clause body (or a predicate) as a graph of basic blocks over mutable virtual registers. It is not
//! SSA: both back ends have a cheap answer to that (stack slots and r6 to r9; Cranelift's `Variable`), and the evaluator and
//! a reader have it easier. Memory is explicit: a [`Buf`] is a fixed-size buffer of the function; nothing else is addressable
//! but through an instruction that names what it reads. [`Inst::sides`] says whether the kernel, user space or both can
//! run an instruction; lowering picks, a back end refuses.
//!
//! Invariants, which `verify` checks: every register is written before it is read on every path; operands have the types
//! that the instruction wants; accesses to buffers are in bounds; every block ends in one terminator.

pub mod parse;
pub mod text;
pub mod verify;

use std::fmt;

use reel_lang::hir::{MapId, Pattern};
use reel_lang::schema::FieldId;
use reel_lang::span::Span;
use reel_lang::ty::{Agg, IntTy, Space, Ty};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($text, "{}"), self.0)
            }
        }
    };
}

id!(/// A virtual register.
    Reg, "v");
id!(/// A fixed-size buffer of a function.
    Buf, "buf");
id!(/// A basic block; the first is the entry.
    Block, "block");
id!(/// Constant bytes of the module.
    Data, "data");
id!(/// A compiled text pattern of the module.
    PatternId, "pattern");
id!(/// A constant path into a message value.
    PathId, "path");
id!(/// Something that a program prints or reports: a format and the types of its arguments.
    OutputId, "output");

/// The type of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegTy {
    Int(IntTy),
    /// 0 or 1.
    Bool,
    /// An address as a number: reading through it needs [`Inst::Probe`].
    Address(Space),
    /// A pointer whose type the verifier knows (arguments of `tp_btf` programs and what they lead to): plain loads. It may
    /// be compared, and a constant added.
    Btf,
    /// A view of a message value (`reel_lang::schema::Slot`); native only.
    Value,
}

impl RegTy {
    /// The integer type that a scalar is held as; none for a value.
    pub fn int(self) -> Option<IntTy> {
        match self {
            RegTy::Int(int) => Some(int),
            RegTy::Bool => Some(IntTy { bits: 8, signed: false }),
            RegTy::Address(_) | RegTy::Btf => Some(IntTy::U64),
            RegTy::Value => None,
        }
    }
}

/// A place in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct At {
    pub buf: Buf,
    pub offset: u32,
}

/// A fixed-size buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufDef {
    pub len_bytes: u32,
    /// Must be on the eBPF stack: a dynptr, which the verifier tracks there. Others go where there is room.
    pub on_stack: bool,
}

/// A function of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub name: String,
    pub regs: Vec<RegTy>,
    pub bufs: Vec<BufDef>,
    pub blocks: Vec<BlockData>,
}

/// A basic block.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockData {
    pub insts: Vec<(Inst, Span)>,
    pub terminator: Terminator,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Terminator {
    Jump(Block),
    /// On a bool.
    Branch {
        condition: Reg,
        then: Block,
        otherwise: Block,
    },
    /// A 64-bit result: the verdict of a hook, the truth of a predicate, else 0.
    Return(Reg),
}

/// A compiled program.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Module {
    pub functions: Vec<Function>,
    pub maps: Vec<MapDef>,
    pub data: Vec<Vec<u8>>,
    pub patterns: Vec<Pattern>,
    pub paths: Vec<Vec<PathStep>>,
    pub outputs: Vec<Output>,
}

/// A step of a constant path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// A key; case-insensitive where the value is a set of headers.
    Name(String),
    /// An element; a negative index counts from the end.
    Index(i64),
    /// Like `Name` on headers, where names ignore case.
    Header(String),
    /// All values of a header name, as a list.
    AllHeaders(String),
}

/// What a map is, in the kernel's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MapKind {
    Hash,
    LruHash,
    PercpuHash,
    Array,
    PercpuArray,
    Ringbuf,
    SkStorage,
}

/// A map of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct MapDef {
    /// As in the object: the script's name without `@`, or a name of reel's own (`events`, `lost`, `scratch`).
    pub name: String,
    /// The script's map, if it is one.
    pub script: Option<MapId>,
    pub kind: MapKind,
    /// The types of the key and where each lies in it (kernel layout: little endian, naturally aligned, zero padded).
    pub keys: Vec<OutputArg>,
    pub value: Ty,
    /// The parts of a tuple value; see [`OutputArg::items`].
    pub value_items: Vec<OutputArg>,
    pub key_len_bytes: u32,
    pub value_len_bytes: u32,
    pub max_entries: u32,
}

impl MapDef {
    /// Where a plain value lies in the bytes of an entry.
    pub fn value_arg(&self) -> OutputArg {
        let (ty, items) = (self.value.clone(), self.value_items.clone());
        OutputArg { ty, offset: 0, len_bytes: self.value_len_bytes, items }
    }
}

/// What a program prints.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    pub kind: OutputKind,
    /// The arguments, and where each lies in the kernel's event record (which begins with the `u32` output id, then 4 bytes of zero).
    pub args: Vec<OutputArg>,
    /// The record's length with its 8-byte head.
    pub len_bytes: u32,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum OutputKind {
    /// A format string, bpftrace's directives.
    Printf(String),
    /// `errorf`, `warnf`.
    Errorf(String),
    Warnf(String),
    /// `time(fmt)`.
    Time(String),
    /// `print(value)`.
    PrintValue,
    /// `print(@m[, top[, div]])`: arguments are top and div.
    PrintMap(MapId),
    ClearMap(MapId),
    ZeroMap(MapId),
    /// `exit(code)`.
    Exit,
    /// `join(argv)`, `cat(file)`, `system(cmd)`: formats and such, by function name.
    Call(&'static str),
}

/// An argument of an output, or a key of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputArg {
    pub ty: Ty,
    pub offset: u32,
    pub len_bytes: u32,
    /// The parts of a tuple, their offsets counted from its own start; empty for anything else.
    pub items: Vec<OutputArg>,
}

/// An argument of a helper or kfunc call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    Reg(Reg),
    Imm(i64),
    /// The address of a place in a buffer.
    At(At),
    /// A map of the module, by index.
    Map(u32),
    /// The program's context.
    Context,
    /// The id that the running kernel's BTF gives the struct of this name; looked up at load, like a kfunc's.
    BtfType(Data),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    Neg,
    BitNot,
    /// On a bool.
    Not,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    /// x/0 = 0; MIN/-1 = MIN.
    Div,
    /// x%0 = x; MIN%-1 = 0.
    Rem,
    And,
    Or,
    Xor,
    /// Modulo the width.
    Shl,
    /// Arithmetic on signed types.
    Shr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// An instruction.
#[derive(Debug, Clone, PartialEq)]
pub enum Inst {
    // ---- anywhere
    Const {
        dst: Reg,
        value: i64,
    },
    Copy {
        dst: Reg,
        src: Reg,
    },
    Unary {
        op: UnaryOp,
        dst: Reg,
        src: Reg,
    },
    /// All three of one integer type; the result wraps to its width. `And`, `Or`, `Xor` also on bools; `Add` also on a
    /// `Btf` left side and result, with a constant `u64` right.
    Binary {
        op: BinaryOp,
        dst: Reg,
        left: Reg,
        right: Reg,
    },
    /// `dst` is a bool; signed as the operands are.
    Compare {
        op: CompareOp,
        dst: Reg,
        left: Reg,
        right: Reg,
    },
    /// Truncates, or extends by the sign of `src`.
    Cast {
        dst: Reg,
        src: Reg,
    },
    /// Fills with zero bytes.
    Zero {
        to: At,
        len_bytes: u32,
    },
    /// Copies constant bytes.
    SetData {
        to: At,
        data: Data,
    },
    Load {
        dst: Reg,
        from: At,
    },
    Store {
        to: At,
        src: Reg,
    },
    CopyBuf {
        to: At,
        from: At,
        len_bytes: u32,
    },
    /// Whether two runs of bytes are equal.
    EqualBuf {
        dst: Reg,
        left: At,
        right: At,
        len_bytes: u32,
    },
    /// Copies a map's value out; zeroes where the key is absent, and `found` says so.
    MapGet {
        map: u32,
        key: At,
        to: At,
        found: Option<Reg>,
    },
    MapSet {
        map: u32,
        key: At,
        value: At,
    },
    /// Adds to an integer value; an absent one counts from 0.
    MapAdd {
        map: u32,
        key: At,
        delta: Reg,
    },
    MapDelete {
        map: u32,
        key: At,
        found: Option<Reg>,
    },
    /// Folds a number into an aggregation; `value` is absent for count.
    MapAggregate {
        map: u32,
        key: At,
        agg: Agg,
        value: Option<Reg>,
    },
    /// Sends an event record that lies in a buffer, head included.
    Emit {
        output: OutputId,
        record: At,
    },

    // ---- kernel
    /// Reads the context: the size is that of `dst`.
    Context {
        dst: Reg,
        offset: u32,
    },
    /// The address of a place in the context, as a number: what a `__data_loc` field points at. `offset` is below 65536.
    ContextAddress {
        dst: Reg,
        offset: Reg,
    },
    /// Loads through a pointer that the verifier knows.
    Follow {
        dst: Reg,
        base: Reg,
        offset: u32,
    },
    /// Reads memory that may fault; zeroes on a fault, and `failed` is 1.
    Probe {
        space: Space,
        to: At,
        len_bytes: u32,
        address: Reg,
        failed: Option<Reg>,
    },
    /// Reads a C string; `dst` is the length with its NUL, or a negative error.
    ProbeStr {
        space: Space,
        to: At,
        len_bytes: u32,
        address: Reg,
        dst: Option<Reg>,
    },
    /// Calls a helper by its number in `enum bpf_func_id`.
    Helper {
        dst: Option<Reg>,
        helper: u32,
        args: Vec<Arg>,
    },
    /// Calls a kernel function by name; its BTF id is looked up at load.
    Kfunc {
        dst: Option<Reg>,
        name: String,
        args: Vec<Arg>,
    },
    /// Writes a context field: `user_ip4` of a cgroup hook.
    SetContext {
        offset: u32,
        src: Reg,
    },
    /// Stores through a pointer that the verifier knows: a map's value, a hook's option buffer. The size is that of `src`.
    Put {
        base: Reg,
        offset: u32,
        src: Reg,
    },

    // ---- native
    /// A view of a field of the flat record.
    Field {
        dst: Reg,
        field: FieldId,
    },
    /// A view of constant text.
    Text {
        dst: Reg,
        data: Data,
    },
    /// Whether a value is this text.
    TextEqual {
        dst: Reg,
        value: Reg,
        data: Data,
    },
    /// Compares a value with an integer: `==` and `!=` by number, ordering false unless the value is a number.
    CompareInt {
        op: CompareOp,
        dst: Reg,
        value: Reg,
        number: Reg,
    },
    Matches {
        dst: Reg,
        value: Reg,
        pattern: PatternId,
    },
    /// Steps into a value; nil where there is no such part.
    Path {
        dst: Reg,
        value: Reg,
        path: PathId,
    },
    /// The number of a value, 0 where it has none.
    ToInt {
        dst: Reg,
        value: Reg,
    },
    /// A value of an integer register.
    FromInt {
        dst: Reg,
        src: Reg,
        ty: ValueTy,
    },
    /// Whether a value is nil.
    IsNil {
        dst: Reg,
        value: Reg,
    },
    /// Anything else: see [`HostOp`].
    Host {
        dst: Option<Reg>,
        op: HostOp,
        args: Vec<Reg>,
    },
}

/// The kind of value that a register becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueTy {
    Bool,
    Int,
    Duration,
    Time,
}

/// An operation that the host does for native code: one entry point, arguments as views of values.
#[derive(Debug, Clone, PartialEq)]
pub enum HostOp {
    /// `==` of two values, into a bool.
    Equal,
    /// Ordering of two values, into a bool; false where either is nil or the kinds differ.
    Compare(CompareOp),
    /// Steps by a computed key.
    Index,
    Nil,
    Null,
    /// A decimal constant, by its digits.
    Decimal(Data),
    /// The key's parts, then for set, add and aggregate the value; get gives a value.
    MapGet(u32),
    MapSet(u32),
    MapAdd(u32),
    MapDelete(u32),
    /// Whether a map has an entry, into a bool.
    MapHas(u32),
    /// How many entries a map has.
    MapLen(u32),
    MapAggregate(u32, Agg),
    /// Prints: the arguments are the output's.
    Emit(OutputId),
    /// A function of the language by name: `int("12")`, `len(x)`, `lower(s)`.
    Call(&'static str),
    /// A tuple of the arguments.
    Tuple,
    TupleItem(u32),
    /// A builtin that the engine knows: `nsecs`, `elapsed`.
    Builtin(&'static str),
    /// A rule's action fires: the index into the rule's list of actions; arguments are its computed values.
    Action(u32),
}

/// Where an instruction can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    Both,
    Kernel,
    Native,
}

impl Inst {
    /// The register that this instruction writes.
    pub fn dst(&self) -> Option<Reg> {
        match self {
            Inst::Const { dst, .. }
            | Inst::Copy { dst, .. }
            | Inst::Unary { dst, .. }
            | Inst::Binary { dst, .. }
            | Inst::Compare { dst, .. }
            | Inst::Cast { dst, .. }
            | Inst::Load { dst, .. }
            | Inst::EqualBuf { dst, .. }
            | Inst::Context { dst, .. }
            | Inst::ContextAddress { dst, .. }
            | Inst::Follow { dst, .. }
            | Inst::Field { dst, .. }
            | Inst::Text { dst, .. }
            | Inst::TextEqual { dst, .. }
            | Inst::CompareInt { dst, .. }
            | Inst::Matches { dst, .. }
            | Inst::Path { dst, .. }
            | Inst::ToInt { dst, .. }
            | Inst::FromInt { dst, .. }
            | Inst::IsNil { dst, .. } => Some(*dst),
            Inst::MapGet { found: dst, .. }
            | Inst::MapDelete { found: dst, .. }
            | Inst::Probe { failed: dst, .. }
            | Inst::ProbeStr { dst, .. }
            | Inst::Helper { dst, .. }
            | Inst::Kfunc { dst, .. }
            | Inst::Host { dst, .. } => *dst,
            Inst::Zero { .. }
            | Inst::SetData { .. }
            | Inst::Store { .. }
            | Inst::CopyBuf { .. }
            | Inst::MapSet { .. }
            | Inst::MapAdd { .. }
            | Inst::MapAggregate { .. }
            | Inst::Emit { .. }
            | Inst::SetContext { .. }
            | Inst::Put { .. } => None,
        }
    }

    /// The registers that this instruction reads, in the order of the text form.
    pub fn reads(&self) -> Vec<Reg> {
        let arg_regs = |args: &[Arg]| {
            let reg = |arg: &Arg| match arg {
                Arg::Reg(reg) => Some(*reg),
                _ => None,
            };
            args.iter().filter_map(reg).collect()
        };
        match self {
            Inst::Copy { src, .. }
            | Inst::Unary { src, .. }
            | Inst::Cast { src, .. }
            | Inst::Store { src, .. }
            | Inst::SetContext { src, .. }
            | Inst::FromInt { src, .. } => vec![*src],
            Inst::Binary { left, right, .. } | Inst::Compare { left, right, .. } => {
                vec![*left, *right]
            }
            Inst::MapAdd { delta, .. } => vec![*delta],
            Inst::MapAggregate { value, .. } => value.iter().copied().collect(),
            Inst::Follow { base, .. } => vec![*base],
            Inst::ContextAddress { offset, .. } => vec![*offset],
            Inst::Probe { address, .. } | Inst::ProbeStr { address, .. } => vec![*address],
            Inst::Helper { args, .. } | Inst::Kfunc { args, .. } => arg_regs(args),
            Inst::TextEqual { value, .. }
            | Inst::Matches { value, .. }
            | Inst::Path { value, .. }
            | Inst::ToInt { value, .. }
            | Inst::IsNil { value, .. } => vec![*value],
            Inst::Put { base, src, .. } => vec![*base, *src],
            Inst::CompareInt { value, number, .. } => vec![*value, *number],
            Inst::Host { args, .. } => args.clone(),
            _ => Vec::new(),
        }
    }

    /// Where this instruction can run.
    pub fn sides(&self) -> Sides {
        match self {
            Inst::Context { .. }
            | Inst::ContextAddress { .. }
            | Inst::Follow { .. }
            | Inst::Probe { .. }
            | Inst::ProbeStr { .. }
            | Inst::Helper { .. }
            | Inst::Kfunc { .. }
            | Inst::SetContext { .. }
            | Inst::Put { .. } => Sides::Kernel,
            Inst::Field { .. }
            | Inst::Text { .. }
            | Inst::TextEqual { .. }
            | Inst::CompareInt { .. }
            | Inst::Matches { .. }
            | Inst::Path { .. }
            | Inst::ToInt { .. }
            | Inst::FromInt { .. }
            | Inst::IsNil { .. }
            | Inst::Host { .. } => Sides::Native,
            _ => Sides::Both,
        }
    }
}
