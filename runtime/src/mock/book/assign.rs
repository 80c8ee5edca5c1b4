//! Which test is charged with which of several like calls.
//!
//! Requests that were open at once often make calls that are one and the same to everybody: each begins a transaction, and which `BEGIN`
//! was whose could not be seen. Any of them may answer; but a test that takes the only one that a later test may take must not make that
//! one fail. So where nothing is left for a call, another test is charged with another call that is like the one it made, itself perhaps
//! left by a third test: an augmenting path of bipartite matching (Kuhn 1955). A call is refused only if no way of charging every call
//! made so far serves all of them; what a test was answered never changes, since only calls of one likeness change hands.
//!
//! Of a search that failed, every call that it saw stays where it is for good: nothing that it could have led to becomes free again. It is
//! marked and never looked at again, so that all searches that fail together look at each call once.

use std::collections::{HashMap, VecDeque};

use super::Book;
use crate::recording::TestId;
use crate::rules::Reuse;

impl Book {
    /// What a call shares with those that may take its place, where its answer is used once.
    pub(super) fn likeness(&self, index: usize) -> Option<u64> {
        let ruling = self.account(index).ruling.filter(|ruling| ruling.reuse == Reuse::Once && !ruling.by_rule)?;
        Some(ruling.likeness)
    }

    /// Frees one of these calls for the running test, the first one if it can be had, by charging other tests with others.
    pub(super) fn free_up(&mut self, wanted: &[usize]) -> Option<usize> {
        if !self.in_test || self.is_open {
            return None;
        }
        let mut wanted: Vec<usize> = wanted.iter().copied().filter(|index| self.mine.contains(index)).collect();
        wanted.sort_by_key(|index| self.order.preference(*index));
        let mut from: HashMap<usize, Option<usize>> = HashMap::new();
        let mut queue = VecDeque::new();
        for index in wanted.into_iter().filter(|index| self.may_change_hands(*index)) {
            from.insert(index, None);
            queue.push_back(index);
        }
        while let Some(index) = queue.pop_front() {
            for other in self.in_place_of(index) {
                if from.contains_key(&other) {
                    continue;
                }
                from.insert(other, Some(index));
                if !self.account(other).is_used {
                    return Some(self.hand_on(other, &from));
                }
                queue.push_back(other);
            }
        }
        for index in from.into_keys() {
            if let Some(account) = self.accounts.get_mut(index) {
                account.is_stuck = true;
            }
        }
        None
    }

    /// Whether another test made it, which may be charged with another call.
    fn may_change_hands(&self, index: usize) -> bool {
        let account = self.account(index);
        account.user.is_some_and(|user| Some(user) != self.test) && !account.is_stuck && !self.has_push(index)
    }

    /// Whether the server says something after it, which binds whoever heard that.
    fn has_push(&self, index: usize) -> bool {
        self.outline(index).is_none_or(|outline| self.pushes.contains_key(&outline.id))
    }

    /// The calls with which the test that made this one could be charged instead.
    fn in_place_of(&self, index: usize) -> Vec<usize> {
        let (Some(user), Some(likeness)) = (self.account(index).user, self.likeness(index)) else { return Vec::new() };
        let candidates = self.calls.effects(user).iter().filter_map(|effect| self.position(effect.call));
        let is_like = |other: &usize| self.likeness(*other) == Some(likeness);
        let may_move = |other: &usize| match self.account(*other).is_used {
            true => self.may_change_hands(*other),
            false => !self.has_push(*other),
        };
        candidates.filter(|other| *other != index && is_like(other) && may_move(other)).collect()
    }

    /// Charges each test on the way to a free call with the call that it was led to, and gives the one that is free then.
    fn hand_on(&mut self, free: usize, from: &HashMap<usize, Option<usize>>) -> usize {
        let mut index = free;
        while let Some(before) = from.get(&index).copied().flatten() {
            let user: Option<TestId> = self.account(before).user;
            if let Some(account) = self.accounts.get_mut(index) {
                account.is_used = true;
                account.user = user;
            }
            index = before;
        }
        index
    }
}
