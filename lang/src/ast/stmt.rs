//! Statements and blocks.

use super::{BinaryOp, Expr, Ident, Import, Type};
use crate::span::Span;

/// `{ statements value }`; the value is a last expression without `;`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub stmts: Vec<Stmt>,
    /// A last expression without `;`: the block's value. A last `if` or block is here only if it ends in a value itself.
    pub value: Option<Box<Expr>>,
    pub span: Span,
}

/// A statement and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

/// What a statement is.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// `let $x: type = value;` The name is without `$`.
    Let {
        name: Ident,
        ty: Option<Type>,
        value: Option<Expr>,
    },
    /// `target = value;`, or `target += value;` with `op`. The target is a `Var`, `Map`, `Access`, `Discard` or a `Deref`.
    Assign {
        target: Expr,
        op: Option<BinaryOp>,
        value: Expr,
    },
    /// An expression for its effect: calls, `x++`, `if`, blocks.
    Expr(Expr),
    While {
        cond: Expr,
        body: Block,
    },
    /// `for $i : a..b { }`, `for ($kv : @m) { }`. The name is without `$`.
    For {
        name: Ident,
        over: ForOver,
        body: Block,
    },
    /// `unroll (n) { }`
    Unroll {
        count: Expr,
        body: Block,
    },
    Return(Option<Expr>),
    Break,
    Continue,
    /// `import "name";` inside a block
    Import(Import),
}

/// What a `for` runs over.
#[derive(Clone, Debug, PartialEq)]
pub enum ForOver {
    /// `start..end`, the end not included.
    Range { start: Expr, end: Expr },
    /// A map, or whatever else the checker allows.
    Each(Expr),
}
