//! Services with one line changed: each change that a reviewer would want to hear of fails exactly the tests that it concerns, and
//! one that makes no difference to anybody fails none.
//!
//! `cargo test -p reel-tests --test e2e mutations -- --nocapture` prints the account.
#![allow(clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use reel_tests::process::{root, test_env};

use super::clock_replay::{DATES, Told};
use super::postgres_drivers::{Recorded, Service, app, can_run, package, python};
use super::support::{Ran, folder, has};

/// A change to a program's text.
struct Change {
    /// What is changed, as the account calls it.
    kind: &'static str,
    from: &'static str,
    to: &'static str,
    /// The numbers of the tests that must fail, and no other.
    fails: &'static str,
}

const fn change(kind: &'static str, from: &'static str, to: &'static str, fails: &'static str) -> Change {
    Change { kind, from, to, fails }
}

/// A change that no test may fail for.
const HARMLESS: &str = "harmless";

/// 1 makes an order, 2 reads it, 3 asks for a value of each type, 4 rolls back.
const NODE: &[Change] = &[
    change("SQL changed", "FROM orders WHERE id = $1", "FROM orders WHERE id = $1 LIMIT 1", "1 2"),
    change("SQL changed", "count(*) AS left", "count(name) AS left", "4"),
    change("SQL changed", "query(\"BEGIN\")", "query(\"BEGIN ISOLATION LEVEL SERIALIZABLE\")", "1 4"),
    change(
        "parameter changed",
        "[order.name, order.price, [\"new\", \"hot\"]]",
        "[order.name, order.price, [\"new\"]]",
        "1",
    ),
    change("parameter changed", "order.price, []", "\"0.99\", []", "4"),
    change("call added", "return read(client,", "await client.query(\"SELECT 1\"); return read(client,", "1"),
    change("call dropped", "await client.query(\"SELECT 1/0\");", "throw { code: \"22012\" };", "4"),
    change(
        "call doubled",
        "await client.query(\"COMMIT\");",
        "await client.query(\"COMMIT\"); await client.query(\"COMMIT\");",
        "1",
    ),
    change(
        "call reordered",
        "return read(client, rows[0].id);\n  });",
        "return rows[0].id;\n  }).then((id) => read(pool, id));",
        "1",
    ),
    change(
        "call reordered",
        "await client.query(\"BEGIN\");\n    const done = await work(client);",
        "const done = await work(client);\n    await client.query(\"BEGIN\");",
        "1 4",
    ),
    change("transaction kept", "query(\"ROLLBACK\")", "query(\"COMMIT\")", "4"),
    change(
        "response changed",
        "return rows[0];\n}\n\nasync function create",
        "return { ...rows[0], price: Number(rows[0].price) };\n}\n\nasync function create",
        "1 2",
    ),
    change("header changed", "\"content-type\": \"application/json\"", "\"content-type\": \"text/json\"", "1 2 3 4"),
    change(
        "status changed",
        "respond(response, 200, value)",
        "respond(response, request.method === \"POST\" ? 201 : 200, value)",
        "1 4",
    ),
    change(HARMLESS, "max: 5", "max: 1", ""),
    change(HARMLESS, "name: \"find-order\"", "name: \"read-order\"", ""),
    change(HARMLESS, "name: \"find-order\", text", "text", ""),
    change(HARMLESS, "return { code, left: rows[0].left };", "return { left: rows[0].left, code };", ""),
];

const PDO: &[Change] = &[
    change("SQL changed", "RETURNING id'", "RETURNING id, name'", "1 4"),
    change("parameter changed", "'{new,hot}'", "'{hot,new}'", "1 4"),
    change("call doubled", "$made = find(", "find($db, 1); $made = find(", "1"),
    change("call dropped", "    $db->commit();\n", "", "1"),
    change("transaction kept", "$db->rollBack()", "$db->commit()", "4"),
    change("response changed", "'left' => $left->fetchColumn()", "'left' => (string) $left->fetchColumn()", "4"),
    change(
        "header changed",
        "Content-Type: application/json",
        "Content-Type: application/json; charset=utf-8",
        "1 2 3 4",
    ),
    change(
        HARMLESS,
        "['tags' => json_decode($order['tags'])] + $order",
        "$order = ['tags' => json_decode($order['tags'])] + $order",
        "",
    ),
];

const SQLALCHEMY: &[Change] = &[
    change("call dropped", "        session.refresh(order)\n", "", "1"),
    change(
        "SQL changed",
        "session.get(Order, number)",
        "session.scalars(select(Order).where(Order.id == number).limit(1)).one()",
        "2",
    ),
    change(
        "call added",
        "        left = session.scalar(",
        "        session.scalar(select(func.now()))\n        left = session.scalar(",
        "4",
    ),
    change("response changed", "\"price\": str(self.price)", "\"price\": float(self.price)", "1 2"),
    change(HARMLESS, "pool_size=5", "pool_size=1", ""),
];

/// A request on each of three days.
const CLOCK: &[Change] = &[
    change("time misused", "dates.pop(0) if dates else today()}", "started}", "2 3"),
    change("time misused", "datetime.datetime.now(", "datetime.datetime.fromtimestamp(time.monotonic(), ", "1 2 3"),
    change("time misused", "return str(datetime", "return str(datetime.timedelta(days=1) + datetime", "1 2 3"),
];

/// What came of changes, by their kinds.
#[derive(Debug, Default)]
struct Account {
    caught: BTreeMap<&'static str, u32>,
    missed: Vec<String>,
    false_alarms: Vec<String>,
}

impl Account {
    fn add(&mut self, change: &Change, ran: &Ran) {
        let failed: BTreeSet<u32> = failed(&ran.out).collect();
        let wanted: BTreeSet<u32> = change.fails.split(' ').filter_map(|number| number.parse().ok()).collect();
        let told = || format!("`{}` to `{}`: {failed:?}\n{}{}", change.from, change.to, ran.out, ran.err);
        let is_clean = change.fails.is_empty();
        if !wanted.is_subset(&failed) || (ran.code == Some(0)) != is_clean {
            self.missed.push(told());
        } else if !is_clean {
            *self.caught.entry(change.kind).or_default() += 1;
        }
        if !failed.is_subset(&wanted) {
            self.false_alarms.push(told());
        }
    }

    fn join(&mut self, other: Account) {
        for (kind, count) in other.caught {
            *self.caught.entry(kind).or_default() += count;
        }
        self.missed.extend(other.missed);
        self.false_alarms.extend(other.false_alarms);
    }
}

/// The numbers of the tests that a report says failed.
fn failed(report: &str) -> impl Iterator<Item = u32> {
    report.lines().filter_map(|line| line.strip_prefix("  FAIL  ")?.split(' ').next()?.parse().ok())
}

/// Replays a service under each change, with a copy of its folder in which `file` has that change.
#[track_caller]
fn check(file: &Path, changes: &[Change], mut replay: impl FnMut(PathBuf) -> Ran) -> Account {
    let text = fs::read_to_string(file).unwrap();
    let mut account = Account::default();
    for change in changes {
        assert_eq!(text.matches(change.from).count(), 1, "`{}` in {}", change.from, file.display());
        let folder = folder();
        for beside in fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap()) {
            if beside.file_type().unwrap().is_file() {
                fs::copy(beside.path(), folder.path().join(beside.file_name())).unwrap();
            }
        }
        let changed = folder.path().join(file.file_name().unwrap());
        fs::write(&changed, text.replace(change.from, change.to)).unwrap();
        account.add(change, &replay(changed));
    }
    account
}

/// A service on PostgreSQL, of which the program in `file` is changed, started as `started_by` says.
fn on_postgres(file: &str, changes: &[Change], started_by: impl Fn(&Path) -> Service) -> Account {
    let file = app(file);
    let mut recorded = Recorded::orders(&started_by(&file), 1);
    recorded.replay().exits(0);
    check(&file, changes, |changed| {
        recorded.service = started_by(&changed);
        recorded.replay()
    })
}

fn node() -> Account {
    on_postgres("pg-node/app.js", NODE, |file| Service::of(&[Path::new("node"), file]))
}

fn pdo() -> Account {
    on_postgres("pg-pdo/index.php", PDO, |file| Service::of(&[&file.with_file_name("serve.sh")]))
}

fn sqlalchemy() -> Account {
    on_postgres("pg-sqlalchemy/app.py", SQLALCHEMY, |file| Service::of(&[&python(), file]))
}

fn clock() -> Account {
    let mut told = Told::record(&["/", "/", "/"], &DATES);
    told.replay(&[]).exits(0);
    check(&root().join("tests/apps/clock/service.py"), CLOCK, |changed| {
        told.program = changed;
        told.replay(&[])
    })
}

#[test]
fn each_change_is_caught_where_it_should_be() {
    let node_pg = test_env().join("node/node_modules/pg");
    if !can_run(&[Path::new("node"), &node_pg, Path::new("php"), &package("sqlalchemy")]) || !has("python3") {
        return;
    }
    let mut account = Account::default();
    std::thread::scope(|scope| {
        let services = [node, pdo, sqlalchemy, clock].map(|service| scope.spawn(service));
        for service in services {
            account.join(service.join().expect("its service is recorded"));
        }
    });
    for (kind, count) in &account.caught {
        println!("{count:>4} {kind}");
    }
    let caught: u32 = account.caught.values().sum();
    let Account { missed, false_alarms, .. } = account;
    println!("caught {caught}, missed {}, false alarms {}", missed.len(), false_alarms.len());
    assert!(missed.is_empty() && false_alarms.is_empty(), "missed: {missed:#?}\nfalse alarms: {false_alarms:#?}");
}
