//! Which tokens of an expression or statement stand apart.
//!
//! One pass with a stack of open brackets. The one hard question is whether a sign such as `-` or `*` stands between two
//! operands or before one; where the text cannot tell (`(x) - 1`, `(int8)-1`), a bracket that can only hold a type decides.

use super::token::{Kind, Token};

/// Marks the tokens before which a space stands, when they stand on one line.
pub(super) fn mark(tokens: &mut [Token<'_>]) {
    let mut pass = Pass::default();
    for at in 0..tokens.len() {
        let is_apart = pass.take(tokens, at);
        tokens[at].is_apart = is_apart && at > 0;
    }
}

/// A bracket that is open.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    /// It holds a type before an operand.
    is_cast: bool,
    /// It holds what a `for` runs over.
    is_for: bool,
    /// `?` whose `:` has not been seen.
    questions: usize,
    is_brace: bool,
}

/// What the last token was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    /// Nothing, an opening bracket, an operator, or anything else that an operand follows.
    #[default]
    Start,
    /// A sign before its operand, which stands close to it.
    Prefix,
    /// An operand's end.
    Operand,
    /// A cast's closing bracket.
    Cast,
}

#[derive(Debug, Default)]
struct Pass {
    stack: Vec<Open>,
    outermost: Open,
    last: Last,
}

const KEYWORDS: [&str; 8] = ["if", "else", "while", "for", "unroll", "return", "let", "comptime"];

impl Pass {
    fn top(&mut self) -> &mut Open {
        self.stack.last_mut().unwrap_or(&mut self.outermost)
    }

    /// Takes one token, and tells whether it stands apart from the one before it.
    fn take(&mut self, tokens: &[Token<'_>], at: usize) -> bool {
        let token = tokens[at];
        let before = at.checked_sub(1).map(|before| tokens[before]);
        let last = self.last;
        let is_first_inside = before.is_some_and(|t| {
            t.is("(") || t.is("[") || t.is("..") || t.kind == Kind::OpenPredicate && !token.text.starts_with('*')
        });
        let stands_close = is_first_inside || last == Last::Prefix && !touches(before, token) || last == Last::Cast;
        match token.kind {
            Kind::Word => {
                self.last = if is_keyword(tokens, at) { Last::Start } else { Last::Operand };
                // `for $i : 0..3`, without brackets.
                self.outermost.is_for |= token.text == "for" && self.last == Last::Start;
                let is_part = before.is_some_and(|t| t.is(".") || t.is("->") || t.is("::"));
                !stands_close && !is_part
            }
            Kind::Sign => self.sign(tokens, at, stands_close),
            Kind::OpenPredicate => {
                self.last = Last::Start;
                true
            }
            Kind::ClosePredicate => {
                self.last = Last::Start;
                false
            }
            Kind::Header | Kind::LineComment | Kind::BlockComment | Kind::Verbatim => {
                self.last = Last::Start;
                true
            }
        }
    }

    fn sign(&mut self, tokens: &[Token<'_>], at: usize, stands_close: bool) -> bool {
        let token = tokens[at];
        let last = std::mem::take(&mut self.last);
        let is_operand = last == Last::Operand;
        match token.text {
            "(" => {
                let is_after_keyword = at > 0 && is_keyword(tokens, at - 1);
                let is_call = is_operand && !is_after_keyword;
                let open = Open {
                    is_cast: !is_operand && is_cast(tokens, at),
                    is_for: at > 0 && tokens[at - 1].text == "for" && is_after_keyword,
                    ..Open::default()
                };
                self.stack.push(open);
                !is_call && !stands_close
            }
            "[" => {
                self.stack.push(Open::default());
                !is_operand && !stands_close
            }
            "{" => {
                self.stack.push(Open { is_brace: true, ..Open::default() });
                !stands_close
            }
            ")" | "]" | "}" => {
                let open = self.stack.pop().unwrap_or_default();
                self.last = if open.is_cast { Last::Cast } else { Last::Operand };
                open.is_brace
            }
            "," | ";" => {
                self.top().questions = 0;
                false
            }
            // `0 .25` is an element of a number, which `0.25` is not.
            "." => {
                let is_number =
                    |token: Option<&Token<'_>>| token.is_some_and(|t| t.text.starts_with(|c: char| c.is_ascii_digit()));
                is_number(at.checked_sub(1).and_then(|before| tokens.get(before))) && is_number(tokens.get(at + 1))
            }
            "->" | ".." | "::" => false,
            "?" | "?:" => {
                self.top().questions += usize::from(token.text == "?");
                true
            }
            ":" => self.colon(),
            "++" | "--" if is_operand => {
                self.last = Last::Operand;
                false
            }
            "!" if is_operand => {
                // `name!(...)`: a macro's call.
                self.last = Last::Operand;
                false
            }
            "*" if is_deep(tokens, at) => {
                self.last = Last::Operand;
                false
            }
            // `!~` between operands is one operator, before one it is two.
            "-" | "+" | "*" | "&" | "!" | "~" | "!~" | "++" | "--" if !is_operand || self.is_pointer(tokens, at) => {
                self.prefix(tokens, at, last, stands_close)
            }
            _ => true,
        }
    }

    /// A sign before its operand, or the `*` of a pointer's type behind a name.
    fn prefix(&mut self, tokens: &[Token<'_>], at: usize, last: Last, stands_close: bool) -> bool {
        if self.is_pointer(tokens, at) {
            self.last = Last::Operand;
            return !tokens[at - 1].is("*") && last == Last::Operand && !stands_close;
        }
        self.last = Last::Prefix;
        !stands_close
    }

    /// Whether a `*` ends a type: `struct task_struct *`.
    fn is_pointer(&self, tokens: &[Token<'_>], at: usize) -> bool {
        let is_after_type =
            at > 0 && (tokens[at - 1].kind == Kind::Word || tokens[at - 1].is("*") || tokens[at - 1].is("]"));
        let ends = |token: &Token<'_>| [")", ",", ";", "=", "*", "[", "{", "]"].iter().any(|end| token.is(end));
        tokens[at].is("*") && is_after_type && tokens.get(at + 1).is_none_or(ends)
    }

    fn colon(&mut self) -> bool {
        let top = self.top();
        if top.questions > 0 {
            top.questions -= 1;
            return true;
        }
        top.is_for || self.stack.is_empty() && self.outermost.is_for
    }
}

/// Whether a `*` is one of the two of `body.**.id`.
fn is_deep(tokens: &[Token<'_>], at: usize) -> bool {
    let dot = |at: usize| tokens.get(at).is_some_and(|token| token.is("."));
    at > 0 && dot(at - 1) || at > 1 && tokens[at - 1].is("*") && dot(at - 2)
}

/// Two signs that would be another one, or begin a comment, together.
fn touches(before: Option<Token<'_>>, token: Token<'_>) -> bool {
    let last = before.and_then(|before| before.text.chars().next_back());
    let first = token.text.chars().next();
    last == first && matches!(first, Some('-' | '+' | '&' | '*'))
}

/// Whether a word is one of the language here, and no field of that name.
fn is_keyword(tokens: &[Token<'_>], at: usize) -> bool {
    let is_field = at > 0 && (tokens[at - 1].is(".") || tokens[at - 1].is("->"));
    tokens[at].kind == Kind::Word && !is_field && KEYWORDS.contains(&tokens[at].text)
}

/// Whether the bracket at `at` holds a type, and an operand follows: the words of C, a pointer, or two words in a row.
fn is_cast(tokens: &[Token<'_>], at: usize) -> bool {
    let Some(close) = closing(tokens, at) else { return false };
    let inside = &tokens[at + 1..close];
    let is_plain = inside.iter().all(|t| t.kind == Kind::Word || t.is("*") || t.is("[") || t.is("]"));
    let begins_operand = |token: &Token<'_>| {
        token.kind == Kind::Word || ["(", "-", "+", "*", "&", "!", "~"].iter().any(|sign| token.is(sign))
    };
    let is_followed = tokens.get(close + 1).is_some_and(begins_operand);
    let is_word_followed = tokens.get(close + 1).is_some_and(|t| t.kind == Kind::Word || t.is("("));
    let is_name = |token: &Token<'_>| token.text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match inside {
        [] => false,
        [first, ..] if first.text == "typeof" => is_followed,
        [first, ..] if !is_plain || !is_name(first) => false,
        [only] => is_type_name(only.text) && is_followed || is_word_followed,
        [.., last] => (last.is("*") || last.is("]") || inside.iter().all(|t| t.kind == Kind::Word)) && is_followed,
    }
}

fn is_type_name(word: &str) -> bool {
    let digits = word.trim_start_matches('_').trim_start_matches('u').trim_start_matches('s').trim_start_matches("int");
    word.ends_with("_t")
        || ["bool", "string", "char", "int", "long", "short", "unsigned", "signed", "void"].contains(&word)
        || matches!(digits, "8" | "16" | "32" | "64") && digits.len() < word.len()
}

/// The bracket that closes the one at `at`.
pub(super) fn closing(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (offset, token) in tokens[at..].iter().enumerate() {
        if ["(", "[", "{"].iter().any(|open| token.is(open)) {
            depth += 1;
        } else if [")", "]", "}"].iter().any(|close| token.is(close)) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Some(at + offset);
            }
        }
    }
    None
}
