//! From text to trees, iteratively: nesting cannot overflow the stack.

use std::collections::HashSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::{Kind, Node};

/// The longest document that is read.
pub const MAX_DOCUMENT_LEN_BYTES: u64 = 64 << 20;
/// The deepest nesting that is read or written.
pub const MAX_DEPTH: usize = 200;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Fault {
    /// From 1.
    pub line: u32,
    pub reason: String,
}

impl Fault {
    fn at(marker: &Marker, reason: impl Into<String>) -> Self {
        Fault { line: line(marker), reason: reason.into() }
    }
}

fn line(marker: &Marker) -> u32 {
    u32::try_from(marker.line()).unwrap_or(u32::MAX)
}

/// A collection that is still open.
struct Open {
    node: Node,
    /// The key that waits for its value.
    key: Option<Node>,
}

/// Reads every document of a text. An empty text has none.
///
/// # Errors
/// [`Fault`] at the first thing that is not YAML, or not allowed in a recording.
pub fn documents(text: &str) -> Result<Vec<Node>, Fault> {
    let mut done = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| Fault::at(e.marker(), e.info().to_owned()))?;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = match style {
                    ScalarStyle::Plain => Kind::Plain(text.into_owned()),
                    _ => Kind::Text(text.into_owned()),
                };
                let node = start(kind, anchor, tag.as_deref(), span)?;
                place(node, &mut open, &mut done)?;
            }
            Event::SequenceStart(anchor, tag) => {
                push(start(Kind::Seq(Vec::new()), anchor, tag.as_deref(), span)?, &mut open)?
            }
            Event::MappingStart(anchor, tag) => {
                push(start(Kind::Map(Vec::new()), anchor, tag.as_deref(), span)?, &mut open)?
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(closed) = open.pop() {
                    check_many_keys(&closed.node)?;
                    place(closed.node, &mut open, &mut done)?;
                }
            }
            Event::Alias(_) => return Err(Fault::at(&span.start, "aliases are not allowed here")),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
        }
    }
    Ok(done)
}

/// Reads the documents of a part of a file, which begins at this line of it.
///
/// # Errors
/// As for [`documents`].
pub fn documents_from(text: &str, first_line: u32) -> Result<Vec<Node>, Fault> {
    let before = first_line.saturating_sub(1);
    let mut nodes = documents(text).map_err(|fault| Fault { line: fault.line.saturating_add(before), ..fault })?;
    if before > 0 {
        nodes.iter_mut().for_each(|node| move_down(node, before));
    }
    Ok(nodes)
}

/// Adds to the line of each node; a tree is no deeper than [`MAX_DEPTH`].
fn move_down(node: &mut Node, lines: u32) {
    node.line = node.line.saturating_add(lines);
    match &mut node.kind {
        Kind::Seq(items) => items.iter_mut().for_each(|item| move_down(item, lines)),
        Kind::Map(pairs) => pairs.iter_mut().for_each(|(key, value)| {
            move_down(key, lines);
            move_down(value, lines);
        }),
        Kind::Plain(_) | Kind::Text(_) => {}
    }
}

fn start(kind: Kind, anchor: usize, tag: Option<&saphyr_parser::Tag>, span: Span) -> Result<Node, Fault> {
    if anchor != 0 {
        return Err(Fault::at(&span.start, "anchors are not allowed here"));
    }
    let tag = match tag {
        None => None,
        Some(tag) if tag.handle == "!" => Some(tag.suffix.clone()),
        Some(tag) => {
            let name = format!("{}{}", tag.handle, tag.suffix);
            return Err(Fault::at(&span.start, format!("unknown tag {name}")));
        }
    };
    Ok(Node { tag, kind, line: line(&span.start) })
}

fn push(node: Node, open: &mut Vec<Open>) -> Result<(), Fault> {
    if open.len() == MAX_DEPTH {
        return Err(Fault { line: node.line, reason: format!("nested deeper than {MAX_DEPTH}") });
    }
    open.push(Open { node, key: None });
    Ok(())
}

/// Puts a finished node where it belongs: into the collection around it, or among the documents.
fn place(node: Node, open: &mut [Open], done: &mut Vec<Node>) -> Result<(), Fault> {
    let Some(parent) = open.last_mut() else {
        done.push(node);
        return Ok(());
    };
    match (&mut parent.node.kind, parent.key.take()) {
        (Kind::Seq(items), _) => items.push(node),
        (Kind::Map(pairs), Some(key)) => pairs.push((key, node)),
        (Kind::Map(pairs), None) => {
            check_key(&node, pairs)?;
            parent.key = Some(node);
        }
        (Kind::Plain(_) | Kind::Text(_), _) => {}
    }
    Ok(())
}

/// How many keys of a map are compared with each new one; those of a larger map are looked at once, when it ends.
const UNIQUE_UP_TO: usize = 64;

fn check_many_keys(node: &Node) -> Result<(), Fault> {
    let Kind::Map(pairs) = &node.kind else { return Ok(()) };
    if pairs.len() <= UNIQUE_UP_TO {
        return Ok(());
    }
    let mut seen = HashSet::new();
    for (key, _) in pairs {
        if let Kind::Plain(text) | Kind::Text(text) = &key.kind
            && !seen.insert((text, &key.tag, matches!(key.kind, Kind::Plain(_))))
        {
            return Err(Fault { line: key.line, reason: format!("the key `{text}` stands here twice") });
        }
    }
    Ok(())
}

fn check_key(key: &Node, pairs: &[(Node, Node)]) -> Result<(), Fault> {
    let fault = |reason: String| Fault { line: key.line, reason };
    let (Kind::Plain(text) | Kind::Text(text)) = &key.kind else {
        return Err(fault("a key must be a scalar".into()));
    };
    let same = |(other, _): &(Node, Node)| other.kind == key.kind && other.tag == key.tag;
    if pairs.len() <= UNIQUE_UP_TO && pairs.iter().any(same) {
        return Err(fault(format!("the key `{text}` stands here twice")));
    }
    Ok(())
}
