//! Blocks and statements.

use pest::iterators::Pair;

use super::expr::is_place;
use super::{Lower, Rule};
use crate::ast::{BinaryOp, Block, Expr, ExprKind, ForOver, Ident, Import, Stmt, StmtKind};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

impl Lower<'_> {
    /// Lowers a `block` pair. A last expression without `;` is the block's value.
    pub(super) fn block(&mut self, pair: Pair<'_, Rule>) -> Block {
        let span = self.span(&pair);
        let mut stmts = Vec::new();
        let mut value = None;
        for part in pair.into_inner().filter(|p| p.as_rule() == Rule::statement) {
            // Whatever looked like a value is not the last.
            stmts.extend(value.take().map(statement_of));
            let Some(inner) = part.into_inner().next() else {
                continue;
            };
            match self.statement(inner) {
                Some(Lowered::Stmt(stmt)) => stmts.push(stmt),
                Some(Lowered::Value(expr)) => value = Some(expr),
                None => {}
            }
        }
        let value = match value {
            Some(expr) if has_value(&expr) => Some(Box::new(expr)),
            other => {
                stmts.extend(other.map(statement_of));
                None
            }
        };
        Block { stmts, value, span }
    }

    fn statement(&mut self, pair: Pair<'_, Rule>) -> Option<Lowered> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::simple_stmt => return self.simple(pair, span),
            Rule::block_stmt => {
                let inner = pair.into_inner().next()?;
                let kind = match inner.as_rule() {
                    Rule::if_expr => ExprKind::If(Box::new(self.if_expr(inner))),
                    _ => ExprKind::Block(self.block(inner)),
                };
                return Some(Lowered::Value(Expr { kind, span }));
            }
            Rule::let_stmt => self.let_stmt(pair)?,
            Rule::while_stmt => {
                let (cond, body) = self.expr_and_block(pair)?;
                StmtKind::While { cond, body }
            }
            Rule::unroll_stmt => {
                let (count, body) = self.expr_and_block(pair)?;
                StmtKind::Unroll { count, body }
            }
            Rule::for_stmt => self.for_stmt(pair)?,
            Rule::return_stmt => {
                let value = pair.into_inner().find(|p| p.as_rule() == Rule::expr);
                StmtKind::Return(value.map(|v| self.expr(v)))
            }
            Rule::break_stmt => StmtKind::Break,
            Rule::continue_stmt => StmtKind::Continue,
            Rule::import_stmt => StmtKind::Import(self.import(pair)?),
            // A lone `;`.
            _ => return None,
        };
        Some(Lowered::Stmt(Stmt { kind, span }))
    }

    /// `expr;`, `expr`, `target = expr;`
    fn simple(&mut self, pair: Pair<'_, Rule>, span: Span) -> Option<Lowered> {
        let mut target = None;
        let mut assign = None;
        let mut value = None;
        let mut is_ended = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr if assign.is_none() => target = Some(self.expr(part)),
                Rule::expr => value = Some(self.expr(part)),
                Rule::assign_op => assign = Some(part.as_str().to_owned()),
                Rule::semicolon => is_ended = true,
                _ => {}
            }
        }
        let target = target?;
        let Some(assign) = assign else {
            return Some(match is_ended {
                true => Lowered::Stmt(Stmt { kind: StmtKind::Expr(target), span }),
                false => Lowered::Value(target),
            });
        };
        let op = compound(&assign);
        let discards = target.kind == ExprKind::Discard && op.is_none();
        if !is_place(&target) && !discards {
            self.report_target(&target, &assign);
        }
        Some(Lowered::Stmt(Stmt { kind: StmtKind::Assign { target, op, value: value? }, span }))
    }

    fn report_target(&mut self, target: &Expr, assign: &str) {
        let diagnostic =
            Diagnostic::new(code::BAD_TARGET, target.span, format!("`{assign}` wants a variable before it"));
        let hint = match (&target.kind, assign) {
            (ExprKind::Discard, _) => "`_` takes only `=`",
            (ExprKind::Binary { .. } | ExprKind::Ternary { .. }, "=") => "write `==` to compare",
            _ => "only `$x`, `@m` and `@m[key]` can be changed",
        };
        self.report(diagnostic.label("this is a value").hint(hint));
    }

    fn let_stmt(&mut self, pair: Pair<'_, Rule>) -> Option<StmtKind> {
        let (mut name, mut ty, mut value) = (None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::variable => name = Some(self.ident(&part)),
                Rule::type_ref => ty = Some(self.type_like(part)),
                Rule::expr => value = Some(self.expr(part)),
                _ => {}
            }
        }
        Some(StmtKind::Let { name: name?, ty, value })
    }

    fn expr_and_block(&mut self, pair: Pair<'_, Rule>) -> Option<(Expr, Block)> {
        let (mut expr, mut block) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => expr = Some(self.expr(part)),
                Rule::block => block = Some(self.block(part)),
                _ => {}
            }
        }
        Some((expr?, block?))
    }

    fn for_stmt(&mut self, pair: Pair<'_, Rule>) -> Option<StmtKind> {
        let mut name: Option<Ident> = None;
        let mut exprs = Vec::new();
        let mut body = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::variable => name = Some(self.ident(&part)),
                Rule::expr => exprs.push(self.expr(part)),
                Rule::block => body = Some(self.block(part)),
                _ => {}
            }
        }
        let mut exprs = exprs.into_iter();
        let over = match (exprs.next()?, exprs.next()) {
            (start, Some(end)) => ForOver::Range { start, end },
            (each, None) => ForOver::Each(each),
        };
        Some(StmtKind::For { name: name?, over, body: body? })
    }

    /// Lowers `import "path"`, at the top level or in a block.
    pub(super) fn import(&mut self, pair: Pair<'_, Rule>) -> Option<Import> {
        let span = self.span(&pair);
        let path = pair.into_inner().find(|p| p.as_rule() == Rule::string)?;
        let path = String::from_utf8_lossy(&self.string(&path)).into_owned();
        Some(Import { path, span })
    }
}

/// What a statement pair becomes; a value is one only if it is the last.
enum Lowered {
    Stmt(Stmt),
    Value(Expr),
}

fn statement_of(expr: Expr) -> Stmt {
    Stmt { span: expr.span, kind: StmtKind::Expr(expr) }
}

/// Tells whether a last expression makes a value: an `if` or a block does where it ends in one itself.
fn has_value(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::If(x) => x.otherwise.is_some() && x.arms.first().is_some_and(|arm| arm.body.value.is_some()),
        ExprKind::Block(block) => block.value.is_some(),
        _ => true,
    }
}

fn compound(assign: &str) -> Option<BinaryOp> {
    Some(match assign {
        "+=" => BinaryOp::Add,
        "-=" => BinaryOp::Sub,
        "*=" => BinaryOp::Mul,
        "/=" => BinaryOp::Div,
        "%=" => BinaryOp::Rem,
        "<<=" => BinaryOp::Shl,
        ">>=" => BinaryOp::Shr,
        "&=" => BinaryOp::BitAnd,
        "|=" => BinaryOp::BitOr,
        "^=" => BinaryOp::BitXor,
        _ => return None,
    })
}
