//! The data files of `tests/bpf`: IR in, a listing of the program out, and what it answers on the real
//! kernel, in the evaluator and as native code.
//!
//! `NAME.ir` is a module in the IR's text form. Its first line says what it is about; further comments are directives:
//! `; section NAME` (default `raw_tp`), `; run A B -> N` (arguments of the raw tracepoint; the low 32 bits of the
//! result), `; map NAME KEY -> BYTES` (hexadecimal, after the runs; per-CPU values are added word by word), `; listing`
//! (`NAME.bpf` holds the disassembly; `BLESS=1` rewrites it). aya-obj parses every object.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fields;
mod kernel;

use std::fs;
use std::path::{Path, PathBuf};

use fields::with_fields;
use reel_compiler::bpf::{self, Object, Options, Program};
use reel_compiler::eval::Evaluator;
use reel_compiler::ir::{Sides, parse::parse, verify::verify};
use reel_compiler::jit::{Native, Record};
use reel_compiler::native::View;
use reel_compiler::native::host::Recorder;
use reel_lang::value::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bpf")
}

fn directives<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = &'t str> {
    let comments = text.lines().filter_map(|line| line.strip_prefix("; "));
    comments.filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' ').or((line == word).then_some("")))
}

fn compile(path: &Path, text: &str) -> Object {
    let module = parse(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    verify(&module).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let section = directives(text, "section").next().unwrap_or("raw_tp").to_owned();
    let names = module.functions.iter().enumerate();
    let programs: Vec<Program> =
        names.map(|(function, f)| Program { function, section: section.clone(), name: f.name.clone() }).collect();
    let options = Options { ring_len_bytes: 4096, ..Options::default() };
    bpf::compile(&module, &programs, &options).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn check_object(path: &Path, object: &Object) {
    let parsed = aya_obj::Object::parse(&object.elf).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(parsed.programs.len(), object.programs.len(), "{}", path.display());
    assert_eq!(parsed.maps.len(), object.maps.len(), "{}", path.display());
    for spec in &object.maps {
        let map = &parsed.maps[&spec.name];
        assert_eq!(map.map_type(), spec.kernel_type());
        assert_eq!(map.value_size(), spec.value_len_bytes);
        assert_eq!(map.max_entries(), spec.max_entries);
    }
    for code in &object.programs {
        assert_eq!(code.insns.len(), code.spans.len());
    }
}

fn check_listing(path: &Path, object: &Object) {
    let path = path.with_extension("bpf");
    let listing = bpf::disassemble(object, None);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &listing).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(listing, expected, "{}: run with BLESS=1 to accept", path.display());
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// Adds values word by word, so that the shards of all CPUs become one.
fn add_words(values: &[Vec<u8>]) -> Vec<u8> {
    let mut sum = values.first().cloned().unwrap_or_default();
    for value in values.iter().skip(1) {
        for (a, b) in sum.chunks_mut(8).zip(value.chunks(8)) {
            let word = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b));
            let len = a.len();
            a.copy_from_slice(&word(a).wrapping_add(word(b)).to_le_bytes()[..len]);
        }
    }
    sum
}

fn check_runs(path: &Path, text: &str, object: &Object) {
    let loaded = kernel::load(object, 0, kernel::RAW_TRACEPOINT).unwrap_or_else(|log| {
        panic!("{}:\n{}\n{log}", path.display(), bpf::disassemble(object, None));
    });
    for run in directives(text, "run") {
        let (arguments, wanted) = run.split_once("->").expect("`; run A B -> N`");
        let arguments: Vec<u64> = arguments.split_whitespace().map(|n| n.parse::<i128>().unwrap() as u64).collect();
        let wanted: i64 = wanted.trim().parse().unwrap();
        let result = loaded.run(&arguments);
        assert_eq!(result, wanted as u32, "{}: {run}\n{}", path.display(), bpf::disassemble(object, None));
    }
    for map in directives(text, "map") {
        let (map, wanted) = map.split_once("->").expect("`; map NAME KEY -> BYTES`");
        let (name, key) = map.trim().split_once(' ').expect("a key");
        let found = add_words(&loaded.values(name, &hex(key)));
        assert_eq!(found, hex(wanted), "{}: {map}", path.display());
    }
}

/// Runs the same file in the evaluator and as native code, with the arguments as fields of a message.
fn check_natively(path: &Path, text: &str) {
    let module = with_fields(&parse(text).unwrap());
    let insts = module.functions.iter().flat_map(|function| &function.blocks).flat_map(|block| &block.insts);
    if insts.into_iter().any(|(inst, _)| inst.sides() == Sides::Kernel) {
        return;
    }
    let native = Native::compile(&module).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let evaluator = Evaluator::new(&module).unwrap();
    let mut hosts = [Recorder::new(&module), Recorder::new(&module)];
    for run in directives(text, "run") {
        let (arguments, wanted) = run.split_once("->").expect("`; run A B -> N`");
        let fields: Vec<Value> =
            arguments.split_whitespace().map(|n| Value::from(n.parse::<i128>().unwrap() as u64)).collect();
        let wanted = wanted.trim().parse::<i64>().unwrap() as u32;
        let views: Vec<View<'_>> = fields.iter().map(View::of).collect();
        let evaluated = evaluator.call(0, &views, &mut hosts[0]).unwrap();
        let compiled = native.call(0, &Record::of(&fields), &mut hosts[1]);
        assert_eq!([evaluated as u32, compiled as u32], [wanted; 2], "{}: {run}", path.display());
    }
    for line in directives(text, "map") {
        let (map, wanted) = line.split_once("->").expect("`; map NAME KEY -> BYTES`");
        let (name, key) = map.trim().split_once(' ').expect("a key");
        // A map that only the kernel has (what was lost) is not the module's.
        let Some(index) = module.maps.iter().position(|def| def.name == name) else { continue };
        for host in &hosts {
            let found = host.maps.bytes(index as u32, &hex(key)).unwrap_or_default();
            assert_eq!(found, hex(wanted), "{}: {line}", path.display());
        }
    }
}

#[test]
fn every_file_gives_what_it_says() {
    let mut files: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let is = |path: &PathBuf, extension| path.extension().is_some_and(|e| e == extension);
    let sources: Vec<&PathBuf> = files.iter().filter(|path| is(path, "ir")).collect();
    for path in &files {
        let has_source = is(path, "bpf") && path.with_extension("ir").exists();
        assert!(is(path, "ir") || has_source, "{}: no harness reads it", path.display());
    }
    assert!(!sources.is_empty());
    let can_load = kernel::can_load();
    assert!(can_load || std::env::var_os("REEL_TEST_KERNEL").is_none(), "this kernel should load programs");
    for path in sources {
        let text = fs::read_to_string(path).unwrap();
        let object = compile(path, &text);
        check_object(path, &object);
        let wants_listing = directives(&text, "listing").next().is_some();
        let wants_runs = directives(&text, "run").next().is_some();
        assert!(wants_listing || wants_runs, "{}: expects nothing", path.display());
        if wants_listing {
            check_listing(path, &object);
        }
        check_natively(path, &text);
        if wants_runs && can_load {
            check_runs(path, &text, &object);
        }
    }
    if !can_load {
        eprintln!("skipped the runs: this process may not load eBPF programs");
    }
}
