//! Data files through the checker, the lowering, the verifier of the IR and the eBPF back end.
//!
//! `tests/lower/NAME.rr` is lowered to the IR in `NAME.expect`; `tests/plan/NAME.rr` is planned; `tests/listing/NAME.rr` is listed beside
//! its code, of machine code only the lines of the script, since the rest is this processor's. `BLESS=1` rewrites the expectations. A text expectation without a script fails.
#![allow(clippy::unwrap_used, clippy::panic)]

mod world;

use std::path::{Path, PathBuf};

use reel_compiler::ir::verify::verify;
use reel_compiler::jit::{self, Native};
use reel_compiler::lower::{self, Options};
use reel_compiler::{bpf, plan};
use reel_lang::check;
use reel_lang::diagnostic::render::{self, Colour};
use reel_lang::hir;
use reel_lang::parse;
use reel_lang::span::SourceMap;
use world::World;

/// Parses and checks a script, trusted builtins allowed.
fn checked(name: &str, text: &str) -> (hir::Program, SourceMap) {
    let (sources, file) = SourceMap::single(name, text);
    let parsed = parse::parse(&sources, file);
    let options = check::Options { trusted: true, allow_unsafe: true, ..Default::default() };
    let faults = render::text_all(parsed.diagnostics.iter(), &sources, Colour::Plain);
    assert!(faults.is_empty(), "{faults}");
    let checked = check::check(&[parsed.program], &World::default(), &options);
    let faults = render::text_all(checked.diagnostics.iter(), &sources, Colour::Plain);
    (checked.program.unwrap_or_else(|| panic!("{faults}")), sources)
}

/// The IR without the places in the script.
fn without_spans(text: &str) -> String {
    let line = |line: &str| match line.rfind(" @0:") {
        Some(at) if !line.contains('"') => line[..at].to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// Lowers a script to both sides.
fn lowered(name: &str, text: &str) -> String {
    let (program, sources) = checked(name, text);
    let world = World::default();
    let options = Options { rdonly_cast: || true, cookies: true, cpus: 4, typed_task: true };
    let shown = |faults: Vec<_>| render::text_all(&faults, &sources, Colour::Plain);
    let kernel = match lower::kernel(&program, &world, &options) {
        Ok(kernel) => kernel,
        Err(faults) => return shown(faults),
    };
    verify(&kernel.module).unwrap_or_else(|error| panic!("{name}: {error}\n{}", kernel.module));
    let programs = kernel.programs.iter().enumerate().map(|(index, program)| bpf::Program {
        function: program.function as usize,
        section: "raw_tp".into(),
        name: format!("p{index}"),
    });
    bpf::compile(&kernel.module, &programs.collect::<Vec<_>>(), &bpf::Options::default()).unwrap();
    let native = match lower::native(&program) {
        Ok(native) => native,
        Err(faults) => return shown(faults),
    };
    Native::compile(&native.module).unwrap_or_else(|error| panic!("{name}: {error}\n{}", native.module));
    let mut out = String::new();
    for program in &kernel.programs {
        let points: Vec<_> = program.attach.iter().map(|at| (at.point.name.as_str(), at.cookie)).collect();
        out += &format!(
            "kernel {}: function {}, folded {:?}, {points:?}\n",
            program.clause, program.function, program.folded
        );
    }
    for clause in &native.clauses {
        out += &format!("native {}: predicate {:?}, body {:?}\n", clause.clause, clause.predicate, clause.body);
        for action in &clause.actions {
            out += &format!(
                "  {:?}: guard {:?}, values {:?}\n",
                without_places(&action.action),
                action.guard,
                action.values
            );
        }
    }
    out + &without_spans(&kernel.module.to_string()) + &without_spans(&native.module.to_string())
}

/// An action by name.
fn without_places(action: &hir::Action) -> String {
    format!("{action:?}").split(['(', '{', ' ']).next().unwrap_or_default().to_owned()
}

fn planned(name: &str, text: &str) -> String {
    let (program, sources) = checked(name, text);
    match plan::plan(&program, &World::default()) {
        Ok(planned) => plan::text(&planned, &program, &sources),
        Err(faults) => render::text_all(&faults, &sources, Colour::Plain),
    }
}

/// A script beside the code that is made of it.
fn listed(name: &str, text: &str) -> String {
    let (program, sources) = checked(name, text);
    let kernel = lower::kernel(&program, &World::default(), &Options::default()).unwrap();
    let programs = kernel.programs.iter().enumerate().map(|(index, program)| bpf::Program {
        function: program.function as usize,
        section: "raw_tp".into(),
        name: format!("p{index}"),
    });
    let object = bpf::compile(&kernel.module, &programs.collect::<Vec<_>>(), &bpf::Options::default()).unwrap();
    let native = lower::native(&program).unwrap();
    let list = |stage| jit::list(&native.module, stage, Some(&sources)).unwrap();
    let asm = list(jit::Stage::Asm);
    let (places, code): (Vec<&str>, Vec<&str>) = asm.lines().partition(|line| line.starts_with(';'));
    // The prologue and the jump to the entry are nobody's, all else is some line's.
    assert!(code.len() > 2 * places.len(), "{asm}");
    let places: String = places.iter().map(|line| format!("{line}\n")).collect();
    format!("bpf:\n{}\nclif:\n{}\nasm:\n{places}", bpf::disassemble(&object, Some(&sources)), list(jit::Stage::Clif))
}

/// Runs every script of a folder against its expectation.
fn folder(folder: &str, run: impl Fn(&str, &str) -> String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut ran = 0;
    let mut wrong = Vec::new();
    for file in files {
        let expect = file.with_extension("expect");
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if file.extension().is_some_and(|extension| extension == "expect") {
            assert!(file.with_extension("rr").exists(), "{name} belongs to no script");
            continue;
        }
        ran += 1;
        let found = run(&name, &std::fs::read_to_string(&file).unwrap());
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expect, &found).unwrap();
        } else if std::fs::read_to_string(&expect).unwrap_or_default() != found {
            wrong.push(format!("{name}:\n{found}"));
        }
    }
    assert!(ran > 0, "no script in {folder}");
    assert!(wrong.is_empty(), "differ from what is expected (BLESS=1 accepts):\n{}", wrong.join("\n"));
}

#[test]
fn scripts_lower_to_what_is_expected() {
    folder("lower", lowered);
}

#[test]
fn scripts_are_planned_as_expected() {
    folder("plan", planned);
}

#[test]
fn code_is_listed_beside_its_script() {
    folder("listing", listed);
}
