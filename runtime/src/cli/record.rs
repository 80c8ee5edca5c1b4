//! `reel record`: start the app, capture what it exchanges, write a recording.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum, value_parser};

use super::Outcome;
use super::through::Through;
use crate::capture::kernel::Settings;
use crate::engine::environment::Machine;
use crate::exit::{Exit, Failure};
use crate::record::session::{self, Request};
use crate::recording::{Redactor, Vault, secrets};
use crate::rules::{self, selection::Selector};

/// Recorded exchanges stay in memory until the recording ends.
const DEFAULT_MEMORY_MIB: u32 = 1024;

#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  \
    reel record -- ./server                                    until Ctrl-C\n  \
    reel record --drive ./client.sh -- ./server                until the client exits\n  \
    reel record -r checkout.rr -o recordings/checkout -- python app.py\n  \
    reel record --name store=127.0.0.1:6379 -- ./server         call a dependency by name")]
pub struct Args {
    /// A rule file; may be given several times.
    #[arg(short = 'r', long = "rules", value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// Where the recording goes: a directory that does not exist yet.
    #[arg(short, long, value_name = "DIR", default_value = "recordings/recording")]
    pub output: PathBuf,
    /// A command to run as soon as the app listens; its exit ends the recording.
    #[arg(long, value_name = "CMD")]
    pub drive: Option<String>,
    /// Write a name beside a dependency's address, by which `replay --alias` can speak of it.
    #[arg(long, value_name = "NAME=ADDRESS:PORT", value_parser = named)]
    pub name: Vec<(String, std::net::SocketAddr)>,
    /// Replace an existing recording.
    #[arg(long)]
    pub force: bool,
    /// How long the app may take to listen, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u64).range(1..=super::MAX_TIMEOUT_S))]
    pub listen_timeout: u64,
    /// Whose exit status reel gives.
    #[arg(long, value_enum, default_value_t = ExitStatus::Reel)]
    pub exit_status: ExitStatus,
    /// The size of the kernel's event ring, for what comes while reel has no turn: 2 to 1024 MiB, up to a power of two.
    #[arg(long, value_name = "MIB", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=1024))]
    pub ring_mib: u32,
    /// How traffic is read; by default the best way that this kernel allows (`reel doctor` says which).
    #[arg(long, value_enum, value_name = "WAY")]
    pub through: Option<Through>,
    /// How much of what was exchanged may be in memory; the recording ends there.
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_MEMORY_MIB, value_parser = clap::value_parser!(u32).range(1..))]
    pub memory_mib: u32,
    /// The app and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// Whose exit status a recording gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExitStatus {
    Reel,
    App,
}

/// Reads `NAME=ADDRESS:PORT`.
fn named(text: &str) -> Result<(String, std::net::SocketAddr), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, address) = parts.ok_or("expected NAME=ADDRESS:PORT")?;
    let address = address.parse().map_err(|_| format!("`{address}` is not an address with a port: 127.0.0.1:6379"))?;
    Ok((name.to_owned(), address))
}

/// Holds each address to one name.
fn named_once(names: &[(String, std::net::SocketAddr)]) -> Result<(), Failure> {
    for (at, (name, addr)) in names.iter().enumerate() {
        let before = names.iter().take(at).find(|(_, other)| other == addr);
        if let Some((other, _)) = before.filter(|(other, _)| other != name) {
            return Err(Failure::new(Exit::Usage, format!("--name gives {addr} two names, `{other}` and `{name}`"))
                .remedy("give each address one name"));
        }
    }
    Ok(())
}

/// Says what the recording lacks because of its redaction.
fn left_out(unusable: &[String]) -> Failure {
    let list: String = unusable.iter().map(|one| format!("\n  {one}")).collect();
    Failure::new(
        Exit::Recording,
        format!("what could not be sent after its redaction was left out of the recording:{list}"),
    )
    .remedy("redact the fields that hold the secrets, and none that the protocol needs as they are")
}

/// Records.
pub fn run(args: Args) -> Outcome {
    if args.output.exists() && !args.force {
        return Err(Failure::new(Exit::Usage, format!("{} exists already", args.output.display()))
            .remedy("name another folder with -o, or replace the recording with --force"));
    }
    named_once(&args.name)?;
    let rules = rules::load(&args.rules, &Machine::default())?;
    let request = Request {
        command: args.command,
        output: args.output,
        drive: args.drive,
        listen_timeout: Duration::from_secs(args.listen_timeout),
        memory_len_bytes: (args.memory_mib as usize) << 20,
        capture: Settings {
            ring_len_bytes: args.ring_mib.next_power_of_two() << 20,
            filters: rules.filters().clone(),
            rung: args.through.map(Into::into),
            transports: rules.transports(),
            ..Settings::default()
        },
    };
    let vault = Vault::of_recording(&request.output, &secrets::state_folder())?;
    let mut selector = Selector::new(&rules, Redactor::new(vault)).with_names(args.name);
    let recorded = session::record(&request, &mut selector);
    for error in selector.errors() {
        anstream::eprintln!("reel: warning: {error}");
    }
    if !selector.unusable().is_empty() {
        return Err(left_out(selector.unusable()));
    }
    let (exit, app) = recorded?;
    for (name, addr) in selector.uncalled() {
        anstream::eprintln!("reel: warning: --name {name}={addr}: nothing called that address");
    }
    match (args.exit_status, app) {
        (ExitStatus::App, Some(status)) => Ok(Exit::Code(status.code().map_or(128, |code| code as u8))),
        _ => Ok(exit),
    }
}
