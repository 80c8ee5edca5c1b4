//! What the clock of a replay costs: a reading of the time, a system call, and the start of a program, without it, under it, and
//! under libfaketime where that is installed (Debian's package `faketime`).
//!
//! The measured program is this benchmark itself, so that all three run the same code. It tells what passed by the monotonic clock, which
//! all of them let run. libfaketime does not see a system call that is made without the library, which is why it has no figure there. The
//! argument is the number of rounds (9).
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use reel_tests::bench::{Spread, line, print_machine};

const REEL: &str = env!("CARGO_BIN_EXE_reel-e2e");
/// The word that makes this program the measured one.
const MEASURED: &str = "--measured";
const AT: &str = "2024-02-29T12:00:00Z";

/// Something that is measured.
#[derive(Clone, Copy)]
struct Work {
    word: &'static str,
    title: &'static str,
    unit: &'static str,
    /// How often in one round.
    times: u32,
    /// Whether libfaketime has a part in it.
    is_faked: bool,
    once: fn(),
}

const WORKS: [Work; 4] = [
    Work {
        word: "reading",
        title: "clock_gettime(CLOCK_REALTIME), as libc makes it",
        unit: "ns",
        times: 2_000_000,
        is_faked: true,
        once: reading,
    },
    Work {
        word: "direct",
        title: "clock_gettime(CLOCK_REALTIME), as a system call",
        unit: "ns",
        times: 20_000,
        is_faked: false,
        once: direct,
    },
    Work {
        word: "other",
        title: "another system call (getppid)",
        unit: "ns",
        times: 1_000_000,
        is_faked: true,
        once: other,
    },
    Work {
        word: "exec",
        title: "a program from start to end (true)",
        unit: "us",
        times: 200,
        is_faked: true,
        once: exec,
    },
];

#[allow(unsafe_code)]
fn reading() {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct lives for the call.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    black_box(time.tv_nsec);
}

#[allow(unsafe_code)]
fn direct() {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct lives for the call.
    unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_REALTIME, &raw mut time) };
    black_box(time.tv_nsec);
}

fn other() {
    black_box(std::os::unix::process::parent_id());
}

fn exec() {
    let _ = black_box(Command::new("/bin/true").status());
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    if let [_, first, word, ..] = args.as_slice()
        && first == MEASURED
    {
        let work = WORKS.iter().find(|work| work.word == word).context("no such work")?;
        println!("{}", measure(*work));
        return Ok(());
    }
    let rounds = args.iter().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(9);
    print_machine();
    let has_faketime = Command::new("faketime").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !has_faketime {
        println!("libfaketime: skipped, faketime is not installed");
    }
    WORKS.iter().try_for_each(|work| compare(*work, rounds, has_faketime && work.is_faked))
}

/// What one of it takes, in its unit.
fn measure(work: Work) -> f64 {
    let began = Instant::now();
    (0..work.times).for_each(|_| (work.once)());
    let each = began.elapsed().as_secs_f64() / f64::from(work.times);
    each * if work.unit == "us" { 1e6 } else { 1e9 }
}

/// Measures each way in turn, and prints all and the ratios.
fn compare(work: Work, rounds: usize, has_faketime: bool) -> Result<()> {
    let running = ["debug", "clock", "--at", AT, "--"].as_slice();
    let frozen = ["debug", "clock", "--frozen", "--at", AT, "--"].as_slice();
    let mut ways =
        vec![("without", "", [].as_slice()), ("reel, recorded", REEL, running), ("reel, frozen", REEL, frozen)];
    if has_faketime {
        ways.push(("libfaketime", "faketime", ["-f", "@2024-02-29 12:00:00"].as_slice()));
    }
    let mut figures = vec![Vec::new(); ways.len()];
    for _ in 0..rounds {
        for ((_, program, args), figures) in ways.iter().zip(&mut figures) {
            figures.push(run(program, args, work)?);
        }
    }
    println!("{}", work.title);
    let plain = figures.first().cloned().unwrap_or_default();
    for ((name, ..), figures) in ways.iter().zip(figures) {
        let ratios = figures.iter().zip(&plain).map(|(figure, plain)| figure / plain).collect();
        let is_plain = *name == "without";
        line(&format!("  {name}"), format!("{:.1}", Spread::of(figures)), work.unit);
        if !is_plain {
            line(&format!("  {name} / without"), Spread::of(ratios), "times");
        }
    }
    Ok(())
}

/// Runs the measured program, by itself or by another.
fn run(program: &str, args: &[&str], work: Work) -> Result<f64> {
    let own = std::env::current_exe()?;
    let mut command = if program.is_empty() { Command::new(&own) } else { Command::new(program) };
    command.args(args);
    if !program.is_empty() {
        command.arg(&own);
    }
    let out = command.args([MEASURED, work.word]).stderr(Stdio::null()).output().context(program.to_owned())?;
    let text = String::from_utf8_lossy(&out.stdout);
    ensure!(out.status.success(), "{program} {}: {}", work.word, out.status);
    text.trim().parse().with_context(|| format!("{program}: {text}"))
}
