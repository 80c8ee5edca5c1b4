//! How fast a mocked HTTP dependency answers: the same wrk against reel, nginx's `return`, WireMock and mitmproxy's server replay,
//! one after the other in each round.
//!
//! The client has the first core, what answers the second, both before everything else on the machine. `wiremock` (npm) and
//! `mitmdump` (PyPI) are taken from PATH; a peer that is not there is left out, and named. The arguments are the seconds of a run
//! (5) and the rounds (5). Each peer is warmed up for as long as all its runs take.
#![allow(clippy::print_stdout)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use reel::recording::{About, Circumstance, Closing, Scope, Writer};
use reel_lang::schema::Direction;
use reel_tests::bench::{Latency, Spread, foremost, line, print_machine};
use reel_tests::large::exchange;
use reel_tests::process::{Running, free_port, wait_connectable};

const REEL: &str = env!("CARGO_BIN_EXE_reel-e2e");
const BODY_LEN_BYTES: usize = 1024;
const CONNECTIONS: u32 = 16;
const CLIENT_CORE: u32 = 0;
const SERVER_CORE: u32 = 1;
/// The budgets: against WireMock and nginx, and the median latency.
const TIMES_WIREMOCK: f64 = 2.5;
const OF_NGINX: f64 = 0.4;
const P50_BUDGET_US: f64 = 100.0;

/// What answers.
struct Peer {
    name: &'static str,
    port: u16,
    /// It ends with this value; reel runs the client itself.
    server: Option<Running>,
    rates: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
}

fn main() -> Result<()> {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<u32>().ok());
    let (seconds, rounds) = (numbers.next().unwrap_or(5), numbers.next().unwrap_or(5));
    print_machine();
    println!("{BODY_LEN_BYTES} byte body, wrk -t1 -c{CONNECTIONS}, {rounds} rounds of {seconds} s");
    let folder = tempfile::tempdir()?;
    let peers = [nginx(folder.path())?, wiremock(folder.path())?, mitmproxy(folder.path())?];
    let mut peers: Vec<Peer> = peers.into_iter().flatten().collect();
    for peer in &peers {
        // A JVM that is cold may let requests wait for longer than wrk does.
        let _ = peer.run(folder.path(), seconds * rounds);
    }
    peers.insert(0, reel(folder.path())?);
    for _ in 0..rounds {
        for peer in &mut peers {
            let latency = peer.run(folder.path(), seconds)?;
            peer.rates.push(latency.per_second);
            peer.p50_us.push(latency.p50_us);
            peer.p99_us.push(latency.p99_us);
        }
    }
    for peer in &peers {
        println!("\n{}", peer.name);
        line("  answers a second", format!("{:.0}", Spread::of(peer.rates.clone())), "");
        line("  half of them within", format!("{:.0}", Spread::of(peer.p50_us.clone())), "us");
        line("  99 % of them within", format!("{:.0}", Spread::of(peer.p99_us.clone())), "us");
    }
    println!("\nbudget for reel's median: {P50_BUDGET_US} us");
    let (ours, theirs) = peers.split_first().context("reel")?;
    for peer in theirs {
        let ratios = ours.rates.iter().zip(&peer.rates).map(|(ours, theirs)| ours / theirs).collect();
        let budget = match peer.name {
            "nginx, return" => format!("(budget {OF_NGINX})"),
            "WireMock" => format!("(budget {TIMES_WIREMOCK})"),
            _ => String::new(),
        };
        line(&format!("reel / {}", peer.name), Spread::of(ratios), &budget);
    }
    Ok(())
}

impl Peer {
    fn new(name: &'static str, port: u16, server: Option<Running>) -> Result<Peer> {
        if server.is_some() {
            wait_connectable(port)?;
        }
        Ok(Peer { name, port, server, rates: Vec::new(), p50_us: Vec::new(), p99_us: Vec::new() })
    }

    /// One run of wrk.
    fn run(&self, folder: &Path, seconds: u32) -> Result<Latency> {
        let mut command = match self.server {
            Some(_) => foremost(CLIENT_CORE, "wrk"),
            None => {
                let mut reel = foremost(SERVER_CORE, REEL);
                reel.args(["mock", "-r"]).args([folder.join("latest.rr"), folder.join("recording")]);
                reel.args(["--", "taskset", "-c", &CLIENT_CORE.to_string(), "wrk"]);
                reel
            }
        };
        let (connections, seconds) = (format!("-c{CONNECTIONS}"), format!("-d{seconds}s"));
        command.args(["-t1", &connections, &seconds, "--latency", &format!("http://127.0.0.1:{}/", self.port)]);
        let ran = command.stdin(Stdio::null()).output().context("wrk, taskset and chrt are needed")?;
        let text = String::from_utf8_lossy(&ran.stdout);
        let failed = || format!("{}: {text}{}", self.name, String::from_utf8_lossy(&ran.stderr));
        // A peer that lets requests time out has that in its figures.
        ensure!(ran.status.success() && !text.contains("Non-2xx"), failed());
        Latency::of_wrk(&text).with_context(failed)
    }
}

/// What every peer answers.
fn body() -> String {
    "x".repeat(BODY_LEN_BYTES)
}

/// Recorded as wrk asks; the one answer serves every time.
fn reel(folder: &Path) -> Result<Peer> {
    let port = free_port()?;
    let request = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {BODY_LEN_BYTES}\r\n\r\n");
    let call = exchange("http", Direction::Out, port, &request, &format!("{head}{}", body()))?;
    let mut writer = Writer::create(&folder.join("recording"), About::default())?;
    writer.add_mock(Scope::Background, None, call, Vec::new(), Circumstance::default())?;
    writer.finish(Closing::default())?;
    fs::write(folder.join("latest.rr"), "mock:http { latest; }\n")?;
    Peer::new("reel", port, None)
}

fn nginx(folder: &Path) -> Result<Option<Peer>> {
    let (dir, port) = (folder.join("nginx"), free_port()?);
    fs::create_dir_all(&dir)?;
    let config = format!(
        "daemon off; master_process off; error_log stderr crit; pid nginx.pid; events {{ }}\n\
         http {{ access_log off; default_type text/plain; keepalive_requests 1000000000;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{}'; }} }} }}\n",
        body()
    );
    fs::write(dir.join("nginx.conf"), config)?;
    peer("nginx, return", port, "nginx", |command| {
        command.arg("-p").arg(&dir).args(["-c", "nginx.conf"]);
    })
}

fn wiremock(folder: &Path) -> Result<Option<Peer>> {
    let (dir, port) = (folder.join("wiremock"), free_port()?);
    fs::create_dir_all(dir.join("mappings"))?;
    let response = format!(r#"{{"status": 200, "headers": {{"Content-Type": "text/plain"}}, "body": "{}"}}"#, body());
    let mapping = format!(r#"{{"request": {{"method": "GET", "url": "/"}}, "response": {response}}}"#);
    fs::write(dir.join("mappings/root.json"), mapping)?;
    peer("WireMock", port, "wiremock", |command| {
        command.args(["--no-request-journal", "--disable-banner", "--bind-address", "127.0.0.1", "--port"]);
        command.arg(port.to_string()).arg("--root-dir").arg(&dir);
    })
}

/// Its recording is made by itself, of nginx.
fn mitmproxy(folder: &Path) -> Result<Option<Peer>> {
    let (flows, port) = (folder.join("flows"), free_port()?);
    let Some(origin) = nginx(folder)? else { return Ok(None) };
    let mode = format!("reverse:http://127.0.0.1:{}@127.0.0.1:{port}", origin.port);
    let recorder = peer("mitmproxy", port, "mitmdump", |command| {
        command.args(["-q", "--mode", &mode, "-w"]).arg(&flows);
    })?;
    let Some(recorder) = recorder else { return Ok(None) };
    let asked = Command::new("curl").args(["-sf", &format!("http://127.0.0.1:{port}/")]).output()?;
    ensure!(asked.status.success(), "mitmdump does not pass a request on: {}", asked.status);
    let recorder = recorder.server.context("it runs")?;
    let stopped = Command::new("kill").arg(recorder.0.id().to_string()).status()?;
    ensure!(stopped.success(), "kill: {stopped}");
    let mut recorder = recorder;
    recorder.0.wait()?;
    peer("mitmproxy", port, "mitmdump", |command| {
        command.args(["-q", "--mode", &mode, "--server-replay"]).arg(&flows);
        for option in ["server_replay_reuse=true", "connection_strategy=lazy", "server_replay_extra=404"] {
            command.args(["--set", option]);
        }
    })
}

/// Starts what answers at a port; none where it is not installed.
fn peer(name: &'static str, port: u16, program: &str, put: impl Fn(&mut Command)) -> Result<Option<Peer>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|dir| dir.join(program).exists()) {
        println!("{name}: left out, since {program} is not on PATH");
        return Ok(None);
    }
    let mut command = foremost(SERVER_CORE, program);
    put(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Peer::new(name, port, Some(Running::start(&mut command)?)).map(Some)
}
