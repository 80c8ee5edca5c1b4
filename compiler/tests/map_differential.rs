//! Random programs over maps mean the same in the evaluator, as native code and in the kernel: results, and what the maps
//! hold at the end, aggregations merged over all CPUs.
//!
//! A failure names its seed; `REEL_FUZZ_SEEDS=N` runs more than the usual number, and `REEL_FUZZ_SEED=S` one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fields;
mod kernel;
#[allow(dead_code)]
mod random;

use std::fmt::Write;

use fields::with_fields;
use random::{INPUTS, Random};
use reel_compiler::aggregate::{AggState, len_bytes};
use reel_compiler::bpf::{self, Options, Program};
use reel_compiler::eval::Evaluator;
use reel_compiler::ir::text::agg_text;
use reel_compiler::ir::{Module, parse::parse, verify::verify};
use reel_compiler::jit::{Native, Record};
use reel_compiler::native::View;
use reel_compiler::native::host::Recorder;
use reel_lang::ty::{Agg, Ty};
use reel_lang::value::Value;

/// Seeds that a plain test run tries.
const SEEDS: u64 = 60;
/// Sets of inputs that one function gets, one after another, on the same maps.
const RUNS: usize = 6;
/// Keys are below this; arrays have fewer entries.
const KEYS: usize = 6;
/// Maps that hold plain integers: kind and the width of the value.
const PLAIN: [(&str, &str, u32); 5] =
    [("hash", "u64", 8), ("hash", "i32", 4), ("hash", "u16", 2), ("lru_hash", "i8", 1), ("array", "u64", 8)];
const AGGS: [Agg; 9] = [
    Agg::Count,
    Agg::Sum { signed: true },
    Agg::Min { signed: true },
    Agg::Min { signed: false },
    Agg::Max { signed: true },
    Agg::Avg { signed: true },
    Agg::Stats { signed: false },
    Agg::Hist { bits: 2 },
    Agg::Lhist { min: -5, max: 100, step: 7 },
];
/// Registers that numbers come from: the inputs, and narrower ones.
const NUMBERS: [&str; 7] = ["v0", "v1", "v2", "v3", "v7", "v8", "v9"];

fn declarations() -> String {
    let mut text = String::new();
    for (index, (kind, ty, len)) in PLAIN.iter().enumerate() {
        let (key_len, max) = if *kind == "array" { (4, 4) } else { (8, 64) };
        writeln!(
            text,
            "map{index}: {kind} \"p{index}\" keys () value {ty} key_len {key_len} value_len {len} max {max}"
        )
        .unwrap();
    }
    for (index, agg) in (PLAIN.len()..).zip(AGGS) {
        let (agg, len) = (agg_text(agg), len_bytes(agg));
        writeln!(text, "map{index}: percpu_hash \"a{index}\" keys () value {agg} key_len 8 value_len {len} max 64")
            .unwrap();
    }
    text
}

fn module(seed: u64) -> Module {
    let mut random = Random::new(seed);
    let mut text = declarations();
    text += "function \"f\"\n  v0: i64\n  v1: i64\n  v2: i64\n  v3: i64\n  v4: u64\n  v5: bool\n  v6: u64\n  v7: i8\n  \
             v8: u16\n  v9: i32\n  v10: u64\n  buf0: 8\n  buf1: 8\n  buf2: 8\nblock0:\n";
    for input in 0..INPUTS {
        writeln!(text, "  v{input} = context {}", 8 * input).unwrap();
    }
    text += "  v4 = const 17\n  v10 = const 1000003\n  v7 = cast v0\n  v8 = cast v1\n  v9 = cast v2\n";
    for _ in 0..4 + random.below(12) {
        step(&mut random, &mut text);
    }
    text += "  v10 = const 32\n  v6 = shr v4, v10\n  v4 = xor v4, v6\n  return v4\n";
    parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"))
}

/// One operation on a map with a random key.
fn step(random: &mut Random, text: &mut String) {
    let number = NUMBERS[random.below(NUMBERS.len())];
    let plain = random.below(PLAIN.len());
    writeln!(text, "  v6 = const {}\n  store buf0+0, v6", random.below(KEYS)).unwrap();
    let fold = "  v4 = mul v4, v10\n  v4 = xor v4, v6\n";
    match random.below(8) {
        0 | 1 => {
            write!(text, "  zero buf1+0, 8\n  v5 = mapget map{plain}, buf0+0, buf1+0\n  v6 = load buf1+0\n{fold}")
                .unwrap();
            write!(text, "  v6 = cast v5\n{fold}").unwrap();
        }
        2 => write!(text, "  zero buf2+0, 8\n  store buf2+0, {number}\n  mapset map{plain}, buf0+0, buf2+0\n").unwrap(),
        3 | 4 => writeln!(text, "  mapadd map{plain}, buf0+0, {number}").unwrap(),
        5 => write!(text, "  v5 = mapdelete map{plain}, buf0+0\n  v6 = cast v5\n{fold}").unwrap(),
        _ => {
            let index = random.below(AGGS.len());
            let value = if AGGS[index] == Agg::Count { String::new() } else { format!(", {number}") };
            let agg = agg_text(AGGS[index]);
            writeln!(text, "  aggregate map{}, buf0+0, {agg}{value}", PLAIN.len() + index).unwrap();
        }
    }
}

/// What the maps hold, a line each entry.
fn contents(module: &Module, mut values: impl FnMut(u32, &[u8]) -> Vec<Vec<u8>>) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, def) in (0..).zip(&module.maps) {
        for key in (0..KEYS as u64).map(u64::to_le_bytes) {
            let shards = values(index, &key[..def.key_len_bytes as usize]);
            // An absent entry and one of zeroes are told apart by the operations themselves.
            lines.push(match &def.value {
                Ty::Agg(agg) => {
                    let mut all = AggState::new(*agg);
                    shards.iter().for_each(|shard| all.merge(&AggState::from_bytes(*agg, shard)));
                    format!("{} {key:?} {:?}", def.name, all.value())
                }
                _ => format!("{} {key:?} {shards:?}", def.name),
            });
        }
    }
    lines
}

fn check(seed: u64, can_load: bool) {
    let module = module(seed);
    verify(&module).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{module}"));
    let natively = with_fields(&module);
    let evaluator = Evaluator::new(&natively).unwrap();
    let native = Native::compile(&natively).unwrap();
    let program = Program { function: 0, section: "raw_tp".to_owned(), name: "f".to_owned() };
    let object = bpf::compile(&module, &[program], &Options::default()).unwrap();
    let loaded = can_load.then(|| {
        let loaded = kernel::load(&object, 0, kernel::RAW_TRACEPOINT);
        loaded.unwrap_or_else(|log| panic!("seed {seed}\n{module}\n{log}"))
    });
    let mut hosts = [Recorder::new(&module), Recorder::new(&module)];
    let mut random = Random::new(seed ^ 0xabcd);
    for run in 0..RUNS {
        let inputs: [u64; INPUTS] = std::array::from_fn(|_| random.number());
        let fields = inputs.map(Value::from);
        let views = fields.each_ref().map(View::of);
        let wanted = evaluator.call(0, &views, &mut hosts[0]).unwrap();
        let compiled = native.call(0, &Record::of(&fields), &mut hosts[1]);
        assert_eq!(compiled, wanted, "native code, seed {seed}, run {run}, {inputs:?}\n{module}");
        if let Some(loaded) = &loaded {
            assert_eq!(loaded.run(&inputs), wanted as u32, "kernel, seed {seed}, run {run}, {inputs:?}\n{module}");
        }
    }
    let [wanted, compiled] =
        hosts.map(|host| contents(&module, |map, key| host.maps.bytes(map, key).into_iter().collect()));
    assert_eq!(compiled, wanted, "native code, seed {seed}\n{module}");
    if let Some(loaded) = &loaded {
        let found = contents(&module, |map, key| loaded.values(&module.maps[map as usize].name, key));
        assert_eq!(found, wanted, "kernel, seed {seed}\n{module}");
    }
}

#[test]
fn maps_mean_the_same_everywhere() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let can_load = kernel::can_load();
    assert!(can_load || std::env::var_os("REEL_TEST_KERNEL").is_none(), "this kernel should load programs");
    match number("REEL_FUZZ_SEED") {
        Some(seed) => check(seed, can_load),
        None => (0..number("REEL_FUZZ_SEEDS").unwrap_or(SEEDS)).for_each(|seed| check(seed, can_load)),
    }
    if !can_load {
        eprintln!("skipped the kernel: this process may not load eBPF programs");
    }
}
