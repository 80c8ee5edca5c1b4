//! Just enough of HTTP/1.1 for the demonstration's service and client.

use std::io::{self, BufRead, Write};

/// The longest body that is read.
const MAX_BODY_LEN: usize = 1 << 20;

/// A first line with the body behind its head.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub first_line: String,
    pub body: String,
}

/// Reads a message with a Content-Length; none where the peer has closed.
///
/// # Errors
/// The connection's, or a message that is cut short or too long.
pub fn read(input: &mut impl BufRead) -> io::Result<Option<Message>> {
    let mut first_line = String::new();
    if input.read_line(&mut first_line)? == 0 {
        return Ok(None);
    }
    let mut len = 0;
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            len = value.trim().parse().unwrap_or(0);
        }
    }
    if len > MAX_BODY_LEN {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a body is too long"));
    }
    let mut body = vec![0; len];
    input.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(Message { first_line: first_line.trim_end().to_owned(), body }))
}

/// Writes a message with a JSON body.
///
/// # Errors
/// The connection's.
pub fn write(out: &mut impl Write, first_line: &str, header: &str, body: &str) -> io::Result<()> {
    let text = format!(
        "{first_line}\r\n{header}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    out.write_all(text.as_bytes())
}
