//! What must fail, fails: a service with one line changed, and a planted negative for every check.
//!
//! Where each call surely belongs to a request, exactly the tests concerned fail. Under concurrency a call has several
//! candidates, and what no test accounts for fails at the level of the set.

use std::fs;
use std::path::Path;

use reel_tests::app::App;

use super::shop::{Shop, can_run};
use super::support::{Ran, reel};

const ORDERS: usize = 3;

/// The changes that every service knows, and what the report says of each.
const BUGS: [(&str, &[&str]); 4] = [
    ("key", &["changed call", "+ \"orders:shop-0-0\""]),
    ("field", &["the response is not the recorded one", "body.status: it changed", "- new", "+ open"]),
    ("extra", &["extra call     GET order:shop-0-0"]),
    ("dropped", &["missing call   redis-"]),
];

/// The tests that failed: `0001  POST /orders`.
fn failed(report: &str) -> Vec<&str> {
    report.lines().filter_map(|line| line.strip_prefix("  FAIL  ")).collect()
}

#[track_caller]
fn check_certain(app: App) {
    if !can_run(app) {
        return;
    }
    let shop = Shop::recorded(app, 1, ORDERS);
    let concerned = ["0001  POST /orders", "0005  POST /orders", "0009  POST /orders"];
    for (bug, named) in BUGS {
        let ran = shop.replay(bug).exits(1);
        assert_eq!(failed(&ran.out), concerned, "{bug}: {}", ran.out);
        for text in named {
            assert!(ran.out.contains(text), "{bug}: `{text}` is not in:\n{}", ran.out);
        }
    }
}

#[test]
fn a_changed_flask_service_fails_the_tests_concerned() {
    check_certain(App::Flask);
}

#[test]
fn a_changed_node_service_fails_the_tests_concerned() {
    check_certain(App::Node);
}

#[test]
fn a_changed_go_service_fails_the_tests_concerned() {
    check_certain(App::Go);
}

#[test]
fn under_concurrency_a_change_fails_at_least_the_set() {
    if !can_run(App::Go) {
        return;
    }
    let shop = Shop::recorded(App::Go, 50, 1);
    let orders = shop.tests / 4;
    for (bug, named) in [
        ("key", "orders:shop-"),
        ("field", "body.status: it changed"),
        ("extra", "extra call     GET order:shop-"),
        ("dropped", "RPUSH audit:shop-"),
    ] {
        let ran = shop.replay(bug).exits(1).prints(named);
        let wrong: Vec<&str> = failed(&ran.out).into_iter().filter(|test| !test.ends_with("POST /orders")).collect();
        assert!(wrong.is_empty(), "{bug}: {wrong:?}\n{}", ran.out);
        if bug == "field" {
            assert_eq!(failed(&ran.out).len(), orders, "{}", ran.out);
        }
    }
}

/// Changes a text in a file of a recording, at its first place.
#[track_caller]
fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "`{from}` is not in {}:\n{text}", file.display());
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

/// Each check of a replay is seen to fail: the recording says something else than what the service does.
#[test]
fn a_planted_difference_fails_every_check() {
    if !can_run(App::Go) {
        return;
    }
    let shop = Shop::recorded(App::Go, 1, 2);
    let made = "tests/0001-post-orders.yaml";
    let mocks = "mocks/redis-0001.yaml";
    let read = "0002  GET /orders/shop-0-0";
    for (file, from, to, test, named) in [
        (made, "status: 201", "status: 200", "0001  POST /orders", "status: it changed"),
        (
            made,
            "    Content-Type: application/json\n    Date",
            "    Content-Type: text/plain\n    Date",
            "0001  POST /orders",
            "header[\"content-type\"]: it changed",
        ),
        (made, "items: 2", "items: 3", "0001  POST /orders", "body.items: it changed"),
        (
            mocks,
            "reply: \"{\\\"id\\\":\\\"shop-0-0\\\",\\\"items\\\":[\\\"tea\\\"",
            "reply: \"{\\\"id\\\":\\\"shop-0-0\\\",\\\"items\\\":[\\\"tee\\\"",
            read,
            "body.items",
        ),
        (
            mocks,
            "args: [\"audit:shop-0-0\", created]",
            "args: [\"audit:shop-0-0\", built]",
            "0001  POST /orders",
            "changed call",
        ),
        (
            "tests/0002-get-orders-shop-0-0.yaml",
            "effects:\n  - window: redis-0003",
            "effects:\n  - window: redis-0003\n  - window: redis-0004",
            read,
            "missing call   redis-0004",
        ),
    ] {
        let path = shop.dir().join(file);
        let whole = fs::read_to_string(&path).unwrap();
        edit(&path, from, to);
        let ran = shop.replay("").exits(1).prints(named);
        assert!(failed(&ran.out).contains(&test), "{from}: {}", ran.out);
        fs::write(&path, whole).unwrap();
    }
    shop.replay("").exits(0);
}

#[test]
fn the_junit_report_has_each_failure() {
    if !can_run(App::Go) {
        return;
    }
    let shop = Shop::recorded(App::Go, 1, 1);
    let file = shop.dir().with_extension("xml");
    let mut replay = reel(["replay", "--junit"]);
    let ran = Ran::of(shop.with_app(replay.arg(&file).arg(shop.dir()), "field")).exits(1);
    let xml = fs::read_to_string(&file).unwrap();
    assert!(xml.contains("tests=\"4\"") && xml.contains("failures=\"1\""), "{xml}\n{}", ran.out);
    assert!(xml.contains("body.status") && xml.contains("<property name=\"clock\" value=\"recorded\"/>"), "{xml}");
}
