//! Lowering of hand-made programs: the IR is well formed, and both back ends take it.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use reel_compiler::ir::verify::verify;
use reel_compiler::lower::{self, Options};
use reel_compiler::{bpf, builtins};
use reel_lang::env::{
    Arg, ArgAt, ArgsLayout, AttachError, AttachPoint, Builtin, Environment, Function, Layout, ProbeKind,
};
use reel_lang::hir::{self, BinaryOp, ClauseId, Expr, ExprKind, Header, MapId, Stmt, StmtKind};
use reel_lang::schema::Schema;
use reel_lang::span::Span;
use reel_lang::ty::{Agg, IntTy, Space, Ty};

/// Knows the builtins, and nothing of any kernel.
struct NoKernel;

impl Environment for NoKernel {
    fn schemas(&self) -> Vec<&Schema> {
        Vec::new()
    }
    fn builtin(&self, name: &str) -> Option<&Builtin> {
        builtins::builtin(name)
    }
    fn function(&self, name: &str) -> Option<&Function> {
        builtins::function(name)
    }
    fn names(&self) -> Vec<&'static str> {
        builtins::names().to_vec()
    }
    fn attach(&self, _: &str, _: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
        Err(AttachError::NotYet)
    }
    fn layout(&self, _: &str) -> Option<Arc<Layout>> {
        None
    }
    fn enumerator(&self, _: &str) -> Option<(i64, IntTy, String)> {
        None
    }
}

fn expr(kind: ExprKind, ty: Ty) -> Expr {
    Expr { kind, ty, span: Span::default() }
}

fn stmt(kind: StmtKind) -> Stmt {
    Stmt { kind, span: Span::default() }
}

fn int(n: i64) -> Expr {
    expr(ExprKind::Int(n), Ty::Int(IntTy::I64))
}

fn call(function: &'static str, args: Vec<Expr>, ty: Ty) -> Expr {
    expr(ExprKind::Call { function, args }, ty)
}

fn text(text: &str) -> Expr {
    expr(ExprKind::Str(text.as_bytes().to_vec()), Ty::Str)
}

fn point(name: &str, args: Vec<Arg>, syscall: Option<u32>) -> AttachPoint {
    AttachPoint {
        kind: if syscall.is_some() { ProbeKind::RawTracepoint } else { ProbeKind::Tracepoint },
        name: name.into(),
        target: name.split(':').map(str::to_owned).collect(),
        args: Arc::new(ArgsLayout { args, syscall }),
    }
}

fn program(points: Vec<AttachPoint>, predicate: Option<Expr>, body: Vec<Stmt>, maps: Vec<hir::Map>) -> hir::Program {
    let clause = hir::Clause {
        id: ClauseId(0),
        header: Header::Kernel(points),
        predicate,
        body,
        vars: Vec::new(),
        span: Span::default(),
    };
    hir::Program { clauses: vec![clause], maps, ..hir::Program::default() }
}

/// Lowers, verifies and compiles; gives the IR's text.
fn lowered(program: &hir::Program) -> (String, lower::KernelModule) {
    let options = Options { rdonly_cast: true, cookies: true, filter: None };
    let made = lower::kernel(program, &NoKernel, &options).unwrap();
    verify(&made.module).unwrap_or_else(|error| panic!("{error}\n{}", made.module));
    let programs: Vec<_> = made
        .programs
        .iter()
        .map(|program| bpf::Program {
            function: program.function as usize,
            section: "raw_tp".into(),
            name: made.module.functions[program.function as usize].name.clone(),
        })
        .collect();
    bpf::compile(&made.module, &programs, &bpf::Options::default()).unwrap();
    (made.module.to_string(), made)
}

#[test]
fn a_predicate_on_comm_and_a_count_by_key() {
    let comm = || expr(ExprKind::Builtin("comm"), Ty::Str);
    let predicate =
        expr(ExprKind::Binary { op: BinaryOp::Eq, left: Box::new(comm()), right: Box::new(text("nginx")) }, Ty::Bool);
    let map = hir::Map {
        id: MapId(0),
        name: "@".into(),
        keys: vec![Ty::Str],
        value: Ty::Agg(Agg::Count),
        max_entries: None,
        span: Span::default(),
    };
    let count = stmt(StmtKind::MapAggregate { map: MapId(0), key: vec![comm()], agg: Agg::Count, value: None });
    let points = vec![point("tracepoint:sched:sched_switch", Vec::new(), None)];
    let (_, made) = lowered(&program(points, Some(predicate), vec![count], vec![map]));
    let def = &made.module.maps[0];
    assert_eq!((def.name.as_str(), def.key_len_bytes, def.keys[0].len_bytes), ("_", 16, 16));
}

#[test]
fn printf_lays_its_arguments_out() {
    let arg = Arg {
        name: "filename".into(),
        ty: Ty::Ptr(Box::new(Ty::Int(IntTy { bits: 8, signed: true })), Space::User),
        at: ArgAt::Syscall(1),
    };
    let filename = expr(ExprKind::Arg(0), arg.ty.clone());
    let read = call("str", vec![filename, int(64)], Ty::Str);
    let pid = expr(ExprKind::Builtin("pid"), Ty::Int(IntTy::U32));
    let probe = expr(ExprKind::Builtin("probe"), Ty::Probe);
    let say = call("printf", vec![text("%d %s %s\n"), pid, read, probe], Ty::Void);
    let points = [257, 258, 300]
        .map(|number| point(&format!("tracepoint:syscalls:sys_enter_{number}"), vec![arg.clone()], Some(number)));
    let (ir, made) = lowered(&program(points.to_vec(), None, vec![stmt(StmtKind::Expr(say))], Vec::new()));
    assert_eq!(made.programs[0].folded, Some("sys_enter"));
    assert_eq!(made.probe_names.len(), 3);
    let output = &made.module.outputs[0];
    let places: Vec<_> = output.args.iter().map(|arg| (arg.offset, arg.len_bytes)).collect();
    assert_eq!(places, [(8, 4), (16, 64), (80, 8)], "{ir}");
    assert_eq!(output.len_bytes, 88);
}
