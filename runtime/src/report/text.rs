//! The report on a terminal, or in a pipe.

use super::style::{Painter, Style};
use super::value::difference;
use crate::matching::ByRule;
use crate::mock::{Disordered, Effects, Miss, UnmetCall};
use crate::recording::display_message;
use crate::replay::{Reply, Run, TestOutcome};

const DNS_PORT: i64 = 53;

/// Writes the report of a run, with colours.
pub fn text(run: &Run) -> String {
    let mut out = Painter::default();
    for outcome in &run.tests {
        test(&mut out, outcome);
    }
    set(&mut out, run);
    rules(&mut out, run);
    total(&mut out, run);
    out.finish()
}

/// One test: a line where it passed, and what is wrong where it failed.
pub(super) fn test(out: &mut Painter, outcome: &TestOutcome) {
    match (&outcome.reply, outcome.is_passed()) {
        (_, true) => out.paint(Style::Good, "  ok    "),
        (Reply::NotRun(_), _) => out.paint(Style::Warning, "  -     "),
        _ => out.paint(Style::Bad, "  FAIL  "),
    };
    out.plain(format!("{}  {}", outcome.id, outcome.title)).line();
    if !outcome.is_passed() {
        failure(out, outcome);
    }
}

/// What is wrong with a test.
pub(super) fn failure(out: &mut Painter, outcome: &TestOutcome) {
    const INDENT: &str = "        ";
    out.plain(INDENT).paint(Style::Faint, &outcome.file).line();
    match &outcome.reply {
        Reply::Compared(differences) => {
            if !differences.is_empty() {
                out.plain(INDENT).plain("the response is not the recorded one").line();
            }
            for found in differences {
                difference(out, "          ", found);
            }
        }
        Reply::Failed(reason) => {
            out.plain(INDENT).plain(reason).line();
        }
        Reply::NotRun(reason) => {
            out.plain(INDENT).plain(format!("not run: {reason}")).line();
        }
    }
    for unmet in &outcome.unmet {
        out.plain(INDENT).plain(format!("not met: {}", unmet.why)).line();
        out.plain(INDENT).plain("  ").paint(Style::Faint, unmet.origin.to_string()).line();
    }
    effects(out, INDENT, &outcome.effects);
}

/// What is wrong with calls.
pub(super) fn effects(out: &mut Painter, indent: &str, effects: &Effects) {
    let deeper = format!("{indent}  ");
    let head = |out: &mut Painter, word: &str, rest: String| {
        out.plain(indent).paint(Style::Bad, word).plain(rest).line();
    };
    for missing in &effects.missing {
        head(out, "missing call", format!("   {} {} to {}", missing.mock, missing.title, missing.destination));
    }
    for answered in effects.answered.iter().filter(|answered| !answered.differences.is_empty()) {
        head(out, "changed call", format!("   {} {}", answered.mock, answered.title));
        answered.differences.iter().for_each(|found| difference(out, &deeper, found));
    }
    for changed in &effects.changed {
        head(
            out,
            "changed call",
            format!("   {} {}, the nearest to {}", changed.mock, changed.title, called(&changed.miss)),
        );
        changed.differences.iter().for_each(|found| difference(out, &deeper, found));
    }
    for UnmetCall { call, unmet } in &effects.unmet {
        head(out, "not met", format!("        {call}: {}", unmet.why));
        out.plain(&deeper).paint(Style::Faint, unmet.origin.to_string()).line();
    }
    for repeated in &effects.repeated {
        head(out, "repeated call", format!("  {}, once more than recorded: {}", repeated.mock, called(&repeated.miss)));
    }
    for Disordered { mock, title, overtook, overtook_title } in &effects.disordered {
        head(
            out,
            "order of calls",
            format!(" {mock} {title} was made after {overtook} {overtook_title}, and before it when recorded"),
        );
    }
    // An app that tries again makes one call again and again.
    for alike in effects.misses.chunk_by(|one, next| told(one) == told(next)) {
        let [miss, ..] = alike else { continue };
        let times = if alike.len() > 1 { format!(", {} times in a row", alike.len()) } else { String::new() };
        head(out, "extra call", format!("     {}{times}", called(miss)));
        if let Some(reason) = &miss.reason {
            out.plain(&deeper).plain(reason).line();
        } else {
            for line in told(miss).1.lines() {
                out.plain(&deeper).paint(Style::Good, format!("+ {line}")).line();
            }
        }
    }
    if effects.more_misses > 0 {
        head(out, "extra call", format!("     {} more that were not recorded", effects.more_misses));
    }
}

/// What is told of a call that was not recorded: what it is, its fields, and what else is wrong with it.
fn told(miss: &Miss) -> (String, String, Option<&str>) {
    let fields = miss.request.as_ref().map(|request| display_message(miss.protocol, request));
    (called(miss), fields.unwrap_or_default(), miss.reason.as_deref())
}

fn called(miss: &Miss) -> String {
    format!("{} to {} ({})", miss.title, miss.destination, miss.protocol.schema().protocol)
}

/// What fails at the level of the set.
pub(super) fn set(out: &mut Painter, run: &Run) {
    if !run.apart.is_clean() {
        out.line().paint(Style::Heading, "While no test was running").line();
        effects(out, "  ", &run.apart);
    }
    if run.left_over.is_empty() {
        return;
    }
    out.line().paint(Style::Heading, "Calls that no test made").line();
    for left in &run.left_over {
        let owners: Vec<String> = left.owners.iter().map(ToString::to_string).collect();
        out.plain("  ").paint(Style::Bad, "missing call");
        let whose = match owners.is_empty() {
            true => "of the start-up".to_owned(),
            false => format!("of one of the tests {}", owners.join(", ")),
        };
        out.plain(format!("   {} {} to {}, {whose}", left.mock, left.title, left.destination)).line();
    }
}

/// Which rules had a say.
pub(super) fn rules(out: &mut Painter, run: &Run) {
    if !run.by_rule.is_empty() {
        out.line().paint(Style::Heading, "Answered by rules").line();
        for ByRule { origin, calls, consumed } in &run.by_rule {
            out.plain(format!("  {calls:>5} × {}", origin.text)).paint(Style::Faint, format!("  {}", origin.place));
            let calls = if *consumed == 1 { "call" } else { "calls" };
            out.plain(format!(", in place of {consumed} recorded {calls}")).line();
        }
    }
    if !run.flowed.is_empty() || run.renamed > 0 {
        out.line().paint(Style::Heading, "Values that flowed").line();
        for (what, count) in &run.flowed {
            out.plain(format!("  {count:>5} × {what}")).line();
        }
        if run.renamed > 0 {
            let what = "value of this replay for the recorded one, in calls, answers and comparisons";
            out.plain(format!("  {:>5} × {what}", run.renamed)).line();
        }
    }
    let aliases = || run.aliases.iter().filter(|(_, is_used)| *is_used);
    if !run.relaxed.is_empty() || run.secrets > 0 || run.loose > 0 || aliases().count() > 0 {
        out.line().paint(Style::Heading, "Relaxations used").line();
        for used in &run.relaxed {
            let default = if used.origin.is_default { " (default)" } else { "" };
            out.plain(format!("  {:>5} × {}", used.relaxed, used.origin.text));
            out.paint(Style::Faint, format!("  {}{default}", used.origin.place)).line();
        }
        if run.secrets > 0 {
            out.plain(format!("  {:>5} × redacted value, the same each time", run.secrets)).line();
        }
        for (alias, _) in aliases() {
            out.plain(format!("          {alias}")).line();
        }
        if run.loose > 0 {
            out.plain(format!("  {:>5} × call of the background, made again or not at all", run.loose)).line();
        }
    }
    for (alias, _) in run.aliases.iter().filter(|(_, is_used)| !is_used) {
        out.paint(Style::Warning, "warning")
            .plain(format!(": the app connected to nothing that {alias} speaks of"))
            .line();
    }
    for origin in &run.unmatched {
        out.paint(Style::Warning, "warning").plain(format!(": no message has what {origin} speaks of")).line();
    }
    for (port, count) in &run.refused_datagrams {
        let datagrams = if *count == 1 { "datagram" } else { "datagrams" };
        let what = format!(": UDP is not mocked: the app was refused {count} {datagrams} to port {port}");
        let remedy =
            if *port == DNS_PORT { "; give it the names that it looks up in /etc/hosts, or addresses" } else { "" };
        out.paint(Style::Warning, "warning").plain(what + remedy).line();
    }
    for unflowed in &run.unflowed {
        out.paint(Style::Warning, "warning").plain(format!(": {unflowed}")).line();
    }
    for (ignore, by) in &run.gave_way {
        out.paint(Style::Warning, "warning").plain(format!(": {ignore} gives way to {by}")).line();
    }
}

fn total(out: &mut Painter, run: &Run) {
    let style = if run.failed() == 0 && run.is_set_clean() { Style::Good } else { Style::Bad };
    out.line().plain(format!("clock: {}", run.clock)).line();
    if let Some(ended) = &run.ended {
        let when = if run.is_last_passed() { "after the last test" } else { "before the last test was done" };
        out.paint(Style::Bad, "stopped").plain(format!(" {when}: {ended}")).line();
    }
    out.paint(style, format!("{} passed, {} failed", run.passed(), run.failed()));
    if !run.is_set_clean() {
        out.paint(style, ", and the set as a whole is not as recorded");
    }
    out.line();
}
