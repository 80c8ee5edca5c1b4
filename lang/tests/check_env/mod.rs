//! The environment that the checker's tests run in: a few builtins and functions, the real http and redis schemas, some
//! probes and a struct. Small, so that a test's answer depends on the checker and on nothing of the machine.

use std::sync::Arc;

use reel_lang::env::{
    Arg, ArgAt, ArgsLayout, AttachError, AttachPoint, Builtin, Environment, Function, Layout, Member, Param, Places,
    ProbeKind, Returns,
};
use reel_lang::schema::{self, Schema};
use reel_lang::ty::{IntTy, Space, Ty};

const I64: Ty = Ty::Int(IntTy::I64);
const U64: Ty = Ty::Int(IntTy::U64);
const U32: Ty = Ty::Int(IntTy::U32);

/// The test's world.
pub struct World {
    schemas: Vec<Schema>,
    builtins: Vec<Builtin>,
    functions: Vec<Function>,
    task: Arc<Layout>,
}

impl Default for World {
    fn default() -> Self {
        let texts = [
            include_str!("../../../stdlib/protocols/src/http/schema.rr"),
            include_str!("../../../stdlib/protocols/src/redis/schema.rr"),
            include_str!("../../../stdlib/protocols/src/postgres/schema.rr"),
            include_str!("../../../stdlib/protocols/src/opaque/schema.rr"),
        ];
        World {
            schemas: texts.iter().map(|text| schema_of(text)).collect(),
            builtins: builtins(),
            functions: functions(),
            task: Arc::new(task_struct()),
        }
    }
}

/// A protocol's schema; of one that can be broken with the event that all of those have.
fn schema_of(text: &str) -> Schema {
    let mut schema = schema::parse(text).unwrap();
    if schema.protocol != "tcp" {
        let common = include_str!("../../../stdlib/protocols/src/conversation/schema.rr");
        schema.add_events(&schema::parse(common).unwrap());
    }
    schema
}

fn builtins() -> Vec<Builtin> {
    let task = Ty::Ptr(Box::new(Ty::Struct("task_struct".to_owned())), Space::Kernel);
    let all = [
        ("pid", U32, Places::KERNEL),
        ("tid", U32, Places::KERNEL),
        ("uid", U32, Places::KERNEL),
        ("comm", Ty::Str, Places::KERNEL),
        ("nsecs", U64, Places::BOTH),
        ("elapsed", U64, Places::BOTH),
        ("cpu", U32, Places::KERNEL),
        ("probe", Ty::Probe, Places::KERNEL),
        ("args", Ty::Args, Places::KERNEL),
        ("arg0", U64, Places::KERNEL),
        ("arg1", U64, Places::KERNEL),
        ("retval", U64, Places::KERNEL),
        ("curtask", task, Places::KERNEL),
        ("ringsize", U64, Places::TRUSTED),
    ];
    all.into_iter().map(|(name, ty, places)| Builtin { name, ty, places, doc: "" }).collect()
}

/// Name, parameters, how many may be left out, result, places.
type Declared = (&'static str, &'static [Param], usize, Returns, Places);

fn functions() -> Vec<Function> {
    use Param::{Format, Int, LiteralInt, LiteralStr, Map, MapEntry, Pointer, Str, Value, Word};
    let all: &[Declared] = &[
        ("printf", &[Format, Value], 1, Returns::Nothing, Places::BOTH),
        ("print", &[Value, Int, Int], 2, Returns::Nothing, Places::BOTH),
        ("time", &[LiteralStr], 1, Returns::Nothing, Places::BOTH),
        ("strftime", &[LiteralStr, Int], 0, Returns::Ty(Ty::Timestamp), Places::BOTH),
        ("exit", &[Int], 1, Returns::Nothing, Places::BOTH),
        ("clear", &[Map], 0, Returns::Nothing, Places::BOTH),
        ("zero", &[Map], 0, Returns::Nothing, Places::BOTH),
        ("delete", &[MapEntry, Value], 1, Returns::Ty(Ty::Bool), Places::BOTH),
        ("has_key", &[MapEntry, Value], 1, Returns::Ty(Ty::Bool), Places::BOTH),
        ("str", &[Pointer, Int], 1, Returns::Ty(Ty::Str), Places::KERNEL),
        ("int", &[Value], 0, Returns::Ty(I64), Places::NATIVE),
        ("len", &[Value], 0, Returns::Ty(U64), Places::NATIVE),
        ("strncmp", &[Str, Str, LiteralInt], 0, Returns::Ty(I64), Places::BOTH),
        ("strcontains", &[Str, Str], 0, Returns::Ty(Ty::Bool), Places::BOTH),
        ("count", &[], 0, Returns::Agg, Places::BOTH),
        ("sum", &[Int], 0, Returns::Agg, Places::BOTH),
        ("min", &[Int], 0, Returns::Agg, Places::BOTH),
        ("max", &[Int], 0, Returns::Agg, Places::BOTH),
        ("avg", &[Int], 0, Returns::Agg, Places::BOTH),
        ("stats", &[Int], 0, Returns::Agg, Places::BOTH),
        ("hist", &[Int, LiteralInt], 1, Returns::Agg, Places::BOTH),
        ("lhist", &[Int, LiteralInt, LiteralInt, LiteralInt], 0, Returns::Agg, Places::BOTH),
        ("signal", &[Int], 0, Returns::Nothing, Places::KERNEL),
        ("deny", &[Word(&["EPERM", "ECONNREFUSED"])], 0, Returns::Ty(I64), Places::KERNEL),
        ("dynptr", &[], 0, Returns::Ty(Ty::Dynptr), Places::TRUSTED),
        ("ringbuf_submit", &[Param::Dynptr, Int], 0, Returns::Nothing, Places::TRUSTED),
    ];
    let pure = ["int", "len", "strncmp", "strcontains"];
    all.iter()
        .map(|(name, params, optional, returns, places)| Function {
            name,
            params,
            optional: *optional,
            variadic: *name == "printf",
            returns: returns.clone(),
            places: *places,
            pure: pure.contains(name),
            is_unsafe: *name == "signal",
            doc: "",
            example: if *name == "strncmp" { "strncmp(comm, \"sh\", 2)" } else { "exit(1)" },
        })
        .collect()
}

fn task_struct() -> Layout {
    let member = |name: &str, ty, offset_bytes| Member { name: name.to_owned(), ty, offset_bytes, bits: None };
    let itself = Ty::Ptr(Box::new(Ty::Struct("task_struct".to_owned())), Space::Kernel);
    Layout {
        name: "task_struct".to_owned(),
        len_bytes: 128,
        members: vec![
            member("pid", Ty::Int(IntTy::I32), 0),
            member("tgid", Ty::Int(IntTy::I32), 4),
            member("real_parent", itself, 8),
            member("comm", Ty::Array(Box::new(Ty::Int(IntTy { bits: 8, signed: true })), 16), 16),
            member("utime", Ty::Array(Box::new(U64), 4), 32),
            Member { bits: Some((3, 1)), ..member("in_execve", U32, 64) },
        ],
    }
}

fn arg(name: &str, ty: Ty, at: ArgAt) -> Arg {
    Arg { name: name.to_owned(), ty, at }
}

fn point(kind: ProbeKind, name: &str, args: Vec<Arg>, syscall: Option<u32>) -> AttachPoint {
    AttachPoint {
        kind,
        name: name.to_owned(),
        target: name.split(':').skip(1).map(str::to_owned).collect(),
        args: Arc::new(ArgsLayout { args, syscall }),
    }
}

fn tracepoints() -> Vec<AttachPoint> {
    let user = |of| Ty::Ptr(Box::new(of), Space::User);
    let text = || user(Ty::Int(IntTy { bits: 8, signed: true }));
    let int = || Ty::Int(IntTy::I32);
    let syscall = |name: &str, number, args: Vec<(&str, Ty)>| {
        let args = args.into_iter().enumerate().map(|(i, (name, ty))| arg(name, ty, ArgAt::Syscall(i as u32)));
        let name = format!("tracepoint:syscalls:sys_enter_{name}");
        point(ProbeKind::Tracepoint, &name, args.collect(), Some(number))
    };
    let id = arg("id", I64, ArgAt::Record { offset: 8, len_bytes: 8 });
    vec![
        syscall("open", 2, vec![("filename", text()), ("flags", int())]),
        syscall("openat", 257, vec![("dfd", int()), ("filename", text()), ("flags", int())]),
        syscall("close", 3, vec![("fd", U32)]),
        point(ProbeKind::Tracepoint, "tracepoint:raw_syscalls:sys_enter", vec![id], None),
    ]
}

impl Environment for World {
    fn schemas(&self) -> Vec<&Schema> {
        self.schemas.iter().collect()
    }

    fn builtin(&self, name: &str) -> Option<&Builtin> {
        self.builtins.iter().find(|builtin| builtin.name == name)
    }

    fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    fn names(&self) -> Vec<&'static str> {
        let builtins = self.builtins.iter().map(|builtin| builtin.name);
        builtins.chain(self.functions.iter().map(|function| function.name)).collect()
    }

    fn attach(&self, provider: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (provider.to_ascii_lowercase().as_str(), parts.as_slice()) {
            ("begin", []) => Ok(vec![point(ProbeKind::Begin, "begin", vec![], None)]),
            ("end", []) => Ok(vec![point(ProbeKind::End, "end", vec![], None)]),
            ("interval" | "i", [unit, n]) => {
                Ok(vec![point(ProbeKind::Interval, &format!("interval:{unit}:{n}"), vec![], None)])
            }
            ("interval" | "i", _) => Err(AttachError::Malformed("interval:s:1".to_owned())),
            ("tracepoint" | "t", [category, name]) => find(category, name),
            ("uprobe" | "u", [path, symbol]) => {
                let args = (0..2).map(|n| arg(&format!("arg{n}"), U64, ArgAt::Register(n)));
                Ok(vec![point(ProbeKind::Uprobe, &format!("uprobe:{path}:{symbol}"), args.collect(), None)])
            }
            ("cgroup", [hook]) => {
                let args = vec![arg("user_ip4", U32, ArgAt::Record { offset: 4, len_bytes: 4 })];
                Ok(vec![point(ProbeKind::Cgroup, &format!("cgroup:{hook}"), args, None)])
            }
            ("kprobe" | "k", _) => Err(AttachError::Unsupported {
                why: "the kernel was built without kprobes".to_owned(),
                remedy: "use a tracepoint".to_owned(),
            }),
            ("usdt", _) => Err(AttachError::NotYet),
            ("tracepiont", _) => Err(AttachError::NoProvider(vec!["tracepoint".to_owned()])),
            _ => Err(AttachError::NoProvider(vec![])),
        }
    }

    fn layout(&self, name: &str) -> Option<Arc<Layout>> {
        (name == "task_struct").then(|| Arc::clone(&self.task))
    }

    fn enumerator(&self, name: &str) -> Option<(i64, IntTy, String)> {
        (name == "AF_INET").then(|| (2, IntTy::U32, "sock_family".to_owned()))
    }
}

fn find(category: &str, name: &str) -> Result<Vec<AttachPoint>, AttachError> {
    let prefix = format!("tracepoint:{category}:{}", name.trim_end_matches('*'));
    let fits = |point: &AttachPoint| {
        if name.ends_with('*') { point.name.starts_with(&prefix) } else { point.name == prefix }
    };
    let found: Vec<_> = tracepoints().into_iter().filter(fits).collect();
    if found.is_empty() {
        return Err(AttachError::NotFound(vec!["tracepoint:syscalls:sys_enter_open".to_owned()]));
    }
    Ok(found)
}
