//! A run as its report: the whole text, and the JUnit document.

#![allow(clippy::unwrap_used)]

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use reel_lang::schema::Direction;
use reel_lang::value::Value;

use super::junit::{junit, without_run};
use super::{agreement, text};
use crate::exit::{Exit, Failure};
use crate::matching::{Difference, Use};
use crate::mock::{Changed, Effects, Miss, Missing, Repeated};
use crate::recording::testing::{exchange, resp};
use crate::recording::{MockId, TestId};
use crate::replay::{Ended, Left, Reply, Run, TestOutcome};
use crate::rules::testing::origin;
use crate::rules::{Origin, Unmet};

fn difference(path: &str, recorded: Value, replayed: Value) -> Difference {
    Difference { path: path.into(), recorded, replayed, why: "it changed".into() }
}

fn miss(words: &str) -> Miss {
    Miss {
        protocol: reel_protocols::by_name("redis").unwrap(),
        destination: ([127, 0, 0, 1], 6379).into(),
        title: words.into(),
        request: exchange("redis", Direction::Out, 6379, &resp(words), "").request,
        key: None,
        reason: None,
    }
}

fn outcome(number: u32, reply: Reply, effects: Effects) -> TestOutcome {
    let (id, title) = (TestId(number), format!("GET /{number}"));
    TestOutcome {
        id,
        title,
        file: format!("tests/000{number}-get.yaml"),
        reply,
        answer: None,
        unmet: Vec::new(),
        effects: effects.into(),
    }
}

fn store() -> std::net::SocketAddr {
    ([127, 0, 0, 1], 6379).into()
}

fn mock(number: u32) -> MockId {
    MockId { protocol: "redis".into(), number }
}

/// A run in which everything that can be said is to be said.
fn run() -> Run {
    let effects = Effects {
        missing: vec![Missing { mock: mock(1), destination: store(), title: "GET gone".into() }],
        misses: vec![miss("DEL x")],
        repeated: vec![Repeated { mock: mock(2), miss: miss("GET a") }],
        changed: vec![Changed {
            mock: mock(3),
            title: "SET k 1".into(),
            miss: miss("SET k 2"),
            differences: vec![difference("args[1]", Value::from("1"), Value::from("2"))],
        }],
        ..Effects::default()
    };
    let long = Value::from("a\nb\nc\n");
    let differences = vec![
        difference("status", Value::Int(200), Value::Int(500)),
        difference("body.extra", Value::Nil, Value::Null),
        difference("body.text", long, Value::from("a\nB\nc\n")),
    ];
    let mut strict = outcome(3, Reply::Compared(vec![]), Effects::default());
    strict.unmet = vec![Unmet { why: "a total".into(), origin: origin("require(total > 0, \"a total\")") }];
    let default = Origin {
        place: "stdlib http.rr:14".into(),
        text: "like(header[\"date\"], http_date)".into(),
        is_default: true,
    };
    Run {
        dir: "recordings/r".into(),
        clock: "real".into(),
        tests: vec![
            outcome(1, Reply::Compared(vec![]), Effects::default()),
            outcome(2, Reply::Compared(differences), effects),
            strict,
            outcome(4, Reply::Failed("no response came in time".into()), Effects::default()),
            outcome(5, Reply::NotRun("the app ended (exit status: 3)".into()), Effects::default()),
        ],
        left_over: vec![Left {
            mock: mock(9),
            destination: store(),
            title: "GET z".into(),
            owners: vec![TestId(1), TestId(2)],
        }],
        relaxed: vec![Use { origin: default, met: 4, relaxed: 3 }],
        unmatched: vec![origin("ignore(body.x)")],
        gave_way: vec![(origin("ignore(a)"), origin("within(a, 1)"))],
        secrets: 2,
        ended: Some(Ended::Exited(ExitStatus::from_raw(3 << 8))),
        ..Run::default()
    }
}

#[test]
fn the_text_says_everything_by_name() {
    let expect = "  ok    0001  GET /1
  FAIL  0002  GET /2
        tests/0002-get.yaml
        the response is not the recorded one
          status: it changed
            - 200
            + 500
          body.extra: it changed
            - (nothing)
            + null
          body.text: it changed
              a
            - b
            + B
              c
        missing call   redis-0001 GET gone to 127.0.0.1:6379
        changed call   redis-0003 SET k 1, the nearest to SET k 2 to 127.0.0.1:6379 (redis)
          args[1]: it changed
            - \"1\"
            + \"2\"
        repeated call  redis-0002, once more than recorded: GET a to 127.0.0.1:6379 (redis)
        extra call     DEL x to 127.0.0.1:6379 (redis)
          + command: DEL
          + args: [x]
  FAIL  0003  GET /3
        tests/0003-get.yaml
        not met: a total
          require(total > 0, \"a total\")  test.rr:1
  FAIL  0004  GET /4
        tests/0004-get.yaml
        no response came in time
  -     0005  GET /5
        tests/0005-get.yaml
        not run: the app ended (exit status: 3)

Calls that no test made
  missing call   redis-0009 GET z to 127.0.0.1:6379, of one of the tests 0001, 0002

Relaxations used
      3 × like(header[\"date\"], http_date)  stdlib http.rr:14 (default)
      2 × redacted value, the same each time
warning: no message has what ignore(body.x)  test.rr:1 speaks of
warning: ignore(a)  test.rr:1 gives way to within(a, 1)  test.rr:1

clock: real
stopped before the last test was done: the app ended (exit status: 3)
1 passed, 4 failed, and the set as a whole is not as recorded
";
    let coloured = text(&run());
    assert!(coloured.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), expect);
    assert_eq!(text(&run()), coloured);
}

#[test]
fn a_run_without_faults_is_short() {
    let clean = Run {
        clock: "real".into(),
        tests: vec![outcome(1, Reply::Compared(vec![]), Effects::default())],
        ..Run::default()
    };
    let text = anstream::adapter::strip_str(&text(&clean)).to_string();
    assert_eq!(text, "  ok    0001  GET /1\n\nclock: real\n1 passed, 0 failed\n");
}

#[test]
fn the_xml_says_what_the_text_says() {
    agreement::check(&run());
    let xml = junit(&run()).unwrap();
    for part in [
        r#"tests="6" skipped="0" failures="4" errors="1""#,
        r#"name="0001 GET /1" classname="tests/0001-get.yaml""#,
        r#"message="the response is not the recorded one""#,
        r#"message="no response came in time""#,
        "redis-0009 GET z to 127.0.0.1:6379, of one of the tests 0001, 0002",
        "3 × like(header",
    ] {
        assert!(xml.contains(part), "{part} in\n{xml}");
    }
}

#[test]
fn what_xml_has_a_meaning_for_is_text_like_any_other() {
    let awkward = "<a href=\"x\">&amp; ]]> 'quoted' \u{1b}[31mred \u{0} \u{7f} \u{fffe} \u{1f600} é\ttab";
    let differences = vec![difference("body[\"<&>\"]", Value::from(awkward), Value::from("]]>\n<!-- -->\r\n"))];
    let effects = Effects { misses: vec![miss("GET <&\"'>]]>")], ..Effects::default() };
    let mut awkward_test = outcome(1, Reply::Compared(differences), effects);
    awkward_test.title = "GET /?a=<b>&c=\"d\"]]>".into();
    agreement::check(&Run { clock: "real".into(), tests: vec![awkward_test], ..Run::default() });
}

#[test]
fn an_app_that_crashes_after_the_last_test_is_told() {
    let ended = Some(Ended::Exited(ExitStatus::from_raw(3 << 8)));
    let run = Run { tests: vec![outcome(1, Reply::Compared(Vec::new()), Effects::default())], ended, ..Run::default() };
    let told = "after the last test: the app ended (exit status: 3)";
    assert!(text(&run).contains(told), "{}", text(&run));
    assert!(junit(&run).unwrap().contains(told), "{}", junit(&run).unwrap());
}

#[test]
fn a_replay_that_came_to_nothing_is_an_error_in_the_xml() {
    let failure = Failure::new(Exit::Usage, "no test matches `<x>`").remedy("list them");
    let xml = without_run("recordings/r".as_ref(), &failure).unwrap();
    assert!(xml.contains(r#"tests="1" skipped="0" failures="0" errors="1""#), "{xml}");
    assert!(xml.contains("no test matches `&lt;x"), "{xml}");
    assert!(xml.contains("help: list them"), "{xml}");
}
