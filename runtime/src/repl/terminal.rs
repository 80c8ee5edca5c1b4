//! The terminal side of the prompt: line editing, a history that outlives it, and completion of names.
//!
//! The only module that names rustyline. The history is a file under the user's state directory; where it cannot be read or
//! written the prompt works without it.

use std::path::PathBuf;

use reel_compiler::builtins;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Editor, Helper};

use super::input::{Input, is_open};
use crate::exit::{Exit, Failure};
use crate::recording::secrets::state_folder;

const PROMPT: &str = "reel> ";

/// The providers of kernel probes, for completion.
const PROVIDERS: &[&str] = &[
    "begin",
    "end",
    "fentry",
    "fexit",
    "interval",
    "kprobe",
    "kretprobe",
    "profile",
    "rawtracepoint",
    "tp_btf",
    "tracepoint",
    "uprobe",
    "uretprobe",
];

/// A line editor.
pub struct Terminal {
    editor: Editor<Words, DefaultHistory>,
    history: PathBuf,
}

impl Terminal {
    /// Opens the terminal of this process.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn open() -> Result<Terminal, Failure> {
        let mut editor = Editor::new().map_err(unreadable)?;
        editor.set_helper(Some(Words::new()));
        let history = state_folder().join("history");
        // There is none before the first prompt.
        let _ = editor.load_history(&history);
        eprintln!("reel {}: enter a clause, or :help", env!("CARGO_PKG_VERSION"));
        Ok(Terminal { editor, history })
    }

    /// Reads an input; none at Ctrl-D. Ctrl-C takes back what was entered.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn read(&mut self) -> Result<Option<String>, Failure> {
        loop {
            match self.editor.readline(PROMPT) {
                Ok(text) => {
                    self.remember(&text);
                    return Ok(Some(text));
                }
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(unreadable(error)),
            }
        }
    }

    /// Saved with each input: what runs next may be ended from outside. A history that cannot be kept costs only the history.
    fn remember(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let _ = self.editor.add_history_entry(text);
        if let Some(folder) = self.history.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        let _ = self.editor.save_history(&self.history);
    }
}

fn unreadable(error: ReadlineError) -> Failure {
    Failure::new(Exit::Machine, format!("cannot read the terminal: {error}"))
}

/// What names can be completed to, in order.
struct Words(Vec<String>);

impl Words {
    fn new() -> Words {
        let protocols = reel_protocols::protocols().iter().map(|protocol| protocol.schema().protocol.clone());
        let fixed = [":help", ":quit"].iter().chain(PROVIDERS).chain(builtins::names()).map(|word| (*word).to_owned());
        let mut words: Vec<String> = fixed.chain(protocols).collect();
        words.sort();
        words.dedup();
        Words(words)
    }

    /// Where the word before `pos` begins, and what it can become.
    fn candidates(&self, line: &str, pos: usize) -> (usize, Vec<String>) {
        let before = line.get(..pos).unwrap_or(line);
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let mut start = before.rfind(|c| !is_word(c)).map_or(0, |at| at + 1);
        if let Some(at) = before[start..].rfind(':').filter(|at| *at > 0) {
            start += at + 1;
        }
        let word = &before[start..];
        if word.is_empty() {
            return (pos, Vec::new());
        }
        (start, self.0.iter().filter(|candidate| candidate.starts_with(word)).cloned().collect())
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(line, pos))
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let more = matches!(Input::of(text), Input::Program(_)) && is_open(text);
        Ok(if more { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}
impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed() {
        let words = Words::new();
        assert_eq!(words.candidates("tracep", 6), (0, vec!["tracepoint".to_owned()]));
        assert_eq!(words.candidates("begin { prin", 12).0, 8);
        assert!(words.candidates("begin { prin", 12).1.contains(&"printf".to_owned()));
        assert_eq!(words.candidates(":qu", 3), (0, vec![":quit".to_owned()]));
        assert_eq!(words.candidates("begin { ", 8), (8, Vec::new()));
    }
}
