//! Values as text, as `print`, `%s` and map lines show them.

use std::borrow::Cow;
use std::fmt::Write;

use reel_lang::ty::Ty;
use reel_lang::value::Value;

/// What some types need to be shown, and only a running system knows.
pub trait Names {
    /// The name of an attach point by its index.
    fn probe(&self, index: u64) -> Option<String>;
    /// The enumerator of an enum.
    fn enumerator(&self, _enum: &str, _value: i64) -> Option<String> {
        None
    }
    /// The kernel symbol at an address.
    fn kernel_symbol(&self, _address: u64) -> Option<String> {
        None
    }
}

/// The names of nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn probe(&self, _: u64) -> Option<String> {
        None
    }
}

/// A value as text. Bytes that are not UTF-8 are shown as `\xNN`.
pub fn text(ty: &Ty, value: &Value, names: &dyn Names) -> String {
    match (ty, value) {
        (Ty::Tuple(items), Value::List(values)) => {
            let parts: Vec<String> = items.iter().zip(values).map(|(ty, value)| text(ty, value, names)).collect();
            format!("({})", parts.join(", "))
        }
        (Ty::Probe, Value::Int(index)) => names.probe(index.cast_unsigned()).unwrap_or_else(|| format!("probe{index}")),
        (Ty::Enum(name, _), Value::Int(number)) => {
            names.enumerator(name, *number).unwrap_or_else(|| number.to_string())
        }
        (Ty::KSym, Value::Int(_) | Value::Uint(_)) => {
            let address = address(value);
            names.kernel_symbol(address).unwrap_or_else(|| format!("{address:#x}"))
        }
        (Ty::Ptr(..), Value::Int(_) | Value::Uint(_)) => format!("{:#x}", address(value)),
        (Ty::Buf(_), Value::Str(bytes)) => bytes.iter().fold(String::new(), |mut out, byte| {
            let _ = write!(out, "\\x{byte:02x}");
            out
        }),
        _ => plain(value),
    }
}

/// A value without more of its type than it carries.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Nil => "nil".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Decimal(digits) => digits.to_string(),
        Value::Duration(ns) => duration(*ns),
        Value::Time(ns) => format!("{}.{:09}", ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000)),
        Value::Ip(ip) => ip.to_string(),
        Value::Str(bytes) => readable(bytes).into_owned(),
        Value::List(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Map(pairs) => {
            let parts: Vec<String> =
                pairs.iter().map(|(key, value)| format!("{}: {}", plain(key), plain(value))).collect();
            format!("{{{}}}", parts.join(", "))
        }
        Value::Tagged(_, inner) => plain(inner),
    }
}

/// Nanoseconds in the largest unit that keeps them exact to three digits.
pub fn duration(ns: i64) -> String {
    const UNITS: [(i64, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    for (unit, name) in UNITS {
        if ns.unsigned_abs() >= unit.unsigned_abs() {
            let digits = format!("{:.3}", ns as f64 / unit as f64);
            return format!("{}{name}", digits.trim_end_matches('0').trim_end_matches('.'));
        }
    }
    format!("{ns}ns")
}

/// Text that is safe for a terminal: bytes that are not UTF-8, and control characters but tab and newline, as `\xNN`.
pub fn readable(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(is_unsafe)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_unsafe(c) {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    Cow::Owned(out)
}

fn is_unsafe(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

fn address(value: &Value) -> u64 {
    match value {
        Value::Uint(number) => *number,
        Value::Int(number) => number.cast_unsigned(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_lang::ty::IntTy;

    #[test]
    fn durations_have_a_unit() {
        for (ns, expect) in
            [(0, "0ns"), (999, "999ns"), (1_500, "1.5us"), (20_000_000, "20ms"), (-1_250_000_000, "-1.25s")]
        {
            assert_eq!(duration(ns), expect);
        }
    }

    #[test]
    fn a_terminal_is_safe_from_text() {
        assert_eq!(readable(b"ok\n"), "ok\n");
        assert_eq!(readable(b"\x1b[2Jx\xff"), "\\x1b[2Jx\\xff");
    }

    #[test]
    fn tuples_show_their_parts() {
        let ty = Ty::Tuple(vec![Ty::Int(IntTy::I64), Ty::Str]);
        assert_eq!(text(&ty, &Value::List(vec![Value::Int(3), Value::from("a")]), &NoNames), "(3, a)");
    }
}
