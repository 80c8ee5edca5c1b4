//! A fault of pest's, in the words of the language.
//!
//! pest tells the furthest place that it reached and the rules that it tried there. The rules are turned into what a
//! person would write next ("`;`", "an expression"), the text at the place into what was found instead. Rule names never
//! leave this module.

use std::ops::Range;

use pest::error::{Error, ErrorVariant, InputLocation};

use super::Rule;
use crate::diagnostic::{Diagnostic, code};
use crate::span::{FileId, Span};

/// The most of a found token that is shown.
const MAX_SHOWN_LEN: usize = 24;

/// Makes the diagnostic of a fault. `text` is the masked file (or a define's value, at `offset` in its file).
pub(super) fn translate(
    fault: &Error<Rule>,
    entry: Rule,
    text: &str,
    range: Range<usize>,
    file: FileId,
    offset: usize,
) -> Diagnostic {
    let at = match fault.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => (range.start + at).min(range.end),
    };
    let found_at = range.end - text[at..range.end].trim_start().len();
    let found_len = token_len(&text[found_at..range.end]);
    let tried: &[Rule] = match &fault.variant {
        ErrorVariant::ParsingError { positives, .. } => positives,
        ErrorVariant::CustomError { .. } => &[],
    };
    let expected = expected(tried, entry);
    let found = token_at(text, found_at, text.len().min(range.end));
    let span = |start: usize, end: usize| Span::new(file, offset + start, offset + end);
    let before = range.start + text[range.start..found_at].trim_end().len();
    let is_next_line = text[before..found_at].contains('\n');
    let place = match ends_something(tried) && is_next_line || found_len == 0 {
        true => span(before, before),
        false => span(found_at, found_at + found_len),
    };
    let bad_header = entry == Rule::headers_entry;
    let code = if bad_header { code::BAD_HEADER } else { code::SYNTAX };
    let mut diagnostic = Diagnostic::expected(code, place, expected, found);
    let (before, rest) = (&text[range.start..before], &text[found_at..range.end]);
    diagnostic.hint = match bad_header {
        true => Some(header_hint(before, rest).to_owned()),
        false => hint(tried, entry, last_word(before), rest),
    };
    diagnostic
}

fn last_word(text: &str) -> &str {
    let other = text.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    other.map_or(text, |at| text[at..].trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
}

/// Names the token at a place, in quotes; the end of the text has a name of its own.
pub(super) fn token_at(text: &str, at: usize, end: usize) -> String {
    let rest = text.get(at..end).unwrap_or("").trim_start();
    match token_len(rest) {
        0 => match text.get(end..).unwrap_or("").chars().next() {
            Some(next @ ('/' | '{')) => format!("`{next}`"),
            _ => "the end".to_owned(),
        },
        len => {
            let shown: String = rest[..len].chars().take(MAX_SHOWN_LEN).collect();
            let more = if shown.len() < len { "..." } else { "" };
            format!("`{}{more}`", shown.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'"))
        }
    }
}

/// Returns the length of the first token: a word with its sigil, a string, or one character.
fn token_len(text: &str) -> usize {
    let Some(first) = text.chars().next() else {
        return 0;
    };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let word_len = |text: &str| text.find(|c: char| !is_word(c)).unwrap_or(text.len());
    match first {
        '$' | '@' => 1 + word_len(&text[1..]),
        '"' => text[1..].find('"').map_or(text.len(), |i| i + 2),
        c if is_word(c) => word_len(text),
        c => c.len_utf8(),
    }
}

/// What a rule looks like to a person: a literal token, or a kind of thing. `None` for what only continues an expression,
/// which is worth no mention where something could end.
fn phrase(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::semicolon => "`;`",
        Rule::close_brace => "`}`",
        Rule::close_paren => "`)`",
        Rule::close_bracket => "`]`",
        Rule::open_paren | Rule::call_args => "`(`",
        Rule::open_brace | Rule::block => "`{`",
        Rule::comma | Rule::last_comma => "`,`",
        Rule::colon => "`:`",
        Rule::assign => "`=`",
        Rule::range_dots => "`..`",
        Rule::variable => "a variable like `$x`",
        Rule::map_name | Rule::map => "a map like `@m`",
        Rule::string => "a string",
        Rule::header | Rule::provider | Rule::headers_entry => "a probe like `tracepoint:syscalls:sys_enter_openat`",
        Rule::type_ref | Rule::single_type | Rule::type_base | Rule::tagged | Rule::c_base | Rule::c_words => "a type",
        Rule::name | Rule::bare_name | Rule::digits | Rule::deep => "a name",
        Rule::macro_param | Rule::macro_params => "a parameter",
        Rule::fn_param | Rule::fn_params => "a parameter like `$x: int64`",
        Rule::config_pair => "a setting like `name = value`",
        Rule::c_field => "a field",
        Rule::c_variant => "a constant",
        Rule::statement | Rule::simple_stmt | Rule::block_stmt => "a statement",
        Rule::expr | Rule::chain | Rule::operand | Rule::number | Rule::named | Rule::arg | Rule::tuple => {
            "an expression"
        }
        Rule::kw_if | Rule::if_expr => "an expression",
        _ => return None,
    })
}

/// The order in which alternatives are named; what is not here comes last.
const ORDER: &[&str] = &["an expression", "a statement", "`;`", "`,`", "`)`", "`]`", "`}`", "`{`"];

fn expected(tried: &[Rule], entry: Rule) -> String {
    let mut phrases: Vec<&str> = tried.iter().filter_map(|rule| phrase(*rule)).collect();
    phrases.sort_by_key(|p| ORDER.iter().position(|o| o == p).unwrap_or(ORDER.len()));
    phrases.dedup();
    if phrases != ["`(`"] || tried.contains(&Rule::infix) {
        // Any name could be called, which is seldom what was meant.
        phrases.retain(|p| *p != "`(`");
    }
    if phrases.contains(&"a statement") {
        phrases.retain(|p| !matches!(*p, "an expression" | "a variable like `$x`" | "a map like `@m`" | "`;`" | "`{`"));
    }
    if phrases.contains(&"an expression") {
        phrases.retain(|p| matches!(*p, "an expression" | "`)`" | "`]`" | "`;`" | "`:`"));
    }
    if phrases == ["`,`"] && entry == Rule::headers_entry {
        phrases = vec!["`:`", "`,`", "`{`"];
    }
    if phrases.is_empty() {
        phrases.push(match entry {
            Rule::headers_entry => "`:`, `,`, a predicate or `{`",
            Rule::expr_entry if tried.contains(&Rule::EOI) => "an operator or the end of the predicate",
            _ if tried.contains(&Rule::EOI) => "the end of the clause",
            _ if tried.is_empty() => "an expression",
            _ => "an operator",
        });
    }
    phrases.truncate(4);
    match phrases.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// Tells whether one of the rules would have ended something: then the fault is where the last token ends.
fn ends_something(tried: &[Rule]) -> bool {
    let ends = [Rule::semicolon, Rule::close_brace, Rule::close_paren, Rule::close_bracket, Rule::comma];
    tried.iter().any(|rule| ends.contains(rule))
}

/// Says what to do about a header that reads `before` up to the fault.
fn header_hint(before: &str, found: &str) -> &'static str {
    if before.contains('/') {
        "put a space before the predicate"
    } else if found.starts_with('=') {
        "a label is a name right before `=`"
    } else if ["capture:", "match:", "mock:"].iter().any(|stage| before.ends_with(stage)) {
        "name a protocol, like `http`"
    } else {
        "a header is `provider:part:part`, with commas between several"
    }
}

/// What people write who come from other languages, and what it is here.
const FOREIGN: &[(&str, &str)] = &[
    ("'", "strings stand in double quotes"),
    ("=>", "write `>=` to compare"),
    ("=<", "write `<=` to compare"),
    ("->", "a function's result is written after `:`"),
    ("in ", "write `for $x : ...`"),
    ("and ", "write `&&`"),
    ("or ", "write `||`"),
    ("not ", "write `!`"),
];

/// Says what to do, where the text shows what was meant.
fn hint(tried: &[Rule], entry: Rule, word: &str, found: &str) -> Option<String> {
    if let Some((_, hint)) = FOREIGN.iter().find(|(start, _)| found.starts_with(start)) {
        return Some((*hint).to_owned());
    }
    if entry == Rule::c_entry {
        return Some("a field is `type name;`, a constant of an enum `NAME = value,`".to_owned());
    }
    if tried.contains(&Rule::semicolon) {
        return Some(match (word, found.chars().next()) {
            ("let", _) => "`let` declares a variable: `let $x = 1;`".to_owned(),
            (_, Some('=')) => "only `$x`, `@m` and `@m[key]` can be assigned to".to_owned(),
            _ => "end the statement before this with `;`".to_owned(),
        });
    }
    if word == "else" || found.starts_with("else") {
        return Some("`else` follows the `}` of an `if`".to_owned());
    }
    if word == "let" {
        return Some("a variable's name begins with `$`".to_owned());
    }
    None
}
