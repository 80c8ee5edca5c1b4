//! Bare names: macro parameter, message field, builtin, macro, enumerator, in this order.
//!
//! Arguments of the probe (`arg0`, `retval`) are looked up in its layout before the builtins, since they mean what the
//! layout says. A name that exists only elsewhere (a field in a kernel probe, a builtin of the kernel in a message clause)
//! gets a message that says so.

use super::Checker;
use super::scope::{Bound, Place};
use crate::diagnostic::{Diagnostic, code, nearest};
use crate::env::{ArgAt, ArgsLayout, Elsewhere};
use crate::hir::{self, ExprKind};
use crate::schema::{Field, FieldType, Schema, Side};
use crate::span::Span;
use crate::ty::{IntTy, Space, Ty};

/// bpftrace's values that no back end has yet; whatever the environment declares comes first.
const NOT_YET: &[&str] = &[
    "cpid",
    "ctx",
    "cgroup",
    "curtask",
    "func",
    "gid",
    "jiffies",
    "kstack",
    "leader_comm",
    "leader_tid",
    "ncpus",
    "numaid",
    "pcomm",
    "ppid",
    "probetype",
    "rand",
    "retval",
    "usermode",
    "username",
    "ustack",
    "elapsed",
    "has_cpid",
];

impl<'a> Checker<'a> {
    /// Resolves a bare name.
    pub(super) fn name(&mut self, name: &'a str, span: Span) -> hir::Expr {
        if let Some(Bound::Expr(expr, frames)) = self.bound(name) {
            return self.in_frames_of(frames, |checker| checker.any_value(expr));
        }
        match self.body.place.clone() {
            Some(Place::Noise { param }) if param == name => {
                return hir::Expr { kind: ExprKind::Var(hir::VarId(0)), ty: Ty::Any, span };
            }
            Some(Place::Noise { .. }) => {}
            Some(Place::Message { schema, own, both, .. }) => {
                if let Some(field) = field_of(schema, own, both, name) {
                    return field_expr(field, span);
                }
            }
            Some(Place::Kernel { args, .. }) => {
                if let Some(arg) = numbered(&args, name) {
                    return self.arg(&args, arg, span);
                }
            }
            None => {}
        }
        self.builtin(name, span)
            .or_else(|| self.macro_by_name(name, span))
            .unwrap_or_else(|| self.enumerator(name, span))
    }

    fn builtin(&mut self, name: &str, span: Span) -> Option<hir::Expr> {
        let builtin = self.env.builtin(name)?;
        if builtin.places.trusted && !self.options.trusted {
            return None;
        }
        if let Some(Place::Noise { .. }) = self.body.place {
            return Some(self.impure(span, &format!("`{name}`")));
        }
        let here = if self.in_kernel() { builtin.places.kernel } else { builtin.places.native };
        if !here {
            return Some(self.wrong_place(name, span));
        }
        if is_numbered(name)
            && let Some(Place::Kernel { args, point, .. }) = self.body.place.clone()
        {
            return Some(self.no_such_arg(&args, &point, name, span));
        }
        Some(hir::Expr { kind: ExprKind::Builtin(builtin.name), ty: builtin.ty.clone(), span })
    }

    /// Reports a name that is known only on the other side.
    pub(super) fn wrong_place(&mut self, name: &str, span: Span) -> hir::Expr {
        if self.in_kernel() {
            return self.fault(
                Diagnostic::new(code::WRONG_PLACE, span, format!("`{name}` does not exist in a kernel probe"))
                    .label("exists in clauses on messages only")
                    .hint("Ask for it in a clause on messages; a map can be shared with that."),
            );
        }
        let (why, hint) = match self.env.elsewhere(name) {
            Some(Elsewhere { why, remedy }) => (format!(": {why}"), remedy),
            None => (String::new(), "Keep it in a map in a kernel probe, which clauses on messages share."),
        };
        let what = format!("`{name}` does not exist in a clause on messages{why}");
        self.fault(Diagnostic::new(code::WRONG_PLACE, span, what).label("exists in kernel probes only").hint(hint))
    }

    fn enumerator(&mut self, name: &str, span: Span) -> hir::Expr {
        // Finding one means reading the kernel's types, so what was found is kept from pass to pass.
        let env = self.env;
        let found = self.enumerators.entry(name.to_owned()).or_insert_with(|| env.enumerator(name)).clone();
        if let Some((value, int, of)) = found {
            return hir::Expr { kind: ExprKind::Int(value), ty: Ty::Enum(of, int), span };
        }
        let diagnostic = self.unknown_name(name, span);
        self.fault(diagnostic)
    }

    fn unknown_name(&self, name: &str, span: Span) -> Diagnostic {
        if NOT_YET.contains(&name) {
            return super::not_yet(code::NOT_YET_VALUE, span, &format!("`{name}`"));
        }
        // `tag` is an action of rules, and a field of PostgreSQL's responses.
        if let Some(Place::Message { schema, own, both, .. }) = &self.body.place
            && (!super::actions::is_action(name) || schema.field(own.opposite(), name).is_some())
        {
            return self.unknown_field(schema, *own, *both, name, span);
        }
        if super::actions::is_action(name) {
            return Diagnostic::new(
                code::ACTION_OUTSIDE_RULE,
                span,
                format!("`{name}` is an action, which only rules have"),
            )
            .hint("write it in a clause whose header begins with `capture:`, `match:` or `mock:`");
        }
        let diagnostic = Diagnostic::new(code::UNKNOWN_NAME, span, format!("unknown name `{name}`")).label("not found");
        let schemas = self.env.schemas();
        let has_field = |s: &&&Schema| s.fields.iter().any(|field| field.name == name);
        if let Some(schema) = schemas.iter().find(has_field).filter(|_| self.in_kernel()) {
            return diagnostic
                .hint(format!("`{name}` is a field of {} messages; a kernel probe has none", schema.protocol));
        }
        let known = self.known_names();
        match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None if self.env.function(name).is_some() => diagnostic.hint(format!("call it: `{name}(...)`")),
            None => diagnostic,
        }
    }

    fn unknown_field(&self, schema: &Schema, own: Side, both: bool, name: &str, span: Span) -> Diagnostic {
        let protocol = &schema.protocol;
        if let Some(field) = schema.field(own.opposite(), name).filter(|_| !both) {
            let side = own.opposite().name();
            return Diagnostic::new(
                code::OTHER_SIDE,
                span,
                format!("`{}` is a field of the {side}, which is not there yet", field.name),
            )
            .hint(self.where_known(protocol, side));
        }
        let mut known: Vec<String> = fields_of(schema, own, both);
        known.extend(self.known_names());
        let diagnostic =
            Diagnostic::new(code::UNKNOWN_FIELD, span, format!("{protocol} messages have no field `{name}`"))
                .label("unknown field");
        match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None => diagnostic.hint(format!("the fields are {}", fields_of(schema, own, both).join(", "))),
        }
    }

    /// Where the fields of the side that is not there can be used.
    pub(super) fn where_known(&self, protocol: &str, side: &str) -> String {
        match &self.body.place {
            Some(Place::Message { stage: Some(_), .. }) => {
                "a mock rule decides before there is an answer: use fields of the request".to_owned()
            }
            _ => format!("use {protocol}:{side} or {protocol}:exchange"),
        }
    }

    /// What a bare name could have been, but for fields.
    fn known_names(&self) -> Vec<String> {
        let kernel = self.in_kernel();
        let here = |name: &&&str| {
            self.env.builtin(name).is_some_and(|b| {
                (if kernel { b.places.kernel } else { b.places.native }) && (!b.places.trusted || self.options.trusted)
            })
        };
        let mut known: Vec<String> = self.env.names().iter().filter(here).map(|n| (*n).to_owned()).collect();
        known.extend(self.decls.macros.keys().map(|n| (*n).to_owned()));
        known.extend(self.decls.defines.keys().map(|n| (*n).to_owned()));
        known
    }

    /// The nth argument of the probe.
    pub(super) fn arg(&mut self, args: &ArgsLayout, index: usize, span: Span) -> hir::Expr {
        self.body.reads_args.insert(index);
        let ty = args.args.get(index).map_or(Ty::Error, |arg| arg.ty.clone());
        hir::Expr { kind: ExprKind::Arg(index as u32), ty, span }
    }

    /// Reports a field of `args`, or an `argN`, that the probe lacks.
    pub(super) fn no_such_arg(&mut self, args: &ArgsLayout, point: &str, name: &str, span: Span) -> hir::Expr {
        let names: Vec<&str> = args.args.iter().map(|arg| arg.name.as_str()).collect();
        let diagnostic = Diagnostic::new(code::UNKNOWN_ARGUMENT, span, format!("`{point}` has no argument `{name}`"))
            .label("unknown argument");
        self.fault(match nearest(name, names.iter().copied()) {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None if names.is_empty() => diagnostic.hint("this probe has no arguments"),
            None => diagnostic.hint(format!("it has {}", names.join(", "))),
        })
    }
}

/// Finds `arg0` or `retval` in a layout: by name, or by position.
fn numbered(args: &ArgsLayout, name: &str) -> Option<usize> {
    if !is_numbered(name) {
        return None;
    }
    if let Some(found) = args.args.iter().position(|arg| arg.name == name) {
        return Some(found);
    }
    let wanted = name.strip_prefix("arg").and_then(|n| n.parse::<u32>().ok());
    args.args.iter().position(|arg| match arg.at {
        ArgAt::Raw(n) | ArgAt::Syscall(n) | ArgAt::Register(n) => Some(n) == wanted,
        ArgAt::ReturnValue | ArgAt::SyscallResult => name == "retval",
        ArgAt::Record { .. } | ArgAt::DataLoc { .. } => false,
    })
}

/// Whether a name is `argN` or `retval`.
fn is_numbered(name: &str) -> bool {
    name == "retval" || name.strip_prefix("arg").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Finds a field, first among the own message's.
pub(super) fn field_of<'s>(schema: &'s Schema, own: Side, both: bool, name: &str) -> Option<&'s Field> {
    schema.field(own, name).or_else(|| both.then(|| schema.field(own.opposite(), name)).flatten())
}

/// The names of the fields that can be used, the protocol's own first.
fn fields_of(schema: &Schema, own: Side, both: bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let (conn, protocol): (Vec<_>, Vec<_>) = schema.fields.iter().partition(|field| field.is_connection());
    for field in protocol.into_iter().chain(conn) {
        let visible = both || field.side.is_none_or(|side| side == own);
        if visible && !names.contains(&field.name) {
            names.push(field.name.clone());
        }
    }
    names
}

/// Makes the expression that reads a field.
pub(super) fn field_expr(field: &Field, span: Span) -> hir::Expr {
    hir::Expr { kind: ExprKind::Field(field.id), ty: field_ty(field.ty), span }
}

/// The type of a field's values.
pub(super) fn field_ty(ty: FieldType) -> Ty {
    match ty {
        FieldType::Bool => Ty::Bool,
        FieldType::Int => Ty::Int(IntTy::I64),
        FieldType::Duration => Ty::Duration,
        FieldType::Time => Ty::Time,
        FieldType::Ip => Ty::Ip,
        FieldType::String => Ty::Str,
        FieldType::Headers => Ty::Headers,
        FieldType::Strings => Ty::Strings,
        FieldType::List => Ty::List,
        FieldType::Any => Ty::Any,
    }
}

/// The address space that addresses have by default at a probe.
pub(super) fn default_space(place: Option<&Place<'_>>) -> Space {
    use crate::env::ProbeKind;
    match place {
        Some(Place::Kernel { kind: ProbeKind::Uprobe | ProbeKind::Uretprobe, .. }) => Space::User,
        _ => Space::Kernel,
    }
}
