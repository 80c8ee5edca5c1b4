//! Functions of the language that work on values, by name: `int(x)`, `len(x)`, `lower(s)`.
//!
//! `header` and `headers` are not names of the language: `header[$x]` with a computed name lowers to them.

use reel_lang::value::Value;

use super::path::Found;
use super::{View, number, path, route};

/// Calls a function; `None` where no function of this name works on values alone, and the engine may know it.
pub fn call<'a>(name: &str, args: &[View<'a>]) -> Option<Found<'a>> {
    let arg = |index: usize| args.get(index).copied().unwrap_or_default();
    let text = |index: usize| arg(index).bytes().unwrap_or_default();
    let view = |view: View<'a>| Some(Found::View(view));
    let made = |bytes: Option<Vec<u8>>| Some(Found::Made(bytes.map_or(Value::Nil, |bytes| Value::Str(bytes.into()))));
    match name {
        "int" => view(int(arg(0))),
        "len" => view(View::from(len(arg(0)) as u64)),
        "strlen" => view(View::from(text(0).len() as u64)),
        "lower" => made(arg(0).bytes().map(<[u8]>::to_ascii_lowercase)),
        "route" => made(arg(0).bytes().map(route::route)),
        "upper" => made(arg(0).bytes().map(<[u8]>::to_ascii_uppercase)),
        "str" => view(cut(arg(0), args.get(1).copied())),
        "strcontains" => view(View::Bool(memchr::memmem::find(text(0), text(1)).is_some())),
        "strncmp" => {
            let max = number::bits(arg(2)).and_then(|max| usize::try_from(max).ok()).unwrap_or(0);
            let cut = |bytes: &'a [u8]| bytes.get(..max).unwrap_or(bytes);
            view(View::Int(i64::from(cut(text(0)) != cut(text(1)))))
        }
        "header" => view(path::header(arg(0), text(1))),
        "headers" => Some(Found::Made(path::headers(arg(0), text(1)))),
        _ => None,
    }
}

/// The integer of a number, or that a text holds; else nil. A decimal is cut towards zero.
fn int(value: View<'_>) -> View<'static> {
    if let View::Str(bytes) = value {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return View::Nil;
        }
        return match (text.parse::<i64>(), text.parse::<u64>()) {
            (Ok(number), _) => View::Int(number),
            (_, Ok(number)) => View::Uint(number),
            _ => View::Nil,
        };
    }
    match (value, number::bits(value)) {
        (View::Uint(number), _) => View::Uint(number),
        (View::Value(Value::Decimal(text)), Some(bits)) if bits < 0 && !text.starts_with('-') => {
            View::Uint(bits.cast_unsigned())
        }
        (_, Some(bits)) => View::Int(bits),
        (_, None) => View::Nil,
    }
}

/// A text, of at most so many bytes with the NUL that it has in C. A text without a limit is as long as it is.
fn cut<'a>(text: View<'a>, len_bytes: Option<View<'a>>) -> View<'a> {
    let (Some(bytes), Some(len_bytes)) = (text.bytes(), len_bytes) else { return text };
    let len_bytes = number::bits(len_bytes).and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
    View::Str(bytes.get(..len_bytes.saturating_sub(1)).unwrap_or(bytes))
}

/// The number of elements or bytes.
fn len(value: View<'_>) -> usize {
    match value {
        View::Str(bytes) => bytes.len(),
        View::Value(Value::List(items)) => items.len(),
        View::Value(Value::Map(pairs)) => pairs.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, args: &[Value], expect: Value) {
        let args: Vec<View<'_>> = args.iter().map(View::of).collect();
        let found = match call(name, &args) {
            Some(Found::View(view)) => view.to_value(),
            Some(Found::Made(value)) => value,
            None => Value::text("no such function"),
        };
        assert_eq!(found, expect, "{name} {args:?}");
    }

    #[test]
    fn int_reads_decimal_text() {
        check("int", &[Value::text("12")], Value::Int(12));
        check("int", &[Value::text("-12")], Value::Int(-12));
        check("int", &[Value::text("18446744073709551615")], Value::Uint(u64::MAX));
        check("int", &[Value::text("18446744073709551616")], Value::Nil);
        check("int", &[Value::text("+1")], Value::Nil);
        check("int", &[Value::text("1x")], Value::Nil);
        check("int", &[Value::text("")], Value::Nil);
        check("int", &[Value::Decimal("1.9".into())], Value::Int(1));
        check("int", &[Value::Nil], Value::Nil);
        check("int", &[], Value::Nil);
    }

    #[test]
    fn text_functions() {
        check("len", &[Value::text("abc")], Value::Int(3));
        check("len", &[Value::List(vec![Value::Nil])], Value::Int(1));
        check("len", &[Value::Nil], Value::Int(0));
        check("lower", &[Value::text("AbC")], Value::text("abc"));
        check("upper", &[Value::Nil], Value::Nil);
        check("str", &[Value::text("abc"), Value::Int(3)], Value::text("ab"));
        check("str", &[Value::text("abc"), Value::Int(4)], Value::text("abc"));
        check("str", &[Value::text("abc"), Value::Int(0)], Value::text(""));
        check("str", &[Value::text("abc")], Value::text("abc"));
        check("str", &[Value::Nil, Value::Int(3)], Value::Nil);
        check("route", &[Value::text("/orders/1001")], Value::text("/orders/:id"));
        check("route", &[Value::Nil], Value::Nil);
        check("strcontains", &[Value::text("abcd"), Value::text("bc")], Value::Bool(true));
        check("strncmp", &[Value::text("abc"), Value::text("abd"), Value::Int(2)], Value::Int(0));
        check("strncmp", &[Value::text("abc"), Value::text("abd"), Value::Int(3)], Value::Int(1));
        check("strncmp", &[Value::text("ab"), Value::text("abd"), Value::Int(3)], Value::Int(1));
        check("frob", &[], Value::text("no such function"));
    }
}
