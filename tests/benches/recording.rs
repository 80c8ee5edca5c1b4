//! What a recording's size costs: opened by its index against opened by reading every YAML file, and the memory of a replay.
//!
//! The recordings are written, not captured, and go to a folder of the system's temporary one, which needs 2 GB. The arguments are
//! the number of tests that are opened and replayed (100000), the size in MB of the recording that is replayed (1000), and how often each side is
//! measured (5). All files are in the page cache when a side begins.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use reel_tests::bench::{Spread, line, print_machine};
use reel_tests::large::{self, Cost};
use reel_tests::process::free_port;

const REEL: &str = env!("CARGO_BIN_EXE_reel-e2e");
const RELAY: &str = env!("CARGO_BIN_EXE_relay");
/// The budgets: of opening 100,000 tests, and of replaying them, or 1 GB.
const OPEN_BUDGET_MS: f64 = 2000.0;
const REPLAY_BUDGET_MB: f64 = 200.0;
/// What a page of text has; both the call's answer and the response have as much.
const PAGE_LEN_BYTES: usize = 50_000;
const SMALL_LEN_BYTES: usize = 100;

fn main() -> Result<()> {
    let numbers: Vec<u32> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    print_machine();
    open(number(0, 100_000), number(2, 5))?;
    replay(number(1, 1_000), number(0, 100_000))
}

/// Opens a recording of so many tests by `reel show DIR 1`, with its index and without.
fn open(tests: u32, rounds: u32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("recording");
    large::record(&dir, 8080, 6379, tests, SMALL_LEN_BYTES)?;
    // The first time settles what files as young as the index are.
    show(&dir, &["1"])?;
    let (mut by_index, mut by_index_cpu, mut by_files, mut ratios) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        let (index_ms, took) = show(&dir, &["1"])?;
        std::fs::remove_file(dir.join(".index"))?;
        let (files_ms, _) = show(&dir, &["1"])?;
        by_index.push(index_ms);
        by_index_cpu.push(took.cpu.as_secs_f64() * 1e3);
        by_files.push(files_ms);
        ratios.push(files_ms / index_ms);
    }
    let (listed_ms, listed) = show(&dir, &[])?;
    println!("\n{tests} tests and {tests} calls, opened {rounds} times each way");
    line("with an index", format!("{:.1}", Spread::of(by_index)), &format!("ms (budget {OPEN_BUDGET_MS} for 100000)"));
    line("  on a core", format!("{:.1}", Spread::of(by_index_cpu)), "ms");
    line("by reading every file", format!("{:.1}", Spread::of(by_files)), "ms");
    line("ratio", Spread::of(ratios), "");
    line("all tests listed", format!("{listed_ms:>9.1}"), "ms");
    line("  most memory", format!("{:>9.1}", megabytes(listed.peak_len_bytes)), "MB");
    Ok(())
}

/// The time of `reel show`, and what it took.
fn show(dir: &Path, more: &[&str]) -> Result<(f64, Cost)> {
    let began = Instant::now();
    let mut command = Command::new(REEL);
    let took = large::cost(&mut command.arg("show").arg(dir).args(more).stdout(Stdio::null()).spawn()?)?;
    ensure!(took.status.success(), "reel show: {}", took.status);
    Ok((began.elapsed().as_secs_f64() * 1e3, took))
}

/// Replays a small recording, one of so many megabytes, and one of so many small tests.
fn replay(size_mb: u32, small_tests: u32) -> Result<()> {
    let tests = size_mb * 1_000_000 / (2 * PAGE_LEN_BYTES as u32);
    let base_mb = replayed(10, PAGE_LEN_BYTES)?.0;
    let (large_mb, large_s) = replayed(tests, PAGE_LEN_BYTES)?;
    println!("\n{tests} tests and {tests} calls of {PAGE_LEN_BYTES} bytes each: {size_mb} MB of bodies");
    line("most memory of a replay", format!("{large_mb:>9.1}"), &format!("MB (budget {REPLAY_BUDGET_MB} for 1000)"));
    line("of a replay of 10 such tests", format!("{base_mb:>9.1}"), "MB");
    line("ratio of the recording to the memory", format!("{:>9.1}", f64::from(size_mb) / large_mb), "");
    line("the replay took", format!("{large_s:>9.1}"), "s");
    let (many_mb, many_s) = replayed(small_tests, SMALL_LEN_BYTES)?;
    println!("\n{small_tests} tests and {small_tests} calls of {SMALL_LEN_BYTES} bytes each");
    line("most memory of a replay", format!("{many_mb:>9.1}"), &format!("MB (budget {REPLAY_BUDGET_MB} for 100000)"));
    line("the replay took", format!("{many_s:>9.1}"), "s");
    Ok(())
}

/// The most memory of a replay of so many tests, in megabytes, and its time.
fn replayed(tests: u32, body_len_bytes: usize) -> Result<(f64, f64)> {
    let (folder, port, store_port) = (tempfile::tempdir()?, free_port()?, free_port()?);
    let dir = folder.path().join("recording");
    large::record(&dir, port, store_port, tests, body_len_bytes)?;
    let began = Instant::now();
    let mut command = Command::new(REEL);
    command.arg("replay").arg(&dir).args(["--", RELAY, &port.to_string(), &store_port.to_string()]);
    let took = large::cost(&mut command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?)?;
    ensure!(took.status.success(), "reel replay: {}", took.status);
    Ok((megabytes(took.peak_len_bytes), began.elapsed().as_secs_f64()))
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
