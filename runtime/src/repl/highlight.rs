//! Colours for a line of the language: comments, texts, numbers, maps and variables, commands, known names.
//!
//! A scanner that never fails: an unfinished line is coloured as far as it goes, and nothing is added but colours, so that the
//! line is as wide as before.

use anstyle::{AnsiColor, Style};
use reel_compiler::builtins;

const COMMENT: Style = AnsiColor::BrightBlack.on_default();
const TEXT: Style = AnsiColor::Green.on_default();
const NUMBER: Style = AnsiColor::Cyan.on_default();
const VARIABLE: Style = AnsiColor::Magenta.on_default();
const KNOWN: Style = AnsiColor::Blue.on_default();
const COMMAND: Style = AnsiColor::Yellow.on_default();

/// The line with colours.
pub fn highlight(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    if line.trim_start().starts_with(':') {
        let len = line.find(|c: char| !c.is_whitespace()).unwrap_or(0);
        let end = line[len..].find(char::is_whitespace).map_or(line.len(), |at| len + at);
        paint(&mut out, COMMAND, &line[..end]);
        rest = &line[end..];
    }
    while let Some(first) = rest.chars().next() {
        let (len, style) = token(rest, first);
        let (word, after) = rest.split_at(len.clamp(first.len_utf8(), rest.len()));
        match style {
            Some(style) => paint(&mut out, style, word),
            None => out.push_str(word),
        }
        rest = after;
    }
    out
}

fn paint(out: &mut String, style: Style, text: &str) {
    out.push_str(&format!("{style}{text}{style:#}"));
}

/// The length of the token that a text begins with, and its colour.
fn token(text: &str, first: char) -> (usize, Option<Style>) {
    let word = |from: usize| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text[from..].find(|c| !is_word(c)).map_or(text.len(), |at| from + at)
    };
    match first {
        '"' => (quoted(text), Some(TEXT)),
        '/' if text.starts_with("//") => (text.find('\n').unwrap_or(text.len()), Some(COMMENT)),
        '/' if text.starts_with("/*") => (text.find("*/").map_or(text.len(), |at| at + 2), Some(COMMENT)),
        '@' | '$' => (word(1), Some(VARIABLE)),
        c if c.is_ascii_digit() => (word(0), Some(NUMBER)),
        c if c.is_ascii_alphabetic() || c == '_' => {
            let len = word(0);
            let name = &text[..len];
            let is_known = builtins::builtin(name).is_some() || builtins::function(name).is_some();
            (len, is_known.then_some(KNOWN))
        }
        c => (c.len_utf8(), None),
    }
}

/// The length of a text in quotes, or of what there is of it.
fn quoted(text: &str) -> usize {
    let mut is_escaped = true;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: &[&str]) {
        let shown = highlight(line);
        let mut plain = String::new();
        let mut painted = Vec::new();
        for piece in shown.split('\x1b') {
            let (code, text) =
                if plain.is_empty() && !shown.starts_with('\x1b') && painted.is_empty() && !piece.starts_with('[') {
                    ("", piece)
                } else {
                    piece.split_once('m').unwrap_or(("", ""))
                };
            plain += text;
            if code.len() > 2 {
                painted.push(text);
            }
        }
        assert_eq!(plain, line, "nothing but colours is added");
        assert_eq!(painted, expect);
    }

    #[test]
    fn tokens_have_colours() {
        check("begin { printf(\"%d\\\"\", 42); }", &["printf", "\"%d\\\"\"", "42"]);
        check("x /pid == 1/ { @m[comm] = $v; } // done", &["pid", "1", "@m", "comm", "$v", "// done"]);
        check(":print @m 5", &[":print", "@m", "5"]);
        check("é \"unfinished", &["\"unfinished"]);
        check("", &[]);
    }
}
