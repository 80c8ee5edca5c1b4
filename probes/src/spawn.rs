//! Starts a command inside a cgroup: fork, join, exec, in this order.
//!
//! The child joins before exec, so that the program's first socket already belongs to the cgroup;
//! moving a running process would miss its sockets (their cgroup never changes). Input and output
//! are the app's own unless the caller redirects them. A command that cannot be executed is
//! explained ([`SpawnError`]): "not in PATH" is something else than a missing interpreter.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::cgroup::{Cgroup, CgroupError};
use crate::sys::{poll, process};

mod diagnose;

/// Why a command did not start. All but `Cgroup` and `Io` are the fault of the command line.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No command was given.
    #[error("no command to run")]
    NoCommand,
    /// A bare name that no directory of PATH has.
    #[error("command not found: {0} is in no directory of PATH")]
    NotInPath(String),
    /// A path at which there is nothing.
    #[error("command not found: there is no file {0}")]
    NoSuchFile(PathBuf),
    /// There is a file, but it cannot be executed.
    #[error("cannot execute {path}: {why}")]
    NotExecutable {
        /// The file.
        path: PathBuf,
        /// "it is a directory", "it has no execute permission", ...
        why: &'static str,
    },
    /// The file names an interpreter or dynamic loader that does not exist.
    #[error("cannot execute {path}: its interpreter {interpreter} does not exist")]
    NoInterpreter {
        /// The script or program.
        path: PathBuf,
        /// What its `#!` line or its PT_INTERP names.
        interpreter: String,
    },
    /// The child could not join the cgroup.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// fork or exec failed for another reason.
    #[error("cannot start {command}: {source}")]
    Io {
        /// The command as given.
        command: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// A command that is about to be started in a cgroup.
#[derive(Debug)]
pub struct Spawn {
    program: OsString,
    command: Command,
}

impl Spawn {
    /// Prepares a command; the first word is the program, looked up in PATH.
    ///
    /// # Errors
    /// `NoCommand` when `argv` is empty.
    pub fn new<S: AsRef<OsStr>>(argv: &[S]) -> Result<Self, SpawnError> {
        let (program, args) = argv.split_first().ok_or(SpawnError::NoCommand)?;
        let program = program.as_ref().to_os_string();
        let mut command = Command::new(&program);
        command.args(args);
        Ok(Self { program, command })
    }

    /// Adds a variable to the environment that the child inherits.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.command.env(name, value);
        self
    }

    /// Sets where the child starts.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Self {
        self.command.current_dir(dir);
        self
    }

    /// Redirects standard input.
    pub fn stdin(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.command.stdin(to);
        self
    }

    /// Redirects standard output.
    pub fn stdout(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.command.stdout(to);
        self
    }

    /// Redirects standard error.
    pub fn stderr(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.command.stderr(to);
        self
    }

    /// Gives the child a process group of its own, so that a terminal's Ctrl-C does not reach it.
    pub fn own_process_group(&mut self) -> &mut Self {
        self.command.process_group(0);
        self
    }

    /// Lets the child do something between fork and exec.
    ///
    /// # Safety
    /// As for [`CommandExt::pre_exec`]: it may only make async-signal-safe calls, and neither allocate nor take a lock.
    #[allow(unsafe_code)]
    pub unsafe fn before_exec(&mut self, prepare: impl FnMut() -> io::Result<()> + Send + Sync + 'static) -> &mut Self {
        // SAFETY: the caller's promise.
        unsafe { self.command.pre_exec(prepare) };
        self
    }

    /// Starts the command in `cgroup`. A second start is an error: what was set up is used up.
    ///
    /// # Errors
    /// The reason as exactly as it can be found out; nothing runs then.
    pub fn start(&mut self, cgroup: &Cgroup) -> Result<App, SpawnError> {
        if self.program.is_empty() {
            return Err(SpawnError::NoCommand);
        }
        let procs = cgroup.open_procs()?;
        let (mut failure, report) = io::pipe().map_err(|source| self.io(source))?;
        self.join_before_exec(procs, report.into());
        let program = mem::take(&mut self.program);
        let mut command = mem::replace(&mut self.command, Command::new(""));
        let spawned = command.spawn();
        let path = command.get_envs().find(|(name, _)| *name == "PATH");
        let path = path.and_then(|(_, value)| value).map(OsStr::to_os_string);
        // It holds the other end of `failure`, which would otherwise never end.
        drop(command);
        match spawned {
            Ok(child) => App::new(child)
                .map_err(|source| SpawnError::Io { command: program.to_string_lossy().into_owned(), source }),
            Err(source) => {
                let mut joining = Vec::new();
                let _ = failure.read_to_end(&mut joining);
                Err(match joining.try_into() {
                    Ok(errno) => join_error(cgroup, i32::from_ne_bytes(errno)),
                    Err(_) => diagnose::explain(&program, path.as_deref(), source),
                })
            }
        }
    }

    fn join_before_exec(&mut self, procs: File, report: OwnedFd) {
        let report = File::from(report);
        let join = move || {
            let joined = (&procs).write_all(b"0");
            if let Err(error) = &joined {
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                let _ = (&report).write_all(&errno.to_ne_bytes());
            }
            joined
        };
        // SAFETY: the closure runs between fork and exec and only calls write(2), on descriptors
        // that it owns; it neither allocates nor takes a lock.
        #[allow(unsafe_code)]
        unsafe {
            self.command.pre_exec(join);
        }
    }

    fn io(&self, source: io::Error) -> SpawnError {
        SpawnError::Io { command: self.program.to_string_lossy().into_owned(), source }
    }
}

fn join_error(cgroup: &Cgroup, errno: i32) -> SpawnError {
    let source = io::Error::from_raw_os_error(errno);
    CgroupError::Io { action: "put the app into", path: cgroup.path().into(), source }.into()
}

/// A started command. Dropping it does not end it: its [`Cgroup`] does.
#[derive(Debug)]
pub struct App {
    child: Child,
    pidfd: OwnedFd,
}

impl App {
    fn new(child: Child) -> io::Result<Self> {
        let pidfd = process::pidfd(child.id())?;
        Ok(Self { child, pidfd })
    }

    /// Returns the process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the child's redirected streams: `stdin`, `stdout` and `stderr` where piped.
    pub fn streams(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Returns a descriptor that becomes readable when the app exits.
    #[must_use]
    pub fn exit_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Sends a signal to the app's first process.
    ///
    /// # Errors
    /// ESRCH when it has exited and was waited for.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        process::kill(self.child.id(), signal)
    }

    /// Waits for the exit; none when `timeout` passed first, for ever when there is no timeout.
    ///
    /// # Errors
    /// As waitpid(2).
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Option<ExitStatus>> {
        // waitpid(2) would also take the stops of a child that another thread of ours traces: it is called only once it has exited.
        if poll::wait_for(self.pidfd.as_fd(), libc::POLLIN, timeout)? == 0 {
            return Ok(None);
        }
        self.child.wait().map(Some)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn run(argv: &[&str]) -> Result<String, SpawnError> {
        let cgroup = Cgroup::create()?;
        let mut spawn = Spawn::new(argv)?;
        spawn.stdout(Stdio::piped()).env("REEL_TEST", "from reel");
        let mut app = spawn.start(&cgroup)?;
        let mut text = String::new();
        app.streams().stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(app.wait(None).unwrap().unwrap().success());
        Ok(text)
    }

    #[test]
    fn the_command_runs_in_the_cgroup_from_its_first_instruction() {
        let text = run(&["sh", "-c", "cat /proc/self/cgroup"]).unwrap();
        let name = format!("reel-{}-", std::process::id());
        assert!(text.lines().any(|l| l.starts_with("0::") && l.contains(&name)), "{text}");
    }

    #[test]
    fn variables_are_added_and_the_rest_is_inherited() {
        let text = run(&["sh", "-c", "echo $REEL_TEST; test -n \"$PATH\""]).unwrap();
        assert_eq!(text, "from reel\n");
    }

    #[test]
    fn waiting_ends_at_the_timeout_or_at_the_exit() {
        let cgroup = Cgroup::create().unwrap();
        let mut app = Spawn::new(&["sleep", "600"]).unwrap().start(&cgroup).unwrap();
        assert_eq!(app.wait(Some(Duration::from_millis(1))).unwrap(), None);
        app.signal(libc::SIGTERM).unwrap();
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(app.wait(None).unwrap().unwrap().signal(), Some(libc::SIGTERM));
    }

    #[test]
    fn a_cgroup_that_is_gone_is_not_blamed_on_the_command() {
        let cgroup = Cgroup::create().unwrap();
        let other = cgroup.path().join("cgroup.procs");
        let mut spawn = Spawn::new(&["true"]).unwrap();
        let procs = cgroup.open_procs().unwrap();
        std::fs::remove_dir(other.parent().unwrap()).unwrap();
        drop(procs);
        let error = spawn.start(&cgroup).unwrap_err();
        assert!(matches!(error, SpawnError::Cgroup(_)), "{error}");
    }
}
