//! What came of a command whose dependencies were mocked.

use super::style::{Painter, Style};
use super::text;
use crate::replay::Served;

/// Writes what the mocks did, with colours: a line where all was well, and what is wrong where a call missed.
pub fn mocked(served: &Served) -> String {
    let mut out = Painter::default();
    let Served { run, answered, passed, .. } = served;
    if !run.apart.is_clean() {
        out.line().paint(Style::Heading, "Calls that are not as recorded").line();
        text::effects(&mut out, "  ", &run.apart);
    }
    if !run.apart.repeated.is_empty() {
        out.plain("  a recorded call answers once; a rule with `cycle` or `latest` lets it answer again").line();
    }
    text::rules(&mut out, run);
    if !passed.is_empty() {
        out.line().paint(Style::Heading, "Not recorded, and passed to the real server").line();
        for (server, calls) in passed {
            out.plain(format!("  {calls:>5} × {server}")).line();
        }
    }
    let missed = run.apart.misses.len() + run.apart.repeated.len() + run.apart.changed.len();
    let missed = missed as u64 + run.apart.more_misses;
    let style = if run.apart.is_clean() { Style::Good } else { Style::Bad };
    out.plain("reel: ").paint(style, format!("{answered} answered from the recording, {missed} missed")).line();
    out.finish()
}
