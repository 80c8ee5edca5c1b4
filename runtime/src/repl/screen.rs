//! What is shown: above the prompt while a line is edited, else at once, always in the order in which it was said.
//!
//! Queries print from threads of their own while rustyline owns the terminal. Its external printer hands a text over through a
//! queue that nobody empties once a line was entered, so that the text itself never goes through it: it waits here, and only a
//! bell does. At the bell rustyline clears the prompt, and asks its helper for the prompt again; that is when the text is
//! written ([`Screen::prompt_is_drawn`]). Whatever waits when the line is entered is written then. Nothing is lost, and a bell
//! that rings late shows nothing.
//!
//! Invariant: text is written by whoever holds the lock, and to standard output only.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::Sender;

/// How much may wait for the prompt to be drawn; a query that says more waits itself.
const MAX_WAITING_BYTES: usize = 1 << 20;

/// The place where queries, commands and the prompt print.
#[derive(Debug, Default)]
pub struct Screen {
    state: Mutex<State>,
    is_written: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: String,
    /// Whether a line is being edited.
    is_editing: bool,
    /// Whether a key was pressed since the prompt was drawn.
    is_by_key: bool,
    /// Whether what was written last did not end its line.
    is_line_open: bool,
    bell: Option<Sender<()>>,
}

impl Screen {
    /// Sets what makes the editor draw its prompt again.
    pub fn set_bell(&self, bell: Sender<()>) {
        self.lock().bell = Some(bell);
    }

    /// Shows a text.
    pub fn show(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut state = self.lock();
        while state.is_editing && state.waiting.len() > MAX_WAITING_BYTES {
            state = self.is_written.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting.push_str(text);
        if !state.is_editing {
            state.write();
        } else {
            state.ring();
        }
    }

    /// The editor is about to take the terminal over.
    pub fn begin_editing(&self) {
        let mut state = self.lock();
        if state.is_line_open {
            state.waiting.push('\n');
            state.write();
        }
        state.is_editing = true;
    }

    /// The editor has left the terminal.
    pub fn end_editing(&self) {
        let mut state = self.lock();
        state.is_editing = false;
        state.write();
        self.is_written.notify_all();
    }

    /// A key was pressed: the prompt that is drawn next stands where it stood.
    pub fn key_is_pressed(&self) {
        self.lock().is_by_key = true;
    }

    /// The prompt is drawn. Unless a key is the reason, the cursor is at the start of an empty line, where text can be written;
    /// else the bell rings once more.
    pub fn prompt_is_drawn(&self) {
        let mut state = self.lock();
        let is_by_key = std::mem::take(&mut state.is_by_key);
        if state.waiting.is_empty() {
            return;
        }
        if is_by_key {
            state.ring();
            return;
        }
        if !state.waiting.ends_with('\n') {
            state.waiting.push('\n');
        }
        state.write();
        self.is_written.notify_all();
    }

    /// Whether a line is being edited.
    pub fn is_editing(&self) -> bool {
        self.lock().is_editing
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A bell that rings already will do.
    fn ring(&self) {
        if let Some(bell) = &self.bell {
            let _ = bell.try_send(());
        }
    }

    /// A reader that has gone (`| head`) has seen enough.
    fn write(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        self.is_line_open = !self.waiting.ends_with('\n');
        let mut out = io::stdout().lock();
        let _ = out.write_all(self.waiting.as_bytes()).and_then(|()| out.flush());
        self.waiting.clear();
    }
}

/// A writer to the screen that shows at each flush.
#[derive(Debug)]
pub struct ScreenWriter {
    screen: Arc<Screen>,
    text: Vec<u8>,
}

impl ScreenWriter {
    /// Writes to a screen.
    pub fn new(screen: Arc<Screen>) -> Self {
        ScreenWriter { screen, text: Vec::new() }
    }
}

impl Write for ScreenWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        if self.text.len() > MAX_WAITING_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.text);
        self.screen.show(&String::from_utf8_lossy(&text));
        Ok(())
    }
}

impl Drop for ScreenWriter {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}
