//! What replays with nothing changed have taught.

use std::path::Path;

use super::style::{Painter, Style};
use crate::learn::Learned;

/// Writes what was found, with colours.
pub fn learned(learned: &Learned, file: &Path) -> String {
    let mut out = Painter::default();
    let Learned { replays, rules, other } = learned;
    for line in other {
        out.paint(Style::Bad, "not noise").plain(format!("  {line}")).line();
    }
    let found = match rules {
        0 if other.is_empty() => "nothing differs, and no rule is needed".to_owned(),
        0 => "no rule was found".to_owned(),
        1 => format!("1 rule for what differs is in {}", file.display()),
        rules => format!("{rules} rules for what differs are in {}", file.display()),
    };
    out.plain(format!("{replays} replays: {found}"));
    if *rules > 0 && other.is_empty() {
        out.plain("; with it every test passes");
    }
    out.line();
    if *rules > 0 {
        out.plain("review the file, then use it: ").plain(format!("reel replay -r {} ...", file.display())).line();
    }
    out.finish()
}
