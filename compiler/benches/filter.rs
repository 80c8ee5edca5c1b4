//! A filter of three conjuncts on a decoded message: native code against the reference evaluator.
//!
//! Prints both sides and the ratio, for a message that passes and for one that the first conjunct drops. The budget is
//! 50 ns, and ten times the evaluator. Run with `cargo bench -p reel-compiler --bench filter`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use reel_compiler::eval::Evaluator;
use reel_compiler::ir::parse::parse;
use reel_compiler::jit::{Native, Record};
use reel_compiler::native::View;
use reel_compiler::native::host::Recorder;
use reel_lang::value::Value;

/// `method == "GET" && status >= 500 && path =~ PATTERN`, with short circuits as lowering writes them.
fn filter(pattern: &str) -> String {
    format!(
        "data0: \"GET\"\npattern0: {pattern}\nfunction \"filter\"\n  v0: value\n  v1: bool\n  v2: i64\n  v3: i64\n\
         block0:\n  v3 = const 0\n  v0 = field 11\n  v1 = textequal v0, data0\n  branch v1, block1, block4\n\
         block1:\n  v0 = field 20\n  v2 = const 500\n  v1 = compareint ge v0, v2\n  branch v1, block2, block4\n\
         block2:\n  v0 = field 13\n  v1 = matches v0, pattern0\n  branch v1, block3, block4\n\
         block3:\n  v3 = const 1\n  jump block4\nblock4:\n  return v3\n"
    )
}

fn message(method: &str) -> Vec<Value> {
    let mut fields = vec![Value::Nil; 24];
    fields[11] = Value::from(method);
    fields[13] = Value::from("/orders/1234/items");
    fields[20] = Value::Int(503);
    fields
}

/// The best of many short rounds, in nanoseconds a call: one that the scheduler did not interrupt.
fn measure(calls: u32, mut call: impl FnMut() -> i64) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..400 {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(call());
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(calls));
    }
    best
}

fn main() {
    println!("{:<34} {:<8} {:>10} {:>13} {:>7}", "pattern", "message", "native ns", "evaluator ns", "ratio");
    let patterns = [r#"glob "/orders/**""#, r#"glob "/orders/*/items""#, r#"regex "^/orders/[0-9]+/""#];
    for pattern in patterns {
        let module = parse(&filter(pattern)).unwrap();
        let native = Native::compile(&module).unwrap();
        let evaluator = Evaluator::new(&module).unwrap();
        let mut host = Recorder::new(&module);
        for (name, method, expect) in [("passes", "GET", 1), ("dropped", "POST", 0)] {
            let fields = message(method);
            let record = Record::of(&fields);
            let views: Vec<View<'_>> = fields.iter().map(View::of).collect();
            assert_eq!(native.call(0, &record, &mut host), expect);
            assert_eq!(evaluator.call(0, &views, &mut host), Ok(expect));
            let fast = measure(5_000, || native.call(0, black_box(&record), &mut host));
            let slow = measure(500, || evaluator.call(0, black_box(&views), &mut host).unwrap());
            println!("{pattern:<34} {name:<8} {fast:>10.1} {slow:>13.1} {:>7.1}", slow / fast);
        }
    }
}
