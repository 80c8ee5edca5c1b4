//! The rows of a result: lists of values, and where there are many of them one text, as COPY writes it.
//!
//! The text is that of `COPY ... TO STDOUT`: a line a row, tabs between values, `\N` for null, and escapes for what would be taken for
//! these. A value in the binary format that is not understood stands behind `\B`, in hexadecimal digits; a `bytea` that is not
//! hexadecimal behind `\T`, as its text.

use bytes::Bytes;
use reel_lang::value::Value;

use super::types::{self, Format, from_hex, to_hex};

/// How many bytes of values are kept as lists.
pub(super) const LISTS_LEN_BYTES_MAX: usize = 64 << 10;

/// The rows of a result that is arriving.
#[derive(Debug, Default)]
pub(super) struct Rows {
    lists: Vec<Value>,
    len_bytes: usize,
    /// Everything, once it is too much for lists.
    text: Option<Vec<u8>>,
}

/// What rows are made by: each column's type and format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) id: u32,
    pub(super) format: Format,
}

impl Rows {
    /// Takes a row.
    pub(super) fn push(&mut self, shapes: &[Shape], cells: &[Option<&[u8]>]) {
        self.len_bytes = self.len_bytes.saturating_add(cells.iter().flatten().map(|cell| cell.len()).sum());
        let unknown = Shape { id: 0, format: Format::Text };
        let shape = |index: usize| shapes.get(index).copied().unwrap_or(unknown);
        let values = cells.iter().enumerate().map(|(index, cell)| match cell {
            None => Value::Null,
            Some(bytes) => types::decode(shape(index).id, shape(index).format, bytes),
        });
        if self.len_bytes <= LISTS_LEN_BYTES_MAX {
            self.lists.push(Value::List(values.collect()));
            return;
        }
        let ids: Vec<u32> = shapes.iter().map(|shape| shape.id).collect();
        let lists = std::mem::take(&mut self.lists);
        let text = self.text.get_or_insert_with(|| {
            let mut text = Vec::new();
            for list in lists {
                if let Value::List(values) = list {
                    put_line(&ids, &values, &mut text);
                }
            }
            text
        });
        put_line(&ids, &values.collect::<Vec<_>>(), text);
    }

    /// The rows as a value.
    pub(super) fn into_value(self) -> Value {
        match self.text {
            Some(text) => Value::Str(Bytes::from(text)),
            None => Value::List(self.lists),
        }
    }
}

fn put_line(ids: &[u32], values: &[Value], out: &mut Vec<u8>) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b'\t');
        }
        let id = ids.get(index).copied().unwrap_or(0);
        match value {
            Value::Null => out.extend_from_slice(b"\\N"),
            Value::Tagged(types::BINARY, bytes) => {
                out.extend_from_slice(b"\\B");
                out.extend(to_hex(bytes.as_bytes().unwrap_or_default()));
            }
            Value::Tagged(types::TEXT, text) => {
                out.extend_from_slice(b"\\T");
                escape(text.as_bytes().unwrap_or_default(), out);
            }
            // Every value that `decode` makes has a text.
            value => escape(&types::encode(id, Format::Text, value).unwrap_or_default(), out),
        }
    }
    out.push(b'\n');
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr3(b'\\', b'\t', b'\n', rest).into_iter().chain(memchr::memchr(b'\r', rest)).min()
    {
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        out.push(b'\\');
        out.push(match special.first() {
            Some(b'\t') => b't',
            Some(b'\n') => b'n',
            Some(b'\r') => b'r',
            _ => b'\\',
        });
        rest = special.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Gives each row's values to `each`, until it fails. Where a column is wanted as text, a value that is written as text is given as that.
///
/// # Errors
/// What is wrong with the rows, for a person; and whatever `each` says.
pub(super) fn for_each(
    rows: &Value,
    shapes: &[Shape],
    mut each: impl FnMut(&[Value]) -> Result<(), String>,
) -> Result<(), String> {
    match rows.untagged() {
        Value::Nil => Ok(()),
        Value::List(lists) => lists.iter().try_for_each(|list| match list {
            Value::List(values) => each(values),
            _ => Err("a row must be a list of values".to_owned()),
        }),
        Value::Str(text) => {
            let mut rest: &[u8] = text;
            while !rest.is_empty() {
                let end = memchr::memchr(b'\n', rest).ok_or("the last row has no end of line")?;
                each(&read_line(rest.get(..end).unwrap_or_default(), shapes))?;
                rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
            }
            Ok(())
        }
        _ => Err("rows must be a list of lists, or a text as COPY writes it".to_owned()),
    }
}

fn read_line(line: &[u8], shapes: &[Shape]) -> Vec<Value> {
    let mut values = Vec::with_capacity(shapes.len());
    if line.is_empty() && shapes.is_empty() {
        return values;
    }
    let unknown = Shape { id: 0, format: Format::Text };
    let mut start = 0;
    for end in memchr::memchr_iter(b'\t', line).chain([line.len()]) {
        let shape = shapes.get(values.len()).copied().unwrap_or(unknown);
        values.push(read_cell(line.get(start..end).unwrap_or_default(), shape));
        start = end.saturating_add(1);
    }
    values
}

fn read_cell(cell: &[u8], shape: Shape) -> Value {
    match cell {
        [b'\\', b'N'] => Value::Null,
        [b'\\', b'B', digits @ ..] => {
            Value::Tagged(types::BINARY, Box::new(Value::Str(from_hex(digits).unwrap_or_default().into())))
        }
        [b'\\', b'T', text @ ..] => Value::Tagged(types::TEXT, Box::new(Value::Str(unescape(text).into()))),
        text => match shape.format {
            Format::Text => Value::Tagged(types::TEXT, Box::new(Value::Str(unescape(text).into()))),
            Format::Binary => types::decode(shape.id, Format::Text, &unescape(text)),
        },
    }
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        match rest.get(at.saturating_add(1)) {
            Some(b't') => out.push(b'\t'),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(other) => out.push(*other),
            None => {}
        }
        rest = rest.get(at.saturating_add(2)..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_result_is_a_text_that_gives_the_same_values() {
        let shape = |id, format| Shape { id, format };
        let shapes = [
            shape(23, Format::Text),
            shape(25, Format::Text),
            shape(17, Format::Text),
            shape(600, Format::Binary),
            shape(16, Format::Binary),
        ];
        let long = "x".repeat(LISTS_LEN_BYTES_MAX);
        let cells: [[Option<&[u8]>; 5]; 3] = [
            [Some(b"1"), Some(b"a\tb\nc\\d\r"), Some(b"\\x00ff"), Some(b"\x01\x02"), Some(b"\x01")],
            [None, Some(b"\\N"), Some(b"esc\\000"), None, None],
            [Some(b"2"), Some(long.as_bytes()), None, None, Some(b"\x00")],
        ];
        let (mut small, mut large) = (Rows::default(), Rows::default());
        for row in &cells {
            large.push(&shapes, row);
        }
        for row in cells.iter().take(2) {
            small.push(&shapes, row);
        }
        // Read to be written in the binary format, values are typed.
        let binary = shapes.map(|one| shape(one.id, Format::Binary));
        let read = |value: &Value, shapes: &[Shape]| {
            let mut all = Vec::new();
            let done = for_each(value, shapes, |values| {
                all.push(values.to_vec());
                Ok(())
            });
            assert_eq!(done, Ok(()));
            all
        };
        let (small, large) = (small.into_value(), large.into_value());
        assert!(matches!((&small, &large), (Value::List(_), Value::Str(_))));
        assert_eq!(read(&large, &binary).get(..2).map(<[_]>::to_vec), Some(read(&small, &binary)));
        assert_eq!(read(&large, &binary).len(), 3);
        for (values, row) in read(&large, &shapes).iter().zip(&cells) {
            for ((value, cell), shape) in values.iter().zip(row).zip(&shapes) {
                let written = (*value != Value::Null).then(|| types::encode(shape.id, shape.format, value));
                assert_eq!(written, cell.map(|cell| Ok(cell.to_vec())));
            }
        }
    }
}
