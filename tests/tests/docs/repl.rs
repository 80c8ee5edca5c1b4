//! What the prompt is shown to do, it does: a `console repl` block is a session, fed to `reel repl` in the folder of the service.
//!
//! Lines after `reel> ` are what is entered, all others what is answered, in this order, where `...` stands for any others.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use reel::repl::COMMANDS;
use reel_probes::doctor::Capability;

use crate::builtins::agrees;
use crate::commands::shown;
use crate::markdown::{blocks, read};
use crate::shop::Shop;

const PAGE: &str = "docs/repl.md";
const PROMPT: &str = "reel> ";

#[test]
fn a_session_goes_as_it_is_shown() -> Result<()> {
    if !Capability::TcpHooks.needs() || !Capability::UserDynptr.needs() {
        return Ok(());
    }
    let blocks = blocks(&read(Path::new(PAGE))?);
    let sessions = blocks.iter().filter(|block| block.name.as_deref() == Some("repl"));
    let mut count = 0;
    for block in sessions {
        let shop = Shop::open()?;
        let (entered, answered): (Vec<&str>, Vec<&str>) = block.text.lines().partition(|line| line.starts_with(PROMPT));
        let entered: Vec<&str> = entered.iter().map(|line| &line[PROMPT.len()..]).collect();
        std::fs::write(shop.path("session"), entered.join("\n") + "\n")?;
        let said = shop.must("reel repl < session", 0)?;
        shown(&answered.join("\n"), &said).with_context(|| format!("{PAGE}:{}", block.line))?;
        count += 1;
    }
    ensure!(count > 0, "no session is shown");
    Ok(())
}

#[test]
fn the_commands_are_listed() -> Result<()> {
    let mut out = "| command | does |\n|---|---|\n".to_owned();
    for command in COMMANDS {
        let doc = command.doc.replace('|', "\\|");
        writeln!(out, "| `{}` | {doc} |", command.form().replace('|', "\\|"))?;
    }
    agrees(PAGE, "commands", &out)
}
