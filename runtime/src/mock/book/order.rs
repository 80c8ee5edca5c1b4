//! In which order the calls of a test were made, where that is certain: a read that followed a write must be answered from after it.
//!
//! Two calls are in order if one transaction holds both, or if the thread that served the request made both. Between such calls a write
//! keeps its place: what was recorded before it must not be asked after it, nor the other way round. Reads among each other have no
//! order. A call is preferred that is in its place; one that can only be taken out of its place is told as a changed order. Of calls that
//! may be another test's, those are preferred that are of the transaction at hand: one request made all of it. Which
//! calls write is the protocol's to say ([`reel_protocols::Protocol::place`]); those of protocols that say nothing have no order.

use std::collections::HashMap;

use reel_protocols::Place;

use crate::mock::Entry;
use crate::recording::Attribution;

/// The order of the running test's calls, by their index.
#[derive(Default)]
pub(super) struct Order {
    placed: HashMap<usize, Placed>,
    /// The call that began the transaction of each connection.
    transactions: HashMap<u32, usize>,
    made: HashMap<Line, Made>,
    /// The transaction of the call that was made last.
    current: Option<Line>,
}

/// What is known of a call's making.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) attribution: Attribution,
    /// Where that is known.
    pub(super) connection: Option<u32>,
    /// Whether another call would serve as well.
    pub(super) is_choice: bool,
}

/// A call that has a place.
#[derive(Debug, Clone, Copy)]
struct Placed {
    is_write: bool,
    /// What it is in order with.
    lines: [Option<Line>; 2],
    transaction: Option<Line>,
}

/// Calls of which the order is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Line {
    /// Of the thread that served the request.
    Thread,
    /// Of one transaction, by the call that began it.
    Transaction(usize),
}

/// The calls of a line that were made, by the last of them.
#[derive(Debug, Default)]
struct Made {
    any: Option<usize>,
    write: Option<usize>,
}

impl Order {
    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.placed.clear();
        self.transactions.clear();
        self.made.clear();
        self.current = None;
    }

    /// Takes the next call of a test, in recorded order.
    pub(super) fn put(&mut self, index: usize, entry: &Entry, seen: Seen) {
        let place = entry.exchange.request.as_ref().and_then(|request| entry.protocol.place(request));
        let Some(Place { is_write, begins }) = place else { return };
        let transaction = seen.connection.map(|connection| {
            let first = self.transactions.entry(connection).or_insert(index);
            if begins {
                *first = index;
            }
            Line::Transaction(*first)
        });
        let thread = (seen.attribution == Attribution::Thread).then_some(Line::Thread);
        let lines = if seen.is_choice { [None; 2] } else { [thread, transaction] };
        self.placed.insert(index, Placed { is_write, lines, transaction });
    }

    /// The lower, the rather it is the next call: in its place, and of the transaction of the call before it.
    pub(super) fn preference(&self, index: usize) -> (bool, bool) {
        let transaction = self.placed.get(&index).and_then(|placed| placed.transaction);
        (self.overtook(index).is_some(), self.current.is_some() && transaction != self.current)
    }

    /// A call that was made and was recorded after this one, with which it is in order; none where this one is in its place.
    pub(super) fn overtook(&self, index: usize) -> Option<usize> {
        let placed = self.placed.get(&index)?;
        let made = placed.lines.iter().flatten().filter_map(|line| self.made.get(line));
        made.filter_map(|made| if placed.is_write { made.any } else { made.write }).filter(|last| *last > index).max()
    }

    /// A call was made.
    pub(super) fn make(&mut self, index: usize) {
        let Some(placed) = self.placed.get(&index).copied() else { return };
        self.current = placed.transaction;
        for line in placed.lines.into_iter().flatten() {
            let made = self.made.entry(line).or_default();
            made.any = made.any.max(Some(index));
            if placed.is_write {
                made.write = made.write.max(Some(index));
            }
        }
    }
}
