//! What came of a call, as it arrives message by message, and as a response's fields.

use bytes::Bytes;
use reel_lang::schema::Side;
use reel_lang::value::Value;

use super::fields::{self, Described};
use super::rows::{Rows, Shape};
use super::slots::response;
use super::types::Format;
use super::wire::{Column, Copy};
use super::{SCHEMA, text};
use crate::Message;

/// What came of one statement.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    columns: Option<Vec<Described>>,
    shapes: Vec<Shape>,
    rows: Option<Rows>,
    tag: Option<Bytes>,
    copy: Option<Copied>,
}

/// What a COPY does.
#[derive(Debug)]
struct Copied {
    is_in: bool,
    copy: Copy,
    data: Vec<u8>,
    /// Where each message ends in the data, where that is not at each line's end.
    chunks: Vec<Bytes>,
    is_lines: bool,
}

/// What came of a call.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    whole: Vec<Outcome>,
    current: Outcome,
    error: Option<Value>,
    notices: Vec<Value>,
    parameters: Vec<(Value, Value)>,
    param_types: Value,
    auth: Option<&'static str>,
    value: Value,
    is_suspended: bool,
    is_skipped: bool,
}

impl Outcomes {
    pub(super) fn skipped() -> Self {
        Outcomes { is_skipped: true, ..Outcomes::default() }
    }

    /// Whether nothing was told yet.
    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty()
            && self.is_fresh()
            && self.error.is_none()
            && self.notices.is_empty()
            && self.parameters.is_empty()
    }

    /// Whether nothing is known of the rows to come.
    pub(super) fn is_fresh(&self) -> bool {
        self.current.columns.is_none() && self.current.rows.is_none() && self.current.shapes.is_empty()
    }

    /// The columns of the rows to come, as a message describes them, each with its format.
    pub(super) fn describe(&mut self, columns: &[Column<'_>]) {
        let shape =
            |column: &Column<'_>| Shape { id: column.id, format: Format::of(column.format).unwrap_or(Format::Text) };
        self.current.shapes = columns.iter().map(shape).collect();
        self.current.columns = Some(columns.iter().map(Described::of).collect());
        self.current.rows = Some(Rows::default());
    }

    /// The columns of the rows to come, as they were described before, in the formats that Bind asked for.
    pub(super) fn described(&mut self, columns: Option<&[Described]>, formats: &[u16]) {
        let Some(columns) = columns else { return };
        let format = |index| Format::nth(formats, index).unwrap_or(Format::Text);
        self.current.shapes =
            columns.iter().enumerate().map(|(index, column)| Shape { id: column.id, format: format(index) }).collect();
        self.current.columns = Some(columns.to_vec());
        self.current.rows = Some(Rows::default());
    }

    /// The same, of rows whose columns nobody asked for.
    pub(super) fn undescribed(&mut self, formats: &[u16]) {
        let is_binary = |index| Format::nth(formats, index) == Some(Format::Binary);
        let count = formats.len().max(1);
        // One code stands for all columns; how many there are is not known.
        let shapes = (0..count)
            .map(|index| Shape { id: 0, format: if is_binary(index) { Format::Binary } else { Format::Text } });
        self.current.shapes = shapes.collect();
    }

    pub(super) fn row(&mut self, cells: &[Option<&[u8]>]) {
        let Outcome { shapes, rows, columns, .. } = &mut self.current;
        if columns.is_none() && shapes.len() == 1 {
            let all = shapes.first().copied();
            shapes.extend(all.into_iter().cycle().take(cells.len().saturating_sub(1)));
        }
        rows.get_or_insert_default().push(shapes, cells);
    }

    /// A statement is done.
    pub(super) fn complete(&mut self, tag: &[u8]) {
        self.current.tag = Some(Bytes::copy_from_slice(tag));
        self.whole.push(std::mem::take(&mut self.current));
    }

    pub(super) fn suspend(&mut self) {
        self.is_suspended = true;
        self.whole.push(std::mem::take(&mut self.current));
    }

    pub(super) fn copy(&mut self, copy: Copy, is_in: bool) {
        self.current.copy = Some(Copied { is_in, copy, data: Vec::new(), chunks: Vec::new(), is_lines: true });
        if is_in {
            self.whole.push(std::mem::take(&mut self.current));
        }
    }

    /// A message of a COPY's data.
    pub(super) fn copy_data(&mut self, bytes: &[u8]) {
        let Some(copied) = &mut self.current.copy else { return };
        let is_line = copied.copy.format == 0
            && bytes.iter().position(|byte| *byte == b'\n') == Some(bytes.len().saturating_sub(1));
        if copied.is_lines && !is_line {
            copied.is_lines = false;
            let lines = std::mem::take(&mut copied.data);
            copied.chunks = lines.split_inclusive(|byte| *byte == b'\n').map(Bytes::copy_from_slice).collect();
        }
        if copied.is_lines {
            copied.data.extend_from_slice(bytes);
        } else {
            copied.chunks.push(Bytes::copy_from_slice(bytes));
        }
    }

    pub(super) fn fail(&mut self, report: Value) {
        self.error = Some(report);
    }

    pub(super) fn notice(&mut self, report: Value) {
        self.notices.push(report);
    }

    pub(super) fn parameter(&mut self, name: &[u8], value: &[u8]) {
        self.parameters.push((Value::text(name), Value::text(value)));
    }

    pub(super) fn param_types(&mut self, ids: &[u32]) {
        self.param_types = Value::List(ids.iter().map(|id| Value::text(super::types::name(*id))).collect());
    }

    /// The columns of a statement that is described and not run.
    pub(super) fn prepared(&mut self, columns: Option<&[Described]>) {
        self.current.columns = columns.map(<[Described]>::to_vec);
        self.whole.push(std::mem::take(&mut self.current));
    }

    pub(super) fn auth(&mut self, method: &'static str) {
        self.auth = Some(method);
    }

    pub(super) fn value(&mut self, value: Value) {
        self.value = value;
    }

    /// The response's message, of so many bytes.
    pub(super) fn into_message(mut self, wire_len: u64) -> Message {
        let mut message = Message::new(&SCHEMA, Side::Response);
        message.wire_len = wire_len;
        let is_begun = self.current.rows.is_some() || self.current.copy.is_some();
        if is_begun && self.error.is_some() {
            // Rows that came before the error.
            self.whole.push(std::mem::take(&mut self.current));
        }
        match self.whole.len() {
            0 => {}
            1 => self.whole.into_iter().for_each(|only| {
                let Outcome { columns, rows, tag, copy, .. } = only;
                message.put(response::COLUMNS, columns.map_or(Value::Nil, |columns| fields::columns(&columns)));
                message.put(response::ROWS, rows.map_or(Value::Nil, Rows::into_value));
                message.put(response::TAG, tag.map_or(Value::Nil, Value::Str));
                message.put(response::COPY, copy.map_or(Value::Nil, Copied::into_value));
            }),
            _ => {
                let all = self.whole.into_iter().map(Outcome::into_value).collect();
                message.put(response::RESULTS, Value::List(all));
            }
        }
        message.put(response::ERROR, self.error.unwrap_or_default());
        if !self.notices.is_empty() {
            message.put(response::NOTICES, Value::List(self.notices));
        }
        if !self.parameters.is_empty() {
            message.put(response::PARAMETERS, Value::Map(self.parameters));
        }
        message.put(response::PARAM_TYPES, self.param_types);
        message.put(response::AUTH, self.auth.map_or(Value::Nil, text));
        message.put(response::VALUE, self.value);
        let truth = |is_so: bool| if is_so { Value::Bool(true) } else { Value::Nil };
        message.put(response::SUSPENDED, truth(self.is_suspended));
        message.put(response::SKIPPED, truth(self.is_skipped));
        super::derive(&mut message);
        message
    }
}

impl Outcome {
    fn into_value(self) -> Value {
        let Outcome { columns, rows, tag, copy, .. } = self;
        let fields = [
            ("tag", tag.map_or(Value::Nil, Value::Str)),
            ("columns", columns.map_or(Value::Nil, |columns| fields::columns(&columns))),
            ("rows", rows.map_or(Value::Nil, Rows::into_value)),
            ("copy", copy.map_or(Value::Nil, Copied::into_value)),
        ];
        let said = fields.into_iter().filter(|(_, value)| !value.is_nil());
        Value::Map(said.map(|(name, value)| (text(name), value)).collect())
    }
}

impl Copied {
    fn into_value(self) -> Value {
        let Copied { is_in, copy, data, chunks, is_lines } = self;
        let mut pairs = vec![
            (text("direction"), text(if is_in { "in" } else { "out" })),
            (text("format"), text(if copy.format == 0 { "text" } else { "binary" })),
            (text("columns"), Value::Int(i64::try_from(copy.columns.len()).unwrap_or(i64::MAX))),
        ];
        if !is_in {
            let chunks = || Value::List(chunks.into_iter().map(Value::Str).collect());
            pairs.push((text("data"), if is_lines { Value::Str(data.into()) } else { chunks() }));
        }
        Value::Map(pairs)
    }
}
