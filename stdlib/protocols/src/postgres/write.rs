//! A response's fields as the messages that a server sends.

use reel_lang::value::Value;

use super::fields::{self, Described, text_of};
use super::rows::{self, Shape};
use super::slots::response;
use super::sql::Status;
use super::types::{self, Format};
use super::wire::{Backend, Copy, packet, put_cell, put_count};
use crate::Message;

/// How rows are to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Whether RowDescription goes before them.
    pub(super) is_described: bool,
    /// The formats that Bind asked for.
    pub(super) formats: &'a [u16],
    /// Whether large results are left out, whose text is not looked at before it is sent.
    pub(super) is_brief: bool,
}

/// The codes of formats for so many columns.
pub(super) fn formats_of(codes: &[u16], count: usize) -> Vec<u16> {
    (0..count).map(|index| u16::from(Format::nth(codes, index) == Some(Format::Binary))).collect()
}

/// The number of results that a response holds.
pub(super) fn succeeded(message: &Message) -> usize {
    match message.field(response::RESULTS).untagged() {
        Value::List(results) => results.len(),
        _ => usize::from(!message.field(response::TAG).is_nil()),
    }
}

/// Whether a response asks for the data of a COPY.
pub(super) fn is_copy_in(message: &Message) -> bool {
    let is_in = |copy: Option<&Value>| {
        copy.and_then(|copy| copy.entry("direction")).is_some_and(|direction| direction.as_bytes() == Some(b"in"))
    };
    match message.field(response::RESULTS).untagged() {
        Value::List(results) => results.last().is_some_and(|last| is_in(last.entry("copy"))),
        _ => is_in(Some(message.field(response::COPY))),
    }
}

/// Writes notices, results and the error of a response.
///
/// # Errors
/// What is wrong with it, or with the format that is wanted, for a person.
pub(super) fn outcome(message: &Message, wanted: Wanted<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    notices(message, out)?;
    let field = |id| message.field(id);
    match field(response::RESULTS).untagged() {
        Value::List(results) => {
            for each in results {
                if !matches!(each.untagged(), Value::Map(_)) {
                    return Err("a result must be a map".to_owned());
                }
                let entry = |name| each.entry(name).unwrap_or(&Value::Nil);
                result(entry("columns"), entry("rows"), entry("copy"), entry("tag"), wanted, out)?;
            }
        }
        Value::Nil => {
            let [columns, rows] = [field(response::COLUMNS), field(response::ROWS)];
            result(columns, rows, field(response::COPY), field(response::TAG), wanted, out)?;
        }
        _ => return Err("results must be a list".to_owned()),
    }
    match field(response::SUSPENDED).untagged() {
        Value::Nil | Value::Bool(false) => {}
        Value::Bool(true) => Backend::PortalSuspended.write(out),
        _ => return Err("suspended must be true or false".to_owned()),
    }
    error(message, out)
}

pub(super) fn notices(message: &Message, out: &mut Vec<u8>) -> Result<(), String> {
    match message.field(response::NOTICES).untagged() {
        Value::Nil => Ok(()),
        Value::List(notices) => notices.iter().try_for_each(|notice| fields::write_report(notice, false, out)),
        _ => Err("notices must be a list".to_owned()),
    }
}

pub(super) fn error(message: &Message, out: &mut Vec<u8>) -> Result<(), String> {
    match message.field(response::ERROR).untagged() {
        Value::Nil => Ok(()),
        error => fields::write_report(error, true, out),
    }
}

/// Writes the settings that the server reported.
pub(super) fn parameters(message: &Message, out: &mut Vec<u8>) -> Result<(), String> {
    let pairs = match message.field(response::PARAMETERS).untagged() {
        Value::Nil => return Ok(()),
        Value::Map(pairs) => pairs,
        _ => return Err("parameters must be a map".to_owned()),
    };
    for (name, value) in pairs {
        let (name, value) = (text_of(name), text_of(value));
        let (name, value) = name.zip(value).ok_or("a server's setting must be a text")?;
        Backend::ParameterStatus(&name, &value).write(out);
    }
    Ok(())
}

pub(super) fn ready(status: Status, out: &mut Vec<u8>) {
    Backend::Ready(status.letter()).write(out);
}

pub(super) fn description(columns: Option<&[Described]>, codes: &[u16], out: &mut Vec<u8>) {
    match columns {
        None => Backend::NoData.write(out),
        Some(columns) => {
            let formats = formats_of(codes, columns.len());
            let columns = columns.iter().zip(formats).map(|(column, format)| column.on_wire(format));
            Backend::RowDescription(columns.collect()).write(out);
        }
    }
}

/// Writes what one statement gave.
fn result(
    columns: &Value,
    rows: &Value,
    copy: &Value,
    tag: &Value,
    wanted: Wanted<'_>,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let columns = fields::read_columns(columns)?;
    if let (true, Some(columns)) = (wanted.is_described, &columns) {
        description(Some(columns), wanted.formats, out);
    }
    let shape = |(index, column): (usize, &Described)| Shape {
        id: column.id,
        format: Format::nth(wanted.formats, index).unwrap_or(Format::Text),
    };
    let shapes: Vec<Shape> = columns.iter().flatten().enumerate().map(shape).collect();
    if !(wanted.is_brief && matches!(rows, Value::Str(_))) {
        rows::for_each(rows, &shapes, |values| {
            if columns.is_some() && values.len() != shapes.len() {
                return Err(format!("a row has {} values for {} columns", values.len(), shapes.len()));
            }
            row(&shapes, values, wanted.formats, out)
        })?;
    }
    if !copy.is_nil() {
        copied(copy, out)?;
    }
    match tag.untagged() {
        Value::Nil => {}
        tag => match tag.as_bytes().ok_or("a tag must be a text")? {
            b"" => Backend::EmptyQuery.write(out),
            tag => Backend::CommandComplete(tag).write(out),
        },
    }
    Ok(())
}

fn row(shapes: &[Shape], values: &[Value], codes: &[u16], out: &mut Vec<u8>) -> Result<(), String> {
    let mut wrong = None;
    packet(out, Some(b'D'), |out| {
        put_count(out, values.len());
        for (index, value) in values.iter().enumerate() {
            let id = shapes.get(index).map_or(0, |shape| shape.id);
            let format = Format::nth(codes, index).unwrap_or(Format::Text);
            match value {
                Value::Null | Value::Nil => put_cell(out, None),
                value => match types::encode(id, format, value) {
                    Ok(cell) => put_cell(out, Some(&cell)),
                    Err(reason) => wrong = Some(reason),
                },
            }
        }
    });
    wrong.map_or(Ok(()), Err)
}

fn copied(copy: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    if !matches!(copy.untagged(), Value::Map(_)) {
        return Err("a COPY must be a map".to_owned());
    }
    let entry = |name| copy.entry(name).unwrap_or(&Value::Nil);
    let is_binary = match entry("format").as_bytes() {
        Some(b"text") => false,
        Some(b"binary") => true,
        _ => return Err("a COPY's format is text or binary".to_owned()),
    };
    let count = entry("columns").as_int().and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or("a COPY's columns are their number")?;
    if count > usize::from(u16::MAX) {
        return Err("a COPY has too many columns".to_owned());
    }
    let copy = Copy { format: u8::from(is_binary), columns: vec![u16::from(is_binary); count] };
    match entry("direction").as_bytes() {
        Some(b"in") => {
            Backend::CopyIn(copy).write(out);
            return Ok(());
        }
        Some(b"out") => Backend::CopyOut(copy).write(out),
        _ => return Err("a COPY's direction is in or out".to_owned()),
    }
    match entry("data").untagged() {
        // The server sends a message a line, and clients read it so.
        Value::Str(data) => {
            data.split_inclusive(|byte| *byte == b'\n').for_each(|line| Backend::CopyData(line).write(out));
        }
        Value::List(chunks) => {
            for chunk in chunks {
                Backend::CopyData(chunk.as_bytes().ok_or("the data of a COPY must be texts")?).write(out);
            }
        }
        Value::Nil => {}
        _ => return Err("the data of a COPY must be a text".to_owned()),
    }
    Backend::CopyDone.write(out);
    Ok(())
}
