//! Every line of the language's section on rules, proven: `tests/rules/*.rr` holds cases that show what a line allows, and
//! planted negatives that are seen to fail.
//!
//! A case that shows what a rule does is run a second time without the rules, and must then come to something else; a planted
//! negative must fail, warn, or (of a capture rule) leave what is written alone. Each is replayed twice and gives the same bytes
//! each time. `tests/rules/README.md` lists which cases prove which line; `BLESS=1` rewrites it, and the answers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod app;
mod capture;
mod file;
mod lines;
mod play;
mod real;
mod traffic;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use file::{Case, File};
use play::Compiled;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/rules")
}

/// Every data file, by name.
fn files() -> BTreeMap<String, File> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "README.md" {
            assert!(name.ends_with(".rr"), "{name} is no data file");
            let text = std::fs::read_to_string(root().join(&name)).unwrap();
            files.insert(name.clone(), File::parse(&name, &text));
        }
    }
    files
}

fn is_blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}

#[test]
fn each_case_comes_to_what_its_file_says() {
    let files = files();
    let wrong: String = std::thread::scope(|scope| {
        let running: Vec<_> = files.iter().map(|(name, file)| scope.spawn(move || check(name, file))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "differ from what is expected (BLESS=1 accepts):\n{wrong}");
}

/// Runs the cases of a file, and tells of those that came to something else.
fn check(name: &str, file: &File) -> String {
    let (mut wrong, mut compiled, mut answers) = (String::new(), Compiled::default(), Vec::new());
    for case in &file.cases {
        let answer = play::answer(&mut compiled, file, case, file.section(case, "rules"));
        if let Some(fault) = fault(&mut compiled, file, case, &answer) {
            wrong += &format!("=== {name}: {}: {fault}\n{answer}", case.title);
        } else if !is_blessing() && answer.trim_end() != case.expected() {
            wrong += &format!("=== {name}: {}\n{answer}", case.title);
        }
        answers.push(answer);
    }
    if is_blessing() {
        std::fs::write(root().join(name), file.with(&answers)).unwrap();
    }
    wrong
}

/// What an answer is not that the sign of its case promises.
fn fault(compiled: &mut Compiled, file: &File, case: &Case, answer: &str) -> Option<&'static str> {
    let rules = file.section(case, "rules");
    let is_capture = !file.section(case, "traffic").is_empty();
    let fails = !answer.ends_with("exit 0\n") || answer.contains("warning");
    if play::answer(compiled, file, case, rules) != answer {
        Some("the second time is not as the first")
    } else if case.is_positive && !rules.is_empty() && play::answer(compiled, file, case, "") == answer {
        Some("without the rules it is the same")
    } else if case.is_positive && !answer.ends_with("exit 0\n") {
        Some("it fails")
    } else if !case.is_positive && !fails && !is_capture {
        Some("nothing fails")
    } else if !case.is_positive && !fails && play::answer(compiled, file, case, "") != answer {
        Some("the rules change what is written")
    } else {
        None
    }
}
