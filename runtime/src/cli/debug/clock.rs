//! `reel debug clock`: a command under a clock, and what was done to each of its programs.
//!
//! Standard output is the command's own, so the account goes to standard error. The exit code is the command's.

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use clap::Parser;
use rustix::event::{PollFd, PollFlags, poll};

use crate::app::{App, Home, Output, clock_failure, unsupported_failure};
use crate::cli::Outcome;
use crate::clock::{self, Account, Clock, Pace, Treatment};
use crate::engine::signals::Signals;
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  \
    reel debug clock --at 2024-02-29T12:00:00Z -- date\n  \
    reel debug clock --at 2024-02-29T12:00:00Z --frozen -- ./server")]
pub struct Args {
    /// The instant at which the command's clock begins; now by default.
    #[arg(long, value_name = "RFC 3339")]
    pub at: Option<jiff::Timestamp>,
    /// The clock stands still.
    #[arg(long)]
    pub frozen: bool,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    clock::check().map_err(unsupported_failure)?;
    let instant_ns = match args.at {
        None => clock::real_ns(),
        Some(at) => i64::try_from(at.as_nanosecond())
            .map_err(|_| Failure::new(Exit::Usage, format!("--at {at}: a clock can show the years 1678 to 2261")))?,
    };
    let pace = if args.frozen { Pace::Frozen } else { Pace::Running };
    let clock = Clock::new(pace, instant_ns).map_err(|error| clock_failure(&error))?;
    let mut signals =
        Signals::take().map_err(|error| Failure::new(Exit::Machine, format!("cannot watch for signals: {error}")))?;
    let mut app = Home::make(Output::Own)?.under(Some(clock.clone())).start(&args.command, &[], &[])?;
    let status = wait(&mut app, &mut signals)?;
    drop(app);
    anstream::eprint!("{}", text(&clock.account()));
    Ok(Exit::Code(code(status)))
}

/// Waits for the command's end, and passes signals on until then.
fn wait(app: &mut App, signals: &mut Signals) -> Result<ExitStatus, Failure> {
    loop {
        if let Some(status) = app.exited() {
            return Ok(status);
        }
        while let Some(signal) = signals.take_next() {
            app.signal(signal.number());
        }
        let [interrupt, terminate] = signals.fds();
        let mut fds = [interrupt, terminate, app.exit_fd()].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Failure::new(Exit::Machine, format!("cannot wait for the command: {error}"))),
        }
    }
}

/// As a shell has it: 128 and the signal's number where a signal ended it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

fn text(account: &Account) -> String {
    let mut out = String::new();
    for program in &account.programs {
        let what = match &program.treatment {
            Treatment::Redirected => "reads the page".to_owned(),
            Treatment::Hidden(why) => format!("makes system calls: {why}"),
            Treatment::Untouched(why) => format!("sees the machine's clock: {why}"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "clock: {} {}: {what}", program.pid, program.path);
    }
    if account.others > 0 {
        let _ = writeln!(out, "clock: {} more programs", account.others);
    }
    let Account { readings, deadlines, .. } = account;
    let _ = writeln!(out, "clock: {readings} readings by system call, {deadlines} deadlines translated");
    out
}
