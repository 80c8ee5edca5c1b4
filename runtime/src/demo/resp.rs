//! Just enough of RESP2 for the demonstration: commands as arrays of bulk strings, and the replies that its store gives.

use std::io::{self, BufRead, Write};

/// A reply of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Simple(&'static str),
    Error(String),
    Integer(i64),
    Bulk(Option<String>),
    Array(Vec<String>),
}

/// The longest argument that is read.
const MAX_ARGUMENT_LEN: usize = 1 << 20;
/// The most arguments that are read.
const MAX_ARGUMENTS: usize = 1024;

/// Writes a command.
///
/// # Errors
/// The connection's.
pub fn write_command(out: &mut impl Write, words: &[&str]) -> io::Result<()> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    out.write_all(text.as_bytes())
}

/// Reads a command; none where the client has closed.
///
/// # Errors
/// The connection's, or bytes that are no command.
pub fn read_command(input: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let Some(line) = line(input)? else { return Ok(None) };
    let count = number(&line, '*', MAX_ARGUMENTS)?;
    (0..count).map(|_| bulk(input)).collect::<io::Result<_>>().map(Some)
}

/// Writes a reply.
///
/// # Errors
/// The connection's.
pub fn write_reply(out: &mut impl Write, reply: &Reply) -> io::Result<()> {
    match reply {
        Reply::Simple(text) => write!(out, "+{text}\r\n"),
        Reply::Error(text) => write!(out, "-{text}\r\n"),
        Reply::Integer(number) => write!(out, ":{number}\r\n"),
        Reply::Bulk(None) => write!(out, "$-1\r\n"),
        Reply::Bulk(Some(text)) => write!(out, "${}\r\n{text}\r\n", text.len()),
        Reply::Array(items) => {
            write!(out, "*{}\r\n", items.len())?;
            items.iter().try_for_each(|item| write!(out, "${}\r\n{item}\r\n", item.len()))
        }
    }
}

/// Reads a reply as the text that it carries; none for a null.
///
/// # Errors
/// The connection's, the store's error, or bytes that are no reply.
pub fn read_reply(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let line = line(input)?.ok_or_else(|| bad("the store closed the connection"))?;
    match line.split_at_checked(1) {
        Some(("+" | ":", text)) => Ok(Some(text.to_owned())),
        Some(("-", text)) => Err(bad(&format!("the store says: {text}"))),
        Some(("$", "-1")) => Ok(None),
        Some(("$", _)) => {
            let len = number(&line, '$', MAX_ARGUMENT_LEN)?;
            exactly(input, len).map(Some)
        }
        _ => Err(bad("the store answered with something else")),
    }
}

fn bulk(input: &mut impl BufRead) -> io::Result<String> {
    let line = line(input)?.ok_or_else(|| bad("a command is cut short"))?;
    let len = number(&line, '$', MAX_ARGUMENT_LEN)?;
    exactly(input, len)
}

fn exactly(input: &mut impl BufRead, len: usize) -> io::Result<String> {
    let mut bytes = vec![0; len + 2];
    input.read_exact(&mut bytes)?;
    bytes.truncate(len);
    String::from_utf8(bytes).map_err(|_| bad("text is not UTF-8"))
}

fn line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let len = input.read_line(&mut line)?;
    Ok((len > 0).then(|| line.trim_end().to_owned()))
}

fn number(line: &str, mark: char, limit: usize) -> io::Result<usize> {
    let count = line.strip_prefix(mark).and_then(|digits| digits.parse::<usize>().ok());
    count.filter(|&count| count <= limit).ok_or_else(|| bad("a length is missing or too large"))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_back() {
        let mut bytes = Vec::new();
        write_command(&mut bytes, &["SET", "k", "v v"]).unwrap();
        assert_eq!(read_command(&mut bytes.as_slice()).unwrap().unwrap(), ["SET", "k", "v v"]);
        assert_eq!(read_command(&mut &b""[..]).unwrap(), None);
        assert!(read_command(&mut &b"*9999999999\r\n"[..]).is_err());
    }

    #[test]
    fn replies_read_back() {
        for (reply, expect) in [
            (Reply::Simple("OK"), Some("OK")),
            (Reply::Integer(3), Some("3")),
            (Reply::Bulk(None), None),
            (Reply::Bulk(Some("x".to_owned())), Some("x")),
        ] {
            let mut bytes = Vec::new();
            write_reply(&mut bytes, &reply).unwrap();
            assert_eq!(read_reply(&mut bytes.as_slice()).unwrap().as_deref(), expect);
        }
    }
}
