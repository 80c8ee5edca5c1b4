//! `reel replay --update`: each difference shown, and the recording rewritten for those that are accepted.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use crate::engine::environment::Machine;
use crate::exit::{Exit, Failure};
use crate::recording::{Recording, Redactor, Vault, secrets};
use crate::replay::Run;
use crate::report;
use crate::rules::{self, selection::Selector};
use crate::update::{self, Change};

/// Who accepts.
pub enum Accept<'a> {
    /// A person at a terminal, one by one.
    Asked,
    /// Whatever has this text in its title.
    Having(&'a str),
}

/// Shows what differs in a run and rewrites the recording for what is accepted.
pub fn update(run: &Run, recording: &Recording, rules: &[PathBuf], accept: &Accept<'_>) -> Result<Exit, Failure> {
    let update::Changes { changes, mut others } = update::changes(run);
    let all = changes.len();
    let accepted = match accept {
        Accept::Having(text) => choose(changes, |change| Ok(change.title.contains(text)))?,
        Accept::Asked if all == 0 => Vec::new(),
        Accept::Asked if !std::io::stdin().is_terminal() => {
            return Err(Failure::new(Exit::Usage, "there is nobody to ask: standard input is no terminal")
                .remedy("accept by --yes, or with a text that a difference's line has: --yes body.total"));
        }
        Accept::Asked => ask(changes)?,
    };
    let count = accepted.len();
    if count > 0 {
        let rules = rules::load(rules, &Machine::default())?;
        let vault = Vault::of_recording(&recording.dir, &secrets::state_folder())?;
        let refused = update::apply(recording, &accepted, &mut Selector::new(&rules, Redactor::new(vault)))?;
        anstream::println!("{} of {all} differences accepted into {}", count - refused.len(), recording.dir.display());
        others.extend(refused);
    } else {
        anstream::println!("{}", if all == 0 { "nothing to accept" } else { "nothing accepted" });
    }
    for other in &others {
        anstream::println!("cannot be accepted  {other}");
    }
    if !others.is_empty() {
        anstream::println!("record again for what cannot be accepted");
    }
    Ok(if others.is_empty() && count == all { Exit::Passed } else { Exit::TestFailed })
}

/// Shows each change, and what was decided.
fn choose(
    changes: Vec<Change>,
    mut decide: impl FnMut(&Change) -> Result<bool, Failure>,
) -> Result<Vec<Change>, Failure> {
    let mut accepted = Vec::new();
    for change in changes {
        anstream::print!("{}", report::change(&change));
        if decide(&change)? {
            anstream::println!("    accepted");
            accepted.push(change);
        }
    }
    Ok(accepted)
}

/// Asks for each change: yes, no, all that follow, or none that follow.
fn ask(changes: Vec<Change>) -> Result<Vec<Change>, Failure> {
    let mut rest = None;
    choose(changes, |_| {
        while rest.is_none() {
            anstream::print!("    accept? [y]es, [n]o, [a]ll, [q]uit: ");
            let _ = std::io::stdout().flush();
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            let read = read.map_err(|error| Failure::new(Exit::Machine, format!("cannot read the answer: {error}")))?;
            match line.trim() {
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                "a" | "all" => rest = Some(true),
                _ if read == 0 => rest = Some(false),
                "q" | "quit" => rest = Some(false),
                _ => {}
            }
        }
        Ok(rest == Some(true))
    })
}
