//! Programs of the eBPF back end on the real kernel: the verifier takes them, and they do what the IR says.
//!
//! Where the kernel does not let programs be loaded these tests say so and pass; a machine that should load them sets
//! `REEL_TEST_KERNEL=1`, and then they fail instead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kernel;

use kernel::Loaded;
use reel_compiler::bpf::{self, Object, Options, Program, Wakeup};
use reel_compiler::ir::{parse::parse, verify::verify};

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
