//! reel run as a user runs it, and what came of it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use reel_tests::process::{PATIENCE, test_env};

/// The program under test.
pub const REEL: &str = env!("CARGO_BIN_EXE_reel-e2e");
/// The service that says what its store says.
pub const RELAY: &str = env!("CARGO_BIN_EXE_relay");
/// The client of the order services.
pub const LOAD: &str = env!("CARGO_BIN_EXE_load");

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Ran {
        Ran::from(command.stdin(Stdio::null()).output().expect("the command starts"))
    }

    /// Fails unless the exit code is this one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    /// Fails unless standard output has this text.
    #[track_caller]
    pub fn prints(self, text: &str) -> Ran {
        assert!(self.out.contains(text), "`{text}` is not in:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    /// Fails unless standard error has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Ran {
        assert!(self.err.contains(text), "`{text}` is not in:\n{}\nstandard output:\n{}", self.err, self.out);
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// reel with these arguments; what it keeps for itself goes to a folder of the tests.
pub fn reel<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(REEL);
    command.args(args).env("XDG_STATE_HOME", test_env().join("state")).env_remove("CLICOLOR_FORCE");
    command
}

/// A folder that goes away with its value.
pub fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("reel-e2e-").tempdir().expect("a folder")
}

/// Waits for something that the kernel has no event for.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        std::thread::yield_now();
    }
}

/// Whether what a test needs is installed. In CI it must be.
#[track_caller]
pub fn has(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    let on_path =
        || std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|dir| dir.join(path).exists());
    let is_there = path.exists() || on_path();
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "{} is missing: run tests/setup", path.display());
        eprintln!("skipped: {} is missing; run tests/setup to install it", path.display());
    }
    is_there
}
