//! Where buffers lie: on the 512 bytes of stack while they last, else in the program's scratch value.
//!
//! The scratch value is one entry of a per-CPU array, looked up once at entry. An entry belongs to one program, so that
//! programs which nest on a CPU do not meet; a program does not nest in itself (the kernel refuses that for most kinds).
//! From the top, the frame holds an 8-byte place that every instruction may use for itself, the registers' slots, buffers
//! that must be on the stack, and then the smallest of the others; see [`share`] for what overlaps. A buffer's bytes are
//! undefined until written.

use reel_lang::span::Span;

use super::BpfError;
use super::alloc::{self, Home, Homes};
use super::flow::{Flow, places};
use super::share::{self, Arena, Wanted};
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
    /// Slots that registers take.
    slots: u32,
    /// 0 where nothing lies in the scratch value.
    pub scratch_len_bytes: u32,
}

/// The offset of a slot from the frame pointer.
pub(super) fn slot_offset(slot: u32) -> i16 {
    -16 - 8 * slot as i16
}

/// Gives out homes and places: everything on the stack if it fits, else as much as does.
pub(super) fn plan(function: &Function) -> Result<Frame, BpfError> {
    let mut wanted = share::wanted(function);
    // What must be on the stack comes first, then the smallest.
    wanted.sort_by_key(|want| (!want.on_stack, want.len_bytes, want.buf));
    let mut frame = Frame::new(function, &|_| false);
    if frame.place(&wanted) == Placed::AllOnStack {
        return Ok(frame);
    }
    let in_scratch = |at: At| function.bufs.get(at.buf.0 as usize).is_some_and(|buf| !buf.on_stack);
    frame = Frame::new(function, &in_scratch);
    let error = |needed_bytes, on_stack| {
        let (function, span) = (function.name.clone(), blamed(function, on_stack));
        match on_stack {
            true => BpfError::Stack { function, span, needed_bytes },
            false => BpfError::Scratch { function, span, needed_bytes },
        }
    };
    match frame.place(&wanted) {
        Placed::StackFull(needed_bytes) => Err(error(needed_bytes, true)),
        _ if frame.scratch_len_bytes > SCRATCH_LEN_BYTES => Err(error(u64::from(frame.scratch_len_bytes), false)),
        _ => Ok(frame),
    }
}

/// How buffers were placed.
#[derive(PartialEq, Eq)]
enum Placed {
    AllOnStack,
    SomeInScratch,
    /// What must be on the stack needs so many bytes.
    StackFull(u64),
}

impl Frame {
    fn new(function: &Function, in_scratch: &dyn Fn(At) -> bool) -> Frame {
        let flow = Flow::new(function, in_scratch);
        let Homes { homes, slots } = alloc::allocate(&flow);
        Frame { flow, homes, slots, places: vec![Place::Stack(0); function.bufs.len()], scratch_len_bytes: 0 }
    }

    /// Places buffers in their order, on the stack while they fit.
    fn place(&mut self, wanted: &[Wanted]) -> Placed {
        // Above the buffers are the place that instructions use, and the slots.
        let head = 8 + 8 * u64::from(self.slots);
        let (mut stack, mut scratch) = (Arena::default(), Arena::default());
        for want in wanted {
            let offset = stack.offset(want.range, want.len_bytes);
            let end = head + offset + want.len_bytes;
            let place = &mut self.places[want.buf.0 as usize];
            if end <= u64::from(STACK_LEN_BYTES) {
                stack.place(want.range, offset, want.len_bytes);
                *place = Place::Stack(-(end as i16));
            } else if want.on_stack {
                let all = wanted.iter().filter(|want| want.on_stack);
                return Placed::StackFull(head + all.map(|want| want.len_bytes).sum::<u64>());
            } else {
                let offset = scratch.offset(want.range, want.len_bytes);
                scratch.place(want.range, offset, want.len_bytes);
                // A length over the limit is refused before the offset is used.
                *place = Place::Scratch(u32::try_from(offset).unwrap_or(u32::MAX));
            }
        }
        if head > u64::from(STACK_LEN_BYTES) {
            return Placed::StackFull(head);
        }
        self.scratch_len_bytes = u32::try_from(scratch.len_bytes).unwrap_or(u32::MAX);
        if scratch.len_bytes == 0 { Placed::AllOnStack } else { Placed::SomeInScratch }
    }
}

/// The first instruction that uses the largest buffer of a kind: what to show for a frame that is too large.
fn blamed(function: &Function, on_stack: bool) -> Span {
    let kind = (0u32..).zip(&function.bufs).filter(|(_, def)| def.on_stack == on_stack);
    let largest = kind.max_by_key(|&(buf, def)| (def.len_bytes, std::cmp::Reverse(buf))).map(|(buf, _)| Buf(buf));
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
