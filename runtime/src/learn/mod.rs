//! Noise found by measurement: a recording replayed several times with nothing changed, and rules for what differed all the same.
//!
//! The rules go to a file for a person to review; nothing is relaxed that is not in it. Since one difference hides another (a call
//! that misses ends its test), replays are run again with the rules found so far, until nothing new is found.

mod evidence;
mod propose;
mod shape;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reel_lang::span::SourceMap;

use crate::exit::{Exit, Failure};
use crate::noise::Noise;
use crate::recording::Recording;
use crate::replay::Run;
use evidence::Evidence;
use propose::{Examples, Proposal, propose};

/// How often replays are run again with the rules found so far.
const MAX_ROUNDS: usize = 8;

/// What was found.
#[derive(Debug, Default)]
pub struct Learned {
    /// How many replays were run in all.
    pub replays: usize,
    /// How many rules are in the file; without any there is no file.
    pub rules: usize,
    /// What differs and is no noise, or fails in a way that no rule lets pass.
    pub other: Vec<String>,
}

/// What is asked for.
pub struct Request<'a> {
    pub recording: &'a Recording,
    /// How many replays make a round.
    pub times: usize,
    /// The rule files in force.
    pub rules: &'a [PathBuf],
    /// Where the rules that are found go.
    pub out: &'a Path,
}

/// Replays until nothing new is found. `replay` runs one replay with rule files.
///
/// # Errors
/// What kept a replay from being run; a file that cannot be written.
pub fn learn(
    request: &Request<'_>,
    replay: &mut dyn FnMut(&[PathBuf]) -> Result<Run, Failure>,
) -> Result<Learned, Failure> {
    let noise = Noise::load(request.rules)?;
    let examples = Examples::of(&noise);
    let mut evidence = Evidence::default();
    let mut learned = Learned::default();
    let mut text = String::new();
    for _ in 0..MAX_ROUNDS {
        let mut files = request.rules.to_vec();
        files.extend((!text.is_empty()).then(|| request.out.to_owned()));
        evidence.other.clear();
        let mut is_passed = true;
        for _ in 0..request.times {
            let run = replay(&files)?;
            is_passed &= run.failed() == 0 && run.is_set_clean();
            evidence.take(request.recording, learned.replays, &run)?;
            learned.replays += 1;
        }
        let found = proposals(&evidence, &noise, &examples);
        let next = written(request, learned.replays, &found);
        if is_passed || next.rules == text {
            break;
        }
        write(request.out, &format!("{}{}", next.heading, next.rules))?;
        learned.rules = next.count;
        text = next.rules;
    }
    learned.other = evidence.other.iter().cloned().collect();
    let unexplained = evidence
        .sites
        .iter()
        .enumerate()
        .filter(|(number, (site, seen))| propose(&noise, &examples, site, seen, *number).is_none());
    learned.other.extend(unexplained.map(|(_, (site, _))| {
        format!(
            "{} of {} {}: the same in each replay, so a change and no noise",
            site.path, site.header, site.predicate
        )
    }));
    Ok(learned)
}

/// The rules of a file: by header and predicate, each action with its evidence.
type Proposals = BTreeMap<(String, String), Vec<Proposal>>;

fn proposals(evidence: &Evidence, noise: &Noise, examples: &Examples<'_>) -> Proposals {
    let mut found = Proposals::new();
    for (number, (site, seen)) in evidence.sites.iter().enumerate() {
        if let Some(mut proposal) = propose(noise, examples, site, seen, number) {
            if let Some(other) = evidence.echo(site) {
                proposal.evidence += &format!("; the value of {} in {} {}", other.path, other.header, other.predicate);
            }
            found.entry((site.header.clone(), site.predicate.clone())).or_default().push(proposal);
        }
    }
    found
}

/// What stands in the file.
struct Written {
    heading: String,
    rules: String,
    count: usize,
}

fn written(request: &Request<'_>, replays: usize, found: &Proposals) -> Written {
    let heading = format!(
        "// Found by `reel replay --learn {}` in {}: {replays} replays with nothing changed. Review each rule: what it\n\
         // lets differ is no longer tested. Then use the file with `-r`.\n",
        request.times,
        request.recording.dir.display(),
    );
    let mut rules = String::new();
    for class in found.values().flatten().filter_map(|proposal| proposal.class.as_ref()) {
        rules += &format!("\n{class}\n");
    }
    let mut count = 0;
    for ((header, predicate), proposals) in found {
        let predicate = if predicate.is_empty() { String::new() } else { format!(" /{predicate}/") };
        rules += &format!("\n{header}{predicate} {{\n");
        for Proposal { actions, evidence, .. } in proposals {
            count += actions.len();
            rules += &format!("    // {evidence}\n");
            actions.iter().for_each(|action| rules += &format!("    {action}\n"));
        }
        rules += "}\n";
    }
    Written { heading, rules, count }
}

/// Writes the file in the house's style, in one step.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let mut sources = SourceMap::new();
    let file = sources.add(path.display().to_string(), text);
    let text = reel_lang::fmt::format(&sources, file).unwrap_or_else(|_| text.to_owned());
    let partial = path.with_extension("rr.partial");
    std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path)).map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot write {}: {error}", path.display()))
            .remedy("name another file with --learned")
    })
}
