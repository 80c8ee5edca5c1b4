//! Whole replays against an app in this process: a thread that listens, and calls a Redis that is not there.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reel_lang::schema::{Direction, Side};

use super::*;
use crate::exit::{Exit, Failure};
use crate::flow::{Flow, Spot};
use crate::mock::server::Resolver;
use crate::recording::testing::{Maker, exchange, resp};
use crate::recording::{Attribution, CallId, Ending, Owner};
use crate::rules::testing::{HandRules, origin, relaxations};
use crate::rules::{NoRules, Rules, Unmet};

/// What an app does for `GET /N`: commands to Redis, and the response's body.
type Behaviour = fn(u32) -> (Vec<&'static str>, &'static str);

/// An app as a thread; every connection that it makes goes to the mock, which is told that Redis was meant.
struct Threaded {
    behaviour: Behaviour,
    stop: Arc<AtomicBool>,
    at: Option<SocketAddr>,
    ended: Option<Ended>,
    refuses: bool,
}

impl Threaded {
    fn new(behaviour: Behaviour) -> Self {
        Threaded { behaviour, stop: Arc::default(), at: None, ended: None, refuses: false }
    }
}

impl AppHost for Threaded {
    fn resolver(&mut self) -> Resolver {
        Box::new(|_| Some(([127, 0, 0, 1], 6379).into()))
    }

    fn start(&mut self, mock: &[SocketAddr], wanted: &[u16], _: Duration) -> Result<Vec<SocketAddr>, Failure> {
        if self.refuses {
            return Err(Failure::new(Exit::App, "the app did not listen"));
        }
        assert_eq!(wanted, [8080]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        self.at = Some(at);
        let (behaviour, stop, redis) = (self.behaviour, self.stop.clone(), mock[0]);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                serve(client.unwrap(), redis, behaviour);
            }
        });
        Ok(vec![at])
    }

    fn ended(&mut self, _: Duration) -> Option<Ended> {
        self.ended.clone()
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(at) = self.at {
            let _ = TcpStream::connect(at);
        }
    }
}

fn serve(mut client: TcpStream, redis: SocketAddr, behaviour: Behaviour) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let number = line.trim_start_matches("GET /").split(' ').next().unwrap().parse().unwrap();
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    let (commands, body) = behaviour(number);
    match body {
        "hang up" => return,
        // The connection stays open, as long as the process lives.
        "hang" => return std::mem::forget(client),
        // Longer than silence is watched where it is what should come.
        "late" => std::thread::sleep(Duration::from_millis(60)),
        _ => {}
    }
    for command in commands {
        let mut redis = TcpStream::connect(redis).unwrap();
        redis.write_all(resp(command).as_bytes()).unwrap();
        redis.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = redis.read_to_end(&mut Vec::new());
    }
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    client.write_all(response.as_bytes()).unwrap();
}

/// Two tests with a call each, certain.
fn recording() -> Maker {
    let mut maker = Maker::default();
    let calls = [maker.redis("SET order:1 new", "+OK\r\n"), maker.redis("SET order:2 new", "+OK\r\n")];
    maker.test(Attribution::Window, &[&calls[0]]);
    maker.test(Attribution::Window, &[&calls[1]]);
    maker
}

/// As recorded.
fn good(number: u32) -> (Vec<&'static str>, &'static str) {
    (vec![["SET order:1 new", "SET order:2 new"][number as usize - 1]], "ok")
}

fn options() -> Options {
    Options { settle_at_most: Duration::from_millis(30), test_at_most: Duration::from_secs(5), ..Options::default() }
}

fn run_with(recording: &Maker, host: &mut dyn AppHost, rules: Arc<dyn Rules>) -> Result<Run, Failure> {
    run_as(recording, host, rules, &options())
}

/// Replays from the disk.
fn run_as(recording: &Maker, host: &mut dyn AppHost, rules: Arc<dyn Rules>, options: &Options) -> Result<Run, Failure> {
    let temp = tempfile::tempdir().unwrap();
    replay(&recording.write(&temp.path().join("r")), &[], rules, options, host, &mut ())
}

fn run(behaviour: Behaviour) -> Run {
    run_with(&recording(), &mut Threaded::new(behaviour), Arc::new(NoRules)).unwrap()
}

/// The tests that failed, each with what was wrong.
fn failures(run: &Run) -> Vec<String> {
    let failed = run.tests.iter().filter(|test| !test.is_passed());
    failed
        .map(|test| {
            let effects = &test.effects;
            let mut wrong = match &test.reply {
                Reply::Compared(differences) => differences.iter().map(|d| format!("{} {}", d.path, d.why)).collect(),
                Reply::Failed(reason) | Reply::NotRun(reason) => vec![reason.clone()],
            };
            wrong.extend(test.unmet.iter().map(|unmet| unmet.why.clone()));
            wrong.extend(effects.missing.iter().map(|missing| format!("missing {}", missing.mock)));
            wrong.extend(effects.misses.iter().map(|miss| format!("extra {}", miss.title)));
            wrong.extend(effects.repeated.iter().map(|repeated| format!("repeated {}", repeated.mock)));
            wrong.extend(effects.changed.iter().map(|c| format!("changed {} {}", c.mock, c.differences[0].path)));
            format!("{}: {}", test.id, wrong.join("; "))
        })
        .collect()
}

#[test]
fn an_app_that_does_as_recorded_passes_every_time() {
    for _ in 0..10 {
        let run = run(good);
        assert_eq!(failures(&run), [""; 0]);
        assert_eq!((run.passed(), run.exit()), (2, Exit::Passed));
    }
}

#[test]
fn one_line_changed_fails_exactly_the_tests_concerned() {
    fn field(n: u32) -> (Vec<&'static str>, &'static str) {
        (good(n).0, if n == 2 { "no" } else { "ok" })
    }
    fn key(n: u32) -> (Vec<&'static str>, &'static str) {
        (if n == 2 { vec!["SET orders:2 new"] } else { good(n).0 }, "ok")
    }
    fn added(n: u32) -> (Vec<&'static str>, &'static str) {
        (if n == 1 { vec!["SET order:1 new", "PUBLISH x y"] } else { good(n).0 }, "ok")
    }
    fn dropped(n: u32) -> (Vec<&'static str>, &'static str) {
        (if n == 1 { vec![] } else { good(n).0 }, "ok")
    }
    fn twice(n: u32) -> (Vec<&'static str>, &'static str) {
        (if n == 1 { vec!["SET order:1 new", "SET order:1 new"] } else { good(n).0 }, "ok")
    }
    fn silent(n: u32) -> (Vec<&'static str>, &'static str) {
        (good(n).0, if n == 1 { "hang up" } else { "ok" })
    }
    let cases: [(Behaviour, &str); 6] = [
        (field, "0002: body it changed"),
        (key, "0002: changed redis-0002 args[0]"),
        (added, "0001: extra PUBLISH"),
        (dropped, "0001: missing redis-0001"),
        (twice, "0001: repeated redis-0001"),
        (silent, "0001: the app closed the connection without a response; missing redis-0001"),
    ];
    for (behaviour, expect) in cases {
        let run = run(behaviour);
        assert_eq!(failures(&run), [expect]);
        assert_eq!(run.exit(), Exit::TestFailed);
    }
}

#[test]
fn a_request_without_a_response_is_held_against_how_it_ended() {
    let told = "recorded was an end of the connection without a response";
    let (answered, open) =
        (format!("0001: the app answered 200; {told}"), format!("0001: the connection is still open; {told}"));
    let unknown = "0001: the recording has no response to this request, and not that the app closed the connection: \
                   nothing can be compared; record it again, and let it be answered";
    let raw = format!("0001: the app answered HTTP/1.1 200 OK  Content-Length: 4    late; {told}");
    let request = "GET /1 HTTP/1.1\r\n\r\n";
    let cases: [(&str, Option<Ending>, Behaviour, &str); 9] = [
        ("http", Some(Ending::Closed), |_| (vec![], "hang up"), ""),
        ("http", Some(Ending::Closed), |_| (vec![], "late"), &answered),
        ("http", Some(Ending::Closed), |_| (vec![], "hang"), &open),
        // Nobody knows what should come.
        ("http", None, |_| (vec![], "hang up"), unknown),
        ("http", None, |_| (vec![], "late"), unknown),
        ("http", None, |_| (vec![], "hang"), unknown),
        // The client has said all.
        ("tcp", None, |_| (vec![], "hang up"), ""),
        ("tcp", None, |_| (vec![], "late"), &raw),
        ("tcp", None, |_| (vec![], "hang"), &open),
    ];
    let patient = Options { test_at_most: Duration::from_secs(1), ..options() };
    for (protocol, ending, behaviour, expect) in cases {
        let mut maker = Maker::default();
        maker.test(Attribution::Window, &[]);
        maker.tests[0].exchange = exchange(protocol, Direction::In, 8080, request, "");
        maker.tests[0].exchange.ending = ending;
        let run = run_as(&maker, &mut Threaded::new(behaviour), Arc::new(NoRules), &patient).unwrap();
        assert_eq!(failures(&run).join("\n"), expect, "{protocol} {ending:?}");
    }
}

#[test]
fn rules_relax_a_response_and_require_of_it() {
    fn other(n: u32) -> (Vec<&'static str>, &'static str) {
        (good(n).0, "id")
    }
    let schema = reel_protocols::by_name("http").unwrap().schema();
    let ignore = relaxations(schema, Side::Response, "ignore body\nignore header.nothing");
    let rules = || HandRules {
        relaxations: ignore.iter().map(|rule| (Direction::In, rule.clone())).collect(),
        ..HandRules::default()
    };
    let run = run_with(&recording(), &mut Threaded::new(other), Arc::new(rules())).unwrap();
    assert_eq!(failures(&run), [""; 0]);
    assert_eq!(
        run.relaxed.iter().map(|used| (&*used.origin.text, used.relaxed)).collect::<Vec<_>>(),
        [("ignore body", 2)]
    );
    assert_eq!(run.unmatched.iter().map(|origin| &*origin.text).collect::<Vec<_>>(), ["ignore header.nothing"]);
    let unmet = |side, _: &crate::rules::View<'_>| {
        let wanted = (side == Side::Response).then(|| Unmet { why: "a total".into(), origin: origin("require") });
        wanted.into_iter().collect()
    };
    let strict = HandRules { unmet: Some(Box::new(unmet)), ..rules() };
    let run = run_with(&recording(), &mut Threaded::new(other), Arc::new(strict)).unwrap();
    assert_eq!(failures(&run), ["0001: a total", "0002: a total"]);
}

#[test]
fn candidates_fail_at_the_level_of_the_set() {
    fn fewer(n: u32) -> (Vec<&'static str>, &'static str) {
        (if n == 2 { vec!["SET order:2 new"] } else { vec![] }, "ok")
    }
    let mut recording = recording();
    let all: Vec<_> = recording.tests.iter().flat_map(|test| test.effects.clone()).collect();
    for test in &mut recording.tests {
        test.effects = all.clone();
        test.effects.iter_mut().for_each(|effect| effect.attribution = Attribution::Candidate);
    }
    let run = |behaviour| run_with(&recording, &mut Threaded::new(behaviour), Arc::new(NoRules)).unwrap();
    assert_eq!(run(good).exit(), Exit::Passed);
    let run = run(fewer);
    assert_eq!(failures(&run), [""; 0]);
    assert_eq!(run.left_over.iter().map(|left| left.mock.to_string()).collect::<Vec<_>>(), ["redis-0001"]);
    assert_eq!(run.exit(), Exit::TestFailed);
}

#[test]
fn nothing_to_run_and_an_app_that_ends_are_failures() {
    let empty = Maker::default();
    let error = run_with(&empty, &mut Threaded::new(good), Arc::new(NoRules)).err().unwrap();
    assert_eq!(error.exit, Exit::Usage);
    let none = Options { only: Some("nowhere".into()), ..options() };
    let error = run_as(&recording(), &mut Threaded::new(good), Arc::new(NoRules), &none).err().unwrap();
    assert_eq!(error.exit, Exit::Usage);
    assert!(error.message.contains("no test matches `nowhere`: none of 2"), "{error}");
    let mut deaf = Threaded { refuses: true, ..Threaded::new(good) };
    assert_eq!(run_with(&recording(), &mut deaf, Arc::new(NoRules)).err().unwrap().exit, Exit::App);
    let mut mortal = Threaded { ended: Some(Ended::Exited(ExitStatus::from_raw(3 << 8))), ..Threaded::new(good) };
    let run = run_with(&recording(), &mut mortal, Arc::new(NoRules)).unwrap();
    assert_eq!(failures(&run), ["0002: the app ended (exit status: 3)"]);
    assert_eq!(run.exit(), Exit::App);
}

#[test]
fn an_app_may_end_after_its_last_response_but_not_crash() {
    let one = Options { only: Some("/2".into()), ..options() };
    for (ended, expect) in [
        (Ended::Exited(ExitStatus::from_raw(0)), Exit::Passed),
        (Ended::Exited(ExitStatus::from_raw(3 << 8)), Exit::App),
        (Ended::Exited(ExitStatus::from_raw(11)), Exit::App),
        (Ended::Interrupted, Exit::Interrupted),
    ] {
        let mut host = Threaded { ended: Some(ended.clone()), ..Threaded::new(good) };
        let run = run_as(&recording(), &mut host, Arc::new(NoRules), &one).unwrap();
        assert_eq!(failures(&run), [""; 0], "{ended}");
        assert_eq!(run.exit(), expect, "{ended}");
    }
}

#[test]
fn one_of_several_tests_runs_alone() {
    let one = Options { only: Some("/2".into()), ..options() };
    let run = run_as(&recording(), &mut Threaded::new(good), Arc::new(NoRules), &one).unwrap();
    assert_eq!(run.tests.iter().map(|test| test.title.as_str()).collect::<Vec<_>>(), ["GET /2"]);
    assert_eq!(run.exit(), Exit::Passed);
}

#[test]
fn a_response_that_never_comes_is_waited_for_no_longer_than_said() {
    let mut recording = recording();
    recording.tests.truncate(1);
    // Nobody accepts here, so the kernel takes the connection and nothing answers.
    struct Deaf(TcpListener);
    impl AppHost for Deaf {
        fn resolver(&mut self) -> Resolver {
            Box::new(|_| None)
        }
        fn start(&mut self, _: &[SocketAddr], _: &[u16], _: Duration) -> Result<Vec<SocketAddr>, Failure> {
            Ok(vec![self.0.local_addr().unwrap()])
        }
        fn ended(&mut self, _: Duration) -> Option<Ended> {
            None
        }
        fn stop(&mut self) {}
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    recording.tests[0].exchange.destination.addr = listener.local_addr().unwrap();
    let short = Options { test_at_most: Duration::from_millis(50), ..options() };
    let began = Instant::now();
    let run = run_as(&recording, &mut Deaf(listener), Arc::new(NoRules), &short).unwrap();
    assert!(began.elapsed() < Duration::from_secs(4));
    assert_eq!(failures(&run), ["0001: no response came in time; missing redis-0001"]);
}

#[test]
fn a_recording_that_is_damaged_meanwhile_ends_the_run_with_its_place() {
    for file in ["mocks/redis-0001.yaml", "tests/0002-get-2.yaml"] {
        for change in ["new", "shorter", "gone"] {
            let temp = tempfile::tempdir().unwrap();
            let recording = recording().write(&temp.path().join("r"));
            let path = recording.dir.join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            match change {
                "new" => std::fs::write(&path, text.replace('e', "3")).unwrap(),
                "shorter" => std::fs::write(&path, &text[..20]).unwrap(),
                _ => std::fs::remove_file(&path).unwrap(),
            }
            let mut host = Threaded::new(good);
            let error = replay(&recording, &[], Arc::new(NoRules), &options(), &mut host, &mut ()).err().unwrap();
            assert_eq!(error.exit, Exit::Recording, "{error}");
            assert!(error.message.starts_with(&format!("{}:1: the file changed", path.display())), "{error}");
        }
    }
}

#[test]
fn a_value_that_the_app_gave_in_a_call_is_sent_and_one_that_it_did_not_fails_by_name() {
    const A: &str = "id-6fa459ea-ee8a-3ca4-894e-db77e160355e";
    fn gives(n: u32) -> (Vec<&'static str>, &'static str) {
        (if n == 1 { vec!["SET id-0b54bb52-1d4e-4f7d-9c3f-0123456789ab new"] } else { vec![] }, "ok")
    }
    fn does_not(_: u32) -> (Vec<&'static str>, &'static str) {
        (vec![], "ok")
    }
    let mut maker = Maker::default();
    let call = maker.redis(&format!("SET {A} new"), "+OK\r\n");
    maker.test(Attribution::Window, &[&call]);
    maker.test(Attribution::Window, &[]);
    let request = format!("GET /2 HTTP/1.1\r\nHost: a\r\nX-Key: {A}\r\n\r\n");
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    maker.tests[1].exchange = exchange("http", Direction::In, 8080, &request, response);
    let spot = |place: &str| Spot { place: place.into(), part: None };
    let from = Owner::Mock(CallId::of(&call).unwrap());
    let flow = Flow { to: spot("header[\"x-key\"]"), from, at: spot("args[0]"), latest_of: 1, plain: None };
    maker.tests[1].flows = vec![flow.clone()];
    let schema = reel_protocols::by_name("redis").unwrap().schema();
    let like = || {
        let like = relaxations(schema, Side::Request, "like args[0]").remove(0);
        Arc::new(HandRules { relaxations: vec![(Direction::Out, like)], ..HandRules::default() })
    };
    let run = run_with(&maker, &mut Threaded::new(gives), like()).unwrap();
    assert_eq!(failures(&run), [""; 0]);
    assert_eq!(run.flowed, [("args[0] of call redis-0001 into header[\"x-key\"]".to_owned(), 1)]);
    let run = run_with(&maker, &mut Threaded::new(does_not), like()).unwrap();
    let reason = "the value of header[\"x-key\"] came from call redis-0001's args[0], which was not made in this replay, or did not have it";
    assert_eq!(failures(&run), ["0001: missing redis-0001".to_owned(), format!("0002: {reason}")]);
    // A flow into a place that the request does not have is a fault of its file.
    maker.tests[1].flows = vec![Flow { to: spot("header.gone"), ..flow }];
    let run = run_with(&maker, &mut Threaded::new(gives), like()).unwrap();
    assert_eq!(failures(&run), ["0002: the recorded request has no header.gone: mend `flows` in this test's file"]);
}
