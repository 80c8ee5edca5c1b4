//! Commands that `:run` starts, for message clauses to listen to: all in one cgroup, which goes away with the prompt.
//!
//! They read nothing, since the terminal's keys are the prompt's, and what they print goes to the screen. If reel is killed, a
//! guardian ends them.

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use reel_probes::cgroup::Cgroup;
use reel_probes::guard::Guard;
use reel_probes::spawn::{App, Spawn};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use super::screen::Screen;
use crate::app::{GRACE, cgroup_failure, privileged, spawn_failure};
use crate::exit::{Exit, Failure};

/// The cgroup of all commands, made when first needed.
#[derive(Default)]
pub struct Traffic {
    place: Option<(Arc<Cgroup>, Guard)>,
}

impl Traffic {
    /// The cgroup, to listen to.
    ///
    /// # Errors
    /// This machine has no cgroup v2, or we may not use it.
    pub fn cgroup(&mut self) -> Result<Arc<Cgroup>, Failure> {
        if let Some((cgroup, _)) = &self.place {
            return Ok(cgroup.clone());
        }
        privileged()?;
        let cgroup = Arc::new(Cgroup::create().map_err(cgroup_failure)?);
        let guard = Guard::start(&cgroup, &[]).map_err(|error| cannot("start the guardian", &error))?;
        self.place = Some((cgroup.clone(), guard));
        Ok(cgroup)
    }

    /// Starts a command.
    ///
    /// # Errors
    /// As for [`Traffic::cgroup`], and why the command cannot be started.
    pub fn run(&mut self, command: &str, screen: Arc<Screen>) -> Result<Command, Failure> {
        let cgroup = self.cgroup()?;
        let (output, write) = io::pipe().map_err(|error| cannot("make a pipe", &error))?;
        let also = write.try_clone().map_err(|error| cannot("make a pipe", &error))?;
        let app = Spawn::new(&["/bin/sh", "-c", command])
            .and_then(|mut spawn| {
                spawn.own_process_group().stdin(Stdio::null()).stdout(write).stderr(also).start(&cgroup)
            })
            .map_err(spawn_failure)?;
        Command::watch(app, output, screen)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        if let Some((cgroup, guard)) = self.place.take() {
            let _ = cgroup.kill();
            drop(cgroup);
            let _ = guard.dismiss();
        }
    }
}

/// A command that was started, seen from the prompt.
pub struct Command {
    /// Its process group, until the command has been waited for.
    group: Arc<Mutex<Option<Pid>>>,
    /// How it ended, once.
    pub ended: Receiver<String>,
}

impl Command {
    fn watch(app: App, output: PipeReader, screen: Arc<Screen>) -> Result<Command, Failure> {
        let group = Arc::new(Mutex::new(Pid::from_raw(app.pid().cast_signed())));
        let (tell, ended) = bounded(1);
        let watch = Watch { app, output: Some(output), screen, group: group.clone() };
        let thread = std::thread::Builder::new().name("command".to_owned()).spawn(move || watch.run(&tell));
        thread.map_err(|error| cannot("watch the command", &error))?;
        Ok(Command { group, ended })
    }

    /// Ends the command: SIGTERM to its process group, and after [`GRACE`] SIGKILL. It has ended when this returns.
    pub fn stop(&self) {
        self.signal(Signal::TERM);
        if self.ended.recv_timeout(GRACE).is_err() {
            self.signal(Signal::KILL);
            let _ = self.ended.recv();
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = *self.group.lock().unwrap_or_else(PoisonError::into_inner) {
            // A group that is gone needs no signal.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// The side of the thread.
struct Watch {
    app: App,
    output: Option<PipeReader>,
    screen: Arc<Screen>,
    group: Arc<Mutex<Option<Pid>>>,
}

impl Watch {
    /// Shows what the command prints until it ends, then tells how it ended; what it left running may print on.
    fn run(mut self, tell: &Sender<String>) {
        while !self.has_ended() {
            let mut fds = vec![PollFd::from_borrowed_fd(self.app.exit_fd(), PollFlags::IN)];
            fds.extend(self.output.as_ref().map(|output| PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN)));
            let _ = poll(&mut fds, None);
            self.copy();
        }
        self.copy();
        let status = {
            let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
            *group = None;
            self.app.wait(Some(Duration::ZERO)).ok().flatten()
        };
        let _ = tell.send(status.map_or_else(|| "ended".to_owned(), said));
        while self.output.is_some() {
            self.read();
        }
    }

    fn has_ended(&self) -> bool {
        is_ready(self.app.exit_fd())
    }

    /// Shows all that was printed by now.
    fn copy(&mut self) {
        while self.output.as_ref().is_some_and(|output| is_ready(output.as_fd())) {
            self.read();
        }
    }

    /// Shows what comes next; the output is closed where nothing does.
    fn read(&mut self) {
        let mut bytes = [0; 4096];
        match self.output.as_mut().map(|output| output.read(&mut bytes)) {
            Some(Ok(len @ 1..)) => self.screen.show(&String::from_utf8_lossy(&bytes[..len])),
            _ => self.output = None,
        }
    }
}

/// Whether a descriptor can be read, or has come to its end.
fn is_ready(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok_and(|count| count > 0)
}

fn said(status: ExitStatus) -> String {
    if status.success() { "ended".to_owned() } else { format!("ended with {status}") }
}

fn cannot(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("cannot {what}: {error}"))
}
