//! A real Redis server.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::process::{Running, free_port};

/// A server on a port of its own, without persistence.
#[derive(Debug)]
pub struct Redis {
    pub port: u16,
    process: Running,
}

impl Redis {
    /// Starts a server and waits until it listens.
    pub fn start() -> Result<Redis> {
        let port = free_port()?;
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]);
        command.stdout(Stdio::null());
        let mut process = Running::start(&mut command).context("run tests/setup to install redis-server")?;
        process.wait_listening(port)?;
        Ok(Redis { port, process })
    }

    /// Stops it: from now on a connection to the port is refused.
    pub fn stop(self) {
        drop(self.process);
    }
}
