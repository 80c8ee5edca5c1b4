//! The syntax tree: what was written, before names and types mean anything.
//!
//! Every node has a span. The tree is plain data: no interning, no parent links. What the grammar cannot know is left to
//! the checker: whether a header is a kernel probe or a message probe, what a bare name refers to, whether a call is a
//! function, a macro or an action. Depth is bounded by the parser (`parse::limits`), so a recursive walk is safe.

pub mod dump;
mod expr;
mod stmt;
mod ty;

pub use expr::*;
pub use stmt::*;
pub use ty::*;

use crate::span::Span;

/// A name and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    pub name: String,
    pub span: Span,
}

/// One source file, parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// The entries of the `config = { }` block, in order.
    pub config: Vec<ConfigEntry>,
    /// `import "name"` lines.
    pub imports: Vec<Import>,
    /// Object-like `#define`s that are in force. A bare name may refer to one; the parser does not substitute.
    pub defines: Vec<Define>,
    /// C struct, union, enum and typedef definitions.
    pub c_defs: Vec<CDef>,
    /// Everything else, in order.
    pub items: Vec<Item>,
}

/// One `key = value` of the config block.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigEntry {
    pub key: Ident,
    /// A literal or a bare name (`missing_probes = warn`).
    pub value: Expr,
    pub span: Span,
}

/// `import "name";`
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    pub path: String,
    pub span: Span,
}

/// `#define NAME value`; without a value it only answers `#ifdef`.
#[derive(Clone, Debug, PartialEq)]
pub struct Define {
    pub name: Ident,
    pub value: Option<Expr>,
    pub span: Span,
}

/// A top-level construct.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Clause(Clause),
    Macro(Macro),
    MapDecl(MapDecl),
    Fn(Function),
    Noise(Noise),
}

impl Item {
    /// Returns the place of the whole item.
    pub fn span(&self) -> Span {
        match self {
            Item::Clause(x) => x.span,
            Item::Macro(x) => x.span,
            Item::MapDecl(x) => x.span,
            Item::Fn(x) => x.span,
            Item::Noise(x) => x.span,
        }
    }
}

/// `header, header /predicate/ { actions }`
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    pub headers: Vec<Header>,
    pub predicate: Option<Expr>,
    pub body: Block,
    pub span: Span,
}

/// One element of a clause's comma list: `tracepoint:syscalls:sys_enter_*`, `http:in:request`, `capture:http:in`.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// `name=` before the probe.
    pub label: Option<Ident>,
    /// `capture`, `match` or `mock` where the header is a rule's; then `provider` is the protocol.
    pub stage: Option<Stage>,
    /// The word before the first `:`, as written (providers are case-insensitive; the checker decides).
    pub provider: Ident,
    /// What follows, split at `:` outside quotes. `a::b` has an empty part.
    pub parts: Vec<Part>,
    pub span: Span,
}

/// The first word of a rule's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Capture,
    Match,
    Mock,
}

impl Stage {
    /// Returns the word of the language.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Capture => "capture",
            Stage::Match => "match",
            Stage::Mock => "mock",
        }
    }
}

/// One `:`-separated part of a header.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The pieces in order: bare text, quoted text, positional parameters.
    pub pieces: Vec<Piece>,
    pub span: Span,
}

impl Part {
    /// Returns the text with quotes removed, or `None` where a positional parameter must be filled in first.
    pub fn text(&self) -> Option<String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Bare(s) | Piece::Quoted(s) => text.push_str(s),
                Piece::Positional(_) | Piece::PositionalCount => return None,
            }
        }
        Some(text)
    }

    /// Tells whether a `*` outside quotes makes this a pattern.
    pub fn is_wildcard(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Bare(s) if s.contains('*')))
    }
}

/// A piece of a header's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as written; `*` in it is a wildcard.
    Bare(String),
    /// Text that stood in quotes, escapes resolved; nothing in it is special.
    Quoted(String),
    /// `$1`
    Positional(u32),
    /// `$#`
    PositionalCount,
}

/// `macro name($v, @m, expr) { body }`
#[derive(Clone, Debug, PartialEq)]
pub struct Macro {
    pub name: Ident,
    pub params: Vec<MacroParam>,
    pub body: Block,
    pub span: Span,
}

/// A macro's parameter, whose form says what may be passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MacroParam {
    /// `$v`: a scratch variable, by reference. The name is without `$`.
    Var(Ident),
    /// `@m`: a map. The name is without `@`.
    Map(Ident),
    /// `e`: any expression.
    Expr(Ident),
}

/// `let @name = hash(100);`
#[derive(Clone, Debug, PartialEq)]
pub struct MapDecl {
    /// The map's name without `@`.
    pub name: Ident,
    /// `hash`, `lruhash`, `percpuhash`, ...
    pub kind: Ident,
    pub max_entries: Expr,
    pub span: Span,
}

/// `fn name($a : uint64): int64 { }`
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    pub name: Ident,
    pub params: Vec<FnParam>,
    pub result: Option<Type>,
    pub body: Block,
    pub span: Span,
}

/// A function's parameter; the name is without `$`.
#[derive(Clone, Debug, PartialEq)]
pub struct FnParam {
    pub name: Ident,
    pub ty: Type,
}

/// `noise name(s) = expr;`
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    pub name: Ident,
    pub param: Ident,
    pub body: Expr,
    pub span: Span,
}
