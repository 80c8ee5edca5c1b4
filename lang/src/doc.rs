//! What a comment above a definition says of it: the lines of `//` that end right above it.
//!
//! ```text
//! // An order of the shop.
//! // Example: ORD-00000042
//! noise order_id(s) = s =~ "^ORD-[0-9]{8}$";
//! ```
//!
//! A line that begins with `Example:` holds a value that a noise class takes; the other lines are the sentence.

/// The documentation of one definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doc {
    /// The comment's lines without the examples, joined by spaces.
    pub text: String,
    /// What stands after `Example:`, one a line.
    pub examples: Vec<String>,
}

/// Reads the comment above the line that holds byte `at`. A blank line, or anything but a comment, ends it.
pub fn above(text: &str, at: usize) -> Doc {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let comments = before[..line_start].lines().rev().map_while(|line| line.trim_start().strip_prefix("//"));
    let mut lines: Vec<&str> = comments.map(|line| line.trim_start_matches('/').trim()).collect();
    lines.reverse();
    let mut doc = Doc::default();
    for line in lines {
        match line.strip_prefix("Example:") {
            Some(example) => doc.examples.push(example.trim().to_owned()),
            None if doc.text.is_empty() => line.clone_into(&mut doc.text),
            None => {
                doc.text.push(' ');
                doc.text.push_str(line);
            }
        }
    }
    doc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: (&str, &[&str])) {
        let doc = above(text, text.find("noise").unwrap_or(text.len()));
        assert_eq!((doc.text.as_str(), doc.examples.iter().map(String::as_str).collect::<Vec<_>>()), {
            (expect.0, expect.1.to_vec())
        });
    }

    #[test]
    fn the_lines_right_above_count() {
        check("// A.\n// Example: x y\n// B.\nnoise n", ("A. B.", &["x y"]));
        check("// Not it.\n\n/// It.\nnoise n", ("It.", &[]));
        check("noise n", ("", &[]));
        check("f { } // no\nnoise n", ("", &[]));
        check("// above\n  noise n", ("above", &[]));
    }
}
