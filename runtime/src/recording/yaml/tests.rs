//! What the emitter writes reads back, by our reader and by another one; faults name their line.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use proptest::prelude::*;

fn round_trip(node: &Node) {
    let text = format!("---\n{}", document(node));
    let back = documents(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(back.len(), 1, "{text}");
    assert_eq!(strip(&back[0]), strip(node), "{text}");
    oracle::assert_read_alike(&text);
}

/// Forgets lines, and how a text was quoted.
fn strip(node: &Node) -> Node {
    let kind = match &node.kind {
        Kind::Plain(text) => match Scalar::of(text) {
            Scalar::Text(text) => Kind::Text(text.to_owned()),
            _ => Kind::Plain(text.clone()),
        },
        Kind::Text(text) => Kind::Text(text.clone()),
        Kind::Seq(items) => Kind::Seq(items.iter().map(strip).collect()),
        Kind::Map(pairs) => Kind::Map(pairs.iter().map(|(k, v)| (strip(k), strip(v))).collect()),
    };
    Node { tag: node.tag.clone(), kind, line: 0 }
}

#[test]
fn writes_one_readable_form() {
    let node = Node::map([
        ("method", Node::text("GET")),
        ("when", Node::text("12:30:45")),
        ("day", Node::text("2001-01-01")),
        ("answer", Node::text("no")),
        ("count", Node::plain(3)),
        ("args", Node::seq(vec![Node::text("SET"), Node::text("k:1"), Node::text("5")])),
        ("empty", Node::seq(vec![])),
        ("sql", Node::text("select 1\n  from t\n\nwhere x\n")),
        (
            "rows",
            Node::seq(vec![
                Node::map([("id", Node::plain("1.10")), ("on", Node::plain("null"))]),
                Node::seq(vec![Node::map([("a", Node::plain(1))])]),
                Node::text("two\nlines"),
            ]),
        ),
        ("raw", Node::text("AAEC").tagged("binary")),
        ("pairs", Node::seq(vec![Node::map([("a", Node::text("\u{0}\r\n"))])]).tagged("pairs")),
    ]);
    let expect = "\
method: GET
when: \"12:30:45\"
day: \"2001-01-01\"
answer: \"no\"
count: 3
args: [SET, \"k:1\", \"5\"]
empty: []
sql: |
  select 1
    from t

  where x
rows:
  - id: 1.10
    \"on\": null
  -
    - a: 1
  - |-
    two
    lines
raw: !binary AAEC
pairs: !pairs
  - a: \"\\x00\\r\\n\"
";
    assert_eq!(document(&node), expect);
    round_trip(&node);
}

#[test]
fn faults_have_lines() {
    for (text, line, part) in [
        ("a: 1\nb: [1\n", 3, ""),
        ("a: 1\na: 2\n", 2, "twice"),
        ("a: &x 1\nb: *x\n", 1, "anchor"),
        ("a: !!python/object x\n", 1, "tag"),
        ("a: 1\n? [1]\n: 2\n", 2, "scalar"),
        ("a: \"x\n", 1, ""),
    ] {
        let fault = documents(text).unwrap_err();
        assert_eq!(fault.line, line, "{text}: {fault}");
        assert!(fault.reason.contains(part), "{text}: {fault}");
    }
    assert!(documents(&"[".repeat(100_000)).is_err());
    assert!(documents(&"- ".repeat(10_000)).unwrap_err().reason.contains("deeper"));
}

#[test]
fn numbers_keep_their_digits() {
    for text in ["0", "-0", "1.10", "1e5", "18446744073709551616", "-1.5E-7"] {
        assert_eq!(Scalar::of(text), Scalar::Number(text));
    }
    for text in ["01", "+1", "0x10", ".5", "1.", "1e", "1_000", "12:30"] {
        assert_eq!(Scalar::of(text), Scalar::Text(text));
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "[ -~\n\t\r]{0,24}",
        "[a-z \n#:'\"|>%@`-]{0,16}",
        any::<String>(),
        prop::sample::select(vec![
            "",
            "~",
            "null",
            "No",
            "1",
            "1.0",
            "---",
            "...",
            "- a",
            "a -",
            "? a",
            "a: b",
            "a #b",
            "<<",
            "=",
            "!x",
            "&a",
            "*a",
            " a",
            "a ",
            "\n",
            "a\n",
            "a\n\n",
            "\na",
            "a\n b",
            "a\n\tb",
            "{{secret:x:1}}",
            "0x1f",
            "1:2",
            "\u{85}",
            "a\u{2028}b",
        ])
        .prop_map(str::to_owned),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        text().prop_map(Node::text),
        Just(Node::plain("null")),
        Just(Node::plain("1.50")),
        text().prop_map(|t| Node::text(t).tagged("simple")),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Node::seq),
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| Node::seq(items).tagged("push")),
            prop::collection::btree_map(text(), inner.clone(), 0..5).prop_map(Node::map),
            prop::collection::btree_map(text(), inner, 1..5).prop_map(|m| Node::map(m).tagged("map")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(node in node()) {
        round_trip(&node);
    }
}
