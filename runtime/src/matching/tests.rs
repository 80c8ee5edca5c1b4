//! Two messages and the rules between them: what differs, what a rule accepts, and a planted difference for each rule.

#![allow(clippy::unwrap_used, clippy::panic)]

use reel_lang::schema::{Schema, Side};
use reel_lang::value::Value;
use reel_protocols::Message;

use super::*;
use crate::recording::yaml_value;
use crate::rules::testing::{HandRules, relaxations};

const SCHEMA: &str = "/// A toy.\nprotocol toy;\nrequest {\n /// m\n method: string key;\n /// h\n header: headers;\n /// b\n body: any;\n /// n\n note: string uncompared;\n}\nresponse {\n /// b\n body: any;\n}\n";

fn schema() -> Schema {
    reel_lang::schema::parse(SCHEMA).unwrap_or_else(|e| panic!("{e:?}"))
}

/// Makes a request out of YAML: a map of fields.
fn request(schema: &Schema, yaml: &str) -> Message {
    let mut message = Message::new(schema, Side::Request);
    let Value::Map(fields) = yaml_value(yaml) else { panic!("{yaml}") };
    for (name, value) in fields {
        message.put(schema.field(Side::Request, name.as_str().unwrap()).unwrap().id, value);
    }
    message
}

/// Compares two requests and gives a line for each difference, then one for each note.
fn compare(recorded: &str, replayed: &str, rules: &str) -> String {
    let schema = schema();
    let rules = relaxations(&schema, Side::Request, rules);
    let (mut equality, mut usage) = (Equality::default(), Usage::default());
    let classes = HandRules::default();
    let mut matcher = Matcher { classes: &classes, equality: &mut equality, usage: &mut usage };
    let (a, b) = (request(&schema, recorded), request(&schema, replayed));
    let found = matcher.compare(&schema, Side::Request, &a, &b, &rules);
    let mut out = String::new();
    for difference in &found {
        out.push_str(&format!("{}: {}\n", difference.path, difference.why));
    }
    for used in usage.relaxed() {
        out.push_str(&format!("used {}\n", used.origin.text));
    }
    for used in usage.unmatched() {
        out.push_str(&format!("unmatched {}\n", used.text));
    }
    for (ignore, by) in usage.gave_way() {
        out.push_str(&format!("{} gave way to {}\n", ignore.text, by.text));
    }
    let address = ([127, 0, 0, 1], 1).into();
    let same_key = request_key(&schema, address, &a, &rules) == request_key(&schema, address, &b, &rules);
    // Calls that are equal but for what rules relax share a key; without rules, only they do.
    assert!(same_key || !found.is_empty(), "no difference, yet two keys: {recorded} {replayed} {rules:?}");
    assert!(!same_key || found.is_empty() || !rules.is_empty(), "differences, yet one key: {found:?}");
    // Where no rule speaks of the operation, calls with one key are among those of one operation.
    let narrows = !relaxes_operation(&schema, &rules);
    assert!(!same_key || !narrows || operation(&schema, &a) == operation(&schema, &b), "{recorded} {replayed}");
    out
}

#[test]
fn what_no_rule_mentions_must_be_equal() {
    for (recorded, replayed, expect) in [
        ("{body: {a: 1}}", "{body: {a: 1}}", ""),
        ("{body: {a: 1, b: 2}}", "{body: {b: 2, a: 1.0}}", ""),
        ("{body: {a: 1}}", "{body: {a: 2}}", "body.a: it changed\n"),
        ("{body: {a: 1}}", "{body: {a: \"1\"}}", "body.a: it was a number, and is a string\n"),
        ("{body: {a: 1}}", "{body: {}}", "body.a: it is missing\n"),
        ("{body: {}}", "{body: {\"x y\": null}}", "body[\"x y\"]: it was not there in the recording\n"),
        ("{body: {a: null}}", "{body: {}}", "body.a: it is missing\n"),
        ("{body: [1, 2]}", "{body: [2, 1]}", "body[0]: it changed\nbody[1]: it changed\n"),
        ("{body: [1]}", "{body: [1, 2]}", "body[1]: it was not there in the recording\n"),
        ("{body: 9007199254740993}", "{body: 9007199254740992}", "body: it changed\n"),
        ("{body: null}", "{}", "body: it is missing\n"),
        ("{header: {X-A: b}}", "{header: {x-a: b}}", ""),
        ("{header: {X-A: b}}", "{header: {X-A: B}}", "header[\"x-a\"]: it changed\n"),
        (
            "{header: !pairs [{a: x}, {a: y}]}",
            "{header: !pairs [{a: y}, {a: x}]}",
            "header.a[0]: it changed\nheader.a[1]: it changed\n",
        ),
        ("{header: !pairs [{a: x}, {b: y}]}", "{header: !pairs [{b: y}, {a: x}]}", ""),
        ("{note: a}", "{note: b}", ""),
        ("{body: !simple OK}", "{body: OK}", "body: it changed\n"),
        ("{body: !simple OK}", "{body: !error OK}", "body: it was a simple on the wire, and is a error\n"),
    ] {
        assert_eq!(compare(recorded, replayed, ""), expect, "{recorded} {replayed}");
    }
}

#[test]
fn rules_relax_by_name_and_each_use_is_noted() {
    for (recorded, replayed, rules, expect) in [
        ("{body: {a: 1}}", "{body: {a: 2}}", "ignore body.a", "used ignore body.a\n"),
        ("{body: {a: 1}}", "{body: {a: 1}}", "ignore body.a", ""),
        ("{body: {a: 1}}", "{body: {}}", "ignore body.a", "used ignore body.a\n"),
        ("{body: {ab: 1}}", "{body: {ab: 2}}", "ignore body.a", "body.ab: it changed\nunmatched ignore body.a\n"),
        ("{body: [{t: 1}, {t: 2}]}", "{body: [{t: 3}, {t: 4}]}", "ignore body[*].t", "used ignore body[*].t\n"),
        (
            "{body: [{t: 1}, {t: 2}]}",
            "{body: [{t: 3}, {t: 4}]}",
            "ignore body[0].t",
            "body[1].t: it changed\nused ignore body[0].t\n",
        ),
        (
            "{body: {x: {t: 1}}}",
            "{body: {x: {t: 2}}}",
            "ignore body.t",
            "body.x.t: it changed\nunmatched ignore body.t\n",
        ),
        ("{body: {x: {t: 1}}}", "{body: {x: {t: 2}}}", "ignore body.**.t", "used ignore body.**.t\n"),
        ("{header: {Date: x}}", "{header: {date: y}}", "ignore header.DATE", "used ignore header.DATE\n"),
        ("{body: {a: 1.10}}", "{body: {a: 1.11}}", "within body.a 0.01", "used within body.a 0.01\n"),
        ("{body: {a: 1.10}}", "{body: {a: 1.12}}", "within body.a 0.01", "body.a: it is not within the tolerance\n"),
        ("{body: {a: 1}}", "{body: {a: x}}", "within body.a 0.01", "body.a: a tolerance wants two numbers\n"),
        ("{body: {a: 200}}", "{body: {a: 202}}", "within body.a 1%", "used within body.a 1%\n"),
        ("{body: {a: 1}}", "{body: {}}", "optional body.a", "used optional body.a\n"),
        ("{body: {a: 1}}", "{body: {a: 2}}", "optional body.a", "body.a: it changed\n"),
        ("{body: [3, 1, 2]}", "{body: [1, 2, 3]}", "unordered body", "used unordered body\n"),
        ("{body: [1, 1, 2]}", "{body: [1, 2, 2]}", "unordered body", "body[1]: it changed\nused unordered body\n"),
        ("{body: [1]}", "{body: [1, 2]}", "unordered body", "body[1]: it was not there in the recording\n"),
        (
            "{body: [{id: 1, t: 5}, {id: 2, t: 6}]}",
            "{body: [{id: 2, t: 7}, {id: 1, t: 8}]}",
            "unordered body\nignore body[*].t",
            "used unordered body\nused ignore body[*].t\n",
        ),
    ] {
        assert_eq!(compare(recorded, replayed, rules), expect, "{recorded} {replayed} {rules}");
    }
}

#[test]
fn like_wants_both_in_the_class_and_keeps_equality() {
    for (recorded, replayed, expect) in [
        ("{body: {a: id-1}}", "{body: {a: id-2}}", "used like body.*\n"),
        ("{body: {a: id-1}}", "{body: {a: id-1}}", ""),
        ("{body: {a: id-1}}", "{body: {a: x}}", "body.a: it is not like id\n"),
        ("{body: {a: x}}", "{body: {a: id-2}}", "body.a: the recorded value is not like id\n"),
        ("{body: {a: id-1}}", "{body: {a: 2}}", "body.a: it was a string, and is a number\n"),
        ("{body: {a: id-1, b: id-1}}", "{body: {a: id-7, b: id-7}}", "used like body.*\n"),
    ] {
        let out = compare(recorded, replayed, "like body[*]").replace("like body[*]", "like body.*");
        assert_eq!(out, expect, "{recorded} {replayed}");
    }
    let broken = compare("{body: {a: id-1, b: id-1}}", "{body: {a: id-7, b: id-8}}", "like body[*]");
    assert!(broken.starts_with("body.b: the same recorded value came back as id-7 before"), "{broken}");
    let merged = compare("{body: {a: id-1, b: id-2}}", "{body: {a: id-7, b: id-7}}", "like body[*]");
    assert!(merged.starts_with("body.b: this value stood for the recorded id-1 before"), "{merged}");
    // Two readings of a clock that were equal need not be equal again.
    let date = |s| format!("Tue, 15 Nov 1994 08:12:{s} GMT");
    let (one, two, three) = (date(31), date(40), date(41));
    let recorded = format!("{{body: [\"{one}\", \"{one}\"]}}");
    assert_eq!(
        compare(&recorded, &format!("{{body: [\"{two}\", \"{three}\"]}}"), "like body[*]"),
        "used like body[*]\n"
    );
}

/// At the turn of a second it is chance whether two readings differ: a report says the same either way.
#[test]
fn readings_of_a_clock_count_as_relaxed_also_where_they_are_the_same() {
    for (value, rule, is_used) in [
        ("\"Tue, 15 Nov 1994 08:12:31 GMT\"", "ignore body", true),
        ("1700000000", "within body 1", true),
        ("\"2024-02-29T12:00:00Z\"", "ignore body", true),
        ("\"id-1\"", "like body", false),
        ("7", "within body 1", false),
    ] {
        let same = format!("{{body: {value}}}");
        let expect = if is_used { format!("used {rule}\n") } else { String::new() };
        assert_eq!(compare(&same, &same, rule), expect, "{value}");
    }
}

#[test]
fn an_ignore_gives_way_to_a_requirement() {
    let rules = "ignore body.a\nwithin body.a 1";
    assert_eq!(
        compare("{body: {a: 1}}", "{body: {a: 5}}", rules),
        "body.a: it is not within the tolerance\nignore body.a gave way to within body.a 1\n"
    );
}

#[test]
fn a_redacted_value_is_any_value_but_always_the_same() {
    let recorded = "{header: {a: \"{{secret:x:1}}\", b: \"{{secret:x:1}}\"}}";
    let schema = schema();
    let check = |replayed: &str| {
        let (mut equality, mut usage) = (Equality::default(), Usage::default());
        let classes = HandRules::default();
        let mut matcher = Matcher { classes: &classes, equality: &mut equality, usage: &mut usage };
        let found =
            matcher.compare(&schema, Side::Request, &request(&schema, recorded), &request(&schema, replayed), &[]);
        (found.len(), usage.secrets())
    };
    assert_eq!(check("{header: {a: k, b: k}}"), (0, 2));
    assert_eq!(check("{header: {a: k, b: l}}"), (1, 2));
    assert_eq!(check("{header: {a: k}}"), (1, 1));
}

#[test]
fn a_redacted_number_is_any_number_and_only_a_token_makes_it_one() {
    let schema = schema();
    let body = schema.field(Side::Request, "body").unwrap().id;
    let check = |text: &str| {
        let (mut equality, mut usage) = (Equality::default(), Usage::default());
        let classes = HandRules::default();
        let mut matcher = Matcher { classes: &classes, equality: &mut equality, usage: &mut usage };
        let mut recorded = Message::new(&schema, Side::Request);
        recorded.put(body, Value::Tagged(crate::recording::NUMBER, Box::new(Value::text(text))));
        matcher.compare(&schema, Side::Request, &recorded, &request(&schema, "{body: 5}"), &[]).len()
    };
    assert_eq!(["{{secret:pin:n1}}", "12", "", "{{secret:pin"].map(check), [0, 1, 1, 1]);
}

#[test]
fn an_operation_is_told_by_the_fields_that_name_it() {
    let schema = schema();
    let of = |yaml| operation(&schema, &request(&schema, yaml));
    assert_eq!(of("{method: GET, body: a}"), of("{method: GET, body: b}"));
    assert_ne!(of("{method: GET}"), of("{method: PUT}"));
    let relaxes = |rule| relaxes_operation(&schema, &relaxations(&schema, Side::Request, rule));
    assert_eq!([relaxes("ignore body"), relaxes("ignore method")], [false, true]);
}

#[test]
fn a_chosen_key_looks_at_its_fields_alone() {
    let schema = schema();
    let paths = [
        crate::rules::testing::path(&schema, Side::Request, "header.x"),
        crate::rules::testing::path(&schema, Side::Request, "body.a"),
    ];
    let key = |yaml| chosen_key(&schema, ([127, 0, 0, 1], 1).into(), &request(&schema, yaml), &paths);
    assert_eq!(key("{header: {X: 1}, body: {a: 1, b: 2}}"), key("{header: {x: 1}, body: {a: 1.0, b: 3}}"));
    assert_ne!(key("{header: {X: 1}, body: {a: 1}}"), key("{header: {X: 1}, body: {a: 2}}"));
    assert_ne!(key("{header: {X: 1}}"), key("{body: {a: 1}}"));
}

#[test]
fn many_differences_are_cut_and_unordered_lists_still_pair() {
    let list = |from: u32| (from..from + 200).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let out = compare(&format!("{{body: [{}]}}", list(0)), &format!("{{body: [{}]}}", list(1000)), "");
    assert_eq!(out.lines().count(), 50);
}

#[test]
fn nearest_is_the_one_that_shares_most() {
    let schema = schema();
    let like = |a, b| similarity(&schema, &request(&schema, a), &request(&schema, b));
    let call = "{method: SET, body: [order:1, \"17\"]}";
    assert_eq!(like(call, call), 1000);
    assert!(like(call, "{method: SET, body: [order:1, \"18\"]}") > like(call, "{method: GET, body: [order:1]}"));
    assert!(like(call, "{method: SET, body: [orders:1, \"17\"]}") > like(call, "{method: SET, body: [user, x]}"));
}

#[test]
fn a_value_of_this_replay_stands_for_the_recorded_one_and_no_other_does() {
    const A: &str = "6fa459ea-ee8a-3ca4-894e-db77e160355e";
    const B: &str = "0b54bb52-1d4e-4f7d-9c3f-0123456789ab";
    let schema = schema();
    let of = |value: &str| format!("{{body: {{id: \"{value}\", link: \"/orders/{value}\", \"{value}\": 1}}}}");
    let check = |replayed: &str, is_known: bool| {
        let (mut equality, mut usage) = (Equality::default(), Usage::default());
        if is_known {
            equality.flows(A.as_bytes(), B.as_bytes());
        }
        let classes = HandRules::default();
        let mut matcher = Matcher { classes: &classes, equality: &mut equality, usage: &mut usage };
        let (was, is) = (request(&schema, &of(A)), request(&schema, &of(replayed)));
        (matcher.compare(&schema, Side::Request, &was, &is, &[]).len(), usage.renamed())
    };
    assert_eq!(check(B, true), (0, 3));
    // A key that went and one that came are two differences.
    assert_eq!(check(B, false), (4, 0));
    assert_eq!(check("0b54bb52-1d4e-4f7d-9c3f-0123456789ac", true).0, 4);
}
