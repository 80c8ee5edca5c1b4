//! Exchanges as lines of text: `redis SET a 1 => +OK`, `http:80 GET /price [X-Id: 7] => 200 {"p": 1}`, `tcp:25 HELO a => 250 ok`.

use std::net::SocketAddr;

use reel_lang::schema::Direction;

use crate::recording::testing::{exchange, resp};
use crate::recording::{Ending, Exchange};

/// One line: whom it is said to, what, and what is answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) protocol: String,
    pub(super) server: SocketAddr,
    /// The request as it is written in the file.
    pub(super) words: String,
    pub(super) request: String,
    /// Empty where there is none.
    pub(super) response: String,
    /// The connection is refused.
    is_refused: bool,
}

impl Line {
    /// Reads a call: `PROTOCOL[:PORT|@ADDRESS] REQUEST [=> RESPONSE]`.
    pub(super) fn call(text: &str) -> Line {
        let (target, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (words, response) = rest.split_once("=>").unwrap_or((rest, ""));
        let (words, response) = (words.trim(), response.trim());
        let at = |protocol: &str, ip: &str| (protocol.to_owned(), ip.parse().unwrap_or_else(|_| panic!("{text}")));
        let (protocol, server) = match (target.split_once('@'), target.split_once(':')) {
            (Some((protocol, address)), _) => at(protocol, address),
            (None, Some((protocol, port))) => at(protocol, &format!("127.0.0.1:{port}")),
            (None, None) => at(target, &format!("127.0.0.1:{}", if target == "redis" { 6379 } else { 80 })),
        };
        let is_refused = response == "refused";
        let (request, response) = match protocol.as_str() {
            _ if is_refused => (String::new(), String::new()),
            "redis" => (resp(words), reply(response)),
            "http" => (http_request(words), http_response(response)),
            _ => (unescape(words), unescape(response)),
        };
        let request = if words.is_empty() { String::new() } else { request };
        Line { protocol, server, words: words.to_owned(), request, response, is_refused }
    }

    /// Reads what a client asks of the app at port 8080: `GET /1 => 200 {"id": 1}`.
    pub(super) fn incoming(text: &str) -> Line {
        let protocol = if text.starts_with("redis ") || text.starts_with("tcp ") { "" } else { "http " };
        let (target, rest) =
            format!("{protocol}{text}").split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap_or_default();
        Line::call(&format!("{target}:8080 {rest}"))
    }

    /// The exchange that a recording holds of it.
    pub(super) fn exchange(&self, direction: Direction) -> Exchange {
        let mut exchange = exchange(&self.protocol, direction, self.server.port(), &self.request, &self.response);
        exchange.destination.addr = self.server;
        exchange.ending = self.is_refused.then_some(Ending::Refused);
        exchange
    }
}

fn unescape(text: &str) -> String {
    text.replace("\\r", "\r").replace("\\n", "\n")
}

/// `"text"`, `nil`, or RESP's own first line.
fn reply(text: &str) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        _ if text.is_empty() => String::new(),
        Some(bulk) => format!("${}\r\n{bulk}\r\n", bulk.len()),
        None if text == "nil" => "$-1\r\n".to_owned(),
        None => format!("{}\r\n", unescape(text)),
    }
}

/// The `[Name: value]` at the front of a text, and the rest.
fn headers(text: &str) -> (String, &str) {
    let (mut lines, mut rest) = (String::new(), text.trim());
    while let Some((header, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && header.contains(": ")
    {
        lines += &format!("{header}\r\n");
        rest = after.trim_start();
    }
    (lines, rest)
}

fn body(lines: String, body: &str) -> String {
    let kind = if body.starts_with(['{', '[']) { "Content-Type: application/json\r\n" } else { "" };
    format!("{lines}{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn http_request(words: &str) -> String {
    let mut parts = words.splitn(3, ' ');
    let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (lines, rest) = headers(parts.next().unwrap_or_default());
    let head = format!("{method} {target} HTTP/1.1\r\nHost: shop.test\r\n{lines}");
    if rest.is_empty() { format!("{head}\r\n") } else { body(head, rest) }
}

/// `200 [Name: value] BODY`, or nothing.
pub(super) fn http_response(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let (status, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (lines, rest) = headers(rest);
    body(format!("HTTP/1.1 {status} Ok\r\n{lines}"), rest)
}
