//! What native code does when something is wrong: a host that panics, a module that it must refuse, a short record.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use reel_compiler::ir::OutputId;
use reel_compiler::ir::parse::parse;
use reel_compiler::jit::{JitError, Native, Record};
use reel_compiler::native::host::Recorder;
use reel_compiler::native::{Host, Maps};
use reel_lang::value::Value;

/// A host that panics when something is printed, and counts actions.
#[derive(Default)]
struct Faulty {
    maps: Maps,
    actions: u32,
}

impl Host for Faulty {
    fn maps(&mut self) -> &mut Maps {
        &mut self.maps
    }

    fn builtin(&mut self, _name: &'static str) -> Value {
        Value::Nil
    }

    fn emit(&mut self, _output: OutputId, _args: &[Value]) {
        panic!("the host failed");
    }

    fn emit_record(&mut self, _output: OutputId, _record: &[u8]) {}

    fn action(&mut self, _index: u32, _args: &[Value]) {
        self.actions += 1;
    }
}

fn compile(text: &str) -> Result<Native, JitError> {
    Native::compile(&parse(text).unwrap())
}

#[test]
fn a_panic_of_the_host_goes_through_and_nothing_runs_after_it() {
    let native = compile(
        "output0: print args () len 8\nfunction \"f\"\n  v0: i64\nblock0:\n  v0 = const 1\n  host action 0()\n  \
         host emit output0()\n  host action 0()\n  return v0",
    )
    .unwrap();
    let mut host = Faulty::default();
    let result = catch_unwind(AssertUnwindSafe(|| native.call(0, &Record::new(), &mut host)));
    assert_eq!(result.unwrap_err().downcast_ref::<&str>(), Some(&"the host failed"));
    assert_eq!(host.actions, 1);
}

#[test]
fn what_only_the_kernel_can_run_is_refused() {
    let error = compile("function \"f\"\n  v0: i64\nblock0:\n  v0 = context 8\n  return v0").unwrap_err();
    assert!(matches!(&error, JitError::Kernel(inst) if inst == "v0 = context 8"), "{error}");
    let error = compile("function \"f\"\n  v0: i64\nblock0:\n  return v0").unwrap_err();
    assert!(matches!(error, JitError::Verify(_)), "{error}");
    let error = compile("function \"f\"\n  v0: i64\n  buf0: 70000\nblock0:\n  v0 = const 1\n  return v0").unwrap_err();
    assert!(matches!(error, JitError::TooLarge(_)), "{error}");
}

#[test]
fn a_record_is_nil_past_its_end() {
    let text = "function \"f\"\n  v0: value\n  v1: bool\nblock0:\n  v0 = field 3\n  v1 = isnil v0\n  return v1";
    let native = compile(text).unwrap();
    let mut host = Recorder::default();
    let fields = [1, 2, 3, 4].map(Value::Int);
    assert_eq!(native.call(0, &Record::of(&fields[..3]), &mut host), 1);
    assert_eq!(native.call(0, &Record::of(&fields), &mut host), 0);
    assert_eq!(native.call(9, &Record::of(&fields), &mut host), 0);
    let mut record = Record::of(&fields).reuse();
    record.push_nil();
    record.push(&fields[0]);
    assert_eq!(record.slots().len(), 2);
    assert_eq!(native.call(0, &record, &mut host), 1);
}

#[test]
fn large_buffers_lie_on_the_stack() {
    let text = "function \"f\"\n  v0: u8\n  buf0: 30000\n  buf1: 30000\nblock0:\n  v0 = const 7\n  store buf0+29999, v0\n  \
                copybuf buf1+0, buf0+0, 30000\n  v0 = load buf1+29999\n  return v0";
    assert_eq!(compile(text).unwrap().call(0, &Record::new(), &mut Recorder::default()), 7);
}
