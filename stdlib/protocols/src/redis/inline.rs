//! Inline commands: a line of words, as people type them (the section on inline commands of the RESP specification).
//!
//! Quoting is the server's: `"..."` with escapes, `'...'` with `\'` alone. A line of words could be another protocol's, so it
//! counts as Redis only where its first word is a command, and the server answers as Redis does.

use bytes::Bytes;

use super::{LINE_LEN_MAX, commands, malformed};
use crate::reader::Reader;
use crate::{Inference, Malformed};

/// The offset of the line's end; none while it is not whole. The server takes a bare LF too.
pub(super) fn end(input: &[u8]) -> Result<Option<usize>, Malformed> {
    match memchr::memchr(b'\n', input.get(..LINE_LEN_MAX).unwrap_or(input)) {
        Some(lf) => Ok(Some(lf.saturating_add(1))),
        None if input.len() >= LINE_LEN_MAX => Err(malformed(LINE_LEN_MAX, "an inline command that is too long")),
        None => Ok(None),
    }
}

/// The words of a whole line.
pub(super) fn words(line: &[u8]) -> Result<Vec<Bytes>, Malformed> {
    let mut reader = Reader::at(line, 0);
    let mut words = Vec::new();
    loop {
        reader.take_while(|byte| byte.is_ascii_whitespace());
        if reader.peek().is_none() {
            return Ok(words);
        }
        words.push(word(&mut reader)?);
    }
}

fn word(reader: &mut Reader<'_>) -> Result<Bytes, Malformed> {
    let mut word = Vec::new();
    loop {
        let at = reader.position();
        match reader.peek() {
            None => break,
            Some(byte) if byte.is_ascii_whitespace() => break,
            Some(quote @ (b'"' | b'\'')) => {
                reader.byte();
                quoted(reader, quote, &mut word)?;
                if reader.peek().is_some_and(|byte| !byte.is_ascii_whitespace()) {
                    return Err(malformed(at, "a quote that is followed by more than a space"));
                }
            }
            Some(byte) if byte < b' ' => return Err(malformed(at, "a control character in a command")),
            Some(byte) => {
                word.push(byte);
                reader.byte();
            }
        }
    }
    Ok(word.into())
}

fn quoted(reader: &mut Reader<'_>, quote: u8, word: &mut Vec<u8>) -> Result<(), Malformed> {
    loop {
        match reader.byte() {
            None => return Err(malformed(reader.position(), "unbalanced quotes")),
            Some(byte) if byte == quote => return Ok(()),
            Some(b'\\') if quote == b'"' => word.push(escaped(reader)?),
            Some(b'\\') if reader.eat(b'\'') => word.push(b'\''),
            Some(byte) => word.push(byte),
        }
    }
}

fn escaped(reader: &mut Reader<'_>) -> Result<u8, Malformed> {
    let byte = reader.byte().ok_or_else(|| malformed(reader.position(), "unbalanced quotes"))?;
    Ok(match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        b'x' => {
            let digits = reader.rest().get(..2).and_then(crate::reader::hexadecimal).and_then(|n| u8::try_from(n).ok());
            match digits {
                Some(byte) => {
                    reader.take(2);
                    byte
                }
                None => b'x',
            }
        }
        other => other,
    })
}

/// Writes words as a line, with quotes only where a word needs them.
pub(super) fn write(words: &[Vec<u8>], out: &mut Vec<u8>) {
    for (i, word) in words.iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        if !word.is_empty() && word.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'')) {
            out.extend_from_slice(word);
            continue;
        }
        out.push(b'"');
        for byte in word {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
                b' '..=b'~' => out.push(*byte),
                _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            }
        }
        out.push(b'"');
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether a client's first bytes could be an inline command. Never certain: the server's answer must confirm it.
pub(super) fn infer(input: &[u8]) -> Inference {
    const NAME_LEN_MAX: usize = 24;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let mut reader = Reader::at(input, 0);
    let name = reader.take_while(is_name);
    match reader.peek() {
        None if name.len() <= NAME_LEN_MAX => Inference::Unsure,
        Some(b' ' | b'\r' | b'\n') if commands::is_known(&name.to_ascii_uppercase()) => Inference::Likely,
        _ => Inference::No,
    }
}
