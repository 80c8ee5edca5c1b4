//! The environment of the tests: the real builtins and message schemas, a few attach points, and no kernel.

use std::sync::Arc;

use reel_compiler::builtins;
use reel_lang::env::{
    Arg, ArgAt, ArgsLayout, AttachError, AttachPoint, Builtin, Environment, Function, Layout, Member, ProbeKind,
};
use reel_lang::schema::{self, Schema};
use reel_lang::ty::{IntTy, Space, Ty};

/// The test's world.
pub struct World {
    schemas: Vec<Schema>,
}

impl Default for World {
    fn default() -> Self {
        let texts = [
            include_str!("../../../stdlib/protocols/src/http/schema.rr"),
            include_str!("../../../stdlib/protocols/src/redis/schema.rr"),
        ];
        World { schemas: texts.iter().map(|text| schema::parse(text).unwrap()).collect() }
    }
}

impl Environment for World {
    fn schemas(&self) -> Vec<&Schema> {
        self.schemas.iter().collect()
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

    fn attach(&self, provider: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (provider, parts.as_slice()) {
            ("begin", _) => Ok(vec![point(ProbeKind::Begin, "begin", Vec::new(), None)]),
            ("interval", _) => Ok(vec![point(ProbeKind::Interval, "interval:s:1", Vec::new(), None)]),
            ("tracepoint", ["syscalls", "sys_enter_*"]) => Ok(syscalls()),
            ("tracepoint", ["sched", "switch"]) => {
                Ok(vec![point(ProbeKind::Tracepoint, "tracepoint:sched:switch", switch(), None)])
            }
            ("tp_btf", ["send"]) => Ok(vec![point(ProbeKind::BtfTracepoint, "tp_btf:send", typed(), None)]),
            ("cgroup", ["connect4"]) => Ok(vec![point(ProbeKind::Cgroup, "cgroup:connect4", connect(), None)]),
            ("uprobe", ["bin", "f"]) => Ok(vec![point(ProbeKind::Uprobe, "uprobe:bin:f", Vec::new(), None)]),
            _ => Err(AttachError::NotFound(Vec::new())),
        }
    }

    fn layout(&self, name: &str) -> Option<Arc<Layout>> {
        let members = match name {
            "sock" => vec![member("cookie", U64, 8), member("next", pointer("sock"), 16), member("port", U16, 24)],
            "iovec" => vec![member("base", Ty::Ptr(Box::new(Ty::Void), Space::User), 0), member("len", U64, 8)],
            "msg" => vec![member("iov", pointer("iovec"), 0), member("head", Ty::Struct("iovec".into()), 16)],
            _ => return None,
        };
        Some(Arc::new(Layout { name: name.into(), len_bytes: 32, members }))
    }

    fn enumerator(&self, _: &str) -> Option<(i64, IntTy, String)> {
        None
    }
}

const U64: Ty = Ty::Int(IntTy::U64);
const U32: Ty = Ty::Int(IntTy::U32);
const U16: Ty = Ty::Int(IntTy { bits: 16, signed: false });
const CHAR: Ty = Ty::Int(IntTy { bits: 8, signed: true });

fn pointer(to: &str) -> Ty {
    Ty::Ptr(Box::new(Ty::Struct(to.into())), Space::Kernel)
}

fn member(name: &str, ty: Ty, offset_bytes: u32) -> Member {
    Member { name: name.into(), ty, offset_bytes, bits: None }
}

fn point(kind: ProbeKind, name: &str, args: Vec<Arg>, syscall: Option<u32>) -> AttachPoint {
    let target = name.split(':').skip(1).map(str::to_owned).collect();
    AttachPoint { kind, name: name.into(), target, args: Arc::new(ArgsLayout { args, syscall }) }
}

fn arg(name: &str, ty: Ty, at: ArgAt) -> Arg {
    Arg { name: name.into(), ty, at }
}

fn syscalls() -> Vec<AttachPoint> {
    let text = || Ty::Ptr(Box::new(CHAR), Space::User);
    [("openat", 257), ("mkdirat", 258), ("statx", 332)]
        .map(|(name, number)| {
            let args = vec![arg("filename", text(), ArgAt::Syscall(1))];
            point(ProbeKind::Tracepoint, &format!("tracepoint:syscalls:sys_enter_{name}"), args, Some(number))
        })
        .to_vec()
}

fn switch() -> Vec<Arg> {
    vec![
        arg("prev_comm", Ty::Array(Box::new(CHAR), 16), ArgAt::Record { offset: 8, len_bytes: 16 }),
        arg("prev_pid", Ty::Int(IntTy::I32), ArgAt::Record { offset: 24, len_bytes: 4 }),
        arg("reason", Ty::Str, ArgAt::DataLoc { offset: 28 }),
    ]
}

fn typed() -> Vec<Arg> {
    vec![
        arg("sk", pointer("sock"), ArgAt::Raw(0)),
        arg("msg", pointer("msg"), ArgAt::Raw(1)),
        arg("size", Ty::Int(IntTy::I32), ArgAt::Raw(2)),
    ]
}

fn connect() -> Vec<Arg> {
    vec![
        arg("user_ip4", U32, ArgAt::Record { offset: 4, len_bytes: 4 }),
        arg("user_ip6", Ty::Array(Box::new(U32), 4), ArgAt::Record { offset: 8, len_bytes: 16 }),
        arg("user_port", U32, ArgAt::Record { offset: 24, len_bytes: 4 }),
    ]
}
