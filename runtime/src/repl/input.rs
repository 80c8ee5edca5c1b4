//! What was entered: a command of the prompt, or a program, and whether it is whole.

use reel_lang::diagnostic::code;
use reel_lang::parse;
use reel_lang::span::{SourceMap, Span};

use super::command::{Command, Verb};

/// An input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<'a> {
    Nothing,
    /// A command, and what follows its name.
    Command(Verb, &'a str),
    /// A word after `:` that is no command.
    Unknown(&'a str),
    Program(&'a str),
}

impl<'a> Input<'a> {
    /// Tells a command from a program.
    pub fn of(text: &'a str) -> Input<'a> {
        match text.trim() {
            "" => Input::Nothing,
            command if command.starts_with(':') => Command::of(command),
            program => Input::Program(program),
        }
    }
}

/// Whether a bracket or a comment is open at the end of a text, so that more is to come. A string ends with its line.
pub fn is_open(text: &str) -> bool {
    let (sources, file) = SourceMap::single("", text);
    let end = text.trim_end().len();
    let reaches_end = |span: Span| span.start as usize >= end || sources.text(span) == "/*";
    let parsed = parse::parse(&sources, file);
    parsed.diagnostics.iter().any(|fault| fault.code == code::UNCLOSED && reaches_end(fault.span))
}

/// Lines that are not yet a whole input.
#[derive(Debug, Default)]
pub struct Pending {
    text: String,
}

impl Pending {
    /// Adds a line, and gives the input if it is whole now. A command is a line.
    pub fn line(&mut self, line: &str) -> Option<String> {
        self.text += line;
        self.text.push('\n');
        let is_program = matches!(Input::of(&self.text), Input::Program(_));
        if is_program && is_open(&self.text) { None } else { Some(std::mem::take(&mut self.text)) }
    }

    /// What is left at the end, if anything.
    pub fn rest(self) -> Option<String> {
        Some(self.text).filter(|text| !text.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_whole_when_its_brackets_are_closed() {
        for open in ["begin {", "begin {\n  print((1,", "begin { /* not yet", "http:exchange /(a"] {
            assert!(is_open(open), "{open}");
        }
        for whole in ["begin { }", "begin { print(\"{\"); }", "", "}", "begin }", "begin { print(\"a); }", "// {"] {
            assert!(!is_open(whole), "{whole}");
        }
    }

    #[test]
    fn lines_are_joined_until_the_input_is_whole() {
        let mut pending = Pending::default();
        assert_eq!(pending.line("begin {"), None);
        assert_eq!(pending.line("  exit();"), None);
        assert_eq!(pending.line("}").as_deref(), Some("begin {\n  exit();\n}\n"));
        assert_eq!(pending.line("end {"), None);
        assert_eq!(pending.rest().as_deref(), Some("end {\n"));
    }

    #[test]
    fn commands_begin_with_a_colon() {
        assert_eq!(Input::of(" :help \n"), Input::Command(Verb::Help, ""));
        assert_eq!(Input::of(":q"), Input::Command(Verb::Quit, ""));
        assert_eq!(Input::of(":print  @m 5 "), Input::Command(Verb::Print, "@m 5"));
        assert_eq!(Input::of(":halp me"), Input::Unknown(":halp"));
        assert_eq!(Input::of("begin { }\n"), Input::Program("begin { }"));
        assert_eq!(Input::of("\n"), Input::Nothing);
    }
}
