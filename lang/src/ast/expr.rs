//! Expressions.

use super::{Block, Ident, Type};
use crate::span::Span;

/// An expression and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A non-negative integer; a minus before it is a [`UnaryOp::Neg`].
    Int {
        value: u64,
        suffix: IntSuffix,
    },
    /// A decimal number with a point, as written without `_`; exact, native clauses only.
    Decimal(String),
    /// `1%` or `0.5%`, the number as written; only the last thing in an argument.
    Percent(String),
    /// `20ms`
    Duration {
        ns: u64,
        unit: DurationUnit,
    },
    /// `64KiB`
    Size {
        bytes: u64,
        unit: SizeUnit,
    },
    /// A string's bytes after escapes.
    Str(Vec<u8>),
    /// A string literal right of `=~` or `!~`: the text between the quotes with only `\"` resolved, so that `\d` and `\.`
    /// reach the regex engine.
    Regex(String),
    Bool(bool),
    Nil,
    Null,
    /// A bare name.
    Name(String),
    /// `$name`, without `$`.
    Var(String),
    /// `@name[keys]`, without `@`; the anonymous map has an empty name. No keys means that no `[` follows.
    Map {
        name: String,
        keys: Vec<Expr>,
    },
    /// `$1`
    Positional(u32),
    /// `$#`
    PositionalCount,
    /// `_`, which stands only left of `=`.
    Discard,
    /// `base.name[index]->name`: all postfix steps after one base.
    Access {
        base: Box<Expr>,
        steps: Vec<AccessStep>,
    },
    /// `name(args)`: a function, macro or action.
    Call {
        name: Ident,
        args: Vec<Arg>,
    },
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `c ? a : b`; `then` is absent in `c ?: b`.
    Ternary {
        cond: Box<Expr>,
        then: Option<Box<Expr>>,
        otherwise: Box<Expr>,
    },
    Cast {
        ty: Type,
        operand: Box<Expr>,
    },
    Sizeof(TypeOrExpr),
    /// `offsetof(struct x, a.b)`
    Offsetof {
        of: TypeOrExpr,
        path: Vec<Ident>,
    },
    /// `typeinfo(x)`
    Typeinfo(TypeOrExpr),
    /// A type in the place of an argument: `container_of($p, struct x, f)`.
    TypeArg(Type),
    /// `(a, b)`, `(a,)`, `()`
    Tuple(Vec<Expr>),
    /// `(a=1, b=2)`
    Record(Vec<RecordField>),
    /// `{ stmts; value }`
    Block(Block),
    If(Box<If>),
    Comptime(Box<Expr>),
    /// `&$x`, `&@m`
    AddressOf(Box<Expr>),
    /// `++x`, `x++`, `--x`, `x--`
    Step {
        op: StepOp,
        fix: Fix,
        target: Box<Expr>,
    },
    /// Stands where a fault was already reported; the checker says nothing more about it.
    Error,
}

/// The C suffix of an integer: `u`, `l`, `ul`, `ll`, `ull`, in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IntSuffix {
    pub unsigned: bool,
    /// Number of `l`s: 0, 1 or 2.
    pub longs: u8,
}

/// The unit in which a duration was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DurationUnit {
    Ns,
    Us,
    Ms,
    S,
    M,
    H,
    D,
}

impl DurationUnit {
    /// Returns the unit's nanoseconds.
    pub fn ns(self) -> u64 {
        match self {
            DurationUnit::Ns => 1,
            DurationUnit::Us => 1_000,
            DurationUnit::Ms => 1_000_000,
            DurationUnit::S => 1_000_000_000,
            DurationUnit::M => 60_000_000_000,
            DurationUnit::H => 3_600_000_000_000,
            DurationUnit::D => 86_400_000_000_000,
        }
    }

    /// Returns the suffix as written.
    pub fn name(self) -> &'static str {
        match self {
            DurationUnit::Ns => "ns",
            DurationUnit::Us => "us",
            DurationUnit::Ms => "ms",
            DurationUnit::S => "s",
            DurationUnit::M => "m",
            DurationUnit::H => "h",
            DurationUnit::D => "d",
        }
    }
}

/// The unit in which a size was written: KB and MB are decimal, KiB and MiB binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SizeUnit {
    KB,
    MB,
    GB,
    KiB,
    MiB,
    GiB,
}

impl SizeUnit {
    /// Returns the unit's bytes.
    pub fn bytes(self) -> u64 {
        match self {
            SizeUnit::KB => 1_000,
            SizeUnit::MB => 1_000_000,
            SizeUnit::GB => 1_000_000_000,
            SizeUnit::KiB => 1 << 10,
            SizeUnit::MiB => 1 << 20,
            SizeUnit::GiB => 1 << 30,
        }
    }

    /// Returns the suffix as written.
    pub fn name(self) -> &'static str {
        match self {
            SizeUnit::KB => "KB",
            SizeUnit::MB => "MB",
            SizeUnit::GB => "GB",
            SizeUnit::KiB => "KiB",
            SizeUnit::MiB => "MiB",
            SizeUnit::GiB => "GiB",
        }
    }
}

/// One postfix step.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessStep {
    pub kind: AccessKind,
    pub span: Span,
}

/// What a postfix step reaches.
#[derive(Clone, Debug, PartialEq)]
pub enum AccessKind {
    /// `.name`
    Field(String),
    /// `->name`, which means the same as `.name`.
    Arrow(String),
    /// `.0`
    Element(u32),
    /// `[index]`
    Index(Box<Expr>),
    /// `[*]`: each element (paths of rules).
    Each,
    /// `.**`: any depth (paths of rules).
    Deep,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// `name:` before the value.
    pub name: Option<Ident>,
    pub value: Expr,
}

/// One `name = value` of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordField {
    pub name: Ident,
    pub value: Expr,
}

/// The operand of `sizeof` and its like.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeOrExpr {
    /// A bare name is an `Expr`; the checker tries it as a type too.
    Type(Type),
    Expr(Box<Expr>),
}

/// `if c { } else if d { } else { }`, flat, so that a long chain is not deep.
#[derive(Clone, Debug, PartialEq)]
pub struct If {
    /// At least one.
    pub arms: Vec<IfArm>,
    pub otherwise: Option<Block>,
    pub span: Span,
}

/// A condition and what runs under it.
#[derive(Clone, Debug, PartialEq)]
pub struct IfArm {
    pub cond: Expr,
    pub body: Block,
}

/// A prefix operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    Neg,
    Plus,
    Not,
    BitNot,
    Deref,
}

impl UnaryOp {
    /// Returns the operator as written.
    pub fn symbol(self) -> &'static str {
        match self {
            UnaryOp::Neg => "-",
            UnaryOp::Plus => "+",
            UnaryOp::Not => "!",
            UnaryOp::BitNot => "~",
            UnaryOp::Deref => "*",
        }
    }
}

/// `++` or `--`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepOp {
    Inc,
    Dec,
}

/// On which side of its operand an operator stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fix {
    Prefix,
    Postfix,
}

/// An infix operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    BitAnd,
    BitOr,
    BitXor,
    And,
    Or,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// `=~`
    Matches,
    /// `!~`
    NotMatches,
}

impl BinaryOp {
    /// Returns the operator as written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::Shl => "<<",
            BinaryOp::Shr => ">>",
            BinaryOp::BitAnd => "&",
            BinaryOp::BitOr => "|",
            BinaryOp::BitXor => "^",
            BinaryOp::And => "&&",
            BinaryOp::Or => "||",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::Matches => "=~",
            BinaryOp::NotMatches => "!~",
        }
    }

    /// Returns how tightly the operator binds, as in C; a higher number binds tighter. All are left-associative.
    pub fn precedence(self) -> u8 {
        match self {
            BinaryOp::Or => 1,
            BinaryOp::And => 2,
            BinaryOp::BitOr => 3,
            BinaryOp::BitXor => 4,
            BinaryOp::BitAnd => 5,
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Matches | BinaryOp::NotMatches => 6,
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => 7,
            BinaryOp::Shl | BinaryOp::Shr => 8,
            BinaryOp::Add | BinaryOp::Sub => 9,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => 10,
        }
    }
}
