//! Runs the checker over the files of `tests/check` in the repository, and compares what it says with what was blessed.
//!
//! A file's first comment line says what runs: `// runs: hir` prints the typed program and any warnings, and wants no
//! errors; `// runs: errors` prints the diagnostics as a terminal shows them. Options may follow: `-- $1=TEXT`,
//! `--unsafe`, `--trusted`, and `--stdlib`, which takes what stands before a line `// ----` as stdlib's program.
//! `NAME.rr` has its answer in `NAME.expect`; `BLESS=1` rewrites the answers. Every code of the checker must be shown by
//! some file.
#![allow(clippy::unwrap_used, clippy::panic)]

mod check_env;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use check_env::World;
use reel_lang::check::{Options, check};
use reel_lang::diagnostic::code;
use reel_lang::diagnostic::render::{self, Colour};
use reel_lang::hir::dump;
use reel_lang::parse::parse;
use reel_lang::span::SourceMap;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/check")
}

/// The files to check as one program, and how.
fn set_up(name: &str, text: &str) -> (SourceMap, Options) {
    let mut options = Options::default();
    let mut sources = SourceMap::default();
    let first = text.lines().next().unwrap_or("");
    for word in first.split_whitespace() {
        match word {
            "--unsafe" => options.allow_unsafe = true,
            "--trusted" => options.trusted = true,
            "--stdlib" => options.stdlib_programs = 1,
            word if word.starts_with('$') => {
                options.positional.push(word.split_once('=').unwrap().1.to_owned());
            }
            _ => {}
        }
    }
    match text.split_once("// ----\n") {
        Some((stdlib, user)) if options.stdlib_programs == 1 => {
            sources.add("stdlib.rr", stdlib);
            sources.add(name, user);
        }
        _ => {
            sources.add(name, text);
        }
    }
    (sources, options)
}

fn answer(name: &str, text: &str, seen: &mut BTreeSet<u16>) -> Result<String, String> {
    let (sources, options) = set_up(name, text);
    let mut programs = Vec::new();
    for file in sources.ids() {
        let parsed = parse(&sources, file);
        if !parsed.is_ok() {
            let shown = render::text_all(&parsed.diagnostics, &sources, Colour::Plain);
            return Err(format!("expected text that parses:\n{shown}"));
        }
        programs.push(parsed.program);
    }
    let world = World::default();
    let checked = check(&programs, &world, &options);
    let diagnostics = checked.diagnostics.into_sorted();
    seen.extend(diagnostics.iter().map(|d| d.code.number()));
    let shown = render::text_all(&diagnostics, &sources, Colour::Plain);
    let runs = text.lines().next().unwrap_or("").split(" --").next().unwrap_or("").trim();
    match (runs, checked.program) {
        ("// runs: hir", Some(program)) => Ok(format!("{}{shown}", dump::dump(&program))),
        ("// runs: hir", None) => Err(format!("expected no errors:\n{shown}")),
        ("// runs: errors", None) => Ok(shown),
        ("// runs: errors", Some(program)) => Err(format!("expected an error:\n{}", dump::dump(&program))),
        (other, _) => Err(format!("the first line must say what runs, found {other:?}")),
    }
}

fn scripts() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn files_give_the_blessed_answers() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for path in scripts() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.extension().and_then(|e| e.to_str()) {
            Some("expect") if path.with_extension("rr").exists() => continue,
            Some("rr") => {}
            _ => {
                faults.push(format!("{name}: no harness picks this file up"));
                continue;
            }
        }
        let text = fs::read_to_string(&path).unwrap();
        let expect_path = path.with_extension("expect");
        match answer(&name, &text, &mut seen) {
            Err(why) => faults.push(format!("{name}: {why}")),
            Ok(actual) if bless => fs::write(&expect_path, actual).unwrap(),
            Ok(actual) => {
                let expected = fs::read_to_string(&expect_path).unwrap_or_default();
                if expected != actual {
                    faults.push(format!(
                        "{name}: the answer changed (BLESS=1 accepts it)\n--- expected\n{expected}\n--- actual\n{actual}"
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    let unseen: Vec<String> = code::ALL
        .iter()
        .filter(|(code, _)| (200..700).contains(&code.number()) && !seen.contains(&code.number()))
        .map(|(code, title)| format!("{code}: {title}"))
        .collect();
    assert!(unseen.is_empty(), "no file shows these codes:\n{}", unseen.join("\n"));
}
