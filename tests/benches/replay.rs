//! What replay costs beyond the app: recorded tests of a server that answers a constant, replayed, against the same requests sent
//! straight to it one after the other.
//!
//! The server and the client are this program itself, by its first argument. The recording is made once. The arguments are the
//! number of tests (1000) and of pairs (9); the app's own time is its start and the requests over one keep-alive connection.
#![allow(clippy::print_stdout)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use reel_tests::bench::{Spread, line, print_machine};
use reel_tests::process::{Running, free_port, wait_connectable};

const REEL: &str = env!("CARGO_BIN_EXE_reel-e2e");
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n{\"answer\":42,\"ok\":true}\r\n";
const BODY_LEN_BYTES: usize = 25;
/// What a recording of the budget's size may take beyond the app's own time.
const BUDGET_MS: f64 = 1000.0;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["serve", port] => serve(port.parse()?),
        ["ask", address, count] => ask(address, count.parse()?),
        ["--", rest @ ..] | rest => {
            let numbers: Vec<usize> = rest.iter().filter_map(|arg| arg.parse().ok()).collect();
            compare(numbers.first().copied().unwrap_or(1000), numbers.get(1).copied().unwrap_or(9))
        }
    }
}

fn compare(tests: usize, pairs: usize) -> Result<()> {
    let port = free_port()?;
    let folder = tempfile::tempdir()?;
    let recording = folder.path().join("recording");
    let me = std::env::current_exe()?;
    let me = me.to_str().context("a path in UTF-8")?;
    let drive = format!("{me} ask $REEL_APP {tests}");
    reel(&["record".as_ref(), "-o".as_ref(), &recording, "--drive".as_ref(), drive.as_ref()], me, port)?;
    let (mut direct, mut replayed, mut beyond) = (vec![], vec![], vec![]);
    for _ in 0..pairs {
        let began = Instant::now();
        let app = Running::start(Command::new(me).args(["serve", &port.to_string()]))?;
        wait_connectable(port)?;
        ask(&format!("127.0.0.1:{port}"), tests)?;
        let direct_ms = began.elapsed().as_secs_f64() * 1e3;
        drop(app);
        let began = Instant::now();
        let text = reel(&["replay".as_ref(), &recording], me, port)?;
        let replay_ms = began.elapsed().as_secs_f64() * 1e3;
        ensure!(text.contains(&tests.to_string()), "the report does not tell of {tests} tests: {text}");
        direct.push(direct_ms);
        replayed.push(replay_ms);
        beyond.push(replay_ms - direct_ms);
    }
    print_machine();
    println!("{tests} recorded tests of an app that does nothing, {pairs} pairs");
    let ratios = replayed.iter().zip(&direct).map(|(replay, direct)| replay / direct).collect();
    line("the app by itself", format!("{:.1}", Spread::of(direct)), "ms");
    line("replay", format!("{:.1}", Spread::of(replayed)), "ms");
    line(
        "beyond the app's own time",
        format!("{:.1}", Spread::of(beyond)),
        &format!("ms (budget {BUDGET_MS} for 1000)"),
    );
    line("ratio", Spread::of(ratios), "");
    Ok(())
}

/// Runs reel on the server, and gives what it printed.
fn reel(arguments: &[&Path], me: &str, port: u16) -> Result<String> {
    let mut command = Command::new(REEL);
    command.args(arguments).args(["--", me, "serve", &port.to_string()]).stdin(Stdio::null());
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "reel {arguments:?}: {}\n{text}{complaints}", output.status);
    Ok(text)
}

/// Answers every request on every connection, one connection at a time, until it is killed.
fn serve(port: u16) -> Result<()> {
    for connection in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        let mut connection = BufReader::new(connection?);
        connection.get_ref().set_nodelay(true)?;
        while skip_head(&mut connection).unwrap_or(false) {
            connection.get_mut().write_all(RESPONSE)?;
        }
    }
    Ok(())
}

/// Sends so many requests, one after the other, and reads every response.
fn ask(address: &str, count: usize) -> Result<()> {
    let mut connection = BufReader::new(TcpStream::connect(address)?);
    connection.get_ref().set_nodelay(true)?;
    let mut body = [0; BODY_LEN_BYTES];
    for number in 0..count {
        write!(connection.get_mut(), "GET /items/{number} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        ensure!(skip_head(&mut connection)?, "the server closed the connection");
        connection.read_exact(&mut body)?;
    }
    Ok(())
}

/// Reads up to the empty line; false at the end of the connection.
fn skip_head(connection: &mut impl BufRead) -> Result<bool> {
    let mut text = String::new();
    while connection.read_line(&mut text)? > 0 {
        if text.ends_with("\r\n\r\n") || text == "\r\n" {
            return Ok(true);
        }
    }
    Ok(false)
}
