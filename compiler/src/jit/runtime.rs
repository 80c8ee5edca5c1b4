//! What compiled code calls: operations of `crate::native`, on slots and addresses.
//!
//! Every helper takes the context and 64-bit words, and gives one; addresses are of the calling function's frame. A panic
//! must not unwind through compiled code: it is kept in the context, later helpers do nothing, and [`Context::finish`] lets
//! it go on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use reel_lang::schema::Slot;
use reel_lang::ty::Agg;
use reel_lang::value::Value;

use super::slot;
use crate::ir::{CompareOp, HostOp, Module, OutputId};
use crate::native::host::{Answer, perform};
use crate::native::path::Found;
use crate::native::{Host, Prepared, View, equal, number, path};

/// What instructions carry that is no word: by index.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub host_ops: Vec<HostOp>,
    pub aggs: Vec<Agg>,
}

/// What all calls into a compiled module share.
#[derive(Debug)]
pub(super) struct Shared {
    pub module: Module,
    pub prepared: Prepared,
    pub tables: Tables,
}

/// The state of one call; making one allocates nothing, and ending one that did nothing unusual is one comparison.
pub(super) struct Context<'c> {
    shared: &'c Shared,
    host: &'c mut dyn Host,
    unusual: Option<Box<Unusual>>,
}

/// What most calls of a filter do not have.
#[derive(Default)]
struct Unusual {
    /// Values made in this call: slots point at them until it ends.
    made: Vec<Rc<Value>>,
    panic: Option<Box<dyn Any + Send>>,
}

impl<'c> Context<'c> {
    #[inline]
    pub(super) fn new(shared: &'c Shared, host: &'c mut dyn Host) -> Self {
        Context { shared, host, unusual: None }
    }

    /// Ends the call.
    #[inline]
    pub(super) fn finish(self) {
        if let Some(unusual) = self.unusual {
            (*unusual).finish();
        }
    }

    fn unusual(&mut self) -> &mut Unusual {
        self.unusual.get_or_insert_default()
    }

    /// Keeps a value until the call ends.
    fn keep(&mut self, value: Value) -> Slot {
        let value = Rc::new(value);
        let slot = Slot::view(&value);
        self.unusual().made.push(value);
        slot
    }

    fn slot(&mut self, view: View<'_>) -> Slot {
        slot::slot(view).unwrap_or_else(|| self.keep(view.to_value()))
    }

    /// Runs what may panic; 0 where it did.
    fn guard(&mut self, run: impl FnOnce(&mut Self) -> u64) -> u64 {
        if self.unusual.as_ref().is_some_and(|unusual| unusual.panic.is_some()) {
            return 0;
        }
        match catch_unwind(AssertUnwindSafe(|| run(self))) {
            Ok(word) => word,
            Err(panic) => {
                self.unusual().panic = Some(panic);
                0
            }
        }
    }

    fn key_len(&self, map: u64) -> usize {
        self.shared.module.maps.get(map as usize).map_or(0, |def| def.key_len_bytes as usize)
    }

    fn value_len(&self, map: u64) -> usize {
        self.shared.module.maps.get(map as usize).map_or(0, |def| def.value_len_bytes as usize)
    }
}

impl Unusual {
    #[cold]
    fn finish(self) {
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
    }
}

/// Arguments of a host operation up to this number are viewed without an allocation.
const FEW_ARGS: usize = 6;

/// A function that compiled code calls.
pub(super) struct Helper {
    pub name: &'static str,
    pub params: usize,
    code: Code,
}

/// Helpers by their number of words after the context.
enum Code {
    Two(extern "C" fn(*mut Context<'_>, u64, u64) -> u64),
    Three(extern "C" fn(*mut Context<'_>, u64, u64, u64) -> u64),
    Four(extern "C" fn(*mut Context<'_>, u64, u64, u64, u64) -> u64),
}

impl Helper {
    const fn new(name: &'static str, code: Code) -> Self {
        let params = match code {
            Code::Two(_) => 3,
            Code::Three(_) => 4,
            Code::Four(_) => 5,
        };
        Helper { name, params, code }
    }

    pub(super) fn address(&self) -> *const u8 {
        match self.code {
            Code::Two(code) => code as *const u8,
            Code::Three(code) => code as *const u8,
            Code::Four(code) => code as *const u8,
        }
    }
}

pub(super) const HOST: usize = 0;
pub(super) const PATH: usize = 1;
pub(super) const MATCHES: usize = 2;
pub(super) const TEXT_EQUAL: usize = 3;
pub(super) const COMPARE_INT: usize = 4;
pub(super) const TO_INT: usize = 5;
pub(super) const MAP_GET: usize = 6;
pub(super) const MAP_SET: usize = 7;
pub(super) const MAP_ADD: usize = 8;
pub(super) const MAP_DELETE: usize = 9;
pub(super) const MAP_AGGREGATE: usize = 10;
pub(super) const EMIT: usize = 11;
pub(super) const ZERO: usize = 12;
pub(super) const COPY: usize = 13;
pub(super) const EQUAL: usize = 14;

/// All helpers, at the indexes above.
pub(super) static HELPERS: &[Helper] = &[
    Helper::new("reel_host", Code::Four(host)),
    Helper::new("reel_path", Code::Four(step)),
    Helper::new("reel_matches", Code::Three(matches)),
    Helper::new("reel_text_equal", Code::Three(text_equal)),
    Helper::new("reel_compare_int", Code::Four(compare_int)),
    Helper::new("reel_to_int", Code::Two(to_int)),
    Helper::new("reel_map_get", Code::Three(map_get)),
    Helper::new("reel_map_set", Code::Three(map_set)),
    Helper::new("reel_map_add", Code::Three(map_add)),
    Helper::new("reel_map_delete", Code::Two(map_delete)),
    Helper::new("reel_map_aggregate", Code::Four(map_aggregate)),
    Helper::new("reel_emit", Code::Two(emit)),
    Helper::new("reel_zero", Code::Two(zero)),
    Helper::new("reel_copy", Code::Three(copy)),
    Helper::new("reel_equal", Code::Three(equal_bytes)),
];

/// The context that compiled code passes through.
///
/// # Safety
/// Only for the first argument of a helper: code passes on what `Native::call` gave it, which is live and used by nothing
/// else while the helper runs.
unsafe fn context<'a, 'c>(context: *mut Context<'c>) -> &'a mut Context<'c> {
    // SAFETY: as the caller says.
    unsafe { &mut *context }
}

/// A slot in two words.
///
/// # Safety
/// Only for a value register of compiled code: it was loaded from the record, from a constant, or from what a helper
/// wrote, all of which live until the call ends.
unsafe fn operand<'a>(low: u64, high: u64) -> View<'a> {
    // SAFETY: as the caller says.
    unsafe { slot::view(slot::from_words(low, high)) }
}

/// Bytes of a buffer of the calling function.
///
/// # Safety
/// The module is verified: an instruction's buffer has the bytes that the instruction reads.
unsafe fn bytes<'a>(address: u64, len_bytes: usize) -> &'a [u8] {
    // SAFETY: as the caller says; the frame of the calling function is live and its stack slots are initialized.
    unsafe { std::slice::from_raw_parts(address as *const u8, len_bytes) }
}

/// Writes bytes into a buffer of the calling function.
///
/// # Safety
/// As for [`bytes`].
unsafe fn write(address: u64, from: &[u8]) {
    // SAFETY: as the caller says; `from` is memory of the host, or may overlap, which `copy` allows.
    unsafe { std::ptr::copy(from.as_ptr(), address as *mut u8, from.len()) }
}

extern "C" fn host(ctx: *mut Context<'_>, op: u64, args: u64, count: u64, out: u64) -> u64 {
    // SAFETY: called by compiled code with its own context.
    let ctx = unsafe { context(ctx) };
    // SAFETY: code has just stored `count` slots there, each from a value register.
    let slots = unsafe { std::slice::from_raw_parts(args as *const Slot, count as usize) };
    let mut result = Slot::NIL;
    let truth = ctx.guard(|ctx| {
        // SAFETY: these slots are value registers.
        let view = |slot: &Slot| unsafe { slot::view(*slot) };
        let (mut few, many): ([View<'_>; FEW_ARGS], Vec<View<'_>>);
        let views = if slots.len() <= FEW_ARGS {
            few = [View::Nil; FEW_ARGS];
            few.iter_mut().zip(slots).for_each(|(to, slot)| *to = view(slot));
            few.get(..slots.len()).unwrap_or_default()
        } else {
            many = slots.iter().map(view).collect();
            &many
        };
        let Some(op) = ctx.shared.tables.host_ops.get(op as usize) else {
            return 0;
        };
        match perform(op, views, &ctx.shared.module, ctx.host) {
            Answer::Nothing => 0,
            Answer::Truth(truth) => u64::from(truth),
            Answer::View(view) => {
                result = ctx.slot(view);
                0
            }
            Answer::Made(value) => {
                result = ctx.keep(value);
                0
            }
        }
    });
    // SAFETY: `out` is a stack slot of the caller with room for one slot, 8-byte aligned.
    unsafe { *(out as *mut Slot) = result };
    truth
}

extern "C" fn step(ctx: *mut Context<'_>, path: u64, low: u64, high: u64, out: u64) -> u64 {
    // SAFETY: called by compiled code with its own context.
    let ctx = unsafe { context(ctx) };
    // SAFETY: a value register.
    let view = unsafe { operand(low, high) };
    let steps = ctx.shared.module.paths.get(path as usize).map(Vec::as_slice).unwrap_or_default();
    let result = match path::walk(view, steps) {
        Found::View(view) => ctx.slot(view),
        Found::Made(value) => ctx.keep(value),
    };
    // SAFETY: `out` is a stack slot of the caller with room for one slot, 8-byte aligned.
    unsafe { *(out as *mut Slot) = result };
    0
}

extern "C" fn matches(ctx: *mut Context<'_>, pattern: u64, low: u64, high: u64) -> u64 {
    // SAFETY: called by compiled code with its own context.
    let ctx = unsafe { context(ctx) };
    // SAFETY: a value register.
    let view = unsafe { operand(low, high) };
    let matcher = ctx.shared.prepared.patterns.get(pattern as usize);
    u64::from(matcher.is_some_and(|matcher| matcher.matches(view)))
}

extern "C" fn text_equal(ctx: *mut Context<'_>, data: u64, low: u64, high: u64) -> u64 {
    // SAFETY: called by compiled code with its own context.
    let ctx = unsafe { context(ctx) };
    // SAFETY: a value register.
    let view = unsafe { operand(low, high) };
    let text = ctx.shared.module.data.get(data as usize).map(Vec::as_slice).unwrap_or_default();
    u64::from(equal::text_equal(view, text))
}

/// The comparison and the sign of the number's type in one word.
pub(super) fn compare_word(op: CompareOp, signed: bool) -> i64 {
    let index = OPS.iter().position(|known| *known == op).unwrap_or(0);
    (index << 1 | usize::from(signed)) as i64
}

const OPS: [CompareOp; 6] = [CompareOp::Eq, CompareOp::Ne, CompareOp::Lt, CompareOp::Le, CompareOp::Gt, CompareOp::Ge];

extern "C" fn compare_int(_: *mut Context<'_>, word: u64, low: u64, high: u64, number: u64) -> u64 {
    // SAFETY: a value register.
    let view = unsafe { operand(low, high) };
    let op = OPS.get((word >> 1) as usize).copied().unwrap_or(CompareOp::Eq);
    let number = if word & 1 == 1 { View::Int(number.cast_signed()) } else { View::from(number) };
    u64::from(equal::compare_number(op, view, number))
}

extern "C" fn to_int(_: *mut Context<'_>, low: u64, high: u64) -> u64 {
    // SAFETY: a value register.
    let view = unsafe { operand(low, high) };
    number::bits(view).unwrap_or(0).cast_unsigned()
}

extern "C" fn map_get(ctx: *mut Context<'_>, map: u64, key: u64, to: u64) -> u64 {
    // SAFETY: called by compiled code with its own context.
    let ctx = unsafe { context(ctx) };
    // SAFETY: the instruction's key is in bounds.
    let key = unsafe { bytes(key, ctx.key_len(map)) };
    let mut found = None;
    ctx.guard(|ctx| {
        found = ctx.host.maps().bytes(map as u32, key);
        0
    });
    let is_there = found.is_some();
    let mut value = found.unwrap_or_default();
    value.resize(ctx.value_len(map), 0);
    // SAFETY: the instruction's destination has room for a value.
    unsafe { write(to, &value) };
    u64::from(is_there)
}

extern "C" fn map_set(ctx: *mut Context<'_>, map: u64, key: u64, value: u64) -> u64 {
    // SAFETY: called by compiled code with its own context.
    let ctx = unsafe { context(ctx) };
    // SAFETY: the instruction's key and value are in bounds.
    let (key, value) = unsafe { (bytes(key, ctx.key_len(map)), bytes(value, ctx.value_len(map))) };
    ctx.guard(|ctx| {
        ctx.host.maps().set_bytes(map as u32, key, value);
        0
    })
}

extern "C" fn map_add(ctx: *mut Context<'_>, map: u64, key: u64, delta: u64) -> u64 {
    // SAFETY: called by compiled code with its own context.
    let ctx = unsafe { context(ctx) };
    // SAFETY: the instruction's key is in bounds.
    let key = unsafe { bytes(key, ctx.key_len(map)) };
    ctx.guard(|ctx| {
        ctx.host.maps().add_bytes(map as u32, key, delta);
        0
    })
}

extern "C" fn map_delete(ctx: *mut Context<'_>, map: u64, key: u64) -> u64 {
    // SAFETY: called by compiled code with its own context.
    let ctx = unsafe { context(ctx) };
    // SAFETY: the instruction's key is in bounds.
    let key = unsafe { bytes(key, ctx.key_len(map)) };
    ctx.guard(|ctx| u64::from(ctx.host.maps().delete_bytes(map as u32, key)))
}

/// `agg` is an index into the table, then a bit that says whether there is a number.
extern "C" fn map_aggregate(ctx: *mut Context<'_>, map: u64, key: u64, agg: u64, number: u64) -> u64 {
    // SAFETY: called by compiled code with its own context.
    let ctx = unsafe { context(ctx) };
    // SAFETY: the instruction's key is in bounds.
    let key = unsafe { bytes(key, ctx.key_len(map)) };
    ctx.guard(|ctx| {
        let number = (agg & 1 == 1).then_some(number.cast_signed());
        if let Some(agg) = ctx.shared.tables.aggs.get((agg >> 1) as usize) {
            ctx.host.maps().aggregate_bytes(map as u32, key, *agg, number);
        }
        0
    })
}

extern "C" fn emit(ctx: *mut Context<'_>, output: u64, record: u64) -> u64 {
    // SAFETY: called by compiled code with its own context.
    let ctx = unsafe { context(ctx) };
    let len_bytes = ctx.shared.module.outputs.get(output as usize).map_or(0, |def| def.len_bytes as usize);
    // SAFETY: the instruction's record is in bounds.
    let record = unsafe { bytes(record, len_bytes) };
    ctx.guard(|ctx| {
        ctx.host.emit_record(OutputId(output as u32), record);
        0
    })
}

extern "C" fn zero(_: *mut Context<'_>, to: u64, len_bytes: u64) -> u64 {
    // SAFETY: the instruction's destination is in bounds.
    unsafe { std::ptr::write_bytes(to as *mut u8, 0, len_bytes as usize) };
    0
}

extern "C" fn copy(_: *mut Context<'_>, to: u64, from: u64, len_bytes: u64) -> u64 {
    // SAFETY: both places are in bounds, and may overlap.
    unsafe { std::ptr::copy(from as *const u8, to as *mut u8, len_bytes as usize) };
    0
}

extern "C" fn equal_bytes(_: *mut Context<'_>, left: u64, right: u64, len_bytes: u64) -> u64 {
    let len_bytes = len_bytes as usize;
    // SAFETY: both places are in bounds.
    let (left, right) = unsafe { (bytes(left, len_bytes), bytes(right, len_bytes)) };
    u64::from(left == right)
}
