//! Code beside the script that it was made of, as `reel debug bpf|clif|asm` and tests show it.
//!
//! A line of the script, with its place, comes before the instructions that were made of it, wherever that changes.

use std::fmt::Write;

use reel_lang::span::{SourceMap, Span};

/// A listing that is being written.
pub(crate) struct Listing<'a> {
    out: String,
    /// Without sources only the code is shown.
    sources: Option<&'a SourceMap>,
    shown: Option<Span>,
}

impl<'a> Listing<'a> {
    pub fn new(sources: Option<&'a SourceMap>) -> Self {
        Listing { out: String::new(), sources, shown: None }
    }

    /// The next instructions are made of this part of a script.
    pub fn place(&mut self, span: Span) {
        if let Some(sources) = self.sources.filter(|_| self.shown != Some(span)) {
            let text = sources.text(span).lines().next().unwrap_or_default();
            let _ = writeln!(self.out, "; {} {text}", sources.place(span));
        }
        self.shown = Some(span);
    }

    /// Writes a line that stands for itself.
    pub fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{text}");
    }

    /// Begins a function or program: what was shown before says nothing of it.
    pub fn begin(&mut self) {
        self.shown = None;
    }

    pub fn finish(self) -> String {
        self.out
    }
}
