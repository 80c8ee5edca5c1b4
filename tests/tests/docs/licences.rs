//! Everything that is linked into reel has a licence that deny.toml allows.

use std::path::Path;

use anyhow::{Context, Result};

use crate::edges::metadata;
use crate::markdown::read;

#[test]
fn every_crate_has_an_allowed_licence() -> Result<()> {
    let deny = read(Path::new("deny.toml"))?;
    let list = deny.lines().find(|line| line.starts_with("allow = [")).context("the list of licences in deny.toml")?;
    let allowed: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().context("packages")?;
    assert!(packages.len() > 50);
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(holds(licence, &allowed), "{} {}: {licence}", package["name"], package["version"]);
    }
    Ok(())
}

/// Whether an SPDX expression can be met: `OR` is a choice, `AND` is not.
fn holds(expression: &str, allowed: &[&str]) -> bool {
    // Parentheses occur around choices only: `(MIT OR Apache-2.0) AND Unicode-3.0`.
    expression.split(" AND ").all(|part| {
        part.trim_matches(['(', ')']).replace('/', " OR ").split(" OR ").any(|one| allowed.contains(&one.trim()))
    })
}

#[test]
fn a_licence_that_is_not_allowed_is_found_out() {
    let allowed = ["MIT", "Unicode-3.0"];
    assert!(holds("(MIT OR Apache-2.0) AND Unicode-3.0", &allowed));
    assert!(holds("Apache-2.0/MIT", &allowed));
    assert!(!holds("MIT AND GPL-3.0", &allowed));
    assert!(!holds("none", &allowed));
}
