//! Random functions give the same answer in the evaluator, as native code, in rbpf and in the kernel.
//!
//! The kernel's answer has 32 bits, so those are compared; functions fold all they computed into them. rbpf runs the ones
//! that call no helper. `REEL_FUZZ_SEEDS=N` runs more than the usual number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fields;
mod kernel;
mod random;

use fields::with_fields;
use random::{INPUTS, Random};
use reel_compiler::bpf::insn::{Alu, CALL, EXIT, Insn};
use reel_compiler::bpf::{self, Options, Program};
use reel_compiler::eval::Evaluator;
use reel_compiler::ir::{Module, verify::verify};
use reel_compiler::jit::{Native, Record};
use reel_compiler::native::View;
use reel_compiler::native::host::Recorder;
use reel_lang::value::Value;

/// `dst = -dst`.
const NEG: u8 = Alu::Neg as u8 | 0x07;
/// Seeds that a plain test run tries, of each kind.
const SEEDS: u64 = 150;
/// Sets of inputs tried on each function.
const RUNS: usize = 8;

/// What a function gives as native code and in the evaluator, with the inputs as fields of a message.
struct Natively {
    module: Module,
    native: Native,
}

impl Natively {
    fn new(module: &Module) -> Natively {
        let module = with_fields(module);
        let native = Native::compile(&module).unwrap_or_else(|error| panic!("{error}\n{module}"));
        Natively { module, native }
    }

    fn run(&self, inputs: &[u64; INPUTS]) -> [u32; 2] {
        let fields = inputs.map(Value::from);
        let mut host = Recorder::new(&self.module);
        let views = fields.each_ref().map(View::of);
        let evaluated = Evaluator::new(&self.module).unwrap().call(0, &views, &mut host).unwrap();
        let compiled = self.native.call(0, &Record::of(&fields), &mut host);
        [evaluated as u32, compiled as u32]
    }
}

fn interpret(code: &bpf::ProgramCode, inputs: &[u64; INPUTS]) -> u32 {
    let bytes: Vec<u8> = code.insns.iter().flat_map(|insn| insn.bytes()).collect();
    let vm = rbpf::EbpfVmRaw::new(Some(&bytes)).unwrap();
    let mut context: Vec<u8> = inputs.iter().flat_map(|n| n.to_le_bytes()).collect();
    vm.execute_program(&mut context).unwrap() as u32
}

/// rbpf has no helpers here, extends a negative constant of a jump with zeroes (the kernel extends its sign), and panics
/// when it negates the smallest number.
fn suits_rbpf(insn: &Insn) -> bool {
    let is_jump_imm = insn.code & 0x0f == 0x05 && insn.code != EXIT;
    insn.code != CALL && insn.code != NEG && !(is_jump_imm && insn.imm < 0)
}

fn check(seed: u64, with_buffers: bool, can_load: bool) {
    let module = random::module(seed, with_buffers);
    verify(&module).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{module}"));
    let program = Program { function: 0, section: "raw_tp".to_owned(), name: "f".to_owned() };
    let object = bpf::compile(&module, &[program], &Options::default()).unwrap();
    let listing = || format!("seed {seed}\n{module}\n{}", bpf::disassemble(&object, None));
    let code = &object.programs[0];
    let suits_rbpf = code.insns.iter().all(suits_rbpf);
    let loaded = can_load
        .then(|| kernel::load(&object, 0, kernel::RAW_TRACEPOINT).unwrap_or_else(|log| panic!("{}\n{log}", listing())));
    let natively = Natively::new(&module);
    let mut random = Random::new(seed ^ 0xabcd);
    for _ in 0..RUNS {
        let inputs: [u64; INPUTS] = std::array::from_fn(|_| random.number());
        let [wanted, compiled] = natively.run(&inputs);
        assert_eq!(compiled, wanted, "native code, {inputs:?}, {}", listing());
        if suits_rbpf {
            assert_eq!(interpret(code, &inputs), wanted, "rbpf, {inputs:?}, {}", listing());
        }
        if let Some(loaded) = &loaded {
            assert_eq!(loaded.run(&inputs), wanted, "kernel, {inputs:?}, {}", listing());
        }
    }
}

fn check_all(with_buffers: bool) {
    let more = std::env::var("REEL_FUZZ_SEEDS").ok().and_then(|n| n.parse().ok());
    let can_load = kernel::can_load();
    assert!(can_load || std::env::var_os("REEL_TEST_KERNEL").is_none(), "this kernel should load programs");
    (0..more.unwrap_or(SEEDS)).for_each(|seed| check(seed, with_buffers, can_load));
}

#[test]
fn arithmetic_means_the_same_everywhere() {
    check_all(false);
}

#[test]
fn memory_means_the_same_everywhere() {
    check_all(true);
}
