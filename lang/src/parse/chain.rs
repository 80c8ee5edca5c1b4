//! Chains of operands and infix operators become trees.
//!
//! Precedence is C's, with `=~` and `!~` beside `==`; all operators lean left. Long chains of `&&` and `||` are built
//! balanced, which means the same, because both evaluate from left to right and stop early. So a predicate of thousands of
//! conditions makes a shallow tree, while any other long chain counts against the limit of depth.

use crate::ast::{BinaryOp, Expr, ExprKind};

/// Chains of `&&` or `||` up to this length lean left like all others; longer ones are balanced.
const MAX_LEANING: usize = 16;

/// Reads an infix operator.
pub(super) fn infix(symbol: &str) -> Option<BinaryOp> {
    use BinaryOp::*;
    let all = [
        Add, Sub, Mul, Div, Rem, Shl, Shr, BitAnd, BitOr, BitXor, And, Or, Eq, Ne, Lt, Le, Gt, Ge, Matches, NotMatches,
    ];
    all.into_iter().find(|op| op.symbol() == symbol)
}

fn is_logical(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::And | BinaryOp::Or)
}

/// Returns an upper bound of the height of the tree that [`join`] builds from these operators.
pub(super) fn height(ops: &[BinaryOp]) -> usize {
    let logical = ops.iter().filter(|op| is_logical(**op)).count();
    let leaning = ops.split(|op| is_logical(*op)).map(<[_]>::len).max().unwrap_or(0);
    let joints = if logical <= MAX_LEANING { logical } else { 2 * (logical.ilog2() as usize + 2 + MAX_LEANING) };
    leaning + joints
}

/// Joins operands by operators of the right precedence.
pub(super) fn join(operands: Vec<Expr>, ops: Vec<BinaryOp>) -> Option<Expr> {
    let mut stack: Vec<Expr> = Vec::new();
    let mut pending: Vec<BinaryOp> = Vec::new();
    // Groups of `&&` within groups of `||`.
    let mut ors: Vec<Vec<Expr>> = vec![Vec::new()];
    let mut operands = operands.into_iter();
    stack.push(operands.next()?);
    for (op, operand) in ops.into_iter().zip(operands) {
        while pending.last().is_some_and(|last| last.precedence() >= op.precedence()) {
            reduce(&mut stack, &mut pending)?;
        }
        if is_logical(op) {
            ors.last_mut()?.push(stack.pop()?);
            if op == BinaryOp::Or {
                ors.push(Vec::new());
            }
        } else {
            pending.push(op);
        }
        stack.push(operand);
    }
    while !pending.is_empty() {
        reduce(&mut stack, &mut pending)?;
    }
    ors.last_mut()?.push(stack.pop()?);
    let terms: Option<Vec<Expr>> = ors.into_iter().map(|ands| balance(ands, BinaryOp::And)).collect();
    balance(terms?, BinaryOp::Or)
}

fn reduce(stack: &mut Vec<Expr>, pending: &mut Vec<BinaryOp>) -> Option<()> {
    let (op, right, left) = (pending.pop()?, stack.pop()?, stack.pop()?);
    stack.push(binary(op, left, right));
    Some(())
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    Expr { kind: ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }, span }
}

/// Joins a chain of one logical operator: leaning left if short, else in halves.
fn balance(mut terms: Vec<Expr>, op: BinaryOp) -> Option<Expr> {
    if terms.len() <= MAX_LEANING + 1 {
        return terms.into_iter().reduce(|left, right| binary(op, left, right));
    }
    let right = terms.split_off(terms.len() / 2);
    Some(binary(op, balance(terms, op)?, balance(right, op)?))
}
