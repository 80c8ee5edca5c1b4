//! Runs the documentation, each file from top to bottom in a folder of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use reel::engine::compile;
use reel::engine::environment::Machine;
use reel_lang::check::Options;
use reel_lang::diagnostic::render::{self, Colour};
use reel_lang::span::SourceMap;
use reel_probes::doctor::Capability;

use crate::markdown::{Block, blocks, files, read};
use crate::shop::Shop;

#[test]
fn what_the_documentation_shows_is_what_happens() -> Result<()> {
    if !Capability::TcpHooks.needs() || !Capability::UserDynptr.needs() {
        return Ok(());
    }
    for file in files()? {
        let blocks = blocks(&read(&file)?);
        if blocks.iter().any(|block| block.language == "sh") {
            let shop = Shop::open()?;
            let mut said = String::new();
            for block in blocks {
                follow(&shop, &block, &mut said).with_context(|| format!("{}:{}", file.display(), block.line))?;
            }
        }
    }
    Ok(())
}

#[test]
fn every_rule_in_the_documentation_is_right() -> Result<()> {
    for file in files()? {
        for block in blocks(&read(&file)?).iter().filter(|block| block.language == "rr") {
            right(&file, &block.text).with_context(|| format!("{}:{}", file.display(), block.line))?;
        }
    }
    Ok(())
}

#[test]
fn every_block_says_what_it_is() -> Result<()> {
    for file in files()? {
        for block in blocks(&read(&file)?) {
            let known = ["sh", "rr", "text", "yaml", "console", "rust"].contains(&block.language.as_str());
            assert!(known, "{}:{}: a block of no known kind", file.display(), block.line);
        }
    }
    Ok(())
}

/// Checks a program or rules, as `reel check` does, and wants neither errors nor warnings.
pub fn right(file: &Path, text: &str) -> Result<()> {
    let mut sources = SourceMap::new();
    for (name, text) in reel_stdlib::files() {
        sources.add(format!("stdlib {name}"), *text);
    }
    sources.add(file.display().to_string(), text);
    let ids: Vec<_> = sources.ids().collect();
    let options = Options { stdlib_programs: reel_stdlib::files().len(), ..Options::default() };
    let said = match compile::front(&sources, &ids, &Machine::default(), &options) {
        Ok((_, warnings)) if warnings.is_empty() => return Ok(()),
        Ok((_, warnings)) => warnings,
        Err(faults) => faults.0,
    };
    bail!("{}", render::text_all(&said, &sources, Colour::Plain))
}

/// Does what a block says.
fn follow(shop: &Shop, block: &Block, said: &mut String) -> Result<()> {
    match (block.language.as_str(), &block.name) {
        ("sh", _) => {
            said.clear();
            for line in block.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
                let (line, code) = expected(line)?;
                *said += &shop.must(line, code)?;
            }
        }
        ("rr", Some(name)) => std::fs::write(shop.path(name), &block.text)?,
        ("text", _) => shown(&block.text, said)?,
        ("yaml", Some(name)) => {
            let held = shop.read(name)?;
            ensure!(block.text == held, "{name} holds something else:\n{held}");
        }
        _ => {}
    }
    Ok(())
}

/// A line without its remark, and the status that it must end with.
fn expected(line: &str) -> Result<(&str, i32)> {
    let Some((command, remark)) = line.split_once("  # ") else { return Ok((line, 0)) };
    let code = remark.strip_prefix("exit ").and_then(|rest| rest.split([',', ':']).next());
    Ok((command.trim_end(), code.map_or(Ok(0), str::parse)?))
}

/// Whether each line was said, in this order, right after the one before it where no `...` stands between.
pub fn shown(text: &str, said: &str) -> Result<()> {
    let mut rest = said.lines();
    let mut may_skip = true;
    for line in text.lines() {
        if line.trim() == "..." {
            may_skip = true;
            continue;
        }
        let found = if may_skip {
            rest.any(|other| other.trim_end() == line)
        } else {
            rest.next().map(str::trim_end) == Some(line)
        };
        ensure!(found, "not said here: {line}\nall that was said:\n{said}");
        may_skip = false;
    }
    Ok(())
}

#[test]
fn a_shown_line_that_was_not_said_is_found_out() {
    assert!(shown("b\nc\n", "a\nb\nc\n").is_ok());
    assert!(shown("a\n...\nc\n", "a\nb\nc\n").is_ok());
    assert!(shown("a\nc\n", "a\nb\nc\n").is_err());
    assert!(shown("c\na\n", "a\nb\nc\n").is_err());
    assert!(right(&PathBuf::from("x.rr"), "capture:http { ignor(body); }").is_err());
}
