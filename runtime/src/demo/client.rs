//! The demonstration's client: a visit to the shop.

use std::io::{self, BufReader};
use std::net::TcpStream;

use super::http;

const VISIT: [(&str, &str, &str); 5] = [
    ("GET", "/stock/tea", ""),
    ("POST", "/orders/1001", r#"{"item":"tea","count":2}"#),
    ("GET", "/orders/1001", ""),
    ("GET", "/orders/1002", ""),
    ("GET", "/stock/tea", ""),
];

/// Sends the requests of a visit, and shows what was answered.
///
/// # Errors
/// The service does not answer.
pub fn visit(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let mut input = BufReader::new(stream.try_clone()?);
    for (method, path, body) in VISIT {
        http::write(&mut stream, &format!("{method} {path} HTTP/1.1"), "Host: shop.test\r\n", body)?;
        let answer = http::read(&mut input)?
            .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the shop closed the connection"))?;
        println!("  {method} {path} -> {} {}", answer.first_line.trim_start_matches("HTTP/1.1 "), answer.body);
    }
    Ok(())
}
