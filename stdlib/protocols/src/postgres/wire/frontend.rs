//! What a client sends.

use super::{
    Body, FORMATS, MESSAGE_LEN_MAX, Packet, SHORT_LEN_MAX, code, cut, cut_untyped, malformed, packet, put_cell,
    put_count, put_str,
};
use crate::Malformed;

/// What Describe and Close speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Statement,
    Portal,
}

/// A message of a client (section 55.7).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frontend<'a> {
    Startup {
        minor: u16,
        parameters: Vec<(&'a [u8], &'a [u8])>,
    },
    Ssl,
    Gss,
    Cancel {
        pid: u32,
        key: &'a [u8],
    },
    /// A password, or a step of SASL or GSSAPI: what it holds is never looked at.
    Password(&'a [u8]),
    Query(&'a [u8]),
    Parse {
        name: &'a [u8],
        sql: &'a [u8],
        types: Vec<u32>,
    },
    Bind {
        portal: &'a [u8],
        statement: &'a [u8],
        formats: Vec<u16>,
        params: Vec<Option<&'a [u8]>>,
        results: Vec<u16>,
    },
    Describe(Target, &'a [u8]),
    Execute {
        portal: &'a [u8],
        rows_max: u32,
    },
    Close(Target, &'a [u8]),
    Flush,
    Sync,
    CopyData(&'a [u8]),
    CopyDone,
    CopyFail(&'a [u8]),
    Function {
        id: u32,
        formats: Vec<u16>,
        args: Vec<Option<&'a [u8]>>,
        result: u16,
    },
    Terminate,
}

/// The longest message of a type; none for types that are not a client's.
fn len_max(kind: u8) -> Option<u32> {
    match kind {
        b'Q' | b'P' | b'B' | b'F' | b'd' => Some(MESSAGE_LEN_MAX),
        // The server takes tokens of GSSAPI up to this length.
        b'p' => Some(65_535),
        b'D' | b'E' | b'C' | b'H' | b'S' | b'X' | b'c' | b'f' => Some(SHORT_LEN_MAX),
        _ => None,
    }
}

impl<'a> Frontend<'a> {
    /// Reads a message without a type: what a connection begins with.
    pub(crate) fn first(input: &'a [u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let Some(packet) = cut_untyped(input)? else { return Ok(None) };
        let mut body = Body::of(&packet, "a first message");
        let message = match body.u32()? {
            code::SSL => body.done(Frontend::Ssl)?,
            code::GSS => body.done(Frontend::Gss)?,
            code::CANCEL => {
                let pid = body.u32()?;
                let key = body.rest();
                if !(4..=256).contains(&key.len()) {
                    return Err(body.fault("a key of a length that cannot be"));
                }
                body.done(Frontend::Cancel { pid, key })?
            }
            version if version >> 16 == code::MAJOR => {
                let mut parameters = Vec::new();
                loop {
                    let name = body.text()?;
                    if name.is_empty() {
                        break;
                    }
                    parameters.push((name, body.text()?));
                }
                let minor = u16::try_from(version & 0xffff).unwrap_or_default();
                body.done(Frontend::Startup { minor, parameters })?
            }
            version => {
                return Err(malformed(4, format!("version {}.{}", version >> 16, version & 0xffff)));
            }
        };
        Ok(Some((message, packet.len)))
    }

    /// Reads any later message.
    pub(crate) fn next(input: &'a [u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let Some(packet) = cut(input, len_max)? else { return Ok(None) };
        Ok(Some((Frontend::of(&packet)?, packet.len)))
    }

    fn of(packet: &Packet<'a>) -> Result<Self, Malformed> {
        let body = |what| Body::of(packet, what);
        match packet.kind {
            b'Q' => text(body("Query"), Frontend::Query),
            b'P' => {
                let mut body = body("Parse");
                let (name, sql) = (body.text()?, body.text()?);
                let types = body.list(Body::u32)?;
                body.done(Frontend::Parse { name, sql, types })
            }
            b'B' => {
                let mut body = body("Bind");
                let (portal, statement) = (body.text()?, body.text()?);
                let (formats, params) = (body.list(Body::u16)?, body.list(Body::cell)?);
                let results = body.list(Body::u16)?;
                body.done(Frontend::Bind { portal, statement, formats, params, results })
            }
            b'D' => target(body("Describe"), Frontend::Describe),
            b'C' => target(body("Close"), Frontend::Close),
            b'E' => {
                let mut body = body("Execute");
                let (portal, rows_max) = (body.text()?, body.u32()?);
                body.done(Frontend::Execute { portal, rows_max })
            }
            b'H' => body("Flush").done(Frontend::Flush),
            b'S' => body("Sync").done(Frontend::Sync),
            b'X' => body("Terminate").done(Frontend::Terminate),
            b'c' => body("CopyDone").done(Frontend::CopyDone),
            b'f' => text(body("CopyFail"), Frontend::CopyFail),
            b'd' => Ok(Frontend::CopyData(packet.body)),
            b'p' => Ok(Frontend::Password(packet.body)),
            b'F' => {
                let mut body = body("FunctionCall");
                let id = body.u32()?;
                let (formats, args) = (body.list(Body::u16)?, body.list(Body::cell)?);
                let result = body.u16()?;
                body.done(Frontend::Function { id, formats, args, result })
            }
            // `cut` let no other type pass.
            _ => Err(Malformed { offset: 0, reason: "an unknown message".to_owned(), spec: FORMATS }),
        }
    }

    /// Writes the message.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let whole = |kind: Option<u8>, out: &mut Vec<u8>, bytes: &[u8]| {
            packet(out, kind, |out| out.extend_from_slice(bytes));
        };
        match self {
            Frontend::Startup { minor, parameters } => packet(out, None, |out| {
                out.extend_from_slice(&(code::MAJOR << 16 | u32::from(*minor)).to_be_bytes());
                for (name, value) in parameters {
                    put_str(out, name);
                    put_str(out, value);
                }
                out.push(0);
            }),
            Frontend::Ssl => whole(None, out, &code::SSL.to_be_bytes()),
            Frontend::Gss => whole(None, out, &code::GSS.to_be_bytes()),
            Frontend::Cancel { pid, key } => packet(out, None, |out| {
                out.extend_from_slice(&code::CANCEL.to_be_bytes());
                out.extend_from_slice(&pid.to_be_bytes());
                out.extend_from_slice(key);
            }),
            Frontend::Password(bytes) => whole(Some(b'p'), out, bytes),
            Frontend::Query(sql) => packet(out, Some(b'Q'), |out| put_str(out, sql)),
            Frontend::Parse { name, sql, types } => packet(out, Some(b'P'), |out| {
                put_str(out, name);
                put_str(out, sql);
                put_count(out, types.len());
                types.iter().for_each(|id| out.extend_from_slice(&id.to_be_bytes()));
            }),
            Frontend::Bind { portal, statement, formats, params, results } => packet(out, Some(b'B'), |out| {
                put_str(out, portal);
                put_str(out, statement);
                put_formats(out, formats);
                put_count(out, params.len());
                params.iter().for_each(|cell| put_cell(out, *cell));
                put_formats(out, results);
            }),
            Frontend::Describe(target, name) => put_target(out, b'D', *target, name),
            Frontend::Close(target, name) => put_target(out, b'C', *target, name),
            Frontend::Execute { portal, rows_max } => packet(out, Some(b'E'), |out| {
                put_str(out, portal);
                out.extend_from_slice(&rows_max.to_be_bytes());
            }),
            Frontend::Flush => whole(Some(b'H'), out, b""),
            Frontend::Sync => whole(Some(b'S'), out, b""),
            Frontend::CopyData(bytes) => whole(Some(b'd'), out, bytes),
            Frontend::CopyDone => whole(Some(b'c'), out, b""),
            Frontend::CopyFail(reason) => packet(out, Some(b'f'), |out| put_str(out, reason)),
            Frontend::Function { id, formats, args, result } => packet(out, Some(b'F'), |out| {
                out.extend_from_slice(&id.to_be_bytes());
                put_formats(out, formats);
                put_count(out, args.len());
                args.iter().for_each(|cell| put_cell(out, *cell));
                out.extend_from_slice(&result.to_be_bytes());
            }),
            Frontend::Terminate => whole(Some(b'X'), out, b""),
        }
    }
}

fn text<'a>(mut body: Body<'a>, make: impl Fn(&'a [u8]) -> Frontend<'a>) -> Result<Frontend<'a>, Malformed> {
    let text = body.text()?;
    body.done(make(text))
}

fn target<'a>(mut body: Body<'a>, make: impl Fn(Target, &'a [u8]) -> Frontend<'a>) -> Result<Frontend<'a>, Malformed> {
    let target = match body.byte()? {
        b'S' => Target::Statement,
        b'P' => Target::Portal,
        _ => return Err(body.fault("neither a statement nor a portal")),
    };
    let name = body.text()?;
    body.done(make(target, name))
}

fn put_target(out: &mut Vec<u8>, kind: u8, target: Target, name: &[u8]) {
    packet(out, Some(kind), |out| {
        out.push(if target == Target::Statement { b'S' } else { b'P' });
        put_str(out, name);
    });
}

fn put_formats(out: &mut Vec<u8>, formats: &[u16]) {
    put_count(out, formats.len());
    formats.iter().for_each(|format| out.extend_from_slice(&format.to_be_bytes()));
}
