//! Colours by meaning. The text is made with them; whoever prints it strips them where they do not belong (`anstream`).

use anstyle::{AnsiColor, Effects};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Good,
    Bad,
    Warning,
    Heading,
    Faint,
}

impl Style {
    fn ansi(self) -> anstyle::Style {
        let colour = |colour: AnsiColor| colour.on_default();
        match self {
            Style::Good => colour(AnsiColor::Green),
            Style::Bad => colour(AnsiColor::Red),
            Style::Warning => colour(AnsiColor::Yellow),
            Style::Heading => anstyle::Style::new().effects(Effects::BOLD),
            Style::Faint => anstyle::Style::new().effects(Effects::DIMMED),
        }
    }
}

/// A text that grows by styled pieces.
#[derive(Debug, Default)]
pub struct Painter(String);

impl Painter {
    /// Adds plain text.
    pub fn plain(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.0.push_str(text.as_ref());
        self
    }

    /// Adds styled text.
    pub fn paint(&mut self, style: Style, text: impl AsRef<str>) -> &mut Self {
        let ansi = style.ansi();
        self.0.push_str(&format!("{ansi}{}{ansi:#}", text.as_ref()));
        self
    }

    /// Ends the line.
    pub fn line(&mut self) -> &mut Self {
        self.0.push('\n');
        self
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }
}
