//! `reel replay`: start the app with every dependency mocked, send it the recorded requests, compare.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, value_parser};

use super::Outcome;
use super::update::Accept;
use crate::clock;
use crate::engine::environment::Machine;
use crate::exit::{Exit, Failure};
use crate::learn;
use crate::mock::Aliases;
use crate::recording::{Recording, secrets};
use crate::replay::{self, Choice, Options, Run, SandboxHost, Timekeeper};
use crate::report::{self, progress::Bar};
use crate::rules::{self, Rules};

/// The longest wait for calls after a response: 10 minutes.
const MAX_SETTLE_MS: u64 = 600_000;

#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  \
    reel replay recordings/checkout -- ./server\n  \
    reel replay -r checkout.rr --junit report.xml recordings/checkout -- ./server\n  \
    reel replay --learn 5 --learned noise.rr recordings/checkout -- ./server\n  \
    reel replay --update --yes=body.total recordings/checkout -- ./server\n  \
    reel replay --secret authorization=API_TOKEN recordings/checkout -- ./server\n  \
    reel replay --alias redis.ci:6379=127.0.0.1:6379 recordings/checkout -- ./server")]
pub struct Args {
    /// A rule file; may be given several times.
    #[arg(short = 'r', long = "rules", value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// Write a JUnit XML report here.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Take a redacted value from an environment variable.
    #[arg(long, value_name = "NAME=ENV")]
    pub secret: Vec<String>,
    /// Take what the app connects to for a recorded dependency, by its recorded address or name; `*:PORT` is any host.
    #[arg(long, value_name = "HOST:PORT=RECORDED")]
    pub alias: Vec<String>,
    /// The app's time of day: that of the recording, running or frozen at each test, or the machine's own [default: recorded, where possible].
    #[arg(long, value_name = "CLOCK", value_enum, hide_default_value = true)]
    pub clock: Option<Choice>,
    /// Only tests whose id or path contains this text.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// Replay this often with nothing changed, and write rules for what differs all the same.
    #[arg(long, value_name = "TIMES", value_parser = value_parser!(u16).range(2..=1000))]
    pub learn: Option<u16>,
    /// Where the rules of --learn go: a file that does not exist yet.
    #[arg(long, value_name = "FILE", default_value = "learned.rr", requires = "learn")]
    pub learned: PathBuf,
    /// Show each difference and rewrite the recording for those that are accepted: asked one by one, or by --yes.
    #[arg(long, conflicts_with = "learn")]
    pub update: bool,
    /// Accept every difference, or those whose line has this text.
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "", require_equals = true, requires = "update")]
    pub yes: Option<String>,
    /// How long the app may take to listen, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u64).range(1..=super::MAX_TIMEOUT_S))]
    pub listen_timeout: u64,
    /// How long a test may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = value_parser!(u64).range(1..=super::MAX_TIMEOUT_S))]
    pub test_timeout: u64,
    /// How long a test waits, after its response, for recorded calls that were not made yet, in milliseconds.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 500, value_parser = value_parser!(u64).range(..=MAX_SETTLE_MS))]
    pub settle: u64,
    /// The recording.
    #[arg(value_name = "DIR")]
    pub recording: PathBuf,
    /// The app and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// Replays.
pub fn run(args: Args) -> Outcome {
    if let Some(times) = args.learn {
        return learn(&args, times);
    }
    if args.update {
        return update(&args);
    }
    let (junit, dir) = (args.junit.clone(), args.recording.clone());
    match (replayed(args), junit) {
        (Ok(run), None) => Ok(run.exit()),
        (Ok(run), Some(path)) => match write(&path, report::junit::junit(&run)) {
            Err(unwritten) if run.exit() == Exit::Passed => Err(unwritten),
            written => {
                warn(written);
                Ok(run.exit())
            }
        },
        (Err(failure), None) => Err(failure),
        (Err(failure), Some(path)) => {
            warn(write(&path, report::junit::without_run(&dir, &failure)));
            Err(failure)
        }
    }
}

/// Tells of a report that could not be written beside a failure that matters more.
fn warn(written: Result<(), Failure>) {
    if let Err(unwritten) = written {
        anstream::eprintln!("reel: warning: {unwritten}");
    }
}

fn replayed(args: Args) -> Result<Run, Failure> {
    let rules = load(&args.rules)?;
    let recording = Arc::new(super::recording::open(&args.recording)?);
    let run = once(&args, &recording, rules)?;
    anstream::print!("{}", report::text(&run));
    Ok(run)
}

/// Replays, and rewrites the recording for what is accepted.
fn update(args: &Args) -> Outcome {
    let rules = load(&args.rules)?;
    let recording = Arc::new(super::recording::open(&args.recording)?);
    let run = once(args, &recording, rules)?;
    if let Some(ended) = &run.ended {
        anstream::print!("{}", report::text(&run));
        return Err(Failure::new(run.exit(), format!("nothing was accepted: {ended}")));
    }
    let accept = args.yes.as_deref().map_or(Accept::Asked, Accept::Having);
    super::update::update(&run, &recording, &args.rules, &accept)
}

/// Finds noise by measurement: the code is 0 where the rules that were found let every test pass.
fn learn(args: &Args, times: u16) -> Outcome {
    if args.learned.exists() {
        return Err(Failure::new(Exit::Usage, format!("{} exists already", args.learned.display()))
            .remedy("name another file with --learned; rules that you have are taken with -r"));
    }
    let recording = Arc::new(super::recording::open(&args.recording)?);
    let request =
        learn::Request { recording: &recording, times: usize::from(times), rules: &args.rules, out: &args.learned };
    let learned = learn::learn(&request, &mut |rules| once(args, &recording, load(rules)?))?;
    anstream::print!("{}", report::learned(&learned, &args.learned));
    Ok(if learned.other.is_empty() { Exit::Passed } else { Exit::TestFailed })
}

fn load(rules: &[PathBuf]) -> Result<Arc<dyn Rules>, Failure> {
    Ok(Arc::new(rules::load(rules, &Machine::default())?))
}

/// Replays once under these rules.
fn once(args: &Args, recording: &Arc<Recording>, rules: Arc<dyn Rules>) -> Result<Run, Failure> {
    let given = args.secret.iter().map(|secret| secret_of(secret)).collect::<Result<Vec<_>, _>>()?;
    let supplied =
        secrets::supply(recording, &recording.chosen(args.only.as_deref()), &given, &secrets::state_folder())?;
    let options = Options {
        only: args.only.clone(),
        listen_at_most: Duration::from_secs(args.listen_timeout),
        test_at_most: Duration::from_secs(args.test_timeout),
        settle_at_most: Duration::from_millis(args.settle),
        aliases: Aliases::read(&args.alias, recording.as_ref())?,
    };
    let time = Timekeeper::choose(args.clock, recording.started_ns(), clock::check)?;
    let mut host = SandboxHost::new(args.command.clone(), time)?;
    replay::replay(recording, &supplied, rules, &options, &mut host, &mut Bar::default())
}

/// Writes the XML report.
fn write(path: &Path, xml: Result<String, impl std::fmt::Display>) -> Result<(), Failure> {
    let xml = xml.map_err(|error| unwritable(path, &error))?;
    std::fs::write(path, xml).map_err(|error| unwritable(path, &error))
}

/// Reads `NAME=ENV` and the variable.
fn secret_of(text: &str) -> Result<(String, Vec<u8>), Failure> {
    let wrong = |message: String| Failure::new(Exit::Usage, message);
    let (name, variable) = text
        .split_once('=')
        .ok_or_else(|| wrong(format!("--secret {text}: expected NAME=ENV, the name of an environment variable")))?;
    let value = std::env::var_os(variable)
        .ok_or_else(|| wrong(format!("--secret {name}: the environment variable {variable} is not set")))?;
    Ok((name.to_owned(), value.into_encoded_bytes()))
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, format!("cannot write {}: {error}", path.display()))
}
