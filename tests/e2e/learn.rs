//! `reel replay --learn`: noise found by measurement, on a service that has every usual kind of it.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use reel_tests::process::{free_port, root};

use super::support::{Ran, folder, has, reel};

const NOISY: &str = "tests/apps/noisy/app.py";
/// How often the service is asked, and replayed.
const TIMES: &str = "6";

/// A store that takes everything.
fn store() -> SocketAddr {
    use std::io::{Read, Write};
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A SET of an order's id, which is a UUID.
            let mut request = [0; 67];
            stream.read_exact(&mut request).unwrap();
            assert!(request.starts_with(b"*3\r\n$3\r\nSET\r\n$5\r\norder\r\n$36\r\n"));
            stream.write_all(b"+OK\r\n").unwrap();
        }
    });
    address
}

fn with_noisy(command: &mut Command, port: u16, store: SocketAddr) -> &mut Command {
    command.args(["--", "python3"]).arg(root().join(NOISY));
    command.env("PORT", port.to_string()).env("DEPENDENCY", store.to_string())
}

#[test]
fn rules_for_what_differs_are_proposed_and_hold_and_nothing_else_passes() {
    if !has("python3") || !has("curl") {
        return;
    }
    let (folder, port, store) = (folder(), free_port().unwrap(), store());
    let (dir, rules) = (folder.path().join("recording"), folder.path().join("noise.rr"));
    let drive =
        format!("for i in $(seq {TIMES}); do curl -sf -o /dev/null http://127.0.0.1:{port}/orders/$i || exit 1; done");
    let mut record = reel(["record", "--drive", &drive, "-o"]);
    Ran::of(with_noisy(record.arg(&dir), port, store)).exits(0).says("recorded 6 tests and 6 calls");
    let mut replay = reel(["replay"]);
    Ran::of(with_noisy(replay.arg(&dir), port, store)).exits(1);

    let mut learn = reel(["replay", "--learn", TIMES, "--learned"]);
    let ran = Ran::of(with_noisy(learn.arg(&rules).arg(&dir), port, store)).exits(0);
    let text = std::fs::read_to_string(&rules).unwrap();
    for rule in [
        "match:http:in:response /method == \"GET\" && route(path) == \"/orders/:id\"/ {",
        "match:redis:out:request /command == \"SET\"/ {",
        "    like(args[1], uuid);",
        "    like(body.id, uuid);",
        "    like(body.made_at, epoch_us);",
        "    like(body.items[*].ref, hex);",
        "    unordered(body.tags);",
        "    optional(body.hint);",
        "    within(body.elapsed_ms, ",
        "(s) = s =~ \"^ORD-[0-9]{8}$\";",
        "    like(body.number, learned_number_",
        "; the value of args[*] in match:redis:out:request command == \"SET\"",
        "tests in 6 replays, all in `uuid`: recorded ",
    ] {
        assert!(text.contains(rule), "{rule} is not in:\n{text}\n{}{}", ran.out, ran.err);
    }
    assert!(!text.contains("ignore("), "{text}");
    Ran::of(reel(["fmt", "--check"]).arg(&rules)).exits(0);
    Ran::of(reel(["check"]).arg(&rules)).exits(0);
    ran.prints("with it every test passes");

    let replay = |total: &str| {
        let mut replay = reel(["replay", "-r"]);
        Ran::of(with_noisy(replay.arg(&rules).arg(&dir), port, store).env("TOTAL", total))
    };
    replay("12").exits(0).prints("6 passed, 0 failed");
    replay("13").exits(1).prints("body.total: it changed").prints("0 passed, 6 failed");

    // What is there is not written over, and a change is no noise.
    let mut again = reel(["replay", "--learn", "2", "--learned"]);
    Ran::of(with_noisy(again.arg(&rules).arg(&dir), port, store)).exits(2).says("exists already");
    let other = folder.path().join("other.rr");
    let mut changed = reel(["replay", "--learn", "2", "-r"]);
    let changed = changed.arg(&rules).arg("--learned").arg(&other).arg(&dir);
    let ran = Ran::of(with_noisy(changed, port, store).env("TOTAL", "13")).exits(1);
    ran.prints("body.total of match:http:in:response").prints("so a change and no noise");
}
