//! The kernel's own description of its types (/sys/kernel/btf/vmlinux), read lazily.
//!
//! The file has some 5 MB and 130,000 types, of which a script asks for three. So nothing is
//! decoded beforehand but where each type begins: a lookup finds the name's bytes in the string
//! section, which holds each name once, and then compares offsets only. See the kernel's
//! Documentation/bpf/btf.rst. Reads beyond the end give zero: a damaged file finds nothing.

use std::fs::{self, File};
use std::io;
use std::ops::Deref;
use std::sync::OnceLock;

use memchr::memmem;

use crate::sys::mmap::Mapping;
use crate::unsupported::Unsupported;

/// Where Linux shows it (CONFIG_DEBUG_INFO_BTF, 5.4).
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
const MAGIC: u16 = 0xeb9f;
/// The fixed part of a type: name, info, size or type.
const TYPE_BYTES: usize = 12;

/// The number of a type. 0 is `void`.
pub type TypeId = u32;

/// A kind of type, with the numbers of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Void = 0,
    Int = 1,
    Pointer = 2,
    Array = 3,
    Struct = 4,
    Union = 5,
    Enum = 6,
    Forward = 7,
    Typedef = 8,
    Volatile = 9,
    Const = 10,
    Restrict = 11,
    Func = 12,
    FuncProto = 13,
    Var = 14,
    DataSec = 15,
    Float = 16,
    DeclTag = 17,
    TypeTag = 18,
    Enum64 = 19,
}

impl Kind {
    const ALL: [Kind; 20] = [
        Kind::Void,
        Kind::Int,
        Kind::Pointer,
        Kind::Array,
        Kind::Struct,
        Kind::Union,
        Kind::Enum,
        Kind::Forward,
        Kind::Typedef,
        Kind::Volatile,
        Kind::Const,
        Kind::Restrict,
        Kind::Func,
        Kind::FuncProto,
        Kind::Var,
        Kind::DataSec,
        Kind::Float,
        Kind::DeclTag,
        Kind::TypeTag,
        Kind::Enum64,
    ];

    /// The length of what follows the fixed part, in bytes: once, and for each of `vlen`.
    fn trailing(self) -> (usize, usize) {
        match self {
            Kind::Int | Kind::Var | Kind::DeclTag => (4, 0),
            Kind::Array => (12, 0),
            Kind::Struct | Kind::Union | Kind::DataSec | Kind::Enum64 => (0, 12),
            Kind::Enum | Kind::FuncProto => (0, 8),
            _ => (0, 0),
        }
    }
}

/// The bytes of the file: reading it takes the kernel a call for every 4 KiB, so that it is mapped
/// where that is possible (Linux 6.16).
#[derive(Debug)]
enum Bytes {
    Mapped(Mapping),
    Read(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(mapping) => mapping,
            Bytes::Read(bytes) => bytes,
        }
    }
}

/// A parsed BTF file.
#[derive(Debug)]
pub struct Btf {
    bytes: Bytes,
    strings_at: usize,
    strings_end: usize,
    /// Where each type begins; index 0 is `void`, which has no bytes.
    starts: Vec<u32>,
}

impl Btf {
    /// Returns the running kernel's, read once in the life of the program.
    ///
    /// # Errors
    /// `Unsupported` where the kernel was built without it.
    pub fn kernel() -> Result<&'static Btf, Unsupported> {
        static KERNEL: OnceLock<Result<Btf, Unsupported>> = OnceLock::new();
        let read = || {
            Btf::read_kernels().map_err(|error| {
                Unsupported::new(
                    "kernel type information (BTF)",
                    format!("{VMLINUX}: {error}"),
                    "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (all large distributions' are)",
                )
            })
        };
        KERNEL.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    fn read_kernels() -> io::Result<Btf> {
        let file = File::open(VMLINUX)?;
        let bytes = match Mapping::of_sysfs(&file) {
            Ok(mapping) => Bytes::Mapped(mapping),
            Err(_) => Bytes::Read(fs::read(VMLINUX)?),
        };
        Btf::parse(bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a BTF file"))
    }

    fn parse(bytes: Bytes) -> Option<Btf> {
        if u16::from_le_bytes(bytes.get(..2)?.try_into().ok()?) != MAGIC {
            return None;
        }
        let header = |at| Some(read_u32(bytes.get(at..)?) as usize);
        let body = header(4)?;
        let (types_at, types_len) = (body.checked_add(header(8)?)?, header(12)?);
        let (strings_at, strings_len) = (body.checked_add(header(16)?)?, header(20)?);
        let strings_end = strings_at.checked_add(strings_len)?;
        let types_end = types_at.checked_add(types_len)?;
        if strings_end.max(types_end) > bytes.len() {
            return None;
        }
        let starts = type_starts(&bytes[..types_end], types_at)?;
        Some(Btf { bytes, strings_at, strings_end, starts })
    }

    /// Returns the number of types, `void` included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Returns whether there is nothing but `void`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.len() <= 1
    }

    /// Finds the first type of this name and kind.
    #[must_use]
    pub fn find(&self, name: &str, kind: Kind) -> Option<Type<'_>> {
        let name_at = self.string_offset(name)?;
        self.types().find(|ty| ty.name_at() == name_at && ty.kind() == kind)
    }

    /// Finds a function, and returns the number by which programs call it as a kfunc.
    #[must_use]
    pub fn function_id(&self, name: &str) -> Option<TypeId> {
        self.find(name, Kind::Func).map(|function| function.id)
    }

    /// Finds an enumerator, and returns its enum and its value.
    #[must_use]
    pub fn enumerator(&self, name: &str) -> Option<(Type<'_>, i64)> {
        let name_at = self.string_offset(name)?;
        self.types().find_map(|ty| {
            let (_, value) = ty.enumerators().find(|(at, _)| *at == name_at)?;
            Some((ty, value))
        })
    }

    /// Returns one type.
    #[must_use]
    pub fn ty(&self, id: TypeId) -> Type<'_> {
        Type { btf: self, id }
    }

    /// Goes through all types in their order, `void` left out.
    pub fn types(&self) -> impl Iterator<Item = Type<'_>> {
        (1..self.starts.len() as u32).map(|id| self.ty(id))
    }

    /// Returns where a name is in the string section; none when no type or member has it.
    pub(super) fn string_offset(&self, name: &str) -> Option<u32> {
        if name.is_empty() || name.contains('\0') {
            return None;
        }
        let needle = [b"\0", name.as_bytes(), b"\0"].concat();
        let at = memmem::find(&self.bytes[self.strings_at..self.strings_end], &needle)?;
        u32::try_from(at + 1).ok()
    }

    /// Returns the string at an offset of the string section.
    pub(super) fn string(&self, at: u32) -> &str {
        let start = self.strings_at + at as usize;
        let bytes = self.bytes.get(start..self.strings_end).unwrap_or_default();
        let len = memchr::memchr(0, bytes).unwrap_or(bytes.len());
        std::str::from_utf8(&bytes[..len]).unwrap_or_default()
    }

    fn u32_at(&self, at: usize) -> u32 {
        read_u32(self.bytes.get(at..).unwrap_or_default())
    }
}

/// Finds where each type begins; none when the section ends in the middle of one.
fn type_starts(bytes: &[u8], mut at: usize) -> Option<Vec<u32>> {
    // A kernel's types take 15 bytes on average.
    let mut starts = Vec::with_capacity((bytes.len() - at) / 15 + 1);
    starts.push(0);
    while at < bytes.len() {
        starts.push(u32::try_from(at).ok()?);
        let info = read_u32(bytes.get(at + 4..)?);
        let (once, each) = kind_of(info)?.trailing();
        at += TYPE_BYTES + once + each * vlen_of(info);
    }
    (at == bytes.len()).then_some(starts)
}

fn kind_of(info: u32) -> Option<Kind> {
    Kind::ALL.get((info >> 24 & 0x1f) as usize).copied()
}

fn vlen_of(info: u32) -> usize {
    (info & 0xffff) as usize
}

fn read_u32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().copied().map_or(0, u32::from_le_bytes)
}

/// One type of a BTF file.
#[derive(Debug, Clone, Copy)]
pub struct Type<'a> {
    btf: &'a Btf,
    /// Its number.
    pub id: TypeId,
}

/// A member of a struct or union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// Empty for an anonymous struct or union.
    pub name: &'a str,
    /// Its type.
    pub ty: TypeId,
    /// Where it begins in the struct.
    pub offset_bits: u32,
    /// The width of a bit-field; 0 for anything else.
    pub width_bits: u32,
}

impl<'a> Type<'a> {
    fn start(self) -> usize {
        self.btf.starts.get(self.id as usize).copied().unwrap_or(0) as usize
    }

    fn word(self, at: usize) -> u32 {
        // Type 0 has no bytes of its own; its start is the file's header.
        if self.start() == 0 { 0 } else { self.btf.u32_at(self.start() + at) }
    }

    pub(super) fn name_at(self) -> u32 {
        self.word(0)
    }

    fn info(self) -> u32 {
        self.word(4)
    }

    /// Returns its name; empty for what has none.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.btf.string(self.name_at())
    }

    /// Returns its kind.
    #[must_use]
    pub fn kind(self) -> Kind {
        kind_of(self.info()).unwrap_or(Kind::Void)
    }

    /// Returns the flag that gives bit-fields their width and enums their sign.
    fn flag(self) -> bool {
        self.info() >> 31 == 1
    }

    /// Returns the length of a struct, union, integer, float or enum.
    #[must_use]
    pub fn len_bytes(self) -> u32 {
        self.word(8)
    }

    /// Returns what a pointer, typedef, qualifier, function or prototype (its result) refers to.
    #[must_use]
    pub fn target(self) -> Type<'a> {
        self.btf.ty(self.word(8))
    }

    /// Follows typedefs, qualifiers and tags to the type itself.
    #[must_use]
    pub fn peel(self) -> Type<'a> {
        let mut ty = self;
        // A cycle is impossible in the kernel's file; a damaged one must not hang us.
        for _ in 0..64 {
            match ty.kind() {
                Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => {
                    ty = ty.target();
                }
                _ => break,
            }
        }
        ty
    }

    /// Returns whether an integer or enum is signed.
    #[must_use]
    pub fn is_signed(self) -> bool {
        match self.kind() {
            Kind::Int => self.word(TYPE_BYTES) >> 24 & 1 == 1,
            Kind::Enum | Kind::Enum64 => self.flag(),
            _ => false,
        }
    }

    /// Returns whether an integer is a `bool`.
    #[must_use]
    pub fn is_bool(self) -> bool {
        self.kind() == Kind::Int && self.word(TYPE_BYTES) >> 24 & 4 == 4
    }

    /// Returns the element and the length of an array.
    #[must_use]
    pub fn array(self) -> (Type<'a>, u32) {
        (self.btf.ty(self.word(TYPE_BYTES)), self.word(TYPE_BYTES + 8))
    }

    /// Returns the members of a struct or union, as they are written.
    pub fn members(self) -> impl Iterator<Item = Member<'a>> {
        let count = match self.kind() {
            Kind::Struct | Kind::Union => vlen_of(self.info()),
            _ => 0,
        };
        (0..count).map(move |i| {
            let at = TYPE_BYTES + 12 * i;
            let offset = self.word(at + 8);
            let (offset_bits, width_bits) = if self.flag() { (offset & 0xff_ffff, offset >> 24) } else { (offset, 0) };
            let name = self.btf.string(self.word(at));
            Member { name, ty: self.word(at + 4), offset_bits, width_bits }
        })
    }

    /// Returns the names and types of a function's or prototype's parameters.
    pub fn params(self) -> impl Iterator<Item = (&'a str, Type<'a>)> {
        let proto = if self.kind() == Kind::Func { self.target() } else { self };
        let count = if proto.kind() == Kind::FuncProto { vlen_of(proto.info()) } else { 0 };
        (0..count).map(move |i| {
            let at = TYPE_BYTES + 8 * i;
            (proto.btf.string(proto.word(at)), proto.btf.ty(proto.word(at + 4)))
        })
    }

    /// Returns the enumerators of an enum: name and value.
    pub fn variants(self) -> impl Iterator<Item = (&'a str, i64)> {
        self.enumerators().map(move |(at, value)| (self.btf.string(at), value))
    }

    /// Returns one of a member's types.
    #[must_use]
    pub fn of(self, id: TypeId) -> Type<'a> {
        self.btf.ty(id)
    }

    /// Returns where each enumerator's name is, and its value.
    fn enumerators(self) -> impl Iterator<Item = (u32, i64)> {
        let each = self.kind().trailing().1;
        let count = match self.kind() {
            Kind::Enum | Kind::Enum64 => vlen_of(self.info()),
            _ => 0,
        };
        (0..count).map(move |i| {
            let at = TYPE_BYTES + each * i;
            let low = self.word(at + 4);
            let value = match self.kind() {
                Kind::Enum64 => (u64::from(self.word(at + 8)) << 32 | u64::from(low)) as i64,
                _ if self.is_signed() => i64::from(low as i32),
                _ => i64::from(low),
            };
            (self.word(at), value)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_running_kernel_has_what_the_capture_program_wants() {
        let btf = Btf::kernel().unwrap();
        assert!(btf.len() > 10_000);
        let task = btf.find("task_struct", Kind::Struct).unwrap();
        assert!(task.len_bytes() > 1000);
        let pid = task.members().find(|m| m.name == "pid").unwrap();
        let ty = btf.ty(pid.ty).peel();
        assert_eq!((ty.name(), ty.len_bytes(), ty.is_signed()), ("int", 4, true));
        let typedef = btf.find("btf_trace_sys_exit", Kind::Typedef).unwrap();
        let proto = typedef.target().target();
        assert_eq!(proto.kind(), Kind::FuncProto);
        assert_eq!(proto.params().count(), 3);
        assert!(btf.function_id("bpf_dynptr_from_skb").is_some());
        let (state, value) = btf.enumerator("BPF_TCP_SYN_SENT").unwrap();
        assert_eq!((state.len_bytes(), value), (4, 2));
        assert!(btf.enumerator("NO_SUCH_ENUMERATOR").is_none());
        assert!(btf.find("no_such_struct_in_linux", Kind::Struct).is_none());
    }

    /// The time that this thread has run, whatever else the machine does (proc_pid_schedstat(5)).
    fn own_time() -> Duration {
        let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    }

    #[test]
    fn looking_up_a_name_takes_little_time() {
        let btf = Btf::kernel().unwrap();
        let start = own_time();
        for name in ["sock", "tcp_sock", "sk_buff", "task_struct"] {
            assert!(btf.find(name, Kind::Struct).is_some());
        }
        let took = own_time() - start;
        // Measured: 4 ms without optimisation, 0.2 ms with.
        assert!(took < Duration::from_millis(100), "4 lookups among {} types: {took:?}", btf.len());
    }

    #[test]
    fn damaged_files_are_refused_or_find_nothing() {
        let parse = |bytes: &[u8]| Btf::parse(Bytes::Read(bytes.to_vec()));
        let good = fs::read(VMLINUX).unwrap();
        assert_eq!(parse(&good).unwrap().len(), Btf::kernel().unwrap().len());
        assert!(parse(&[]).is_none());
        assert!(parse(&good[..24]).is_none());
        assert!(parse(&good[..good.len() / 2]).is_none());
        let mut kind = good.clone();
        kind[24 + 7] = 0x1f;
        assert!(parse(&kind).is_none());
        let mut name = good;
        name[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&name).unwrap().ty(1).name(), "");
    }
}
