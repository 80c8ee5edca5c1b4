//! Reads bytes off the front of a slice, and never beyond its end.
//!
//! Indexing and unchecked arithmetic are denied in this crate: every decoder goes through this reader, whose answers are
//! `None` where the input ends.

/// A position in a slice.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    position: usize,
}

/// A line that ends in CR LF.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// The line without its end.
    Whole(&'a [u8]),
    /// The end has not arrived.
    Partial,
    /// No end within the limit, or an LF without CR before it.
    Bad,
}

impl<'a> Reader<'a> {
    /// Starts at a position, which may be beyond the end.
    pub(crate) fn at(input: &'a [u8], position: usize) -> Self {
        Reader { input, position }
    }

    /// The offset of the next byte.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.input.get(self.position..).unwrap_or_default()
    }

    /// The next byte, which stays.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.input.get(self.position).copied()
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.position = self.position.saturating_add(1);
        Some(byte)
    }

    /// Takes the next byte if it is this one.
    pub(crate) fn eat(&mut self, wanted: u8) -> bool {
        let eaten = self.peek() == Some(wanted);
        if eaten {
            self.position = self.position.saturating_add(1);
        }
        eaten
    }

    /// Takes these bytes if they are next.
    pub(crate) fn eat_all(&mut self, wanted: &[u8]) -> bool {
        let eaten = self.rest().starts_with(wanted);
        if eaten {
            self.position = self.position.saturating_add(wanted.len());
        }
        eaten
    }

    /// The next bytes, if there are so many.
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.position.checked_add(len)?;
        let taken = self.input.get(self.position..end)?;
        self.position = end;
        Some(taken)
    }

    /// The next number of two bytes, in network order.
    pub(crate) fn be_u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    /// The next number of four bytes, in network order.
    pub(crate) fn be_u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// The next number of eight bytes, in network order.
    pub(crate) fn be_u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// The bytes before the next zero byte, which is taken too.
    pub(crate) fn cstr(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let len = memchr::memchr(0, rest)?;
        self.position = self.position.saturating_add(len).saturating_add(1);
        rest.get(..len)
    }

    /// Takes the bytes for which the test holds.
    pub(crate) fn take_while(&mut self, holds: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|byte| !holds(*byte)).unwrap_or(rest.len());
        self.take(len).unwrap_or_default()
    }

    /// The next line, whose length without its end is at most `limit`. Reads nothing unless the line is whole.
    pub(crate) fn line(&mut self, limit: usize) -> Line<'a> {
        let rest = self.rest();
        let window = rest.get(..limit.saturating_add(2)).unwrap_or(rest);
        match memchr::memchr(b'\n', window) {
            Some(lf) => match window.get(..lf).and_then(|line| line.strip_suffix(b"\r")) {
                Some(line) => {
                    self.position = self.position.saturating_add(lf).saturating_add(1);
                    Line::Whole(line)
                }
                None => Line::Bad,
            },
            None if window.len() < rest.len() || rest.len() >= limit.saturating_add(2) => Line::Bad,
            None => Line::Partial,
        }
    }
}

/// A number of decimal digits and nothing else.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| digit.wrapping_sub(b'0'))?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A number of hexadecimal digits and nothing else.
pub(crate) fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        number.checked_mul(16)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_cr_lf_within_the_limit() {
        let cases: &[(&[u8], Line<'_>, usize)] = &[
            (b"ab\r\nc", Line::Whole(b"ab"), 4),
            (b"ab\r", Line::Partial, 0),
            (b"abcd\r\n", Line::Whole(b"abcd"), 6),
            (b"abcde\r\n", Line::Bad, 0),
            (b"abcdefgh", Line::Bad, 0),
            (b"ab\n", Line::Bad, 0),
            (b"", Line::Partial, 0),
        ];
        for (input, expected, position) in cases {
            let mut reader = Reader::at(input, 0);
            assert_eq!(&reader.line(4), expected, "{input:?}");
            assert_eq!(reader.position(), *position, "{input:?}");
        }
    }

    #[test]
    fn numbers_do_not_overflow() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616"), None);
        assert_eq!(decimal(b"+1"), None);
        assert_eq!(hexadecimal(b"fFfFfFfFfFfFfFfF"), Some(u64::MAX));
        assert_eq!(hexadecimal(b"10000000000000000"), None);
    }
}
