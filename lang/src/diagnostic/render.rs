//! Diagnostics as text for people (annotate-snippets, with or without colour) and as JSON lines for machines.
//!
//! The only module that names annotate-snippets. Rendering is deterministic: the same diagnostics and sources give the
//! same bytes. A very long source line is cut around the place before it is handed on, so that one generated line of
//! megabytes does not become a message of megabytes.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::json;

use super::{Diagnostic, Severity};
use crate::span::{LineColumn, SourceFile, SourceMap, Span};

/// The most bytes of source text shown on each side of a place.
const CONTEXT_LEN_BYTES: usize = 2_000;

/// Whether the text carries ANSI colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Plain,
    Ansi,
}

/// Renders one diagnostic as it is shown on a terminal, with a line end after it.
pub fn text(diagnostic: &Diagnostic, sources: &SourceMap, colour: Colour) -> String {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.to_string());
    let mut group = Group::with_title(title);
    let primary = sources.file(diagnostic.span.file);
    if let Some(file) = primary {
        group = group.element(snippet(diagnostic, file));
    }
    for label in diagnostic.secondary.iter().filter(|l| l.span.file != diagnostic.span.file) {
        if let Some(file) = sources.file(label.span.file) {
            let window = Window::around(file, std::iter::once(label.span));
            let mark = AnnotationKind::Context.span(window.shift(label.span)).label(label.text.as_str());
            group = group.element(window.snippet(file).annotation(mark));
        }
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    let renderer = match colour {
        Colour::Plain => Renderer::plain(),
        Colour::Ansi => Renderer::styled(),
    };
    format!("{}\n", renderer.render(&[group]))
}

/// Renders several diagnostics with an empty line between them.
pub fn text_all<'a>(
    diagnostics: impl IntoIterator<Item = &'a Diagnostic>,
    sources: &SourceMap,
    colour: Colour,
) -> String {
    let parts: Vec<String> = diagnostics.into_iter().map(|d| text(d, sources, colour)).collect();
    parts.join("\n")
}

/// Renders one diagnostic as one line of JSON, with its line end.
///
/// Keys: `severity`, `code`, `message`, `file`, `line`, `column`, `end_line`, `end_column`, `start`, `end` (bytes),
/// `label`, `expected`, `found`, `hint`, `notes`, `related`.
pub fn json_line(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let related: Vec<serde_json::Value> = diagnostic
        .secondary
        .iter()
        .map(|label| {
            let mut value = json_place(label.span, sources);
            value["text"] = json!(label.text);
            value
        })
        .collect();
    let mut value = json!({
        "severity": diagnostic.severity().name(),
        "code": diagnostic.code.to_string(),
        "message": diagnostic.message,
    });
    if let (Some(value), Some(place)) = (value.as_object_mut(), json_place(diagnostic.span, sources).as_object_mut()) {
        value.append(place);
    }
    value["label"] = json!(diagnostic.label);
    value["expected"] = json!(diagnostic.expected);
    value["found"] = json!(diagnostic.found);
    value["hint"] = json!(diagnostic.hint);
    value["notes"] = json!(diagnostic.notes);
    value["related"] = json!(related);
    format!("{value}\n")
}

fn json_place(span: Span, sources: &SourceMap) -> serde_json::Value {
    let none = LineColumn { line: 0, column: 0 };
    let file = sources.file(span.file);
    let start = file.map_or(none, |f| f.line_column(span.start));
    let end = file.map_or(none, |f| f.line_column(span.end));
    json!({
        "file": file.map_or("", |f| f.name()),
        "line": start.line, "column": start.column,
        "end_line": end.line, "end_column": end.column,
        "start": span.start, "end": span.end,
    })
}

fn snippet<'a>(diagnostic: &'a Diagnostic, file: &'a SourceFile) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let here = diagnostic.secondary.iter().filter(|l| l.span.file == diagnostic.span.file);
    let window = Window::around(file, here.clone().map(|l| l.span).chain([diagnostic.span]));
    let mut mark = AnnotationKind::Primary.span(window.shift(diagnostic.span));
    if !diagnostic.label.is_empty() {
        mark = mark.label(diagnostic.label.as_str());
    }
    let others = here.map(|l| AnnotationKind::Context.span(window.shift(l.span)).label(l.text.as_str()));
    window.snippet(file).annotation(mark).annotations(others)
}

/// The part of a file that is shown: whole lines where they are short, else a cut around the places.
struct Window {
    start: usize,
    end: usize,
    first_line: usize,
}

impl Window {
    fn around(file: &SourceFile, spans: impl Iterator<Item = Span> + Clone) -> Window {
        let text = file.text();
        let first = spans.clone().map(|s| s.start as usize).min().unwrap_or(0).min(text.len());
        let last = spans.map(|s| s.end as usize).max().unwrap_or(first).clamp(first, text.len());
        let bytes = text.as_bytes();
        let lowest = first.saturating_sub(CONTEXT_LEN_BYTES);
        let highest = last.saturating_add(CONTEXT_LEN_BYTES).min(text.len());
        let start = memchr::memrchr(b'\n', &bytes[lowest..first]).map_or(lowest, |i| lowest + i + 1);
        let end = memchr::memchr(b'\n', &bytes[last..highest]).map_or(highest, |i| last + i);
        let start = (start..=first).find(|&i| text.is_char_boundary(i)).unwrap_or(first);
        let end = (last..=end).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(last);
        Window { start, end, first_line: file.line_column(start as u32).line }
    }

    fn snippet<'a, T: Clone>(&self, file: &'a SourceFile) -> Snippet<'a, T> {
        let text = file.text().get(self.start..self.end).unwrap_or("");
        Snippet::source(text).path(file.name()).line_start(self.first_line)
    }

    fn shift(&self, span: Span) -> std::ops::Range<usize> {
        let len = self.end - self.start;
        let at = |offset: u32| (offset as usize).saturating_sub(self.start).min(len);
        at(span.start)..at(span.end)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::diagnostic::code;

    fn sample() -> (SourceMap, Diagnostic) {
        let (map, file) = SourceMap::single("a.rr", "begin {\n  exit(\n}\n");
        let d = Diagnostic::expected(code::SYNTAX, Span::new(file, 17, 18), "`)`", "`}`")
            .secondary(Span::new(file, 14, 15), "opened here")
            .hint("close the call with `)`");
        (map, d)
    }

    #[test]
    fn text_underlines_the_place() {
        let (map, d) = sample();
        let shown = text(&d, &map, Colour::Plain);
        for part in ["error[E0101]: expected `)`, found `}`", "a.rr:3", "opened here", "help: close the call"] {
            assert!(shown.contains(part), "{part} is missing in:\n{shown}");
        }
        assert!(text(&d, &map, Colour::Ansi).contains('\u{1b}'));
        assert!(!shown.contains('\u{1b}'));
    }

    #[test]
    fn json_is_one_line_with_the_place() {
        let (map, d) = sample();
        let line = json_line(&d, &map);
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["line"], &value["code"]), (&json!(3), &json!("E0101")));
        assert_eq!(value["related"][0]["text"], json!("opened here"));
    }

    #[test]
    fn a_long_line_is_cut() {
        let (map, file) = SourceMap::single("a.rr", "x".repeat(1_000_000));
        let d = Diagnostic::new(code::SYNTAX, Span::new(file, 500_000, 500_001), "no");
        assert!(text(&d, &map, Colour::Plain).len() < 20_000);
    }
}
