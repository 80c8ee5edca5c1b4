//! Writes each protocol's slot numbers from its schema file: `src/PROTO/schema.rr` becomes `OUT_DIR/PROTO.rs`.
//!
//! The schema reader is reel-lang's own, included by path: it uses the standard library alone, and a build dependency on
//! the crate would build the whole language twice. A schema that cannot be read fails the build with its line and column.

#[allow(dead_code, unreachable_pub)]
#[path = "../../lang/src/schema/model.rs"]
mod model;
#[allow(unreachable_pub)]
#[path = "../../lang/src/schema/parse.rs"]
mod parse;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use model::{Field, Schema, Side};

fn main() -> io::Result<()> {
    let source = Path::new("src");
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=../../lang/src/schema");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    for entry in fs::read_dir(source)? {
        let folder = entry?.path();
        let file = folder.join("schema.rr");
        if !file.exists() {
            continue;
        }
        let text = fs::read_to_string(&file)?;
        let schema = parse::parse(&text).map_err(|error| io::Error::other(format!("{}:{error}", file.display())))?;
        let name = folder.file_name().unwrap_or_default();
        fs::write(out.join(name).with_extension("rs"), slots(&schema))?;
    }
    Ok(())
}

fn slots(schema: &Schema) -> String {
    let mut text = String::new();
    for (event, own) in &schema.events {
        let fields = || own.fields.iter().filter(|field| !field.is_connection());
        // An event may have no field of its own.
        if fields().next().is_some() {
            let _ = writeln!(text, "/// Slots of the fields of the event `{0}`.\npub mod {0} {{", event.name());
            text.push_str("    use reel_lang::schema::FieldId;\n");
            text.extend(fields().map(slot));
            text.push_str("}\n");
        }
    }
    for side in [Side::Request, Side::Response] {
        let own = || schema.fields.iter().filter(|field| field.side == Some(side));
        if own().next().is_none() {
            continue;
        }
        let _ = writeln!(text, "/// Slots of a {}'s fields.\n#[allow(dead_code)]\npub mod {0} {{", side.name());
        text.push_str("    use reel_lang::schema::FieldId;\n");
        let first = own().map(|field| field.id.0).min().unwrap_or_default();
        let last = own().map(|field| field.id.0).max().unwrap_or_default();
        let _ = writeln!(text, "    /// The slot of the first field.\n    pub const FIRST: u32 = {first};");
        let _ = writeln!(
            text,
            "    /// From the first field to the last.\n    pub const COUNT: usize = {};",
            last + 1 - first
        );
        for field in own() {
            text.push_str(&slot(field));
        }
        text.push_str("}\n");
    }
    text
}

fn slot(field: &Field) -> String {
    let name = field.name.to_uppercase();
    format!("    /// {}\n    pub const {name}: FieldId = FieldId({});\n", field.doc, field.id.0)
}
