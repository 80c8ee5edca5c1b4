//! The formatter: what it makes of the files of `tests/fmt`, that it changes no meaning anywhere, and that the house's own
//! files are formatted.
//!
//! A file's first line is `// runs: fmt`; what it becomes stands in `NAME.expect`, which `BLESS=1` rewrites. Every script of the
//! repository and random texts are formatted too: the tree before and after must be equal, no comment may be lost (both are the
//! formatter's own last check), and formatting again must change nothing.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proptest::prelude::*;
use reel_lang::fmt::{Unformatted, format};
use reel_lang::parse::parse;
use reel_lang::span::SourceMap;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn formatted(text: &str) -> Result<String, Unformatted> {
    let (sources, file) = SourceMap::single("any.rr", text);
    format(&sources, file)
}

/// Formats a text that may have errors, twice.
fn check(name: &str, text: &str) -> Option<String> {
    match formatted(text) {
        Ok(once) => {
            let twice =
                formatted(&once).unwrap_or_else(|error| panic!("{name}: formatted, it fails: {error:?}\n{once}"));
            assert_eq!(once, twice, "{name}: formatting again changes it");
            Some(once)
        }
        Err(Unformatted::Faults(faults)) => {
            assert!(!faults.is_empty());
            None
        }
        Err(Unformatted::Changed) => panic!("{name}: formatting would change what this means:\n{text}"),
    }
}

/// The scripts below a folder, those of the build left out.
fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            scripts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rr") && name != "schema.rr" {
            // A schema is another language.
            found.push(path);
        }
    }
    found.sort();
}

#[test]
fn files_become_what_was_blessed() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut faults = Vec::new();
    for entry in fs::read_dir(root().join("tests/fmt")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("expect") if path.with_extension("rr").exists() => continue,
            Some("rr") => {}
            _ => panic!("{name}: no harness picks this file up"),
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("// runs: fmt\n"), "{name}: the first line must say what runs");
        let actual = check(&name, &text).unwrap_or_else(|| panic!("{name} has errors"));
        let expected = path.with_extension("expect");
        if bless {
            fs::write(&expected, actual).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != actual {
            faults.push(format!("{name}: the answer changed (BLESS=1 accepts it)\n{actual}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_script_of_the_repository_keeps_its_meaning() {
    let mut all = Vec::new();
    scripts(&root(), &mut all);
    let done =
        all.iter().filter_map(|path| check(&path.display().to_string(), &fs::read_to_string(path).unwrap())).count();
    assert!(done > 30, "only {done} of {} scripts were formatted", all.len());
}

#[test]
fn the_houses_own_files_are_formatted() {
    let mut all = Vec::new();
    for folder in ["stdlib/src", "scripts", "probes/src/programs"] {
        scripts(&root().join(folder), &mut all);
    }
    assert!(all.len() >= 5, "{all:?}");
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        let formatted = check(&path.display().to_string(), &text).unwrap();
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, &formatted).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), formatted, "{}: run `reel fmt` on it", path.display());
    }
}

#[test]
fn odd_texts_are_kept() {
    let check = |text: &str, expect: &str| assert_eq!(check(text, text).as_deref(), Some(expect), "{text:?}");
    check("", "");
    check("\n\n", "");
    check("// only a comment", "// only a comment\n");
    check("\u{feff}begin{}", "begin { }\n");
    check("#!/usr/bin/reel\nbegin{}\n", "#!/usr/bin/reel\nbegin { }\n");
    check("begin{};;end{}", "begin { }\nend { }\n");
    check("begin { }\r\n\r\n\r\nend { }\r\n", "begin { }\n\nend { }\n");
    check("a:b /*c*/ { }", "a:b /*c*/ { }\n");
}

/// Pieces of programs, good and bad.
fn pieces() -> &'static [String] {
    static PIECES: OnceLock<Vec<String>> = OnceLock::new();
    PIECES.get_or_init(|| {
        let mut all = Vec::new();
        scripts(&root().join("tests/parse"), &mut all);
        scripts(&root().join("tests/fmt"), &mut all);
        let texts: Vec<String> = all.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        let parses = |text: &String| {
            let (sources, file) = SourceMap::single("any.rr", text.as_str());
            parse(&sources, file).is_ok()
        };
        texts.into_iter().filter(parses).collect()
    })
}

/// An expression as a person could have typed it, with layout and comments anywhere.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "1",
        "0x1f",
        "20ms",
        "\"a, b // c\"",
        "$x",
        "@m",
        "@m[1,$x]",
        "nsecs",
        "args.fd",
        "(uint64)1",
        "(struct task_struct*)$x",
        "$t.0.1",
        "f()",
        "str( $x )",
        "sizeof(struct x*)",
        "nil",
        "comm",
        "(1,)",
        "-1",
        "- -1",
        "!$x",
        "*$p",
        "&$x",
        "~1",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let infix =
            prop::sample::select(vec!["+", "-", "*", "/", "%", "&&", "||", "==", "<", ">>", "&", "|", "^", "!="]);
        let gap = prop::sample::select(vec!["", " ", "  ", "\n", " /* c */ ", " // c\n"]);
        prop_oneof![
            (inner.clone(), infix, inner.clone(), gap.clone(), gap.clone())
                .prop_map(|(a, op, b, g, h)| format!("({a}{g}{op} {h}{b})")),
            (inner.clone(), inner.clone(), inner.clone(), gap.clone())
                .prop_map(|(a, b, c, g)| format!("({a}?{g}{b}:{g}{c})")),
            (prop::collection::vec(inner.clone(), 1..5), gap.clone())
                .prop_map(|(args, g)| format!("function_name({g}{})", args.join(&format!(",{g}")))),
            (inner.clone(), gap.clone()).prop_map(|(a, g)| format!("({g}uint32{g})({a})")),
            inner.clone().prop_map(|a| format!("{{ $y=1;{a} }}")),
            inner.prop_map(|a| format!("if ({a}) {{ 1 }} else {{ 2 }}")),
        ]
    })
}

fn statement() -> impl Strategy<Value = String> {
    let simple = prop_oneof![
        expression().prop_map(|e| format!("$x={e};")),
        expression().prop_map(|e| format!("@m[comm]+={e} ;")),
        expression().prop_map(|e| format!("printf(\"%d\", {e});")),
        Just("@=count();".to_owned()),
        Just("$i ++;".to_owned()),
        Just("// a comment\n".to_owned()),
        Just("/* a\n  comment */".to_owned()),
        Just("\n\n\n".to_owned()),
    ];
    simple.prop_recursive(3, 12, 4, |inner| {
        let body = prop::collection::vec(inner, 0..4).prop_map(|stmts| stmts.join(" "));
        prop_oneof![
            (expression(), body.clone(), body.clone()).prop_map(|(e, a, b)| format!("if({e}){{{a}}}else {{ {b}}}")),
            (expression(), body.clone()).prop_map(|(e, a)| format!("while ({e}) {{\n{a}}}")),
            body.clone().prop_map(|a| format!("for($i:0..10){{{a}}} // after\n")),
            body.prop_map(|a| format!("unroll(3){{ // before\n{a}}}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_keep_their_meaning(
        stmts in prop::collection::vec(statement(), 0..6),
        predicate in prop::option::of(expression()),
        header in prop::sample::select(vec!["begin", "t:a:b,t:c:d", "uprobe:/bin/sh:main ,\n k:f", "http:in:request"]),
    ) {
        let predicate = predicate.map_or(String::new(), |p| format!(" /({p})/"));
        let text = format!("{header}{predicate} {{{}}}\n// end\nend{{}}", stmts.join("\n"));
        prop_assert!(check("a random program", &text).is_some(), "{text}");
    }

    #[test]
    fn cut_and_mended_files_keep_their_meaning(
        seed in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, prop::sample::select(vec!["", " ", "\n", "// c\n", "/**/", ";", "(", ")", "{ }", ",", "*", "-"])), 1..4),
    ) {
        let mut chars: Vec<char> = seed.get(pieces()).chars().collect();
        for (at, len, new) in edits {
            let at = at.index(chars.len() + 1);
            let end = if new.trim().is_empty() { at } else { (at + len).min(chars.len()) };
            chars.splice(at..end, new.chars());
        }
        check("a mutated file", &chars.into_iter().collect::<String>());
    }
}
