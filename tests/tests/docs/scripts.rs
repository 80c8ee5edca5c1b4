//! What a user copies from `scripts/` works: rule files in a recording and a replay, CI templates step by step.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use reel_probes::doctor::Capability;
use reel_tests::process::root;
use serde_yaml::Value;

use crate::commands::right;
use crate::markdown::read;
use crate::shop::Shop;

/// The recording that the templates replay, made under the rules that they name.
fn recorded() -> Result<Option<Shop>> {
    if !Capability::TcpHooks.needs() || !Capability::UserDynptr.needs() {
        return Ok(None);
    }
    let shop = Shop::open()?;
    std::fs::create_dir(shop.path("scripts"))?;
    std::fs::copy(root().join("scripts/service.rr"), shop.path("scripts/service.rr"))?;
    shop.must("reel record -r scripts/service.rr -o recordings/shop --drive ./client.sh -- ./server", 0)?;
    Ok(Some(shop))
}

#[test]
fn every_rule_file_is_right() -> Result<()> {
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("scripts"))? {
        let path = Path::new("scripts").join(entry?.file_name());
        if path.extension().is_some_and(|extension| extension == "rr") {
            right(&path, &read(&path)?)?;
            count += 1;
        }
    }
    assert!(count > 0);
    Ok(())
}

#[test]
fn the_rules_of_a_service_serve_a_replay() -> Result<()> {
    let Some(shop) = recorded()? else { return Ok(()) };
    let replay = "reel replay -r scripts/service.rr --junit reel.xml recordings/shop -- ./server";
    let said = shop.must(replay, 0)?;
    assert!(said.contains("5 passed, 0 failed"), "{said}");
    assert!(shop.read("reel.xml")?.contains("tests=\"5\""));
    let said = shop.must(&format!("BUG=--bug {replay}"), 1)?;
    assert!(said.contains("4 passed, 1 failed"), "{said}");
    Ok(())
}

#[test]
fn the_template_for_github_replays() -> Result<()> {
    let Some(shop) = recorded()? else { return Ok(()) };
    let template: Value = serde_yaml::from_str(&read(Path::new("scripts/github-actions.yml"))?)?;
    let steps = template["jobs"]["replay"]["steps"].as_sequence().context("the steps of the job `replay`")?;
    let lines: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    follow(&shop, &lines)?;
    let uploads = steps.iter().any(|step| step["with"]["path"].as_str() == Some("reel.xml"));
    ensure!(uploads, "no step keeps the report");
    Ok(())
}

#[test]
fn the_template_for_gitlab_replays() -> Result<()> {
    let Some(shop) = recorded()? else { return Ok(()) };
    let template: Value = serde_yaml::from_str(&read(Path::new("scripts/gitlab-ci.yml"))?)?;
    let lines = template["replay"]["script"].as_sequence().context("the script of the job `replay`")?;
    follow(&shop, &lines.iter().filter_map(Value::as_str).collect::<Vec<_>>())?;
    assert_eq!(template["replay"]["artifacts"]["reports"]["junit"].as_str(), Some("reel.xml"));
    Ok(())
}

/// Runs the lines of a template; one of them must have replayed, and written the report.
fn follow(shop: &Shop, lines: &[&str]) -> Result<()> {
    ensure!(lines.iter().any(|line| line.contains("reel replay")), "nothing is replayed: {lines:?}");
    for line in lines {
        shop.must(line.trim(), 0)?;
    }
    ensure!(shop.read("reel.xml")?.contains("tests=\"5\""), "reel.xml is no report of the five tests");
    Ok(())
}
