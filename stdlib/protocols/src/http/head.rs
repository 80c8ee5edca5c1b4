//! Start lines and header sections: parsing by httparse, recognising, and finding one in the middle of a stream.

use std::mem::MaybeUninit;

use memchr::memmem;
use reel_lang::schema::Side;

use super::{HEAD_LEN_MAX, HEADERS_MAX};
use crate::{Inference, Malformed};

/// A parsed head, which borrows from the input.
pub(super) struct Head<'h, 'a> {
    pub(super) first: First<'a>,
    /// The digit after `HTTP/1.`.
    pub(super) minor: u8,
    pub(super) headers: &'h [httparse::Header<'a>],
    /// Up to and with the empty line.
    pub(super) len: usize,
}

/// What the start line says.
pub(super) enum First<'a> {
    Request { method: &'a str, target: &'a str },
    Response { status: u16, reason: &'a str },
}

impl Head<'_, '_> {
    pub(super) fn side(&self) -> Side {
        match self.first {
            First::Request { .. } => Side::Request,
            First::Response { .. } => Side::Response,
        }
    }

    /// Whether this is a request with a method.
    #[inline]
    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self.first, First::Request { method, .. } if method == wanted)
    }

    /// The version as a recording shows it.
    pub(super) fn version(&self) -> &'static str {
        if self.minor == 0 { "1.0" } else { "1.1" }
    }
}

type Space<'a> = [MaybeUninit<httparse::Header<'a>>; HEADERS_MAX];

/// Parses a head. The first value is its length; none where it is not whole, and an error where it may be wrong, which [`judge`] tells:
/// the head says nothing then. They stand side by side since a head inside of a result was moved through memory, a tenth of the
/// whole decoding.
#[inline(always)]
pub(super) fn parse<'h, 'a>(
    side: Side,
    window: &'a [u8],
    space: &'h mut Space<'a>,
) -> (Result<Option<usize>, httparse::Error>, Head<'h, 'a>) {
    let (status, first, version, headers) = match side {
        Side::Request => {
            let mut request = httparse::Request::new(&mut []);
            let status = request.parse_with_uninit_headers(window, space);
            let first =
                First::Request { method: request.method.unwrap_or_default(), target: request.path.unwrap_or_default() };
            (status, first, request.version, &*request.headers)
        }
        Side::Response => {
            let mut response = httparse::Response::new(&mut []);
            let config = httparse::ParserConfig::default();
            let status = config.parse_response_with_uninit_headers(&mut response, window, space);
            let first = First::Response {
                status: response.code.unwrap_or_default(),
                reason: response.reason.unwrap_or_default(),
            };
            (status, first, response.version, &*response.headers)
        }
    };
    let len = match status {
        Ok(httparse::Status::Complete(len)) => Ok(Some(len)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(error),
    };
    let whole_len = if let Ok(Some(len)) = len { len } else { 0 };
    (len, Head { first, minor: version.unwrap_or(1), headers, len: whole_len })
}

/// Judges a wrong head by its whole lines only, so that how the bytes were cut makes no difference: [`parse`] is called again when
/// a line ends.
#[cold]
pub(super) fn judge(side: Side, input: &[u8], error: httparse::Error) -> Result<(), Malformed> {
    let lines = memchr::memrchr(b'\n', input).and_then(|lf| input.get(..=lf)).unwrap_or_default();
    if lines.len() == input.len() || is_wrong(side, lines) {
        return Err(malformed(side, input, error));
    }
    Ok(())
}

/// Refuses a head that is not whole and too long.
pub(super) fn check_len(input: &[u8], is_whole: bool) -> Result<(), Malformed> {
    if !is_whole && input.len() >= HEAD_LEN_MAX {
        return Err(Malformed {
            offset: HEAD_LEN_MAX,
            reason: format!("a header section of more than {HEAD_LEN_MAX} bytes"),
            spec: "RFC 9110 section 5.4",
        });
    }
    Ok(())
}

fn malformed(side: Side, input: &[u8], error: httparse::Error) -> Malformed {
    use httparse::Error;
    let (reason, spec) = match error {
        Error::TooManyHeaders => (format!("more than {HEADERS_MAX} header fields"), "RFC 9110 section 5.4"),
        Error::HeaderName => ("an invalid field name".to_owned(), "RFC 9112 section 5"),
        Error::HeaderValue => ("an invalid field value".to_owned(), "RFC 9110 section 5.5"),
        Error::NewLine => ("an invalid line end".to_owned(), "RFC 9112 section 2.2"),
        Error::Status => ("an invalid status line".to_owned(), "RFC 9112 section 4"),
        Error::Token => ("an invalid start line".to_owned(), "RFC 9112 section 2.1"),
        Error::Version => ("an invalid version".to_owned(), "RFC 9112 section 2.3"),
    };
    Malformed { offset: first_wrong(side, input), reason, spec }
}

/// The offset of the byte with which the head became wrong: a prefix of a wrong head is wrong or partial.
fn first_wrong(side: Side, input: &[u8]) -> usize {
    let (mut right, mut wrong) = (0_usize, input.len());
    while wrong.saturating_sub(right) > 1 {
        let middle = right.midpoint(wrong);
        if is_wrong(side, input.get(..middle).unwrap_or(input)) { wrong = middle } else { right = middle }
    }
    wrong.saturating_sub(1)
}

fn is_wrong(side: Side, input: &[u8]) -> bool {
    let mut space = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    match side {
        Side::Request => httparse::Request::new(&mut []).parse_with_uninit_headers(input, &mut space).is_err(),
        Side::Response => httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut httparse::Response::new(&mut []), input, &mut space)
            .is_err(),
    }
}

/// Whether a client's first bytes are a request line: a method, and where the line is whole, the version at its end.
pub(super) fn infer_request(input: &[u8]) -> Inference {
    const METHOD_LEN_MAX: usize = 24;
    // RFC 9112 section 2.2: an empty line before a request is to be ignored.
    let input = input.strip_prefix(b"\r").unwrap_or(input);
    let input = input.strip_prefix(b"\n").unwrap_or(input);
    let method_len = input.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'-').count();
    match input.get(method_len) {
        None if method_len <= METHOD_LEN_MAX => return Inference::Unsure,
        Some(b' ') if (1..=METHOD_LEN_MAX).contains(&method_len) => {}
        _ => return Inference::No,
    }
    let Some(end) = memchr::memchr(b'\n', input) else {
        return if input.len() > HEAD_LEN_MAX { Inference::No } else { Inference::Unsure };
    };
    let line = input.get(..end).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0") { Inference::Yes } else { Inference::No }
}

/// Whether a server's first bytes are a status line.
pub(super) fn infer_response(input: &[u8]) -> Inference {
    let prefix = b"HTTP/1.";
    let seen = input.get(..prefix.len()).unwrap_or(input);
    match seen.len() {
        7 if seen == prefix => Inference::Yes,
        0..7 if prefix.starts_with(seen) => Inference::Unsure,
        _ => Inference::No,
    }
}

/// Finds the first line that plainly starts a message.
pub(super) fn find(side: Side, input: &[u8]) -> Option<usize> {
    match side {
        Side::Response => memmem::find_iter(input, b"HTTP/1.").find(|at| {
            let line = input.get(*at..).unwrap_or_default();
            starts_a_line(input, *at)
                && matches!(line.get(..13), Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', a, b, c, b' ' | b'\r'])
                    if [a, b, c].iter().all(|digit| digit.is_ascii_digit()))
        }),
        Side::Request => memmem::find_iter(input, b" HTTP/1.").find_map(|at| {
            let before = input.get(..at).unwrap_or_default();
            let start = memchr::memrchr(b'\n', before).map_or(0, |lf| lf.saturating_add(1));
            let line = input.get(start..).unwrap_or_default();
            (infer_request(line) == Inference::Yes).then_some(start)
        }),
    }
}

fn starts_a_line(input: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_none_or(|before| input.get(before) == Some(&b'\n'))
}
