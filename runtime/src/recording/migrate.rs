//! From older formats to the newest, one function a step.
//!
//! A step takes a file's tree as its version wrote it and gives it as the next version writes it. Adding a version is one
//! function and one line in the table; a recording on disk is never changed by reading it.

use super::document::FORMAT;
use super::yaml::{Fault, Node};

/// Turns `recording.yaml` of one version into that of the next.
type Step = fn(Node) -> Result<Node, Fault>;

/// `STEPS[n]` turns version `n + 1` into `n + 2`.
const STEPS: [Step; FORMAT as usize - 1] = [];

/// Brings `recording.yaml` up to the newest version.
pub(super) fn head(found: u32, node: Node) -> Result<Node, Fault> {
    if found == 0 {
        return Err(Fault { line: node.line, reason: "there is no format version 0".into() });
    }
    STEPS.iter().skip(found as usize - 1).try_fold(node, |node, step| step(node))
}
