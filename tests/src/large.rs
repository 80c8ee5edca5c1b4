//! Recordings of any size, as `relay` (tests/src/bin/relay.rs) would give them, and what a replay of one takes.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use reel::recording::{About, Attribution, Circumstance, Closing, Destination, EffectRef, Exchange, Scope, Writer};
use reel_lang::schema::{Direction, Side};
use reel_protocols::{Demand, Frame, Rest};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Writes a recording of so many tests, each with a call whose answer, of so many bytes, is its response.
pub fn record(dir: &Path, port: u16, store_port: u16, tests: u32, body_len_bytes: usize) -> Result<()> {
    let about = About { tool: env!("CARGO_PKG_VERSION").to_owned(), clock: "real".to_owned(), ..About::default() };
    let mut writer = Writer::create(dir, about)?;
    for number in 1..=tests {
        let (path, body) = (format!("/items/{number}"), text(number, body_len_bytes));
        let at =
            Circumstance { at_ns: u64::from(number) * 1_000_000, latency_ns: Some(900_000), ..Circumstance::default() };
        let command = format!("*2\r\n$3\r\nGET\r\n${}\r\n{path}\r\n", path.len());
        let call = exchange("redis", Direction::Out, store_port, &command, &format!("${}\r\n{body}\r\n", body.len()))?;
        let mock = writer.add_mock(Scope::Test, None, call, Vec::new(), at.clone())?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: relay.test\r\n\r\n");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", body.len());
        let test = exchange("http", Direction::In, port, &request, &format!("{head}{body}"))?;
        writer.add_test(test, vec![EffectRef { mock, attribution: Attribution::Window }], vec![], at)?;
    }
    writer.finish(Closing::default())?;
    Ok(())
}

/// Lines of text that differ from test to test.
fn text(number: u32, len_bytes: usize) -> String {
    let line = format!("item {number}: a line of text, as a page or a report has many of them\n");
    let mut text = line.repeat(len_bytes / line.len() + 1);
    text.truncate(len_bytes);
    text
}

/// An exchange with a server on a port of the loopback interface, of what is sent and what is answered.
pub fn exchange(protocol: &str, direction: Direction, port: u16, request: &str, response: &str) -> Result<Exchange> {
    let protocol = reel_protocols::by_name(protocol).context("a protocol")?;
    let mut codec = protocol.codec();
    let mut decode = |side, bytes: &str| match codec.frame(side, bytes.as_bytes(), Rest::Open, Demand::ALL)? {
        Frame::Message { message, .. } => {
            codec.pair(&message);
            anyhow::Ok(message)
        }
        _ => anyhow::bail!("not a whole message"),
    };
    Ok(Exchange {
        protocol: protocol.schema().protocol.clone(),
        direction,
        destination: Destination::from(SocketAddr::from(([127, 0, 0, 1], port))),
        request: Some(decode(Side::Request, request)?),
        interim: Vec::new(),
        response: Some(decode(Side::Response, response)?),
        ending: None,
    })
}

/// What a process took.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub status: ExitStatus,
    /// The most memory that it had resident at once.
    pub peak_len_bytes: u64,
    /// The time that its threads were on a core, to the kernel's ticks.
    pub cpu: Duration,
}

/// How often the kernel is asked how much a process has held: what it holds last before it ends is seen this exactly.
const SAMPLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
/// USER_HZ, which is the same on every Linux that we run on.
const TICKS_PER_SECOND: u64 = 100;

/// Waits for a process, and gives what it took.
pub fn cost(child: &mut Child) -> Result<Cost> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
    let ended = pidfd_open(pid, PidfdFlags::empty())?;
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", pid.as_raw_nonzero()));
    let mut peak_len_bytes = 0;
    loop {
        let status = read("status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        peak_len_bytes = peak_len_bytes.max(kib.unwrap_or(0) << 10);
        if poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&SAMPLE))? > 0 {
            // Until somebody waits for it, a process that has ended still tells its time: fields 14 and 15 of proc_pid_stat(5).
            let stat = read("stat")?;
            let fields = stat.rsplit(')').next().unwrap_or_default().split(' ').skip(12).take(2);
            let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
            let cpu = Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND);
            return Ok(Cost { status: child.wait()?, peak_len_bytes, cpu });
        }
    }
}
