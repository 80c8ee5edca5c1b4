//! The terminal side of the prompt: line editing, a history that outlives it, completion and colours.
//!
//! The only module that names rustyline. The history is a file under the user's state directory; where it cannot be read or
//! written the prompt works without it. How output gets above the prompt is told in [`super::screen`].

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::bounded;
use rustyline::completion::Completer;
use rustyline::config::{ColorMode, CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Editor, ExternalPrinter, Helper};

use super::highlight::highlight;
use super::input::{Input, is_open};
use super::screen::Screen;
use super::words::Words;
use crate::exit::{Exit, Failure};
use crate::recording::secrets::state_folder;

const PROMPT: &str = "reel> ";
/// What the external printer writes above the prompt: nothing, in the one line that it always writes.
const BELL: &str = "\x1b[A\n";

/// A line editor.
pub struct Terminal {
    editor: Editor<Reader, DefaultHistory>,
    history: PathBuf,
    screen: Arc<Screen>,
}

/// What the user did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    Entered(String),
    /// Ctrl-C; what was being entered is gone.
    Interrupt,
    /// Ctrl-D on an empty line.
    Leave,
}

impl Terminal {
    /// Opens the terminal of this process.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn open(screen: Arc<Screen>) -> Result<Terminal, Failure> {
        // The editor asks its helper for colours, which says whether there are any: only so it always tells what it draws, and why.
        let config = Config::builder().completion_type(CompletionType::List).color_mode(ColorMode::Forced).build();
        let mut editor = Editor::with_config(config).map_err(unreadable)?;
        let is_coloured = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
        editor.set_helper(Some(Reader { screen: screen.clone(), words: Words::default(), is_coloured }));
        if let Ok(mut printer) = editor.create_external_printer() {
            let (send, rings) = bounded(1);
            let shown = screen.clone();
            // It ends with the prompt, which holds the bell.
            std::thread::spawn(move || {
                for () in rings {
                    if shown.is_editing() && printer.print(BELL.to_owned()).is_err() {
                        break;
                    }
                }
            });
            screen.set_bell(send);
        }
        let history = state_folder().join("history");
        // There is none before the first prompt.
        let _ = editor.load_history(&history);
        screen.show(&format!("reel {}: enter a clause, or :help\n", env!("CARGO_PKG_VERSION")));
        Ok(Terminal { editor, history, screen })
    }

    /// Sets the maps that names can be completed to.
    pub fn know_maps(&self, maps: Vec<String>) {
        if let Some(reader) = self.editor.helper() {
            *reader.words.maps.borrow_mut() = maps;
        }
    }

    /// Reads what the user does next.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn read(&mut self) -> Result<Key, Failure> {
        self.screen.begin_editing();
        let line = self.editor.readline(PROMPT);
        self.screen.end_editing();
        match line {
            Ok(text) => {
                self.remember(&text);
                Ok(Key::Entered(text))
            }
            Err(ReadlineError::Interrupted) => Ok(Key::Interrupt),
            Err(ReadlineError::Eof) => Ok(Key::Leave),
            Err(error) => Err(unreadable(error)),
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

/// What the editor asks about the text at hand.
struct Reader {
    screen: Arc<Screen>,
    words: Words,
    is_coloured: bool,
}

impl Completer for Reader {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.words.candidates(line, pos))
    }
}

impl Validator for Reader {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let more = matches!(Input::of(text), Input::Program(_)) && is_open(text);
        Ok(if more { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Hinter for Reader {
    type Hint = String;

    /// Asked before the prompt is drawn because of a key.
    fn hint(&self, _: &str, _: usize, _: &Context<'_>) -> Option<String> {
        self.screen.key_is_pressed();
        None
    }
}

impl Highlighter for Reader {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        self.screen.prompt_is_drawn();
        Cow::Borrowed(prompt)
    }

    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.is_coloured { Cow::Owned(highlight(line)) } else { Cow::Borrowed(line) }
    }

    /// Asked before the line is drawn because of a key: with colours the whole line is drawn anew.
    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.screen.key_is_pressed();
        self.is_coloured
    }
}

impl Helper for Reader {}
