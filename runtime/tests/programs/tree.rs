//! A random program as a tree of text, which can be made smaller without knowing the language.

use std::fmt;

/// What may stand in a node's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An expression of each type.
    Int,
    Str,
    Bool,
    /// A statement: it can be left out.
    Stmt,
    /// What must stay.
    Fixed,
}

/// A piece of a program: text with other pieces in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub kind: Kind,
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    Text(String),
    Node(Node),
}

impl Node {
    pub fn text(kind: Kind, text: impl Into<String>) -> Node {
        Node { kind, parts: vec![Part::Text(text.into())] }
    }

    /// A node of a template: each `{}` is the next of `nodes`.
    pub fn of(kind: Kind, template: &str, nodes: Vec<Node>) -> Node {
        let mut nodes = nodes.into_iter();
        let mut parts = Vec::new();
        for (index, text) in template.split("{}").enumerate() {
            if index > 0 {
                parts.push(Part::Node(nodes.next().expect("a node for each hole")));
            }
            parts.push(Part::Text(text.to_owned()));
        }
        assert!(nodes.next().is_none(), "a hole for each node: {template}");
        Node { kind, parts }
    }

    pub fn children(&self) -> impl Iterator<Item = &Node> {
        self.parts.iter().filter_map(|part| match part {
            Part::Node(node) => Some(node),
            Part::Text(_) => None,
        })
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        1 + self.children().map(Node::len).sum::<usize>()
    }

    /// The nth node, this one first.
    pub fn nth(&self, index: usize) -> Option<&Node> {
        let mut left = match index {
            0 => return Some(self),
            _ => index - 1,
        };
        for child in self.children() {
            match left.checked_sub(child.len()) {
                Some(less) => left = less,
                None => return child.nth(left),
            }
        }
        None
    }

    /// The tree with another nth node.
    pub fn with(&self, index: usize, new: Node) -> Node {
        if index == 0 {
            return new;
        }
        let mut left = index - 1;
        let mut new = Some(new);
        let mut parts = self.parts.clone();
        for part in &mut parts {
            let Part::Node(child) = part else { continue };
            match left.checked_sub(child.len()) {
                Some(less) => left = less,
                None => {
                    if let Some(new) = new.take() {
                        *child = child.with(left, new);
                    }
                    break;
                }
            }
        }
        Node { kind: self.kind, parts }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Node(node) => node.fmt(f),
        })
    }
}
