//! Calls: macros, noise classes, and the functions of the environment, in this order; actions belong to rules.

use super::Checker;
use super::actions;
use super::scope::Place;
use crate::ast::{self, ExprKind as Ast};
use crate::diagnostic::{Diagnostic, code, nearest};
use crate::env::{Function, Returns};
use crate::hir::{self, ExprKind};
use crate::span::Span;
use crate::ty::Ty;

/// bpftrace's functions that no back end has yet; whatever the environment declares comes first.
const NOT_YET: &[&str] = &[
    "assert",
    "bswap",
    "buf",
    "cat",
    "cgroup_path",
    "cgroupid",
    "cgroup",
    "container_of",
    "dw_ustack",
    "errorf",
    "fail",
    "find",
    "getopt",
    "is_array",
    "is_err",
    "is_integer",
    "is_literal",
    "is_pointer",
    "is_str",
    "is_unsigned_integer",
    "join",
    "kaddr",
    "kfunc_allowed",
    "kfunc_exist",
    "kptr",
    "kstack",
    "ksym",
    "len",
    "macaddr",
    "memcmp",
    "ntop",
    "offsetof",
    "override",
    "path",
    "percpu_kaddr",
    "print",
    "pton",
    "reg",
    "signal",
    "signal_name",
    "signal_thread",
    "skboutput",
    "skb_output",
    "socket_cookie",
    "static_assert",
    "str_concat",
    "strcap",
    "strcontains",
    "strerror",
    "strftime",
    "strlen",
    "strncmp",
    "strstr",
    "syscall_name",
    "system",
    "tseries",
    "uaddr",
    "uptr",
    "ustack",
    "usym",
    "warnf",
    "write_user",
    "nsecs",
    "pid",
    "tid",
    "comm",
    "ppid",
    "rand",
    "config",
    "delete",
    "has_key",
    "zero",
];

impl<'a> Checker<'a> {
    /// Checks a call.
    pub(super) fn call(&mut self, name: &'a ast::Ident, args: &'a [ast::Arg], span: Span) -> hir::Expr {
        if self.decls.macros.contains_key(name.name.as_str()) {
            return self.expand(name, args, span);
        }
        if let Some(class) = self.decls.noise.get(name.name.as_str()).copied() {
            return self.noise_call(class, args, span);
        }
        if name.name == "glob" {
            return self.fault(
                Diagnostic::new(code::BAD_PATTERN, span, "`glob` stands only right of `=~` and `!~`")
                    .hint("write `path =~ glob(\"/orders/*\")`"),
            );
        }
        let Some(function) = self.env.function(&name.name).filter(|f| !f.places.trusted || self.options.trusted) else {
            let diagnostic = self.unknown_function(name);
            if diagnostic.code == code::UNKNOWN_FUNCTION {
                // The arguments may hold faults of their own.
                for arg in args {
                    let _ = self.any_value(&arg.value);
                }
            }
            return self.fault(diagnostic);
        };
        self.function_call(function, name, args, span)
    }

    fn function_call(
        &mut self,
        function: &'a Function,
        name: &ast::Ident,
        args: &'a [ast::Arg],
        span: Span,
    ) -> hir::Expr {
        let in_noise = matches!(self.body.place, Some(Place::Noise { .. }));
        if in_noise && !function.pure {
            return self.impure(span, &format!("`{}()`", name.name));
        }
        let here = if self.in_kernel() { function.places.kernel } else { function.places.native };
        if !here {
            return self.wrong_place(&name.name, name.span);
        }
        if function.is_unsafe && !self.options.allow_unsafe && !self.options.trusted {
            self.report(
                Diagnostic::new(code::UNSAFE, span, format!("`{}` changes what other programs see", name.name))
                    .hint("run with --unsafe to allow it"),
            );
        }
        let args = self.arguments(function, args, span);
        let ty = match &function.returns {
            Returns::Nothing => Ty::Void,
            Returns::Ty(ty) => ty.clone(),
            Returns::Argument => args.first().map_or(Ty::Error, |arg| arg.ty.clone()),
            Returns::Agg => {
                return self.fault(
                    Diagnostic::new(code::LONE_AGGREGATION, span, format!("`{}` has to be stored in a map", name.name))
                        .hint(format!("write `@m = {}(...)`", name.name)),
                );
            }
        };
        if args.iter().any(|arg| arg.ty == Ty::Error) {
            // Its type is still known, so that what is around it is checked.
            return hir::Expr { kind: ExprKind::Nil, ty: if ty == Ty::Void { Ty::Error } else { ty }, span };
        }
        if let ([hir::Expr { kind: ExprKind::Str(_), .. }], "str") = (args.as_slice(), function.name) {
            // `str("x")` and `str($1)` are the text itself.
            if let Some(text) = args.into_iter().next() {
                return hir::Expr { span, ..text };
            }
            return super::error_expr(span);
        }
        hir::Expr { kind: ExprKind::Call { function: function.name, args }, ty, span }
    }

    fn unknown_function(&self, name: &ast::Ident) -> Diagnostic {
        if self.decls.functions.contains_key(name.name.as_str()) {
            return super::not_yet(code::NOT_YET_FN, name.span, "a function of the script's own");
        }
        if NOT_YET.contains(&name.name.as_str()) {
            return super::not_yet(code::NOT_YET_FUNCTION, name.span, &format!("`{}`", name.name));
        }
        if actions::is_action(&name.name) {
            return Diagnostic::new(
                code::ACTION_OUTSIDE_RULE,
                name.span,
                format!("`{}` is an action, which only rules have", name.name),
            )
            .hint("write it in a clause whose header begins with `capture:`, `match:` or `mock:`");
        }
        let known: Vec<&str> = self
            .env
            .names()
            .into_iter()
            .filter(|name| self.env.function(name).is_some_and(|f| !f.places.trusted || self.options.trusted))
            .chain(self.decls.macros.keys().copied())
            .chain(self.decls.noise.keys().copied())
            .collect();
        let diagnostic =
            Diagnostic::new(code::UNKNOWN_FUNCTION, name.span, format!("unknown function `{}`", name.name))
                .label("not found");
        match nearest(&name.name, known) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic,
        }
    }

    /// `uuid(x)`: whether a value is in a noise class.
    fn noise_call(&mut self, class: super::decls::NoiseDecl<'a>, args: &'a [ast::Arg], span: Span) -> hir::Expr {
        let [ast::Arg { name: None, value }] = args else {
            let name = &class.ast.name.name;
            return self.fault(Diagnostic::new(
                code::ARGUMENT_COUNT,
                span,
                format!("the noise class `{name}` takes one value"),
            ));
        };
        self.noise_used(class.id);
        let is_text = matches!(value.kind, Ast::Str(_));
        let value = self.value(value);
        if !self.native_only(span, "a noise class") {
            return super::error_expr(span);
        }
        if value.ty == Ty::Error {
            return value;
        }
        if !super::infer::is_message_value(&value.ty) && !is_text {
            return self.fault(Diagnostic::expected(
                code::MISMATCH,
                value.span,
                "a message value",
                value.ty.to_string(),
            ));
        }
        let value = super::infer::coerce(value, &Ty::Any);
        hir::Expr { kind: ExprKind::Noise { class: class.id, value: Box::new(value) }, ty: Ty::Bool, span }
    }
}
