//! Services on PostgreSQL: recorded with a real server, replayed with that stopped, through whatever driver they use. The same traffic
//! passes ten times in a row, also where the driver prepares, pools or reads results otherwise; a service that does anything else to
//! its database fails.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use reel_tests::postgres::{Postgres, dsn, programs};
use reel_tests::process::{free_port, root, test_env};
use tempfile::TempDir;

use super::shop::check_complete;
use super::support::{Ran, folder, has, reel};

const REPLAYS: usize = 10;
/// Requests of `drive.py` beside the orders, of which there are two each.
const OTHER_REQUESTS: usize = 5;

/// A service of `tests/apps/sql`.
#[derive(Debug, Clone, Copy)]
struct App {
    file: &'static str,
    /// What it finds in its environment.
    env: &'static [(&'static str, &'static str)],
}

/// The orders on psycopg 3, and on psycopg2. Another driver is a file `driver_NAME.py` beside these, and a line here.
const PSYCOPG: App = App { file: "app.py", env: &[("DRIVER", "psycopg")] };
const PSYCOPG2: App = App { file: "app.py", env: &[("DRIVER", "psycopg2")] };
const PSQL: App = App { file: "script.py", env: &[] };

/// A recording of a service whose database is stopped.
struct Recorded {
    app: App,
    port: u16,
    server_port: u16,
    folder: TempDir,
    tests: usize,
}

fn can_run() -> bool {
    programs().is_some_and(has) && has(test_env().join("venv/bin/python"))
}

fn python() -> PathBuf {
    test_env().join("venv/bin/python")
}

fn apps() -> PathBuf {
    root().join("tests/apps/sql")
}

impl Recorded {
    /// Records the orders under so many clients, of so many rounds each.
    fn orders(app: App, method: &str, clients: usize, rounds: usize) -> Recorded {
        let port = free_port().unwrap();
        let drive = apps().join("drive.py");
        let drive = format!("{} {} {port} {clients} {rounds}", python().display(), drive.display());
        Recorded::of(app, method, port, &drive, clients * rounds * 2 + OTHER_REQUESTS)
    }

    fn of(app: App, method: &str, port: u16, drive: &str, tests: usize) -> Recorded {
        let server = Postgres::start(method).expect("postgres starts");
        let recorded = Recorded { app, port, server_port: server.port, folder: folder(), tests };
        let mut command = reel(["record", "--drive", drive, "-o"]);
        let ran = Ran::of(recorded.with_app(command.arg(recorded.dir()), &[])).exits(0);
        server.stop();
        check_complete(&ran.err, tests);
        recorded
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("recording")
    }

    /// Everything that was recorded of calls.
    fn mocks(&self) -> String {
        let mut files: Vec<_> =
            fs::read_dir(self.dir().join("mocks")).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
    }

    fn replay(&self, env: &[(&str, &str)]) -> Ran {
        Ran::of(self.with_app(reel(["replay"]).arg(self.dir()), env))
    }

    #[track_caller]
    fn passes(&self, env: &[(&str, &str)]) -> Ran {
        self.replay(env).exits(0).prints(&format!("\n{} passed, 0 failed\n", self.tests))
    }

    fn with_app<'a>(&self, command: &'a mut Command, env: &[(&str, &str)]) -> &'a mut Command {
        command.arg("--").arg(python()).arg(apps().join(self.app.file)).arg(self.port.to_string());
        command.env("DSN", dsn(self.server_port)).env("PYTHONDONTWRITEBYTECODE", "1");
        command.envs(self.app.env.iter().copied()).envs(env.iter().copied())
    }
}

/// Runs a service with changes that must make no difference, and with such as must be found out.
#[track_caller]
fn check(app: App, harmless: &[(&str, &str)]) {
    if !can_run() {
        return;
    }
    let recorded = Recorded::orders(app, "scram-sha-256", 1, 3);
    let mocks = recorded.mocks();
    assert!(mocks.contains("auth: scram-sha-256") && !mocks.contains("hunter2"), "{mocks}");
    for _ in 0..REPLAYS {
        recorded.passes(&[]);
    }
    for change in harmless {
        recorded.passes(&[*change]);
    }
    for (bug, found) in [
        ("sql", "changed call   "),
        ("param", "changed call   "),
        ("missing", "missing call   "),
        ("extra", "SELECT count(*) FROM orders"),
        ("twice", "repeated call  "),
        ("reorder", "order of calls "),
        ("rollback", "ROLLBACK"),
    ] {
        recorded.replay(&[("BUG", bug)]).exits(1).prints(found);
    }
}

#[test]
fn psycopg_3() {
    check(PSYCOPG, &[("PREPARE", "0"), ("PREPARE", "never"), ("FORMAT", "binary"), ("POOL", "1"), ("POOL", "5")]);
}

#[test]
fn psycopg_2() {
    check(PSYCOPG2, &[("POOL", "1"), ("POOL", "5")]);
}

/// How the server asks for a password makes no difference to a replay, which knows none.
#[test]
fn each_way_of_asking_for_a_password() {
    if !can_run() {
        return;
    }
    for method in ["trust", "password", "md5"] {
        let recorded = Recorded::orders(PSYCOPG, method, 1, 1);
        let auth = if method == "trust" { "scope: startup".to_owned() } else { format!("auth: {method}\n") };
        assert!(recorded.mocks().contains(&auth), "{method}");
        recorded.passes(&[]);
    }
}

#[test]
fn many_clients_at_once() {
    if !can_run() {
        return;
    }
    let recorded = Recorded::orders(PSYCOPG, "trust", 8, 2);
    for _ in 0..REPLAYS {
        recorded.passes(&[]);
    }
    recorded.replay(&[("BUG", "twice")]).exits(1).prints("repeated call  ");
}

#[test]
fn a_result_of_50_mb() {
    if !can_run() || !has("curl") {
        return;
    }
    let port = free_port().unwrap();
    let drive = format!("curl -sf http://127.0.0.1:{port}/large/50000");
    let recorded = Recorded::of(PSYCOPG, "trust", port, &drive, 1);
    let test = fs::read_to_string(recorded.dir().join("tests/0001-get-large-50000.yaml")).unwrap();
    assert!(test.contains("bytes: 50000000\n"), "{test}");
    for _ in 0..REPLAYS {
        recorded.passes(&[]);
    }
}

#[test]
fn a_psql_script() {
    if !can_run() || !has("psql") || !has("curl") {
        return;
    }
    let port = free_port().unwrap();
    let drive = format!("curl -sf http://127.0.0.1:{port}/");
    let recorded = Recorded::of(PSQL, "scram-sha-256", port, &drive, 1);
    for _ in 0..REPLAYS {
        recorded.passes(&[]);
    }
    recorded.replay(&[("BUG", "data")]).exits(1).prints("changed call   ").prints("data: it changed");
}

/// The tools, and message probes, over what was recorded.
#[test]
fn tools_and_probes_over_a_recording() {
    if !can_run() {
        return;
    }
    let recorded = Recorded::orders(PSYCOPG, "trust", 1, 1);
    let dir = recorded.dir();
    let run = |words: &[&str]| Ran::of(reel(words).arg("--from").arg(&dir)).exits(0);
    run(&["tool", "-q", "pgtop"])
        .prints("@calls[SELECT amount FROM stock WHERE name = $1]: 2\n")
        .prints("@errors[22012, SELECT 1/0]: 1\n");
    let slow = run(&["tool", "-q", "pgslow", "1000000"]);
    assert_eq!(slow.out, "");
    let insert = r#"postgres:request /sql =~ "^INSERT"/ { printf("%s %s\n", params[1], state); }"#;
    run(&["-q", "-e", insert]).prints("2.50 transaction\n");
    let first = "postgres:response /tag == \"INSERT 0 1\"/ { printf(\"%s\\n\", rows[0][0]); }";
    run(&["-q", "-e", first]).prints("1\n");
}
