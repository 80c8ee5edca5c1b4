//! Values out of the bytes that a kernel program wrote, as people see them: a text that was cut shows it, a timestamp is a date.
//!
//! The layout itself is the compiler's: [`reel_compiler::native::layout`].

use reel_compiler::ir::OutputArg;
use reel_compiler::native::layout::{self, Odd};
use reel_lang::value::Value;

use super::strftime;

/// Values as they are shown.
#[derive(Debug, Clone, Copy)]
pub struct AsShown;

/// What is shown behind a text that did not fit, as bpftrace shows it.
const TRAILER: &[u8] = b"..";

impl Odd for AsShown {
    fn cut(&self, whole: &[u8]) -> Value {
        Value::text([whole, TRAILER].concat())
    }

    fn timestamp(&self, ns: i64, format: &[u8]) -> Value {
        Value::text(strftime::since_boot(&String::from_utf8_lossy(format), ns))
    }
}

/// Reads one argument out of a record.
pub fn decode(arg: &OutputArg, record: &[u8]) -> Value {
    layout::read(arg, record, &AsShown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_lang::ty::Ty;

    fn arg(ty: Ty, len_bytes: u32) -> OutputArg {
        OutputArg { ty, offset: 0, len_bytes, items: Vec::new() }
    }

    #[test]
    fn a_cut_text_shows_it() {
        assert_eq!(decode(&arg(Ty::Str, 4), b"abc\xff"), Value::from("abc.."));
        assert_eq!(decode(&arg(Ty::Str, 4), b"ab\xfe\0"), Value::from("ab"));
    }

    #[test]
    fn a_timestamp_brings_its_format() {
        let record = [&5u64.to_le_bytes()[..], b"x%%\0\0\0\0\0"].concat();
        assert_eq!(decode(&arg(Ty::Timestamp, 16), &record), Value::from("x%"));
    }
}
