//! Recorded values that are others in this replay: calls are found by them, and answers have them.

use super::*;
use crate::flow::Spot;
use crate::recording::{CallId, Owner};

const A: &str = "id-6fa459ea-ee8a-3ca4-894e-db77e160355e";
const B: &str = "id-0b54bb52-1d4e-4f7d-9c3f-0123456789ab";

/// A test that stores under a key, and one that reads it.
fn stored() -> (Maker, TestId, TestId) {
    let mut maker = Maker::default();
    let reply = format!("{{\"key\": \"{A}\"}}");
    let calls = [
        maker.redis(&format!("SET {A} x"), "+OK\r\n"),
        maker.redis(&format!("GET {A}"), &format!("${}\r\n{reply}\r\n", reply.len())),
    ];
    let (first, second) =
        (maker.test(Attribution::Window, &[&calls[0]]), maker.test(Attribution::Window, &[&calls[1]]));
    (maker, first, second)
}

fn rules(text: &str) -> HandRules {
    let schema = reel_protocols::by_name("redis").unwrap().schema();
    let of = relaxations(schema, Side::Request, text);
    HandRules { relaxations: of.into_iter().map(|rule| (Direction::Out, rule)).collect(), ..HandRules::default() }
}

#[test]
fn what_a_rule_lets_differ_is_known_to_the_calls_after_it() {
    let (maker, first, second) = stored();
    let set = format!("redis SET {B} x");
    let get = format!("redis GET {B}");
    let mut mock = mock_of(&maker, rules("like args[0]"));
    mock.begin(first);
    assert_eq!(play(&mut mock, 1, &["open 6379", &set]), "< +OK\\r\\n");
    assert!(mock.end().is_clean());
    mock.begin(second);
    let answer = play(&mut mock, 2, &["open 6379", &get]);
    assert!(answer.contains(B) && !answer.contains(A), "{answer}");
    assert!(mock.end().is_clean());
    assert!(mock.ledger().usage.renamed() > 0);

    // Without a rule the first call is not found; the second is, once the value is known.
    let mut mock = mock_of(&maker, HandRules::default());
    mock.begin(first);
    assert!(play(&mut mock, 1, &["open 6379", &set]).contains("-ERR"));
    mock.end();
    mock.ledger().flowed(vec![(A.into(), B.into())]);
    mock.begin(second);
    assert!(play(&mut mock, 2, &["open 6379", &get]).contains(B));
    // Once is once.
    assert!(play(&mut mock, 3, &["open 6379", &get]).contains("-ERR"));
    assert_eq!(verdict(mock.end()), "repeated redis-0002");
    // What is new by name alone is no change, what is new besides is.
    mock.begin(first);
    play(&mut mock, 5, &["open 6379", &format!("redis SET {B} y")]);
    let effects = mock.end();
    assert_eq!(effects.changed[0].differences.iter().map(|found| found.path.as_str()).collect::<Vec<_>>(), ["args[1]"]);
    // Another value is another call.
    mock.begin(second);
    let other = format!("redis GET {}c", &B[..B.len() - 1]);
    assert!(play(&mut mock, 4, &["open 6379", &other]).contains("-ERR"));
}

#[test]
fn a_call_gives_what_later_requests_carry() {
    let (maker, first, _) = stored();
    let mut mock = mock_of(&maker, rules("like args[0]"));
    let (id, at) = (CallId::of(&maker.mocks[0].id).unwrap(), Spot { place: "args[0]".into(), part: None });
    mock.ledger().wanted.insert(id, vec![at.clone()]);
    mock.begin(first);
    play(&mut mock, 1, &["open 6379", &format!("redis SET {B} x")]);
    assert_eq!(mock.ledger().given.get(&(Owner::Mock(id), at)).map(Vec::as_slice), Some(B.as_bytes()));
}

#[test]
fn an_answer_of_another_length_says_so() {
    let mut maker = Maker::default();
    let body = format!("{{\"id\":\"{A}\"}}");
    let answer =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let asked = |id: &str| format!("GET /orders/{id}?x=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    let call = maker.mock(Scope::Test, None, exchange("http", Direction::Out, 80, &asked(A), &answer));
    let test = maker.test(Attribution::Window, &[&call]);
    let mut mock = mock_of(&maker, HandRules::default());
    let longer = format!("{B}-k3Jx9QzT");
    mock.ledger().flowed(vec![(A.into(), longer.clone().into())]);
    mock.begin(test);
    let said = play(&mut mock, 1, &["open 80", &format!("> {}", asked(&longer))]);
    assert!(said.contains(&longer) && said.contains(&format!("Content-Length: {}\\r\\n", body.len() + 9)), "{said}");
    assert!(mock.end().is_clean());
}
