//! Programs of the eBPF back end on the real kernel: the verifier takes them, and they do what the IR says.
//!
//! Where the kernel does not let programs be loaded these tests say so and pass; a machine that should load them sets
//! `REEL_TEST_KERNEL=1`, and then they fail instead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kernel;

use kernel::Loaded;
use reel_compiler::aggregate::{self, AggState};
use reel_compiler::bpf::{self, BpfError, Object, Options, Program, Wakeup};
use reel_compiler::ir::text::agg_text;
use reel_compiler::ir::{parse::parse, verify::verify};
use reel_lang::ty::Agg;

fn needs_kernel() -> bool {
    let can = kernel::can_load();
    assert!(can || std::env::var_os("REEL_TEST_KERNEL").is_none(), "this kernel should load programs");
    if !can {
        eprintln!("skipped: this process may not load eBPF programs");
    }
    can
}

fn compile(ir: &str, options: &Options) -> Object {
    let module = parse(ir).unwrap();
    verify(&module).unwrap();
    let program = Program { function: 0, section: "raw_tp".to_owned(), name: "f".to_owned() };
    bpf::compile(&module, &[program], options).unwrap()
}

fn load(object: &Object) -> Loaded {
    match kernel::load(object, 0, kernel::RAW_TRACEPOINT) {
        Ok(loaded) => loaded,
        Err(log) => panic!("{}\n{log}", bpf::disassemble(object, None)),
    }
}

/// The sum over all CPUs of a 64-bit value.
fn total(loaded: &Loaded, map: &str, key: &[u8]) -> u64 {
    let values = loaded.values(map, key);
    values.iter().map(|v| u64::from_le_bytes(v[..].try_into().unwrap())).sum()
}

const EMIT: &str = r#"
data0: "reel!\x00\x00\x00"
output0: printf "%d\n" args (i64 at 8 len 8) len 24
function "f"
  v0: i64
  v1: i64
  buf0: 24
block0:
  v0 = context 0
  zero buf0+0, 24
  store buf0+8, v0
  set buf0+16, data0
  emit output0, buf0+0
  v1 = const 0
  return v1
"#;

#[test]
fn a_record_reaches_the_ring_and_what_has_no_room_is_counted() {
    if !needs_kernel() {
        return;
    }
    for wakeup in [Wakeup::Always, Wakeup::Above { threshold_bytes: 64 }] {
        let object = compile(EMIT, &Options { wakeup, ring_len_bytes: 4096, ..Options::default() });
        let loaded = load(&object);
        assert_eq!(loaded.run(&[7]), 0);
        assert_eq!(loaded.run(&[-2i64 as u64]), 0);
        let events = loaded.events();
        assert_eq!(events.len(), 2);
        assert_eq!(events[0][8..16], 7u64.to_le_bytes());
        assert_eq!(events[1][8..16], (-2i64).to_le_bytes());
        assert_eq!(&events[0][16..], b"reel!\0\0\0");
        (0..200).for_each(|_| assert_eq!(loaded.run(&[1]), 0));
        let kept = loaded.events().len() as u64;
        assert!(kept < 202);
        assert_eq!(total(&loaded, "lost", &bpf::LOST_EVENTS.to_le_bytes()) + kept, 202);
    }
}

/// Numbers on and about every power of two, and those that linear histograms are cut at.
fn numbers() -> Vec<i64> {
    let powers = (0..63).flat_map(|power| [-1, 0, 1].map(|d| (1i64 << power) + d));
    powers.chain([i64::MIN, i64::MAX, -1, -100, 9, 10, 11, 14, 15, 16, 29, 30, 31]).collect()
}

fn aggregations() -> Vec<Agg> {
    let mut all = vec![Agg::Count, Agg::Lhist { min: 10, max: 30, step: 5 }, Agg::Lhist { min: -7, max: 100, step: 9 }];
    for signed in [false, true] {
        all.extend([Agg::Sum { signed }, Agg::Min { signed }, Agg::Max { signed }]);
        all.extend([Agg::Avg { signed }, Agg::Stats { signed }]);
    }
    all.extend((0..=aggregate::MAX_HIST_BITS).map(|bits| Agg::Hist { bits }));
    all
}

#[test]
fn aggregations_fold_as_user_space_does() {
    if !needs_kernel() {
        return;
    }
    for (agg, kind) in aggregations().into_iter().flat_map(|a| [(a, "percpu_hash"), (a, "percpu_array"), (a, "hash")]) {
        let value = if agg == Agg::Count { "" } else { ", v0" };
        let text = agg_text(agg);
        let len = aggregate::len_bytes(agg);
        let ir = format!(
            "map0: {kind} \"a\" keys () value {text} key_len 4 value_len {len} max 1\n\
             function \"f\"\n v0: i64\n v1: i64\n buf0: 4\nblock0:\n v0 = context 0\n v1 = const 0\n zero buf0+0, 4\n \
             aggregate map0, buf0+0, {text}{value}\n return v1\n"
        );
        let loaded = load(&compile(&ir, &Options::default()));
        let mut wanted = AggState::new(agg);
        for number in numbers() {
            loaded.run(&[number as u64]);
            wanted.add(number);
            let shards = loaded.values("a", &[0; 4]);
            assert_eq!(
                aggregate::merge(agg, shards.iter().map(Vec::as_slice)),
                wanted.value(),
                "{agg:?} in a {kind} after {number}"
            );
        }
    }
}

#[test]
fn a_full_map_counts_what_it_refuses() {
    if !needs_kernel() {
        return;
    }
    let ir = r#"
map0: hash "m" keys () value i64 key_len 8 value_len 8 max 2
map1: percpu_hash "a" keys () value count key_len 8 value_len 8 max 2
function "f"
  v0: i64
  buf0: 8
block0:
  v0 = context 0
  store buf0+0, v0
  mapset map0, buf0+0, buf0+0
  mapadd map0, buf0+0, v0
  aggregate map1, buf0+0, count
  return v0
"#;
    let loaded = load(&compile(ir, &Options { preallocate: true, ..Options::default() }));
    (0..4).for_each(|n| assert_eq!(loaded.run(&[n]), n as u32));
    // Two entries too many, in three instructions each.
    assert_eq!(total(&loaded, "lost", &bpf::LOST_UPDATES.to_le_bytes()), 6);
}

#[test]
fn a_rejection_points_at_the_script() {
    if !needs_kernel() {
        return;
    }
    let ir = "function \"f\"\n v0: i64\n v1: btf\nblock0:\n v1 = context 0 @0:1..4\n v0 = follow v1, 8 @0:5..20\n return v0\n";
    let object = compile(ir, &Options::default());
    let Err(log) = kernel::load(&object, 0, kernel::RAW_TRACEPOINT) else {
        panic!("a scalar was followed");
    };
    let diagnostic = bpf::diagnose(&object, "f", &log);
    assert_eq!((diagnostic.span.start, diagnostic.span.end), (5, 20), "{log}");
    assert!(diagnostic.notes[0].contains("invalid mem access"), "{diagnostic:?}");
    assert!(diagnostic.hint.is_some());
}

#[test]
fn a_frame_that_does_not_fit_names_the_script() {
    let ir = |lengths: &[&str]| {
        let bufs: String = lengths.iter().enumerate().map(|(n, len)| format!(" buf{n}: {len}\n")).collect();
        format!(
            "function \"f\"\n v0: i64\n{bufs}block0:\n v0 = const 0\n zero buf0+0, 8 @0:1..4\n zero buf1+0, 8 @0:5..9\n return v0\n"
        )
    };
    let error = |ir: &str| {
        let program = Program { function: 0, section: "raw_tp".to_owned(), name: "f".to_owned() };
        bpf::compile(&parse(ir).unwrap(), &[program], &Options::default()).unwrap_err()
    };
    let stack = error(&ir(&["16 stack", "500 stack"]));
    assert!(matches!(stack, BpfError::Stack { needed_bytes: 528.., .. }), "{stack:?}");
    assert_eq!(stack.diagnostic().span.start, 5);
    let scratch = error(&ir(&["32768", "40000"]));
    assert!(matches!(scratch, BpfError::Scratch { .. }), "{scratch:?}");
    assert_eq!(scratch.diagnostic().span.start, 5);
}
