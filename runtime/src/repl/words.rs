//! Completion: what the word before the cursor can become, by where it stands.
//!
//! The first word of a command is a command; after it come files, maps, probes or names, as the command wants. In a header come
//! providers, protocols and, once a kind of probe is written, its points: tracepoints are read when they are first asked for.
//! After `@` come maps, anywhere else the fields of the message that the header names, functions and values.

use std::cell::{OnceCell, RefCell};
use std::path::Path;

use reel_compiler::builtins;
use reel_lang::schema::{Event, Schema};
use reel_probes::catalog::tracefs;

use super::about;
use super::command::{COMMANDS, Verb};
use super::input::Input;
use crate::list::messages;

/// The kinds of kernel probes.
const PROVIDERS: &[&str] = &[
    "begin",
    "cgroup",
    "end",
    "fentry",
    "fexit",
    "interval",
    "kprobe",
    "kretprobe",
    "profile",
    "rawtracepoint",
    "sockops",
    "tp_btf",
    "tracepoint",
    "uprobe",
    "uretprobe",
];
/// The most that is offered at once.
const MAX_CANDIDATES: usize = 500;

/// What can be completed to.
#[derive(Default)]
pub struct Words {
    tracepoints: OnceCell<Vec<String>>,
    /// The maps of the session, with `@`.
    pub maps: RefCell<Vec<String>>,
}

impl Words {
    /// Where the word before `pos` begins, and what it can become.
    pub fn candidates(&self, line: &str, pos: usize) -> (usize, Vec<String>) {
        let before = line.get(..pos).unwrap_or(line);
        let (start, all) = match Input::of(before) {
            Input::Unknown(_) | Input::Command(..) if !before.trim_start().contains(char::is_whitespace) => {
                (before.len() - before.trim_start().len(), commands())
            }
            Input::Command(verb, _) => self.argument(verb, before),
            _ => self.program(before),
        };
        let word = before.get(start..).unwrap_or_default();
        if word.is_empty() {
            return (pos, Vec::new());
        }
        let mut found: Vec<String> = all.into_iter().filter(|candidate| candidate.starts_with(word)).collect();
        found.sort();
        found.dedup();
        found.truncate(MAX_CANDIDATES);
        (start, found)
    }

    fn argument(&self, verb: Verb, before: &str) -> (usize, Vec<String>) {
        let start = word_start(before, |c| !c.is_whitespace());
        let word = &before[start..];
        let all = match verb {
            Verb::Load | Verb::Save | Verb::From | Verb::Pcap => files(word),
            Verb::Print | Verb::Clear => self.maps.borrow().clone(),
            Verb::Doc => about::names(),
            Verb::Probes => self.points(),
            Verb::Plan => {
                let at = before.find(char::is_whitespace).unwrap_or(0);
                let (start, found) = self.program(&before[at..]);
                return (at + start, found);
            }
            _ => Vec::new(),
        };
        (start, all)
    }

    /// Within a program: a header until a brace or a predicate is open, else an expression.
    fn program(&self, before: &str) -> (usize, Vec<String>) {
        let (clause, is_header) = last_clause(before);
        let is_word =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@') || is_header && matches!(c, ':' | '-' | '*');
        let start = word_start(before, is_word);
        let word = &before[start..];
        let all = if word.starts_with('@') {
            let written = before.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '@' | '_'));
            let written = written.filter(|other| other.starts_with('@') && *other != word).map(str::to_owned);
            written.chain(self.maps.borrow().iter().cloned()).collect()
        } else if is_header {
            self.headers(word)
        } else {
            expressions(clause)
        };
        (start, all)
    }

    fn headers(&self, word: &str) -> Vec<String> {
        if word.starts_with("tracepoint:") {
            return self.tracepoints().to_vec();
        }
        let kinds = PROVIDERS.iter().map(|name| (*name).to_owned());
        kinds.chain(messages()).chain(["macro".to_owned(), "noise".to_owned()]).collect()
    }

    /// Everything that `:probes` may be asked for by its whole name.
    fn points(&self) -> Vec<String> {
        messages().chain(self.tracepoints().iter().cloned()).collect()
    }

    fn tracepoints(&self) -> &[String] {
        self.tracepoints.get_or_init(tracepoints)
    }
}

/// The last clause of a program, and whether its header is still being written. Braces in strings are text.
fn last_clause(before: &str) -> (&str, bool) {
    let (mut start, mut depth, mut is_header) = (0, 0usize, true);
    let mut chars = before.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => while chars.next().is_some_and(|(_, c)| c != '"' && (c != '\\' || chars.next().is_some())) {},
            '{' => (depth, is_header) = (depth + 1, false),
            '/' => is_header = false,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    (start, is_header) = (at + 1, true);
                }
            }
            _ => {}
        }
    }
    (&before[start..], is_header)
}

/// Where the word at the end of a text begins, whatever character stands before it.
fn word_start(before: &str, is_word: impl Fn(char) -> bool) -> usize {
    before.trim_end_matches(is_word).len()
}

fn commands() -> Vec<String> {
    COMMANDS.iter().filter_map(|command| command.names.first()).map(|name| (*name).to_owned()).collect()
}

/// Every message probe.
fn messages() -> impl Iterator<Item = String> {
    messages::matching("*").into_iter().map(|message| message.name)
}

/// Every tracepoint of the kernel; none where they cannot be read.
fn tracepoints() -> Vec<String> {
    let names = tracefs::tracepoints().unwrap_or_default();
    names.into_iter().map(|(category, name)| format!("tracepoint:{category}:{name}")).collect()
}

/// What has the fields of the message or event that a clause's header names.
fn schema_of(clause: &str) -> Option<&'static Schema> {
    let header = clause.trim_start().split([' ', '\t', '\n', '/', '{', ',']).next()?;
    let mut words = header.split(':');
    let schema = reel_protocols::by_name(words.next()?)?.schema();
    let probe = words.next_back().and_then(|word| schema.probes().find(|probe| probe.name() == word));
    schema.of(probe.map_or(Event::Exchange, |probe| probe.event))
}

/// Fields of the message that the clause's header names, or functions and values of kernel probes.
fn expressions(clause: &str) -> Vec<String> {
    let schema = schema_of(clause);
    let fits = |kernel: bool, native: bool| if schema.is_some() { native } else { kernel };
    let mut names: Vec<String> = Vec::new();
    for name in builtins::names() {
        let value = builtins::builtin(name).map(|value| value.places);
        let function = builtins::function(name).map(|function| function.places);
        let mut places = [value, function].into_iter().flatten();
        if places.any(|places| !places.trusted && fits(places.kernel, places.native)) {
            names.push((*name).to_owned());
        }
    }
    if let Some(schema) = schema {
        names.extend(schema.fields.iter().map(|field| field.name.clone()));
        if schema.fields.iter().any(|field| field.side.is_some()) {
            names.extend(["request".to_owned(), "response".to_owned()]);
        }
    }
    names
}

/// The files and folders that a path can become; one that begins with a dot only where it is asked for.
fn files(word: &str) -> Vec<String> {
    let (folder, name) = word.rfind('/').map_or(("", word), |at| word.split_at(at + 1));
    let read = std::fs::read_dir(if folder.is_empty() { Path::new(".") } else { Path::new(folder) });
    let entries = read.into_iter().flatten().flatten();
    let shown = entries.filter_map(|entry| {
        let file =
            entry.file_name().into_string().ok().filter(|file| !file.starts_with('.') || name.starts_with('.'))?;
        let slash = if entry.path().is_dir() { "/" } else { "" };
        Some(format!("{folder}{file}{slash}"))
    });
    shown.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: &str) {
        let words = Words::default();
        *words.maps.borrow_mut() = vec!["@ticks".to_owned()];
        let (start, found) = words.candidates(line, line.len());
        let whole: Vec<String> = found.iter().map(|word| format!("{}{word}", &line[..start])).collect();
        assert!(whole.contains(&expect.to_owned()), "{expect:?} is not in {whole:?}");
    }

    #[test]
    fn each_place_has_its_words() {
        check(":qu", ":quit");
        check("tracep", "tracepoint");
        check("http:ex", "http:exchange");
        check("begin { prin", "begin { printf");
        check("http:request { @[meth", "http:request { @[method");
        check("http:request /stat", "http:request /stats");
        check("http:response /stat", "http:response /status");
        check("interval:s:1 { print(@t", "interval:s:1 { print(@ticks");
        check("begin { @mine = 1; @m", "begin { @mine = 1; @mine");
        check(":print @", ":print @ticks");
        check("tcp:op", "tcp:open");
        check("tcp:in:close /clos", "tcp:in:close /closer");
        check("http:error { print(spe", "http:error { print(spec");
        check(":doc lhi", ":doc lhist");
        check(":load Car", ":load Cargo.toml");
        check(":load src/re", ":load src/repl/");
        check(":pcap Car", ":pcap Cargo.toml");
        check(":plan http:in:exchange /late", ":plan http:in:exchange /latency");
    }

    #[test]
    fn a_block_within_a_clause_does_not_end_it() {
        check("http:exchange { if (status > 1) { } @[meth", "http:exchange { if (status > 1) { } @[method");
        check("http:exchange { if (status > 1) { @[meth", "http:exchange { if (status > 1) { @[method");
        check("http:exchange { printf(\"\\\"}}\"); @[meth", "http:exchange { printf(\"\\\"}}\"); @[method");
        check("begin { if (1) { } } http:ex", "begin { if (1) { } } http:exchange");
        check("begin { if (1) { } } http:exchange { lat", "begin { if (1) { } } http:exchange { latency");
    }

    #[test]
    fn a_word_may_follow_any_character() {
        check("begin { printf(\"é\"); prin", "begin { printf(\"é\"); printf");
        check("begin { printf(\"éprin", "begin { printf(\"éprintf");
        check(":print\u{3000}@", ":print\u{3000}@ticks");
        let words = Words::default();
        assert_eq!(words.candidates("begin { printf(\"é", 17), (17, Vec::new()));
    }

    #[test]
    fn fields_are_for_messages_alone() {
        let words = Words::default();
        assert_eq!(words.candidates("begin { laten", 13), (8, Vec::new()));
        assert_eq!(words.candidates("begin { ", 8), (8, Vec::new()));
        assert_eq!(words.candidates("http:error { metho", 18), (13, Vec::new()));
    }

    #[test]
    fn tracepoints_are_looked_up_when_asked_for() {
        if reel_probes::doctor::Capability::Tracefs.needs() {
            check("tracepoint:raw_syscalls:sys_en", "tracepoint:raw_syscalls:sys_enter");
            check("begin { } tracepoint:raw_syscalls:sys_ex", "begin { } tracepoint:raw_syscalls:sys_exit");
        }
    }
}
