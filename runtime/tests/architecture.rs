//! The edges between the crates, and who may name the heavy dependencies (DESIGN.md, ARCHITECTURE.md).
//!
//! `cargo metadata` is held against the table below; the sources are searched too, since a dependency may come in through a
//! re-export. An edge that is missing from the table is a mistake, one that is no longer used is a lie in the table.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which of our crates each may depend on. The tests depend on everything that they test.
const EDGES: &[(&str, &[&str])] = &[
    ("reel-lang", &[]),
    ("reel-compiler", &["reel-lang"]),
    ("reel-stdlib", &["reel-lang"]),
    ("reel-protocols", &["reel-lang"]),
    ("reel-probes", &["reel-compiler", "reel-lang"]),
    ("reel", &["reel-compiler", "reel-lang", "reel-probes", "reel-protocols", "reel-stdlib"]),
    ("reel-tests", &["reel", "reel-compiler", "reel-lang", "reel-probes", "reel-protocols", "reel-stdlib"]),
];

/// The crates that one of ours alone may depend on, by the beginning of their names. Tests of another are named beside it.
const OWNED: &[(&str, &str, &[&str])] = &[
    ("aya", "reel-probes", &["reel-compiler"]),
    ("cranelift", "reel-compiler", &[]),
    ("iced", "reel-compiler", &[]),
    ("pest", "reel-lang", &[]),
];

/// What the sources may name only within a folder. Where tests of another crate may, too, it is named beside it.
const NAMED: &[(&str, &str, Option<&str>)] = &[
    ("aya::", "probes/", None),
    ("aya_obj::", "probes/", Some("compiler/tests/")),
    ("cranelift_", "compiler/", None),
    ("iced_x86::", "compiler/", None),
    ("pest::", "lang/src/parse/", None),
    ("pest_derive::", "lang/src/parse/", None),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What cargo says of the workspace.
fn metadata() -> Vec<u8> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The dependencies of each package of the workspace, with whether tests alone have them.
fn packages() -> BTreeMap<String, Vec<(String, bool)>> {
    let metadata: serde_json::Value = serde_json::from_slice(&metadata()).unwrap();
    let dependency = |value: &serde_json::Value| (value["name"].as_str().unwrap().to_owned(), value["kind"] == "dev");
    let package = |value: &serde_json::Value| {
        let dependencies = value["dependencies"].as_array().unwrap().iter().map(dependency).collect();
        (value["name"].as_str().unwrap().to_owned(), dependencies)
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

#[test]
fn crates_depend_on_each_other_as_the_table_says() {
    let packages = packages();
    let named: BTreeSet<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    let real: BTreeSet<&str> = packages.keys().map(String::as_str).collect();
    assert_eq!(real, named, "the table and the workspace have different crates");
    for (name, allowed) in EDGES {
        let is_ours = |(name, is_dev): &&(String, bool)| real.contains(name.as_str()) && !is_dev;
        let edges: BTreeSet<&str> = packages[*name].iter().filter(is_ours).map(|(name, _)| name.as_str()).collect();
        assert_eq!(edges, allowed.iter().copied().collect(), "the edges of {name}");
    }
}

#[test]
fn heavy_dependencies_have_one_owner() {
    for (package, dependencies) in &packages() {
        for (name, is_dev) in dependencies {
            for (start, owner, tests_of) in OWNED {
                let is_it = name == start || name.strip_prefix(start).is_some_and(|rest| rest.starts_with(['-', '_']));
                let is_allowed = package == owner || *is_dev && tests_of.contains(&package.as_str());
                assert!(!is_it || is_allowed, "{package} depends on {name}, which is {owner}'s");
            }
        }
    }
}

/// The feature that puts the evaluator into the compiler.
const EVALUATOR: &str = "reference";

#[test]
fn the_program_does_not_contain_the_evaluator() {
    let text = metadata();
    let metadata: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let mut enabled_by = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let defaults = package["features"]["default"].as_array();
        assert!(defaults.is_none_or(|all| all.is_empty()), "{name} has default features: do they bring the evaluator?");
        for dependency in package["dependencies"].as_array().unwrap() {
            if dependency["features"].as_array().unwrap().iter().any(|feature| feature == EVALUATOR) {
                assert_eq!(dependency["kind"], "dev", "{name} has the evaluator outside of its tests");
                enabled_by.insert(name);
            }
        }
    }
    assert_eq!(enabled_by, ["reel", "reel-compiler"].into(), "whose tests use the evaluator");
    // Cargo gives one build of a crate to all that is built with it, so the sources are looked at, too.
    let root = root();
    let mut files = Vec::new();
    sources(&root, &mut files);
    let uses = |file: &&PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        let is_use = |line: &str| names(line, "reel_compiler::eval") || names(line, "crate::eval");
        text.lines().any(is_use)
    };
    let used: Vec<String> = files
        .iter()
        .filter(uses)
        .map(|file| file.strip_prefix(&root).unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(used.len() > 3, "the search finds nothing any more: {used:?}");
    for file in used {
        let is_tests = file.contains("/tests") || file.contains("/benches/") || file.starts_with("compiler/src/eval/");
        assert!(is_tests, "{file} uses the evaluator");
    }
}

/// The Rust files of the workspace, relative to its root.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, into);
        } else if name.ends_with(".rs") {
            into.push(path);
        }
    }
}

/// Whether a line names a crate: as a path of its own, and not in a comment.
fn names(line: &str, word: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_\"'".contains(c))
    })
}

#[test]
fn sources_name_heavy_dependencies_in_one_place() {
    let root = root();
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 200, "the sources are missing");
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut wrong = Vec::new();
    for file in &files {
        let path = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        if path == "runtime/tests/architecture.rs" {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap();
        for (word, owner, tests) in NAMED {
            if let Some(line) = text.lines().find(|line| names(line, word)) {
                seen.insert(*word);
                if !path.starts_with(owner) && !tests.is_some_and(|tests| path.starts_with(tests)) {
                    wrong.push(format!("{path}: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "only the owner may name these:\n{}", wrong.join("\n"));
    assert!(seen.len() >= 4, "the search finds nothing any more: {seen:?}");
}

#[test]
fn the_search_tells_names_from_other_text() {
    assert!(names("use aya::maps::Map;", "aya::"));
    assert!(names("    let x = cranelift_jit::JITModule::new();", "cranelift_"));
    assert!(!names("// use aya::maps::Map;", "aya::"));
    assert!(!names("let x = maya::y();", "aya::"));
    assert!(!names("(\"aya::\", 1)", "aya::"));
}
