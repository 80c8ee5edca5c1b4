//! A recording for people: the list of its tests, and one test with its calls as a sequence.

mod flows;

use std::fmt::Write;

use crate::recording::{
    Attribution, CallId, Cue, EffectOutline, Error, Exchange, Mock, Owner, Recording, Scope, TestId, answer,
    display_message, title,
};
use crate::report::{Painter, Style};

/// Lists the tests of a recording, and what belongs to none.
///
/// # Errors
/// A call between tests that cannot be read.
pub fn list(recording: &Recording) -> Result<String, Error> {
    let mut out = Painter::default();
    let about = &recording.about;
    out.paint(Style::Heading, recording.dir.display().to_string()).line();
    out.plain(format!("  command  {}", about.command.join(" "))).line();
    out.plain(format!("  clock    {}", about.clock)).line();
    out.plain(format!("  holds    {} tests, {} mocks", recording.tests().len(), recording.mocks().len())).line();
    if let Some(secrets) = &about.secrets {
        let names: Vec<&str> = secrets.tokens.iter().map(|(name, _)| name.as_str()).collect();
        out.plain(format!("  secrets  {}", names.join(", "))).line();
    }
    out.line();
    for test in recording.tests() {
        let calls = test.effects.len();
        let noun = if calls == 1 { "call" } else { "calls" };
        out.plain(format!("  {}  {}", test.id, test.title));
        let rest = format!("  {}, {calls} {noun}{}{}", test.answer, flows::sources(test), tags(&test.tags));
        out.paint(Style::Faint, rest).line();
    }
    for (scope, heading) in [(Scope::Startup, "Before the first test"), (Scope::Background, "Between tests")] {
        let mut mocks = recording.mocks().iter().filter(|mock| mock.scope == scope).peekable();
        if mocks.peek().is_some() {
            out.line().paint(Style::Heading, heading).line();
        }
        for mock in mocks {
            call(&mut out, recording, &recording.mock(mock)?, "")?;
        }
    }
    Ok(out.finish())
}

fn tags(tags: &[impl std::fmt::Display]) -> String {
    tags.iter().fold(String::new(), |mut text, tag| {
        let _ = write!(text, " #{tag}");
        text
    })
}

/// Shows one test; none where the recording has no test of this number.
///
/// # Errors
/// A file that cannot be read.
pub fn one(recording: &Recording, id: TestId) -> Result<Option<String>, Error> {
    let Some(outline) = recording.find_test(id) else { return Ok(None) };
    let test = recording.test(outline)?;
    let mut out = Painter::default();
    out.paint(Style::Heading, format!("{}  {}", outline.id, outline.title));
    out.paint(Style::Faint, format!("  {}", recording.file(outline))).line();
    out.plain(format!("{} at {}", test.exchange.protocol, test.exchange.destination)).plain(tags(&outline.tags)).line();
    messages(&mut out, &test.exchange);
    flows::both_ways(&mut out, recording, outline);
    out.line().paint(Style::Heading, "Calls").line();
    if outline.effects.is_empty() {
        out.plain("  none").line();
    }
    for effect in &outline.effects {
        if let Some(mock) = recording.find(effect.call) {
            let mock = recording.mock(mock)?;
            call(&mut out, recording, &mock, &why(recording, effect))?;
            messages(&mut out, &mock.exchange);
        }
    }
    Ok(Some(out.finish()))
}

/// How it is known that a call belongs to a test.
fn why(recording: &Recording, effect: &EffectOutline) -> String {
    match effect.attribution {
        Attribution::Thread => "its thread had read this request".to_owned(),
        Attribution::Socket => "by the sockets no other request can have made it".to_owned(),
        Attribution::Trace => "it carries this request's trace id".to_owned(),
        Attribution::Value => "only this request can have known a value in it".to_owned(),
        Attribution::Window => "no other request was open".to_owned(),
        Attribution::Candidate => {
            let others = recording.tests().iter().filter(|test| test.effects.iter().any(|e| e.call == effect.call));
            let others: Vec<String> = others.map(|test| test.id.to_string()).collect();
            format!("one of the tests {}", others.join(", "))
        }
    }
}

/// One line for a call: when, what, where to, what came back, whose it is.
fn call(out: &mut Painter, recording: &Recording, mock: &Mock, why: &str) -> Result<(), Error> {
    let at = CallId::of(&mock.id).and_then(|id| recording.timing(Owner::Mock(id)));
    let at = at.map_or(String::new(), |at| format!("{:>9.3} ms  ", at.at_ns as f64 / 1e6));
    let exchange = &mock.exchange;
    let name = match (&exchange.request, &mock.cue, reel_protocols::by_name(&exchange.protocol)) {
        (Some(request), _, Some(protocol)) => title(protocol, request),
        (_, Some(Cue::After(id)), _) => format!("push after {id}"),
        _ => "connect".to_owned(),
    };
    out.plain(format!("  {at}{}  {name}", mock.id));
    out.paint(Style::Faint, format!("  to {}, {}{}", exchange.destination, answer(exchange), tags(&mock.tags)));
    if !why.is_empty() {
        out.paint(Style::Faint, format!(" [{why}]"));
    }
    out.line();
    Ok(())
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
