//! The C preprocessor, as much of it as scripts for bpftrace use.
//!
//! `#if`, `#ifdef`, `#ifndef`, `#elif`, `#else`, `#endif`, `#define` of a value, `#undef`, `#error`. `BPFTRACE_HAVE_BTF` is
//! defined, so that a script's `#include`s under `#ifndef BPFTRACE_HAVE_BTF` are not taken: types come from BTF. An
//! `#include` that is taken is a warning and does nothing else. Values are not substituted into the text: a bare name may
//! refer to a define, and the checker resolves it. Conditions know integers, names of integers, and `defined`.

use super::limits;
use crate::diagnostic::{Diagnostic, code};
use crate::parse::condition;
use crate::span::{FileId, Span};

/// The names that are defined without a line of the script.
const PREDEFINED: &[&str] = &["BPFTRACE_HAVE_BTF", "__REEL__"];

/// The most `#if`s inside each other.
const MAX_CONDITIONS: usize = 64;

/// A `#define` that is in force at the end of the file; offsets are the file's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawDefine {
    pub name: String,
    pub name_at: usize,
    /// The text of the value, with comments turned into spaces.
    pub value: String,
    pub value_at: usize,
}

/// One `#if`: whether its current branch is taken, and whether a later one still may be.
#[derive(Debug)]
struct Condition {
    at: usize,
    is_active: bool,
    may_take: bool,
    /// The condition stands in a branch that is not taken.
    is_dead: bool,
}

/// The state between preprocessor lines.
#[derive(Debug, Default)]
pub(super) struct Preprocessor {
    conditions: Vec<Condition>,
    defines: Vec<RawDefine>,
    undefined: Vec<String>,
}

/// A line taken apart: `#word rest`, with the offsets of the file.
struct Line<'a> {
    word: &'a str,
    rest: &'a str,
    rest_at: usize,
    span: Span,
}

impl Preprocessor {
    /// Takes one preprocessor line, continuation lines included, and returns what is wrong with it.
    pub(super) fn line(&mut self, text: &str, at: usize, file: FileId) -> Vec<Diagnostic> {
        let clean = without_comments(text);
        let body = clean.strip_prefix('#').unwrap_or(&clean);
        let word_at = body.len() - body.trim_start().len();
        let body = &body[word_at..];
        let word_len = body.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let rest = body[word_len..].trim_start();
        let rest_at = at + 1 + word_at + (body.len() - rest.len());
        let span = Span::new(file, at, at + text.trim_end().len());
        let line = Line { word: &body[..word_len], rest: rest.trim_end(), rest_at, span };
        self.directive(&line).into_iter().collect()
    }

    fn directive(&mut self, line: &Line<'_>) -> Option<Diagnostic> {
        match line.word {
            "if" | "ifdef" | "ifndef" => self.open(line),
            "elif" | "else" | "endif" => self.go_on(line),
            _ if !self.is_active() => None,
            "define" => self.define(line),
            "undef" => {
                self.undefined.push(line.rest.to_owned());
                self.defines.retain(|d| d.name != line.rest);
                None
            }
            "include" => {
                let message = "this `#include` is not read: types come from the kernel's BTF";
                let diagnostic = Diagnostic::new(code::INCLUDE_IGNORED, line.span, message);
                Some(diagnostic.hint("remove it, or put it under `#ifndef BPFTRACE_HAVE_BTF`"))
            }
            "error" => Some(Diagnostic::new(code::PREPROCESSOR, line.span, format!("#error: {}", line.rest))),
            "warning" | "pragma" | "line" | "" => None,
            word => {
                let diagnostic = Diagnostic::new(code::PREPROCESSOR, line.span, format!("`#{word}` is not known"));
                Some(diagnostic.hint("a line that begins with `#` is for the preprocessor; a comment begins with `//`"))
            }
        }
    }

    fn open(&mut self, line: &Line<'_>) -> Option<Diagnostic> {
        let is_dead = !self.is_active();
        if self.conditions.len() >= MAX_CONDITIONS {
            let message = format!("more than {MAX_CONDITIONS} `#if`s are open here");
            return Some(Diagnostic::new(code::TOO_DEEP, line.span, message));
        }
        let (holds, fault) = if is_dead { (false, None) } else { self.evaluate(line) };
        let at = line.span.start as usize;
        self.conditions.push(Condition { at, is_active: !is_dead && holds, may_take: !holds, is_dead });
        fault
    }

    fn go_on(&mut self, line: &Line<'_>) -> Option<Diagnostic> {
        let Some(mut last) = self.conditions.pop() else {
            let message = format!("`#{}` without an `#if`", line.word);
            return Some(Diagnostic::new(code::PREPROCESSOR, line.span, message));
        };
        if line.word == "endif" {
            return None;
        }
        let may_take = !last.is_dead && last.may_take;
        let (holds, fault) = match line.word {
            "elif" if may_take => self.evaluate(line),
            "elif" => (false, None),
            _ => (true, None),
        };
        last.is_active = may_take && holds;
        last.may_take = last.may_take && !holds;
        self.conditions.push(last);
        fault
    }

    /// Decides a condition; one that cannot be decided does not hold, and says why.
    fn evaluate(&self, line: &Line<'_>) -> (bool, Option<Diagnostic>) {
        match line.word {
            "ifdef" => (self.is_defined(line.rest), None),
            "ifndef" => (!self.is_defined(line.rest), None),
            _ => {
                let value = if limits::nests_too_deep(line.rest) {
                    Err("it is nested too deep".to_owned())
                } else {
                    condition::evaluate(line.rest, &|name| self.is_defined(name), &|name| self.integer(name))
                };
                match value {
                    Ok(value) => (value != 0, None),
                    Err(why) => {
                        let message = format!("this condition cannot be decided: {why}");
                        (false, Some(Diagnostic::new(code::PREPROCESSOR, line.span, message)))
                    }
                }
            }
        }
    }

    fn define(&mut self, line: &Line<'_>) -> Option<Diagnostic> {
        let len = line.rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let (name, after) = line.rest.split_at(len);
        if name.is_empty() || after.starts_with('(') {
            let what = if name.is_empty() { "`#define` wants a name" } else { "a `#define` cannot have parameters" };
            let diagnostic = Diagnostic::new(code::PREPROCESSOR, line.span, what);
            return Some(diagnostic.hint("write `macro NAME(x) { ... }` for code with parameters"));
        }
        let value = after.trim_start();
        let value_at = line.rest_at + len + (after.len() - value.len());
        self.undefined.retain(|n| n != name);
        self.defines.retain(|d| d.name != name);
        self.defines.push(RawDefine {
            name: name.to_owned(),
            name_at: line.rest_at,
            value: value.replace("\\\n", "  ").replace(['\n', '\r'], " "),
            value_at,
        });
        None
    }

    fn is_defined(&self, name: &str) -> bool {
        let is_predefined = PREDEFINED.contains(&name) && !self.undefined.iter().any(|n| n == name);
        is_predefined || self.defines.iter().any(|d| d.name == name)
    }

    fn integer(&self, name: &str) -> Option<u64> {
        let define = self.defines.iter().find(|d| d.name == name)?;
        condition::integer(&define.value)
    }

    /// Tells whether the text after the last line counts.
    pub(super) fn is_active(&self) -> bool {
        self.conditions.last().is_none_or(|c| c.is_active)
    }

    /// Returns the offsets of the conditions without `#endif`.
    pub(super) fn left_open(&self) -> Vec<usize> {
        self.conditions.iter().map(|c| c.at).collect()
    }

    /// Returns what is defined at the end of the file, in order.
    pub(super) fn into_defines(self) -> Vec<RawDefine> {
        self.defines
    }
}

/// Turns the comments of one line into spaces of the same length.
fn without_comments(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(c) = rest.chars().next() {
        let comment_len = match rest.as_bytes() {
            [b'/', b'/', ..] if !in_string => rest.len(),
            [b'/', b'*', ..] if !in_string => rest[2..].find("*/").map_or(rest.len(), |i| i + 4),
            _ => 0,
        };
        if comment_len > 0 {
            clean.extend(std::iter::repeat_n(' ', comment_len));
            rest = &rest[comment_len..];
            continue;
        }
        let len = if in_string && c == '\\' { rest.chars().take(2).map(char::len_utf8).sum() } else { c.len_utf8() };
        in_string ^= c == '"';
        clean.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    clean
}
