//! The client of the order services: a fixed mix of requests over keep-alive connections, with keys unique to each order.
//!
//! `load PORT CLIENTS ORDERS SEED`: each client makes, reads, pays for and misses so many orders. Every response is checked
//! against what the service must say; a wrong one ends the run with exit status 1.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, ensure};

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(requests) => {
            println!("{requests} requests");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<usize> {
    let [port, clients, orders, seed] = args else {
        anyhow::bail!("usage: load PORT CLIENTS ORDERS SEED");
    };
    let (port, clients, orders): (u16, usize, usize) = (port.parse()?, clients.parse()?, orders.parse()?);
    let threads: Vec<_> = (0..clients)
        .map(|client| {
            let seed = seed.clone();
            thread::spawn(move || client_run(port, client, orders, &seed))
        })
        .collect();
    let mut requests = 0;
    for thread in threads {
        requests += thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
    }
    Ok(requests)
}

fn client_run(port: u16, client: usize, orders: usize, seed: &str) -> Result<usize> {
    let mut connection = BufReader::new(TcpStream::connect(("127.0.0.1", port))?);
    for order in 0..orders {
        let id = format!("{seed}-{client}-{order}");
        let body = format!(r#"{{"id":"{id}","items":["tea","cup"]}}"#);
        let made = exchange(&mut connection, "POST", "/orders", &body, 201)?;
        ensure!(made.contains(&id), "order {id}: made {made}");
        let read = exchange(&mut connection, "GET", &format!("/orders/{id}"), "", 200)?;
        ensure!(read.contains("tea"), "order {id}: read {read}");
        let paid = exchange(&mut connection, "POST", &format!("/orders/{id}/pay"), "", 200)?;
        ensure!(paid.contains("paid"), "order {id}: paid {paid}");
        exchange(&mut connection, "GET", &format!("/orders/{id}-none"), "", 404)?;
    }
    Ok(orders * 4)
}

/// Sends one request, reads its response, and gives the body.
fn exchange(
    connection: &mut BufReader<TcpStream>,
    method: &str,
    path: &str,
    body: &str,
    expected: u16,
) -> Result<String> {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let head = format!("{method} {path} HTTP/1.1\r\nHost: shop.test\r\n{kind}Content-Length: {}\r\n\r\n", body.len());
    connection.get_mut().write_all(format!("{head}{body}").as_bytes())?;
    let (status, length, closes) = response_head(connection).with_context(|| format!("{method} {path}"))?;
    let mut text = vec![0; length];
    connection.read_exact(&mut text)?;
    let text = String::from_utf8(text)?;
    ensure!(status == expected, "{method} {path}: status {status} instead of {expected}: {text}");
    if closes {
        let peer = connection.get_ref().peer_addr()?;
        *connection = BufReader::new(TcpStream::connect(peer)?);
    }
    Ok(text)
}

/// Status, content length, and whether the server closes.
fn response_head(connection: &mut impl BufRead) -> Result<(u16, usize, bool)> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let status = line.split(' ').nth(1).with_context(|| format!("a status line, not {line:?}"))?.parse()?;
    let closes_by_version = line.starts_with("HTTP/1.0");
    let (mut length, mut closes) = (None, closes_by_version);
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.trim().parse()?),
            "connection" => closes = value.trim().eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    Ok((status, length.context("a Content-Length header")?, closes))
}
