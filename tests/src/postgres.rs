//! A real PostgreSQL server.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::process::{PATIENCE, Running, free_port};

/// The role that tests connect as, and its password.
pub const USER: &str = "postgres";
pub const PASSWORD: &str = "hunter2-of-the-tests";

/// A server on a port of its own, whose data goes away with it.
#[derive(Debug)]
pub struct Postgres {
    pub port: u16,
    process: Running,
    _folder: TempDir,
}

/// Where Debian puts the programs of a version: the newest that is installed.
pub fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let found = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    found.filter(|bin| bin.join("initdb").exists()).max()
}

impl Postgres {
    /// Starts a server that asks for a password in this way (`scram-sha-256`, `md5`, `password`, `trust`), and waits until it
    /// listens.
    pub fn start(method: &str) -> Result<Postgres> {
        let programs = programs().context("run tests/setup to install postgresql")?;
        let (uid, gid) = account().context("there is no account `postgres`, as which the server must run")?;
        let folder = tempfile::Builder::new().prefix("reel-postgres-").tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        chown(folder.path(), Some(uid), Some(gid))?;
        let (data, password) = (folder.path().join("data"), folder.path().join("password"));
        fs::write(&password, PASSWORD)?;
        let as_account = |program: &str| {
            let mut command = Command::new(programs.join(program));
            command.uid(uid).gid(gid).current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
            command.env_clear().env("LC_ALL", "C").env("TZ", "UTC");
            command
        };
        let mut make = as_account("initdb");
        make.args(["--no-sync", "-U", USER, "-E", "UTF8", "-A", method]).arg("-D").arg(&data);
        make.arg("--pwfile").arg(&password);
        let made = make.stderr(Stdio::piped()).output().context("initdb")?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = free_port()?;
        let mut command = as_account("postgres");
        command.arg("-D").arg(&data).args([
            "-p",
            &port.to_string(),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
        ]);
        command
            .args(["-c", "unix_socket_directories=", "-c", "timezone=UTC", "-c", "autovacuum=off"])
            .stderr(Stdio::null());
        let mut process = Running::start(&mut command)?;
        process.wait_listening(port)?;
        Ok(Postgres { port, process, _folder: folder })
    }

    /// The server's first process.
    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// How libpq is told to connect.
    pub fn dsn(&self) -> String {
        dsn(self.port)
    }

    /// Stops it: from now on a connection to the port is refused.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Postgres {
    /// Ends it at once, but so that it takes its shared memory with it.
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.process.0.id().cast_signed()) {
            let _ = kill_process(pid, Signal::QUIT);
        }
        let began = Instant::now();
        while matches!(self.process.0.try_wait(), Ok(None)) && began.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
    }
}

/// How libpq is told to connect to a server on a port.
pub fn dsn(port: u16) -> String {
    format!("host=127.0.0.1 port={port} user={USER} password={PASSWORD} dbname=postgres")
}

/// The account that Debian's package makes: the server refuses to run as root.
fn account() -> Option<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts.lines().find(|line| line.starts_with("postgres:"))?;
    let mut words = line.split(':').skip(2);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}
