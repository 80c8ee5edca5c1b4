//! Recordings as files: the same traffic gives the same files, and their size costs no memory.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use reel_tests::large;
use reel_tests::process::{free_port, test_env};
use reel_tests::redis::Redis;

use super::shop::check_complete;
use super::support::{REEL, RELAY, Ran, folder, has, reel};

/// Every file of a folder, by its path within.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Makes the store what it was before.
pub fn fill(store: &Redis) {
    let mut stream = TcpStream::connect(("127.0.0.1", store.port)).unwrap();
    stream.write_all(b"FLUSHALL\r\nSET stock:tea 12\r\nQUIT\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert_eq!(said, "+OK\r\n+OK\r\n+OK\r\n");
}

#[test]
fn two_recordings_of_the_same_traffic_differ_only_in_their_times() {
    if !has("redis-server") {
        return;
    }
    let (folder, port, store) = (folder(), free_port().unwrap().to_string(), Redis::start().unwrap());
    let record = |name: &str| {
        fill(&store);
        let dir = folder.path().join(name);
        let drive = format!("{REEL} __demo-client {port}");
        let mut command = reel(["record", "--drive", &drive, "-o"]);
        command.arg(&dir).args(["--", REEL, "__demo-app", &port, &store.port.to_string()]);
        Ran::of(&mut command).exits(0).says("recorded 5 tests and 6 calls");
        files(&dir)
    };
    let (first, second) = (record("first"), record("second"));
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    let differing: Vec<_> =
        first.iter().filter(|(path, bytes)| second[*path] != **bytes).map(|(path, _)| path).collect();
    // What is derived holds the times of files.
    assert_eq!(differing, [Path::new(".index"), Path::new("timing.yaml")]);
    let of = |name: &str| folder.path().join(name);
    Ran::of(reel(["diff"]).args([of("first"), of("second")])).exits(0).prints("5 tests the same, 0 differ");
}

#[test]
fn a_comparison_tells_what_a_service_does_otherwise() {
    if !has("redis-server") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap().to_string());
    // Each has a store of its own, on a port of its own.
    let record = |name: &str, bug: &[&str]| {
        let store = Redis::start().unwrap();
        fill(&store);
        let drive = format!("{REEL} __demo-client {port}");
        let mut command = reel(["record", "--drive", &drive, "-o"]);
        command.arg(folder.path().join(name)).args(["--", REEL, "__demo-app", &port, &store.port.to_string()]);
        Ran::of(command.args(bug)).exits(0);
        store.port
    };
    let (was, is) = (record("right", &[]), record("wrong", &["--bug"]));
    let mut diff = reel(["diff"]);
    diff.args([folder.path().join("right"), folder.path().join("wrong")]);
    let ran = Ran::of(&mut diff).exits(1);
    let says = [
        "~ 0002  POST /orders/1001\n    call - redis-0002  DECRBY stock:tea  10\n",
        "    the response differs\n      body.left: it changed\n        - 10\n        + 12\n",
        "3 tests the same, 2 differ, 0 only in",
    ];
    for text in says {
        assert!(ran.out.contains(text), "{text}\n{}", ran.out);
    }
    ran.prints(&format!("the server at 127.0.0.1:{was} is at 127.0.0.1:{is}"));
    Ran::of(&mut reel(["diff", "nothing", "nowhere"])).exits(2);
}

#[test]
fn a_recording_replays_without_what_git_does_not_keep() {
    if !has("redis-server") {
        return;
    }
    let (folder, port, store) = (folder(), free_port().unwrap().to_string(), Redis::start().unwrap());
    fill(&store);
    let dir = folder.path().join("recording");
    let app = ["--", REEL, "__demo-app", &port, &store.port.to_string()];
    let mut command = reel(["record", "--drive", &format!("{REEL} __demo-client {port}"), "-o"]);
    Ran::of(command.arg(&dir).args(app)).exits(0);
    // A clone has new times, and neither what is derived nor empty folders.
    let clone = folder.path().join("clone");
    for (path, bytes) in files(&dir).into_iter().filter(|(path, _)| !path.starts_with(".index")) {
        let to = clone.join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    fs::remove_file(clone.join(".gitignore")).unwrap();
    Ran::of(reel(["replay"]).arg(&clone).args(app)).exits(0).prints("\n5 passed, 0 failed\n");
    assert!(clone.join(".index").exists(), "the index was not made anew");
    Ran::of(reel(["replay"]).arg(&clone).args(app)).exits(0).prints("\n5 passed, 0 failed\n");
}

#[test]
fn what_cannot_be_sent_after_its_redaction_is_named_and_left_out() {
    if !has("redis-server") {
        return;
    }
    let (folder, port, store) = (folder(), free_port().unwrap().to_string(), Redis::start().unwrap());
    fill(&store);
    let (dir, rules) = (folder.path().join("recording"), folder.path().join("rules.rr"));
    fs::write(&rules, "capture:http /method == \"POST\"/ { redact(version); }\n").unwrap();
    let mut command = reel(["record", "--drive", &format!("{REEL} __demo-client {port}"), "-r"]);
    command.arg(&rules).arg("-o").arg(&dir).args(["--", REEL, "__demo-app", &port, &store.port.to_string()]);
    Ran::of(&mut command).exits(4).says("left out of the recording").says("version");
    fs::remove_file(dir.join(".index")).unwrap();
    Ran::of(reel(["show"]).arg(&dir)).exits(0);
}

#[test]
fn an_address_has_one_name_and_is_called() {
    if !has("redis-server") {
        return;
    }
    let (folder, port, store) = (folder(), free_port().unwrap().to_string(), Redis::start().unwrap());
    fill(&store);
    let addr = format!("127.0.0.1:{}", store.port);
    let record = |names: [&str; 2]| {
        let mut command = reel(["record", "--drive", &format!("{REEL} __demo-client {port}"), "--name", names[0]]);
        command.args(["--name", names[1], "-o"]).arg(folder.path().join("recording"));
        Ran::of(command.args(["--", REEL, "__demo-app", &port, &store.port.to_string()]))
    };
    let (a, b) = (format!("a={addr}"), format!("b={addr}"));
    record([&a, &b]).exits(2).says(&format!("--name gives {addr} two names, `a` and `b`"));
    let ran = record([&a, "other=127.0.0.1:9"]).exits(0);
    let ran = ran.says("warning: --name other=127.0.0.1:9: nothing called that address");
    assert!(!ran.err.contains("--name a="), "{}", ran.err);
}

/// reel is stopped while more goes out than its ring holds.
#[test]
fn what_the_ring_has_no_room_for_makes_the_recording_incomplete() {
    let python = test_env().join("venv/bin/python");
    if !has(&python) || !has("curl") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap().to_string());
    fs::write(folder.path().join("page"), "a line of a long page\n".repeat(300_000)).unwrap();
    let drive = format!("kill -STOP $PPID; curl -sfo /dev/null http://127.0.0.1:{port}/page; kill -CONT $PPID");
    let record = |ring_mib: &str| {
        let mut command = reel(["record", "--force", "--ring-mib", ring_mib, "--drive", &drive, "-o"]);
        command.arg(folder.path().join("recording")).arg("--").arg(&python);
        command.args(["-m", "http.server", "-b", "127.0.0.1", &port, "-d"]).arg(folder.path());
        Ran::of(&mut command)
    };
    record("2").exits(4).says("\n  dropped events: ").says("give it more room with --ring-mib");
    check_complete(&record("16").exits(0).err, 1);
}

/// How much more memory a replay of a large recording may take than that of a small one: what is kept of calls is limited to 32 MiB.
const MORE_AT_MOST_LEN_BYTES: u64 = 64 << 20;

/// Replays a recording of so many tests and gives the most memory that it took, and the size of the recording.
fn replayed(tests: u32, body_len_bytes: usize) -> (u64, u64) {
    let (folder, port, store_port) = (folder(), free_port().unwrap(), free_port().unwrap());
    let dir = folder.path().join("recording");
    large::record(&dir, port, store_port, tests, body_len_bytes).unwrap();
    let size = files(&dir).values().map(|bytes| bytes.len() as u64).sum();
    let mut command = reel(["replay"]);
    command.arg(&dir).args(["--", RELAY, &port.to_string(), &store_port.to_string()]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let took = large::cost(&mut child).unwrap();
    let mut report = String::new();
    child.stdout.take().unwrap().read_to_string(&mut report).unwrap();
    assert!(took.status.success() && report.contains(&format!("\n{tests} passed, 0 failed\n")), "{took:?}: {report}");
    (took.peak_len_bytes, size)
}

#[test]
fn a_recording_larger_than_the_limit_replays_in_bounded_memory() {
    let (small, _) = replayed(2, 1 << 20);
    let (large, size) = replayed(200, 1 << 20);
    assert!(size > 3 * MORE_AT_MOST_LEN_BYTES, "the recording has {size} bytes");
    assert!(large < small + MORE_AT_MOST_LEN_BYTES, "{size} bytes took {large} bytes, a small recording {small}");
}

#[test]
fn a_recording_that_grows_beyond_its_limit_ends_and_says_so() {
    if !has("redis-server") || !has("python3") {
        return;
    }
    let (folder, port, store) = (folder(), free_port().unwrap(), Redis::start().unwrap());
    let page = "x".repeat(200_000);
    let mut stream = TcpStream::connect(("127.0.0.1", store.port)).unwrap();
    write!(stream, "*3\r\n$3\r\nSET\r\n$5\r\n/page\r\n${}\r\n{page}\r\n", page.len()).unwrap();
    stream.read_exact(&mut [0; 5]).unwrap();
    let ask = format!("urllib.request.urlopen(\"http://127.0.0.1:{port}/page\").read()");
    let drive = format!("python3 -c 'import urllib.request\nwhile True: {ask}' 2>/dev/null");
    let mut command = reel(["record", "--memory-mib", "3", "--drive", &drive, "-o"]);
    command.arg(folder.path().join("recording")).args(["--", RELAY, &port.to_string(), &store.port.to_string()]);
    let ran = Ran::of(&mut command).exits(4);
    let ran = ran.says("what it holds in memory has reached 3 MiB").says("--memory-mib");
    // A page is in the call and in the response: eight such pairs are more than 3 MiB.
    let tests: usize = ran.err.split("recorded ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((7..100).contains(&tests), "{}", ran.err);
}
