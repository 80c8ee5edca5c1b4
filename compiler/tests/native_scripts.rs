//! Predicates of the language on messages, as LANGUAGE.md says: from text through the checker and lowering to an answer,
//! in the evaluator and as native code.
#![allow(clippy::unwrap_used, clippy::panic)]

mod world;

use reel_compiler::eval::Evaluator;
use reel_compiler::jit::{Native, Record};
use reel_compiler::lower::{self, NativeModule};
use reel_compiler::native::View;
use reel_compiler::native::host::{Event, Recorder};
use reel_lang::diagnostic::render::{self, Colour};
use reel_lang::env::Environment;
use reel_lang::schema::Side;
use reel_lang::span::SourceMap;
use reel_lang::value::Value;
use reel_lang::{check, parse};
use world::World;

fn lowered(text: &str) -> NativeModule {
    let (sources, file) = SourceMap::single("test", text);
    let parsed = parse::parse(&sources, file);
    let checked = check::check(&[parsed.program], &World::default(), &check::Options::default());
    let faults: Vec<_> = parsed.diagnostics.iter().chain(&checked.diagnostics).cloned().collect();
    let shown = || render::text_all(faults.iter(), &sources, Colour::Plain);
    let program = checked.program.unwrap_or_else(|| panic!("{}", shown()));
    lower::native(&program).unwrap_or_else(|faults| panic!("{}", render::text_all(&faults, &sources, Colour::Plain)))
}

/// An HTTP exchange with these fields; the rest are nil.
fn exchange(fields: &[(&str, Value)]) -> Vec<Value> {
    let world = World::default();
    let schema = world.schemas().into_iter().find(|schema| schema.protocol == "http").unwrap();
    let mut message = vec![Value::Nil; schema.slots()];
    for (name, value) in fields {
        let field = schema.field(Side::Request, name).or_else(|| schema.field(Side::Response, name));
        let field = field.unwrap_or_else(|| panic!("no field {name}"));
        message[field.id.0 as usize] = value.clone();
    }
    message
}

/// Runs a function in both, and wants one answer and one record of what was told.
fn both(native: &NativeModule, function: u32, message: &[Value]) -> (i64, Recorder) {
    let mut hosts = [Recorder::new(&native.module), Recorder::new(&native.module)];
    let views: Vec<View<'_>> = message.iter().map(View::of).collect();
    let evaluator = Evaluator::new(&native.module).unwrap();
    let evaluated = evaluator.call(function as usize, &views, &mut hosts[0]).unwrap();
    let code = Native::compile(&native.module).unwrap();
    let compiled = code.call(function as usize, &Record::of(message), &mut hosts[1]);
    let [wanted, found] = hosts;
    assert_eq!((compiled, &found.events), (evaluated, &wanted.events), "{}", native.module);
    (evaluated, found)
}

fn pairs(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(key, value)| (Value::from(*key), value.clone())).collect())
}

fn sample() -> Vec<Value> {
    let item = |id: Value| pairs(&[("id", id)]);
    let decimal = |digits: &str| Value::Decimal(digits.into());
    exchange(&[
        ("method", Value::text("GET")),
        ("path", Value::text("/orders/12")),
        ("status", Value::Int(503)),
        ("latency", Value::Duration(25_000_000)),
        ("query", pairs(&[("page", Value::text("2")), ("bad", Value::text("x"))])),
        ("header", pairs(&[("X-Id", Value::text("7")), ("x-id", Value::text("8"))])),
        (
            "body",
            pairs(&[
                ("items", Value::List(vec![item(Value::Int(1)), item(decimal("2.50"))])),
                ("total", decimal("3.0")),
                ("gone", Value::Null),
            ]),
        ),
    ])
}

#[test]
fn predicates_answer_as_the_language_says() {
    let message = sample();
    let cases = [
        (r#"method == "GET" && status >= 500 && path =~ "^/orders/""#, true),
        (r#"method == "POST" || status == 503"#, true),
        (r#"path =~ glob("/orders/*")"#, true),
        (r#"path !~ glob("/orders/*")"#, false),
        (r#"path =~ "^/x""#, false),
        (r#"int(query["page"]) == 2"#, true),
        (r#"int(query["bad"]) == 0"#, false),
        (r#"query["none"] == nil"#, true),
        (r#"query["none"] != "x""#, true),
        (r#"query["none"] !~ "x""#, true),
        (r#"header["X-ID"] == "7""#, true),
        (r#"header["none"] == nil"#, true),
        ("latency > 20ms", true),
        ("latency < 20ms", false),
        ("body.total == 3", true),
        ("body.total < 3", false),
        ("body.total != 3", false),
        ("body.none < 3", false),
        ("!(body.none < 3)", true),
        ("body.none >= 3", false),
        ("body.items[0].id == 1", true),
        ("body.items[-1].id == 2.5", true),
        ("body.items[1].id > 2", true),
        (r#"body.items[0].id == "1""#, false),
        ("body.gone == null", true),
        ("body.gone == nil", false),
        ("body.none == null", false),
        ("len(body.items) == 2", true),
        (r#"lower(method) == "get""#, true),
        ("status / 0 == 0", true),
        ("status % 0 == 503", true),
        ("bswap((uint16)status) == 0xf701", true),
        ("bswap(status) == 0xf701 << 48", true),
        ("bswap((uint8)status) == 0xf7", true),
        ("(status >= 500 ? 1 : 2) == 1", true),
    ];
    for (predicate, wanted) in cases {
        let native = lowered(&format!("http:exchange /{predicate}/ {{ @ = count(); }}"));
        let function = native.clauses[0].predicate.unwrap_or_else(|| panic!("{predicate} is no predicate"));
        let (found, _) = both(&native, function, &message);
        assert_eq!(found != 0, wanted, "{predicate}\n{}", native.module);
    }
}

#[test]
fn a_body_fills_maps_and_prints() {
    let native = lowered(
        "http:exchange { @n[method, path] = count(); @t[method] = sum(status); @last = latency; \
         printf(\"%s %d\\n\", path, status); }",
    );
    let (_, host) = both(&native, native.clauses[0].body.unwrap(), &sample());
    let maps = 0..native.module.maps.len() as u32;
    let entries: Vec<String> =
        maps.flat_map(|map| host.maps.entries(map)).map(|(key, cell)| format!("{key:?} {:?}", cell.value())).collect();
    assert_eq!(
        entries,
        [r#"[Str(b"GET"), Str(b"/orders/12")] Int(1)"#, r#"[Str(b"GET")] Int(503)"#, "[] Duration(25000000)"]
    );
    let [Event::Emit(_, args)] = host.events.as_slice() else { panic!("{:?}", host.events) };
    assert_eq!(args, &[Value::text("/orders/12"), Value::Int(503)]);
}
