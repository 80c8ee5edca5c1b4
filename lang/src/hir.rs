//! The typed program: what the checker makes of the syntax tree and the compiler lowers.
//!
//! Every name is resolved, every expression has a type, compound assignments and macros are expanded. A clause whose attach
//! points differ in the arguments that it reads becomes one [`Clause`] for each layout. Nothing here is wrong: a program
//! with errors gets no HIR.

pub mod dump;

use crate::env::AttachPoint;
pub use crate::schema::Event;
use crate::schema::{Direction, FieldId, Side};
use crate::span::Span;
use crate::ty::{Agg, Ty};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($text, "{}"), self.0)
            }
        }
    };
}

id!(/// A clause of the program.
    ClauseId, "clause");
id!(/// A scratch variable of a clause.
    VarId, "var");
id!(/// A map of the program.
    MapId, "map");
id!(/// A noise class of the program.
    NoiseId, "noise");

/// A checked program.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program {
    pub config: Config,
    pub maps: Vec<Map>,
    pub noise: Vec<Noise>,
    pub clauses: Vec<Clause>,
}

/// What a `config` block and the environment set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub max_strlen: u32,
    pub max_map_keys: u32,
    pub print_maps_on_exit: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config { max_strlen: 1024, max_map_keys: 4096, print_maps_on_exit: true }
    }
}

/// A map, with the types that its uses agree on.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    pub id: MapId,
    /// With the `@`; the anonymous map is `@`.
    pub name: String,
    /// One type a key; empty for a map without keys.
    pub keys: Vec<Ty>,
    /// Integers are 64 bits wide, here and in keys; within a tuple they keep their width.
    pub value: Ty,
    /// What `let @m = hash(N)` said; else `Config::max_map_keys` holds.
    pub max_entries: Option<u32>,
    pub span: Span,
}

/// A noise class: a pure predicate over one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Noise {
    pub id: NoiseId,
    pub name: String,
    /// In the body the parameter is `Var(VarId(0))`, of type [`Ty::Any`].
    pub body: Expr,
    pub span: Span,
}

/// A scratch variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Var {
    pub name: String,
    pub ty: Ty,
}

/// A clause.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    pub id: ClauseId,
    pub header: Header,
    pub predicate: Option<Expr>,
    pub body: Vec<Stmt>,
    pub vars: Vec<Var>,
    /// The header, for diagnostics.
    pub span: Span,
}

/// When a clause runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Header {
    /// Kernel probes of one kind. The arguments that the clause reads are the same in all their layouts; others, and
    /// `ArgsLayout::syscall`, may differ.
    Kernel(Vec<AttachPoint>),
    Message(MessageProbe),
    Rule(Rule),
}

/// `http:in:request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageProbe {
    pub protocol: String,
    pub direction: Option<Direction>,
    pub event: Event,
    /// The word of the header: the event's, or one that the schema has for some of its messages.
    pub name: String,
}

impl std::fmt::Display for MessageProbe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let direction = self.direction.map_or(String::new(), |direction| format!("{}:", direction.name()));
        write!(f, "{}:{direction}{}", self.protocol, self.name)
    }
}

/// `match:http:in:response`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub stage: Stage,
    pub protocol: String,
    pub direction: Option<Direction>,
    pub side: Option<Side>,
}

/// The stage of record or replay that a rule speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    Capture,
    Match,
    Mock,
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum StmtKind {
    Assign {
        var: VarId,
        value: Expr,
    },
    MapSet {
        map: MapId,
        key: Vec<Expr>,
        value: Expr,
    },
    /// `@m[k]++`, `@m[k] += e`: an atomic addition.
    MapAdd {
        map: MapId,
        key: Vec<Expr>,
        delta: Expr,
    },
    /// `@m[k] = hist(e)`: `value` is what is aggregated; absent for `count()`.
    MapAggregate {
        map: MapId,
        key: Vec<Expr>,
        agg: Agg,
        value: Option<Expr>,
    },
    /// An expression for its effect: `printf(...)`, `delete(@m[k])`.
    Expr(Expr),
    If {
        condition: Expr,
        then: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    While {
        condition: Expr,
        body: Vec<Stmt>,
    },
    /// `for ($i : from..to)`.
    ForRange {
        var: VarId,
        from: Expr,
        to: Expr,
        body: Vec<Stmt>,
    },
    Break,
    Continue,
    Return(Option<Expr>),
    /// Rules only.
    Action(Action),
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: Ty,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// The bits of an integer, duration, time or enumerator of the expression's type.
    Int(i64),
    Bool(bool),
    Str(Vec<u8>),
    /// The digits.
    Decimal(String),
    Nil,
    Null,
    Var(VarId),
    MapGet {
        map: MapId,
        key: Vec<Expr>,
    },
    /// `pid`, `comm`, ...: a name of `Environment::builtin`.
    Builtin(&'static str),
    /// The nth argument of the clause's layout.
    Arg(u32),
    /// A field of the message.
    Field(FieldId),
    /// Into a message value: `body.items[0].id`, `header["x"]`. Keys may be computed.
    Path {
        base: Box<Expr>,
        segments: Vec<Segment>,
    },
    /// A member of a struct; `base` is a struct (by address) or a pointer to one.
    Member {
        base: Box<Expr>,
        offset_bytes: u32,
        bits: Option<(u8, u8)>,
    },
    /// An element of an array or of what a pointer points at.
    Index {
        base: Box<Expr>,
        index: Box<Expr>,
    },
    Deref(Box<Expr>),
    TupleItem {
        base: Box<Expr>,
        index: u32,
    },
    Tuple(Vec<Expr>),
    Unary {
        op: UnaryOp,
        value: Box<Expr>,
    },
    /// Arithmetic is done in 64 bits: both sides and the result are `int64`, `uint64` or a duration; the checker inserts
    /// casts. A comparison has one type on both sides, but for `nil` and `null`, which stand right and leave the left side
    /// as it is; against a value of run-time kind the other side is cast to [`Ty::Any`]. Logic is on bools.
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Ternary {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    /// `=~`, or `!~` where negated.
    Match {
        value: Box<Expr>,
        pattern: Pattern,
        negated: bool,
    },
    /// Whether a value is in a noise class.
    Noise {
        class: NoiseId,
        value: Box<Expr>,
    },
    /// To the expression's type. A number as a bool is whether it is not 0; nil is false.
    Cast(Box<Expr>),
    /// A name of `Environment::function`.
    Call {
        function: &'static str,
        args: Vec<Expr>,
    },
    /// A map as an argument: `print(@m)`.
    Map(MapId),
    /// A bare word that a parameter expects.
    Word(&'static str),
    /// Statements, then a value.
    Block {
        body: Vec<Stmt>,
        value: Box<Expr>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    Neg,
    /// `!`, on a bool.
    Not,
    /// `~`
    BitNot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    BitAnd,
    BitOr,
    BitXor,
    Shl,
    Shr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// Short-circuit.
    And,
    Or,
}

/// A text pattern, checked and compiled at load.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    Regex(String),
    Glob(String),
}

/// One step into a message value.
#[derive(Debug, Clone, PartialEq)]
pub enum Segment {
    Name(String),
    Index(i64),
    /// A computed key or index.
    Key(Box<Expr>),
    /// All values of a header, as a list: `headers["x"]`.
    All(String),
}

/// A path that a rule speaks of: `body.items[*].updated_at`.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    pub field: FieldId,
    pub side: Side,
    pub steps: Vec<Step>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    Name(String),
    Index(i64),
    /// `[*]`: every element of a list, or every value of a map.
    Each,
    /// `**`: any depth.
    Deep,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Skip,
    Redact(Path),
    Tag(String),
    Sample(u32),
    Limit(u64),
    Ignore(Path),
    Like(Path, NoiseId),
    Within(Path, Tolerance),
    Unordered(Path),
    Optional(Path),
    Require(Expr, String),
    Key(Vec<Path>),
    Respond(Vec<(String, Expr)>),
    /// Nanoseconds.
    Delay(i64),
    Abort(Abort),
    Passthrough,
    Cycle,
    Latest,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    Absolute(f64),
    /// A share of the recorded value: 0.01 for `1%`.
    Relative(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    Reset,
    Refused,
    Timeout,
}
