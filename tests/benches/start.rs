//! What starting costs: two one-liners from the start of the process to its end, reel beside bpftrace.
//!
//! The first has no probe but `begin`; the second attaches a tracepoint that any process of the machine hits at once, so its end
//! comes just after its first probe is attached. The argument is the number of pairs (15).
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use reel_tests::bench::{Spread, line, print_machine};

const REEL: &str = env!("CARGO_BIN_EXE_reel-e2e");
const BPFTRACE: &str = "bpftrace";
const SCRIPTS: [(&str, &str); 2] =
    [("only begin", "BEGIN { exit() }"), ("one tracepoint", "tracepoint:raw_syscalls:sys_enter { exit() }")];

fn main() -> Result<()> {
    let pairs = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(15);
    print_machine();
    for (name, script) in SCRIPTS {
        let (mut ours, mut theirs, mut ratios) = (vec![], vec![], vec![]);
        for _ in 0..pairs {
            let (reel, bpftrace) = (run_ms(REEL, script)?, run_ms(BPFTRACE, script)?);
            ours.push(reel);
            theirs.push(bpftrace);
            ratios.push(bpftrace / reel);
        }
        line(&format!("{name}: reel"), Spread::of(ours), "ms (budget 30)");
        line(&format!("{name}: bpftrace"), Spread::of(theirs), "ms");
        line(&format!("{name}: bpftrace / reel"), format!("{:.1}", Spread::of(ratios)), "times (budget 10)");
        line(&format!("{name}: peak memory, reel"), format!("{:>9.1}", peak_mb(REEL, script)?), "MB (budget 20)");
        line(&format!("{name}: peak memory, bpftrace"), format!("{:>9.1}", peak_mb(BPFTRACE, script)?), "MB");
    }
    line("size of the program", format!("{:>9.1}", Path::new(REEL).metadata()?.len() as f64 / 1e6), "MB (budget 20)");
    Ok(())
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
