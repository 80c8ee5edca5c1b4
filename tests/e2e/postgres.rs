//! Services on PostgreSQL: recorded with a real server, replayed with that stopped, through whatever driver they use. The same traffic
//! passes ten times in a row, also where the driver prepares, pools or reads results otherwise; a service that does anything else to
//! its database fails.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use reel_tests::postgres::{PASSWORD, Postgres, USER, dsn, programs};
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
const ODD: App = App { file: "odd.py", env: &[] };

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
        Recorded::under(app, method, port, drive, tests, &[])
    }

    fn under(app: App, method: &str, port: u16, drive: &str, tests: usize, options: &[&str]) -> Recorded {
        let server = Postgres::start(method).expect("postgres starts");
        let recorded = Recorded { app, port, server_port: server.port, folder: folder(), tests };
        let mut command = reel(["record", "--drive", drive]);
        command.args(options).arg("-o").arg(recorded.dir());
        let ran = Ran::of(recorded.with_app(&mut command, &[])).exits(0);
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
    check_large("50000", 1, &[]);
}

/// More than a recording may hold by default, and faster than a busy machine takes it.
#[test]
fn results_of_50_mb_for_32_clients() {
    check_large("500[01-32]", 32, &["--memory-mib", "4096", "--ring-mib", "512"]);
}

/// So many clients at once ask for results of so many kilobytes, in curl's words.
#[track_caller]
fn check_large(kilobytes: &str, clients: usize, options: &[&str]) {
    if !can_run() || !has("curl") {
        return;
    }
    let port = free_port().unwrap();
    let drive =
        format!("curl -sfZ --parallel-immediate --parallel-max {clients} 'http://127.0.0.1:{port}/large/{kilobytes}'");
    let recorded = Recorded::under(PSYCOPG, "trust", port, &drive, clients, options);
    let mut tests = fs::read_dir(recorded.dir().join("tests")).unwrap().flatten();
    assert!(tests.all(|test| fs::read_to_string(test.path()).unwrap().contains("  bytes: 500")));
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

/// A server that was not recorded is reached whole; a call to one that was stands in a session that only the recording has.
#[test]
fn what_was_not_recorded_may_go_to_a_real_server() {
    if !can_run() || !has("psql") {
        return;
    }
    let (recorded, real) = (Recorded::orders(PSYCOPG, "trust", 1, 1), Postgres::start("scram-sha-256").unwrap());
    let ask = |port: u16| {
        let mut mock = reel(["mock", "--on-miss", "pass"]);
        mock.arg(recorded.dir()).args(["--", "psql", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", USER]);
        Ran::of(mock.args(["-d", "postgres", "-tAc", "SELECT 6 * 7"]).env("PGPASSWORD", PASSWORD))
    };
    ask(real.port).exits(0).prints("42\n").says(&format!("1 × 127.0.0.1:{}", real.port));
    ask(recorded.server_port).exits(1).says("a single call of postgres cannot be passed through");
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

/// What no server says is found out before the service starts, with its place.
#[test]
fn a_recording_edited_into_nonsense_is_refused() {
    if !can_run() {
        return;
    }
    let recorded = Recorded::orders(PSYCOPG, "trust", 1, 1);
    let file = recorded.dir().join("mocks/postgres-0001.yaml");
    let right = fs::read_to_string(&file).unwrap();
    for (from, to, why) in [
        ("operation: startup", "operation: dance", "`operation` is one of startup, query,"),
        ("  operation: query\n", "", "`operation` is one of startup, query,"),
        ("state: idle", "state: asleep", "`state` is one of idle, transaction, failed"),
        ("sql: BEGIN", "sql: [BEGIN]", "`sql` must be a text"),
        ("tag: BEGIN", "tag: 5", "a tag must be a text"),
        ("tag: BEGIN", "tags: BEGIN", "a response of postgres has no field `tags`"),
        ("tag: BEGIN", "results: BEGIN", "results must be a list"),
        ("tag: BEGIN", "results: [BEGIN]", "a result must be a map"),
        ("tag: BEGIN", "notices: none", "notices must be a list"),
        ("tag: BEGIN", "suspended: perhaps", "suspended must be true or false"),
        ("tag: BEGIN", "parameters: 5", "parameters must be a map"),
        ("tag: BEGIN", "columns: 5", "columns must be a list"),
        ("tag: BEGIN", "rows: 5", "rows must be a list of lists, or a text as COPY writes it"),
        ("tag: BEGIN", "rows: [5]", "a row must be a list of values"),
        ("tag: BEGIN", "copy: 5", "a COPY must be a map"),
        ("tag: BEGIN", "channel: 5", "a channel must be a text"),
        ("columns: 2", "columns: two", "a COPY's columns are their number"),
        ("tag: BEGIN", "error: 5", "an error must be a map"),
        ("type: int4", "type: int99", "there is no type `int99`"),
        ("- name: amount", "- nam: amount", "a column lacks `name`"),
        ("    - [100]", "    - [100, 7]", "a row has 2 values for 1 columns"),
        ("columns: 2", "columns: 700000", "a COPY has too many columns"),
        ("format: text", "format: 3", "a COPY's format is text or binary"),
        ("direction: in", "direction: up", "a COPY's direction is in or out"),
        ("code: \"22012\"", "kode: \"22012\"", "an error has no field `kode`"),
        ("severity: ERROR", "severity: 7", "`severity` of an error must be a text"),
        ("code: \"22012\"", "code: \"22\\0\"", "`error` holds a NUL byte, which ends a text on the wire"),
        ("tag: BEGIN", "tag: \"BEG\\0IN\"", "`tag` holds a NUL byte"),
        ("sql: BEGIN", "sql: \"BEG\\0IN\"", "`sql` holds a NUL byte"),
        ("tag: BEGIN", "skipped: BEGIN", "skipped must be true or false"),
        ("tag: BEGIN", "value: [BEGIN]", "the value of a function call must be a text"),
    ] {
        assert!(right.contains(from), "{from} is not in:\n{right}");
        fs::write(&file, right.replacen(from, to, 1)).unwrap();
        let ran = recorded.replay(&[]).exits(4).says(why);
        assert!(ran.err.contains("mocks/postgres-0001.yaml:"), "{}", ran.err);
    }
}

/// Notices, notifications, a query that is cancelled, function calls, a pipeline in which a statement fails; with the probes that
/// have a name for some of these.
#[test]
fn what_drivers_seldom_say() {
    if !can_run() || !has("curl") {
        return;
    }
    let port = free_port().unwrap();
    let drive = format!("curl -sf http://127.0.0.1:{port}/{{notice,notification,cancelled,functions,pipeline}}");
    let recorded = Recorded::of(ODD, "scram-sha-256", port, &drive, 5);
    let tests = |name: &str| fs::read_to_string(recorded.dir().join("tests").join(name)).unwrap();
    for (name, answer) in [
        ("0001-get-notice.yaml", "running low"),
        ("0002-get-notification.yaml", "pens"),
        ("0003-get-cancelled.yaml", "57014"),
        ("0004-get-functions.yaml", "a long letter"),
        ("0005-get-pipeline.yaml", "22012"),
    ] {
        let test = tests(name);
        assert!(test.contains(answer), "{test}");
    }
    for _ in 0..REPLAYS {
        recorded.passes(&[]);
    }
    recorded.replay(&[("BUG", "notice")]).exits(1).prints("changed call   ");
    recorded.replay(&[("BUG", "function")]).exits(1).prints("changed call   ");

    let run = |script: &str| Ran::of(reel(["-q", "-e", script, "--from"]).arg(recorded.dir())).exits(0);
    run(r#"postgres:notice { printf("%s %s\n", probe, notices[0].message); }"#)
        .prints("postgres:notice stock is running low\n");
    run(r#"postgres:notification { printf("%s %s\n", channel, payload); }"#).prints("stock pens\n");
    run(r#"postgres:query /sql =~ "pg_sleep"/ { printf("%s\n", sql); }"#).prints("SELECT pg_sleep(60)\n");
    let counted =
        run(r#"postgres:out:query { @ = count(); } postgres:request /operation == "query"/ { @all = count(); }
        end { printf("%d %d\n", (int64)@ > 8, (int64)@ == (int64)@all); clear(@); clear(@all); }"#);
    assert_eq!(counted.out.trim(), "1 1");
}
