//! What capture costs a server: nginx answering 1 KB at full load, its CPU time a request with and without the capture program.
//!
//! One nginx runs in one cgroup for the whole run, on the first core; wrk and reel's reader are on the second. In each pair the
//! capture program is attached for one half, so both halves are the same process with the same memory, and which half comes first
//! alternates. Each way of reading is measured. The consumer drops the records: decoding happens on another core and is no cost of the server's.
//! Arguments: the number of pairs (9), and of connections (16).
#![allow(clippy::print_stdout)]

use std::ffi::OsString;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use reel::capture::kernel::{Capture, Settings};
use reel::capture::reader::Reader;
use reel_probes::cgroup::Cgroup;
use reel_probes::doctor::Rung;
use reel_probes::spawn::{App, Spawn};
use reel_tests::bench::{Spread, cpu_ns, line, pin, prefer, print_machine};
use reel_tests::process::{free_port, wait_connectable};

const SERVER_CORE: u32 = 0;
const LOAD_CORE: u32 = 1;
const BODY_LEN_BYTES: usize = 1024;
const BUDGET_US: f64 = 0.35;

fn main() -> Result<()> {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let pairs = numbers.first().copied().unwrap_or(9);
    let connections = numbers.get(1).copied().unwrap_or(16);
    let bench = Bench::start(connections)?;
    bench.load()?;
    print_machine();
    println!(
        "nginx, {BODY_LEN_BYTES} byte body, {connections} connections, {pairs} pairs; CPU time of the server a request"
    );
    for rung in Rung::LADDER {
        match rung.lacking() {
            None => compare(&bench, rung, pairs)?,
            Some(check) => println!("through {rung}: not on this machine, {}: {}", check.name, check.detail),
        }
    }
    Ok(())
}

/// Loads the server with and without a capture, and prints both.
fn compare(bench: &Bench, rung: Rung, pairs: usize) -> Result<()> {
    let (mut bare, mut recorded, mut extra, mut lost, mut records) = (vec![], vec![], vec![], 0, vec![]);
    for pair in 0..pairs {
        let (mut without, mut with) = (None, None);
        for half in 0..2 {
            if (pair + half) % 2 == 0 {
                without = Some(bench.load()?);
            } else {
                with = Some(bench.captured(rung)?);
            }
        }
        let (Some(without), Some((with, seen))) = (without, with) else { continue };
        bare.push(without.us_each);
        recorded.push(with.us_each);
        extra.push(with.us_each - without.us_each);
        records.push(seen.records as f64 / with.requests as f64);
        lost += seen.lost;
    }
    println!("through {rung}");
    let ratios = recorded.iter().zip(&bare).map(|(with, without)| with / without).collect();
    line("without capture", Spread::of(bare), "us");
    line("with capture", Spread::of(recorded), "us");
    let budget = if rung == Rung::TcpTracepoints { format!("us (budget {BUDGET_US})") } else { "us".to_owned() };
    line("capture costs", Spread::of(extra), &budget);
    line("ratio", format!("{:.3}", Spread::of(ratios)), "");
    line("records a request", Spread::of(records), "");
    line("records dropped", format!("{lost:>9}"), "(budget 0)");
    Ok(())
}

/// An nginx in a cgroup of its own, which dies with this value.
struct Bench {
    cgroup: Cgroup,
    app: App,
    url: String,
    connections: usize,
    _folder: tempfile::TempDir,
}

/// One half of a pair.
struct Load {
    us_each: f64,
    requests: u64,
}

/// What the reader saw meanwhile.
struct Seen {
    records: u64,
    lost: u64,
}

impl Bench {
    fn start(connections: usize) -> Result<Bench> {
        let port = free_port()?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("n.conf"), configuration(port))?;
        let command: Vec<OsString> = ["nginx", "-p"]
            .map(OsString::from)
            .into_iter()
            .chain([folder.path().into(), "-c".into(), "n.conf".into()])
            .collect();
        let cgroup = Cgroup::create()?;
        let app = Spawn::new(&command)?.start(&cgroup)?;
        let bench = Bench { cgroup, app, url: format!("http://127.0.0.1:{port}/"), connections, _folder: folder };
        wait_connectable(port)?;
        pin(bench.app.pid(), SERVER_CORE)?;
        pin(std::process::id(), LOAD_CORE)?;
        // The reader goes before the load, as it would on a core of its own; wrk inherits the lower of the two.
        if let Err(error) = prefer(bench.app.pid(), 1).and_then(|()| prefer(std::process::id(), 2)) {
            println!("no real-time priority, so other work on this machine disturbs the figures: {error}");
        }
        Ok(bench)
    }

    /// A second of load.
    fn load(&self) -> Result<Load> {
        let before = cpu_ns(self.app.pid())?;
        let output = Command::new("chrt")
            .args(["-f", "1", "wrk", "-t1", "-d1", "-c"])
            .args([&self.connections.to_string(), &self.url])
            .output()
            .context("chrt and wrk are needed")?;
        let spent_ns = cpu_ns(self.app.pid())? - before;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "wrk: {text}{}", String::from_utf8_lossy(&output.stderr));
        let requests = text.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok());
        let requests: u64 = requests.with_context(|| format!("wrk told no count: {text}"))?;
        ensure!(requests > 0 && !text.contains("Non-2xx"), "wrk: {text}");
        Ok(Load { us_each: spent_ns as f64 / requests as f64 / 1e3, requests })
    }

    /// A second of load with the capture program attached.
    fn captured(&self, rung: Rung) -> Result<(Load, Seen)> {
        let failed = |failure: reel::exit::Failure| anyhow!("{}", failure.message);
        let settings = Settings { rung: Some(rung), ..Settings::default() };
        let reader = Reader::start(Capture::start(&self.cgroup, &settings).map_err(failed)?).map_err(failed)?;
        let batches = reader.batches().clone();
        let consumer = thread::spawn(move || batches.iter().map(|batch| batch.len() as u64).sum::<u64>());
        let load = self.load();
        let mut rest = 0;
        let lost = reader.finish(|batch| rest += batch.len() as u64);
        let records = rest + consumer.join().map_err(|_| anyhow!("the consumer panicked"))?;
        Ok((load?, Seen { records, lost }))
    }
}

fn configuration(port: u16) -> String {
    format!(
        "daemon off; master_process off; error_log stderr crit; pid nginx.pid; events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ return 200 \"{}\"; }} }} }}\n",
        "x".repeat(BODY_LEN_BYTES)
    )
}
