//! The values that a test's request got from earlier exchanges, and those that later requests got from its answer and its calls.

use std::collections::BTreeSet;

use crate::flow::{Flow, source};
use crate::recording::{Owner, Recording, TestOutline};
use crate::report::{Painter, Style};

/// From where a test's request got values, in a word.
pub(super) fn sources(test: &TestOutline) -> String {
    let name = |flow: &Flow| match flow.from {
        Owner::Test(id) => id.to_string(),
        Owner::Mock(id) => id.to_string(),
    };
    let names: BTreeSet<String> = test.flows.iter().map(name).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" <- {}", names.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// Shows where values came from, and where they went.
pub(super) fn both_ways(out: &mut Painter, recording: &Recording, test: &TestOutline) {
    let is_mine = |owner: Owner| match owner {
        Owner::Test(id) => id == test.id,
        Owner::Mock(id) => test.effects.iter().any(|effect| effect.call == id),
    };
    let later = recording.tests().iter().flat_map(|other| other.flows.iter().map(move |flow| (other, flow)));
    let gone: Vec<(&TestOutline, &Flow)> = later.filter(|(_, flow)| is_mine(flow.from)).collect();
    if test.flows.is_empty() && gone.is_empty() {
        return;
    }
    out.line().paint(Style::Heading, "Values").line();
    for flow in &test.flows {
        out.plain(format!("  <- {}", flow.to));
        out.paint(Style::Faint, format!("  from {} {}", source(flow.from), flow.at));
        if flow.latest_of > 1 {
            out.paint(Style::Faint, format!(", the latest of {} answers that have it", flow.latest_of));
        }
        out.line();
    }
    for (other, flow) in gone {
        let at = if matches!(flow.from, Owner::Mock(_)) { source(flow.from) + " " } else { String::new() };
        out.plain(format!("  -> {at}{}", flow.at));
        out.paint(Style::Faint, format!("  to test {} {}", other.id, flow.to)).line();
    }
}
