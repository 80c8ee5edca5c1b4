//! What the benchmarks share: figures with their spread, processes pinned to a core, and the machine they ran on.
//!
//! A benchmark measures both sides in one run and in turn, so that a change of the machine's mood meets both; what it prints is
//! the median of the pairs' own ratios or differences, and the quartiles beside it.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Median and quartiles of some figures.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    /// Sorts the figures; of none, everything is zero.
    pub fn of(mut figures: Vec<f64>) -> Spread {
        figures.sort_by(f64::total_cmp);
        let at = |quarter: usize| {
            let last = figures.len().saturating_sub(1);
            figures.get((last * quarter + 2) / 4).copied().unwrap_or_default()
        };
        Spread { low: at(1), median: at(2), high: at(3) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Spread { low, median, high } = self;
        write!(f, "{median:>9.digits$}   quartiles {low:.digits$} .. {high:.digits$}")
    }
}

/// One aligned line of a report.
pub fn line(name: &str, figure: impl std::fmt::Display, unit: &str) {
    println!("{name:<44} {figure} {unit}");
}

/// The first line of a report: processor, cores, kernel, and what else the machine was doing.
pub fn print_machine() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    println!(
        "machine: {}, {cores} cores, Linux {}, load {load}",
        model.trim_start_matches(['\t', ' ', ':']),
        kernel.trim()
    );
}

/// Pins every thread of a process to a core.
pub fn pin(pid: u32, core: u32) -> Result<()> {
    tool("taskset", &["-a", "-p", "-c", &core.to_string(), &pid.to_string()])
}

/// Puts a process before everything that is not real-time: what else the machine does then costs the figures little.
pub fn prefer(pid: u32, priority: u32) -> Result<()> {
    tool("chrt", &["-a", "-f", "-p", &priority.to_string(), &pid.to_string()])
}

/// A command on a core of its own, before everything that is not real-time; its threads take turns.
pub fn foremost(core: u32, program: &str) -> Command {
    let mut command = Command::new("chrt");
    command.args(["-r", "10", "taskset", "-c", &core.to_string(), program]);
    command
}

/// How fast a server answered in a run of a client.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    pub per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
}

impl Latency {
    /// What `wrk --latency` printed; none where that is something else.
    pub fn of_wrk(text: &str) -> Option<Latency> {
        let after = |name: &str| text.lines().find_map(|line| Some(line.trim().strip_prefix(name)?.trim().to_owned()));
        let time_us = |text: String| {
            let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            let figure: f64 = text.trim_end_matches(unit).parse().ok()?;
            Some(figure * [("us", 1.0), ("ms", 1e3), ("s", 1e6)].iter().find(|(name, _)| *name == unit)?.1)
        };
        Some(Latency {
            per_second: after("Requests/sec:")?.parse().ok()?,
            p50_us: time_us(after("50%")?)?,
            p99_us: time_us(after("99%")?)?,
        })
    }
}

fn tool(name: &str, args: &[&str]) -> Result<()> {
    let output = Command::new(name).args(args).output().with_context(|| format!("{name} is not installed"))?;
    ensure!(output.status.success(), "{name} {args:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// The time that the threads of a process have been on a core, in nanoseconds.
pub fn cpu_ns(pid: u32) -> Result<u64> {
    let mut total = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += text.split(' ').next().context("schedstat is empty")?.parse::<u64>()?;
    }
    Ok(total)
}
