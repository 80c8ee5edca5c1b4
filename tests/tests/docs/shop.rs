//! A folder in which the documentation's commands mean something: `./server`, a service on a store, `./client.sh`, and `./suite.sh`,
//! which starts and visits the service itself.
//!
//! Both are reel's own demonstration. What a reader has and a test must not start again (cargo, sudo, the test command) is
//! there under its name and does the part that can be held: `cargo run --release -- demo` runs `reel demo`.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, ensure};
use reel_tests::process::{Running, root};
use tempfile::TempDir;

/// The folder, and the store that runs behind the service.
#[derive(Debug)]
pub struct Shop {
    dir: TempDir,
    ports: [(String, &'static str); 2],
    _store: Running,
}

/// A free port of 127.0.0.1 that no other test asks for. The service comes and goes on it, so that it must stay free in between:
/// it is not one of those that `free_port` gives, which other test programs may take at any time.
fn own_port() -> Result<u16> {
    const FIRST: u16 = 2_000;
    const COUNT: u16 = 8_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() * 16 % u32::from(COUNT)) as u16;
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .context("no free port")
}

/// What a command line did.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    /// Both outputs, standard output first, with the ports that the documentation uses.
    pub output: String,
}

impl Shop {
    /// Starts the store and fills the folder.
    pub fn open() -> Result<Shop> {
        let dir = tempfile::tempdir()?;
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin)?;
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_reel-e2e"), bin.join("reel"))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_reel-e2e"));
        let mut store = Running::start(command.arg("__demo-store").stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let mut port = String::new();
        BufReader::new(store.0.stdout.take().context("the store's output")?).read_line(&mut port)?;
        let (app, store_port) = (own_port()?.to_string(), port.trim().to_owned());
        let shop = Shop { dir, ports: [(app.clone(), "8080"), (store_port.clone(), "6379")], _store: store };
        // To be watched by a tracing script, the service is visited once and ends.
        shop.script(
            "server",
            &format!(
                "[ -z \"$VISIT\" ] && exec reel __demo-app {app} ${{STORE:-{store_port}}} $BUG\n\
                 reel __demo-app {app} {store_port} &\n\
                 until reel __demo-client {app} 2>/dev/null; do :; done\nkill $!"
            ),
        )?;
        shop.script("suite.sh", "VISIT=1 exec ./server")?;
        let flows = root().join("tests/apps/flows");
        let python = format!("PYTHONDONTWRITEBYTECODE=1 exec python3 '{}", flows.display());
        shop.script("accounts", &format!("PORT={app} REDIS_PORT={store_port} {python}/app.py'"))?;
        shop.script("visitor.sh", &format!("{python}/client.py' {app}"))?;
        shop.script("client.sh", &format!("exec reel __demo-client {app}"))?;
        shop.script("bin/cargo", "[ \"$*\" = 'run --release -- demo' ] && exec reel demo\nexit 64")?;
        shop.script("bin/sudo", "exec \"$@\"")?;
        std::fs::create_dir(shop.path("tests"))?;
        shop.script("tests/run", &format!("exec test -x '{}'", root().join("tests/run").display()))?;
        Ok(shop)
    }

    /// A path in the folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    fn script(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
        Ok(std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?)
    }

    /// Runs a line as a shell would, with the ports that are here, and with a command to watch if it is a tracing script that has
    /// none.
    pub fn run(&self, line: &str) -> Result<Done> {
        let line = &self.ports.iter().fold(line.to_owned(), |line, (here, written)| line.replace(written, here));
        let traces = line.starts_with("reel -e") || line.starts_with("reel tool") || line.starts_with("reel scripts/");
        let listens = traces && !(line == "reel tool" || line.contains(" --show "));
        let line = if listens && !line.contains(" -c ") { format!("{line} -c 'ls /'") } else { line.to_owned() };
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("sh");
        command.args(["-c", &line]).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("PATH", path).env("XDG_STATE_HOME", self.path("state"));
        if line.contains(" -c ./server") || line.starts_with("reel repl ") {
            command.env("VISIT", "1");
        }
        let out = command.output()?;
        let mut output = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        for (here, written) in &self.ports {
            output = output.replace(here, written);
        }
        Ok(Done { code: out.status.code(), output })
    }

    /// Runs a line that must end with this status.
    pub fn must(&self, line: &str, code: i32) -> Result<String> {
        let done = self.run(line)?;
        ensure!(done.code == Some(code), "`{line}` ended with {:?}, not with {code}:\n{}", done.code, done.output);
        Ok(done.output)
    }

    /// A file of the folder, with the ports that the documentation uses.
    pub fn read(&self, name: &str) -> Result<String> {
        let mut text = std::fs::read_to_string(self.path(name)).with_context(|| format!("cannot read {name}"))?;
        for (here, written) in &self.ports {
            text = text.replace(here, written);
        }
        Ok(text)
    }
}
