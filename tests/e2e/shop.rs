//! An order service, recorded: what the tests of services and of changes begin with.

use std::path::PathBuf;
use std::process::Command;

use reel_tests::app::App;
use reel_tests::process::{free_port, test_env};
use reel_tests::redis::Redis;
use tempfile::TempDir;

use super::support::{LOAD, Ran, folder, has, reel};

/// The requests that the client makes for one order.
pub const REQUESTS_PER_ORDER: usize = 4;

/// A recording of an order service whose store is stopped.
pub struct Shop {
    app: App,
    port: u16,
    store_port: u16,
    pub tests: usize,
    folder: TempDir,
}

/// Whether the servers that it takes are here.
pub fn can_run(app: App) -> bool {
    has("redis-server")
        && match app {
            App::Flask => has(test_env().join("venv/bin/python")),
            App::Node => has("node") && has(test_env().join("node/node_modules")),
            App::Go => has(test_env().join("go-app")),
        }
}

impl Shop {
    /// Records the service under so many clients, checks that nothing is missing, and stops the store.
    pub fn recorded(app: App, clients: usize, orders: usize) -> Shop {
        Shop::recorded_with(app, clients, orders, &[])
    }

    /// The same with further flags for `reel record`.
    pub fn recorded_with(app: App, clients: usize, orders: usize, flags: &[&str]) -> Shop {
        let store = Redis::start().expect("redis-server starts");
        let port = free_port().expect("a free port");
        let tests = clients * orders * REQUESTS_PER_ORDER;
        let shop = Shop { app, port, store_port: store.port, tests, folder: folder() };
        let drive = format!("{LOAD} {port} {clients} {orders} shop");
        let mut command = reel(["record", "--drive", &drive]);
        let ran = Ran::of(shop.with_app(command.args(flags).arg("-o").arg(shop.dir()), "")).exits(0);
        store.stop();
        check_complete(&ran.err, tests);
        shop
    }

    /// Where the recording is.
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("recording")
    }

    /// Replays it with one deliberate change, or none.
    pub fn replay(&self, bug: &str) -> Ran {
        Ran::of(self.with_app(reel(["replay"]).arg(self.dir()), bug))
    }

    /// Adds the app, with one deliberate change or none, to a command of reel.
    pub fn with_app<'a>(&self, command: &'a mut Command, bug: &str) -> &'a mut Command {
        command.arg("--").args(self.app.command()).envs(self.app.env(self.port, self.store_port, bug))
    }
}

/// Every byte that the kernel counted was captured and understood.
#[track_caller]
pub fn check_complete(summary: &str, tests: usize) {
    let line = |word: &str| summary.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("{summary}"));
    assert!(line("recorded ").starts_with(&format!("recorded {tests} tests and ")), "{summary}");
    let numbers: Vec<u64> = line("by the kernel's counters").split(' ').filter_map(|word| word.parse().ok()).collect();
    let [_connections, received, sent, kernel_received, kernel_sent] = numbers.as_slice() else { panic!("{summary}") };
    assert!(*received > 0 && *sent > 0, "{summary}");
    assert_eq!((received, sent), (kernel_received, kernel_sent), "{summary}");
    assert!(!summary.contains("incomplete"), "{summary}");
}
