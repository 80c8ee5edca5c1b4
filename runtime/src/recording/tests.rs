//! Recordings written and read back, damaged at every place, and replaced in one step.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use reel_lang::schema::{Direction, Side};
use reel_lang::value::Value;
use reel_protocols::Message;

use super::*;
use crate::exit::Exit;

fn message(side: Side, data: &[u8]) -> Message {
    let schema = reel_protocols::by_name("tcp").unwrap().schema();
    let mut message = Message::new(schema, side);
    message.put(schema.field(side, "data").unwrap().id, Value::text(data));
    message.wire_len = data.len() as u64;
    message
}

fn exchange(direction: Direction, port: u16, request: &[u8], response: &[u8]) -> Exchange {
    Exchange {
        protocol: "tcp".into(),
        direction,
        destination: Destination { addr: ([127, 0, 0, 1], port).into(), host: None },
        request: Some(message(Side::Request, request)),
        interim: Vec::new(),
        response: Some(message(Side::Response, response)),
        ending: None,
    }
}

fn about() -> About {
    About {
        tool: "0.1.0".into(),
        command: vec!["./server".into(), "8080".into()],
        clock: "real".into(),
        ..About::default()
    }
}

/// A finished recording of two tests and 1,002 mocks, more than a file holds.
fn record(dir: &Path) -> PathBuf {
    record_mocks(dir, 1001)
}

fn record_mocks(dir: &Path, count: u32) -> PathBuf {
    let mut writer = Writer::create(dir, about()).unwrap();
    let at = Circumstance {
        at_ns: 7,
        latency_ns: Some(5),
        pid: 1,
        tid: 2,
        comm: "app: x".into(),
        peer: None,
        connection: 3,
    };
    let greeting = Exchange { request: None, ..exchange(Direction::Out, 5432, b"", b"\x00\xff hello") };
    let first =
        writer.add_mock(Scope::Startup, Some(Cue::Connect), greeting, vec!["hello".into()], at.clone()).unwrap();
    let mut mocks = vec![first];
    for n in 0..count {
        let call = exchange(Direction::Out, 6379, format!("get {n}\n").as_bytes(), b"yes");
        mocks.push(writer.add_mock(Scope::Test, None, call, Vec::new(), at.clone()).unwrap());
    }
    let large = Exchange { ending: Some(Ending::Closed), ..exchange(Direction::In, 8080, b"hi", &[0xff; 5000]) };
    let certain = EffectRef { mock: mocks[1].clone(), attribution: Attribution::Window };
    let candidate = EffectRef { mock: mocks[2].clone(), attribution: Attribution::Candidate };
    writer.add_test(large, vec![certain, candidate.clone()], vec!["slow".into()], at.clone()).unwrap();
    writer.add_test(exchange(Direction::In, 8080, b"a\nb\n", b"12:30"), vec![candidate], vec![], at).unwrap();
    writer.finish(Closing::default()).unwrap()
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    // What is derived is nobody's.
    found.retain(|(path, _)| path != Path::new(layout::INDEX) && path != Path::new(layout::GITIGNORE));
    found.sort();
    found
}

#[test]
fn what_was_recorded_is_read() {
    let temp = tempfile::tempdir().unwrap();
    let dir = record(&temp.path().join("r"));
    let recording = Recording::open(&dir).unwrap();
    assert_eq!(recording.about, about());
    assert_eq!(recording.mocks().len(), 1002);
    let mock = |at: usize| recording.mock(&recording.mocks()[at]).unwrap();
    assert_eq!(mock(0).cue, Some(Cue::Connect));
    assert_eq!(mock(0).scope, Scope::Startup);
    assert_eq!(mock(0).exchange.request, None);
    assert_eq!(mock(0).exchange.response, Some(message(Side::Response, b"\x00\xff hello")));
    assert_eq!(mock(1001).exchange, exchange(Direction::Out, 6379, b"get 1000\n", b"yes"));
    let test = recording.test(&recording.tests()[0]).unwrap();
    assert_eq!(test.exchange.response, Some(message(Side::Response, &[0xff; 5000])));
    assert_eq!((test.slug.as_str(), test.exchange.ending, test.tags.len()), ("hi", Some(Ending::Closed), 1));
    assert_eq!(test.effects[1].attribution, Attribution::Candidate);
    assert_eq!(recording.timing(Owner::Test(test.id)).unwrap().comm, "app: x");
    assert_eq!(recording.timing(Owner::Test(TestId(3))), None);
    let call = CallId::of(&test.effects[0].mock).unwrap();
    assert_eq!(recording.find(call).unwrap().id.to_string(), "tcp-0002");
}

#[test]
fn every_file_reads_the_same_with_another_reader() {
    let temp = tempfile::tempdir().unwrap();
    let mut read = 0;
    for (path, bytes) in files(&record(&temp.path().join("r"))) {
        if path.extension().is_some_and(|extension| extension == "yaml") {
            yaml::oracle::assert_read_alike(&String::from_utf8(bytes).unwrap());
            read += 1;
        }
    }
    assert_eq!(read, 6, "the head, two tests, two files of mocks, the timing");
}

#[test]
fn a_message_that_was_cut_says_so_in_its_file() {
    let temp = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&temp.path().join("r"), about()).unwrap();
    let mut call = exchange(Direction::Out, 6379, b"get", b"a long answer");
    cut(reel_protocols::by_name("tcp").unwrap(), call.response.as_mut().unwrap(), 6);
    writer.add_mock(Scope::Startup, None, call.clone(), Vec::new(), Circumstance::default()).unwrap();
    let dir = writer.finish(Closing::default()).unwrap();
    let text = fs::read_to_string(dir.join("mocks/tcp-0001.yaml")).unwrap();
    assert!(text.contains("  data: a long\n  cut_from: 13\n"), "{text}");
    let recording = Recording::open(&dir).unwrap();
    assert_eq!(recording.mock(&recording.mocks()[0]).unwrap().exchange, call);
}

#[test]
fn the_files_are_readable_and_the_same_each_time() {
    let temp = tempfile::tempdir().unwrap();
    let first = files(&record(&temp.path().join("r")));
    let second = files(&record(&temp.path().join("r")));
    assert_eq!(first, second);
    let names: Vec<_> = first.iter().map(|(path, _)| path.to_str().unwrap()).collect();
    assert!(names[0].starts_with("bodies/"), "{names:?}");
    let rest =
        ["mocks/tcp-0001.yaml", "mocks/tcp-0002.yaml", "recording.yaml", "tests/0001-hi.yaml", "tests/0002-a-b.yaml"];
    assert_eq!(names[1..6], rest);
    let text = String::from_utf8(first[5].1.clone()).unwrap();
    let expect = "\
test: 2
protocol: tcp
destination: \"127.0.0.1:8080\"
request:
  data: |
    a
    b
response:
  data: \"12:30\"
effects:
  - candidate: tcp-0003
...
";
    assert_eq!(text, expect);
}

#[test]
fn an_unfinished_recording_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("r");
    let mut writer = Writer::create(&dir, about()).unwrap();
    writer.add_test(exchange(Direction::In, 80, b"x", b"y"), vec![], vec![], Circumstance::default()).unwrap();
    drop(writer);
    let error = Recording::open(&dir).unwrap_err();
    assert!(matches!(error, Error::Incomplete { .. }) && error.exit() == Exit::Recording, "{error}");
    let error = Recording::open(&layout::partial(&dir)).unwrap_err();
    assert!(error.to_string().contains("complete: false"), "{error}");
    // The next recorder takes over.
    record(&dir);
    assert!(!layout::partial(&dir).exists());
    Recording::open(&dir).unwrap();
}

#[test]
fn an_older_recording_stays_until_the_new_one_is_whole() {
    let temp = tempfile::tempdir().unwrap();
    let dir = record(&temp.path().join("r"));
    fs::write(dir.join("notes.md"), "mine").unwrap();
    let mut writer = Writer::create(&dir, about()).unwrap();
    assert_eq!(Recording::open(&dir).unwrap().tests().len(), 2);
    assert!(matches!(Writer::create(&dir, about()), Err(Error::Occupied { .. })), "two recorders at once");
    writer.add_test(exchange(Direction::In, 80, b"x", b"y"), vec![], vec![], Circumstance::default()).unwrap();
    writer.finish(Closing::default()).unwrap();
    assert_eq!(Recording::open(&dir).unwrap().tests().len(), 1);
    assert_eq!(fs::read_to_string(dir.join("notes.md")).unwrap(), "mine");
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("thesis.tex"), "x").unwrap();
    assert!(matches!(Writer::create(temp.path(), about()), Err(Error::Occupied { .. })));
    assert!(matches!(Recording::open(temp.path()), Err(Error::NotARecording { .. })));
    assert!(matches!(Recording::open(&temp.path().join("none")), Err(Error::NotARecording { .. })));
}

#[test]
fn losses_make_a_recording_incomplete() {
    let temp = tempfile::tempdir().unwrap();
    let writer = Writer::create(&temp.path().join("r"), about()).unwrap();
    let losses = Losses { undecoded_bytes: 3, ..Losses::default() };
    let dir = writer.finish(Closing { losses, ..Closing::default() }).unwrap();
    let error = Recording::open(&dir).unwrap_err();
    assert!(error.to_string().contains("3 undecoded bytes"), "{error}");
}

/// Each damage, and what the message must contain.
#[test]
fn damage_is_said_with_file_and_line() {
    let temp = tempfile::tempdir().unwrap();
    let dir = record(&temp.path().join("r"));
    let body = fs::read_dir(dir.join("bodies")).unwrap().next().unwrap().unwrap().file_name();
    let body = format!("bodies/{}", body.to_str().unwrap());
    for (file, from, to, expect) in [
        ("recording.yaml", "format: 1", "format: 2", "format version 2 is newer than 1"),
        ("recording.yaml", "format: 1", "format: 0", "recording.yaml:1: there is no format version 0"),
        ("recording.yaml", "clock: real", "clocks: real", "lacks `clock`"),
        ("recording.yaml", "mocks: 1002", "mocks: 1003", "1003 mocks were recorded, 2 and 1002 are here"),
        ("tests/0002-a-b.yaml", "tcp-0003", "tcp-9999", "0002-a-b.yaml:1: the effect tcp-9999 is not"),
        ("tests/0002-a-b.yaml", "  data: |", "  date: |", "yaml:5: a request of tcp has no field `date`"),
        ("tests/0002-a-b.yaml", "test: 2", "test: 1", "the test 0001 is here twice"),
        ("tests/0002-a-b.yaml", "127.0.0.1:8080", "nowhere", "yaml:3: `destination` wants an address"),
        ("tests/0002-a-b.yaml", "candidate", "candidates", "yaml:11: an effect is the id"),
        ("tests/0001-hi.yaml", "ending: closed", "ending: happy", "`ending` is one of refused, reset, closed"),
        ("mocks/tcp-0002.yaml", "id: tcp-1001", "id: tcp-1", "tcp-0002.yaml:2: expected the id of a mock"),
        ("mocks/tcp-0001.yaml", "cue: connect", "cue: never", "`cue` is `connect` or `after ID`"),
        ("timing.yaml", "tid: 2", "tid: two", "timing.yaml:1: `tid` wants a number"),
        (body.as_str(), "", "x", "does not have the SHA-256"),
    ] {
        let path = dir.join(file);
        let good = fs::read(&path).unwrap();
        match std::str::from_utf8(&good) {
            Ok(text) => fs::write(&path, text.replacen(from, to, 1)).unwrap(),
            Err(_) => fs::write(&path, to).unwrap(),
        }
        let error = Recording::open(&dir).expect_err(expect);
        assert!(error.to_string().contains(expect), "{error}\nexpected {expect}");
        assert_eq!(error.exit(), Exit::Recording);
        fs::write(&path, good).unwrap();
    }
    Recording::open(&dir).unwrap();
}

#[test]
fn a_file_that_is_cut_anywhere_is_noticed() {
    let temp = tempfile::tempdir().unwrap();
    let dir = record_mocks(&temp.path().join("r"), 3);
    for name in ["tests/0002-a-b.yaml", "recording.yaml", "mocks/tcp-0001.yaml"] {
        let path = dir.join(name);
        let good = fs::read(&path).unwrap();
        // The last line's end may go: nothing is lost with it.
        for len in 0..good.len() - 1 {
            fs::write(&path, &good[..len]).unwrap();
            let error = Recording::open(&dir).expect_err("cut");
            assert!(
                matches!(&error, Error::Damaged { file, line, .. } if file.ends_with(name) && *line > 0),
                "{len}: {error}"
            );
        }
        fs::write(&path, good).unwrap();
    }
}

#[test]
fn an_edit_that_would_have_no_effect_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&temp.path().join("r"), about()).unwrap();
    // Two spaces: encoding the fields would give one.
    let response = "HTTP/1.1 200  OK\r\nX-Id:   7\r\nContent-Length: 0\r\n\r\n";
    let exchange = testing::exchange("http", Direction::In, 80, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", response);
    assert!(exchange.response.as_ref().unwrap().exact.is_some());
    writer.add_test(exchange.clone(), vec![], vec![], Circumstance::default()).unwrap();
    let dir = writer.finish(Closing::default()).unwrap();
    let recording = Recording::open(&dir).unwrap();
    assert_eq!(recording.test(&recording.tests()[0]).unwrap().exchange, exchange);
    let path = dir.join("tests/0001-get.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("status: 200", "status: 201")).unwrap();
    let error = Recording::open(&dir).unwrap_err();
    assert!(error.to_string().contains("`status` of the response is not what its `exact` bytes say"), "{error}");
}

#[test]
fn a_recording_says_when_it_began() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("r");
    let mut writer = Writer::create(&dir, about()).unwrap();
    let at = Circumstance { at_ns: 5, ..Circumstance::default() };
    writer.add_test(exchange(Direction::In, 8080, b"hi", b"ho"), Vec::new(), Vec::new(), at).unwrap();
    let started_ns = Some(1_709_208_000_000_000_007);
    writer.finish(Closing { started_ns, ..Closing::default() }).unwrap();
    let instants = || {
        let recording = Recording::open(&dir).map_err(|error| error.to_string())?;
        Ok::<_, String>((recording.started_ns(), recording.instant_ns(TestId(1))))
    };
    let expect = (started_ns, Some(1_709_208_000_000_000_012));
    assert_eq!(instants(), Ok(expect), "by the index that was written along");
    fs::remove_file(dir.join(layout::INDEX)).unwrap();
    assert_eq!(instants(), Ok(expect), "by the files");
    let path = dir.join(layout::TIMING);
    let good = fs::read_to_string(&path).unwrap();
    assert!(good.starts_with("start: \"2024-02-29T12:00:00.000000007Z\"\n"), "{good}");
    let first = good.lines().next().unwrap();
    for (line, expect) in [
        ("", Ok((None, None))),
        ("start: 1970-01-01T00:00:00Z", Ok((Some(0), Some(5)))),
        ("start: 5", Err("timing.yaml:1: `start` wants an instant of RFC 3339, found `5`")),
        ("start: 9999-01-01T00:00:00Z", Err("timing.yaml:1: `start` wants an instant of RFC 3339")),
        ("start: {at: 5}", Err("timing.yaml:1: `start` must be a text")),
        (
            "start: 1970-01-01T00:00:00Z\nstart: 1970-01-01T00:00:00Z",
            Err("timing.yaml:2: the key `start` stands here twice"),
        ),
    ] {
        fs::write(&path, good.replacen(first, line, 1)).unwrap();
        match (instants(), expect) {
            (Err(found), Err(expect)) => assert!(found.contains(expect), "{line}: {found}"),
            (found, expect) => assert_eq!(found, expect.map_err(str::to_owned), "{line}"),
        }
    }
}
