//! A service that does nothing by itself: what its store has under a request's path is its answer.
//!
//! `relay PORT STORE_PORT` listens on 127.0.0.1, one connection at a time; `GET /a` asks the Redis at STORE_PORT for `/a`, on one
//! connection for as long as it lives.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::{Context, Result};
use reel::demo::resp::{read_reply, write_command};

fn main() -> Result<()> {
    let ports: Vec<u16> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let [port, store_port] = ports[..] else { anyhow::bail!("usage: relay PORT STORE_PORT") };
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let mut store = BufReader::new(TcpStream::connect(("127.0.0.1", store_port))?);
    store.get_ref().set_nodelay(true)?;
    for connection in listener.incoming() {
        let mut connection = BufReader::new(connection?);
        while let Some(path) = read_path(&mut connection)? {
            write_command(store.get_mut(), &["GET", &path])?;
            let body = read_reply(&mut store)?.unwrap_or_default();
            write!(
                connection.get_mut(),
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )?;
        }
    }
    Ok(())
}

/// Reads a request without a body; none at the end of the connection.
fn read_path(connection: &mut impl BufRead) -> Result<Option<String>> {
    let mut first = String::new();
    if connection.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let path = first.split(' ').nth(1).context("a request line")?.to_owned();
    let mut line = String::new();
    while connection.read_line(&mut line)? > 0 && line != "\r\n" {
        line.clear();
    }
    Ok(Some(path))
}
