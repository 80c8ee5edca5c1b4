//! Child processes of tests: none outlives its test, and waiting is for an event, never for a time.

use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

/// How long anything that a test waits for may take on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A child that is killed, by its pid, when the test ends.
#[derive(Debug)]
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Result<Running> {
        let child = command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        Ok(Running(child))
    }

    /// Waits until the process listens on a port of 127.0.0.1: the kernel's own table says so.
    pub fn wait_listening(&mut self, port: u16) -> Result<()> {
        let wanted = format!("0100007F:{port:04X} 00000000:0000 0A");
        let began = Instant::now();
        while !std::fs::read_to_string("/proc/net/tcp")?.contains(&wanted) {
            if let Some(status) = self.0.try_wait()? {
                bail!("the process ended with {status} before it listened on port {port}");
            }
            if began.elapsed() > PATIENCE {
                bail!("nothing listens on port {port} after {PATIENCE:?}");
            }
            std::thread::yield_now();
        }
        Ok(())
    }
}

/// A port of 127.0.0.1 that was free a moment ago, below the range that the kernel gives to clients; none is given out twice, so
/// that tests beside each other in one process do not take each other's. The socket that tries it does not listen: a child that
/// another thread starts at this moment has a copy of it, which must not keep the port.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 15_000) as u16;
    (0..20_000u16)
        .map(|_| 10_000 + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000)
        .find(|&port| is_free(port).is_ok())
        .context("no free port")
}

fn is_free(port: u16) -> rustix::io::Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

/// Waits until something accepts connections to a port of 127.0.0.1.
pub fn wait_connectable(port: u16) -> Result<()> {
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > PATIENCE {
            bail!("nothing listens on port {port} after {PATIENCE:?}");
        }
        std::thread::yield_now();
    }
    Ok(())
}

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where `tests/setup` puts what it installs.
pub fn test_env() -> PathBuf {
    root().join("target/test-env")
}
