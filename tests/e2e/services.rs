//! Services in three runtimes, recorded and replayed without their store: the same result ten times in a row.

use std::fs;

use reel_tests::app::App;

use super::shop::{Shop, can_run};

const REPLAYS: usize = 10;

#[track_caller]
fn check(app: App, clients: usize, orders: usize) {
    if !can_run(app) {
        return;
    }
    let shop = Shop::recorded(app, clients, orders);
    let head = fs::read_to_string(shop.dir().join("recording.yaml")).unwrap();
    for counter in ["dropped_events", "missing_bytes", "undecoded_bytes", "encrypted_connections"] {
        assert!(head.contains(&format!("\n  {counter}: 0\n")), "{head}");
    }
    for _ in 0..REPLAYS {
        shop.replay("").exits(0).prints(&format!("\n{} passed, 0 failed\n", shop.tests));
    }
}

#[test]
fn flask_under_one_client() {
    check(App::Flask, 1, 5);
}

#[test]
fn flask_under_fifty_clients() {
    check(App::Flask, 50, 1);
}

#[test]
fn node_under_one_client() {
    check(App::Node, 1, 5);
}

#[test]
fn node_under_fifty_clients() {
    check(App::Node, 50, 1);
}

#[test]
fn go_under_one_client() {
    check(App::Go, 1, 5);
}

#[test]
fn go_under_fifty_clients() {
    check(App::Go, 50, 1);
}
