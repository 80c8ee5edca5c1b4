//! Who may depend on whom: the table of ARCHITECTURE.md, held against `cargo metadata`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::markdown::{read, table};

/// What cargo knows of the workspace and everything that it builds.
pub fn metadata() -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Crates for other systems need not be on this machine.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = Command::new(cargo);
    command
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let out = command.output()?;
    ensure!(out.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&out.stderr));
    Ok(serde_json::from_slice(&out.stdout)?)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The packages of the workspace, each with the names of its own dependencies; those of tests only where asked for.
fn dependencies(with_tests: bool) -> Result<Vec<(String, BTreeSet<String>)>> {
    let metadata = metadata()?;
    let members: BTreeSet<&str> =
        metadata["workspace_members"].as_array().context("members")?.iter().filter_map(Value::as_str).collect();
    let packages = metadata["packages"].as_array().context("packages")?;
    let own = packages.iter().filter(|package| members.contains(text(package, "id")));
    let of = |package: &Value| {
        let all = package["dependencies"].as_array().into_iter().flatten();
        let wanted = all.filter(|dependency| with_tests || dependency["kind"].is_null());
        wanted.map(|dependency| text(dependency, "name").to_owned()).collect()
    };
    Ok(own.map(|package| (text(package, "name").to_owned(), of(package))).collect())
}

#[test]
fn crates_depend_on_each_other_as_the_table_says() -> Result<()> {
    let rows = table(&read(Path::new("ARCHITECTURE.md"))?, "Who may know whom");
    let crates = dependencies(false)?;
    let members: BTreeSet<&String> = crates.iter().map(|(name, _)| name).collect();
    assert_eq!(rows.len(), crates.len(), "one row a crate");
    for (name, dependencies) in &crates {
        let row = rows.iter().find(|row| row[0] == *name).with_context(|| format!("no row for {name}"))?;
        let allowed: BTreeSet<String> =
            row[1].split(',').map(|word| word.trim().to_owned()).filter(|word| word != "nothing").collect();
        let found: BTreeSet<String> = dependencies.iter().filter(|name| members.contains(name)).cloned().collect();
        assert_eq!(found, allowed, "{name}");
    }
    Ok(())
}

#[test]
fn heavy_crates_have_one_owner() -> Result<()> {
    let rows = table(&read(Path::new("ARCHITECTURE.md"))?, "Who owns what");
    assert!(!rows.is_empty());
    let crates = dependencies(false)?;
    for row in rows {
        let owners: Vec<&str> =
            crates.iter().filter(|(_, all)| all.contains(&row[0])).map(|(name, _)| name.as_str()).collect();
        assert_eq!(owners, [row[1].as_str()], "{}", row[0]);
    }
    Ok(())
}
