//! Calls of which it is not certain whose they are: any way of sharing them out that serves every test will do.

use super::*;

/// Tests by the calls that each may have made, `a` the first call that was recorded. A call is a letter of `calls`: equal letters ask the
/// same; an upper one answers otherwise.
fn recorded(calls: &str, tests: &str) -> (Maker, Vec<TestId>, Mock) {
    let mut maker = Maker::default();
    let ids: Vec<_> = calls
        .chars()
        .map(|call| {
            maker.redis(
                &format!("INCR {}", call.to_ascii_lowercase()),
                if call.is_lowercase() { ":1\r\n" } else { ":2\r\n" },
            )
        })
        .collect();
    let made = |names: &str| names.bytes().map(|name| &ids[usize::from(name - b'a')]).collect::<Vec<_>>();
    let tests = tests.split(' ').map(|names| maker.test(Attribution::Candidate, &made(names))).collect();
    let mock = mock_of(&maker, HandRules::default());
    (maker, tests, mock)
}

/// Runs each test with the calls that it makes now, and gives what came of each, and what is left over in the end.
fn run(calls: &str, candidates: &str, made: &str) -> String {
    let (_, tests, mut mock) = recorded(calls, candidates);
    let mut lines = Vec::new();
    for (test, made) in tests.iter().zip(made.split(' ')) {
        mock.begin(*test);
        let script: Vec<String> =
            made.chars().filter(|call| *call != '-').map(|call| format!("redis INCR {call}")).collect();
        let script: Vec<&str> = ["open 6379"].into_iter().chain(script.iter().map(String::as_str)).collect();
        play(&mut mock, u64::from(test.0), &script);
        lines.push(verdict(mock.end()).replace('\n', ", "));
    }
    let left: Vec<_> = left_over(&mut mock, &tests).into_iter().map(|(id, _)| format!("left {id}")).collect();
    lines.iter().chain(&left).filter(|line| !line.is_empty()).cloned().collect::<Vec<_>>().join("; ")
}

#[test]
fn a_test_makes_way_for_one_that_has_no_other_call() {
    // The first takes `a`, which is all that the second may take.
    assert_eq!(run("xx", "ab a", "x x"), "");
    // One after another must move on.
    assert_eq!(run("xxxx", "ab bc cd a", "x x x x"), "");
    assert_eq!(run("xxxx", "abc abc abd a", "x x x x"), "");
    // A test that makes two of them.
    assert_eq!(run("xxx", "abc ab", "xx x"), "");
    assert_eq!(run("xxxx", "abcd abc a", "xx x x"), "");
}

#[test]
fn what_was_answered_stays_answered() {
    // `a` and `b` ask the same and were answered otherwise: the first was told what `a` says.
    assert_eq!(run("xX", "ab a", "x x"), "repeated redis-0001; left redis-0002");
    // Of those that are alike, one makes way.
    assert_eq!(run("xXx", "abc a b", "x x x"), "");
}

#[test]
fn a_call_that_is_not_made_is_left_over_and_one_too_many_is_refused() {
    assert_eq!(run("xxx", "abc abc ab", "x - x"), "left redis-0003");
    assert_eq!(run("xx", "ab ab", "xx x"), "repeated redis-0001");
    assert_eq!(run("xxx", "ab a c", "x xx x"), "repeated redis-0001");
    // Nobody can be charged with the call of a test that has no part in the others.
    assert_eq!(run("xxx", "ab ab c", "x xx -"), "repeated redis-0001; left redis-0003");
}

#[test]
fn a_push_binds_whoever_heard_it() {
    for (has_push, expect) in [(false, ""), (true, "repeated redis-0001")] {
        let mut maker = Maker::default();
        let calls = [maker.redis("INCR a", ":1\r\n"), maker.redis("INCR a", ":1\r\n")];
        if has_push {
            let push = exchange("redis", Direction::Out, 6379, "", "+news\r\n");
            maker.mock(Scope::Background, Some(Cue::After(calls[0].clone())), push);
        }
        let first = maker.test(Attribution::Candidate, &[&calls[0], &calls[1]]);
        let second = maker.test(Attribution::Candidate, &[&calls[0]]);
        let mut mock = mock_of(&maker, HandRules::default());
        for (test, expect) in [(first, ""), (second, expect)] {
            mock.begin(test);
            play(&mut mock, u64::from(test.0), &["open 6379", "redis INCR a"]);
            assert_eq!(verdict(mock.end()), expect);
        }
    }
}

/// What a server says after a call that may be missing may be missing, too.
#[test]
fn a_push_is_as_free_as_the_call_before_it() {
    for (reuse, expect) in [(Reuse::Latest, ""), (Reuse::Once, "missing redis-0001\nmissing redis-0002")] {
        let mut maker = Maker::default();
        let call = maker.redis("GET a", ":1\r\n");
        let push = maker.mock(
            Scope::Test,
            Some(Cue::After(call.clone())),
            exchange("redis", Direction::Out, 6379, "", "+news\r\n"),
        );
        let test = maker.test(Attribution::Window, &[&call, &push]);
        let rules = move |view: &View<'_>| match view.request {
            Some(_) => Mocking { reuse, ..Mocking::default() },
            None => Mocking::default(),
        };
        let mut mock = mock_of(&maker, HandRules { mocking: Some(Box::new(rules)), ..HandRules::default() });
        mock.begin(test);
        assert_eq!(verdict(mock.end()), expect);
    }
}

/// A long recording in which every request overlaps the next ones, and each makes one call more than it may: every search for another call
/// fails, and none looks again at what one before it has seen.
#[test]
fn a_long_chain_takes_linear_time() {
    const TESTS: usize = 4_000;
    const OPEN_AT_ONCE: usize = 8;
    let mut maker = Maker::default();
    let call = exchange("redis", Direction::Out, 6379, &resp("INCR x"), ":1\r\n");
    let calls: Vec<_> = (1..=TESTS as u32).map(|number| MockId { protocol: "redis".to_owned(), number }).collect();
    maker.mocks = calls
        .iter()
        .map(|id| crate::recording::Mock {
            id: id.clone(),
            scope: Scope::Test,
            cue: None,
            exchange: call.clone(),
            tags: Vec::new(),
        })
        .collect();
    let tests: Vec<_> = (0..TESTS)
        .map(|n| {
            maker.test(Attribution::Candidate, &calls[n.saturating_sub(OPEN_AT_ONCE)..=n].iter().collect::<Vec<_>>())
        })
        .collect();
    let mut mock = mock_of(&maker, HandRules::default());
    for test in &tests {
        mock.begin(*test);
        play(&mut mock, u64::from(test.0), &["open 6379", "redis INCR x", "redis INCR x", "reset"]);
        assert!(verdict(mock.end()).starts_with("repeated"));
    }
    assert_eq!(left_over(&mut mock, &tests), []);
}
