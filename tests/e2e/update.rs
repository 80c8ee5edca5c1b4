//! `reel replay --update`: a recording takes over what is accepted, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use reel_tests::process::free_port;
use reel_tests::redis::Redis;

use super::pty::{PLAIN, Terminal};
use super::recordings::{files, fill};
use super::support::{REEL, Ran, folder, has, reel};

/// The shop of the demonstration, recorded.
struct Shop {
    folder: tempfile::TempDir,
    app: [String; 2],
}

impl Shop {
    fn record() -> Shop {
        let (folder, port, store) = (folder(), free_port().unwrap().to_string(), Redis::start().unwrap());
        fill(&store);
        let shop = Shop { folder, app: [port.clone(), store.port.to_string()] };
        let mut record = reel(["record", "--drive", &format!("{REEL} __demo-client {port}"), "-o"]);
        Ran::of(shop.with_app(record.arg(shop.dir()), &[])).exits(0).says("recorded 5 tests and 6 calls");
        shop
    }

    fn dir(&self) -> std::path::PathBuf {
        self.folder.path().join("recording")
    }

    fn with_app<'c>(&self, command: &'c mut Command, bug: &[&str]) -> &'c mut Command {
        command.args(["--", REEL, "__demo-app"]).args(&self.app).args(bug)
    }

    /// Makes two tests say something that the service does not.
    fn falsify(&self) {
        for (test, was, is) in
            [("0001-get-stock-tea.yaml", "left: 12", "left: 13"), ("0005-get-stock-tea.yaml", "left: 10", "left: 7")]
        {
            let path = self.dir().join("tests").join(test);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(was), "{text}");
            fs::write(path, text.replace(was, is)).unwrap();
        }
    }

    fn replay(&self, options: &[&str], bug: &[&str]) -> Ran {
        let mut replay = reel(["replay"]);
        Ran::of(self.with_app(replay.args(options).arg(self.dir()), bug))
    }

    /// The recording's files, without those that differ each time.
    fn files(&self) -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let is_derived = |path: &Path| path.starts_with(".index");
        files(&self.dir()).into_iter().filter(|(path, _)| !is_derived(path)).collect()
    }
}

#[test]
fn a_field_that_is_accepted_is_all_that_changes() {
    if !has("redis-server") {
        return;
    }
    let shop = Shop::record();
    let right = shop.files();
    shop.falsify();
    let wrong = shop.files();
    let asked = shop.replay(&["--update"], &[]).exits(2);
    asked.says("standard input is no terminal");
    shop.replay(&["--update", "--yes=body.nothing"], &[]).exits(1).prints("nothing accepted");
    assert!(shop.files() == wrong);
    shop.replay(&["--update", "--yes=0001"], &[])
        .exits(1)
        .prints("0001 GET /stock/tea: response body.left\n    - 13\n    + 12\n    accepted\n")
        .prints("1 of 2 differences accepted");
    shop.replay(&["--update", "--yes"], &[]).exits(0).prints("1 of 1 differences accepted");
    assert!(shop.files() == right, "the recording is what it was before it was wrong");
    shop.replay(&["--update", "--yes"], &[]).exits(0).prints("nothing to accept");
}

#[test]
fn a_call_that_is_no_longer_made_goes_and_one_that_is_new_cannot_come() {
    if !has("redis-server") {
        return;
    }
    let shop = Shop::record();
    let with_bug = shop.replay(&["--update", "--yes"], &["--bug"]).exits(0);
    with_bug.prints("redis-0002 DECRBY stock:tea is no longer made");
    shop.replay(&[], &["--bug"]).exits(0).prints("5 passed, 0 failed");
    Ran::of(reel(["show"]).arg(shop.dir())).exits(0).prints("5 tests, 5 mocks");
    let before = shop.files();
    let without = shop.replay(&["--update", "--yes"], &[]).exits(1);
    without.prints("call DECRBY stock:tea was not recorded: it has no answer").prints("nothing to accept");
    assert!(shop.files() == before);
}

#[test]
fn on_a_terminal_each_difference_is_asked_for() {
    if !has("redis-server") || !has("setsid") {
        return;
    }
    let shop = Shop::record();
    let right = shop.files();
    shop.falsify();
    let dir = shop.dir();
    let words = ["replay", "--update", dir.to_str().unwrap(), "--", REEL, "__demo-app", &shop.app[0], &shop.app[1]];
    let state = reel_tests::process::test_env().join("state");
    let on_terminal = || Terminal::start(&words, &state, PLAIN);

    let mut terminal = on_terminal();
    terminal.wait_for("0001 GET /stock/tea: response body.left\r\n    - 13\r\n    + 12\r\n    accept? ");
    terminal.press("maybe\n");
    terminal.wait_for("    accept? ");
    terminal.press("n\n");
    terminal.wait_for("0005 GET /stock/tea: response body.left\r\n    - 7\r\n    + 10\r\n    accept? ");
    terminal.press("y\n");
    terminal.wait_for("1 of 2 differences accepted");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(1));

    let mut terminal = on_terminal();
    terminal.wait_for("0001 GET /stock/tea: response body.left");
    terminal.wait_for("accept? ");
    // The end of input is no answer: nothing more is accepted.
    terminal.press("\x04");
    terminal.wait_for("nothing accepted");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(1));

    let mut terminal = on_terminal();
    terminal.wait_for("accept? ");
    terminal.press("a\n");
    terminal.wait_for("1 of 1 differences accepted");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
    assert!(shop.files() == right, "the recording is what it was before it was wrong");
}
