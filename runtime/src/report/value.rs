//! Two values side by side, as a recording would write them; long texts as a diff of their lines.

use reel_lang::value::Value;
use similar::{ChangeTag, TextDiff};

use super::style::{Painter, Style};
use crate::matching::Difference;
use crate::recording::display;

/// The longest value that is shown whole, in characters.
const MAX_VALUE_CHARS: usize = 400;
/// The most lines of a diff that are shown.
const MAX_DIFF_LINES: usize = 60;

/// Shows a difference under its place.
pub(super) fn difference(out: &mut Painter, indent: &str, difference: &Difference) {
    out.plain(indent).paint(Style::Heading, &difference.path).plain(": ").plain(&difference.why).line();
    sides(out, indent, difference);
}

/// Shows what was recorded and what was replayed.
pub(super) fn sides(out: &mut Painter, indent: &str, difference: &Difference) {
    let (was, is) = (&difference.recorded, &difference.replayed);
    if let (Some(was), Some(is)) = (was.as_str(), is.as_str())
        && (was.contains('\n') || is.contains('\n'))
    {
        return lines(out, indent, was, is);
    }
    if !(was.is_nil() && is.is_nil()) {
        side(out, indent, Style::Bad, "- ", was);
        side(out, indent, Style::Good, "+ ", is);
    }
}

fn side(out: &mut Painter, indent: &str, style: Style, mark: &str, value: &Value) {
    out.plain(indent).plain("  ");
    match value {
        Value::Nil => out.paint(style, format!("{mark}(nothing)")),
        value => out.paint(style, format!("{mark}{}", shortened(&display(value)))),
    };
    out.line();
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE_CHARS) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}… ({} more bytes)", text.get(..at).unwrap_or_default(), text.len() - at),
    }
}

/// A diff by lines, with a little around each change.
fn lines(out: &mut Painter, indent: &str, was: &str, is: &str) {
    let diff = TextDiff::from_lines(was, is);
    let mut shown = 0;
    for group in diff.grouped_ops(2) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            shown += 1;
            if shown > MAX_DIFF_LINES {
                out.plain(indent).paint(Style::Faint, "  …").line();
                return;
            }
            let text = change.value().trim_end_matches('\n').escape_debug().to_string().replace("\\\"", "\"");
            out.plain(indent).plain("  ");
            match change.tag() {
                ChangeTag::Delete => out.paint(Style::Bad, format!("- {text}")),
                ChangeTag::Insert => out.paint(Style::Good, format!("+ {text}")),
                ChangeTag::Equal => out.plain(format!("  {text}")),
            };
            out.line();
        }
    }
}
