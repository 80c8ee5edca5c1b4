//! Texts at and over the limits: a clear error with its place, linear time, and no overflow of a test thread's stack.
#![allow(clippy::unwrap_used)]

use reel_lang::diagnostic::{Diagnostic, code};
use reel_lang::parse::{Parsed, parse};
use reel_lang::scan::limits::{MAX_OPEN, MAX_TREE_DEPTH};
use reel_lang::span::SourceMap;

fn parsed(text: &str) -> Parsed {
    let (sources, file) = SourceMap::single("big.rr", text);
    parse(&sources, file)
}

fn only_error(text: &str) -> Diagnostic {
    let mut errors = parsed(text).diagnostics;
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

fn wrap(open: &str, middle: &str, close: &str, times: usize) -> String {
    format!("begin {{ $x = {}{middle}{}; }}\nend {{ exit(); }}\n", open.repeat(times), close.repeat(times))
}

#[test]
fn the_deepest_allowed_text_parses() {
    // The body's brace is one.
    let most = MAX_OPEN - 1;
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("@a[", "1", "]"),
        ("f(", "1", ")"),
        ("{ ", "1", " }"),
        ("1 ? ", "1", " : 2"),
        ("(a=", "1", ")"),
        ("-(", "1", ")"),
        ("(int8)(", "1", ")"),
        ("sizeof(", "x", ")"),
    ] {
        let result = parsed(&wrap(open, middle, close, most));
        assert!(result.is_ok(), "{open}: {:?}", result.diagnostics);
        assert_eq!(result.program.items.len(), 2);
    }
    let result = parsed(&wrap("if 1 { ", "1", " } else { 2 }", most / 2));
    assert!(result.is_ok(), "{:?}", result.diagnostics);
}

#[test]
fn one_bracket_more_is_an_error_with_its_place() {
    for (open, middle, close) in [("(", "1", ")"), ("@a[", "1", "]"), ("{ ", "1", " }"), ("1 ? ", "1", " : 2")] {
        let text = wrap(open, middle, close, MAX_OPEN);
        let error = only_error(&text);
        assert_eq!(error.code, code::TOO_DEEP, "{error:?}");
        let at = error.span.start as usize;
        assert!(at > 10 && at < text.find('\n').unwrap(), "{error:?}");
        assert_eq!(parsed(&text).program.items.len(), 1, "the other clause is kept");
    }
}

#[test]
fn a_hundred_thousand_brackets_are_one_error() {
    for open in ["(", "[", "{", "((", "{(", "1?", "if ", "if(", "typeof(", "(typeof((", "-", "!", "*", "(int8)", "1+"] {
        let result = parsed(&format!("begin {{ $x = {} }}", open.repeat(100_000 / open.len())));
        assert!(!result.is_ok(), "{open}");
        assert!(result.diagnostics.len() <= 2, "{open}: {:?}", result.diagnostics);
    }
}

#[test]
fn unclosed_casts_take_linear_time() {
    for open in ["(typeof((", "sizeof(typeof(", "(a[(", "(struct x*)(", "((int8)", "(x)("] {
        let depth = (MAX_OPEN - 1) / open.matches('(').count().max(1) / 2;
        let result = parsed(&format!("begin {{ $x = {}; }}", open.repeat(depth)));
        assert!(!result.is_ok(), "{open}");
    }
}

#[test]
fn a_line_of_ten_megabytes_is_refused_at_its_line() {
    let text = format!("begin {{ }}\nend {{ print(\"{}\"); }}\n", "x".repeat(10_000_000));
    let error = only_error(&text);
    assert_eq!((error.code, error.span.start), (code::TOO_LARGE, 10));
}

#[test]
fn a_clause_of_many_short_lines_is_refused() {
    let text = format!("begin {{\n{}}}\nend {{ }}\n", "@x = 1;\n".repeat(200_000));
    assert_eq!(only_error(&text).code, code::TOO_LARGE);
    assert_eq!(parsed(&text).program.items.len(), 1);
}

#[test]
fn long_chains_of_and_and_or_are_shallow() {
    let chain: Vec<String> = (0..5_000).map(|i| format!("pid == {i}")).collect();
    assert!(parsed(&format!("begin /{}/ {{ }}", chain.join(" || "))).is_ok());
    assert!(parsed(&format!("begin /{}/ {{ }}", chain.join(" && "))).is_ok());
    let sum = vec!["1"; MAX_TREE_DEPTH + 10].join(" + ");
    assert_eq!(only_error(&format!("begin {{ print({sum}); }}")).code, code::TOO_DEEP);
}

#[test]
fn a_long_file_of_clauses_is_fast_enough_to_wait_for() {
    let text = "tracepoint:a:b /pid == 1/ { @x[comm, 1] = count(); }\n".repeat(2_000);
    let result = parsed(&text);
    assert!(result.is_ok());
    assert_eq!(result.program.items.len(), 2_000);
}

#[test]
fn else_if_chains_and_statements_do_not_nest() {
    let arms = vec!["if $x == 1 { $x = 2; }"; 1_000].join(" else ");
    assert!(parsed(&format!("begin {{ {arms} }}")).is_ok());
    let ifs = "if $x == 1 { $x = 2; } ".repeat(1_000);
    assert!(parsed(&format!("begin {{ {ifs} }}")).is_ok());
}
