//! A service that tries again for ever when a call fails: its test ends at its time, and the report tells of the calls and is bounded.

use std::process::Command;

use reel_tests::process::{free_port, root};
use reel_tests::redis::Redis;

use super::support::{Ran, folder, has, reel};

/// The longest report: what differs, and then what came again and again by its count.
const MAX_REPORT_LINES: usize = 40;

#[test]
fn a_service_that_tries_again_for_ever() {
    if !has("python3") || !has("redis-server") || !has("curl") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let dir = folder.path().join("recording");
    let store = Redis::start().unwrap();
    let store_port = store.port.to_string();
    let with_service = |command: &mut Command, key: &str| {
        command.arg(&dir).args(["--", "python3"]).arg(root().join("tests/apps/retries/app.py"));
        Ran::of(command.env("PORT", port.to_string()).env("STORE", &store_port).env("KEY", key))
    };
    let drive = format!("curl -sf http://127.0.0.1:{port}/");
    with_service(&mut reel(["record", "--drive", &drive, "-o"]), "tea").exits(0);
    store.stop();
    with_service(&mut reel(["replay"]), "tea").exits(0);
    let ran = with_service(&mut reel(["replay", "--test-timeout", "2"]), "salt").exits(1);
    let ran = ran.prints("no response came in time").prints("(redis), 100 times in a row");
    let ran = ran.prints(" more that were not recorded");
    let lines = ran.out.lines().count();
    assert!(lines < MAX_REPORT_LINES, "{lines} lines:\n{}", ran.out);
}
