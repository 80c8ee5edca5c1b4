//! The common types of PostgreSQL, as values: whichever format a value has on the wire, text or binary, it is one value.
//!
//! Numbers are numbers with their digits, booleans booleans, `bytea` bytes, arrays lists, NULL null; dates, times, intervals, UUIDs,
//! JSON and addresses are the text that the server writes for them in its default style. A value is taken apart only where writing it
//! again gives the same bytes: any other text stays text, and any other bytes carry the tag `pg-binary`. So nothing is lost, and a
//! result that was recorded in one format is served in the other wherever the type is known.

mod array;
mod datetime;
mod interval;
mod network;
mod number;

use bytes::Bytes;
use reel_lang::value::Value;

/// How a value is written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Binary,
}

impl Format {
    /// None for a number that means no format (section 55.2.3).
    pub(super) fn of(code: u16) -> Option<Self> {
        match code {
            0 => Some(Format::Text),
            1 => Some(Format::Binary),
            _ => None,
        }
    }

    /// The format of one of several values: no codes mean text, one stands for all (section 55.7, Bind).
    pub(super) fn nth(codes: &[u16], index: usize) -> Option<Self> {
        match codes {
            [] => Some(Format::Text),
            [all] => Format::of(*all),
            each => each.get(index).copied().and_then(Format::of),
        }
    }
}

/// The tag of bytes in the binary format that are not understood.
pub(super) const BINARY: &str = "pg-binary";
/// The tag of the text of a `bytea` that is not hexadecimal.
pub(super) const TEXT: &str = "pg-text";

/// How a type's values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    /// So many bytes, with a sign.
    Int(usize),
    Oid,
    Float4,
    Float8,
    Numeric,
    /// The binary format is the text.
    Text,
    /// As text, behind a version's byte.
    Jsonb,
    Bytea,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Interval,
    Uuid,
    Inet,
    Cidr,
    /// Of elements of this type.
    Array(u32),
    /// Only its text is understood.
    Other,
}

struct Type {
    id: u32,
    name: &'static str,
    array: u32,
    kind: Kind,
}

const fn of(id: u32, name: &'static str, array: u32, kind: Kind) -> Type {
    Type { id, name, array, kind }
}

/// From the server's `pg_type.dat`. An array's name is its element's with `[]`.
const TYPES: &[Type] = &[
    of(16, "bool", 1000, Kind::Bool),
    of(17, "bytea", 1001, Kind::Bytea),
    of(18, "\"char\"", 1002, Kind::Text),
    of(19, "name", 1003, Kind::Text),
    of(20, "int8", 1016, Kind::Int(8)),
    of(21, "int2", 1005, Kind::Int(2)),
    of(22, "int2vector", 1006, Kind::Other),
    of(23, "int4", 1007, Kind::Int(4)),
    of(24, "regproc", 1008, Kind::Other),
    of(25, "text", 1009, Kind::Text),
    of(26, "oid", 1028, Kind::Oid),
    of(28, "xid", 1011, Kind::Oid),
    of(29, "cid", 1012, Kind::Oid),
    of(30, "oidvector", 1013, Kind::Other),
    of(114, "json", 199, Kind::Text),
    of(142, "xml", 143, Kind::Text),
    of(194, "pg_node_tree", 0, Kind::Text),
    of(600, "point", 1017, Kind::Other),
    of(650, "cidr", 651, Kind::Cidr),
    of(700, "float4", 1021, Kind::Float4),
    of(701, "float8", 1022, Kind::Float8),
    of(705, "unknown", 0, Kind::Text),
    of(790, "money", 791, Kind::Other),
    of(829, "macaddr", 1040, Kind::Other),
    of(869, "inet", 1041, Kind::Inet),
    of(1033, "aclitem", 1034, Kind::Other),
    of(1042, "bpchar", 1014, Kind::Text),
    of(1043, "varchar", 1015, Kind::Text),
    of(1082, "date", 1182, Kind::Date),
    of(1083, "time", 1183, Kind::Time),
    of(1114, "timestamp", 1115, Kind::Timestamp),
    of(1184, "timestamptz", 1185, Kind::TimestampTz),
    of(1186, "interval", 1187, Kind::Interval),
    of(1266, "timetz", 1270, Kind::TimeTz),
    of(1560, "bit", 1561, Kind::Other),
    of(1562, "varbit", 1563, Kind::Other),
    of(1700, "numeric", 1231, Kind::Numeric),
    of(2205, "regclass", 2210, Kind::Other),
    of(2206, "regtype", 2211, Kind::Other),
    of(2249, "record", 2287, Kind::Other),
    of(2275, "cstring", 1263, Kind::Text),
    of(2278, "void", 0, Kind::Text),
    of(2950, "uuid", 2951, Kind::Uuid),
    of(3614, "tsvector", 3643, Kind::Other),
    of(3802, "jsonb", 3807, Kind::Jsonb),
    of(5069, "xid8", 271, Kind::Other),
];

/// The name of a type; the number of one that is not built in, as text.
pub(super) fn name(id: u32) -> String {
    let found = |found: &Type| found.id == id || found.array == id && id != 0;
    match TYPES.iter().find(|one| found(one)) {
        Some(one) if one.id == id => one.name.to_owned(),
        Some(one) => format!("{}[]", one.name),
        None => id.to_string(),
    }
}

/// The number of a type, by what [`name`] says of it.
pub(super) fn id(name: &str) -> Option<u32> {
    if let Ok(id) = name.parse() {
        return Some(id);
    }
    match name.strip_suffix("[]") {
        Some(element) => TYPES.iter().find(|one| one.name == element && one.array != 0).map(|one| one.array),
        None => TYPES.iter().find(|one| one.name == name).map(|one| one.id),
    }
}

fn kind(id: u32) -> Kind {
    let found = TYPES.iter().find(|one| one.id == id || one.array == id && id != 0);
    found.map_or(Kind::Other, |one| if one.id == id { one.kind } else { Kind::Array(one.id) })
}

/// How many bytes the server says that a type's values have: -1 where that varies.
pub(super) fn len(id: u32) -> i16 {
    match kind(id) {
        Kind::Bool => 1,
        Kind::Int(2) => 2,
        Kind::Int(4) | Kind::Oid | Kind::Float4 | Kind::Date => 4,
        Kind::Int(_) | Kind::Float8 | Kind::Time | Kind::Timestamp | Kind::TimestampTz => 8,
        Kind::TimeTz => 12,
        Kind::Interval | Kind::Uuid => 16,
        _ => -1,
    }
}

/// Reads a value that is not null.
pub(super) fn decode(id: u32, format: Format, bytes: &[u8]) -> Value {
    let kind = kind(id);
    match format {
        Format::Text if is_text(kind) => Value::text(bytes),
        Format::Text => match from_text(kind, bytes) {
            Some(value) if to_text(kind, &value).as_deref() == Some(bytes) => value,
            _ if kind == Kind::Bytea => Value::Tagged(TEXT, Box::new(Value::text(bytes))),
            _ => Value::text(bytes),
        },
        Format::Binary => match from_binary(kind, bytes) {
            Some(value) if to_binary(kind, &value).as_deref() == Some(bytes) => value,
            _ => Value::Tagged(BINARY, Box::new(Value::text(bytes))),
        },
    }
}

/// Writes a value that is not null.
///
/// # Errors
/// Why it has no such form, for a person.
pub(super) fn encode(id: u32, format: Format, value: &Value) -> Result<Vec<u8>, String> {
    let written = match (format, value) {
        (Format::Text, Value::Tagged(TEXT, text)) => text.as_bytes().map(<[u8]>::to_vec),
        (Format::Binary, Value::Tagged(BINARY, bytes)) => bytes.as_bytes().map(<[u8]>::to_vec),
        (_, Value::Tagged(..)) => None,
        (Format::Text, value) => to_text(kind(id), value),
        (Format::Binary, value) => to_binary(kind(id), value),
    };
    written.ok_or_else(|| {
        let format = if format == Format::Text { "text" } else { "binary" };
        format!("a {} of type {} has no {format} format here", value.kind(), name(id))
    })
}

/// Whether a type's text is its value.
fn is_text(kind: Kind) -> bool {
    use Kind::{Array, Bool, Bytea, Float4, Float8, Int, Numeric, Oid};
    !matches!(kind, Bool | Int(_) | Oid | Float4 | Float8 | Numeric | Bytea | Array(_))
}

fn from_text(kind: Kind, bytes: &[u8]) -> Option<Value> {
    let text = || std::str::from_utf8(bytes).ok();
    match kind {
        Kind::Bool => match bytes {
            b"t" => Some(Value::Bool(true)),
            b"f" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Int(_) | Kind::Oid | Kind::Float4 | Kind::Float8 | Kind::Numeric => number::of_text(text()?),
        Kind::Bytea => from_hex(bytes.strip_prefix(b"\\x")?).map(|bytes| Value::Str(bytes.into())),
        Kind::Array(element) => array::from_text(element, bytes),
        _ => Some(Value::text(bytes)),
    }
}

fn to_text(kind: Kind, value: &Value) -> Option<Vec<u8>> {
    Some(match (kind, value) {
        (Kind::Bool, Value::Bool(truth)) => if *truth { "t" } else { "f" }.into(),
        (Kind::Bytea, Value::Str(bytes)) => [b"\\x".as_slice(), &to_hex(bytes)].concat(),
        (Kind::Array(element), Value::List(items)) => array::to_text(element, items)?,
        (_, Value::Str(text)) => text.to_vec(),
        (_, Value::Int(number)) => number.to_string().into(),
        (_, Value::Uint(number)) => number.to_string().into(),
        (_, Value::Decimal(digits)) => digits.as_bytes().to_vec(),
        _ => return None,
    })
}

fn from_binary(kind: Kind, bytes: &[u8]) -> Option<Value> {
    let utf8 = |text: String| Value::Str(Bytes::from(text));
    Some(match kind {
        Kind::Bool => match bytes {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            _ => return None,
        },
        Kind::Int(2) => Value::Int(i16::from_be_bytes(bytes.try_into().ok()?).into()),
        Kind::Int(4) => Value::Int(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        Kind::Int(_) => Value::Int(i64::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Oid => Value::Int(u32::from_be_bytes(bytes.try_into().ok()?).into()),
        Kind::Float4 => number::of_text(&number::float4(f32::from_be_bytes(bytes.try_into().ok()?)))?,
        Kind::Float8 => number::of_text(&number::float8(f64::from_be_bytes(bytes.try_into().ok()?)))?,
        Kind::Numeric => number::of_text(&number::from_numeric(bytes)?)?,
        Kind::Text | Kind::Bytea => Value::text(bytes),
        Kind::Jsonb => Value::text(bytes.strip_prefix(&[1])?),
        Kind::Date => utf8(datetime::date(bytes)?),
        Kind::Time => utf8(datetime::time(bytes)?),
        Kind::TimeTz => utf8(datetime::timetz(bytes)?),
        Kind::Timestamp => utf8(datetime::timestamp(bytes)?),
        Kind::TimestampTz => utf8(datetime::timestamptz(bytes)?),
        Kind::Interval => utf8(interval::from_binary(bytes)?),
        Kind::Uuid => utf8(network::uuid(bytes)?),
        Kind::Inet | Kind::Cidr => utf8(network::inet(bytes)?),
        Kind::Array(element) => array::from_binary(element, bytes)?,
        Kind::Other => return None,
    })
}

fn to_binary(kind: Kind, value: &Value) -> Option<Vec<u8>> {
    let digits = || match value {
        Value::Int(number) => Some(number.to_string()),
        Value::Uint(number) => Some(number.to_string()),
        Value::Decimal(digits) => Some(digits.to_string()),
        Value::Str(_) => value.as_str().map(str::to_owned),
        _ => None,
    };
    Some(match (kind, value) {
        (Kind::Bool, Value::Bool(truth)) => vec![u8::from(*truth)],
        (Kind::Int(2), Value::Int(number)) => i16::try_from(*number).ok()?.to_be_bytes().to_vec(),
        (Kind::Int(4), Value::Int(number)) => i32::try_from(*number).ok()?.to_be_bytes().to_vec(),
        (Kind::Int(8), Value::Int(number)) => number.to_be_bytes().to_vec(),
        (Kind::Oid, Value::Int(number)) => u32::try_from(*number).ok()?.to_be_bytes().to_vec(),
        (Kind::Float4, _) => number::parse_float::<f32>(&digits()?)?.to_be_bytes().to_vec(),
        (Kind::Float8, _) => number::parse_float::<f64>(&digits()?)?.to_be_bytes().to_vec(),
        (Kind::Numeric, _) => number::to_numeric(&digits()?)?,
        (Kind::Text | Kind::Bytea, Value::Str(bytes)) => bytes.to_vec(),
        (Kind::Jsonb, Value::Str(text)) => [&[1], text.as_ref()].concat(),
        (Kind::Date, _) => datetime::date_bytes(value.as_str()?)?,
        (Kind::Time, _) => datetime::time_bytes(value.as_str()?)?,
        (Kind::TimeTz, _) => datetime::timetz_bytes(value.as_str()?)?,
        (Kind::Timestamp, _) => datetime::timestamp_bytes(value.as_str()?)?,
        (Kind::TimestampTz, _) => datetime::timestamptz_bytes(value.as_str()?)?,
        (Kind::Interval, _) => interval::to_binary(value.as_str()?)?,
        (Kind::Uuid, _) => network::uuid_bytes(value.as_str()?)?,
        (Kind::Inet, _) => network::inet_bytes(value.as_str()?, false)?,
        (Kind::Cidr, _) => network::inet_bytes(value.as_str()?, true)?,
        (Kind::Array(element), Value::List(items)) => array::to_binary(element, items)?,
        // An enumeration, a domain over text, a type of an extension: nobody can tell but by its number's meaning on that server.
        _ => return None,
    })
}

pub(super) fn to_hex(bytes: &[u8]) -> Vec<u8> {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).map_or(b'0', |c| u8::try_from(c).unwrap_or(b'0'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

pub(super) fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?)).collect()
}

#[cfg(test)]
mod tests;
