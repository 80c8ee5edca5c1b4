//! Types of expressions, as the checker and every later stage see them.
//!
//! Kernel values have C's types; message values have the types of schemas (`crate::schema::FieldType`), of which
//! [`Ty::Any`] is the one whose kind is known only at run time. There is no implicit coercion between the two worlds.

use std::fmt;

/// An integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IntTy {
    /// 8, 16, 32 or 64.
    pub bits: u8,
    pub signed: bool,
}

impl IntTy {
    pub const I64: IntTy = IntTy { bits: 64, signed: true };
    pub const U64: IntTy = IntTy { bits: 64, signed: false };
    pub const I32: IntTy = IntTy { bits: 32, signed: true };
    pub const U32: IntTy = IntTy { bits: 32, signed: false };

    /// The size in memory.
    pub fn len_bytes(self) -> u32 {
        u32::from(self.bits) / 8
    }
}

/// The address space that a pointer points into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    Kernel,
    User,
}

/// A map aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Agg {
    Count,
    Sum {
        signed: bool,
    },
    Min {
        signed: bool,
    },
    Max {
        signed: bool,
    },
    Avg {
        signed: bool,
    },
    Stats {
        signed: bool,
    },
    /// Power-of-two buckets, each cut in `2^bits`.
    Hist {
        bits: u8,
    },
    Lhist {
        min: i64,
        max: i64,
        step: i64,
    },
}

/// The type of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ty {
    /// An error was reported; everything agrees with it.
    Error,
    Void,
    Bool,
    Int(IntTy),
    /// Nanoseconds, `i64`, printed with a unit.
    Duration,
    /// Nanoseconds since the epoch, `i64`.
    Time,
    /// Text. In the kernel a fixed buffer of `config.max_strlen` bytes, zero padded; natively any length.
    Str,
    /// A byte buffer of at most this many bytes.
    Buf(u32),
    Tuple(Vec<Ty>),
    Array(Box<Ty>, u32),
    Ptr(Box<Ty>, Space),
    /// A C struct or union by name, `struct x` without the word; its layout comes from the environment.
    Struct(String),
    Enum(String, IntTy),
    /// What `args` is.
    Args,
    /// The index of an attach point, printed as its name.
    Probe,
    Ip,
    /// A number with a fraction: native clauses only.
    Decimal,
    Nil,
    Null,
    /// A message value whose kind is known at run time (JSON, a Redis reply).
    Any,
    /// HTTP headers; see `FieldType::Headers`.
    Headers,
    /// Named strings; see `FieldType::Strings`.
    Strings,
    List,
    /// The value of an aggregating map.
    Agg(Agg),
    KStack,
    UStack,
    KSym,
    USym,
    Username,
    /// `strftime`'s and `time`'s result, formatted when printed.
    Timestamp,
    /// A view of memory that the verifier tracks (`struct bpf_dynptr`); trusted programs only, held in a scratch variable.
    Dynptr,
}

impl Ty {
    /// Whether the value is held in one 64-bit register in kernel code.
    pub fn is_scalar(&self) -> bool {
        matches!(
            self,
            Ty::Bool
                | Ty::Int(_)
                | Ty::Duration
                | Ty::Time
                | Ty::Ptr(..)
                | Ty::Enum(..)
                | Ty::Probe
                | Ty::KSym
                | Ty::USym
                | Ty::Username
        )
    }

    /// The integer type of a scalar's register.
    pub fn int(&self) -> Option<IntTy> {
        match self {
            Ty::Int(int) | Ty::Enum(_, int) => Some(*int),
            Ty::Bool => Some(IntTy { bits: 8, signed: false }),
            Ty::Duration | Ty::Time => Some(IntTy::I64),
            Ty::Ptr(..) | Ty::Probe | Ty::KSym | Ty::USym => Some(IntTy::U64),
            Ty::Username => Some(IntTy::U32),
            _ => None,
        }
    }

    /// Whether the value exists in native clauses only.
    pub fn is_native_only(&self) -> bool {
        matches!(self, Ty::Any | Ty::Headers | Ty::Strings | Ty::List | Ty::Decimal | Ty::Nil | Ty::Null | Ty::Ip)
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ty::Error => f.write_str("<error>"),
            Ty::Void => f.write_str("void"),
            Ty::Bool => f.write_str("bool"),
            Ty::Int(int) => write!(f, "{}int{}", if int.signed { "" } else { "u" }, int.bits),
            Ty::Duration => f.write_str("duration"),
            Ty::Time => f.write_str("time"),
            Ty::Str => f.write_str("string"),
            Ty::Buf(len) => write!(f, "buf[{len}]"),
            Ty::Tuple(items) => {
                f.write_str("(")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { "," })?;
                }
                f.write_str(")")
            }
            Ty::Array(item, len) => write!(f, "{item}[{len}]"),
            Ty::Ptr(to, _) => write!(f, "{to} *"),
            Ty::Struct(name) => write!(f, "struct {name}"),
            Ty::Enum(name, _) => write!(f, "enum {name}"),
            Ty::Args => f.write_str("args"),
            Ty::Probe => f.write_str("probe"),
            Ty::Ip => f.write_str("ip"),
            Ty::Decimal => f.write_str("decimal"),
            Ty::Nil => f.write_str("nil"),
            Ty::Null => f.write_str("null"),
            Ty::Any => f.write_str("any"),
            Ty::Headers => f.write_str("headers"),
            Ty::Strings => f.write_str("strings"),
            Ty::List => f.write_str("list"),
            Ty::Agg(agg) => f.write_str(match agg {
                Agg::Count => "count_t",
                Agg::Sum { .. } => "sum_t",
                Agg::Min { .. } => "min_t",
                Agg::Max { .. } => "max_t",
                Agg::Avg { .. } => "avg_t",
                Agg::Stats { .. } => "stats_t",
                Agg::Hist { .. } => "hist_t",
                Agg::Lhist { .. } => "lhist_t",
            }),
            Ty::KStack => f.write_str("kstack"),
            Ty::UStack => f.write_str("ustack"),
            Ty::KSym => f.write_str("ksym"),
            Ty::USym => f.write_str("usym"),
            Ty::Username => f.write_str("username"),
            Ty::Timestamp => f.write_str("timestamp"),
            Ty::Dynptr => f.write_str("dynptr"),
        }
    }
}
