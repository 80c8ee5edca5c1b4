//! A recording for people: the list of its tests, and one test with its calls as a sequence.

use std::fmt::Write;

use crate::recording::{Cue, Ending, Exchange, Mock, Recording, Scope, Test, TestId, display_message, title};
use crate::replay::{file, test_title};
use crate::report::{Painter, Style};

/// Lists the tests of a recording, and what belongs to none.
pub fn list(recording: &Recording) -> String {
    let mut out = Painter::default();
    let about = &recording.about;
    out.paint(Style::Heading, recording.dir.display().to_string()).line();
    out.plain(format!("  command  {}", about.command.join(" "))).line();
    out.plain(format!("  clock    {}", about.clock)).line();
    out.plain(format!("  holds    {} tests, {} mocks", recording.tests.len(), recording.mocks.len())).line();
    if let Some(secrets) = &about.secrets {
        let names: Vec<&str> = secrets.tokens.iter().map(|(name, _)| name.as_str()).collect();
        out.plain(format!("  secrets  {}", names.join(", "))).line();
    }
    out.line();
    for test in &recording.tests {
        let calls = test.effects.len();
        let noun = if calls == 1 { "call" } else { "calls" };
        out.plain(format!("  {}  {}", test.id, test_title(test)));
        out.paint(Style::Faint, format!("  {}, {calls} {noun}{}", answer(&test.exchange), tags(test))).line();
    }
    for (scope, heading) in [(Scope::Startup, "Before the first test"), (Scope::Background, "Between tests")] {
        let mocks: Vec<&Mock> = recording.mocks.iter().filter(|mock| mock.scope == scope).collect();
        if !mocks.is_empty() {
            out.line().paint(Style::Heading, heading).line();
            mocks.into_iter().for_each(|mock| call(&mut out, recording, mock, ""));
        }
    }
    out.finish()
}

fn tags(test: &Test) -> String {
    test.tags.iter().fold(String::new(), |mut text, tag| {
        let _ = write!(text, " #{tag}");
        text
    })
}

/// Shows one test; none where the recording has no test of this number.
pub fn one(recording: &Recording, id: TestId) -> Option<String> {
    let test = recording.tests.iter().find(|test| test.id == id)?;
    let mut out = Painter::default();
    out.paint(Style::Heading, format!("{}  {}", test.id, test_title(test)));
    out.paint(Style::Faint, format!("  {}", file(test))).line();
    out.plain(format!("{} at {}", test.exchange.protocol, test.exchange.destination)).plain(tags(test)).line();
    messages(&mut out, &test.exchange);
    out.line().paint(Style::Heading, "Calls").line();
    if test.effects.is_empty() {
        out.plain("  none").line();
    }
    for effect in &test.effects {
        if let Some(mock) = recording.mock(&effect.mock) {
            let others = recording.tests.iter().filter(|other| other.effects.iter().any(|e| e.mock == effect.mock));
            let others: Vec<String> = others.map(|other| other.id.to_string()).collect();
            let why = match effect.attribution {
                crate::recording::Attribution::Thread => "by its thread".to_owned(),
                crate::recording::Attribution::Window => "no other request was open".to_owned(),
                crate::recording::Attribution::Candidate => format!("one of the tests {}", others.join(", ")),
            };
            call(&mut out, recording, mock, &why);
            messages(&mut out, &mock.exchange);
        }
    }
    Some(out.finish())
}

/// One line for a call: when, what, where to, what came back, whose it is.
fn call(out: &mut Painter, recording: &Recording, mock: &Mock, why: &str) {
    let at = recording
        .timing
        .get(&mock.id.to_string())
        .map_or(String::new(), |at| format!("{:>9.3} ms  ", at.at_ns as f64 / 1e6));
    let exchange = &mock.exchange;
    let name = match (&exchange.request, &mock.cue, reel_protocols::by_name(&exchange.protocol)) {
        (Some(request), _, Some(protocol)) => title(protocol, request),
        (_, Some(Cue::After(id)), _) => format!("push after {id}"),
        _ => "connect".to_owned(),
    };
    out.plain(format!("  {at}{}  {name}", mock.id));
    out.paint(Style::Faint, format!("  to {}, {}", exchange.destination, answer(exchange)));
    if !why.is_empty() {
        out.paint(Style::Faint, format!(" [{why}]"));
    }
    out.line();
}

/// What came back, in a few words.
fn answer(exchange: &Exchange) -> String {
    let ending = exchange.ending.map_or("", Ending::name);
    match (&exchange.response, reel_protocols::by_name(&exchange.protocol)) {
        (Some(response), Some(protocol)) => {
            let title = title(protocol, response);
            if title.is_empty() { "answered".to_owned() } else { title }
        }
        _ if ending.is_empty() => "no answer".to_owned(),
        _ => ending.to_owned(),
    }
}

fn messages(out: &mut Painter, exchange: &Exchange) {
    let Some(protocol) = reel_protocols::by_name(&exchange.protocol) else { return };
    let requests = exchange.request.iter().map(|message| ("> ", message));
    let responses = exchange.interim.iter().chain(&exchange.response).map(|message| ("< ", message));
    for (mark, message) in requests.chain(responses) {
        for line in display_message(protocol, message).lines() {
            out.plain("      ").paint(Style::Faint, mark).plain(line).line();
        }
    }
}

#[cfg(test)]
mod tests;
