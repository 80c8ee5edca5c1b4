//! Drivers and ORMs as services use them, on PostgreSQL: each service of `tests/apps/pg-*` is recorded with a real server, under one
//! client and under 32 at once, and replayed again and again with the server stopped.
//! Each migrates its schema at its start, commits transactions, and rolls one back.

use std::path::{Path, PathBuf};
use std::process::Command;

use reel_tests::postgres::{PASSWORD, Postgres, USER, programs};
use reel_tests::process::{free_port, root, test_env};
use tempfile::TempDir;

use super::shop::check_complete;
use super::support::{Ran, folder, has, reel};

const REPLAYS: usize = 10;
const MANY_CLIENTS: usize = 32;
/// Requests of `pg-client/drive.py` beside the orders, of which there are two a client.
const OTHER_REQUESTS: usize = 2;

/// A service: the words that start it, before its port, and rules for what differs in it from run to run.
#[derive(Debug, Clone)]
pub struct Service {
    command: Vec<PathBuf>,
    rules: Option<PathBuf>,
}

/// A recording of a service whose database is stopped.
pub struct Recorded {
    pub service: Service,
    port: u16,
    server_port: u16,
    folder: TempDir,
    tests: usize,
}

pub fn python() -> PathBuf {
    test_env().join("venv/bin/python")
}

pub fn app(path: &str) -> PathBuf {
    root().join("tests/apps").join(path)
}

/// What a module of Python, or of Node, leaves on the disk.
pub fn package(module: &str) -> PathBuf {
    test_env().join("venv/lib").join(python_version()).join("site-packages").join(module)
}

/// The folder's name of the Python that the environment was made with.
fn python_version() -> String {
    let versions = std::fs::read_dir(test_env().join("venv/lib")).into_iter().flatten().flatten();
    versions.map(|version| version.file_name().to_string_lossy().into_owned()).next().unwrap_or_default()
}

pub fn can_run(needed: &[&Path]) -> bool {
    programs().is_some_and(has) && has(python()) && needed.iter().all(has)
}

impl Service {
    pub fn of(words: &[&Path]) -> Service {
        Service { command: words.iter().map(|word| word.to_path_buf()).collect(), rules: None }
    }

    fn under(self, rules: PathBuf) -> Service {
        Service { rules: Some(rules), ..self }
    }

    fn asyncpg() -> Service {
        Service::of(&[&python(), &app("pg-asyncpg/app.py")])
    }
}

impl Recorded {
    pub fn orders(service: &Service, clients: usize) -> Recorded {
        Recorded::requests(service, clients, "", clients * 2 + OTHER_REQUESTS)
    }

    /// What `pg-client/drive.py` asks.
    fn requests(service: &Service, clients: usize, kind: &str, tests: usize) -> Recorded {
        let port = free_port().unwrap();
        let drive = &format!("{} {} {port} {clients} {kind}", python().display(), app("pg-client/drive.py").display());
        let server = Postgres::start("scram-sha-256").expect("postgres starts");
        let recorded = Recorded { service: service.clone(), port, server_port: server.port, folder: folder(), tests };
        let mut command = reel(["record", "--drive", drive, "-o"]);
        let ran = Ran::of(recorded.with_service(command.arg(recorded.dir()))).exits(0);
        server.stop();
        check_complete(&ran.err, tests);
        recorded
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("recording")
    }

    #[track_caller]
    fn passes(&self) {
        for _ in 0..REPLAYS {
            self.replay().exits(0).prints(&format!("\n{} passed, 0 failed\n", self.tests));
        }
    }

    pub fn replay(&self) -> Ran {
        let mut command = reel(["replay"]);
        if let Some(rules) = &self.service.rules {
            command.arg("-r").arg(rules);
        }
        Ran::of(self.with_service(command.arg(self.dir())))
    }

    fn with_service<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.arg("--").args(&self.service.command).arg(self.port.to_string());
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.server_port.to_string()).env("PGDATABASE", "postgres");
        command.env("PGUSER", USER).env("PGPASSWORD", PASSWORD).env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("NODE_PATH", test_env().join("node/node_modules"))
    }
}

/// Records a service under one client and under many at once, and replays both.
#[track_caller]
fn check_both(service: &Service) {
    check(service, 1);
    check(service, MANY_CLIENTS);
}

/// Records a service under so many clients at once, and replays that so often.
#[track_caller]
fn check(service: &Service, clients: usize) {
    Recorded::orders(service, clients).passes();
}

/// A service of which so many clients at once ask one kind of request each.
#[track_caller]
fn check_request(service: &Service, clients: usize, kind: &str) {
    Recorded::requests(service, clients, kind, clients).passes();
}

#[test]
fn flask_with_sqlalchemy() {
    if can_run(&[&package("sqlalchemy")]) {
        let service = Service::of(&[&python(), &app("pg-sqlalchemy/app.py")]);
        check_both(&service);
    }
}

#[test]
fn node_with_pg() {
    if can_run(&[Path::new("node"), &test_env().join("node/node_modules/pg")]) {
        let service = Service::of(&[Path::new("node"), &app("pg-node/app.js")]);
        check(&service, 1);
        let mut recorded = Recorded::orders(&service, MANY_CLIENTS);
        recorded.passes();
        // One order among many does otherwise; whose each `BEGIN` was is not certain, but that is found out.
        for (from, to, found) in [
            (
                "async function create(order) {",
                "async function create(order) { if (order.name === \"tea-7\") await transaction(async () => {});",
                "repeated call ",
            ),
            (
                "return read(client,",
                "if (order.name === \"tea-7\") return { id: rows[0].id, ...order, tags: [\"new\", \"hot\"] }; return read(client,",
                "query SELECT id, name, price, tags",
            ),
            (
                "await client.query(\"COMMIT\");",
                "if (done.name !== \"tea-7\") await client.query(\"COMMIT\");",
                "query COMMIT",
            ),
        ] {
            let text = std::fs::read_to_string(app("pg-node/app.js")).unwrap();
            assert!(text.contains(from), "{from}");
            let changed = recorded.folder.path().join("changed.js");
            std::fs::write(&changed, text.replacen(from, to, 1)).unwrap();
            recorded.service = Service::of(&[Path::new("node"), &changed]);
            recorded.replay().exits(1).prints(found);
        }
    }
}

#[test]
fn go_with_lib_pq() {
    let program = test_env().join("go-pg");
    if can_run(&[&program]) {
        check_both(&Service::of(&[&program]));
    }
}

#[test]
fn fastapi_with_asyncpg() {
    if can_run(&[&package("asyncpg"), &package("fastapi")]) {
        check_both(&Service::asyncpg());
    }
}

#[test]
fn rust_with_sqlx() {
    let program = test_env().join("sqlx/debug/pg-sqlx");
    if can_run(&[&program]) {
        check_both(&Service::of(&[&program]));
    }
}

#[test]
fn java_with_jdbc() {
    let (driver, classes) = (Path::new("/usr/share/java/postgresql.jar"), test_env().join("jdbc"));
    if can_run(&[Path::new("java"), driver, &classes.join("Orders.class")]) {
        let class_path = [driver, &classes].map(|path| path.display().to_string()).join(":");
        let words = ["java", "-XX:TieredStopAtLevel=1", "-cp", &class_path, "Orders"].map(Path::new);
        check_both(&Service::of(&words));
    }
}

#[test]
fn php_with_pdo() {
    if can_run(&[Path::new("php")]) {
        // Its one process gives its prepared statements numbered names, and tells the server in SQL which it drops.
        check_both(&Service::of(&[&app("pg-pdo/serve.sh")]));
    }
}

/// Django's own migrations run at the start.
#[test]
fn django() {
    if can_run(&[&package("django")]) {
        let service = Service::of(&[&python(), &app("pg-django/app.py")]).under(app("pg-django/rules.rr"));
        check_both(&service);
    }
}

/// A COPY in the binary format.
#[test]
fn an_import() {
    if can_run(&[&package("asyncpg"), &package("fastapi")]) {
        check_request(&Service::asyncpg(), 1, "import");
        check_request(&Service::asyncpg(), MANY_CLIENTS, "import");
    }
}

#[test]
fn a_transaction_that_rolls_back() {
    if can_run(&[&package("asyncpg"), &package("fastapi")]) {
        check_request(&Service::asyncpg(), 1, "undone");
        check_request(&Service::asyncpg(), MANY_CLIENTS, "undone");
    }
}

/// A service that reads the clock, makes UUIDs, and signs JWTs.
#[test]
fn tokens() {
    if can_run(&[&package("asyncpg"), &package("fastapi")]) {
        let service = Service::asyncpg().under(app("pg-asyncpg/rules.rr"));
        check_request(&service, 1, "tokens");
        // Of many at once, insertions are known by their ids alone.
        let many = Recorded::requests(&service, MANY_CLIENTS, "tokens", MANY_CLIENTS);
        let tests = std::fs::read_dir(many.dir().join("tests")).unwrap().flatten();
        let mut texts = tests.map(|test| std::fs::read_to_string(test.path()).unwrap());
        assert!(texts.any(|text| text.contains("- value: postgres-")));
        many.passes();
    }
}
