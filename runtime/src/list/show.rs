//! Entries of the list as text, and as a JSON object a line.

use reel_probes::catalog::c_text;
use serde_json::{Value, json};

use super::Entry;

/// One entry for people; with details, what can be asked of it is indented below.
pub fn text(entry: &Entry<'_>, with_details: bool) -> String {
    match entry {
        Entry::Probe(name, args) => {
            let args = if with_details { args() } else { Vec::new() };
            let lines = args.iter().map(|arg| format!("    {} {}\n", arg.ty, arg.name));
            format!("{name}\n{}", lines.collect::<String>())
        }
        Entry::Message(message) => {
            let fields = if with_details { message.fields() } else { Vec::new() };
            let width = fields.iter().map(|named| named.name.len()).max().unwrap_or(0);
            let line = |named: super::messages::Named| {
                format!("    {:8} {:width$}  {}\n", named.field.ty.name(), named.name, named.field.doc)
            };
            format!("{}\n{}", message.name, fields.into_iter().map(line).collect::<String>())
        }
        Entry::Type(ty) if with_details => format!("{};\n", c_text::definition(*ty)),
        Entry::Type(ty) => format!("{}\n", c_text::title(*ty)),
    }
}

/// One entry for machines.
pub fn json(entry: &Entry<'_>, with_details: bool) -> String {
    let mut value = match entry {
        Entry::Probe(name, _) => json!({"probe": name}),
        Entry::Message(message) => json!({"probe": message.name, "doc": message.doc}),
        Entry::Type(ty) => json!({"type": c_text::title(*ty), "bytes": ty.len_bytes()}),
    };
    if with_details {
        let (key, details) = details(entry);
        value[key] = details.into();
    }
    value.to_string() + "\n"
}

fn details(entry: &Entry<'_>) -> (&'static str, Vec<Value>) {
    match entry {
        Entry::Probe(_, args) => {
            ("args", args().iter().map(|arg| json!({"name": arg.name, "type": arg.ty.to_string()})).collect())
        }
        Entry::Message(message) => {
            let field = |named: super::messages::Named| json!({"name": named.name, "type": named.field.ty.name(), "doc": named.field.doc});
            ("fields", message.fields().into_iter().map(field).collect())
        }
        Entry::Type(ty) => {
            let member = |member: reel_probes::catalog::btf::Member<'_>| json!({"name": member.name, "type": c_text::of(ty.of(member.ty)), "offset_bits": member.offset_bits});
            let variant = |(name, value)| json!({"name": name, "value": value});
            ("members", ty.members().map(member).chain(ty.variants().map(variant)).collect())
        }
    }
}
