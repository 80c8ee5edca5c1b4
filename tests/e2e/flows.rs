//! Values that flow: a service that makes up ids, tokens, cookies and cursors, recorded with Redis and replayed without it. What it
//! makes up anew is what it is sent; what it does otherwise fails; what two sides may come to by chance never links.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use reel_tests::process::{free_port, root};
use reel_tests::redis::Redis;
use tempfile::TempDir;

use super::shop::check_complete;
use super::support::{Ran, folder, has, reel};

const REPLAYS: usize = 10;
/// The requests of the client.
const TESTS: usize = 11;

struct Recorded {
    port: u16,
    store_port: u16,
    folder: TempDir,
}

fn apps() -> PathBuf {
    root().join("tests/apps/flows")
}

impl Recorded {
    fn record() -> Recorded {
        let store = Redis::start().unwrap();
        let recorded = Recorded { port: free_port().unwrap(), store_port: store.port, folder: folder() };
        let drive = format!("python3 {} {}", apps().join("client.py").display(), recorded.port);
        let mut record = reel(["record", "--drive", &drive, "-o"]);
        let ran = Ran::of(recorded.with_app(record.arg(recorded.dir()), "")).exits(0);
        store.stop();
        check_complete(&ran.err, TESTS);
        recorded
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("recording")
    }

    fn with_app<'c>(&self, command: &'c mut Command, bug: &str) -> &'c mut Command {
        command.args(["--", "python3"]).arg(apps().join("app.py")).env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("PORT", self.port.to_string()).env("REDIS_PORT", self.store_port.to_string()).env("BUG", bug)
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut replay = reel(["replay", "-r"]);
        replay.arg(apps().join("rules.rr")).args(options).arg(self.dir());
        replay
    }

    fn replay(&self, options: &[&str], bug: &str) -> Ran {
        Ran::of(self.with_app(&mut self.command(options), bug))
    }
}

#[test]
fn what_an_app_makes_up_comes_back_to_it() {
    if !has("redis-server") || !has("python3") {
        return;
    }
    let recorded = Recorded::record();
    let show = Ran::of(reel(["show"]).arg(recorded.dir())).exits(0);
    for (test, from) in [(2, 1), (3, 1), (5, 4), (7, 6), (9, 8)] {
        let line = show.out.lines().find(|line| line.starts_with(&format!("  {test:04}  ")));
        assert!(line.is_some_and(|line| line.ends_with(&format!(" <- {from:04}"))), "{}", show.out);
    }
    assert_eq!(show.out.matches(" <- ").count(), 5, "{}", show.out);
    for (test, lines) in [
        (
            "1",
            [
                "  -> header[\"set-cookie\"] \"sid={}\"  to test 0002 header.cookie \"sid={}\"",
                "  -> body.token  to test 0003 ",
            ],
        ),
        ("5", ["  <- body.csrf  from test 0004 body \"csrf\" value=\"{}\"", "Calls\n  none"]),
        ("7", ["  <- target \"orders/{%}\"  from test 0006 header.location \"orders/{%}\"", "GET order:"]),
        ("9", ["  <- target \"cursor={%}&\"  from test 0008 body.next", "Calls\n  none"]),
    ] {
        let one = Ran::of(reel(["show"]).arg(recorded.dir()).arg(test)).exits(0);
        lines.into_iter().fold(one, |one, line| one.prints(line));
    }
    for _ in 0..REPLAYS {
        recorded.replay(&[], "").exits(0).prints(&format!("\n{TESTS} passed, 0 failed\n")).prints(
            "Values that flowed\n      1 × body.token of test 0001 into header.authorization \"Bearer {}\"\n      \
             1 × header[\"set-cookie\"] \"sid={}\" of test 0001 into header.cookie \"sid={}\"\n",
        );
    }
    // Where nobody knows the secrets of the recording, what the app gives is enough.
    let elsewhere = folder();
    let mut replay = recorded.command(&[]);
    Ran::of(recorded.with_app(replay.env("XDG_STATE_HOME", elsewhere.path()), "")).exits(0);
    let alone = recorded.command(&["--only", "/me"]).env("XDG_STATE_HOME", elsewhere.path()).output();
    assert_eq!(alone.unwrap().status.code(), Some(2));
}

#[test]
fn what_an_app_does_otherwise_with_what_it_gave_fails() {
    if !has("redis-server") || !has("python3") {
        return;
    }
    let recorded = Recorded::record();
    // A token that it does not accept itself.
    recorded.replay(&[], "reject").exits(1).prints("FAIL  0003  GET /account").prints("10 passed, 1 failed");
    // No token at all.
    let missing = "the value of header.authorization \"Bearer {}\" came from test 0001's body.token, which the replay's answer did \
                   not have";
    let ran = recorded.replay(&[], "missing").exits(1).prints(missing);
    ran.prints("body.token: it is missing").prints("9 passed, 2 failed");
    // A cookie that it does not look at.
    recorded
        .replay(&[], "open")
        .exits(1)
        .prints("missing call   redis-0002 GET session:")
        .prints("10 passed, 1 failed");
    // Another id than the one that it was asked for.
    recorded.replay(&[], "other").exits(1).prints("body.id: it changed").prints("10 passed, 1 failed");
    recorded.replay(&[], "forgets").exits(1).prints("FAIL  0009  GET /items").prints("10 passed, 1 failed");
}

#[test]
fn a_test_alone_is_sent_what_was_recorded_and_an_edited_flow_is_heeded() {
    if !has("redis-server") || !has("python3") {
        return;
    }
    let recorded = Recorded::record();
    let alone = recorded.replay(&["--only", "/account"], "").exits(0).prints("1 passed, 0 failed");
    alone.prints(": 0003 header.authorization \"Bearer {}\": sent as recorded, since test 0001 was not run");
    let with = recorded.replay(&["--only", "0007"], "").exits(0);
    with.prints(": 0007 target \"orders/{%}\": sent as recorded, since test 0006 was not run");
    let xml = recorded.folder.path().join("report.xml");
    recorded.replay(&["--junit", xml.to_str().unwrap()], "").exits(0);
    assert!(fs::read_to_string(xml).unwrap().contains("Values that flowed"));
    // Without its flow a test is sent what was recorded, which this app has never heard of.
    let path = recorded.dir().join("tests/0009-get-items.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let flows = text.find("flows:\n").unwrap();
    fs::write(&path, format!("{}...\n", &text[..flows])).unwrap();
    recorded.replay(&[], "").exits(1).prints("FAIL  0009  GET /items").prints("10 passed, 1 failed");
    // An accepted change leaves the others' flows as they are.
    recorded.replay(&["--update", "--yes"], "").exits(0);
    recorded.replay(&[], "").exits(0).prints("11 passed, 0 failed");
    fs::write(&path, text.replace("from: test-0008", "from: test-0010")).unwrap();
    recorded.replay(&[], "").exits(4).says("a flow names test-0010, and that is no earlier test or call");
}
