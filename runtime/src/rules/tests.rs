//! Rules from text, through the whole compiler.

#![allow(clippy::unwrap_used, clippy::panic)]

use reel_lang::schema::{Direction, Side};
use reel_lang::span::SourceMap;
use reel_lang::value::Value;

use super::load::{LoadError, compile};
use super::selection::Selector;
use super::*;
use crate::engine::environment::Machine;
use crate::record::compose::Selection;
use crate::recording::testing::{exchange, resp};
use crate::recording::{Circumstance, Exchange, Redactor, Vault};

/// Compiles a rule file after stdlib's.
fn rules(text: &str) -> Ruleset {
    let mut sources = SourceMap::new();
    for (name, text) in reel_stdlib::files() {
        sources.add(format!("stdlib {name}"), *text);
    }
    sources.add("mine.rr", text);
    match compile(&sources, &Machine::default()) {
        Ok((rules, _)) => rules,
        Err(LoadError::Faults(faults)) => panic!("{:?}", faults.0),
        Err(LoadError::Compiler(reason)) => panic!("{reason}"),
    }
}

fn get(target: &str) -> Exchange {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost:80\r\n\r\n");
    let response = "HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Length: 2\r\n\r\nok";
    exchange("http", Direction::In, 8080, &request, response)
}

fn view(exchange: &Exchange) -> View<'_> {
    View::of(reel_protocols::by_name(&exchange.protocol).unwrap(), exchange)
}

#[test]
fn capture_rules_select_skip_tag_and_redact() {
    let verdict = |text: &str, target: &str| {
        let exchange = get(target);
        let capture = rules(text).capture(&view(&exchange));
        (capture.record, capture.tags.join(","), capture.redact.len())
    };
    let redacted = 5;
    assert_eq!(verdict("", "/a"), (true, String::new(), redacted));
    let chosen = r#"capture:http:in /path == "/a"/ { }"#;
    assert!(verdict(chosen, "/a").0 && !verdict(chosen, "/b").0);
    let skipped = r#"capture:http:in /path == "/healthz"/ { skip; }"#;
    assert!(verdict(skipped, "/a").0 && !verdict(skipped, "/healthz").0);
    let tagged = r#"capture:http:in /path == "/a"/ { tag("slow"); redact(request.body.x); }"#;
    assert_eq!(verdict(tagged, "/a"), (true, "slow".into(), redacted + 1));
    assert_eq!(verdict(tagged, "/b"), (true, String::new(), redacted));
}

#[test]
fn a_sample_takes_one_of_several_requests_and_every_call() {
    let temp = tempfile::tempdir().unwrap();
    let rules = rules(r#"capture:http:in { sample(2); } capture:http { tag("half"); limit(1KB); limit(20); }"#);
    let vault = Vault::of_recording(&temp.path().join("r"), &temp.path().join("state")).unwrap();
    let mut selector = Selector::new(&rules, Redactor::new(vault));
    let mut judge = |direction: Direction, target: &str| {
        let mut exchange = get(target);
        exchange.direction = direction;
        let verdict = selector.judge(&mut exchange, &Circumstance::default());
        let cut: Vec<bool> =
            exchange.request.iter().chain(&exchange.response).map(|message| message.cut_from.is_some()).collect();
        (verdict.is_skipped, verdict.tags.join(","), cut)
    };
    let skipped: Vec<bool> = (0..4).map(|_| judge(Direction::In, "/a").0).collect();
    assert_eq!(skipped, [false, true, false, true]);
    for _ in 0..3 {
        // The least of several limits holds.
        assert_eq!(judge(Direction::Out, "/a"), (false, "half".into(), vec![true, true]));
    }
}

#[test]
fn match_rules_name_themselves_and_their_defaults() {
    let mine = r#"match:http:in:response /path == "/a"/ { ignore(body.t); within(body.n, 1%); require(status < 500, "it broke"); }"#;
    let rules = rules(mine);
    let exchange = get("/a");
    let found = rules.relaxations(Side::Response, &view(&exchange));
    let names: Vec<String> = found.iter().map(|rule| rule.origin.to_string()).collect();
    assert!(names.contains(&"ignore(body.t)  mine.rr:1".to_owned()), "{names:?}");
    assert!(
        found.iter().any(|r| r.origin.is_default && &*r.origin.text == r#"like(header["date"], http_date)"#),
        "{names:?}"
    );
    assert!(!found.iter().any(|rule| rule.path.side == Side::Request));
    let Some(Relax::Like { class, .. }) = found.iter().map(|r| &r.relax).find(|r| matches!(r, Relax::Like { .. }))
    else {
        panic!("{names:?}")
    };
    assert!(rules.contains(*class, &Value::from("Tue, 15 Nov 1994 08:12:31 GMT")));
    assert!(!rules.contains(*class, &Value::from("yesterday")) && !rules.contains(*class, &Value::Null));
    assert_eq!(rules.relaxations(Side::Response, &view(&get("/b"))).len(), found.len() - 2);
    assert!(rules.unmet(Side::Response, &view(&exchange)).is_empty());
    let broken = exchange_with_status(&exchange);
    let unmet = rules.unmet(Side::Response, &view(&broken));
    assert_eq!(unmet.iter().map(|unmet| unmet.why.as_str()).collect::<Vec<_>>(), ["it broke"]);
}

fn exchange_with_status(exchange: &Exchange) -> Exchange {
    let mut exchange = exchange.clone();
    let schema = reel_protocols::by_name("http").unwrap().schema();
    let status = schema.field(Side::Response, "status").unwrap().id;
    exchange.response.as_mut().unwrap().put(status, Value::Int(500));
    exchange
}

#[test]
fn the_first_mock_rule_that_holds_wins() {
    let rules = rules(
        r#"
        mock:redis /command == "GET" && key =~ "^session:"/ { respond(null); delay(20ms); }
        mock:redis /command == "GET"/ { abort(reset); }
        mock:redis /command == "PING"/ { cycle; }
        mock:redis /command == "SET"/ { key(command, args[0]); }
        "#,
    );
    let mocking = |words: &str| {
        let exchange = exchange("redis", Direction::Out, 6379, &resp(words), "+OK\r\n");
        rules.mocking(&view(&exchange))
    };
    let session = mocking("GET session:1");
    assert_eq!(session.answer, Answer::Respond(vec![("reply".into(), Value::Null)]));
    assert_eq!(session.delay_ns, 20_000_000);
    assert_eq!(
        session.decided.unwrap().1.to_string(),
        "respond(null) where command == \"GET\" && key =~ \"^session:\"  mine.rr:2"
    );
    assert_eq!(mocking("GET a").answer, Answer::Abort(reel_lang::hir::Abort::Reset));
    // Mine wins over the default, which says `latest`.
    assert_eq!(mocking("PING").reuse, Reuse::Cycle);
    assert_eq!(mocking("SELECT 0").reuse, Reuse::Latest);
    assert_eq!(mocking("SET a b").key.unwrap().len(), 2);
    assert_eq!(mocking("DEL a"), Mocking::default());
}
