//! One line of the text form as tokens, and a cursor over them.

use std::fmt;

use reel_lang::span::{FileId, Span};

use super::super::{At, Buf, Reg};
use super::ParseError;

/// A token of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Number(i64),
    Str(Vec<u8>),
    Punct(char),
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Word(word) => f.write_str(word),
            Token::Number(number) => write!(f, "{number}"),
            Token::Str(_) => f.write_str("a string"),
            Token::Punct(c) => write!(f, "{c:?}"),
        }
    }
}

/// A cursor over the tokens of one line.
pub(super) struct Line<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
    number: usize,
}

impl<'a> Line<'a> {
    /// Splits a line; a `;` outside strings begins a comment.
    pub(super) fn new(source: &'a str, number: usize) -> Result<Self, ParseError> {
        let mut tokens = Vec::new();
        let mut rest = source.trim_start();
        while let Some(first) = rest.chars().next() {
            if first == ';' {
                break;
            }
            let len = token(rest, first, &mut tokens).map_err(|message| ParseError { line: number, message })?;
            rest = rest.get(len..).unwrap_or_default().trim_start();
        }
        Ok(Line { tokens, next: 0, number })
    }

    pub(super) fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError { line: self.number, message: message.into() }
    }

    pub(super) fn expected(&self, what: &str) -> ParseError {
        match self.peek() {
            Some(token) => self.error(format!("expected {what}, found {token}")),
            None => self.error(format!("expected {what}, found the end of the line")),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(super) fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.next)
    }

    pub(super) fn word_is(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(found)) if *found == word)
    }

    /// Whether the next token is a name with this prefix and a number.
    pub(super) fn word_starts(&self, prefix: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if numbered(word, prefix).is_some())
    }

    /// Whether the token after the next is this character.
    pub(super) fn second_is(&self, c: char) -> bool {
        self.tokens.get(self.next + 1) == Some(&Token::Punct(c))
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.word_is(word);
        self.next += usize::from(found);
        found
    }

    pub(super) fn take_punct(&mut self, c: char) -> bool {
        let found = self.peek() == Some(&Token::Punct(c));
        self.next += usize::from(found);
        found
    }

    pub(super) fn keyword(&mut self, word: &str) -> Result<(), ParseError> {
        if self.take_word(word) {
            return Ok(());
        }
        Err(self.expected(word))
    }

    pub(super) fn punct(&mut self, c: char) -> Result<(), ParseError> {
        if self.take_punct(c) {
            return Ok(());
        }
        Err(self.expected(&format!("{c:?}")))
    }

    pub(super) fn word(&mut self) -> Result<&'a str, ParseError> {
        if let Some(Token::Word(word)) = self.tokens.get(self.next) {
            self.next += 1;
            return Ok(word);
        }
        Err(self.expected("a word"))
    }

    pub(super) fn number(&mut self) -> Result<i64, ParseError> {
        if let Some(Token::Number(number)) = self.tokens.get(self.next) {
            self.next += 1;
            return Ok(*number);
        }
        Err(self.expected("a number"))
    }

    /// A number that fits the wanted type.
    pub(super) fn number_as<T: TryFrom<i64>>(&mut self) -> Result<T, ParseError> {
        let number = self.number()?;
        T::try_from(number).map_err(|_| self.error(format!("{number} is out of range here")))
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, ParseError> {
        if let Some(Token::Str(bytes)) = self.tokens.get(self.next) {
            self.next += 1;
            return Ok(bytes.clone());
        }
        Err(self.expected("a string"))
    }

    pub(super) fn string(&mut self) -> Result<String, ParseError> {
        String::from_utf8(self.bytes()?).map_err(|_| self.error("this string must be UTF-8"))
    }

    /// The number of a name such as `v3` or `block0`.
    pub(super) fn id(&mut self, prefix: &str) -> Result<u32, ParseError> {
        let number = match self.peek() {
            Some(Token::Word(word)) => numbered(word, prefix),
            _ => None,
        };
        let Some(number) = number else {
            return Err(self.expected(&format!("{prefix}N")));
        };
        self.next += 1;
        Ok(number)
    }

    pub(super) fn reg(&mut self) -> Result<Reg, ParseError> {
        self.id("v").map(Reg)
    }

    /// `buf0+8`
    pub(super) fn at(&mut self) -> Result<At, ParseError> {
        let buf = Buf(self.id("buf")?);
        self.punct('+')?;
        let offset = self.number_as()?;
        Ok(At { buf, offset })
    }

    /// The span at a line's end, `@0:3..9`; none is the default span.
    pub(super) fn span(&mut self) -> Result<Span, ParseError> {
        if !self.take_punct('@') {
            return Ok(Span::default());
        }
        let file = FileId(self.number_as()?);
        self.punct(':')?;
        let start: u32 = self.number_as()?;
        self.punct('.')?;
        self.punct('.')?;
        let end: u32 = self.number_as()?;
        Ok(Span { file, start, end })
    }

    pub(super) fn end(&self) -> Result<(), ParseError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.expected("the end of the line")),
        }
    }
}

fn numbered(word: &str, prefix: &str) -> Option<u32> {
    let digits = word.strip_prefix(prefix)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Reads one token off the front and returns its length in bytes.
fn token<'a>(rest: &'a str, first: char, tokens: &mut Vec<Token<'a>>) -> Result<usize, String> {
    if first == '"' {
        let (bytes, len) = string(rest)?;
        tokens.push(Token::Str(bytes));
        return Ok(len);
    }
    let run = |pred: fn(char) -> bool| rest.find(|c: char| !pred(c)).unwrap_or(rest.len());
    if first.is_ascii_alphabetic() || first == '_' {
        let len = run(|c| c.is_ascii_alphanumeric() || c == '_');
        tokens.push(Token::Word(&rest[..len]));
        return Ok(len);
    }
    let negative = rest.strip_prefix('-').is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
    if first.is_ascii_digit() || negative {
        let from = usize::from(negative);
        let len = rest[from..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |len| len + from);
        let digits = &rest[..len];
        let number = digits.parse().map_err(|_| format!("{digits} does not fit 64 bits"))?;
        tokens.push(Token::Number(number));
        return Ok(len);
    }
    tokens.push(Token::Punct(first));
    Ok(first.len_utf8())
}

/// Reads a quoted string with `\n`, `\\`, `\"` and `\xNN`.
fn string(rest: &str) -> Result<(Vec<u8>, usize), String> {
    let source = rest.as_bytes();
    let mut bytes = Vec::new();
    let mut at = 1;
    loop {
        match source.get(at) {
            None => return Err("a string that does not end".into()),
            Some(b'"') => return Ok((bytes, at + 1)),
            Some(b'\\') => {
                at += 1;
                match source.get(at) {
                    Some(b'n') => bytes.push(b'\n'),
                    Some(c @ (b'"' | b'\\')) => bytes.push(*c),
                    Some(b'x') => {
                        let digits = rest.get(at + 1..at + 3).unwrap_or_default();
                        let byte =
                            u8::from_str_radix(digits, 16).map_err(|_| "\\x wants two hex digits".to_string())?;
                        bytes.push(byte);
                        at += 2;
                    }
                    _ => return Err("an unknown escape: \\n, \\\\, \\\" and \\xNN exist".into()),
                }
            }
            Some(byte) => bytes.push(*byte),
        }
        at += 1;
    }
}
