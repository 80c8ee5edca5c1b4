//! `:doc NAME`: what a name means, from the registries that the compiler itself asks.

use std::fmt::Write;
use std::iter;

use reel_compiler::builtins;
use reel_lang::diagnostic::nearest;
use reel_lang::env::Places;
use reel_lang::schema::{CONN_FIELDS, Event, Field, Named, Schema, Side};

use super::command::COMMANDS;
use crate::exit::{Exit, Failure};

/// All that is known of a name; `http:status` and `http.status` are that field of one protocol.
///
/// # Errors
/// Nothing has this name; the nearest is named.
pub fn about(name: &str) -> Result<String, Failure> {
    let mut out = String::new();
    let word = name.trim_end_matches("()");
    for command in COMMANDS.iter().filter(|command| command.names.contains(&word)) {
        let _ = writeln!(out, "{}\n  command: {}", command.form(), command.doc);
    }
    if let Some(value) = builtins::builtin(word).filter(|value| !value.places.trusted) {
        let _ = writeln!(out, "{word}\n  {}, {}: {}", value.ty, places(value.places), value.doc);
    }
    if let Some(function) = builtins::function(word).filter(|function| !function.places.trusted) {
        let at = places(function.places);
        let _ = writeln!(out, "{}\n  {at}: {}\n  {}", function.signature(), function.doc, function.example);
    }
    messages(&mut out, word);
    if !out.is_empty() {
        return Ok(out);
    }
    let failure = Failure::new(Exit::Usage, format!("nothing is called `{name}`"));
    let known = names();
    Err(match nearest(word, known.iter().map(String::as_str)) {
        Some(near) => failure.remedy(format!("did you mean `{near}`?")),
        None => failure.remedy("`:doc` knows functions, values, fields, protocols and commands"),
    })
}

/// What protocols say of a word: their own name, a field of one, or a field of any.
fn messages(out: &mut String, word: &str) {
    let (protocol, field) = match word.split_once([':', '.']) {
        Some((protocol, field)) => (Some(protocol), field),
        None => (None, word),
    };
    if let Some((name, ty, doc)) = CONN_FIELDS.iter().find(|(name, ..)| protocol.is_none() && *name == field) {
        let _ = writeln!(out, "{name}\n  {}, every message: {doc}", ty.name());
    }
    for schema in reel_protocols::protocols().iter().map(|protocol| protocol.schema()) {
        if protocol.is_none() && schema.protocol == field {
            whole(out, schema);
        }
        let is_meant = protocol.is_none_or(|protocol| protocol == schema.protocol);
        let name = &schema.protocol;
        for found in schema.fields.iter().filter(|found| is_meant && found.name == field) {
            let Some(side) = found.side else { continue };
            let _ = writeln!(out, "{name} {} {field}\n  {}: {}", side.name(), found.ty.name(), found.doc);
        }
        for named in schema.named.iter().filter(|named| protocol.is_some() && is_meant && named.name == field) {
            some(out, named, schema);
        }
        for (event, own) in schema.events.iter().filter(|_| is_meant) {
            if protocol.is_some() && event.name() == field {
                one(out, *event, own);
            }
            let is_own = |found: &&Field| found.name == field && !found.is_connection();
            for found in own.fields.iter().filter(is_own) {
                let _ = writeln!(out, "{name} {} {field}\n  {}: {}", event.name(), found.ty.name(), found.doc);
            }
        }
    }
}

fn whole(out: &mut String, schema: &Schema) {
    let name = &schema.protocol;
    let messages = Event::MESSAGES.map(|event| format!("{name}:{}", event.name()));
    let _ = writeln!(out, "{}\n  {}", messages.join(", "), schema.doc);
    for side in [Side::Request, Side::Response] {
        let fields: Vec<&str> =
            schema.fields.iter().filter(|field| field.side == Some(side)).map(|field| field.name.as_str()).collect();
        let _ = writeln!(out, "  {}: {}", side.name(), fields.join(", "));
    }
    schema.named.iter().for_each(|named| some(out, named, schema));
    schema.events.iter().for_each(|(event, own)| one(out, *event, own));
}

/// Messages that have a name of their own.
fn some(out: &mut String, named: &Named, schema: &Schema) {
    let (event, condition) = (named.event.name(), named.condition());
    let _ = writeln!(out, "{}:{}\n  {}\n  a {event} with {condition}", schema.protocol, named.name, named.doc);
}

/// An event that is no message.
fn one(out: &mut String, event: Event, schema: &Schema) {
    let own = schema.fields.iter().filter(|field| !field.is_connection());
    let fields: Vec<&str> = own.map(|field| field.name.as_str()).collect();
    let fields = if fields.is_empty() { "what every message has".to_owned() } else { fields.join(", ") };
    let _ = writeln!(out, "{}:{}\n  {}\n  {fields}", schema.protocol, event.name(), schema.doc);
}

/// Every name that [`about`] knows.
pub fn names() -> Vec<String> {
    let schemas = || reel_protocols::protocols().iter().map(|protocol| protocol.schema());
    let whole = |schema: &'static Schema| iter::once(schema).chain(schema.events.iter().map(|(_, own)| own));
    let fields = schemas().flat_map(whole).flat_map(|schema| schema.fields.iter().map(|field| field.name.clone()));
    let protocols = schemas().map(|schema| schema.protocol.clone());
    let commands = COMMANDS.iter().flat_map(|command| command.names).map(|name| (*name).to_owned());
    let trusted = |name: &&&str| {
        builtins::builtin(name).is_some_and(|value| value.places.trusted)
            || builtins::function(name).is_some_and(|function| function.places.trusted)
    };
    let builtins = builtins::names().iter().filter(|name| !trusted(name)).map(|name| (*name).to_owned());
    let mut names: Vec<String> = fields.chain(protocols).chain(commands).chain(builtins).collect();
    names.sort();
    names.dedup();
    names
}

fn places(places: Places) -> &'static str {
    match (places.kernel, places.native) {
        (true, true) => "all probes",
        (true, false) => "kernel probes",
        _ => "message probes",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expect: &str) {
        let text = about(name).unwrap();
        assert!(text.contains(expect), "{expect:?} is not in\n{text}");
    }

    #[test]
    fn names_of_every_kind_are_known() {
        check("hist", "hist(int, [literal int])\n  all probes: ");
        check("comm", "comm\n  string, kernel probes: ");
        check("comm", "comm\n  string, every message: ");
        check("status", "http response status\n  int: ");
        check("http:path", "http request path\n  string: ");
        check("redis", "redis:request, redis:response, redis:exchange\n");
        check("tcp:close", "tcp:close\n  A connection is over");
        check("postgres:query", "postgres:query\n  A statement is sent");
        check("spec", "redis error spec\n  string: ");
        check(":stop", ":stop [N]\n  command: ");
    }

    #[test]
    fn the_nearest_name_is_given() {
        assert_eq!(about("histt").unwrap_err().remedy.as_deref(), Some("did you mean `hist`?"));
    }
}
