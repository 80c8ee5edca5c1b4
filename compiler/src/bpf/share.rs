//! Buffers that are never in use together share their memory.
//!
//! A script's temporary texts are 1 KiB each, so what a program needs at once matters, not what it names. A buffer is in
//! use from the first instruction that names it to the last, in reverse postorder; a loop that it touches counts whole,
//! since what is written in one round may be read in the next. A buffer that must be on the stack never shares: the
//! verifier gives its bytes a meaning of their own.

use super::flow::{places, reverse_postorder, successors};
use crate::ir::{Buf, Function};

/// Positions of instructions, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub from: usize,
    pub to: usize,
}

impl Range {
    const ALWAYS: Range = Range { from: 0, to: usize::MAX };

    fn meets(self, other: Range) -> bool {
        self.from <= other.to && other.from <= self.to
    }

    fn join(self, other: Range) -> Range {
        Range { from: self.from.min(other.from), to: self.to.max(other.to) }
    }
}

/// Returns where each buffer is in use; none for one that nothing names.
pub(super) fn ranges(function: &Function) -> Vec<Option<Range>> {
    let order = reverse_postorder(function);
    let mut ranges: Vec<Option<Range>> = vec![None; function.bufs.len()];
    let mut starts = vec![usize::MAX; function.blocks.len()];
    let mut loops = Vec::new();
    let mut position = 0;
    for block in &order {
        let data = &function.blocks[block.0 as usize];
        starts[block.0 as usize] = position;
        for (inst, _) in &data.insts {
            places(inst, |at| {
                let here = Range { from: position, to: position };
                if let Some(range) = ranges.get_mut(at.buf.0 as usize) {
                    *range = Some(range.map_or(here, |range| range.join(here)));
                }
            });
            position += 1;
        }
        // The head of a loop is placed before its end.
        let heads = successors(&data.terminator).into_iter().map(|next| starts[next.0 as usize]);
        loops.extend(heads.filter(|&from| from != usize::MAX).map(|from| Range { from, to: position }));
        position += 1;
    }
    for (range, def) in ranges.iter_mut().zip(&function.bufs) {
        *range = range.map(|range| if def.on_stack { Range::ALWAYS } else { whole_loops(range, &loops) });
    }
    ranges
}

/// Extends a range to all of each loop that it touches.
fn whole_loops(mut range: Range, loops: &[Range]) -> Range {
    loop {
        let touched = loops.iter().filter(|round| round.meets(range)).copied();
        let extended = touched.fold(range, Range::join);
        if extended == range {
            return range;
        }
        range = extended;
    }
}

/// A run of memory that buffers are placed in.
#[derive(Default)]
pub(super) struct Arena {
    /// Range, offset and length of what was placed.
    placed: Vec<(Range, u64, u64)>,
    /// The end of the last buffer.
    pub len_bytes: u64,
}

impl Arena {
    /// The lowest offset at which so many bytes are free all through a range.
    pub fn offset(&self, range: Range, len_bytes: u64) -> u64 {
        let mut taken: Vec<(u64, u64)> = self
            .placed
            .iter()
            .filter(|(other, ..)| other.meets(range))
            .map(|&(_, offset, len)| (offset, len))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, len) in taken {
            if start >= offset + len_bytes {
                break;
            }
            offset = offset.max(start + len);
        }
        offset
    }

    /// Takes the place that [`Arena::offset`] found.
    pub fn place(&mut self, range: Range, offset: u64, len_bytes: u64) {
        self.placed.push((range, offset, len_bytes));
        self.len_bytes = self.len_bytes.max(offset + len_bytes);
    }
}

/// A buffer that is to be placed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub buf: Buf,
    pub range: Range,
    /// A multiple of 8.
    pub len_bytes: u64,
    pub on_stack: bool,
}

/// Returns the buffers that are used.
pub(super) fn wanted(function: &Function) -> Vec<Wanted> {
    let used = ranges(function).into_iter().zip(&function.bufs);
    (0u32..)
        .zip(used)
        .filter_map(|(buf, (range, def))| {
            let len_bytes = u64::from(def.len_bytes).next_multiple_of(8);
            Some(Wanted { buf: Buf(buf), range: range?, len_bytes, on_stack: def.on_stack })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ir::parse::parse;

    const LOOP: &str = r#"
function "f"
  v0: bool
  buf0: 8
  buf1: 8
  buf2: 8
  buf3: 16 stack
  buf4: 8
block0:
  zero buf0+0, 8
  v0 = load buf0+0
  zero buf3+0, 16
  jump block1
block1:
  zero buf1+0, 8
  v0 = load buf1+0
  branch v0, block1, block2
block2:
  zero buf2+0, 8
  return v0
"#;

    #[test]
    fn a_loop_counts_whole_and_the_stack_is_not_shared() {
        let module = parse(LOOP).unwrap();
        let ranges = ranges(&module.functions[0]);
        assert_eq!(ranges[0], Some(Range { from: 0, to: 1 }));
        assert_eq!(ranges[1], Some(Range { from: 4, to: 6 }));
        assert_eq!(ranges[2], Some(Range { from: 7, to: 7 }));
        assert_eq!(ranges[3], Some(Range::ALWAYS));
        assert_eq!(ranges[4], None);
    }

    #[test]
    fn what_does_not_meet_shares_a_place() {
        let mut arena = Arena::default();
        let mut place = |from, to, len| {
            let range = Range { from, to };
            let offset = arena.offset(range, len);
            arena.place(range, offset, len);
            offset
        };
        assert_eq!(place(0, 4, 16), 0);
        assert_eq!(place(2, 6, 8), 16);
        assert_eq!(place(5, 9, 8), 0);
        assert_eq!(place(6, 9, 16), 24);
        assert_eq!(place(7, 9, 8), 8);
        assert_eq!(arena.len_bytes, 40);
    }
}
