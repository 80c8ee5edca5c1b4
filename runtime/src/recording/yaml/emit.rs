//! From trees to text: block style, two spaces a level, keys in the order given, one way to write each tree.
//!
//! Text of several lines is a literal block where that keeps every byte; a short list of scalars stands on one line.

use std::fmt::Write;

use super::scalar::stands_plain;
use super::{Kind, Node};

/// The longest list that is written on one line.
const FLOW_WIDTH_CHARS: usize = 100;

/// Writes a document, without the `---` before it.
pub fn document(root: &Node) -> String {
    let mut out = String::new();
    match &root.kind {
        Kind::Seq(items) if !items.is_empty() && root.tag.is_none() => block(root, 0, &mut out),
        Kind::Map(pairs) if !pairs.is_empty() && root.tag.is_none() => block(root, 0, &mut out),
        _ => after_key(root, 0, &mut out),
    }
    out
}

/// Writes a tree on one line.
pub fn inline(node: &Node) -> String {
    let mut out = String::new();
    flow(node, &mut out);
    out
}

/// Writes the entries of a collection, each on a line of its own.
fn block(node: &Node, indent: usize, out: &mut String) {
    match &node.kind {
        Kind::Seq(items) => {
            for item in items {
                pad(indent, out);
                out.push('-');
                entry(item, indent, out);
            }
        }
        Kind::Map(pairs) => {
            for (key, value) in pairs {
                pad(indent, out);
                flow(key, out);
                out.push(':');
                after_key(value, indent, out);
            }
        }
        Kind::Plain(_) | Kind::Text(_) => {}
    }
}

/// Writes what follows the dash of a sequence: a map begins on the same line.
fn entry(node: &Node, indent: usize, out: &mut String) {
    match &node.kind {
        Kind::Map(pairs) if !pairs.is_empty() && node.tag.is_none() => {
            let mut inner = String::new();
            block(node, indent + 1, &mut inner);
            out.push(' ');
            out.push_str(inner.trim_start_matches(' '));
        }
        _ => after_key(node, indent, out),
    }
}

/// Writes what follows a `key:`, with the line's end.
fn after_key(node: &Node, indent: usize, out: &mut String) {
    let blocky = match &node.kind {
        Kind::Seq(items) => !items.is_empty() && !fits_flow(items),
        Kind::Map(pairs) => !pairs.is_empty(),
        Kind::Plain(_) | Kind::Text(_) => false,
    };
    if blocky {
        if let Some(tag) = &node.tag {
            let _ = write!(out, " !{tag}");
        }
        out.push('\n');
        block(node, indent + 1, out);
        return;
    }
    if let Kind::Text(text) = &node.kind
        && stands_literal(text)
    {
        if let Some(tag) = &node.tag {
            let _ = write!(out, " !{tag}");
        }
        literal(text, indent + 1, out);
        return;
    }
    out.push(' ');
    flow(node, out);
    out.push('\n');
}

fn pad(indent: usize, out: &mut String) {
    for _ in 0..indent {
        out.push_str("  ");
    }
}

fn fits_flow(items: &[Node]) -> bool {
    let mut width = 0;
    items.iter().all(|item| match &item.kind {
        Kind::Plain(text) | Kind::Text(text) => {
            width += text.len() + 2;
            width <= FLOW_WIDTH_CHARS && !text.contains('\n')
        }
        Kind::Seq(items) => items.is_empty(),
        Kind::Map(pairs) => pairs.is_empty(),
    })
}

fn flow(node: &Node, out: &mut String) {
    if let Some(tag) = &node.tag {
        let _ = write!(out, "!{tag} ");
    }
    match &node.kind {
        Kind::Plain(text) => out.push_str(text),
        Kind::Text(text) if stands_plain(text) => out.push_str(text),
        Kind::Text(text) => quoted(text, out),
        Kind::Seq(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                flow(item, out);
            }
            out.push(']');
        }
        Kind::Map(pairs) => {
            out.push('{');
            for (i, (key, value)) in pairs.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                flow(key, out);
                out.push_str(": ");
                flow(value, out);
            }
            out.push('}');
        }
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c => {
                let code = u32::from(c);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push('"');
}

/// Whether a character means itself inside a YAML stream (YAML 1.2.2 section 5.1), and shows.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        && (u32::from(c) & 0xfffe) != 0xfffe
}

/// Whether a literal block would give back exactly this text.
fn stands_literal(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.starts_with([' ', '\t', '\n'])
        && !body.ends_with('\n')
        && body.split('\n').all(|line| {
            (line.is_empty() || !line.trim_matches([' ', '\t']).is_empty())
                && !line.starts_with('\t')
                && line.chars().all(|c| c == '\t' || is_printable(c))
        })
}

fn literal(text: &str, indent: usize, out: &mut String) {
    out.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
    let body = text.strip_suffix('\n').unwrap_or(text);
    for line in body.split('\n') {
        if !line.is_empty() {
            pad(indent, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}
