//! The tables of names in the documentation are those of the registries; `BLESS=1` writes them.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use reel::exit::Exit;
use reel::noise::Noise;
use reel_compiler::builtins;
use reel_lang::diagnostic::code;
use reel_lang::env::Places;
use reel_lang::schema::{CONN_FIELDS, Event, Side};
use reel_tests::process::root;

use crate::markdown::{read, table};

#[test]
fn the_values_and_functions_are_listed() -> Result<()> {
    agrees("docs/tracing.md", "values", &values()?)?;
    agrees("docs/tracing.md", "functions", &functions()?)?;
    agrees("docs/tracing.md", "elsewhere", &elsewhere()?)
}

#[test]
fn the_fields_of_messages_are_listed() -> Result<()> {
    agrees("docs/messages.md", "connection", &connection()?)?;
    agrees("docs/messages.md", "events", &events()?)?;
    for protocol in reel_protocols::protocols() {
        let schema = protocol.schema();
        agrees("docs/messages.md", &schema.protocol, &fields(schema)?)?;
    }
    Ok(())
}

#[test]
fn the_noise_classes_are_listed() -> Result<()> {
    let noise = Noise::load(&[])?;
    let mut out = "| class | what is in it | example |\n|---|---|---|\n".to_owned();
    for class in &noise.classes {
        let examples: Vec<String> = class.doc.examples.iter().map(|example| format!("`{}`", cell(example))).collect();
        writeln!(out, "| `{}` | {} | {} |", class.name, cell(&class.doc.text), examples.join(", "))?;
    }
    agrees("docs/rules.md", "noise", &out)
}

#[test]
fn the_codes_of_diagnostics_are_listed() -> Result<()> {
    let mut out = "| code | meaning |\n|---|---|\n".to_owned();
    for (code, title) in code::ALL {
        writeln!(out, "| {code} | {title} |")?;
    }
    agrees("docs/diagnostics.md", "codes", &out)
}

#[test]
fn the_exit_codes_are_listed() -> Result<()> {
    let rows = table(&read(Path::new("README.md"))?, "Exit codes");
    let listed: Vec<String> = rows.into_iter().filter_map(|row| row.into_iter().next()).collect();
    let mut codes: Vec<u8> = Exit::PRECEDENCE.iter().map(|exit| exit.code()).chain([Exit::Passed.code()]).collect();
    codes.sort_unstable();
    assert_eq!(listed, codes.iter().map(u8::to_string).collect::<Vec<_>>());
    Ok(())
}

/// Holds the text between `<!-- NAME -->` and `<!-- end -->` against what the code says.
pub fn agrees(file: &str, name: &str, expected: &str) -> Result<()> {
    let text = read(Path::new(file))?;
    let begin = format!("<!-- {name} -->\n");
    let (before, rest) = text.split_once(&begin).with_context(|| format!("{file} has no {}", begin.trim()))?;
    let (found, after) = rest.split_once("<!-- end -->").with_context(|| format!("{file}: {name} has no end"))?;
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(root().join(file), format!("{before}{begin}{expected}<!-- end -->{after}"))?;
    } else {
        assert!(found == expected, "{file}: the table of {name} is not what the code has; BLESS=1 writes it");
    }
    Ok(())
}

/// A cell's text: a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn places(places: Places) -> &'static str {
    match (places.kernel, places.native) {
        (true, true) => "both",
        (true, false) => "kernel probes",
        _ => "messages",
    }
}

fn values() -> Result<String> {
    let mut out = "| value | type | where | meaning |\n|---|---|---|---|\n".to_owned();
    for value in builtins::names().iter().filter_map(|name| builtins::builtin(name)).filter(|v| !v.places.trusted) {
        let (ty, at, doc) = (cell(&value.ty.to_string()), places(value.places), cell(value.doc));
        writeln!(out, "| `{}` | {ty} | {at} | {doc} |", value.name)?;
    }
    Ok(out)
}

fn functions() -> Result<String> {
    let mut out = "| function | where | meaning | example |\n|---|---|---|---|\n".to_owned();
    for function in builtins::names().iter().filter_map(|name| builtins::function(name)) {
        if !function.places.trusted {
            let (at, doc) = (places(function.places), cell(function.doc));
            writeln!(out, "| `{}` | {at} | {doc} | `{}` |", function.signature(), cell(function.example))?;
        }
    }
    Ok(out)
}

fn elsewhere() -> Result<String> {
    let mut out = "| name | why a message has none | instead |\n|---|---|---|\n".to_owned();
    for (names, elsewhere) in builtins::ELSEWHERE {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        writeln!(out, "| {} | {} | {} |", names.join(", "), cell(elsewhere.why), cell(elsewhere.remedy))?;
    }
    Ok(out)
}

fn connection() -> Result<String> {
    let mut out = "| field | type | meaning |\n|---|---|---|\n".to_owned();
    for (name, ty, doc) in CONN_FIELDS {
        writeln!(out, "| `{name}` | {} | {} |", ty.name(), cell(doc))?;
    }
    Ok(out)
}

fn fields(schema: &reel_lang::schema::Schema) -> Result<String> {
    let mut out = "| field | of | type | meaning |\n|---|---|---|---|\n".to_owned();
    for field in &schema.fields {
        let side = match field.side {
            Some(Side::Request) => "request",
            Some(Side::Response) => "response",
            None => continue,
        };
        writeln!(out, "| `{}` | {side} | {} | {} |", field.name, field.ty.name(), cell(&field.doc))?;
    }
    if !schema.named.is_empty() {
        out.push_str("\n| probe | fires on | meaning |\n|---|---|---|\n");
    }
    for named in &schema.named {
        let (name, event) = (format!("{}:{}", schema.protocol, named.name), named.event.name());
        writeln!(out, "| `{name}` | a {event} with `{}` | {} |", named.condition(), cell(&named.doc))?;
    }
    Ok(out)
}

/// The events that are no messages, each with its fields; `PROTO` where every protocol has the event that can be broken.
fn events() -> Result<String> {
    let mut out = "| event | field | type | meaning |\n|---|---|---|---|\n".to_owned();
    let mut has_error = false;
    for schema in reel_protocols::protocols().iter().map(|protocol| protocol.schema()) {
        for (event, own) in &schema.events {
            let is_error = *event == Event::Error;
            if is_error && std::mem::replace(&mut has_error, true) {
                continue;
            }
            let protocol = if is_error { "PROTO" } else { &schema.protocol };
            writeln!(out, "| `{protocol}:{}` | | | {} |", event.name(), cell(&own.doc))?;
            for field in own.fields.iter().filter(|field| !field.is_connection()) {
                writeln!(out, "| | `{}` | {} | {} |", field.name, field.ty.name(), cell(&field.doc))?;
            }
        }
    }
    Ok(out)
}
