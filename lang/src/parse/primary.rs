//! Primary expressions: literals, names, maps, calls, brackets, and the words that look like calls.

use pest::iterators::{Pair, Pairs};

use super::{Lower, Rule, literal};
use crate::ast::{Arg, Expr, ExprKind, Ident, If, IfArm, RecordField, TypeOrExpr};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

impl Lower<'_> {
    /// Lowers a string right of `=~` or `!~`.
    pub(super) fn regex(&mut self, pair: &Pair<'_, Rule>) -> Expr {
        Expr { kind: ExprKind::Regex(literal::regex(pair.as_str())), span: self.span(pair) }
    }

    /// Lowers anything that prefixes and postfix steps stand around.
    pub(super) fn primary(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let text = pair.as_str();
        let kind = match pair.as_rule() {
            Rule::number => self.number(&pair),
            Rule::string => ExprKind::Str(self.string(&pair)),
            Rule::positional_count => ExprKind::PositionalCount,
            Rule::positional => self.positional(&pair).map_or(ExprKind::Error, ExprKind::Positional),
            Rule::variable => ExprKind::Var(text[1..].to_owned()),
            Rule::bare_name => ExprKind::Name(text.to_owned()),
            Rule::constant => match text {
                "nil" => ExprKind::Nil,
                "null" => ExprKind::Null,
                word => ExprKind::Bool(word == "true"),
            },
            Rule::map => self.map(pair),
            Rule::named => self.named(pair),
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
        literal::string(pair.as_str()).unwrap_or_else(|error| {
            let token = self.base + pair.as_span().start();
            let span = self.span_at(token + error.range.start..token + error.range.end);
            let mut diagnostic = Diagnostic::new(code::BAD_STRING, span, error.fault.message);
            diagnostic.hint = error.fault.hint.map(str::to_owned);
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

    /// A name, or a call where arguments follow.
    fn named(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut parts = pair.into_inner();
        let Some(name) = parts.next() else { return ExprKind::Error };
        let Some(call) = parts.next() else {
            return match name.as_str() {
                "_" => ExprKind::Discard,
                text => ExprKind::Name(text.to_owned()),
            };
        };
        let args = call.into_inner().filter(|p| p.as_rule() == Rule::arg);
        ExprKind::Call { name: self.ident(&name), args: args.filter_map(|arg| self.arg(arg)).collect() }
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
