//! The mock side as transcripts: what happened, and what it did.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use reel_lang::hir::Abort;
use reel_lang::schema::{Direction, Side};
use reel_lang::value::Value;

use super::*;
use crate::recording::testing::{Maker, exchange, resp};
use crate::recording::{Attribution, Cue, Ending, MockId, Scope};
use crate::rules::testing::{HandRules, origin, relaxations};
use crate::rules::{ActionId, Answer, Mocking, Reuse, View};

fn mock_of(maker: &Maker, rules: HandRules) -> Mock {
    let rules: Arc<dyn Rules> = Arc::new(rules);
    let book = Book::new(maker.calls(), rules.clone()).unwrap();
    Mock::new(rules, book)
}

/// Plays one connection: `open PORT`, `> BYTES`, `redis WORDS`, `shut`, `reset`, `wait MS`, and of the real server `real BYTES`,
/// `real-ends`. Gives what the mock did.
fn play(mock: &mut Mock, conn: u64, script: &[&str]) -> String {
    let mut now_ns = 0;
    let mut done = Vec::new();
    for line in script {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let bytes = match word {
            "redis" => resp(rest),
            _ => rest.replace("\\r\\n", "\r\n"),
        };
        let event = match word {
            "open" => Event::Opened(([127, 0, 0, 1], rest.parse().unwrap()).into()),
            ">" | "redis" => Event::Bytes(bytes.as_bytes()),
            "shut" => Event::HalfClosed,
            "reset" => Event::Reset,
            "real" => Event::Real(bytes.as_bytes()),
            "real-ends" => Event::RealEnded,
            "wait" => {
                now_ns += rest.parse::<u64>().unwrap() * 1_000_000;
                Event::Timer
            }
            other => panic!("{other}"),
        };
        for command in mock.handle(now_ns, ConnId(conn), event) {
            done.push(match command {
                Command::Send(bytes) => format!("< {}", bytes.escape_ascii()),
                Command::Close => "close".into(),
                Command::Reset => "reset".into(),
                Command::SetTimer { at_ns } => format!("timer {}ms", at_ns / 1_000_000),
                Command::Ask { to, bytes } => format!("ask {to} {}", bytes.escape_ascii()),
                Command::Forward { to, first } => format!("forward {to} {}", first.escape_ascii()),
            });
        }
    }
    done.join("\n")
}

/// What a test's calls came to, a line each.
fn verdict(mut effects: Effects) -> String {
    let mut lines = Vec::new();
    effects.answered.retain(|answered| !answered.differences.is_empty());
    lines.extend(effects.answered.iter().map(|a| format!("differs {} {}", a.mock, a.differences[0].path)));
    lines.extend(effects.missing.iter().map(|missing| format!("missing {}", missing.mock)));
    lines.extend(effects.misses.iter().map(|miss| format!("extra {}", miss.title)));
    lines.extend(effects.repeated.iter().map(|r| format!("repeated {}", r.mock)));
    let changed = |c: &Changed| format!("changed {} {} at {}", c.mock, c.miss.title, c.differences[0].path);
    lines.extend(effects.changed.iter().map(changed));
    lines.join("\n")
}

fn left_over(mock: &mut Mock, ran: &[TestId]) -> Vec<(MockId, Vec<TestId>)> {
    mock.left_over(ran).into_iter().map(|left| (left.entry.id.clone(), left.owners)).collect()
}

#[test]
fn each_recorded_call_answers_once_in_recorded_order() {
    let mut maker = Maker::default();
    let calls =
        [maker.redis("GET a", "$1\r\n1\r\n"), maker.redis("GET a", "$1\r\n2\r\n"), maker.redis("GET b", "$-1\r\n")];
    let test = maker.test(Attribution::Window, &[&calls[0], &calls[1], &calls[2]]);
    let mut mock = mock_of(&maker, HandRules::default());
    mock.begin(test);
    assert_eq!(mock.outstanding(), 3);
    // Two commands in one packet, one cut in two, and an end.
    let two = format!("> {}{}", resp("GET a"), resp("GET b"));
    let (front, back) = (format!("> {}", &resp("GET a")[..9]), format!("> {}", &resp("GET a")[9..]));
    let did = play(&mut mock, 1, &["open 6379", &two, &front, &back, "shut"]);
    assert_eq!(did, "< $1\\r\\n1\\r\\n\n< $-1\\r\\n\n< $1\\r\\n2\\r\\n\nclose");
    assert_eq!(mock.outstanding(), 0);
    let effects = mock.end();
    assert!(effects.is_clean());
    assert_eq!(effects.answered.len(), 3);
}

#[test]
fn a_call_beyond_the_recorded_ones_is_a_miss_and_named() {
    for (script, reply, expect) in [
        (vec!["redis GET a"], "", ""),
        (vec![], "", "missing redis-0001"),
        (vec!["redis GET a", "redis GET a"], "GET a", "repeated redis-0001"),
        (vec!["redis GET a", "redis DEL x"], "DEL x", "extra DEL x"),
        (vec!["redis GET ab"], "GET ab", "changed redis-0001 GET ab at args[0]"),
        (vec!["redis FLUSHALL"], "FLUSHALL", "missing redis-0001\nextra FLUSHALL"),
    ] {
        let mut maker = Maker::default();
        let call = maker.redis("GET a", "$1\r\n1\r\n");
        let test = maker.test(Attribution::Window, &[&call]);
        let mut mock = mock_of(&maker, HandRules::default());
        mock.begin(test);
        let did = play(&mut mock, 1, &[vec!["open 6379"], script.clone()].concat());
        assert_eq!(did.contains("-ERR reel: "), !reply.is_empty(), "{did}");
        assert!(did.contains(&format!("{reply} ")) || reply.is_empty(), "{did}");
        assert_eq!(mock.has_missed(), !reply.is_empty());
        let effects = mock.end();
        assert_eq!(effects.is_clean(), expect.is_empty());
        assert_eq!(verdict(effects), expect, "{script:?}");
    }
}

#[test]
fn a_call_of_another_test_does_not_answer_this_one() {
    let mut maker = Maker::default();
    let calls = [maker.redis("GET a", "$1\r\n1\r\n"), maker.redis("GET b", "$1\r\n2\r\n")];
    let first = maker.test(Attribution::Window, &[&calls[0]]);
    let second = maker.test(Attribution::Window, &[&calls[1]]);
    let mut mock = mock_of(&maker, HandRules::default());
    mock.begin(first);
    assert!(play(&mut mock, 1, &["open 6379", "redis GET b"]).contains("-ERR"));
    assert!(verdict(mock.end()).contains("GET b"));
    mock.begin(second);
    assert_eq!(play(&mut mock, 2, &["open 6379", "redis GET b"]), "< $1\\r\\n2\\r\\n");
    assert!(mock.end().is_clean());
}

#[test]
fn candidates_are_shared_and_what_none_made_is_left_over() {
    let mut maker = Maker::default();
    let calls = [maker.redis("GET a", "$1\r\n1\r\n"), maker.redis("GET b", "$1\r\n2\r\n")];
    let both = [&calls[0], &calls[1]];
    let (first, second) = (maker.test(Attribution::Candidate, &both), maker.test(Attribution::Candidate, &both));
    let mut mock = mock_of(&maker, HandRules::default());
    mock.begin(first);
    assert_eq!(play(&mut mock, 1, &["open 6379", "redis GET b"]), "< $1\\r\\n2\\r\\n");
    assert!(mock.end().is_clean());
    assert_eq!(left_over(&mut mock, &[first]), []);
    mock.begin(second);
    assert!(mock.end().is_clean());
    assert_eq!(left_over(&mut mock, &[first, second]), [(calls[0].clone(), vec![first, second])]);
}

#[test]
fn calls_of_no_test_answer_once_in_a_test() {
    let twice = ["open 6379", "redis SET boot 1", "redis SET boot 1"];
    for (scope, may_repeat, apart) in
        [(Scope::Startup, false, "repeated redis-0001\nrepeated redis-0001"), (Scope::Background, true, "")]
    {
        let mut maker = Maker::default();
        maker.mock(scope, None, exchange("redis", Direction::Out, 6379, &resp("SET boot 1"), "+OK\r\n"));
        let test = maker.test(Attribution::Window, &[]);
        // Within a test, whether or not it was made before.
        let mut mock = mock_of(&maker, HandRules::default());
        mock.begin(test);
        assert!(play(&mut mock, 1, &twice).starts_with("< +OK\\r\\n\n< -ERR"), "{scope:?}");
        assert_eq!(verdict(mock.end()), "repeated redis-0001", "{scope:?}");
        // While none is running, what polls goes on, and the start-up is no excuse.
        let mut mock = mock_of(&maker, HandRules::default());
        assert_eq!(play(&mut mock, 1, &twice) == "< +OK\\r\\n\n< +OK\\r\\n", may_repeat, "{scope:?}");
        mock.begin(test);
        assert!(play(&mut mock, 2, &twice[..2]).contains("-ERR"), "{scope:?}");
        assert_eq!(verdict(mock.end()), "repeated redis-0001", "{scope:?}");
        assert_eq!(play(&mut mock, 3, &twice[..2]) == "< +OK\\r\\n", may_repeat, "{scope:?}");
        assert_eq!(verdict(mock.apart()), apart, "{scope:?}");
    }
}

#[test]
fn what_a_server_says_first_may_be_heard_again() {
    let mut maker = Maker::default();
    let greeting = exchange("tcp", Direction::Out, 6379, "", "220 ready\n");
    maker.mock(Scope::Startup, Some(Cue::Connect), greeting);
    let test = maker.test(Attribution::Window, &[]);
    let mut mock = mock_of(&maker, HandRules::default());
    assert_eq!(play(&mut mock, 1, &["open 6379"]), "< 220 ready\\n");
    mock.begin(test);
    assert_eq!(play(&mut mock, 2, &["open 6379"]), "< 220 ready\\n");
    assert!(mock.end().is_clean());
}

#[test]
fn relaxed_fields_leave_the_key_and_are_compared_after() {
    let mut maker = Maker::default();
    let call = maker.redis("SET k id-1", "+OK\r\n");
    for (script, expect) in [("redis SET k id-2", ""), ("redis SET k other", "differs redis-0001 args[1]")] {
        let mut maker = maker.clone();
        let test = maker.test(Attribution::Window, &[&call]);
        let schema = reel_protocols::by_name("redis").unwrap().schema();
        let like = relaxations(schema, Side::Request, "like args[1]").remove(0);
        let mut mock = mock_of(&maker, HandRules { relaxations: vec![(Direction::Out, like)], ..HandRules::default() });
        mock.begin(test);
        assert_eq!(play(&mut mock, 1, &["open 6379", script]), "< +OK\\r\\n");
        assert_eq!(verdict(mock.end()), expect);
        assert_eq!(mock.ledger().usage.relaxed().count(), usize::from(expect.is_empty()));
    }
}

/// Rules that decide by the command.
fn by_command(decide: fn(&str) -> Mocking) -> HandRules {
    let mocking = move |view: &View<'_>| {
        let field = view.schema().field(Side::Request, "command").unwrap().id;
        decide(view.request.unwrap().field(field).as_str().unwrap())
    };
    HandRules { mocking: Some(Box::new(mocking)), ..HandRules::default() }
}

#[test]
fn rules_answer_delay_abort_cycle_and_pass_on() {
    let mut maker = Maker::default();
    let calls = [
        maker.redis("PING", "+PONG\r\n"),
        maker.redis("GET a", "$1\r\n1\r\n"),
        maker.redis("INCR n", ":1\r\n"),
        maker.redis("INCR n", ":2\r\n"),
        maker.redis("TIME", ":5\r\n"),
        maker.redis("TIME", ":6\r\n"),
    ];
    let test = maker.test(Attribution::Window, &calls.each_ref());
    let rules = || {
        by_command(|command| {
            let decided = Some((ActionId(0), origin("rule")));
            let reply = |value| Answer::Respond(vec![("reply".to_owned(), value)]);
            match command {
                "PING" => Mocking { delay_ns: 20_000_000, decided, ..Mocking::default() },
                "GET" => Mocking { answer: reply(Value::Null), decided, ..Mocking::default() },
                "INCR" => Mocking { reuse: Reuse::Cycle, decided, ..Mocking::default() },
                "TIME" => Mocking { reuse: Reuse::Latest, decided, ..Mocking::default() },
                "KILL" => Mocking { answer: Answer::Abort(Abort::Reset), decided, ..Mocking::default() },
                "HANG" => Mocking { answer: Answer::Abort(Abort::Timeout), decided, ..Mocking::default() },
                "REAL" => Mocking { answer: Answer::Passthrough, decided, ..Mocking::default() },
                _ => Mocking::default(),
            }
        })
    };
    for (script, expect) in [
        // A delayed answer holds back the one behind it.
        (vec!["redis PING", "redis GET a", "wait 20"], "timer 20ms\ntimer 20ms\n< +PONG\\r\\n\n< $-1\\r\\n"),
        (vec!["redis INCR n", "redis INCR n", "redis INCR n"], "< :1\\r\\n\n< :2\\r\\n\n< :1\\r\\n"),
        (vec!["redis TIME", "redis TIME"], "< :6\\r\\n\n< :6\\r\\n"),
        (vec!["redis KILL"], "reset"),
        // Nothing leaves after an answer that never does.
        (vec!["redis HANG", "redis GET a"], ""),
        // One call goes to the real server; the one behind it is answered by a rule, in its turn.
        (
            vec!["redis REAL", "redis GET a", "real +re", "real al\\r\\n"],
            "ask 127.0.0.1:6379 *1\\r\\n$4\\r\\nREAL\\r\\n\n< +real\\r\\n\n< $-1\\r\\n",
        ),
        (vec!["redis REAL", "real-ends"], "ask 127.0.0.1:6379 *1\\r\\n$4\\r\\nREAL\\r\\n\nreset"),
    ] {
        let mut mock = mock_of(&maker, rules());
        mock.begin(test);
        assert_eq!(play(&mut mock, 1, &[vec!["open 6379"], script.clone()].concat()), expect, "{script:?}");
        let effects = mock.end();
        // Only the call that no rule frees is expected.
        let expect = if script[0] == "redis PING" { "" } else { "missing redis-0001" };
        assert_eq!(verdict(effects), expect, "{script:?}");
    }
}

/// An app that waits for the end of its connection gets it when the real server closes, after what was said before.
#[test]
fn the_end_of_a_real_server_reaches_the_app() {
    let pass = |delay_ms: u64| HandRules {
        mocking: Some(Box::new(move |_: &View<'_>| Mocking {
            answer: Answer::Passthrough,
            delay_ns: delay_ms * 1_000_000,
            ..Mocking::default()
        })),
        ..HandRules::default()
    };
    let (asked, get) = ("ask 127.0.0.1:6379 *1\\r\\n$4\\r\\nREAL\\r\\n", "GET / HTTP/1.1\\r\\n\\r\\n");
    let send = format!("> {get}");
    let until_close = vec!["open 80", &send, "real HTTP/1.1 200 OK\\r\\n\\r\\n", "real bye", "real-ends"];
    for (delay_ms, script, expect) in [
        (0, until_close, format!("ask 127.0.0.1:80 {get}\n< HTTP/1.1 200 OK\\r\\n\\r\\nbye\nclose")),
        // It was idle: the next call finds the connection closed, and is not reset by what happened before.
        (
            0,
            vec!["open 6379", "redis REAL", "real +re\\r\\n", "real-ends", "redis REAL"],
            format!("{asked}\n< +re\\r\\n\nclose"),
        ),
        // The answer waits for its time, and the end for the answer; nothing more is asked meanwhile.
        (
            20,
            vec!["open 6379", "redis REAL", "real +re\\r\\n", "real-ends", "redis REAL", "wait 20"],
            format!("{asked}\ntimer 20ms\ntimer 20ms\ntimer 20ms\n< +re\\r\\n\nclose"),
        ),
        // One of two is answered.
        (
            0,
            vec!["open 6379", "redis REAL", "redis REAL", "real +re\\r\\n", "real-ends"],
            format!("{asked}\n{asked}\n< +re\\r\\n\nreset"),
        ),
    ] {
        let mut mock = mock_of(&Maker::default(), pass(delay_ms));
        assert_eq!(play(&mut mock, 1, &script), expect, "{script:?}");
    }
}

#[test]
fn a_call_that_was_cut_answers_only_by_a_rule() {
    let mut maker = Maker::default();
    let call = maker.redis("GET a", "$5\r\nhello\r\n");
    let test = maker.test(Attribution::Window, &[&call]);
    let protocol = reel_protocols::by_name("redis").unwrap();
    assert!(crate::recording::cut(protocol, maker.mocks[0].exchange.response.as_mut().unwrap(), 3));
    let Err(reason) = Book::new(maker.calls(), Arc::new(HandRules::default())) else { panic!("it must not answer") };
    assert!(
        reason.starts_with("redis-0001 GET a cannot be a mock's answer: the response was cut by `limit`"),
        "{reason}"
    );
    let mut mock = mock_of(
        &maker,
        by_command(|_| Mocking {
            answer: Answer::Respond(vec![("reply".to_owned(), Value::Null)]),
            ..Mocking::default()
        }),
    );
    mock.begin(test);
    assert_eq!(play(&mut mock, 1, &["open 6379", "redis GET a"]), "< $-1\\r\\n");
    assert!(mock.end().is_clean());
}

#[test]
fn http_is_answered_refused_and_closed_as_recorded() {
    let mut maker = Maker::default();
    let get = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    let until_close = exchange("http", Direction::Out, 80, get, "HTTP/1.1 200 OK\r\n\r\nbye");
    let call = maker.mock(Scope::Test, None, until_close);
    let test = maker.test(Attribution::Window, &[&call]);
    let mut mock = mock_of(&maker, HandRules::default());
    mock.begin(test);
    let send = format!("> {get}");
    assert_eq!(play(&mut mock, 1, &["open 80", &send]), "< HTTP/1.1 200 OK\\r\\n\\r\\nbye\nclose");
    assert!(mock.end().is_clean());
    let refusal = play(&mut mock, 2, &["open 80", &send]);
    assert!(refusal.starts_with("< HTTP/1.1 502 Bad Gateway") && refusal.ends_with("\nclose"), "{refusal}");
    assert!(
        refusal.contains("GET /x to 127.0.0.1:80 is in the recording, but not once more for this test"),
        "{refusal}"
    );
    // A server that was never recorded is spoken to in the protocol that the app speaks.
    assert!(play(&mut mock, 3, &["open 81", &send]).contains("GET /x to 127.0.0.1:81 is not in the recording"));
    assert!(play(&mut mock, 4, &["open 81", "redis GET a"]).contains("-ERR"));
    assert_eq!(play(&mut mock, 5, &["open 81", "> \x01\x02\x03\x04binary"]), "reset");
    assert_eq!(play(&mut mock, 6, &["open 80", "> nonsense\r\n\r\n"]).lines().last(), Some("close"));
    assert_eq!(verdict(mock.end()).lines().count(), 5);
}

#[test]
fn opaque_runs_are_answered_however_they_are_cut() {
    let mut maker = Maker::default();
    let mut tcp =
        |cue, request, response| maker.mock(Scope::Test, cue, exchange("tcp", Direction::Out, 25, request, response));
    let greeting = tcp(Some(Cue::Connect), "", "220 ready\n");
    let calls = [tcp(None, "HELO a\n", "250 ok\n"), tcp(None, "HELO a\nMORE\n", "250 more\n"), tcp(None, "QUIT\n", "")];
    let push = tcp(Some(Cue::After(calls[0].clone())), "", "news\n");
    let test = maker.test(Attribution::Window, &[&greeting, &calls[0], &calls[1], &calls[2], &push]);
    let script = ["open 25", "> HE", "> LO a\n", "wait 50", "> HELO a\nMO", "> RE\n", "> QUIT\n", "shut"];
    let mut mock = mock_of(&maker, HandRules::default());
    mock.begin(test);
    let did = play(&mut mock, 1, &script);
    assert_eq!(did, "< 220 ready\\n\ntimer 50ms\n< 250 ok\\n\n< news\\n\n< 250 more\\n\nclose");
    assert_eq!(verdict(mock.end()), "");
    // The greeting was for one connection; a run that begins like no other is a miss at once.
    assert_eq!(play(&mut mock, 2, &["open 25"]), "reset");
    assert_eq!(play(&mut mock, 3, &["open 26", "> X\n"]), "reset");
    assert_eq!(verdict(mock.end()), "extra connect\nextra X");
}

#[test]
fn a_refused_connection_is_reset() {
    let mut maker = Maker::default();
    let mut refused = exchange("tcp", Direction::Out, 99, "", "");
    refused.ending = Some(Ending::Refused);
    let call = maker.mock(Scope::Test, Some(Cue::Connect), refused);
    let test = maker.test(Attribution::Window, &[&call]);
    let mut mock = mock_of(&maker, HandRules::default());
    mock.begin(test);
    assert_eq!(play(&mut mock, 1, &["open 99"]), "reset");
    assert!(mock.end().is_clean());
}

#[test]
fn a_redacted_field_is_any_value_but_the_same_one() {
    for (second, expect) in [("redis AUTH hunter2", ""), ("redis AUTH other", "differs redis-0002 args[0]")] {
        let mut maker = Maker::default();
        let token = "{{secret:auth:1}}";
        let calls =
            [maker.redis(&format!("AUTH {token}"), "+OK\r\n"), maker.redis(&format!("AUTH {token}"), "+OK\r\n")];
        let test = maker.test(Attribution::Window, &[&calls[0], &calls[1]]);
        let mut mock = mock_of(&maker, HandRules::default());
        mock.begin(test);
        assert_eq!(play(&mut mock, 1, &["open 6379", "redis AUTH hunter2", second]), "< +OK\\r\\n\n< +OK\\r\\n");
        assert_eq!(verdict(mock.end()), expect);
    }
}

/// Calls are read when they may answer for the first time, and then again only where the cache gave them up.
#[test]
fn a_call_is_read_when_its_test_begins() {
    let mut maker = Maker::default();
    maker.mock(Scope::Startup, None, exchange("redis", Direction::Out, 6379, &resp("HELLO 3"), "+OK\r\n"));
    let calls: Vec<_> = (0..6).map(|n| maker.redis(["GET a", "LLEN a"][n % 2], &format!(":{n}\r\n"))).collect();
    let tests: Vec<_> = calls.iter().map(|call| maker.test(Attribution::Window, &[call])).collect();
    let in_memory = maker.calls();
    let reads = || in_memory.reads.load(std::sync::atomic::Ordering::SeqCst);
    let rules: Arc<dyn Rules> = Arc::new(by_command(|command| match command {
        "GET" | "LLEN" => Mocking { reuse: Reuse::Latest, ..Mocking::default() },
        _ => Mocking::default(),
    }));
    let book = Book::new(in_memory.clone(), rules.clone()).unwrap();
    let mut mock = Mock::new(rules, book);
    assert_eq!(reads(), 1, "what belongs to no test");
    mock.begin(tests[0]);
    assert_eq!(reads(), 2, "the calls of the test");
    // The last answer of all tests, so the others of this operation are looked at, and no others.
    assert_eq!(play(&mut mock, 1, &["open 6379", "redis GET a"]), "< :4\\r\\n");
    assert_eq!(reads(), 4);
    mock.begin(tests[5]);
    assert_eq!(play(&mut mock, 2, &["open 6379", "redis LLEN a", "redis GET a"]), "< :5\\r\\n\n< :4\\r\\n");
    assert_eq!(reads(), 7, "each call once");
}

#[test]
fn a_recording_larger_than_the_cache_answers_all_the_same() {
    let mut maker = Maker::default();
    let large = "x".repeat(MAX_CACHED_LEN_BYTES / 16);
    let calls: Vec<_> =
        (0..20).map(|n| maker.redis(&format!("GET {n}"), &format!("${}\r\n{large}\r\n", large.len()))).collect();
    let all: Vec<_> = calls.iter().collect();
    let test = maker.test(Attribution::Window, &all);
    let in_memory = maker.calls();
    let rules: Arc<dyn Rules> = Arc::new(HandRules::default());
    let mut mock = Mock::new(rules.clone(), Book::new(in_memory.clone(), rules).unwrap());
    mock.begin(test);
    for n in 0..20 {
        let did = play(&mut mock, n, &["open 6379", &format!("redis GET {n}")]);
        assert!(did.len() > large.len() && did.contains("< $2097152"), "{n}");
    }
    assert!(mock.end().is_clean());
    assert!(in_memory.reads.load(std::sync::atomic::Ordering::SeqCst) > 20);
}

/// Where a rule relaxes what names the operation, the last answer may be that of another one.
#[test]
fn an_answer_is_used_again_across_operations_where_a_rule_says_so() {
    let mut maker = Maker::default();
    let calls = [maker.redis("GET a", ":1\r\n"), maker.redis("LLEN a", ":2\r\n")];
    let tests = [maker.test(Attribution::Window, &[&calls[0]]), maker.test(Attribution::Window, &[&calls[1]])];
    for (rule, expect) in [("ignore command", "< :2\\r\\n"), ("ignore args[7]", "< :1\\r\\n")] {
        let schema = reel_protocols::by_name("redis").unwrap().schema();
        let relaxed = relaxations(schema, Side::Request, rule).remove(0);
        let latest = by_command(|_| Mocking { reuse: Reuse::Latest, ..Mocking::default() });
        let mut mock = mock_of(&maker, HandRules { relaxations: vec![(Direction::Out, relaxed)], ..latest });
        mock.begin(tests[0]);
        assert_eq!(play(&mut mock, 1, &["open 6379", "redis GET a"]), expect, "{rule}");
    }
}

mod candidates;
mod flows;
mod postgres;
