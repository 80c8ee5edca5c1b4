//! The checker on the deepest programs that the parser lets through: it may refuse them, and never overflows a test
//! thread's stack.

#![allow(clippy::unwrap_used)]

mod check_env;

use check_env::World;
use reel_lang::ast;
use reel_lang::check::{Options, check};
use reel_lang::hir;
use reel_lang::parse::parse;
use reel_lang::scan::limits::{MAX_OPEN, MAX_TREE_DEPTH};
use reel_lang::span::SourceMap;

/// Parses without errors, checks, and dumps both trees.
fn run(text: &str) {
    let (sources, file) = SourceMap::single("deep.rr", text);
    let parsed = parse(&sources, file);
    assert!(parsed.is_ok(), "{:?}", parsed.diagnostics);
    assert!(!ast::dump::dump(&parsed.program).is_empty());
    let checked = check(&[parsed.program], &World::default(), &Options::default());
    assert!(checked.program.map(|program| hir::dump::dump(&program)).is_none_or(|text| !text.is_empty()));
}

fn wrap(open: &str, close: &str, times: usize) -> String {
    format!("begin {{ @m[1] = 1; $x = {}1{}; print($x); }}\n", open.repeat(times), close.repeat(times))
}

#[test]
fn deep_brackets_are_checked() {
    for (open, close) in [
        ("(", ")"),
        ("-(", ")"),
        ("1 + (", ")"),
        ("@m[", "]"),
        ("strlen(", ")"),
        ("{ ", " }"),
        ("{ let $y = 1; ", " }"),
        ("1 ? ", " : 2"),
        ("(a=", ")"),
        ("(1, ", ")"),
        ("(int8)(", ")"),
    ] {
        run(&wrap(open, close, MAX_OPEN - 2));
    }
    run(&wrap("if 1 { ", " } else { 2 }", MAX_OPEN / 2 - 1));
}

#[test]
fn tall_chains_are_checked() {
    let most = MAX_TREE_DEPTH - 8;
    run(&format!("begin {{ $x = {}; print($x); }}", vec!["1"; most].join(" + ")));
    run(&format!("begin {{ $x = {}1; print($x); }}", "- ".repeat(most)));
    run(&format!("begin {{ $x = {}1; print($x); }}", "!".repeat(most)));
    run(&format!("begin {{ $x = {}1; print($x); }}", "(int8)".repeat(most)));
    run(&format!("begin {{ $x = {}3; print($x); }}", "1 ? 2 : ".repeat(most)));
    run(&format!("begin /{}/ {{ }}", vec!["pid == 1"; 5_000].join(" || ")));
    run(&format!("begin /{}/ {{ }}", vec!["pid == 1"; 5_000].join(" && ")));
}

#[test]
fn deep_statements_are_checked() {
    let depth = MAX_OPEN - 2;
    // An `if` counts beside its brace, because a condition nests without brackets.
    run(&format!("begin {{ {}@ = 1;{} }}", "if pid { ".repeat(depth / 2), " }".repeat(depth / 2)));
    run(&format!("begin {{ {}@ = 1;{} }}", "while pid { ".repeat(depth), " }".repeat(depth)));
    run(&format!("begin {{ {}@ = 1;{} }}", "unroll 1 { ".repeat(depth), " }".repeat(depth)));
    run(&format!("begin {{ {}{{ }} @ = 1; }}", "if pid { } else ".repeat(500)));
}
