//! What links and what does not, as tables of traffic.

#![allow(clippy::unwrap_used, clippy::panic)]

use reel_lang::schema::{Direction, Side};

use super::*;
use crate::recording::testing::{exchange, resp};
use crate::recording::{CallId, MockId, Redactor, Vault};
use crate::rules::testing::path;

const ID: &str = "6fa459ea-ee8a-3ca4-894e-db77e160355e";
const OTHER: &str = "0b54bb52-1d4e-4f7d-9c3f-0123456789ab";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlX29mXzE";

/// Something that happened: a request with its answer, or a call to Redis.
enum Happens<'a> {
    Asked(&'a str, &'a str),
    Called(&'a str),
}
use Happens::{Asked, Called};

/// An HTTP message from its first line, header fields and body, with `ID`, `OTHER` and `JWT` filled in.
fn http(text: &str) -> String {
    let text = text.replace("ID", ID).replace("OTHER", OTHER).replace("JWT", JWT);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let head = head.replace('\n', "\r\n");
    let is_json = body.starts_with('{') || body.starts_with('[');
    let kind = if is_json { "Content-Type: application/json\r\n" } else { "" };
    match body.is_empty() && !head.starts_with("HTTP") {
        true => format!("{head}\r\nHost: a\r\n\r\n"),
        false => format!("{head}\r\n{kind}Content-Length: {}\r\n\r\n{body}", body.len()),
    }
}

/// Which flows are found, a line each; what `redacted` paths lead to is taken out before it is recorded.
fn found(redacted: &[(Side, &str)], happens: &[Happens<'_>]) -> Vec<String> {
    let temp = tempfile::tempdir().unwrap();
    let mut redactor = Redactor::new(Vault::of_recording(&temp.path().join("r"), temp.path()).unwrap());
    let protocol = reel_protocols::by_name("http").unwrap();
    let paths: Vec<_> = redacted.iter().map(|(side, text)| path(protocol.schema(), *side, text)).collect();
    let exchanges: Vec<Exchange> = happens
        .iter()
        .map(|one| match one {
            Asked(request, response) => exchange("http", Direction::In, 80, &http(request), &http(response)),
            Called(words) => {
                let words = words.replace("ID", ID).replace("OTHER", OTHER).replace("JWT", JWT);
                exchange("redis", Direction::Out, 6379, &resp(&words), "+OK\r\n")
            }
        })
        .collect();
    let mut finder = Finder::default();
    let is_test = |exchange: &Exchange| exchange.direction == Direction::In;
    let times = || (1..).map(|n: u64| n * 10).zip(&exchanges);
    let request = |exchange: &'_ Exchange| exchange.request.clone().unwrap();
    let of = |exchange: &Exchange| reel_protocols::by_name(&exchange.protocol).unwrap();
    times().filter(|(_, e)| is_test(e)).for_each(|(at, e)| finder.asks(at, of(e), &request(e)));
    times().filter(|(_, e)| !is_test(e)).for_each(|(at, e)| finder.calls(at + 1, of(e), &request(e)));
    let mut tests = 0;
    for (at, exchange) in times().filter(|(_, e)| is_test(e)) {
        let seen = finder.see(exchange);
        let mut recorded = exchange.clone();
        for message in recorded.request.iter_mut().chain(&mut recorded.response) {
            redactor.redact(protocol, Direction::In, message, &paths).unwrap();
        }
        finder.test(tests, seen, Some(&recorded), at, Some(at + 5));
        tests += 1;
    }
    for (number, (at, exchange)) in (1..).zip(times().filter(|(_, e)| !is_test(e))) {
        let spots = finder.spots(finder.see(exchange), exchange);
        let id = CallId::of(&MockId { protocol: "redis".into(), number }).unwrap();
        finder.call(Owner::Mock(id), at + 1, spots);
    }
    let number = |test: usize| Some(TestId(u32::try_from(test).unwrap() + 1));
    let line = |test: usize, flow: Flow| {
        let latest = if flow.latest_of > 1 { format!(", latest of {}", flow.latest_of) } else { String::new() };
        let plain = flow.plain.map_or(String::new(), |(call, at)| format!(", plain in {call} {at}"));
        format!("{} {} <- {} {}{latest}{plain}", test + 1, flow.to, flow.from, flow.at)
    };
    (0..tests).flat_map(|test| finder.flows(test, &number).into_iter().map(move |flow| line(test, flow))).collect()
}

#[track_caller]
fn check(happens: &[Happens<'_>], expect: &[&str]) {
    assert_eq!(found(&[], happens), expect);
}

const OK: &str = "HTTP/1.1 200 OK";

#[test]
fn values_link_from_an_answer_to_a_later_request() {
    let login = Asked("POST /login HTTP/1.1", "HTTP/1.1 200 OK\n\n{\"token\": \"JWT\"}");
    check(
        &[login, Asked("GET /me HTTP/1.1\nAuthorization: Bearer JWT", OK)],
        &["2 header.authorization \"Bearer {}\" <- test-0001 body.token"],
    );
    let created = || Asked("POST /orders HTTP/1.1", "HTTP/1.1 201 Created\nLocation: /orders/ID");
    check(
        &[created(), Asked("GET /orders/ID HTTP/1.1", OK)],
        &["2 target \"orders/{%}\" <- test-0001 header.location \"orders/{%}\""],
    );
    check(
        &[created(), Asked("GET /orders/ID/items?after=ID HTTP/1.1", OK)],
        &[
            "2 target \"orders/{%}/\" <- test-0001 header.location \"orders/{%}\"",
            "2 target \"after={%}\" <- test-0001 header.location \"orders/{%}\"",
        ],
    );
    let page = Asked("GET /items HTTP/1.1", "HTTP/1.1 200 OK\n\n{\"next\": \"b2Zm/c2V0+jEw9a==\"}");
    check(
        &[page, Asked("GET /items?cursor=b2Zm%2Fc2V0%2BjEw9a%3D%3D&limit=10 HTTP/1.1", OK)],
        &["2 target \"cursor={%}&\" <- test-0001 body.next"],
    );
    // Base64 that begins as a path does.
    let page = Asked("GET /items HTTP/1.1", "HTTP/1.1 200 OK\n\n{\"next\": \"/YJaHoG/MfzgKsGnDiUsNuc=\"}");
    check(
        &[page, Asked("GET /items?cursor=%2FYJaHoG%2FMfzgKsGnDiUsNuc%3D&limit=10 HTTP/1.1", OK)],
        &["2 target \"cursor={%}&\" <- test-0001 body.next"],
    );
    let form = Asked("GET /form HTTP/1.1", "HTTP/1.1 200 OK\n\n<input name=\"csrf\" value=\"k3Jx9QzT4mW8aB2c\">");
    check(
        &[
            form,
            Asked(
                "POST /form HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\ncsrf=k3Jx9QzT4mW8aB2c&n=1",
                OK,
            ),
        ],
        &["2 body.csrf <- test-0001 body \"value=\"{}\""],
    );
    let order = Asked("POST /orders HTTP/1.1", "HTTP/1.1 201 Created\n\n{\"id\": 1795000000123456789, \"n\": 5}");
    check(
        &[order, Asked("POST /pay HTTP/1.1\n\n{\"order\": 1795000000123456789, \"n\": 5}", OK)],
        &["2 body.order <- test-0001 body.id"],
    );
    let cookies = "HTTP/1.1 200 OK\nSet-Cookie: lang=de\nSet-Cookie: sid=s%3AID.x; Path=/; HttpOnly";
    check(
        &[Asked("POST /login HTTP/1.1", cookies), Asked("GET /me HTTP/1.1\nCookie: lang=de; sid=s%3AID.x", OK)],
        &["2 header.cookie \"sid={}\" <- test-0001 header[\"set-cookie\"] \"sid={}\""],
    );
}

#[test]
fn what_says_nothing_about_where_it_came_from_does_not_link() {
    for (answer, request) in [
        ("{\"id\": 1}", "GET /orders/1 HTTP/1.1"),
        ("{\"id\": 10017}", "GET /orders/10017 HTTP/1.1"),
        ("{\"ok\": true}", "GET /x?ok=true HTTP/1.1"),
        ("{\"day\": \"2026-11-21\"}", "GET /days/2026-11-21 HTTP/1.1"),
        ("{\"at\": \"2026-11-21T08:00:00.123Z\"}", "GET /x?since=2026-11-21T08%3A00%3A00.123Z HTTP/1.1"),
        ("{\"at\": 1795000000123}", "GET /x?since=1795000000123 HTTP/1.1"),
        ("{\"state\": \"pending\"}", "GET /x?state=pending HTTP/1.1"),
        ("{\"name\": \"internationalization\"}", "GET /x?name=internationalization HTTP/1.1"),
        ("{\"number\": \"ORD-48213377\"}", "GET /orders/ORD-48213377 HTTP/1.1"),
        // Not whole.
        ("{\"id\": \"ID\"}", "GET /orders/xID HTTP/1.1"),
    ] {
        let answer = format!("{OK}\n\n{answer}");
        check(&[Asked("GET / HTTP/1.1", &answer), Asked(request, OK)], &[]);
    }
}

#[test]
fn what_the_client_had_first_is_its_own() {
    let echo = format!("{OK}\n\n{{\"id\": \"ID\"}}");
    // In the request that the answer belongs to, or in one before it.
    check(&[Asked("PUT /orders/ID HTTP/1.1", &echo), Asked("GET /orders/ID HTTP/1.1", OK)], &[]);
    check(
        &[
            Asked("GET /a HTTP/1.1\nX-Client: ID", OK),
            Asked("GET /b HTTP/1.1", &echo),
            Asked("GET /orders/ID HTTP/1.1", OK),
        ],
        &[],
    );
    // An answer that comes after it has not given it.
    check(&[Asked("GET /orders/ID HTTP/1.1", OK), Asked("GET /b HTTP/1.1", &echo)], &[]);
}

#[test]
fn of_several_answers_the_latest_counts() {
    let echo = format!("{OK}\n\n{{\"id\": \"ID\"}}");
    let list = format!("{OK}\n\n{{\"all\": [\"OTHER\", \"ID\"]}}");
    check(
        &[
            Asked("POST / HTTP/1.1", &echo),
            Asked("GET /orders/ID HTTP/1.1", OK),
            Asked("GET / HTTP/1.1", &list),
            Asked("GET /orders/ID HTTP/1.1", OK),
        ],
        &[
            "2 target \"orders/{%}\" <- test-0001 body.id",
            "4 target \"orders/{%}\" <- test-0003 body.all[1], latest of 2",
        ],
    );
}

#[test]
fn a_value_may_have_come_by_a_call() {
    let reset = Asked("POST /reset HTTP/1.1", OK);
    check(
        &[reset, Called("RPUSH mails https://shop/reset?t=ID"), Asked("GET /reset?t=ID HTTP/1.1", OK)],
        &["2 target \"t={%}\" <- redis-0001 args[1] \"t={%}\""],
    );
    // An answer is what the client saw.
    let login = Asked("POST /login HTTP/1.1", "HTTP/1.1 200 OK\n\n{\"token\": \"ID\"}");
    check(
        &[Called("SET session:ID 1"), login, Asked("GET /?t=ID HTTP/1.1", OK)],
        &["2 target \"t={%}\" <- test-0001 body.token"],
    );
}

#[test]
fn what_stands_in_many_places_is_a_constant() {
    let many: Vec<String> = (0..=MAX_PLACES).map(|n| format!("\"place{n}\": \"ID\"")).collect();
    let answer = |n: usize| format!("{OK}\n\n{{{}}}", many[n]);
    let answers: Vec<String> = (0..=MAX_PLACES).map(answer).collect();
    let all: Vec<Happens<'_>> = answers.iter().map(|answer| Asked("GET / HTTP/1.1", answer)).collect();
    let last = || Asked("GET /x/ID HTTP/1.1", OK);
    assert_eq!(found(&[], &all.into_iter().chain([last()]).collect::<Vec<_>>()), [""; 0]);
    let few: Vec<Happens<'_>> = answers[1..].iter().map(|answer| Asked("GET / HTTP/1.1", answer)).collect();
    assert_eq!(found(&[], &few.into_iter().chain([last()]).collect::<Vec<_>>()).len(), 1);
}

#[test]
fn redacted_ends_are_told_by_the_names_around_them_alone() {
    let redacted = [
        (Side::Request, "header.authorization"),
        (Side::Request, "header.cookie"),
        (Side::Response, "header.set-cookie"),
        (Side::Request, "query.key"),
        (Side::Request, "body.secret"),
    ];
    let login = || {
        Asked(
            "POST /login HTTP/1.1",
            "HTTP/1.1 200 OK\nSet-Cookie: sid=ID; Path=/\n\n{\"token\": \"JWT\", \"csrf\": \"OTHER\"}",
        )
    };
    for (request, expect) in [
        ("GET / HTTP/1.1\nAuthorization: Bearer JWT", "2 header.authorization \"Bearer {}\" <- test-0001 body.token"),
        (
            "GET / HTTP/1.1\nCookie: sid=ID",
            "2 header.cookie \"sid={}\" <- test-0001 header[\"set-cookie\"] \"sid={}\", plain in redis-0001 args[0] \"session:{}\"",
        ),
        // Another cookie may be a secret that nobody gave.
        (
            "GET / HTTP/1.1\nCookie: theme=dark; sid=ID",
            "2 header.cookie \"sid={}\" <- test-0001 header[\"set-cookie\"] \"sid={}\", plain in redis-0001 args[0] \"session:{}\"",
        ),
        ("GET /?a=1&key=OTHER HTTP/1.1", "2 target \"key={%}\" <- test-0001 body.csrf"),
        ("POST / HTTP/1.1\n\n{\"secret\": \"OTHER\"}", "2 body.secret <- test-0001 body.csrf"),
        // The words around it would reach the disk.
        ("POST / HTTP/1.1\n\n{\"secret\": \"pass=hunter2 and OTHER\"}", ""),
        ("GET / HTTP/1.1\nAuthorization: hunter2 and JWT", ""),
    ] {
        let flows = found(&redacted, &[Called("SET session:ID 1"), login(), Asked(request, OK)]);
        assert_eq!(flows.join("\n"), expect, "{request}");
    }
    let both = found(
        &redacted,
        &[
            Asked("POST /login HTTP/1.1", "HTTP/1.1 200 OK\nSet-Cookie: sid=ID\nSet-Cookie: csrf=OTHER"),
            Asked("GET / HTTP/1.1\nCookie: sid=ID; csrf=OTHER", OK),
        ],
    );
    assert_eq!(
        both,
        [
            "2 header.cookie \"sid={}; csrf=*\" <- test-0001 header[\"set-cookie\"] \"sid={}\"",
            "2 header.cookie \"sid=*; csrf={}\" <- test-0001 header[\"set-cookie\"] \"csrf={}\"",
        ]
    );
}
