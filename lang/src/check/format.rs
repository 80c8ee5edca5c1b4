//! Format strings of printf and its like: directives against arguments.
//!
//! `%[-+ #0][width|*][.precision|.*][hh|h|l|ll|j|z|t]conversion`, with bpftrace's conversions: `d i u o x X c p s` and, for
//! bytes, `r rh rx`.

use super::Checker;
use super::infer::{coerce, is_char_array};
use super::literal::text_of;
use crate::diagnostic::{Diagnostic, code};
use crate::hir;
use crate::ty::Ty;

/// What a directive takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// `%d` and the other numeric conversions.
    Number,
    /// `%s`
    Text,
    /// `%r`
    Bytes,
}

/// One directive, or the width that one takes from the arguments.
#[derive(Debug)]
struct Directive {
    wants: Wants,
    /// As written.
    text: String,
}

impl<'a> Checker<'a> {
    /// Checks a call's arguments, of which the first is the format, and makes numbers of those that are printed as such.
    pub(super) fn format_arguments(&mut self, args: &mut [hir::Expr]) {
        let Some((format, values)) = args.split_first_mut() else {
            return;
        };
        let Some(text) = text_of(format) else {
            return;
        };
        let directives = match directives(text) {
            Ok(directives) => directives,
            Err(wrong) => {
                let span = format.span;
                *format =
                    self.fault(Diagnostic::new(code::BAD_FORMAT, span, wrong).hint("write `%%` for a percent sign"));
                return;
            }
        };
        if directives.len() != values.len() {
            let (wanted, found) = (directives.len(), values.len());
            let span = values.last().map_or(format.span, |last| format.span.to(last.span));
            *format = self.fault(Diagnostic::new(
                code::FORMAT_COUNT,
                span,
                format!(
                    "the format takes {} after it, and {found} {} given",
                    arguments(wanted),
                    if found == 1 { "is" } else { "are" }
                ),
            ));
            return;
        }
        for (directive, value) in directives.iter().zip(values) {
            let place = value.span;
            let taken = std::mem::replace(value, super::error_expr(place));
            *value = self.formatted(directive, taken);
        }
    }

    fn formatted(&mut self, directive: &Directive, value: hir::Expr) -> hir::Expr {
        let value = match directive.wants {
            Wants::Number => self.plain(value),
            _ => value,
        };
        let ok = match (directive.wants, &value.ty) {
            (_, Ty::Error) => true,
            (_, Ty::Void) => false,
            (Wants::Number, ty) => ty.int().is_some() && !matches!(ty, Ty::Probe | Ty::Username),
            (Wants::Text, Ty::Int(_) | Ty::Ptr(..)) => false,
            (Wants::Text, Ty::Agg(_) | Ty::Tuple(_)) => false,
            (Wants::Text, ty) => !matches!(ty, Ty::Array(..)) || is_char_array(ty),
            (Wants::Bytes, ty) => matches!(ty, Ty::Buf(_) | Ty::Str | Ty::Array(..) | Ty::Any),
        };
        if ok {
            return if directive.wants == Wants::Text && is_char_array(&value.ty) {
                coerce(value, &Ty::Str)
            } else {
                value
            };
        }
        let diagnostic = Diagnostic::new(
            code::FORMAT_TYPE,
            value.span,
            format!("`{}` does not print a value of type {}", directive.text, value.ty),
        )
        .label(value.ty.to_string());
        self.fault(match (directive.wants, &value.ty) {
            (Wants::Text, Ty::Int(_)) => diagnostic.hint("write `%d`"),
            (Wants::Text, Ty::Ptr(..)) => diagnostic.hint("write `%p`, or `str(...)` around a pointer to text"),
            (Wants::Number, Ty::Any) => diagnostic.hint("write `%s`, or `int(...)` around the value"),
            (Wants::Number, _) => diagnostic.hint("write `%s`"),
            _ => diagnostic.hint("use `print(...)`"),
        })
    }
}

/// Reads the directives of a format.
fn directives(format: &[u8]) -> Result<Vec<Directive>, String> {
    let mut found = Vec::new();
    let mut rest = format;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let spec = rest.get(at + 1..).unwrap_or_default();
        let len = directive(spec, &mut found)?;
        rest = spec.get(len..).unwrap_or_default();
    }
    Ok(found)
}

/// Reads what follows a `%`, and gives its length.
fn directive(spec: &[u8], found: &mut Vec<Directive>) -> Result<usize, String> {
    let at = |i: usize| spec.get(i).copied();
    let mut i = 0;
    while matches!(at(i), Some(b'-' | b'+' | b' ' | b'#' | b'0' | b'\'')) {
        i += 1;
    }
    for part in 0..2 {
        if part == 1 {
            if at(i) != Some(b'.') {
                break;
            }
            i += 1;
        }
        if at(i) == Some(b'*') {
            found.push(Directive { wants: Wants::Number, text: "*".to_owned() });
            i += 1;
        }
        while at(i).is_some_and(|b| b.is_ascii_digit()) {
            i += 1;
        }
    }
    while matches!(at(i), Some(b'h' | b'l' | b'j' | b'z' | b't')) {
        i += 1;
    }
    let wants = match at(i) {
        Some(b'%') if i == 0 => return Ok(1),
        Some(b'd' | b'i' | b'u' | b'o' | b'x' | b'X' | b'c' | b'p') => Wants::Number,
        Some(b's') => Wants::Text,
        Some(b'r') => {
            i += usize::from(matches!(at(i + 1), Some(b'h' | b'x')));
            Wants::Bytes
        }
        Some(other) => {
            let text = String::from_utf8_lossy(spec.get(..=i).unwrap_or_default());
            return Err(if other.is_ascii_graphic() {
                format!("`%{text}` is not a directive")
            } else {
                "a `%` begins no directive".to_owned()
            });
        }
        None => return Err("the format ends within a directive".to_owned()),
    };
    let text = format!("%{}", String::from_utf8_lossy(spec.get(..=i).unwrap_or_default()));
    found.push(Directive { wants, text });
    Ok(i + 1)
}

fn arguments(n: usize) -> String {
    match n {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        n => format!("{n} arguments"),
    }
}
