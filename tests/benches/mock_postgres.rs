//! How fast a mocked PostgreSQL answers: pgbench in its simple and prepared modes against reel, and against the server that was
//! recorded, in turn.
//!
//! pgbench has the first core, what answers the second, both before everything else on the machine. The arguments are the seconds of
//! a run (5) and the number of pairs (5).
#![allow(clippy::print_stdout)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use reel_tests::bench::{Latency, Spread, foremost, line, pin, prefer, print_machine};
use reel_tests::postgres::{PASSWORD, Postgres, USER};
use reel_tests::process::free_port;

const REEL: &str = env!("CARGO_BIN_EXE_reel-e2e");
const CLIENTS: u32 = 16;
const CLIENT_CORE: u32 = 0;
const SERVER_CORE: u32 = 1;
/// What pgbench's own select-only script asks, of one account.
const QUERY: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;\n";
const MODES: [&str; 2] = ["simple", "prepared"];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", port, server_port, script] => serve(port.parse()?, server_port.parse()?, Path::new(script)),
        rest => {
            let numbers: Vec<u32> = rest.iter().filter_map(|arg| arg.parse().ok()).collect();
            let number = |at: usize| numbers.get(at).copied().unwrap_or(5);
            compare(number(0), number(1))
        }
    }
}

fn compare(seconds: u32, pairs: u32) -> Result<()> {
    let (folder, server) = (tempfile::tempdir()?, Postgres::start("trust")?);
    let bench = Bench { folder: folder.path().to_owned(), port: server.port };
    fs::write(bench.script(), QUERY)?;
    fs::write(bench.folder.join("latest.rr"), "mock:postgres { latest; }\n")?;
    let made = bench.pgbench(Command::new("pgbench")).args(["-i", "-q"]).output()?;
    ensure!(made.status.success(), "pgbench -i: {}", String::from_utf8_lossy(&made.stderr));
    bench.record()?;
    // Each connection's process is a child of the server's, and keeps its core and its priority.
    pin(server.pid(), SERVER_CORE)?;
    prefer(server.pid(), 10)?;
    print_machine();
    println!(
        "pgbench -c {CLIENTS} -j 1, one account's balance, {pairs} pairs of {seconds} s; PostgreSQL and reel on one core each"
    );
    for mode in MODES {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..pairs {
            ours.push(bench.run(Side::Reel, mode, seconds)?);
            theirs.push(bench.run(Side::Server, mode, seconds)?);
        }
        println!("\n-M {mode}");
        print("reel", &ours);
        print("PostgreSQL", &theirs);
        let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| ours.per_second / theirs.per_second).collect();
        line("reel / PostgreSQL", Spread::of(ratios), "(budget: more than 1)");
    }
    Ok(())
}

fn print(name: &str, runs: &[Latency]) {
    let spread = |what: fn(&Latency) -> f64| format!("{:.0}", Spread::of(runs.iter().map(what).collect()));
    line(&format!("{name}: answers a second"), spread(|run| run.per_second), "");
    line("  half of them within", spread(|run| run.p50_us), "us");
    line("  99 % of them within", spread(|run| run.p99_us), "us");
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Reel,
    Server,
}

/// What all runs share.
struct Bench {
    folder: PathBuf,
    /// The server's.
    port: u16,
}

impl Bench {
    fn script(&self) -> PathBuf {
        self.folder.join("select.sql")
    }

    fn recording(&self) -> PathBuf {
        self.folder.join("recording")
    }

    fn pgbench(&self, command: Command) -> Command {
        with_server(command, self.port)
    }

    /// Records a service that runs the script in each mode when it is asked to.
    fn record(&self) -> Result<()> {
        let (me, port) = (std::env::current_exe()?, free_port()?);
        let mut command = Command::new(REEL);
        command.args(["record", "--drive", &format!("curl -sf http://127.0.0.1:{port}/"), "-o"]).arg(self.recording());
        command.arg("--").arg(me).args(["serve", &port.to_string(), &self.port.to_string()]).arg(self.script());
        let ran = command.stdin(Stdio::null()).output()?;
        ensure!(ran.status.success(), "reel record: {}", String::from_utf8_lossy(&ran.stderr));
        Ok(())
    }

    /// One run of pgbench.
    fn run(&self, side: Side, mode: &str, seconds: u32) -> Result<Latency> {
        let command = match side {
            Side::Server => foremost(CLIENT_CORE, "pgbench"),
            Side::Reel => {
                let mut reel = foremost(SERVER_CORE, REEL);
                reel.args(["mock", "-r"]).arg(self.folder.join("latest.rr")).arg(self.recording());
                reel.args(["--", "taskset", "-c", &CLIENT_CORE.to_string(), "pgbench"]);
                reel
            }
        };
        let log = self.folder.join("log");
        let mut command = self.pgbench(command);
        command.args(["-n", "-j", "1", "-c", &CLIENTS.to_string(), "-T", &seconds.to_string(), "-M", mode]);
        command.arg("-f").arg(self.script()).arg("-l").arg("--log-prefix").arg(&log);
        let ran = command.stdin(Stdio::null()).output().context("pgbench, taskset and chrt are needed")?;
        let text = String::from_utf8_lossy(&ran.stdout);
        ensure!(ran.status.success(), "pgbench: {text}{}", String::from_utf8_lossy(&ran.stderr));
        self.latency(&text).with_context(|| format!("pgbench printed: {text}"))
    }

    /// What a run printed and logged; the log goes away.
    fn latency(&self, text: &str) -> Result<Latency> {
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        let mut took_us = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let path = file?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log.")) {
                // The third word of a line is a transaction's time in microseconds.
                let text = fs::read_to_string(&path)?;
                took_us.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u32>().ok()));
                fs::remove_file(path)?;
            }
        }
        took_us.sort_unstable();
        let at = |share: usize| took_us.get(took_us.len() * share / 100).copied().map(f64::from).context("no log");
        Ok(Latency { per_second: rate.context("no rate")?, p50_us: at(50)?, p99_us: at(99)? })
    }
}

fn with_server(mut command: Command, port: u16) -> Command {
    command.env("PGHOST", "127.0.0.1").env("PGPORT", port.to_string()).env("PGDATABASE", "postgres");
    command.env("PGUSER", USER).env("PGPASSWORD", PASSWORD);
    command
}

/// The service that is recorded: runs the script once in each mode for a request.
fn serve(port: u16, server_port: u16, script: &Path) -> Result<()> {
    for connection in TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.incoming() {
        let mut connection = BufReader::new(connection?);
        let mut line = String::new();
        while connection.read_line(&mut line)? > 2 {
            line.clear();
        }
        for mode in MODES {
            let mut command = with_server(Command::new("pgbench"), server_port);
            command.args(["-n", "-t", "1", "-M", mode, "-f"]).arg(script).stdout(Stdio::null());
            ensure!(command.status()?.success(), "pgbench -M {mode}");
        }
        let mut connection = connection.into_inner();
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
        connection.shutdown(std::net::Shutdown::Write)?;
        connection.read_to_end(&mut Vec::new())?;
    }
    Ok(())
}
