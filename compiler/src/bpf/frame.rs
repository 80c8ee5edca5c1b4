//! Where buffers lie: on the 512 bytes of stack while they last, else in the program's scratch value.
//!
//! The scratch value is one entry of a per-CPU array, looked up once at entry. An entry belongs to one program, so that
//! programs which nest on a CPU do not meet; a program does not nest in itself (the kernel refuses that for most kinds).
//! From the top, the frame holds an 8-byte place that every instruction may use for itself, the registers' slots, buffers
//! that must be on the stack, and then the smallest of the others. A buffer's bytes are undefined until written.

use reel_lang::span::Span;

use super::BpfError;
use super::alloc::{self, Home, Homes};
use super::flow::{Flow, places};
use crate::ir::{At, Buf, Function};

/// The kernel's limit on a program's stack (MAX_BPF_STACK).
pub const STACK_LEN_BYTES: u32 = 512;
/// The kernel's limit on a per-CPU value (PCPU_MIN_UNIT_SIZE).
pub const SCRATCH_LEN_BYTES: u32 = 32 * 1024;
/// The offset of the 8 bytes that every instruction may use for itself.
pub(super) const TEMP: i16 = -8;

/// Where a buffer lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At this offset from the frame pointer.
    Stack(i16),
    /// At this offset of the scratch value.
    Scratch(u32),
}

/// A function with all homes and places given out.
pub(super) struct Frame {
    pub flow: Flow,
    pub homes: Vec<Home>,
    pub places: Vec<Place>,
    /// 0 where nothing lies in the scratch value.
    pub scratch_len_bytes: u32,
}

/// The offset of a slot from the frame pointer.
pub(super) fn slot_offset(slot: u32) -> i16 {
    -16 - 8 * slot as i16
}

/// Gives out homes and places: everything on the stack if it fits, else as much as does.
pub(super) fn plan(function: &Function) -> Result<Frame, BpfError> {
    let flow = Flow::new(function, &|_| false);
    let Homes { homes, slots } = alloc::allocate(&flow);
    let all = lengths(function, |_| true);
    if head(slots) + all.iter().map(|(_, len)| len).sum::<u64>() <= u64::from(STACK_LEN_BYTES) {
        let mut frame = Frame::new(flow, homes, function);
        let mut top = head(slots);
        all.iter().for_each(|&buf| frame.stack(&mut top, buf));
        return Ok(frame);
    }
    let in_scratch = |at: At| function.bufs.get(at.buf.0 as usize).is_some_and(|buf| !buf.on_stack);
    let flow = Flow::new(function, &in_scratch);
    let Homes { homes, slots } = alloc::allocate(&flow);
    let mut frame = Frame::new(flow, homes, function);
    let mut top = head(slots);
    for buf in lengths(function, |on_stack| on_stack) {
        frame.stack(&mut top, buf);
    }
    if top > u64::from(STACK_LEN_BYTES) {
        return Err(BpfError::Stack {
            function: function.name.clone(),
            span: blamed(function, true),
            needed_bytes: top,
        });
    }
    let mut rest = lengths(function, |on_stack| !on_stack);
    rest.sort_by_key(|&(buf, len)| (len, buf));
    let mut scratch = 0u64;
    for (buf, len) in rest {
        if top + len <= u64::from(STACK_LEN_BYTES) {
            frame.stack(&mut top, (buf, len));
        } else {
            // A length over the limit is refused below, before the offset is used.
            frame.places[buf.0 as usize] = Place::Scratch(scratch as u32);
            scratch += len;
        }
    }
    if scratch > u64::from(SCRATCH_LEN_BYTES) {
        return Err(BpfError::Scratch {
            function: function.name.clone(),
            span: blamed(function, false),
            needed_bytes: scratch,
        });
    }
    frame.scratch_len_bytes = scratch as u32;
    Ok(frame)
}

impl Frame {
    fn new(flow: Flow, homes: Vec<Home>, function: &Function) -> Frame {
        Frame { flow, homes, places: vec![Place::Stack(0); function.bufs.len()], scratch_len_bytes: 0 }
    }

    /// Puts a buffer below `top`.
    fn stack(&mut self, top: &mut u64, (buf, len_bytes): (Buf, u64)) {
        *top += len_bytes;
        self.places[buf.0 as usize] = Place::Stack(i16::try_from(*top).map_or(i16::MIN, |top| -top));
    }
}

/// The bytes of the frame above the buffers.
fn head(slots: u32) -> u64 {
    8 + 8 * u64::from(slots)
}

/// Buffers and their lengths, rounded up to 8.
fn lengths(function: &Function, wanted: impl Fn(bool) -> bool) -> Vec<(Buf, u64)> {
    (0u32..)
        .zip(&function.bufs)
        .filter(|(_, def)| wanted(def.on_stack))
        .map(|(buf, def)| (Buf(buf), u64::from(def.len_bytes).next_multiple_of(8)))
        .collect()
}

/// The first instruction that uses the largest buffer of a kind: what to show for a frame that is too large.
fn blamed(function: &Function, on_stack: bool) -> Span {
    let largest = lengths(function, |kind| kind == on_stack)
        .into_iter()
        .max_by_key(|&(buf, len)| (len, std::cmp::Reverse(buf)))
        .map(|(buf, _)| buf);
    let mut insts = function.blocks.iter().flat_map(|block| &block.insts);
    let first = insts.clone().next().map(|(_, span)| *span);
    insts
        .find(|(inst, _)| {
            let mut uses = false;
            places(inst, |at| uses |= Some(at.buf) == largest);
            uses
        })
        .map(|(_, span)| *span)
        .or(first)
        .unwrap_or_default()
}
