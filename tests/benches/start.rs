//! What starting costs: one-liners from the start of the process to their end or their first output, reel beside bpftrace.
//!
//! The first has no probe but `begin`, and ends; the second attaches a tracepoint that any process of the machine hits at once, and
//! its time is the one to the first line that the probe prints. The time to its end would be the kernel's: detaching a tracepoint
//! waits for a grace period, some 80 ms for either program. The argument is the number of pairs (15).
#![allow(clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use reel_tests::bench::{Spread, line, print_machine};
use reel_tests::process::Running;

const REEL: &str = env!("CARGO_BIN_EXE_reel-e2e");
const BPFTRACE: &str = "bpftrace";
const ONLY_BEGIN: &str = "BEGIN { exit() }";
const TRACEPOINT: &str = "tracepoint:raw_syscalls:sys_enter { exit() }";
const FIRST_HIT: &str = "tracepoint:raw_syscalls:sys_enter /@hit == 0/ { @hit = 1; printf(\"first hit\\n\"); }";

fn main() -> Result<()> {
    let pairs = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(15);
    print_machine();
    compare("only begin, to its end", pairs, |program| run_ms(program, ONLY_BEGIN))?;
    compare("one tracepoint, to its first line", pairs, first_line_ms)?;
    for script in [ONLY_BEGIN, TRACEPOINT] {
        println!("{script}");
        line("  peak memory, reel", format!("{:>9.1}", peak_mb(REEL, script)?), "MB (budget 20)");
        line("  peak memory, bpftrace", format!("{:>9.1}", peak_mb(BPFTRACE, script)?), "MB");
    }
    line("size of the program", format!("{:>9.1}", Path::new(REEL).metadata()?.len() as f64 / 1e6), "MB (budget 20)");
    Ok(())
}

/// Measures both programs in turn, and prints both and the ratio.
fn compare(name: &str, pairs: usize, measure: impl Fn(&str) -> Result<f64>) -> Result<()> {
    let (mut ours, mut theirs, mut ratios) = (vec![], vec![], vec![]);
    for _ in 0..pairs {
        let (reel, bpftrace) = (measure(REEL)?, measure(BPFTRACE)?);
        ours.push(reel);
        theirs.push(bpftrace);
        ratios.push(bpftrace / reel);
    }
    println!("{name}");
    line("  reel", Spread::of(ours), "ms (budget 30)");
    line("  bpftrace", Spread::of(theirs), "ms");
    line("  bpftrace / reel", format!("{:.1}", Spread::of(ratios)), "times (budget 10)");
    Ok(())
}

/// The time to the first line that a probe prints; then the program is killed.
fn first_line_ms(program: &str) -> Result<f64> {
    let began = Instant::now();
    let mut command = Command::new(program);
    let mut running = Running::start(command.args(["-e", FIRST_HIT]).stdout(Stdio::piped()).stderr(Stdio::null()))?;
    let output = BufReader::new(running.0.stdout.take().context("its output")?);
    let is_there = output.lines().map_while(Result::ok).any(|line| line == "first hit");
    let passed_ms = began.elapsed().as_secs_f64() * 1e3;
    ensure!(is_there, "{program} -e '{FIRST_HIT}' printed nothing");
    Ok(passed_ms)
}

fn run_ms(program: &str, script: &str) -> Result<f64> {
    let began = Instant::now();
    let status = Command::new(program).args(["-e", script]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot start {program}"))?;
    ensure!(status.success(), "{program} -e '{script}': {status}");
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// The most memory that a run held at once, as time(1) tells it in KiB.
fn peak_mb(program: &str, script: &str) -> Result<f64> {
    let output =
        Command::new("time").args(["-f", "%M", program, "-e", script]).output().context("time(1) is needed")?;
    let text = String::from_utf8_lossy(&output.stderr);
    let kib: f64 =
        text.lines().last().and_then(|line| line.parse().ok()).with_context(|| format!("time(1): {text}"))?;
    Ok(kib * 1024.0 / 1e6)
}
