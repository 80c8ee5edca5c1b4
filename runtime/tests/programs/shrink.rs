//! Makes a program smaller as long as it still fails.

use super::tree::{Kind, Node};

/// Runs of one shrinking, so that it ends soon.
const MAX_TRIES: usize = 1500;

/// The smallest program found for which `fails` gives a reason, and the reason.
pub fn shrink(program: Node, fails: impl Fn(&str) -> Option<String>) -> (Node, String) {
    let mut best = program;
    let mut reason = fails(&best.to_string()).unwrap_or_else(|| "it did not fail a second time".to_owned());
    let (mut tries, mut index) = (0, 0);
    let mut last_change = 0;
    while tries < MAX_TRIES && last_change < best.len() {
        let smaller = best.nth(index).map(smaller).unwrap_or_default();
        let mut has_changed = false;
        for candidate in smaller {
            tries += 1;
            let tried = best.with(index, candidate);
            if let Some(how) = fails(&tried.to_string()) {
                (best, reason) = (tried, how);
                has_changed = true;
                break;
            }
        }
        last_change = if has_changed { 0 } else { last_change + 1 };
        if !has_changed {
            index += 1;
        }
        if index >= best.len() {
            index = 0;
        }
    }
    (best, reason)
}

/// What may stand for a node, the smallest first.
fn smaller(node: &Node) -> Vec<Node> {
    let least = match node.kind {
        Kind::Int => Some("0"),
        Kind::Str => Some("\"\""),
        Kind::Bool => Some("false"),
        Kind::Stmt => Some(""),
        Kind::Fixed => None,
    };
    let leaf = least.map(|text| Node::text(node.kind, text)).filter(|leaf| leaf != node);
    let mut found: Vec<Node> = leaf.into_iter().collect();
    inner(node, node.kind, &mut found);
    found
}

/// The nodes of a kind below a node.
fn inner(node: &Node, kind: Kind, found: &mut Vec<Node>) {
    for child in node.children() {
        if child.kind == kind && kind != Kind::Fixed && child.to_string() != node.to_string() {
            found.push(child.clone());
        }
        inner(child, kind, found);
    }
}
