//! YAML, as recordings use it: the one place that knows the syntax and the parser crate.
//!
//! A file is a list of documents, a document a tree of [`Node`]s that remember their lines, so that whatever is wrong
//! with a file is said with its line. A plain scalar keeps its text: numbers are read by their exact digits, never through
//! a float. What is written is what YAML 1.1 and 1.2 read alike: `no`, `12:30:45` and dates come out quoted. Anchors,
//! aliases and repeated keys are refused, and size and depth are capped.

mod emit;
mod parse;
mod scalar;

pub use emit::{document, inline};
pub use parse::{Fault, MAX_DEPTH, MAX_DOCUMENT_LEN_BYTES, documents, documents_from};
pub use scalar::Scalar;

/// A node of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The local tag without its `!`.
    pub tag: Option<String>,
    pub kind: Kind,
    /// Where it stands in its file, from 1; 0 in a tree that was made.
    pub line: u32,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A scalar without quotes: its meaning is in its text ([`Scalar`]).
    Plain(String),
    /// Text, however it is quoted.
    Text(String),
    Seq(Vec<Node>),
    /// In the order of the file; keys are unique.
    Map(Vec<(Node, Node)>),
}

impl Node {
    fn of(kind: Kind) -> Self {
        Node { tag: None, kind, line: 0 }
    }

    /// Makes a text node.
    pub fn text(text: impl Into<String>) -> Self {
        Node::of(Kind::Text(text.into()))
    }

    /// Makes a scalar that is written as it is: a number, `true`, `null`.
    pub fn plain(text: impl ToString) -> Self {
        Node::of(Kind::Plain(text.to_string()))
    }

    /// Makes a sequence.
    pub fn seq(items: Vec<Node>) -> Self {
        Node::of(Kind::Seq(items))
    }

    /// Makes a map with text keys.
    pub fn map<K: Into<String>>(pairs: impl IntoIterator<Item = (K, Node)>) -> Self {
        let pairs = pairs.into_iter().map(|(key, value)| (Node::text(key), value));
        Node::of(Kind::Map(pairs.collect()))
    }

    /// Makes a map whose keys are any scalars.
    pub fn map_of(pairs: Vec<(Node, Node)>) -> Self {
        Node::of(Kind::Map(pairs))
    }

    /// The same node under a tag.
    pub fn tagged(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// The text of a scalar without a tag, quoted or not.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Plain(text) | Kind::Text(text) if self.tag.is_none() => Some(text),
            _ => None,
        }
    }

    /// The value of a key of a map.
    pub fn entry(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Map(pairs) => pairs.iter().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
pub(crate) mod oracle;
#[cfg(test)]
mod tests;
