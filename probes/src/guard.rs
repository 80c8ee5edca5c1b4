//! The guardian: a small process that cleans up when reel is killed.
//!
//! SIGKILL runs no handler, so somebody else has to end the app. The guardian is reel's own
//! executable started with a hidden subcommand. It holds the read end of a pipe of which reel
//! holds the write end: end of file means that reel is no more, by whatever death. Then it kills
//! the app's cgroup, waits until it is empty, removes it and exits. The bpf links that refuse the
//! app's connections are inherited by it, so that they are in force until the app is dead: a call
//! is refused, and never reaches the real dependency.
//!
//! Invariants: it has a session of its own and ignores SIGINT, SIGTERM, SIGHUP and SIGQUIT; it
//! holds no descriptor but the pipe and the links; and it does nothing when reel says farewell
//! first (one byte), which reel does after removing the cgroup itself.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::cgroup::{self, Cgroup};
use crate::sys::process;

/// The hidden subcommand of reel that [`guard_main`] implements.
pub const SUBCOMMAND: &str = "__guard";

/// The signals that end reel, and must not end its guardian.
const IGNORED: [libc::c_int; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// The guardian of one cgroup, seen from reel.
///
/// Dropping it without [`Guard::dismiss`] makes it clean up, and waits until it has.
#[derive(Debug)]
pub struct Guard {
    farewell: Option<PipeWriter>,
    child: Child,
}

impl Guard {
    /// Starts the guardian of `cgroup`, which also keeps `links` alive until the app is dead.
    ///
    /// # Errors
    /// The kernel's answer when this executable cannot be started a second time.
    pub fn start(cgroup: &Cgroup, links: &[BorrowedFd<'_>]) -> io::Result<Self> {
        let (watch, farewell) = io::pipe()?;
        let links: Vec<RawFd> = links.iter().map(AsRawFd::as_raw_fd).collect();
        let mut command = Command::new("/proc/self/exe");
        command.arg(SUBCOMMAND).args(arguments(watch.as_raw_fd(), cgroup.path(), &links));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.current_dir("/").env_clear();
        let inherited: Vec<RawFd> = links.into_iter().chain([watch.as_raw_fd()]).collect();
        let prepare = move || {
            process::new_session()?;
            IGNORED.iter().try_for_each(|signal| process::ignore_signal(*signal))?;
            inherited.iter().try_for_each(|fd| process::keep_across_exec(*fd))
        };
        // SAFETY: the closure runs between fork and exec and makes only async-signal-safe calls
        // (setsid, signal, fcntl); the descriptors in it are open in the parent until `spawn`
        // returns.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(prepare);
        }
        let child = command.spawn()?;
        Ok(Self { farewell: Some(farewell), child })
    }

    /// Returns the guardian's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the guardian without any action: the cgroup has been removed already.
    ///
    /// # Errors
    /// When the guardian is no longer there, or failed.
    pub fn dismiss(mut self) -> io::Result<()> {
        if let Some(mut farewell) = self.farewell.take() {
            farewell.write_all(b"q")?;
        }
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("guardian: {status}"))) }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Closing the pipe is what tells the guardian to act.
        if self.farewell.take().is_some() {
            let _ = self.child.wait();
        }
    }
}

fn arguments(watch: RawFd, cgroup: &Path, links: &[RawFd]) -> Vec<OsString> {
    let mut all = vec![OsString::from(watch.to_string()), cgroup.as_os_str().to_os_string()];
    all.extend(links.iter().map(|fd| fd.to_string().into()));
    all
}

/// Runs the guardian: `args` are the words after the subcommand. Returns the exit code.
///
/// The program calls this before anything else, from `main`, when its first argument is
/// [`SUBCOMMAND`]: the descriptors named in `args` must not be in use by anything else.
pub fn guard_main(args: &[OsString]) -> i32 {
    let Some((mut watch, cgroup, links)) = parse(args) else {
        return 2;
    };
    let mut byte = [0];
    // End of file, or an error that will not go away: reel is no more.
    let farewell = loop {
        match watch.read(&mut byte) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result.is_ok_and(|n| n > 0),
        }
    };
    if farewell {
        return 0;
    }
    let removed = cgroup::remove_tree(&cgroup);
    drop(links);
    i32::from(removed.is_err())
}

fn parse(args: &[OsString]) -> Option<(File, PathBuf, Vec<OwnedFd>)> {
    let [watch, cgroup, links @ ..] = args else {
        return None;
    };
    let watch = File::from(adopt(watch)?);
    let links = links.iter().map(|fd| adopt(fd)).collect::<Option<_>>()?;
    Some((watch, PathBuf::from(cgroup), links))
}

fn adopt(fd: &OsStr) -> Option<OwnedFd> {
    let fd: RawFd = fd.to_str()?.parse().ok().filter(|fd| *fd > 2)?;
    // SAFETY: F_GETFD takes no memory; a bad descriptor gives an error.
    #[allow(unsafe_code)]
    let open = unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
    // SAFETY: it is open, was inherited for this use only, and nothing else in this process
    // knows its number (the contract of `guard_main`).
    #[allow(unsafe_code)]
    open.then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}
