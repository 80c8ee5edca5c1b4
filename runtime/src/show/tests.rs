//! A recording as people see it: the list, and one test with its calls.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::recording::testing::{Maker, exchange, resp};
use crate::recording::{Attribution, Circumstance};
use reel_lang::schema::Direction;

fn recording() -> Maker {
    let mut maker = Maker::default();
    let hello = exchange("redis", Direction::Out, 6379, &resp("HELLO 3"), "+OK\r\n");
    maker.mock(Scope::Startup, None, hello);
    let calls = [maker.redis("SET k 1", "+OK\r\n"), maker.redis("GET gone", "-ERR no\r\n")];
    maker.test(Attribution::Window, &[&calls[0]]);
    maker.test(Attribution::Candidate, &[&calls[1]]);
    maker.test(Attribution::Candidate, &[&calls[1]]);
    maker.about.command = vec!["./server".into()];
    maker.about.clock = "real".into();
    maker.tests[1].tags.push("slow".into());
    maker.timing.insert("redis-0002".into(), Circumstance { at_ns: 1_500_000, ..Circumstance::default() });
    maker
}

/// What is shown of it.
fn shown(show: impl FnOnce(&Recording) -> String) -> String {
    let temp = tempfile::tempdir().unwrap();
    let text = show(&recording().write(&temp.path().join("r")));
    anstream::adapter::strip_str(&text).to_string().replace(temp.path().to_str().unwrap(), "recordings")
}

#[test]
fn the_list_names_every_test() {
    let expect = "recordings/r
  command  ./server
  clock    real
  holds    3 tests, 3 mocks

  0001  GET /1  200, 1 call
  0002  GET /2  200, 1 call #slow
  0003  GET /3  200, 1 call

Before the first test
      0.000 ms  redis-0001  HELLO  to 127.0.0.1:6379, OK
";
    assert_eq!(shown(|recording| list(recording).unwrap()), expect);
}

#[test]
fn how_a_call_was_attributed_is_told() {
    for (attribution, expect) in [
        (Attribution::Thread, "[its thread had read this request]"),
        (Attribution::Socket, "[by the sockets no other request can have made it]"),
        (Attribution::Trace, "[it carries this request's trace id]"),
        (Attribution::Window, "[no other request was open]"),
    ] {
        let (temp, mut maker) = (tempfile::tempdir().unwrap(), Maker::default());
        let call = maker.redis("GET k", "+OK\r\n");
        let test = maker.test(attribution, &[&call]);
        let text = one(&maker.write(&temp.path().join("r")), test).unwrap().unwrap();
        assert!(text.contains(expect), "{expect} is not in {text}");
    }
}

#[test]
fn a_test_shows_its_calls_and_whose_they_are() {
    let expect = "0001  GET /1  tests/0001-get-1.yaml
http at 127.0.0.1:8080
      > method: GET
      > target: /1
      > version: \"1.1\"
      > header:
      >   Host: a
      < status: 200
      < reason: OK
      < version: \"1.1\"
      < header:
      <   Content-Length: \"2\"
      < body: ok

Calls
      1.500 ms  redis-0002  SET k  to 127.0.0.1:6379, OK [no other request was open]
      > command: SET
      > args: [k, \"1\"]
      < reply: !simple OK
";
    let one = |number| shown(|recording| one(recording, TestId(number)).unwrap().unwrap_or_default());
    assert_eq!(one(1), expect);
    let shared = one(2);
    assert!(
        shared.contains("redis-0003  GET gone  to 127.0.0.1:6379, ERR no [one of the tests 0002, 0003]"),
        "{shared}"
    );
    assert_eq!(one(4), "");
}
