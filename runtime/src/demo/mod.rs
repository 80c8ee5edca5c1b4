//! `reel demo`: a small shop on a small store, recorded through the real kernel and replayed without the store.
//!
//! Service, store and client are processes of their own on real sockets; the recording and the replays are the commands that a
//! user would type, and are shown before they run.

pub mod app;
pub mod client;
mod http;
pub mod resp;
pub mod store;

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::exit::{Exit, Failure};

/// Runs the demonstration. `dir` is where its recording goes.
///
/// # Errors
/// What this machine cannot do, or a step that did not end as it must.
pub fn run(dir: &Path) -> Result<Exit, Failure> {
    let reel = std::env::current_exe().map_err(|error| failed("find reel's own program", &error))?;
    let demo = Demo { reel, dir: dir.to_owned() };
    let store = Running::start(&demo.reel, &["__demo-store"])?;
    let store_port = store.port.clone();
    let app_port = free_port()?;
    let app = |more: &[&str]| {
        let mut words = vec!["__demo-app".to_owned(), app_port.to_string(), store_port.clone()];
        words.extend(more.iter().map(|&word| word.to_owned()));
        words
    };

    heading("1. A shop runs on a store. reel records what they say to each other, from inside the kernel.");
    let drive = format!("'{}' __demo-client {app_port}", demo.reel.display());
    let record = ["record", "--force", "-o", &demo.dir.to_string_lossy(), "--drive", &drive].map(str::to_owned);
    demo.step(&record, &app(&[]), 0)?;

    heading("2. What was recorded: tests, each with the calls that it caused.");
    demo.step(&["show".to_owned(), demo.dir.to_string_lossy().into_owned()], &[], 0)?;

    drop(store);
    heading("3. The store is stopped. The recording stands in for it.");
    let replay = ["replay".to_owned(), demo.dir.to_string_lossy().into_owned()];
    demo.step(&replay, &app(&[]), 0)?;

    heading(
        "4. Somebody breaks the shop: it forgets to reserve the stock. The responses are still right; the test fails.",
    );
    demo.step(&replay, &app(&["--bug"]), 1)?;

    heading("That is reel. Now record a service of yours:");
    say("  reel record -o recordings/mine -- ./server\n  reel replay recordings/mine -- ./server\n");
    Ok(Exit::Passed)
}

struct Demo {
    reel: PathBuf,
    dir: PathBuf,
}

impl Demo {
    /// Shows a command and runs it; it must end with this exit code.
    fn step(&self, args: &[String], app: &[String], expected: i32) -> Result<(), Failure> {
        let mut words: Vec<OsString> = args.iter().map(OsString::from).collect();
        if !app.is_empty() {
            words.push("--".into());
            words.push(self.reel.clone().into());
            words.extend(app.iter().map(OsString::from));
        }
        say(&format!("$ reel {}\n", shown(&words, &self.reel)));
        let status = Command::new(&self.reel).args(&words).status().map_err(|error| failed("run reel", &error))?;
        if status.code() == Some(expected) { Ok(()) } else { Err(unexpected(status, expected)) }
    }
}

fn unexpected(status: ExitStatus, expected: i32) -> Failure {
    // A machine that cannot record says so itself; its code passes through.
    let exit = match status.code() {
        Some(2) => Exit::Usage,
        Some(3) => Exit::Machine,
        Some(4) => Exit::Recording,
        Some(5) => Exit::App,
        Some(130) => Exit::Interrupted,
        _ => Exit::TestFailed,
    };
    Failure::new(exit, format!("the step above ended with {status}, and should have ended with {expected}"))
        .remedy("run `reel doctor` to see whether this machine can record")
}

/// A command line as a user would type it.
fn shown(words: &[OsString], reel: &Path) -> String {
    let word = |word: &OsString| {
        let text = word.to_string_lossy().replace(&format!("'{}'", reel.display()), "reel");
        let text = text.replace(&*reel.to_string_lossy(), "reel");
        if text.contains(' ') { format!("'{text}'") } else { text }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A process of the demonstration, which says its port on its first line; it ends with this value.
#[derive(Debug)]
struct Running {
    child: Child,
    port: String,
}

impl Running {
    fn start(reel: &Path, args: &[&str]) -> Result<Running, Failure> {
        let spawned = Command::new(reel).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| failed("start the store", &error))?;
        let mut port = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut port).map_err(|error| failed("hear from the store", &error))?;
        }
        Ok(Running { child, port: port.trim().to_owned() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free now; the app takes it in a moment.
fn free_port() -> Result<u16, Failure> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| failed("find a free port", &error))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| failed("find a free port", &error))
}

fn heading(text: &str) {
    let bold = anstyle::Style::new().bold();
    say(&format!("\n{bold}{text}{bold:#}\n"));
}

fn say(text: &str) {
    let _ = write!(anstream::stdout(), "{text}");
}

fn failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("cannot {what}: {error}"))
}
