//! What a server sends.

use super::{Body, FORMATS, MESSAGE_LEN_MAX, Packet, SHORT_LEN_MAX, cut, packet, put_cell, put_count, put_str};
use crate::Malformed;

/// A column of a result, as RowDescription tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) table: u32,
    pub(crate) attribute: u16,
    pub(crate) id: u32,
    pub(crate) len: i16,
    pub(crate) modifier: i32,
    pub(crate) format: u16,
}

/// How the data of a COPY is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) format: u8,
    pub(crate) columns: Vec<u16>,
}

/// A message of a server (section 55.7).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Backend<'a> {
    /// The method's number, and what that method needs.
    Authentication(u32, &'a [u8]),
    KeyData {
        pid: u32,
        key: &'a [u8],
    },
    Negotiate {
        minor: u32,
        unknown: Vec<&'a [u8]>,
    },
    ParameterStatus(&'a [u8], &'a [u8]),
    /// The transaction's status: `I`, `T` or `E`.
    Ready(u8),
    ParseComplete,
    BindComplete,
    CloseComplete,
    NoData,
    ParameterDescription(Vec<u32>),
    RowDescription(Vec<Column<'a>>),
    DataRow(Vec<Option<&'a [u8]>>),
    CommandComplete(&'a [u8]),
    EmptyQuery,
    PortalSuspended,
    /// The fields, each with its letter.
    Error(Vec<(u8, &'a [u8])>),
    Notice(Vec<(u8, &'a [u8])>),
    Notification {
        pid: u32,
        channel: &'a [u8],
        payload: &'a [u8],
    },
    CopyIn(Copy),
    CopyOut(Copy),
    CopyBoth(Copy),
    CopyData(&'a [u8]),
    CopyDone,
    FunctionResult(Option<&'a [u8]>),
}

/// The longest message of a type; none for types that are not a server's.
fn len_max(kind: u8) -> Option<u32> {
    match kind {
        b'T' | b'D' | b'd' | b'V' | b'E' | b'N' | b'A' | b'R' | b'S' | b't' | b'G' | b'H' | b'W' => {
            Some(MESSAGE_LEN_MAX)
        }
        b'K' | b'v' | b'Z' | b'1' | b'2' | b'3' | b'n' | b'C' | b'I' | b's' | b'c' => Some(SHORT_LEN_MAX),
        _ => None,
    }
}

impl<'a> Backend<'a> {
    /// Reads a message.
    pub(crate) fn next(input: &'a [u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let Some(packet) = cut(input, len_max)? else { return Ok(None) };
        Ok(Some((Backend::of(&packet)?, packet.len)))
    }

    fn of(packet: &Packet<'a>) -> Result<Self, Malformed> {
        let body = |what| Body::of(packet, what);
        match packet.kind {
            b'1' => body("ParseComplete").done(Backend::ParseComplete),
            b'2' => body("BindComplete").done(Backend::BindComplete),
            b'3' => body("CloseComplete").done(Backend::CloseComplete),
            b'n' => body("NoData").done(Backend::NoData),
            b'I' => body("EmptyQueryResponse").done(Backend::EmptyQuery),
            b's' => body("PortalSuspended").done(Backend::PortalSuspended),
            b'c' => body("CopyDone").done(Backend::CopyDone),
            b'd' => Ok(Backend::CopyData(packet.body)),
            b'D' => {
                let mut body = body("DataRow");
                let cells = body.list(Body::cell)?;
                body.done(Backend::DataRow(cells))
            }
            b'T' => {
                let mut body = body("RowDescription");
                let columns = body.list(column)?;
                body.done(Backend::RowDescription(columns))
            }
            b't' => {
                let mut body = body("ParameterDescription");
                let types = body.list(Body::u32)?;
                body.done(Backend::ParameterDescription(types))
            }
            b'C' => {
                let mut body = body("CommandComplete");
                let tag = body.text()?;
                body.done(Backend::CommandComplete(tag))
            }
            b'E' => fields(body("ErrorResponse"), Backend::Error),
            b'N' => fields(body("NoticeResponse"), Backend::Notice),
            b'G' => copy(body("CopyInResponse"), Backend::CopyIn),
            b'H' => copy(body("CopyOutResponse"), Backend::CopyOut),
            b'W' => copy(body("CopyBothResponse"), Backend::CopyBoth),
            _ => Backend::of_session(packet),
        }
    }

    /// The messages that are about the session, not about a query.
    fn of_session(packet: &Packet<'a>) -> Result<Self, Malformed> {
        let body = |what| Body::of(packet, what);
        match packet.kind {
            b'R' => {
                let mut body = body("Authentication");
                let method = body.u32()?;
                Ok(Backend::Authentication(method, body.rest()))
            }
            b'K' => {
                let mut body = body("BackendKeyData");
                let pid = body.u32()?;
                Ok(Backend::KeyData { pid, key: body.rest() })
            }
            b'v' => {
                let mut body = body("NegotiateProtocolVersion");
                let (minor, count) = (body.u32()?, body.u32()?);
                let mut unknown = Vec::new();
                for _ in 0..count {
                    unknown.push(body.text()?);
                }
                body.done(Backend::Negotiate { minor, unknown })
            }
            b'S' => {
                let mut body = body("ParameterStatus");
                let (name, value) = (body.text()?, body.text()?);
                body.done(Backend::ParameterStatus(name, value))
            }
            b'Z' => {
                let mut body = body("ReadyForQuery");
                let status = body.byte()?;
                if !b"ITE".contains(&status) {
                    return Err(body.fault("an unknown transaction status"));
                }
                body.done(Backend::Ready(status))
            }
            b'A' => {
                let mut body = body("NotificationResponse");
                let pid = body.u32()?;
                let (channel, payload) = (body.text()?, body.text()?);
                body.done(Backend::Notification { pid, channel, payload })
            }
            b'V' => {
                let mut body = body("FunctionCallResponse");
                let value = body.cell()?;
                body.done(Backend::FunctionResult(value))
            }
            // `cut` let no other type pass.
            _ => Err(Malformed { offset: 0, reason: "an unknown message".to_owned(), spec: FORMATS }),
        }
    }

    /// Writes the message.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Backend::Authentication(method, rest) => packet(out, Some(b'R'), |out| {
                out.extend_from_slice(&method.to_be_bytes());
                out.extend_from_slice(rest);
            }),
            Backend::KeyData { pid, key } => packet(out, Some(b'K'), |out| {
                out.extend_from_slice(&pid.to_be_bytes());
                out.extend_from_slice(key);
            }),
            Backend::Negotiate { minor, unknown } => packet(out, Some(b'v'), |out| {
                out.extend_from_slice(&minor.to_be_bytes());
                out.extend_from_slice(&u32::try_from(unknown.len()).unwrap_or(u32::MAX).to_be_bytes());
                unknown.iter().for_each(|name| put_str(out, name));
            }),
            Backend::ParameterStatus(name, value) => packet(out, Some(b'S'), |out| {
                put_str(out, name);
                put_str(out, value);
            }),
            Backend::Ready(status) => packet(out, Some(b'Z'), |out| out.push(*status)),
            Backend::ParseComplete => packet(out, Some(b'1'), |_| ()),
            Backend::BindComplete => packet(out, Some(b'2'), |_| ()),
            Backend::CloseComplete => packet(out, Some(b'3'), |_| ()),
            Backend::NoData => packet(out, Some(b'n'), |_| ()),
            Backend::EmptyQuery => packet(out, Some(b'I'), |_| ()),
            Backend::PortalSuspended => packet(out, Some(b's'), |_| ()),
            Backend::CopyDone => packet(out, Some(b'c'), |_| ()),
            Backend::ParameterDescription(types) => packet(out, Some(b't'), |out| {
                put_count(out, types.len());
                types.iter().for_each(|id| out.extend_from_slice(&id.to_be_bytes()));
            }),
            Backend::RowDescription(columns) => packet(out, Some(b'T'), |out| {
                put_count(out, columns.len());
                columns.iter().for_each(|column| put_column(out, column));
            }),
            Backend::DataRow(cells) => packet(out, Some(b'D'), |out| {
                put_count(out, cells.len());
                cells.iter().for_each(|cell| put_cell(out, *cell));
            }),
            Backend::CommandComplete(tag) => packet(out, Some(b'C'), |out| put_str(out, tag)),
            Backend::Error(fields) => put_fields(out, b'E', fields),
            Backend::Notice(fields) => put_fields(out, b'N', fields),
            Backend::Notification { pid, channel, payload } => packet(out, Some(b'A'), |out| {
                out.extend_from_slice(&pid.to_be_bytes());
                put_str(out, channel);
                put_str(out, payload);
            }),
            Backend::CopyIn(copy) => put_copy(out, b'G', copy),
            Backend::CopyOut(copy) => put_copy(out, b'H', copy),
            Backend::CopyBoth(copy) => put_copy(out, b'W', copy),
            Backend::CopyData(bytes) => packet(out, Some(b'd'), |out| out.extend_from_slice(bytes)),
            Backend::FunctionResult(value) => packet(out, Some(b'V'), |out| put_cell(out, *value)),
        }
    }
}

fn column<'a>(body: &mut Body<'a>) -> Result<Column<'a>, Malformed> {
    Ok(Column {
        name: body.text()?,
        table: body.u32()?,
        attribute: body.u16()?,
        id: body.u32()?,
        len: body.u16()?.cast_signed(),
        modifier: body.u32()?.cast_signed(),
        format: body.u16()?,
    })
}

fn put_column(out: &mut Vec<u8>, column: &Column<'_>) {
    put_str(out, column.name);
    out.extend_from_slice(&column.table.to_be_bytes());
    out.extend_from_slice(&column.attribute.to_be_bytes());
    out.extend_from_slice(&column.id.to_be_bytes());
    out.extend_from_slice(&column.len.to_be_bytes());
    out.extend_from_slice(&column.modifier.to_be_bytes());
    out.extend_from_slice(&column.format.to_be_bytes());
}

fn fields<'a>(mut body: Body<'a>, make: impl Fn(Vec<(u8, &'a [u8])>) -> Backend<'a>) -> Result<Backend<'a>, Malformed> {
    let mut fields = Vec::new();
    loop {
        match body.byte()? {
            0 => break,
            letter => fields.push((letter, body.text()?)),
        }
    }
    body.done(make(fields))
}

fn put_fields(out: &mut Vec<u8>, kind: u8, fields: &[(u8, &[u8])]) {
    packet(out, Some(kind), |out| {
        for (letter, text) in fields {
            out.push(*letter);
            put_str(out, text);
        }
        out.push(0);
    });
}

fn copy<'a>(mut body: Body<'a>, make: impl Fn(Copy) -> Backend<'a>) -> Result<Backend<'a>, Malformed> {
    let format = body.byte()?;
    let columns = body.list(Body::u16)?;
    body.done(make(Copy { format, columns }))
}

fn put_copy(out: &mut Vec<u8>, kind: u8, copy: &Copy) {
    packet(out, Some(kind), |out| {
        out.push(copy.format);
        put_count(out, copy.columns.len());
        copy.columns.iter().for_each(|format| out.extend_from_slice(&format.to_be_bytes()));
    });
}
