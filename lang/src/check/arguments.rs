//! Arguments of functions, each against what its parameter accepts.

use super::Checker;
use super::infer::{coerce, is_char_array};
use super::literal::text_of;
use crate::ast::{self, ExprKind as Ast};
use crate::diagnostic::{Diagnostic, code, nearest};
use crate::env::{Function, Param, Returns};
use crate::hir::{self, ExprKind};
use crate::span::Span;
use crate::ty::Ty;

impl<'a> Checker<'a> {
    /// Checks the arguments of a call of a function of the environment.
    pub(super) fn arguments(&mut self, function: &Function, args: &'a [ast::Arg], span: Span) -> Vec<hir::Expr> {
        for arg in args {
            if let Some(name) = &arg.name {
                self.report(
                    Diagnostic::new(
                        code::BAD_ARGUMENT,
                        name.span,
                        format!("`{}` takes no named arguments", function.name),
                    )
                    .hint(format!("leave `{}:` out", name.name)),
                );
            }
        }
        if !self.count_arguments(function, args.len(), span) {
            return vec![super::error_expr(span)];
        }
        if let (Some(Param::MapEntry), [map, key]) = (function.params.first(), args) {
            return vec![self.entry_with_key(&map.value, &key.value)];
        }
        let mut checked = Vec::new();
        for (index, arg) in args.iter().enumerate() {
            let param = function.params.get(index).or(function.params.last()).copied();
            checked.push(self.argument(function, param.unwrap_or(Param::Value), &arg.value));
        }
        if function.params.first() == Some(&Param::Format) {
            self.format_arguments(&mut checked);
        }
        checked
    }

    fn count_arguments(&mut self, function: &Function, found: usize, span: Span) -> bool {
        let most = function.params.len();
        let least = most.saturating_sub(function.optional);
        if found >= least && (function.variadic || found <= most) {
            return true;
        }
        let wanted = match (least, most, function.variadic) {
            (least, _, true) => format!("at least {}", count(least)),
            (least, most, false) if least == most => count(most),
            (least, most, false) => format!("{least} to {}", count(most)),
        };
        self.report(
            Diagnostic::expected(code::ARGUMENT_COUNT, span, wanted, found.to_string())
                .hint(format!("for example: {}", function.example)),
        );
        false
    }

    fn argument(&mut self, function: &Function, param: Param, expr: &'a ast::Expr) -> hir::Expr {
        match param {
            Param::Format | Param::LiteralStr => self.literal_text(expr),
            Param::Value | Param::Path => self.printable(function, expr),
            Param::Int => {
                let value = self.value(expr);
                match value.ty {
                    // What such a function does depends on the width: `bswap`.
                    Ty::Int(_) if function.returns == Returns::Argument => value,
                    _ => self.integer(value),
                }
            }
            Param::LiteralInt => self.literal_number(expr),
            Param::Str => self.text(expr),
            Param::Bool => self.condition(expr),
            Param::Duration => self.duration(expr),
            Param::Pointer => self.pointer(expr),
            Param::Map => self.map_argument(expr),
            Param::MapEntry => self.entry(expr),
            Param::Word(words) => self.word(words, expr),
            Param::Dynptr => self.dynptr(expr),
        }
    }

    fn literal_text(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        if let Some(text) = self.positional_text(expr) {
            return text;
        }
        let value = self.value(expr);
        if text_of(&value).is_some() || value.ty == Ty::Error {
            return value;
        }
        self.fault(Diagnostic::expected(code::NOT_CONSTANT, expr.span, "a literal text", value.ty.to_string()))
    }

    fn literal_number(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        let value = self.value(expr);
        if value.ty == Ty::Error {
            return value;
        }
        match self.constant(&value) {
            Some(n) => super::literal::int(n, expr.span),
            None => self.fault(Diagnostic::expected(
                code::NOT_CONSTANT,
                expr.span,
                "a number that is known here",
                value.ty.to_string(),
            )),
        }
    }

    /// A value that can be printed; `@m` with keys is the whole map.
    fn printable(&mut self, function: &Function, expr: &'a ast::Expr) -> hir::Expr {
        if let Ast::Map { name, keys } = &expr.kind
            && keys.is_empty()
            && (function.name == "print" || self.is_whole_map(function, name, expr.span))
        {
            return self.whole_map(name, expr.span);
        }
        let value = self.value(expr);
        if let Ty::Struct(_) | Ty::Dynptr = value.ty {
            let message = format!("a value of type {} cannot be used here", value.ty);
            return self.fault(Diagnostic::new(code::MISMATCH, expr.span, message).hint("name one of its members"));
        }
        value
    }

    /// Whether `@m` without keys means the map, and not its one value. Where no use has shown its keys yet, a later pass knows.
    fn is_whole_map(&mut self, function: &Function, name: &str, span: Span) -> bool {
        match self.map_keys(name, span) {
            Some(keys) => keys > 0,
            None => function.name == "len",
        }
    }

    fn text(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        let value = self.value(expr);
        let is_native = !self.in_kernel();
        match &value.ty {
            Ty::Str | Ty::Error => value,
            ty if is_char_array(ty) => coerce(value, &Ty::Str),
            Ty::Any if is_native => coerce(value, &Ty::Str),
            Ty::Ptr(..) | Ty::Int(_) if !is_native => self.fault(
                Diagnostic::expected(code::MISMATCH, expr.span, "a text", value.ty.to_string())
                    .hint("write `str(...)` around it"),
            ),
            other => {
                let found = other.to_string();
                self.fault(Diagnostic::expected(code::MISMATCH, expr.span, "a text", found))
            }
        }
    }

    fn duration(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        let value = self.value(expr);
        match &value.ty {
            Ty::Duration | Ty::Error => value,
            other => {
                let diagnostic = Diagnostic::expected(code::MISMATCH, expr.span, "a duration", other.to_string())
                    .hint("write the unit: `20ms`");
                self.fault(diagnostic)
            }
        }
    }

    fn pointer(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        if let Some(text) = self.positional_text(expr) {
            return text;
        }
        if !self.in_kernel() {
            // Of messages there are texts, and no pointers to them.
            return self.text(expr);
        }
        let value = self.value(expr);
        match &value.ty {
            Ty::Ptr(..) | Ty::Array(..) | Ty::Str | Ty::Buf(_) | Ty::Struct(_) | Ty::Error => value,
            Ty::Int(_) | Ty::Enum(..) => self.integer(value),
            other => {
                let found = other.to_string();
                self.fault(Diagnostic::expected(code::MISMATCH, expr.span, "a pointer", found))
            }
        }
    }

    fn map_argument(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        match &expr.kind {
            Ast::Map { name, keys } if keys.is_empty() => self.whole_map(name, expr.span),
            Ast::Map { .. } => self.fault(
                Diagnostic::expected(code::MISMATCH, expr.span, "a whole map", "an entry").hint("leave the keys out"),
            ),
            Ast::Error => super::error_expr(expr.span),
            _ => self.not_a_map(expr.span),
        }
    }

    fn not_a_map(&mut self, span: Span) -> hir::Expr {
        self.fault(Diagnostic::expected(code::MISMATCH, span, "a map", "something else").hint("write `@name`"))
    }

    /// `@m[k]`, or `@m` for a map without keys.
    fn entry(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        match &expr.kind {
            Ast::Map { name, keys } => {
                let (map, key) = self.map_entry(name, keys, expr.span);
                hir::Expr { kind: ExprKind::MapGet { map, key }, ty: Ty::Void, span: expr.span }
            }
            Ast::Error => super::error_expr(expr.span),
            _ => self.not_a_map(expr.span),
        }
    }

    /// The spelling `delete(@m, key)`; the key may be a tuple.
    fn entry_with_key(&mut self, map: &'a ast::Expr, key: &'a ast::Expr) -> hir::Expr {
        let span = map.span.to(key.span);
        match &map.kind {
            Ast::Map { name, keys } if keys.is_empty() => {
                let (map, key) = self.map_entry(name, std::slice::from_ref(key), span);
                hir::Expr { kind: ExprKind::MapGet { map, key }, ty: Ty::Void, span }
            }
            Ast::Map { .. } => self.fault(Diagnostic::new(code::BAD_ARGUMENT, span, "the key is given twice")),
            _ => self.not_a_map(map.span),
        }
    }

    fn word(&mut self, words: &'static [&'static str], expr: &'a ast::Expr) -> hir::Expr {
        if let Ast::Name(name) = &expr.kind {
            if let Some(word) = words.iter().find(|word| *word == name) {
                return hir::Expr { kind: ExprKind::Word(word), ty: Ty::Void, span: expr.span };
            }
            let diagnostic = Diagnostic::expected(code::BAD_WORD, expr.span, words.join(" or "), format!("`{name}`"));
            return self.fault(match nearest(name, words.iter().copied()) {
                Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
                None => diagnostic,
            });
        }
        self.fault(Diagnostic::expected(code::BAD_WORD, expr.span, words.join(" or "), "something else"))
    }

    /// A scratch variable that holds a dynptr.
    fn dynptr(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        let value = self.value(expr);
        if value.ty == Ty::Dynptr || value.ty == Ty::Error {
            return value;
        }
        let diagnostic = Diagnostic::expected(code::MISMATCH, expr.span, "a dynptr", value.ty.to_string())
            .hint("make one first: `$d = dynptr();`");
        self.fault(diagnostic)
    }
}

fn count(n: usize) -> String {
    match n {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        n => format!("{n} arguments"),
    }
}
