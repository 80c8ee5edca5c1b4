//! Fenced blocks of Markdown files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use reel_tests::process::root;

/// A fenced block: the words after the fence, where it stands, and what is in it.
#[derive(Debug, Clone)]
pub struct Block {
    pub language: String,
    /// The word after the language: a file's name.
    pub name: Option<String>,
    pub line: usize,
    pub text: String,
}

/// Every Markdown file that a reader opens, relative to the repository.
pub fn files() -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from).into();
    for folder in ["docs", "scripts"] {
        for entry in std::fs::read_dir(root().join(folder))? {
            let path = Path::new(folder).join(entry?.file_name());
            if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a file of the repository.
pub fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(root().join(file)).with_context(|| format!("cannot read {}", file.display()))
}

/// The fenced blocks of a text, in order.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(words), None) => {
                let mut words = words.split_whitespace().map(str::to_owned);
                let language = words.next().unwrap_or_default();
                open = Some(Block { language, name: words.next(), line: number + 1, text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    blocks
}

/// The rows of the table below a heading, as the text of their cells without code marks.
pub fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let below = text.lines().skip_while(|line| line.trim_start_matches('#').trim() != heading).skip(1);
    let rows = below.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cell = |cell: &str| cell.trim().replace('`', "");
    rows.skip(2).map(|row| row.trim_matches('|').split('|').map(cell).collect()).collect()
}

#[test]
fn blocks_have_languages_names_and_lines() {
    let found = blocks("a\n```sh\nls\n```\n```rr x.rr\nbegin { }\n```\n");
    let shape: Vec<_> =
        found.iter().map(|b| (b.language.as_str(), b.name.as_deref(), b.line, b.text.as_str())).collect();
    assert_eq!(shape, [("sh", None, 2, "ls\n"), ("rr", Some("x.rr"), 5, "begin { }\n")]);
}

#[test]
fn links_lead_somewhere() -> Result<()> {
    for file in files()? {
        let text = read(&file)?;
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = root().join(file.parent().unwrap_or(Path::new(""))).join(target);
            assert!(path.exists(), "{}: the link {link} leads nowhere", file.display());
        }
    }
    Ok(())
}
