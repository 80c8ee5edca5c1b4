//! The parser on text that nobody would write: random tokens, random characters, and blessed files cut up and mended.
//!
//! Whatever comes in, nothing panics, every place lies in the file and on a character, each diagnostic can be shown, and
//! the same text gives the same answer.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use reel_lang::ast::{Program, dump};
use reel_lang::diagnostic::render::{self, Colour};
use reel_lang::parse::parse;
use reel_lang::span::{SourceMap, Span};

/// The files of `tests/parse`, which cover the grammar.
fn seeds() -> &'static [String] {
    static SEEDS: OnceLock<Vec<String>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parse");
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|e| e == "rr"));
        paths.sort();
        paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    })
}

fn check(text: &str) {
    let (sources, file) = SourceMap::single("any.rr", text);
    let parsed = parse(&sources, file);
    for diagnostic in &parsed.diagnostics {
        let places = diagnostic.secondary.iter().map(|label| label.span).chain([diagnostic.span]);
        places.for_each(|span| check_place(text, span));
        assert!(!render::text(diagnostic, &sources, Colour::Plain).is_empty());
        let line = render::json_line(diagnostic, &sources);
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
    }
    check_items(text, &parsed.program);
    assert_eq!(dump::dump(&parsed.program), dump::dump(&parse(&sources, file).program));
}

fn check_items(text: &str, program: &Program) {
    for item in &program.items {
        check_place(text, item.span());
        assert!(!item.span().is_empty());
    }
}

fn check_place(text: &str, span: Span) {
    assert!(text.get(span.range()).is_some(), "{span:?} is not a place in {text:?}");
}

/// Every token of the language, and some that are none.
fn token() -> impl Strategy<Value = String> {
    let words = "begin end kprobe:f tracepoint:a:b http:exchange capture:http mock: match macro fn let noise config import \
        struct union enum typedef if else for while unroll return break continue sizeof offsetof typeof comptime nil null true \
        x $x @ @m $1 $# 1 0x1f 1.5 20ms 64KiB 1% 09 \"s\" \"\\q\" \" ( ) [ ] { } , ; : :: . .. -> ? + - * / % & | ^ ~ ! = == != < > \
        <= >= << >> && || =~ !~ += ++ -- // /* */ #if #endif #define \\ ' ` ä 💡 uint64 (int8) (struct\tx\t*)";
    let words: Vec<String> = words.split(' ').filter(|w| !w.is_empty()).map(|w| w.replace('\t', " ")).collect();
    prop_oneof![8 => prop::sample::select(words), 1 => Just("\n".to_owned()), 1 => ".{0,3}".prop_map(String::from)]
}

/// A blessed file in which some ranges were taken out, doubled, or replaced by tokens.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0usize..12, token(), 0u8..3);
    (0..seeds().len(), prop::collection::vec(edit, 1..6)).prop_map(|(seed, edits)| {
        let mut chars: Vec<char> = seeds()[seed].chars().collect();
        for (at, len, token, how) in edits {
            let at = at.index(chars.len() + 1).min(chars.len());
            let end = (at + len).min(chars.len());
            let new: Vec<char> = match how {
                0 => Vec::new(),
                1 => chars[at..end].iter().chain(&chars[at..end]).copied().collect(),
                _ => token.chars().collect(),
            };
            chars.splice(at..end, new);
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_tokens_do_no_harm(tokens in prop::collection::vec(token(), 0..60), glue in "[ \n]?") {
        check(&tokens.join(&glue));
    }

    #[test]
    fn random_statements_do_no_harm(tokens in prop::collection::vec(token(), 0..30)) {
        check(&format!("begin {{ {} }}\nend {{ exit(); }}", tokens.join(" ")));
    }

    #[test]
    fn random_text_does_no_harm(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn mutated_files_do_no_harm(text in mutated()) {
        check(&text);
    }
}

#[test]
fn odd_texts_do_no_harm() {
    let odd = [
        "",
        "\n",
        "\u{feff}begin { }",
        "begin",
        "{",
        "}",
        "\"",
        "\\",
        "/*",
        "#",
        "#!",
        "\r\n\r\n",
        "begin {\r\n}\r\n",
        "\0",
    ];
    odd.into_iter().for_each(check);
    for seed in seeds() {
        for (at, _) in seed.char_indices().step_by(53) {
            check(&seed[..at]);
        }
    }
}
