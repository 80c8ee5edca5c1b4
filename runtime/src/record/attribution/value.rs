//! Evidence by value: what a program made up (an id, a token), and who knew it.
//!
//! A value that was never seen before a request began, that no other request or response has, and that no answer had brought to
//! who had not asked for it by itself, came with that request, or the app made it up for it. So a call that carries it is that request's. What requests tell each other in
//! memory, in files and by sockets that are not recorded cannot be seen; so a value counts for nothing where a call that has it is certain to be
//! that of a request which did not bring it: a constant of the app is such a value.
//!
//! What could not be read may have told anybody anything. Then there is no evidence where it might have mattered.

use std::collections::HashMap;

use super::{Incoming, Outgoing};
use crate::flow::is_made;

/// How many values are looked for: a call that only has others stays open.
const MAX_VALUES: usize = 1_000_000;
/// How many requests of a value are remembered: one that more have is no identity.
const MAX_HOLDERS: usize = 64;

/// Which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Of {
    Request(usize),
    Response(usize),
    Call(usize),
    Answer(usize),
}

/// What the messages say.
pub trait Values {
    /// Gives each value of a message that is wanted; false where the message could not be read.
    fn each(&self, of: Of, is_wanted: &dyn Fn(&[u8]) -> bool, take: &mut dyn FnMut(&[u8])) -> bool;

    /// Whether calls were made of which nothing is known: on connections that are encrypted, or that no rule wants.
    fn has_unseen_calls(&self) -> bool;
}

/// Where a value was seen.
#[derive(Debug)]
struct Known {
    first_ns: u64,
    /// Those whose request or response has it.
    requests: Vec<usize>,
    /// When an answer first brought it to whoever had not asked for it by itself.
    told_ns: u64,
    /// The last call that was seen to carry it.
    call: Option<usize>,
    /// Whose the calls that have it are for certain.
    owners: Vec<usize>,
    /// More have it than are remembered.
    is_common: bool,
}

/// Everything that is looked for, and what could not be read.
struct Search<'a> {
    incoming: &'a [Incoming],
    outgoing: &'a [Outgoing],
    index: HashMap<Vec<u8>, usize>,
    known: Vec<Known>,
    unread_requests: Vec<bool>,
    /// Calls whose answers could not be read, by the time of these.
    unread_answers: Vec<(u64, usize)>,
}

/// For each of `calls` the one open request that alone can have known what it carries. `certain` says whose the others are.
pub fn owners(
    incoming: &[Incoming],
    outgoing: &[Outgoing],
    open: &[Vec<usize>],
    (calls, certain): (&[usize], &[Option<usize>]),
    values: &dyn Values,
) -> Vec<Option<usize>> {
    let mut owners = vec![None; outgoing.len()];
    if calls.is_empty() || values.has_unseen_calls() {
        return owners;
    }
    let mut search = Search {
        incoming,
        outgoing,
        index: HashMap::new(),
        known: Vec::new(),
        unread_requests: vec![false; incoming.len()],
        unread_answers: Vec::new(),
    };
    let carried: Vec<Vec<usize>> = calls.iter().map(|&call| search.want(call, values)).collect();
    if search.known.is_empty() {
        return owners;
    }
    search.see_all(certain, values);
    for (&call, carried) in calls.iter().zip(&carried) {
        let mut found = carried.iter().filter_map(|&value| search.owner(&search.known[value], call, &open[call]));
        let first = found.next();
        owners[call] = first.filter(|first| found.all(|other| other == *first));
    }
    owners
}

impl Search<'_> {
    /// Looks for what a call carries from now on.
    fn want(&mut self, call: usize, values: &dyn Values) -> Vec<usize> {
        let (index, known) = (&mut self.index, &mut self.known);
        let mut carried = Vec::new();
        values.each(Of::Call(call), &is_made, &mut |value| {
            let at = match index.get(value) {
                Some(at) => *at,
                None if known.len() >= MAX_VALUES => return,
                None => {
                    index.insert(value.to_vec(), known.len());
                    known.push(Known::default());
                    known.len() - 1
                }
            };
            if !carried.contains(&at) {
                carried.push(at);
            }
        });
        carried
    }

    fn see_all(&mut self, certain: &[Option<usize>], values: &dyn Values) {
        for (i, request) in self.incoming.iter().enumerate() {
            let asked = self.see(Of::Request(i), values, request.began_ns, |known| known.holder(i));
            let answered = self.see(Of::Response(i), values, request.ended_ns, |known| known.holder(i));
            self.unread_requests[i] = !(asked && answered);
        }
        for (i, call) in self.outgoing.iter().enumerate() {
            self.see(Of::Call(i), values, call.began_ns, |known| {
                known.call = Some(i);
                if let Some(owner) = certain[i].filter(|owner| !known.owners.contains(owner)) {
                    known.owners.push(owner);
                    known.is_common |= known.owners.len() > MAX_HOLDERS;
                }
            });
            let at_ns = call.until_ns();
            let told = |known: &mut Known| {
                if known.call != Some(i) {
                    known.told_ns = known.told_ns.min(at_ns);
                }
            };
            if !self.see(Of::Answer(i), values, at_ns, told) {
                self.unread_answers.push((at_ns, i));
            }
        }
        self.unread_answers.sort_unstable();
    }

    /// Notes a message that has values, and when; false where it could not be read.
    fn see(&mut self, of: Of, values: &dyn Values, at_ns: u64, note: impl Fn(&mut Known)) -> bool {
        let (index, known) = (&self.index, &mut self.known);
        values.each(of, &|value| index.contains_key(value), &mut |value| {
            if let Some(known) = index.get(value).and_then(|at| known.get_mut(*at)).filter(|known| !known.is_common) {
                known.first_ns = known.first_ns.min(at_ns);
                note(known);
            }
        })
    }

    /// The one request that a call which carries this value can be of, if there is one.
    fn owner(&self, known: &Known, call: usize, open: &[usize]) -> Option<usize> {
        let mut holders = known.requests.iter().copied().filter(|i| open.contains(i));
        let owner = holders.next()?;
        let request = &self.incoming[owner];
        // Whoever began before the owner was answered may have it from elsewhere.
        let is_alone = known.requests.iter().all(|&i| i == owner || self.incoming[i].began_ns > request.ended_ns);
        let is_its_own = known.owners.iter().all(|other| *other == owner || known.requests.contains(other));
        let is_new = known.first_ns >= request.began_ns && known.told_ns > request.ended_ns;
        let is_sound = !known.is_common && is_new && is_alone && is_its_own;
        (is_sound && self.could_read(owner, call, open)).then_some(owner)
    }

    /// Whether everything could be read from which another open request may have got what this one knows.
    fn could_read(&self, owner: usize, call: usize, open: &[usize]) -> bool {
        let request = &self.incoming[owner];
        let from = self.unread_answers.partition_point(|(at_ns, _)| *at_ns < request.began_ns);
        let unread = self.unread_answers[from..].iter().take_while(|(at_ns, _)| *at_ns <= request.ended_ns);
        let mut others = unread.filter(|(_, other)| *other != call);
        others.next().is_none() && !open.iter().any(|&i| i != owner && self.unread_requests[i])
    }
}

impl Default for Known {
    fn default() -> Self {
        Known {
            first_ns: u64::MAX,
            requests: Vec::new(),
            told_ns: u64::MAX,
            call: None,
            owners: Vec::new(),
            is_common: false,
        }
    }
}

impl Known {
    fn holder(&mut self, request: usize) {
        if !self.requests.contains(&request) {
            self.requests.push(request);
            self.is_common |= self.requests.len() > MAX_HOLDERS;
        }
    }
}
