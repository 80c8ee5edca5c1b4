//! Reading a map whose keys are known: what is missing, unknown or of the wrong kind is said with its line.

use super::yaml::{Fault, Kind, Node};

/// An entry of a map.
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    /// The key's line.
    pub(super) line: u32,
    pub(super) node: &'a Node,
}

/// The entries of a map that were not read yet.
pub(super) struct Fields<'a> {
    what: &'static str,
    line: u32,
    entries: Vec<Entry<'a>>,
}

impl<'a> Fields<'a> {
    /// Opens a map; `what` names it in errors.
    pub(super) fn of(node: &'a Node, what: &'static str) -> Result<Self, Fault> {
        let fault = |line, reason: String| Fault { line, reason };
        let Kind::Map(pairs) = &node.kind else {
            return Err(fault(node.line, format!("{what} must be a map of keys and values")));
        };
        let mut entries = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let name = key.as_str().ok_or_else(|| fault(key.line, format!("a key of {what} has a tag")))?;
            entries.push(Entry { key: name, line: key.line, node: value });
        }
        Ok(Fields { what, line: node.line, entries })
    }

    /// A fault of the map as a whole.
    pub(super) fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault { line: self.line, reason: reason.into() }
    }

    /// Whether there is such an entry.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Takes an entry.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a Node> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at).node)
    }

    /// Takes an entry that must be there.
    pub(super) fn need(&mut self, key: &str) -> Result<&'a Node, Fault> {
        self.take(key).ok_or_else(|| self.fault(format!("{} lacks `{key}`", self.what)))
    }

    /// Takes a text that must be there.
    pub(super) fn text(&mut self, key: &str) -> Result<&'a str, Fault> {
        text(self.need(key)?, key)
    }

    /// Takes a text.
    pub(super) fn text_if(&mut self, key: &str) -> Result<Option<&'a str>, Fault> {
        self.take(key).map(|node| text(node, key)).transpose()
    }

    /// Takes what parses from a scalar.
    pub(super) fn parsed<T: std::str::FromStr>(&mut self, key: &str, wants: &str) -> Result<T, Fault> {
        let node = self.need(key)?;
        parse(node, key, wants)
    }

    /// Takes what parses from a scalar, where there is one.
    pub(super) fn parsed_if<T: std::str::FromStr>(&mut self, key: &str, wants: &str) -> Result<Option<T>, Fault> {
        self.take(key).map(|node| parse(node, key, wants)).transpose()
    }

    /// Takes a list; an absent one is empty.
    pub(super) fn list(&mut self, key: &str) -> Result<&'a [Node], Fault> {
        match self.take(key) {
            None => Ok(&[]),
            Some(Node { kind: Kind::Seq(items), .. }) => Ok(items),
            Some(node) => Err(Fault { line: node.line, reason: format!("`{key}` must be a list") }),
        }
    }

    /// The entries that are left, in order.
    pub(super) fn rest(self) -> Vec<Entry<'a>> {
        self.entries
    }

    /// Refuses entries that nobody took.
    pub(super) fn done(self) -> Result<(), Fault> {
        match self.entries.first() {
            None => Ok(()),
            Some(Entry { key, line, .. }) => {
                Err(Fault { line: *line, reason: format!("{} has no key `{key}`", self.what) })
            }
        }
    }
}

/// The text of a scalar that stands for itself.
pub(super) fn text<'a>(node: &'a Node, what: &str) -> Result<&'a str, Fault> {
    node.as_str().ok_or_else(|| Fault { line: node.line, reason: format!("`{what}` must be a text") })
}

fn parse<T: std::str::FromStr>(node: &Node, key: &str, wants: &str) -> Result<T, Fault> {
    let text = text(node, key)?;
    text.parse().map_err(|_| Fault { line: node.line, reason: format!("`{key}` wants {wants}, found `{text}`") })
}
