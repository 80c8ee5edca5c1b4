//! Expressions: flat lists of operands and operators become trees.
//!
//! Precedence is C's, with `=~` and `!~` beside `==`. Long chains of `&&` and `||` are built balanced, which means the same
//! and keeps the tree shallow; all other chains lean left and count against the limit of depth.

use pest::iterators::{Pair, Pairs};

use super::{Lower, Rule, literal};
use crate::ast::{
    AccessKind, AccessStep, Arg, BinaryOp, Expr, ExprKind, Fix, Ident, If, IfArm, RecordField, StepOp, Type,
    TypeOrExpr, UnaryOp,
};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

/// Chains of `&&` or `||` up to this length lean left like all others; longer ones are balanced.
const MAX_LEANING: usize = 16;

impl Lower<'_> {
    /// Lowers an `expr` pair.
    pub(super) fn expr(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let Some(first) = inner.next() else {
            return error_at(span);
        };
        let ternaries: Vec<_> = inner.collect();
        self.nested(1 + ternaries.len(), span, |this| {
            let first = this.chain(first);
            this.ternaries(first, ternaries)
        })
    }

    /// `a ? b : c ? d : e` is `a ? b : (c ? d : e)`.
    fn ternaries(&mut self, first: Expr, pairs: Vec<Pair<'_, Rule>>) -> Expr {
        let mut conds = vec![first];
        let mut thens = Vec::new();
        for pair in pairs {
            let mut then = None;
            for part in pair.into_inner() {
                match part.as_rule() {
                    Rule::expr => then = Some(Box::new(self.expr(part))),
                    Rule::chain => conds.push(self.chain(part)),
                    _ => {}
                }
            }
            thens.push(then);
        }
        let last = conds.pop();
        let folded = conds.into_iter().zip(thens).rev().fold(last, |otherwise, (cond, then)| {
            let otherwise = Box::new(otherwise?);
            let span = cond.span.to(otherwise.span);
            Some(Expr { kind: ExprKind::Ternary { cond: Box::new(cond), then, otherwise }, span })
        });
        folded.unwrap_or(error_at(Span::default()))
    }

    fn chain(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let parts: Vec<_> = pair.into_inner().collect();
        let ops: Vec<BinaryOp> = parts.iter().skip(1).step_by(2).filter_map(|p| infix(p.as_str())).collect();
        let operands: Vec<_> = parts.into_iter().step_by(2).collect();
        self.nested(height(&ops), span, |this| {
            let mut built = Vec::with_capacity(operands.len());
            for (i, operand) in operands.into_iter().enumerate() {
                let is_pattern = i > 0 && matches!(ops[i - 1], BinaryOp::Matches | BinaryOp::NotMatches);
                built.push(this.operand(operand, is_pattern));
            }
            join(built, ops).unwrap_or(error_at(span))
        })
    }

    fn operand(&mut self, pair: Pair<'_, Rule>, is_pattern: bool) -> Expr {
        let span = self.span(&pair);
        let mut prefixes = Vec::new();
        let mut rest = pair.into_inner().peekable();
        while let Some(prefix) = rest.next_if(|p| p.as_rule() == Rule::prefix) {
            prefixes.push(prefix);
        }
        let Some(primary) = rest.next() else {
            return error_at(span);
        };
        let steps: Vec<_> = rest.collect();
        self.nested(prefixes.len() + usize::from(!steps.is_empty()), span, |this| {
            let is_plain = prefixes.is_empty() && steps.is_empty();
            let base = match primary.as_rule() {
                Rule::string if is_pattern && is_plain => this.regex(&primary),
                _ => this.primary(primary),
            };
            let stepped = this.steps(base, steps);
            prefixes.into_iter().rev().fold(stepped, |operand, prefix| this.prefix(prefix, operand))
        })
    }

    fn prefix(&mut self, pair: Pair<'_, Rule>, operand: Expr) -> Expr {
        let span = self.span(&pair).to(operand.span);
        let Some(inner) = pair.into_inner().next() else {
            return error_at(span);
        };
        let unary = |op, operand| ExprKind::Unary { op, operand: Box::new(operand) };
        let kind = match (inner.as_rule(), inner.as_str()) {
            (Rule::cast, _) => match self.cast_type(inner) {
                Some(ty) => ExprKind::Cast { ty, operand: Box::new(operand) },
                None => ExprKind::Error,
            },
            (Rule::kw_comptime, _) => ExprKind::Comptime(Box::new(operand)),
            (_, "++") => return self.step(StepOp::Inc, Fix::Prefix, operand, span),
            (_, "--") => return self.step(StepOp::Dec, Fix::Prefix, operand, span),
            (_, "-") => unary(UnaryOp::Neg, operand),
            (_, "+") => unary(UnaryOp::Plus, operand),
            (_, "!") => unary(UnaryOp::Not, operand),
            (_, "~") => unary(UnaryOp::BitNot, operand),
            (_, "*") => unary(UnaryOp::Deref, operand),
            _ => ExprKind::AddressOf(Box::new(operand)),
        };
        Expr { kind, span }
    }

    fn cast_type(&mut self, pair: Pair<'_, Rule>) -> Option<Type> {
        let ty = pair.into_inner().find(|p| matches!(p.as_rule(), Rule::sure_type | Rule::plain_type))?;
        Some(self.type_like(ty))
    }

    /// Makes `++x` or `x++`, whose operand must be something that can be written.
    fn step(&mut self, op: StepOp, fix: Fix, target: Expr, span: Span) -> Expr {
        if !is_place(&target) {
            let symbol = if op == StepOp::Inc { "++" } else { "--" };
            let diagnostic = Diagnostic::new(code::BAD_TARGET, target.span, format!("`{symbol}` wants a variable"));
            self.report(diagnostic.label("this is a value").hint("only `$x`, `@m` and `@m[key]` can be changed"));
            return error_at(span);
        }
        Expr { kind: ExprKind::Step { op, fix, target: Box::new(target) }, span }
    }

    fn steps(&mut self, base: Expr, pairs: Vec<Pair<'_, Rule>>) -> Expr {
        let mut expr = base;
        for pair in pairs {
            let span = self.span(&pair);
            let mut kind = None;
            let mut is_arrow = false;
            for part in pair.into_inner() {
                let text = part.as_str();
                match part.as_rule() {
                    Rule::step_op => {
                        let op = if text == "++" { StepOp::Inc } else { StepOp::Dec };
                        let whole = expr.span.to(span);
                        expr = self.step(op, Fix::Postfix, expr, whole);
                    }
                    Rule::arrow => is_arrow = true,
                    Rule::name if is_arrow => kind = Some(AccessKind::Arrow(text.to_owned())),
                    Rule::name => kind = Some(AccessKind::Field(text.to_owned())),
                    Rule::digits => kind = Some(self.element(&part)),
                    Rule::deep => kind = Some(AccessKind::Deep),
                    Rule::each => kind = Some(AccessKind::Each),
                    Rule::index => kind = self.index(part),
                    _ => {}
                }
            }
            if let Some(kind) = kind {
                expr = with_step(expr, AccessStep { kind, span });
            }
        }
        expr
    }

    fn element(&mut self, pair: &Pair<'_, Rule>) -> AccessKind {
        match pair.as_str().parse() {
            Ok(index) => AccessKind::Element(index),
            Err(_) => {
                let span = self.span(pair);
                self.report(Diagnostic::new(code::BAD_NUMBER, span, "no tuple has so many elements"));
                AccessKind::Element(0)
            }
        }
    }

    fn index(&mut self, pair: Pair<'_, Rule>) -> Option<AccessKind> {
        let expr = pair.into_inner().find(|p| p.as_rule() == Rule::expr)?;
        Some(AccessKind::Index(Box::new(self.expr(expr))))
    }

    fn regex(&mut self, pair: &Pair<'_, Rule>) -> Expr {
        Expr { kind: ExprKind::Regex(literal::regex(pair.as_str())), span: self.span(pair) }
    }

    pub(super) fn primary(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let text = pair.as_str();
        let kind = match pair.as_rule() {
            Rule::number => self.number(&pair),
            Rule::string => ExprKind::Str(self.string(&pair)),
            Rule::positional_count => ExprKind::PositionalCount,
            Rule::positional => self.positional(&pair).map_or(ExprKind::Error, ExprKind::Positional),
            Rule::variable => ExprKind::Var(text[1..].to_owned()),
            Rule::bare_name if text == "_" => ExprKind::Discard,
            Rule::bare_name => ExprKind::Name(text.to_owned()),
            Rule::constant => match text {
                "nil" => ExprKind::Nil,
                "null" => ExprKind::Null,
                word => ExprKind::Bool(word == "true"),
            },
            Rule::map => self.map(pair),
            Rule::call => self.call(pair),
            Rule::record => ExprKind::Record(self.record(pair)),
            Rule::tuple => return self.tuple(pair, span),
            Rule::sizeof => self.type_or_expr_in(pair).map_or(ExprKind::Error, ExprKind::Sizeof),
            Rule::typeinfo => self.type_or_expr_in(pair).map_or(ExprKind::Error, ExprKind::Typeinfo),
            Rule::offsetof => self.offsetof(pair),
            Rule::if_expr => ExprKind::If(Box::new(self.if_expr(pair))),
            Rule::block => ExprKind::Block(self.block(pair)),
            _ => ExprKind::Error,
        };
        Expr { kind, span }
    }

    fn number(&mut self, pair: &Pair<'_, Rule>) -> ExprKind {
        literal::number(pair.as_str()).unwrap_or_else(|fault| {
            let mut diagnostic = Diagnostic::new(code::BAD_NUMBER, self.span(pair), fault.message);
            diagnostic.hint = fault.hint.map(str::to_owned);
            self.report(diagnostic);
            ExprKind::Error
        })
    }

    /// Lowers a string token to its bytes; a bad escape is reported and left out.
    pub(super) fn string(&mut self, pair: &Pair<'_, Rule>) -> Vec<u8> {
        literal::string(pair.as_str()).unwrap_or_else(|(fault, at)| {
            let start = self.base + pair.as_span().start() + at;
            let mut diagnostic = Diagnostic::new(code::BAD_STRING, self.span_at(start..start + 2), fault.message);
            diagnostic.hint = fault.hint.map(str::to_owned);
            self.report(diagnostic);
            Vec::new()
        })
    }

    /// Lowers `$1`.
    pub(super) fn positional(&mut self, pair: &Pair<'_, Rule>) -> Option<u32> {
        match pair.as_str()[1..].parse::<u32>() {
            Ok(number) if number > 0 => Some(number),
            _ => {
                let diagnostic = Diagnostic::new(code::BAD_NUMBER, self.span(pair), "no such parameter");
                self.report(diagnostic.hint("the first parameter is `$1`; `$#` is their number"));
                None
            }
        }
    }

    fn map(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut name = String::new();
        let mut keys = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::map_name => name = part.as_str()[1..].to_owned(),
                Rule::expr => keys.push(self.expr(part)),
                _ => {}
            }
        }
        ExprKind::Map { name, keys }
    }

    fn call(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut name = None;
        let mut args = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::bare_name => name = Some(self.ident(&part)),
                Rule::arg => args.extend(self.arg(part)),
                _ => {}
            }
        }
        name.map_or(ExprKind::Error, |name| ExprKind::Call { name, args })
    }

    fn arg(&mut self, pair: Pair<'_, Rule>) -> Option<Arg> {
        let mut name = None;
        let mut value = None;
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::arg_name => name = part.into_inner().next().map(|p| self.ident(&p)),
                Rule::expr => value = Some(self.expr(part)),
                Rule::type_arg => value = Some(Expr { kind: ExprKind::TypeArg(self.type_like(part)), span }),
                _ => {}
            }
        }
        Some(Arg { name, value: value? })
    }

    fn record(&mut self, pair: Pair<'_, Rule>) -> Vec<RecordField> {
        let fields = pair.into_inner().filter(|p| p.as_rule() == Rule::record_field);
        fields
            .filter_map(|field| {
                let (name, value) = self.name_and_expr(field.into_inner());
                Some(RecordField { name: name?, value: value? })
            })
            .collect()
    }

    /// Finds the name and the expression among the children of `name = expr`.
    pub(super) fn name_and_expr(&mut self, pairs: Pairs<'_, Rule>) -> (Option<Ident>, Option<Expr>) {
        let mut name = None;
        let mut value = None;
        for part in pairs {
            match part.as_rule() {
                Rule::name => name = Some(self.ident(&part)),
                Rule::expr => value = Some(self.expr(part)),
                _ => {}
            }
        }
        (name, value)
    }

    /// `(e)` is `e`; `()`, `(e,)` and `(e, f)` are tuples.
    fn tuple(&mut self, pair: Pair<'_, Rule>, span: Span) -> Expr {
        let mut elements = Vec::new();
        let mut has_comma = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => elements.push(self.expr(part)),
                Rule::comma | Rule::last_comma => has_comma = true,
                _ => {}
            }
        }
        match elements.pop() {
            Some(only) if elements.is_empty() && !has_comma => Expr { kind: only.kind, span },
            last => {
                elements.extend(last);
                Expr { kind: ExprKind::Tuple(elements), span }
            }
        }
    }

    fn offsetof(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut of = None;
        let mut path = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::type_or_expr => of = self.type_or_expr(part),
                Rule::name => path.push(self.ident(&part)),
                _ => {}
            }
        }
        of.map_or(ExprKind::Error, |of| ExprKind::Offsetof { of, path })
    }

    fn type_or_expr_in(&mut self, pair: Pair<'_, Rule>) -> Option<TypeOrExpr> {
        let part = pair.into_inner().find(|p| p.as_rule() == Rule::type_or_expr)?;
        self.type_or_expr(part)
    }

    /// Lowers an `if` with all its arms.
    pub(super) fn if_expr(&mut self, pair: Pair<'_, Rule>) -> If {
        let span = self.span(&pair);
        let mut arms = Vec::new();
        let mut otherwise = None;
        let mut cond = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => cond = Some(self.expr(part)),
                Rule::block => {
                    let body = self.block(part);
                    match cond.take() {
                        Some(cond) => arms.push(IfArm { cond, body }),
                        None => otherwise = Some(body),
                    }
                }
                _ => {}
            }
        }
        If { arms, otherwise, span }
    }
}

/// Tells whether an expression may stand left of `=`.
pub(super) fn is_place(expr: &Expr) -> bool {
    match &expr.kind {
        // An error was reported already, and a bare name may be a macro's parameter.
        ExprKind::Var(_) | ExprKind::Map { .. } | ExprKind::Name(_) | ExprKind::Error => true,
        ExprKind::Access { base, .. } => is_place(base),
        ExprKind::Unary { op: UnaryOp::Deref, .. } => true,
        _ => false,
    }
}

fn error_at(span: Span) -> Expr {
    Expr { kind: ExprKind::Error, span }
}

/// Adds a postfix step, to the list of the base where it is an access already.
fn with_step(base: Expr, step: AccessStep) -> Expr {
    let span = base.span.to(step.span);
    match base.kind {
        ExprKind::Access { base, mut steps } => {
            steps.push(step);
            Expr { kind: ExprKind::Access { base, steps }, span }
        }
        _ => Expr { kind: ExprKind::Access { base: Box::new(base), steps: vec![step] }, span },
    }
}

fn infix(symbol: &str) -> Option<BinaryOp> {
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
fn height(ops: &[BinaryOp]) -> usize {
    let logical = ops.iter().filter(|op| is_logical(**op)).count();
    let leaning = ops.split(|op| is_logical(*op)).map(<[_]>::len).max().unwrap_or(0);
    let joints = if logical <= MAX_LEANING { logical } else { 2 * (logical.ilog2() as usize + 2 + MAX_LEANING) };
    leaning + joints
}

/// Joins operands by operators of the right precedence.
fn join(operands: Vec<Expr>, ops: Vec<BinaryOp>) -> Option<Expr> {
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
