//! The ways in which real encoders lay JSON out, so that a body needs its exact bytes only where it follows none of them.
//!
//! Compact is JavaScript's, Go's and Rust's; spaced is Python's; indented is what people read. Some end in a newline, and
//! some write everything beyond ASCII as escapes. A body in another style than plain compact carries the style as a tag.

/// How a text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    pub layout: Layout,
    /// Whether characters beyond ASCII are written as escapes.
    pub ascii: bool,
    /// Whether the text ends in a newline.
    pub newline: bool,
}

/// Where whitespace stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// Nowhere.
    #[default]
    Compact,
    /// After each comma and colon.
    Spaced,
    /// An item a line, indented by so many spaces a level.
    Indented(u8),
}

const fn style(layout: Layout, ascii: bool, newline: bool) -> Style {
    Style { layout, ascii, newline }
}

/// The tag of each style.
const TAGS: [(&str, Style); 16] = [
    ("json", style(Layout::Compact, false, false)),
    ("json-nl", style(Layout::Compact, false, true)),
    ("json-ascii", style(Layout::Compact, true, false)),
    ("json-ascii-nl", style(Layout::Compact, true, true)),
    ("json-spaced", style(Layout::Spaced, false, false)),
    ("json-spaced-nl", style(Layout::Spaced, false, true)),
    ("json-spaced-ascii", style(Layout::Spaced, true, false)),
    ("json-spaced-ascii-nl", style(Layout::Spaced, true, true)),
    ("json-indent2", style(Layout::Indented(2), false, false)),
    ("json-indent2-nl", style(Layout::Indented(2), false, true)),
    ("json-indent2-ascii", style(Layout::Indented(2), true, false)),
    ("json-indent2-ascii-nl", style(Layout::Indented(2), true, true)),
    ("json-indent4", style(Layout::Indented(4), false, false)),
    ("json-indent4-nl", style(Layout::Indented(4), false, true)),
    ("json-indent4-ascii", style(Layout::Indented(4), true, false)),
    ("json-indent4-ascii-nl", style(Layout::Indented(4), true, true)),
];

impl Style {
    /// The wire tags of all styles.
    pub const NAMES: [&'static str; 16] = {
        let mut names = [""; 16];
        let mut i = 0;
        #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
        while i < names.len() {
            names[i] = TAGS[i].0;
            i += 1;
        }
        names
    };

    /// The wire tag of this style.
    pub fn name(self) -> &'static str {
        TAGS.iter().find(|(_, style)| *style == self).map_or("json", |(name, _)| name)
    }

    /// The style that a wire tag names.
    pub fn by_name(name: &str) -> Option<Style> {
        TAGS.iter().find(|(tag, _)| *tag == name).map(|(_, style)| *style)
    }

    /// The style that a text seems to follow, from its first whitespace and its last byte.
    pub fn of(text: &[u8]) -> Style {
        let newline = text.ends_with(b"\n");
        let ascii = text.is_ascii() && memchr::memmem::find(text, b"\\u").is_some();
        let inner = text.get(1..).unwrap_or_default();
        let layout = if inner.first() == Some(&b'\n') {
            let indent = inner.iter().skip(1).take_while(|byte| **byte == b' ').count();
            Layout::Indented(if indent == 4 { 4 } else { 2 })
        } else if memchr::memmem::find(text, b"\": ").is_some() || memchr::memmem::find(text, b", ").is_some() {
            Layout::Spaced
        } else {
            Layout::Compact
        };
        Style { layout, ascii, newline }
    }
}
