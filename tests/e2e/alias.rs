//! A dependency that CI reaches elsewhere: recorded at one port, replayed by a service that connects to another.

use std::net::SocketAddr;

use reel_tests::process::free_port;

use super::network::{client, counter, with_plain};
use super::support::{Ran, folder, has, reel};

#[test]
fn an_alias_takes_another_address_for_the_recorded_one() {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let (dir, rules) = (folder.path().join("recording"), folder.path().join("mine.rr"));
    let recorded = counter(([127, 0, 0, 1], 0));
    let name = format!("store={recorded}");
    let mut record = reel(["record", "--name", &name, "--drive", &client(port), "-o"]);
    Ran::of(with_plain(record.arg(&dir), port, recorded)).exits(0);
    Ran::of(reel(["show"]).arg(&dir).arg("1")).exits(0).prints(&format!("to store ({recorded})"));

    // The service tells whom it is connected to, which is what differs.
    std::fs::write(&rules, "match:http:in:response { ignore(body.peer); }\n").unwrap();
    let elsewhere: SocketAddr = format!("127.0.0.77:{}", free_port().unwrap()).parse().unwrap();
    let replay = |alias: &[&str]| {
        let mut replay = reel(["replay", "-r"]);
        Ran::of(with_plain(replay.arg(&rules).args(alias).arg(&dir), port, elsewhere))
    };
    for right in [recorded.to_string(), "store".to_owned()] {
        let alias = format!("{elsewhere}={right}");
        replay(&["--alias", &alias]).exits(0).prints("1 passed, 0 failed").prints(&format!("--alias {alias}"));
    }
    let by_name = format!("localhost:{}=store", elsewhere.port());
    replay(&["--alias", &by_name]).exits(1).prints(&format!("the app connected to nothing that --alias {by_name}"));
    replay(&["--alias", &format!("*:{}=store", elsewhere.port())]).exits(0).prints("1 passed, 0 failed");
    replay(&[]).exits(1).prints(&format!("extra call     INCR hits to {elsewhere}"));
    replay(&["--alias", &format!("{elsewhere}=cache")])
        .exits(2)
        .says("no call to `cache` was recorded")
        .says(&format!("recorded were calls to store ({recorded})"));
}
