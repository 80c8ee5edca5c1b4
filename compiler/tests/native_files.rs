//! The data files of `tests/ir` at the root: modules of native code, and what they do in the evaluator and compiled.
//!
//! The first line says what a file is about. `; call NAME [FIELDS]` calls a function on a message whose fields are given in
//! JSON (`{"$": "nil"}`, `{"$duration": N}`, `{"$time": N}`, `{"$ip": "..."}` for what JSON lacks). After `; ---` stands
//! what happened: each call's result with what it told the host, then the maps. `BLESS=1` rewrites that part, from the
//! evaluator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use reel_compiler::eval::Evaluator;
use reel_compiler::ir::{Module, parse::parse};
use reel_compiler::jit::{Native, Record};
use reel_compiler::native::View;
use reel_compiler::native::host::{Event, Recorder};
use reel_lang::value::Value;
use serde_json::Value as Json;

const MARK: &str = "; ---\n";

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number),
            (_, Some(number)) => Value::Uint(number),
            _ => Value::Decimal(number.to_string().into()),
        },
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(pairs) => match pairs.iter().next() {
            Some((name, of)) if name.starts_with('$') => special(name, of),
            _ => Value::Map(pairs.iter().map(|(key, of)| (Value::text(key), value(of))).collect()),
        },
    }
}

fn special(name: &str, of: &Json) -> Value {
    match name {
        "$" => Value::Nil,
        "$duration" => Value::Duration(of.as_i64().unwrap()),
        "$time" => Value::Time(of.as_i64().unwrap()),
        "$ip" => Value::Ip(of.as_str().unwrap().parse().unwrap()),
        "$map" => {
            let pairs = of.as_array().unwrap().iter().map(|pair| (value(&pair[0]), value(&pair[1])));
            Value::Map(pairs.collect())
        }
        _ => panic!("no special value is called {name}"),
    }
}

/// What happened, in the words of the files.
fn transcript(text: &str, module: &Module, mut call: impl FnMut(usize, &[Value], &mut Recorder) -> i64) -> String {
    let mut host = Recorder::new(module);
    host.clock = 1234;
    let mut found = String::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("; call ")) {
        let (name, fields) = line.split_once(' ').expect("`; call NAME [FIELDS]`");
        let function = module.functions.iter().position(|function| function.name == name);
        let Json::Array(fields) = serde_json::from_str(fields).unwrap() else { panic!("fields are a list") };
        let fields: Vec<Value> = fields.iter().map(value).collect();
        let result = call(function.expect("a function of this name"), &fields, &mut host);
        writeln!(found, "; {line} = {result}").unwrap();
        for event in host.events.drain(..) {
            match event {
                Event::Emit(output, args) => writeln!(found, ";   {output} {args:?}"),
                Event::Record(output, record) => writeln!(found, ";   {output} {record:02x?}"),
                Event::Action(index, args) => writeln!(found, ";   action{index} {args:?}"),
            }
            .unwrap();
        }
    }
    for map in 0..module.maps.len() as u32 {
        for (key, cell) in host.maps.entries(map) {
            writeln!(found, "; map{map} {key:?} = {:?}", cell.value()).unwrap();
        }
        for (key, value) in host.maps.entries_bytes(map) {
            writeln!(found, "; map{map} {key:02x?} = {value:02x?}").unwrap();
        }
    }
    found
}

fn check(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let (source, wanted) = text.split_once(MARK).unwrap_or((&text, ""));
    let module = parse(source).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let evaluator = Evaluator::new(&module).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let native = Native::compile(&module).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let evaluated = transcript(source, &module, |function, fields, host| {
        let views: Vec<View<'_>> = fields.iter().map(View::of).collect();
        evaluator.call(function, &views, host).unwrap()
    });
    let compiled =
        transcript(source, &module, |function, fields, host| native.call(function, &Record::of(fields), host));
    assert_eq!(compiled, evaluated, "{}: native code and the evaluator differ", path.display());
    assert!(!evaluated.is_empty(), "{}: calls nothing", path.display());
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, format!("{source}{MARK}{evaluated}")).unwrap();
        return;
    }
    assert_eq!(evaluated, wanted, "{}: run with BLESS=1 to accept", path.display());
}

#[test]
fn every_file_does_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ir");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for path in files {
        assert!(path.extension().is_some_and(|e| e == "ir"), "{}: no harness reads it", path.display());
        check(&path);
    }
}
