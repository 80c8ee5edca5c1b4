//! The value of a preprocessor condition: an integer expression as in C.

use super::expr_text;
use crate::ast::{self, BinaryOp, Expr, ExprKind, UnaryOp};
use crate::span::FileId;

/// Computes a condition. `is_defined` answers `defined(NAME)`, `integer` the value of a name; an unknown name is 0.
pub(crate) fn evaluate(
    text: &str,
    is_defined: &dyn Fn(&str) -> bool,
    integer: &dyn Fn(&str) -> Option<u64>,
) -> Result<i128, String> {
    let (expr, faults) = expr_text(&with_brackets(text), FileId(0), 0);
    match (expr, faults.first()) {
        (Some(expr), None) => Evaluator { is_defined, integer }.value(&expr),
        (_, Some(fault)) => Err(fault.message.clone()),
        (None, None) => Err("nothing is written".to_owned()),
    }
}

/// Returns the value of a text that is one integer literal.
pub(crate) fn integer(text: &str) -> Option<u64> {
    match super::literal::number(text.trim()) {
        Ok(ExprKind::Int { value, .. }) if text.trim().starts_with(|c: char| c.is_ascii_digit()) => Some(value),
        _ => None,
    }
}

/// Writes `defined NAME` as `defined(NAME)`.
fn with_brackets(text: &str) -> String {
    let mut out = String::new();
    let mut words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_').peekable();
    while let Some(word) = words.next() {
        out.push_str(word);
        if word.trim_end() == "defined"
            && let Some(next) = words.next_if(|n| n.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
        {
            let len = next.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
            out.push_str(&format!("({}){}", &next[..len], &next[len..]));
        }
    }
    out
}

struct Evaluator<'a> {
    is_defined: &'a dyn Fn(&str) -> bool,
    integer: &'a dyn Fn(&str) -> Option<u64>,
}

impl Evaluator<'_> {
    fn value(&self, expr: &Expr) -> Result<i128, String> {
        match &expr.kind {
            ExprKind::Int { value, .. } => Ok(i128::from(*value)),
            ExprKind::Bool(value) => Ok(i128::from(*value)),
            ExprKind::Name(name) => Ok((self.integer)(name).map_or(0, i128::from)),
            ExprKind::Call { name, args } if name.name == "defined" => match args.as_slice() {
                [ast::Arg { name: None, value: Expr { kind: ExprKind::Name(name), .. } }] => {
                    Ok(i128::from((self.is_defined)(name)))
                }
                _ => Err("`defined` wants a name".to_owned()),
            },
            ExprKind::Unary { op, operand } => unary(*op, self.value(operand)?),
            ExprKind::Binary { op, left, right } => binary(*op, self.value(left)?, self.value(right)?),
            ExprKind::Ternary { cond, then: Some(then), otherwise } => {
                let chosen = if self.value(cond)? != 0 { then } else { otherwise };
                self.value(chosen)
            }
            _ => Err("only integers, names, `defined` and operators can be decided".to_owned()),
        }
    }
}

fn unary(op: UnaryOp, value: i128) -> Result<i128, String> {
    match op {
        UnaryOp::Not => Ok(i128::from(value == 0)),
        UnaryOp::Neg => Ok(value.wrapping_neg()),
        UnaryOp::Plus => Ok(value),
        UnaryOp::BitNot => Ok(!value),
        UnaryOp::Deref => Err("a condition has no pointers".to_owned()),
    }
}

/// Operands have at most 64 bits each way, but results may grow, so everything wraps.
fn binary(op: BinaryOp, a: i128, b: i128) -> Result<i128, String> {
    let shift = (b & 63) as u32;
    Ok(match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::Div => a.checked_div(b).unwrap_or(0),
        BinaryOp::Rem => a.checked_rem(b).unwrap_or(a),
        BinaryOp::Shl => a.wrapping_shl(shift),
        BinaryOp::Shr => a.wrapping_shr(shift),
        BinaryOp::BitAnd => a & b,
        BinaryOp::BitOr => a | b,
        BinaryOp::BitXor => a ^ b,
        BinaryOp::And => i128::from(a != 0 && b != 0),
        BinaryOp::Or => i128::from(a != 0 || b != 0),
        BinaryOp::Eq => i128::from(a == b),
        BinaryOp::Ne => i128::from(a != b),
        BinaryOp::Lt => i128::from(a < b),
        BinaryOp::Le => i128::from(a <= b),
        BinaryOp::Gt => i128::from(a > b),
        BinaryOp::Ge => i128::from(a >= b),
        BinaryOp::Matches | BinaryOp::NotMatches => {
            return Err("a condition matches no text".to_owned());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_as_in_c() {
        let holds = |text: &str| evaluate(text, &|n| n == "A", &|n| (n == "A").then_some(3));
        assert_eq!(holds("defined A && !defined(B)"), Ok(1));
        assert_eq!(holds("A * 2 == 6 ? 4 : 5"), Ok(4));
        assert_eq!(holds("UNKNOWN"), Ok(0));
        assert!(holds("A +").is_err());
        assert!(holds("f(1)").is_err());
    }
}
