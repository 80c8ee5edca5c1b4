//! Kernel clauses to programs.
//!
//! A clause becomes one program for all the points that it attaches to. Where it asks for `probe`, the program learns which
//! point fired from the attach cookie; where its points are single syscalls, they fold into one raw tracepoint whose program
//! looks the syscall's number up (closing one tracepoint costs the kernel 72 ms, and there are 360). `probe` is an index
//! into [`KernelModule::probe_names`].

mod args;
mod condition;
mod expr;
mod fold;
mod map;
mod memory;
mod output;
mod shards;
mod stmt;
mod text;
mod trust;
mod vars;

use reel_lang::diagnostic::Diagnostic;
use reel_lang::env::{AttachPoint, Environment, ProbeKind};
use reel_lang::hir::{self, ClauseId, Expr, ExprKind, Header};
use reel_lang::span::Span;

use super::build::Builder;
use super::sizes::Shapes;
use super::tables::Tables;
use super::uses::Uses;
use super::{Lowered, walk};
use crate::ir::Module;

pub(crate) use condition::compare_op;
pub(crate) use expr::arithmetic_op;
pub(crate) use memory::{Place, Val};
use vars::Slot;

/// What the running kernel allows, and what else a program is made for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Asks whether `bpf_rdonly_cast` exists (6.2): casts to kernel structs then give pointers for plain loads. Only a program
    /// with such a cast asks, since the answer takes a walk through the kernel's BTF.
    pub rdonly_cast: fn() -> bool,
    /// How many CPUs the machine can have; 0 where nobody counted.
    pub cpus: u32,
    /// Programs of all kinds can have an attach cookie (6.10 for raw tracepoints, 5.15 for the others).
    pub cookies: bool,
    /// `bpf_get_current_task_btf` exists (5.11): the verifier then knows what `curtask` points at.
    pub typed_task: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { rdonly_cast: || false, cpus: 0, cookies: false, typed_task: true }
    }
}

/// The kernel half of a program.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KernelModule {
    pub module: Module,
    pub programs: Vec<Program>,
    /// The names that values of type `Ty::Probe` stand for.
    pub probe_names: Vec<String>,
}

/// One program and where it attaches.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// Index into the module's functions.
    pub function: u32,
    pub clause: ClauseId,
    pub kind: ProbeKind,
    pub attach: Vec<Attach>,
    /// The raw tracepoint to attach to instead of each point of `attach`, which are syscalls that the program tells apart.
    pub folded: Option<&'static str>,
}

impl Program {
    /// The section of the object that says what kind of program it is.
    pub fn section(&self) -> String {
        if self.folded.is_some() {
            return "raw_tp".to_owned();
        }
        let word = match self.kind {
            ProbeKind::Begin | ProbeKind::End | ProbeKind::Interval | ProbeKind::RawTracepoint => "raw_tp",
            ProbeKind::Profile => "perf_event",
            ProbeKind::Tracepoint => "tracepoint",
            ProbeKind::BtfTracepoint => "tp_btf",
            ProbeKind::Uprobe => "uprobe",
            ProbeKind::Uretprobe => "uretprobe",
            ProbeKind::Kprobe => "kprobe",
            ProbeKind::Kretprobe => "kretprobe",
            ProbeKind::Fentry => "fentry",
            ProbeKind::Fexit => "fexit",
            ProbeKind::Sockops => "sockops",
            ProbeKind::Cgroup => {
                let hook = self.attach.first().and_then(|attach| attach.point.target.first());
                return format!("cgroup/{}", hook.map_or("", String::as_str));
            }
        };
        word.to_owned()
    }
}

/// One point of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Attach {
    pub point: AttachPoint,
    /// What `bpf_get_attach_cookie` gives there, where the program asks for it.
    pub cookie: Option<u64>,
}

/// Lowers kernel clauses; clauses of other families are passed over.
///
/// # Errors
/// A diagnostic for each clause that cannot be lowered.
pub fn kernel(
    program: &hir::Program,
    env: &dyn Environment,
    options: &Options,
) -> Result<KernelModule, Vec<Diagnostic>> {
    let clauses = || program.clauses.iter().filter(|clause| matches!(clause.header, Header::Kernel(_)));
    let uses = Uses::of(program);
    let shapes = Shapes::infer_shared(program, clauses(), &uses);
    let mut tables = Tables::default();
    let mut result = KernelModule::default();
    let mut faults = Vec::new();
    for clause in clauses() {
        let Header::Kernel(points) = &clause.header else {
            continue;
        };
        for group in groups(clause, points, options) {
            let context = Context { program, env, options, shapes: &shapes, uses: &uses, clause, points: &group };
            match one(context, &mut tables, &mut result) {
                Ok(made) => result.programs.push(made),
                Err(fault) => faults.push(*fault),
            }
        }
    }
    result.module = tables.module;
    if faults.is_empty() { Ok(result) } else { Err(faults) }
}

/// Which points share a program: all of them, unless the clause wants to know which one fired and no cookie can tell. Single
/// syscalls share one for their beginnings and one for their ends.
fn groups(clause: &hir::Clause, points: &[AttachPoint], options: &Options) -> Vec<Vec<AttachPoint>> {
    let (mut folded, mut others): ([Vec<_>; 2], Vec<_>) = Default::default();
    for point in points {
        match fold::tracepoint(std::slice::from_ref(point)) {
            Some("sys_exit") => folded[1].push(point.clone()),
            Some(_) => folded[0].push(point.clone()),
            None => others.push(point.clone()),
        }
    }
    let mut groups: Vec<Vec<AttachPoint>> = Vec::new();
    for mut group in folded {
        group.sort_by_key(|point| point.args.syscall);
        groups.push(group);
    }
    let timed = |point: &AttachPoint| matches!(point.kind, ProbeKind::Begin | ProbeKind::End | ProbeKind::Interval);
    if others.iter().any(timed) || (asks(clause, "probe") && !options.cookies) {
        groups.extend(others.into_iter().map(|point| vec![point]));
    } else {
        groups.push(others);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// Whether a clause uses a builtin.
fn asks(clause: &hir::Clause, name: &str) -> bool {
    let mut found = false;
    let mut look = |expr: &Expr| found |= matches!(expr.kind, ExprKind::Builtin(n) if n == name);
    clause.predicate.iter().for_each(|predicate| walk::expr(predicate, &mut look));
    walk::stmts(&clause.body, &mut look);
    found
}

/// What lowering a clause looks at and does not change.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) program: &'a hir::Program,
    pub(crate) env: &'a dyn Environment,
    pub(crate) options: &'a Options,
    pub(crate) shapes: &'a Shapes,
    pub(crate) uses: &'a Uses,
    pub(crate) clause: &'a hir::Clause,
    /// The points that the program is for; at least one.
    pub(crate) points: &'a [AttachPoint],
}

/// Lowers one clause.
pub(crate) struct Lower<'a> {
    pub(crate) cx: Context<'a>,
    pub(crate) b: Builder,
    pub(crate) tables: &'a mut Tables,
    /// Where each scratch variable is kept.
    vars: Vec<Slot>,
    /// Where `continue` and `break` go, innermost last.
    loops: Vec<(crate::ir::Block, crate::ir::Block)>,
    /// The value of `probe`.
    which: Which,
}

/// How a program knows which of its points fired.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    /// There is one.
    Constant(u32),
    /// The attach cookie is the index.
    Cookie,
    /// A register holds the index.
    Reg(crate::ir::Reg),
}

impl Lower<'_> {
    /// The kind of the points, which is one for all.
    pub(crate) fn kind(&self) -> ProbeKind {
        self.cx.points.first().map_or(ProbeKind::Begin, |point| point.kind)
    }

    /// What the program returns where it says nothing.
    fn default_result(&self) -> i64 {
        // Of a cgroup hook and of sockops, 1 lets the call pass.
        i64::from(matches!(self.kind(), ProbeKind::Cgroup | ProbeKind::Sockops))
    }

    /// A fault: something that no kernel program can do.
    pub(crate) fn cannot<T>(&self, span: Span, what: impl Into<String>) -> Lowered<T> {
        Err(Box::new(Diagnostic::new(reel_lang::diagnostic::code::NOT_IN_KERNEL, span, what)))
    }
}

fn one(cx: Context<'_>, tables: &mut Tables, result: &mut KernelModule) -> Lowered<Program> {
    let first_name = result.probe_names.len() as u32;
    let names: Vec<String> = cx.points.iter().map(|point| point.name.clone()).collect();
    let folded = fold::tracepoint(cx.points);
    let wants_probe = asks(cx.clause, "probe");
    let which = match cx.points {
        [_] => Which::Constant(first_name),
        _ => Which::Cookie,
    };
    let name = format!("{}_{}", cx.clause.id, result.programs.len());
    let mut lower = Lower { cx, b: Builder::new(name), tables, vars: Vec::new(), loops: Vec::new(), which };
    if folded.is_some() {
        lower.dispatch(first_name, wants_probe);
    }
    lower.declare_vars();
    if let Some(predicate) = &cx.clause.predicate {
        let (body, skip) = (lower.b.block(), lower.b.block());
        lower.condition(predicate, body, skip)?;
        lower.b.at(skip);
        lower.give(lower.default_result(), predicate.span);
        lower.b.at(body);
    }
    lower.stmts(&cx.clause.body)?;
    let default = lower.default_result();
    let function = lower.b.finish(default, cx.clause.span);
    let cookies = wants_probe && folded.is_none() && names.len() > 1;
    tables.module.functions.push(function);
    let attach = cx
        .points
        .iter()
        .zip(first_name..)
        .map(|(point, index)| Attach { point: point.clone(), cookie: cookies.then_some(u64::from(index)) });
    let made = Program {
        function: (tables.module.functions.len() - 1) as u32,
        clause: cx.clause.id,
        kind: cx.points.first().map_or(ProbeKind::Begin, |point| point.kind),
        attach: attach.collect(),
        folded,
    };
    result.probe_names.extend(names);
    Ok(made)
}
