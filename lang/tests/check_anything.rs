//! The checker on programs that nobody would write: the data files cut up, doubled, and mixed with words that mean something.
//!
//! Whatever parses, nothing panics and nothing blows up; every diagnostic can be shown; there is a program exactly where there
//! is no error; the dump can be made, and the same text gives the same answer.
#![allow(clippy::unwrap_used)]

mod check_env;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use check_env::World;
use proptest::prelude::*;
use reel_lang::check::{Checked, Options, check};
use reel_lang::diagnostic::code;
use reel_lang::diagnostic::render::{self, Colour};
use reel_lang::hir::dump;
use reel_lang::parse::parse;
use reel_lang::span::SourceMap;

/// The lines of the data files, each of which is mostly a clause.
fn lines() -> &'static [String] {
    static LINES: OnceLock<Vec<String>> = OnceLock::new();
    LINES.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut paths = Vec::new();
        for folder in ["tests/check", "tests/parse", "stdlib/src"] {
            paths.extend(fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
        }
        paths.retain(|path| path.extension().is_some_and(|e| e == "rr"));
        paths.sort();
        let texts = paths.iter().map(|path| fs::read_to_string(path).unwrap());
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    })
}

/// Checks a text, and drops the program where the text did not parse.
fn checked(text: &str) -> (SourceMap, Checked) {
    let (sources, file) = SourceMap::single("any.rr", text);
    let parsed = parse(&sources, file);
    let options = Options { positional: vec!["7".to_owned()], ..Options::default() };
    let mut checked = check(std::slice::from_ref(&parsed.program), &World::default(), &options);
    assert_eq!(checked.program.is_none(), checked.diagnostics.has_errors());
    checked.program = checked.program.filter(|_| parsed.is_ok());
    (sources, checked)
}

fn hold(text: &str) {
    let (sources, first) = checked(text);
    for diagnostic in &first.diagnostics {
        assert!(!render::text(diagnostic, &sources, Colour::Plain).is_empty());
        let places = diagnostic.secondary.iter().map(|label| label.span).chain([diagnostic.span]);
        for place in places {
            assert!(text.get(place.range()).is_some(), "{place:?} is not a place in {text:?}");
        }
    }
    let (_, second) = checked(text);
    let shown = |checked: &Checked| checked.program.as_ref().map(dump::dump);
    assert_eq!(shown(&first), shown(&second));
    if let Some(dump) = shown(&first) {
        assert!(!dump.contains("<error>"), "a program without errors has a type that is none:\n{text}\n{dump}");
    }
}

fn word() -> impl Strategy<Value = String> {
    let words = "pid comm args args.filename nsecs $x $t @ @m @m[1] @m[$x] path body body.id header[\"a\"] latency status \
        request.path response.body nil null 1 -1 20ms 1.5 \"s\" count() hist(5) sum($x) str(arg0) uuid(path) curtask \
        curtask.comm (1,2) ++ == =~ < + && ! ? : ( ) [ ] { } ; , = += if($x){ while(1){ break; return; print( printf(\"%d\",5) \
        ignore(body) skip; key(path) begin{ http:exchange{ mock:http{ noise\ta(s)= macro\tb(x){ b(1) (uint8) *";
    let words: Vec<String> = words.split_whitespace().map(|word| word.replace('\t', " ")).collect();
    prop::sample::select(words)
}

/// Some lines of the data files with some places replaced by words.
fn mixed() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0usize..8, word());
    let chosen = prop::collection::vec(any::<prop::sample::Index>(), 1..5);
    (chosen, prop::collection::vec(edit, 0..5)).prop_map(|(chosen, edits)| {
        let text: Vec<&str> = chosen.iter().map(|at| lines()[at.index(lines().len())].as_str()).collect();
        let mut chars: Vec<char> = text.join("\n").chars().collect();
        for (at, len, word) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + len).min(chars.len());
            chars.splice(at..end, format!(" {word} ").chars());
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mixed_lines_are_checked_without_a_panic(text in mixed()) {
        hold(&text);
    }

    #[test]
    fn clauses_of_words_are_checked_without_a_panic(words in prop::collection::vec(word(), 0..12), on in 0usize..4) {
        let header = ["begin", "tracepoint:syscalls:sys_enter_open*", "http:exchange", "match:http"][on];
        hold(&format!("{header} {{ {} }}", words.join(" ")));
    }
}

#[test]
fn the_tallest_trees_are_checked_on_a_small_stack() {
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("@a[", "1", "]"),
        ("{ ", "1", " }"),
        ("1 ? ", "1", " : 2"),
        ("-(", "1", ")"),
        ("(int8)(", "1", ")"),
        ("sizeof(", "1", ")"),
        ("++@a[", "1", "]"),
        ("str(", "nsecs", ")"),
        ("1 ?: (", "1", ")"),
        ("if (1) { ", "1", " } else { 2 }"),
    ] {
        let text = format!("begin {{ $x = {}{middle}{}; }}", open.repeat(30), close.repeat(30));
        hold(&text);
    }
    hold(&format!("begin {{ $x = 1{}; }}", " + 1".repeat(150)));
    hold(&format!("begin {{ {}{} }}", "if (1) { ".repeat(60), "}".repeat(60)));
}

#[test]
fn macros_that_double_what_they_are_passed_end_in_an_error() {
    let mut text = "macro twice(x) { x + x }\nbegin { print(".to_owned();
    text.push_str(&"twice(".repeat(28));
    text.push('1');
    text.push_str(&")".repeat(28));
    text.push_str("); }");
    let begun = Instant::now();
    let (_, checked) = checked(&text);
    assert!(checked.diagnostics.iter().any(|d| d.code == code::RECURSION), "{:?}", checked.diagnostics);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn nested_tuple_keys_do_not_multiply() {
    let mut key = "nsecs".to_owned();
    for _ in 0..12 {
        key = format!("@m[nsecs ? (1, {key}) : (2, 3)]");
    }
    let begun = Instant::now();
    hold(&format!("begin {{ @m[1, 2] = 3; print({key}); {key} *= 2; $y = ++{key}; }}"));
    assert!(begun.elapsed() < Duration::from_secs(10));
}
