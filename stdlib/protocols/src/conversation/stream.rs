//! The bytes of one direction that are in no message yet, with the time and the tag of each segment.

use std::collections::VecDeque;

use bytes::Bytes;
use reel_lang::schema::Side;

use super::infer::Segment;
use super::{BREACH_LEN_MAX, Breach, Timed};
use crate::{Malformed, Message, Protocol};

/// Whether a direction is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    #[default]
    Live,
    /// Bytes are missing; the next message is looked for.
    Lost,
    Stopped,
}

/// Where a segment ends, counted from the first byte of the direction, and what is known of it.
#[derive(Debug, Clone)]
struct Mark<T> {
    end: u64,
    /// Its number among the segments of both directions.
    order: u64,
    time_ns: u64,
    tag: T,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Stream<T> {
    pub(super) state: State,
    pub(super) closed: bool,
    data: Vec<u8>,
    /// How much of `data` has been taken.
    taken: usize,
    /// The position of the first byte that has not been taken, counted from the first byte of the direction.
    position: u64,
    marks: VecDeque<Mark<T>>,
    /// Where an unfinished message began of which the codec has taken in a part, and how much of it that is.
    part: Option<Mark<T>>,
    part_len: usize,
}

impl<T> Default for Stream<T> {
    fn default() -> Self {
        let (state, data, marks) = (State::default(), Vec::new(), VecDeque::new());
        Stream { state, closed: false, data, taken: 0, position: 0, marks, part: None, part_len: 0 }
    }
}

impl<T: Clone> Stream<T> {
    pub(super) fn data(&self) -> &[u8] {
        self.data.get(self.taken..).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.data().len()
    }

    /// The same, with the part of an unfinished message that the codec keeps.
    pub(super) fn kept_len(&self) -> usize {
        self.len().saturating_add(self.part_len)
    }

    /// Takes a part of an unfinished message.
    pub(super) fn part(&mut self, len: usize) {
        if self.part.is_none() {
            self.part = self.marks.front().cloned();
        }
        self.part_len = self.part_len.saturating_add(len);
        self.skip(len);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.data().is_empty()
    }

    /// When the first byte came, as its segment's number among those of both directions.
    pub(super) fn first_order(&self) -> u64 {
        self.marks.front().map_or(u64::MAX, |mark| mark.order)
    }

    pub(super) fn push(&mut self, order: u64, time_ns: u64, data: &[u8], tag: T) {
        self.data.extend_from_slice(data);
        let end = self.position.saturating_add(self.len() as u64);
        self.marks.push_back(Mark { end, order, time_ns, tag });
    }

    /// Takes a message's bytes off the front, and says when they were seen.
    pub(super) fn take(&mut self, len: usize, message: Message) -> Option<Timed<T>> {
        let here = self.marks.front()?.clone();
        let first = self.part.take().unwrap_or_else(|| here.clone());
        self.part_len = 0;
        let last_byte = self.position.saturating_add(len as u64).saturating_sub(1);
        let last_ns = self.marks.iter().find(|mark| mark.end > last_byte).map_or(here.time_ns, |mark| mark.time_ns);
        self.skip(len);
        Some(Timed { message, first_ns: first.time_ns, last_ns, tag: first.tag })
    }

    /// What is known of an invalid message at the front.
    pub(super) fn breach(
        &self,
        protocol: &'static dyn Protocol,
        side: Side,
        malformed: &Malformed,
    ) -> Option<Breach<T>> {
        let at = self.position.saturating_add(malformed.offset as u64);
        let mark = self.marks.iter().find(|mark| mark.end > at).or(self.marks.back())?;
        let data = self.data();
        let data = Bytes::copy_from_slice(data.get(..data.len().min(BREACH_LEN_MAX)).unwrap_or_default());
        let (time_ns, tag) = (mark.time_ns, mark.tag.clone());
        Some(Breach { protocol, side, malformed: malformed.clone(), data, time_ns, tag })
    }

    /// Drops bytes off the front.
    pub(super) fn skip(&mut self, len: usize) {
        let len = len.min(self.len());
        self.taken = self.taken.saturating_add(len);
        self.position = self.position.saturating_add(len as u64);
        while self.marks.front().is_some_and(|mark| mark.end <= self.position) {
            self.marks.pop_front();
        }
        // Moving the rest to the front only when most is taken keeps the cost of a byte constant.
        if self.taken >= self.data.len() {
            self.data.clear();
            self.taken = 0;
        } else if self.taken > self.data.len().midpoint(0) {
            self.data.drain(..self.taken);
            self.taken = 0;
        }
    }

    /// Drops all bytes and parts, and says how many there were.
    pub(super) fn discard(&mut self) -> usize {
        let len = self.len();
        self.skip(len);
        self.part = None;
        len.saturating_add(std::mem::take(&mut self.part_len))
    }

    /// The offsets at which segments begin that were seen at a time or later.
    pub(super) fn segment_starts(&self, not_before_ns: u64) -> impl Iterator<Item = usize> + '_ {
        let mut start = self.position;
        self.marks.iter().filter_map(move |mark| {
            let offset = start.saturating_sub(self.position);
            start = mark.end;
            (mark.time_ns >= not_before_ns).then_some(usize::try_from(offset).ok()).flatten()
        })
    }

    /// Takes everything, segment by segment.
    pub(super) fn drain(&mut self, side: Side) -> Vec<Segment<T>> {
        let mut segments = Vec::new();
        while let Some(mark) = self.marks.front().cloned() {
            let len = usize::try_from(mark.end.saturating_sub(self.position)).unwrap_or(usize::MAX).min(self.len());
            let data = self.data().get(..len).unwrap_or_default().to_vec();
            segments.push(Segment { side, time_ns: mark.time_ns, data, tag: mark.tag });
            if len == 0 {
                self.marks.pop_front();
            }
            self.skip(len);
        }
        segments
    }
}
