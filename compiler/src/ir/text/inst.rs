//! Instructions in the text form: `v3 = add v1, v2`, `store buf0+8, v3`, `v4 = host equal(v1, v2)`.

use std::fmt;

use super::super::{Arg, At, BinaryOp, CompareOp, HostOp, Inst, Reg, UnaryOp, ValueTy};
use super::Quoted;
use super::ty::{agg_text, space_text};

pub(in crate::ir) const UNARY: &[(UnaryOp, &str)] =
    &[(UnaryOp::Neg, "neg"), (UnaryOp::BitNot, "bitnot"), (UnaryOp::Not, "not")];

pub(in crate::ir) const BINARY: &[(BinaryOp, &str)] = &[
    (BinaryOp::Add, "add"),
    (BinaryOp::Sub, "sub"),
    (BinaryOp::Mul, "mul"),
    (BinaryOp::Div, "div"),
    (BinaryOp::Rem, "rem"),
    (BinaryOp::And, "and"),
    (BinaryOp::Or, "or"),
    (BinaryOp::Xor, "xor"),
    (BinaryOp::Shl, "shl"),
    (BinaryOp::Shr, "shr"),
];

pub(in crate::ir) const COMPARE: &[(CompareOp, &str)] = &[
    (CompareOp::Eq, "eq"),
    (CompareOp::Ne, "ne"),
    (CompareOp::Lt, "lt"),
    (CompareOp::Le, "le"),
    (CompareOp::Gt, "gt"),
    (CompareOp::Ge, "ge"),
];

pub(in crate::ir) const VALUE_TYS: &[(ValueTy, &str)] =
    &[(ValueTy::Bool, "bool"), (ValueTy::Int, "int"), (ValueTy::Duration, "duration"), (ValueTy::Time, "time")];

/// The word of a variant in one of the tables above, which hold every variant (tested).
fn word<T: PartialEq>(table: &[(T, &'static str)], item: &T) -> &'static str {
    table.iter().find(|(entry, _)| entry == item).map_or("?", |(_, word)| word)
}

impl fmt::Display for CompareOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(COMPARE, self))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.buf, self.offset)
    }
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arg::Reg(reg) => write!(f, "{reg}"),
            Arg::Imm(value) => write!(f, "{value}"),
            Arg::At(at) => write!(f, "{at}"),
            Arg::Map(map) => write!(f, "map{map}"),
            Arg::Context => f.write_str("context"),
            Arg::BtfType(name) => write!(f, "btf {name}"),
        }
    }
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

impl fmt::Display for Inst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dst) = self.dst() {
            write!(f, "{dst} = ")?;
        }
        if common(self, f)? || kernel(self, f)? {
            return Ok(());
        }
        native(self, f)
    }
}

/// Writes an instruction that both sides have; false where it is not one.
fn common(inst: &Inst, f: &mut fmt::Formatter<'_>) -> Result<bool, fmt::Error> {
    match inst {
        Inst::Const { value, .. } => write!(f, "const {value}"),
        Inst::Copy { src, .. } => write!(f, "copy {src}"),
        Inst::Unary { op, src, .. } => write!(f, "{} {src}", word(UNARY, op)),
        Inst::Binary { op, left, right, .. } => write!(f, "{} {left}, {right}", word(BINARY, op)),
        Inst::Compare { op, left, right, .. } => write!(f, "{op} {left}, {right}"),
        Inst::Cast { src, .. } => write!(f, "cast {src}"),
        Inst::Zero { to, len_bytes } => write!(f, "zero {to}, {len_bytes}"),
        Inst::SetData { to, data } => write!(f, "set {to}, {data}"),
        Inst::Load { from, .. } => write!(f, "load {from}"),
        Inst::Store { to, src } => write!(f, "store {to}, {src}"),
        Inst::CopyBuf { to, from, len_bytes } => write!(f, "copybuf {to}, {from}, {len_bytes}"),
        Inst::EqualBuf { left, right, len_bytes, .. } => write!(f, "equalbuf {left}, {right}, {len_bytes}"),
        Inst::MapGet { map, key, to, .. } => write!(f, "mapget map{map}, {key}, {to}"),
        Inst::MapSet { map, key, value } => write!(f, "mapset map{map}, {key}, {value}"),
        Inst::MapAdd { map, key, delta } => write!(f, "mapadd map{map}, {key}, {delta}"),
        Inst::MapDelete { map, key, .. } => write!(f, "mapdelete map{map}, {key}"),
        Inst::MapAggregate { map, key, agg, value } => {
            write!(f, "aggregate map{map}, {key}, {}", agg_text(*agg))?;
            value.map_or(Ok(()), |value| write!(f, ", {value}"))
        }
        Inst::Emit { output, record } => write!(f, "emit {output}, {record}"),
        _ => return Ok(false),
    }?;
    Ok(true)
}

/// Writes a kernel instruction; false where it is not one.
fn kernel(inst: &Inst, f: &mut fmt::Formatter<'_>) -> Result<bool, fmt::Error> {
    match inst {
        Inst::Context { offset, .. } => write!(f, "context {offset}"),
        Inst::ContextAddress { offset, .. } => write!(f, "contextaddress {offset}"),
        Inst::Follow { base, offset, .. } => write!(f, "follow {base}, {offset}"),
        Inst::Probe { space, to, len_bytes, address, .. } => {
            write!(f, "probe {}, {to}, {len_bytes}, {address}", space_text(*space))
        }
        Inst::ProbeStr { space, to, len_bytes, address, .. } => {
            write!(f, "probestr {}, {to}, {len_bytes}, {address}", space_text(*space))
        }
        Inst::Helper { helper, args, .. } => write!(f, "helper {helper}({})", list(args)),
        Inst::Kfunc { name, args, .. } => {
            write!(f, "kfunc {}({})", Quoted(name.as_bytes()), list(args))
        }
        Inst::SetContext { offset, src } => write!(f, "setcontext {offset}, {src}"),
        Inst::Put { base, offset, src } => write!(f, "put {base}, {offset}, {src}"),
        _ => return Ok(false),
    }?;
    Ok(true)
}

/// Writes a native instruction.
fn native(inst: &Inst, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match inst {
        Inst::Field { field, .. } => write!(f, "field {}", field.0),
        Inst::Text { data, .. } => write!(f, "text {data}"),
        Inst::TextEqual { value, data, .. } => write!(f, "textequal {value}, {data}"),
        Inst::CompareInt { op, value, number, .. } => write!(f, "compareint {op} {value}, {number}"),
        Inst::Matches { value, pattern, .. } => write!(f, "matches {value}, {pattern}"),
        Inst::Path { value, path, .. } => write!(f, "path {value}, {path}"),
        Inst::ToInt { value, .. } => write!(f, "toint {value}"),
        Inst::FromInt { src, ty, .. } => write!(f, "fromint {} {src}", word(VALUE_TYS, ty)),
        Inst::IsNil { value, .. } => write!(f, "isnil {value}"),
        Inst::Host { op, args, .. } => write!(f, "host {op}({})", list::<Reg>(args)),
        _ => Ok(()),
    }
}

impl fmt::Display for HostOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostOp::Equal => f.write_str("equal"),
            HostOp::Compare(op) => write!(f, "compare {op}"),
            HostOp::Index => f.write_str("index"),
            HostOp::Nil => f.write_str("nil"),
            HostOp::Null => f.write_str("null"),
            HostOp::Decimal(data) => write!(f, "decimal {data}"),
            HostOp::MapGet(map) => write!(f, "mapget map{map}"),
            HostOp::MapSet(map) => write!(f, "mapset map{map}"),
            HostOp::MapAdd(map) => write!(f, "mapadd map{map}"),
            HostOp::MapHas(map) => write!(f, "maphas map{map}"),
            HostOp::MapLen(map) => write!(f, "maplen map{map}"),
            HostOp::MapDelete(map) => write!(f, "mapdelete map{map}"),
            HostOp::MapAggregate(map, agg) => write!(f, "aggregate map{map} {} ", agg_text(*agg)),
            HostOp::Emit(output) => write!(f, "emit {output}"),
            HostOp::Call(name) => write!(f, "call {}", Quoted(name.as_bytes())),
            HostOp::Tuple => f.write_str("tuple"),
            HostOp::TupleItem(index) => write!(f, "item {index}"),
            HostOp::Builtin(name) => write!(f, "builtin {}", Quoted(name.as_bytes())),
            HostOp::Action(index) => write!(f, "action {index}"),
        }
    }
}
