//! Scripts to objects for the running kernel: the stages in order, for tests of what the compiler emits.

use std::sync::Arc;

use reel_compiler::lower::{self, KernelModule};
use reel_compiler::{bpf, builtins};
use reel_lang::check::{self, check};
use reel_lang::diagnostic::Diagnostics;
use reel_lang::diagnostic::render::{self, Colour};
use reel_lang::env::{AttachError, AttachPoint, Builtin, Environment, Function, Layout};
use reel_lang::parse::parse;
use reel_lang::schema::Schema;
use reel_lang::span::SourceMap;
use reel_lang::ty::IntTy;
use reel_probes::catalog::Catalog;
use reel_probes::catalog::btf::{Btf, Kind};

/// The running kernel and the builtins, without protocols.
struct Kernel(Catalog);

impl Environment for Kernel {
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
    fn attach(&self, provider: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
        self.0.attach(provider, parts)
    }
    fn layout(&self, name: &str) -> Option<Arc<Layout>> {
        self.0.layout(name)
    }
    fn enumerator(&self, name: &str) -> Option<(i64, IntTy, String)> {
        self.0.enumerator(name)
    }
}

/// A script's object, and what it was made from.
pub struct Script {
    pub sources: SourceMap,
    pub lowered: KernelModule,
    pub object: bpf::Object,
}

/// Compiles a script; `positional` are `$1`, `$2`, ... Everything that is wrong with it is the error.
pub fn compile(name: &str, text: &str, positional: &[&str]) -> Result<Script, String> {
    let (sources, file) = SourceMap::single(name, text);
    let env = Kernel(Catalog::new());
    let parsed = parse(&sources, file);
    let options = check::Options {
        positional: positional.iter().map(|text| (*text).to_owned()).collect(),
        allow_unsafe: true,
        trusted: true,
        ..check::Options::default()
    };
    let checked = check(&[parsed.program], &env, &options);
    let mut diagnostics = Diagnostics::new();
    diagnostics.extend(parsed.diagnostics);
    diagnostics.extend(checked.diagnostics.iter().cloned());
    let Some(program) = checked.program.filter(|_| !diagnostics.has_errors()) else {
        return Err(render::text_all(&diagnostics, &sources, Colour::Plain));
    };
    let btf = Btf::kernel().map_err(|error| error.to_string())?;
    let has_cast = || Btf::kernel().is_ok_and(|btf| btf.function_id("bpf_rdonly_cast").is_some());
    let options = lower::Options { rdonly_cast: has_cast, cookies: has_cast(), ..lower::Options::default() };
    let lowered = lower::kernel(&program, &env, &options).map_err(|list| format!("{list:#?}"))?;
    let programs: Vec<bpf::Program> = lowered.programs.iter().enumerate().map(section).collect();
    let mut object = bpf::compile(&lowered.module, &programs, &bpf::Options::default())
        .map_err(|error| format!("{error}\n{}", lowered.module))?;
    let id = |kind, name: &str| match kind {
        bpf::FixupKind::Kfunc => btf.function_id(name),
        bpf::FixupKind::Struct => btf.find(name, Kind::Struct).map(|ty| ty.id),
    };
    object.resolve(id).map_err(|error| error.to_string())?;
    Ok(Script { sources, lowered, object })
}

fn section((index, program): (usize, &lower::Program)) -> bpf::Program {
    bpf::Program { function: program.function as usize, section: program.section(), name: format!("p{index}") }
}
