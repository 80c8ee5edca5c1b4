//! `reel mock`: dependencies from a recording under the test runners that people have.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use reel_tests::process::{free_port, root};

use super::network::{client, counter, with_plain};
use super::support::{Ran, folder, has, reel};

/// Where the suites are.
const SUITES: &str = "tests/apps/runners";

/// A recording of one hit, and the store that was hit.
struct Recorded {
    folder: tempfile::TempDir,
    store: SocketAddr,
}

impl Recorded {
    fn make(store: SocketAddr) -> Recorded {
        let (folder, port) = (folder(), free_port().unwrap());
        let mut record = reel(["record", "--drive", &client(port), "-o"]);
        Ran::of(with_plain(record.arg(folder.path().join("recording")), port, store)).exits(0);
        Recorded { folder, store }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("recording")
    }

    /// Runs a command with this store mocked.
    fn mock(&self, options: &[&str], command: &[&str], env: &[(&str, &str)]) -> Ran {
        let mut mock = reel(["mock"]);
        mock.args(options).arg(self.dir()).arg("--").args(command).current_dir(root().join(SUITES));
        mock.env("DEPENDENCY", self.store.to_string()).envs(env.iter().copied());
        Ran::of(&mut mock)
    }
}

/// A store that has one hit to give: only a recording can answer after it.
fn one_hit() -> SocketAddr {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 24]).unwrap();
        stream.write_all(b":7\r\n").unwrap();
    });
    address
}

const UNITTEST: [&str; 4] = ["python3", "-m", "unittest", "test_hits"];

#[test]
fn the_suites_of_three_runners_pass_without_the_dependency() {
    if !has("python3") || !has("node") || !has("go") {
        return;
    }
    let recorded = Recorded::make(one_hit());
    let answered = "1 answered from the recording, 0 missed";
    recorded.mock(&[], &UNITTEST, &[]).exits(0).says(answered).says("Ran 1 test");
    recorded.mock(&[], &["node", "--test", "hits.test.js"], &[]).exits(0).says(answered).prints("# pass 1");
    let go = ["go", "test", "hits_test.go"];
    recorded.mock(&[], &go, &[("GO111MODULE", "off"), ("GOFLAGS", "-count=1")]).exits(0).says(answered).prints("ok");
}

#[test]
fn a_runner_keeps_its_exit_code_unless_a_call_missed() {
    if !has("python3") {
        return;
    }
    let recorded = Recorded::make(one_hit());
    let mock = |command: &str, times: &str| recorded.mock(&[], &["sh", "-c", command], &[("TIMES", times)]);
    mock("exit 3", "1").exits(3).says("0 answered from the recording, 0 missed");
    mock("kill -9 $$", "1").exits(137);
    mock("python3 -m unittest test_hits; exit 0", "1").exits(0);
    mock("python3 -m unittest test_hits; exit 0", "2").exits(1).says("repeated call  redis-0001").says("1 missed");
    recorded
        .mock(&[], &UNITTEST, &[("KEY", "misses")])
        .exits(1)
        .says("extra call     INCR misses to")
        .says("0 answered from the recording, 1 missed");
}

#[test]
fn a_call_that_was_not_recorded_may_go_to_the_real_server() {
    if !has("python3") {
        return;
    }
    let recorded = Recorded::make(counter(([127, 0, 0, 1], 0)));
    recorded
        .mock(&["--on-miss", "pass"], &UNITTEST, &[("TIMES", "3")])
        .exits(0)
        .says(&format!("2 × {}", recorded.store))
        .says("1 answered from the recording, 0 missed");
    // A server that is not in the recording at all.
    let other = counter(([127, 0, 0, 1], 0)).to_string();
    let env = [("DEPENDENCY", other.as_str())];
    recorded.mock(&["--on-miss", "pass"], &UNITTEST, &env).exits(0).says(&format!("1 × {other}"));
    recorded.mock(&[], &UNITTEST, &env).exits(1).says(&format!("to {other}"));
}

#[test]
fn a_rule_lets_an_answer_be_used_again() {
    if !has("python3") {
        return;
    }
    let recorded = Recorded::make(one_hit());
    let rules = recorded.folder.path().join("again.rr");
    std::fs::write(&rules, "mock:redis /command == \"INCR\"/ { cycle; }\n").unwrap();
    recorded
        .mock(&["-r", path(&rules)], &UNITTEST, &[("TIMES", "3")])
        .exits(0)
        .says("2 × cycle where command == \"INCR\"")
        .says("3 answered from the recording, 0 missed");
}

#[test]
fn a_recording_without_calls_answers_nothing() {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let dir = folder.path().join("recording");
    let mut record = reel(["record", "--drive", &client(port), "-o"]);
    Ran::of(with_plain(record.arg(&dir), port, one_hit()).env("TIMES", "0")).exits(0);
    let mut mock = reel(["mock"]);
    Ran::of(mock.arg(&dir).args(["--", "true"])).exits(2).says("has no calls to answer");
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of the tests")
}
