//! What it costs to ask messages of the past: exchanges of a packet file and of a recording through a grouped histogram, beside
//! `tshark -T fields | awk` on the same packets.
//!
//! The argument is the number of exchanges (1,000,000), the second one how many runs each side gets (3). The packet file holds
//! connections of 100 exchanges each; the recording holds as many outgoing exchanges.
#![allow(clippy::print_stdout)]

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use reel::recording::{About, Circumstance, Closing, Destination, Exchange, Scope, Writer};
use reel_lang::schema::{Direction, Side};
use reel_protocols::{Demand, Frame, Message, Rest};
use reel_tests::bench::{Spread, line, print_machine};
use reel_tests::pcap::{From, PacketFile};

const REEL: &str = env!("CARGO_BIN_EXE_reel-e2e");
const SCRIPT: &str = "http:exchange { @[status] = hist(latency); }";
/// The same with tshark: latencies in seconds, to powers of two of nanoseconds.
const TSHARK: &str = r#"tshark -n -r "$1" -Y http.response -T fields -e http.response.code -e http.time | awk '
    { bucket = int(log($2 * 1e9) / log(2)); count[$1 " " bucket]++ }
    END { for (key in count) print key, count[key] }'"#;
const PER_CONNECTION: u64 = 100;

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse().ok());
    let (count, runs) = (numbers.next().unwrap_or(1_000_000), numbers.next().unwrap_or(3));
    print_machine();
    let folder = tempfile::tempdir()?;
    let (packets, recording) = (folder.path().join("bench.pcap"), folder.path().join("recording"));
    write_packets(&packets, count)?;
    println!("{count} exchanges in a packet file of {} MB", packets.metadata()?.len() / 1_000_000);
    let (mut ours, mut theirs, mut ratios) = (vec![], vec![], vec![]);
    for _ in 0..runs {
        let reel = seconds(Command::new(REEL).args(["-q", "-e", SCRIPT, "--pcap"]).arg(&packets), count)?;
        let tshark = seconds(Command::new("sh").args(["-c", TSHARK, "sh"]).arg(&packets), count)?;
        ours.push(reel);
        theirs.push(tshark);
        ratios.push(tshark / reel);
    }
    line("  reel --pcap", Spread::of(ours), "s");
    line("  tshark -T fields | awk", Spread::of(theirs), "s");
    line("  tshark / reel", format!("{:.1}", Spread::of(ratios)), "times");
    write_recording(&recording, count)?;
    println!("{count} exchanges in a recording");
    let from = || seconds(Command::new(REEL).args(["-q", "-e", SCRIPT, "--from"]).arg(&recording), count);
    line("  reel --from, the first time", format!("{:>9.2}", from()?), "s, with its index made");
    let again = (0..runs).map(|_| from()).collect::<Result<Vec<f64>>>()?;
    line("  reel --from, again", Spread::of(again), "s");
    Ok(())
}

/// How long a command takes, and that what it counted is all there is.
fn seconds(command: &mut Command, count: u64) -> Result<f64> {
    let began = Instant::now();
    let done = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    let passed = began.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&done.stdout);
    // A row of reel's is `[1K, 2K)   7 |@@|`, one of awk's `200 17 7`.
    let number = |row: &str| row.split('|').next()?.split_whitespace().next_back()?.parse::<u64>().ok();
    let rows = text.lines().filter(|row| !row.starts_with('@'));
    let counted: u64 = rows.filter_map(number).sum();
    ensure!(done.status.success() && counted == count, "counted {counted} of {count}:\n{text}");
    Ok(passed)
}

const OK: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n{\"item\":\"tea\",\"count\":17}";
const MISSING: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nno such";

fn request(n: u64) -> Vec<u8> {
    format!("GET /stock/{} HTTP/1.1\r\nHost: shop.test\r\nAccept: */*\r\n\r\n", n % 1000).into_bytes()
}

fn write_packets(path: &Path, count: u64) -> Result<()> {
    let mut file = PacketFile::new(BufWriter::with_capacity(1 << 20, File::create(path)?))?;
    for n in 0..count.div_ceil(PER_CONNECTION) {
        let mut connection = file.open(u32::try_from(n)?)?;
        for at in n * PER_CONNECTION..count.min((n + 1) * PER_CONNECTION) {
            file.send(&mut connection, From::Client, &request(at))?;
            file.wait_us(10 + at % 500);
            file.send(&mut connection, From::Server, if at % 10 == 0 { MISSING } else { OK })?;
        }
        file.close(&mut connection)?;
    }
    file.into_inner().into_inner()?.sync_all()?;
    Ok(())
}

fn write_recording(dir: &Path, count: u64) -> Result<()> {
    let mut writer = Writer::create(dir, About::default())?;
    for at in 0..count {
        let http = reel_protocols::by_name("http").context("http")?;
        let mut codec = http.codec();
        let mut decode = |side, bytes: &[u8]| -> Result<Message> {
            match codec.frame(side, bytes, Rest::Open, Demand::ALL)? {
                Frame::Message { message, .. } => {
                    codec.pair(&message);
                    Ok(message)
                }
                _ => anyhow::bail!("not a message"),
            }
        };
        let exchange = Exchange {
            protocol: "http".to_owned(),
            direction: Direction::Out,
            destination: Destination { addr: ([127, 0, 0, 1], 80).into(), host: None },
            request: Some(decode(Side::Request, &request(at))?),
            interim: Vec::new(),
            response: Some(decode(Side::Response, if at % 10 == 0 { MISSING } else { OK })?),
            ending: None,
        };
        let when = Circumstance {
            at_ns: at * 1_000_000,
            latency_ns: Some((10 + at % 500) * 1000),
            pid: 1,
            tid: 1,
            comm: "bench".to_owned(),
            peer: Some(([127, 0, 0, 1], 40_000).into()),
            connection: u32::try_from(at / PER_CONNECTION)?,
        };
        writer.add_mock(Scope::Background, None, exchange, Vec::new(), when)?;
    }
    writer.finish(Closing::default())?;
    Ok(())
}
