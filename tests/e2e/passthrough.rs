//! A rule that passes calls through, on the real kernel: reel itself reaches the dependency that the sandboxed service cannot.

use reel_tests::process::free_port;

use super::network::{client, counter, with_plain};
use super::support::{Ran, folder, has, reel};

#[test]
fn a_call_that_a_rule_passes_through_reaches_the_real_dependency() {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let (dir, rules) = (folder.path().join("recording"), folder.path().join("mine.rr"));
    let dependency = counter(([127, 0, 0, 1], 0));
    let mut record = reel(["record", "--drive", &client(port), "-o"]);
    Ran::of(with_plain(record.arg(&dir), port, dependency)).exits(0);
    let replay = |rule: &str| {
        std::fs::write(&rules, rule).unwrap();
        let mut replay = reel(["replay", "-r"]);
        Ran::of(with_plain(replay.arg(&rules).arg(&dir), port, dependency).env("TIMES", "2"))
    };
    // Twice as many calls as were recorded: only the real one answers both alike.
    replay("mock:redis /command == \"INCR\"/ { passthrough; }\n")
        .exits(0)
        .prints("2 × passthrough where command == \"INCR\"")
        .prints(", in place of 1 recorded call");
    replay("mock:redis /command == \"GET\"/ { passthrough; }\n").exits(1).prints("repeated call  redis-0001");
}
