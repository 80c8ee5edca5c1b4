//! The app under record or replay: a command in a cgroup of its own, with a guardian.
//!
//! The cgroup is made first, so that programs can be attached before anything runs in it. The app gets signals through
//! [`App::stop`] and [`App::signal`]; its process group is its own, so a terminal's Ctrl-C comes to it once, from reel. Nothing of
//! it outlives this value, and where reel is killed, the guardian does the same.

use std::ffi::OsString;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::ExitStatus;
use std::time::Duration;

use reel_probes::cgroup::{Cgroup, CgroupError};
use reel_probes::doctor::Capability;
use reel_probes::guard::Guard;
use reel_probes::spawn::{self, Spawn, SpawnError};

use crate::clock::{Clock, Supervision};
use crate::exit::{Exit, Failure};

/// How long an app may take to end after SIGTERM, before it is killed.
pub const GRACE: Duration = Duration::from_secs(10);
const SIGTERM: i32 = 15;

/// A place for an app to run in.
pub struct Home {
    cgroup: Cgroup,
    output: Output,
    clock: Option<Clock>,
}

/// Where the app's standard output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Where it would go without reel.
    Own,
    /// To standard error, since standard output is reel's report.
    Stderr,
}

impl Home {
    /// Makes a fresh cgroup.
    ///
    /// # Errors
    /// This machine has no cgroup v2, or we may not use it.
    pub fn make(output: Output) -> Result<Home, Failure> {
        privileged()?;
        Ok(Home { cgroup: Cgroup::create().map_err(cgroup_failure)?, output, clock: None })
    }

    /// Puts what runs here under a clock.
    #[must_use]
    pub fn under(self, clock: Option<Clock>) -> Home {
        Home { clock, ..self }
    }

    /// Where programs attach, and whose id they filter by.
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// Starts the app. The guardian keeps `links` attached for as long as the app lives, also where reel does not.
    ///
    /// # Errors
    /// Why the command cannot be started, as exactly as it can be known.
    pub fn start(
        self,
        command: &[OsString],
        env: &[(String, OsString)],
        links: &[BorrowedFd<'_>],
    ) -> Result<App, Failure> {
        let guard = Guard::start(&self.cgroup, links)
            .map_err(|error| Failure::new(Exit::Machine, format!("cannot start the guardian: {error}")))?;
        let mut spawn = Spawn::new(command).map_err(spawn_failure)?;
        spawn.own_process_group();
        if self.output == Output::Stderr {
            spawn.stdout(std::io::stderr());
        }
        for (name, value) in env {
            spawn.env(name, value);
        }
        let supervision =
            self.clock.map(|clock| clock.lead(&mut spawn)).transpose().map_err(|error| clock_failure(&error))?;
        match spawn.start(&self.cgroup) {
            Ok(app) => Ok(App { app, cgroup: Some(self.cgroup), guard: Some(guard), _clock: supervision }),
            // Where the clock is at fault, the child said so before it gave up.
            Err(error) => Err(match supervision.map_or(Ok(()), Supervision::end) {
                Ok(()) => spawn_failure(error),
                Err(error) => clock_failure(&error),
            }),
        }
    }
}

/// A running app.
pub struct App {
    app: spawn::App,
    cgroup: Option<Cgroup>,
    guard: Option<Guard>,
    /// Ends after the app: until then its system calls must be answered.
    _clock: Option<Supervision>,
}

impl App {
    /// What becomes readable when the command ends.
    pub fn exit_fd(&self) -> BorrowedFd<'_> {
        self.app.exit_fd()
    }

    /// A copy of [`App::exit_fd`] that outlives a borrow.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn exit_fd_owned(&self) -> std::io::Result<OwnedFd> {
        self.app.exit_fd().try_clone_to_owned()
    }

    /// How the command ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.app.wait(Some(Duration::ZERO)).ok().flatten()
    }

    /// Passes a signal on.
    pub fn signal(&self, signal: i32) {
        // An app that is gone needs no signal.
        let _ = self.app.signal(signal);
    }

    /// Ends the app: SIGTERM, then after [`GRACE`] SIGKILL for all that is left in its cgroup.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        self.app.signal(SIGTERM).ok();
        let status = self.app.wait(Some(GRACE)).ok().flatten();
        if let Some(cgroup) = &self.cgroup {
            let _ = cgroup.kill();
        }
        status.or_else(|| self.app.wait(None).ok().flatten())
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(cgroup) = self.cgroup.take() {
            let _ = cgroup.kill();
            let _ = self.app.wait(None);
            let _ = cgroup.remove();
        }
        if let Some(guard) = self.guard.take() {
            let _ = guard.dismiss();
        }
    }
}

/// Checks that reel may use the kernel as it must, before anything is begun.
///
/// # Errors
/// Names the capabilities that are missing.
pub fn privileged() -> Result<(), Failure> {
    let check = Capability::Privilege.check();
    if check.ok {
        return Ok(());
    }
    Err(Failure::new(Exit::Machine, format!("reel lacks a privilege: {}", check.detail)).remedy(check.remedy))
}

/// A cgroup that cannot be made or used, as the failure of a command.
pub fn cgroup_failure(error: CgroupError) -> Failure {
    match error {
        CgroupError::Unsupported(unsupported) => unsupported_failure(unsupported),
        other => Failure::new(Exit::Machine, other.to_string()),
    }
}

/// A clock that cannot be set, as a failure.
pub fn clock_failure(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("the app's clock cannot be set: {error}"))
        .remedy("`reel doctor` says what is missing; `--clock real` does without")
}

/// A command that cannot be started, as a failure.
pub fn spawn_failure(error: SpawnError) -> Failure {
    match error {
        SpawnError::Cgroup(error) => cgroup_failure(error),
        other => Failure::new(Exit::App, format!("the app did not start: {other}"))
            .remedy("check the command after `--`: it is run as it stands, without a shell"),
    }
}

/// What this machine lacks, as the failure of a command.
pub fn unsupported_failure(unsupported: reel_probes::Unsupported) -> Failure {
    Failure::new(Exit::Machine, format!("this machine cannot do {}: {}", unsupported.what, unsupported.why))
        .remedy(unsupported.remedy)
}
