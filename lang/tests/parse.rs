//! Runs the parser over the files of `tests/parse` in the repository, and compares what it says with what was blessed.
//!
//! A file's first comment line says what runs: `// runs: ast` prints the tree, and wants no diagnostics;
//! `// runs: errors` prints the diagnostics as a terminal shows them; `// runs: json` prints them as JSON lines.
//! `NAME.rr` has its answer in `NAME.expect`; `BLESS=1` rewrites the answers. A file that is neither, or an answer without
//! a question, fails the run.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use reel_lang::ast::dump;
use reel_lang::diagnostic::render::{self, Colour};
use reel_lang::parse::parse;
use reel_lang::span::SourceMap;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parse")
}

fn answer(name: &str, text: &str) -> Result<String, String> {
    let (sources, file) = SourceMap::single(name, text);
    let parsed = parse(&sources, file);
    let shown = render::text_all(&parsed.diagnostics, &sources, Colour::Plain);
    match text.lines().find(|l| l.starts_with("//")).unwrap_or("").trim() {
        "// runs: ast" if parsed.diagnostics.is_empty() => Ok(dump::dump(&parsed.program)),
        "// runs: ast" => Err(format!("expected no diagnostics:\n{shown}")),
        "// runs: errors" if parsed.is_ok() => Err("expected an error".to_owned()),
        "// runs: errors" | "// runs: warnings" => Ok(shown),
        "// runs: json" => Ok(parsed.diagnostics.iter().map(|d| render::json_line(d, &sources)).collect()),
        other => Err(format!("the first comment must say what runs, found {other:?}")),
    }
}

#[test]
fn files_give_the_blessed_answers() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut faults = Vec::new();
    let mut seen = 0;
    let mut paths: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.extension().and_then(|e| e.to_str()) {
            Some("expect") if path.with_extension("rr").exists() => continue,
            Some("rr") => {}
            _ => {
                faults.push(format!("{name}: no harness picks this file up"));
                continue;
            }
        }
        seen += 1;
        let text = fs::read_to_string(&path).unwrap();
        let expect_path = path.with_extension("expect");
        match answer(&name, &text) {
            Err(why) => faults.push(format!("{name}: {why}")),
            Ok(actual) if bless => fs::write(&expect_path, actual).unwrap(),
            Ok(actual) => {
                let expected = fs::read_to_string(&expect_path).unwrap_or_default();
                if expected != actual {
                    faults.push(format!("{name}: the answer changed (BLESS=1 accepts it)\n--- expected\n{expected}\n--- actual\n{actual}"));
                }
            }
        }
    }
    assert!(seen > 0, "no file was found");
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
