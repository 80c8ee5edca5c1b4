//! Evidence by value: what a program made up (an id, a token), and who knew it.
//!
//! A value that was never seen before a request began, and that no answer of a call had brought, is known to that request alone: it came with the
//! request, or the app made it up on the way and gave it away in that request's response. So a call that carries it is that
//! request's. A value that two requests have, or that the app knew before, says nothing.

use std::collections::HashMap;

use super::{Incoming, Outgoing};
use crate::flow::is_made;

/// How many values are looked for; beyond that no more are.
const MAX_VALUES: usize = 1_000_000;

/// Which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Request(usize),
    Response(usize),
    Call(usize),
    Answer(usize),
}

/// What the messages say.
pub trait Words {
    /// Gives each value of a message that is wanted.
    fn values(&self, of: Of, is_wanted: &dyn Fn(&[u8]) -> bool, each: &mut dyn FnMut(Vec<u8>));
}

/// Where a value was seen.
#[derive(Debug)]
struct Known {
    first_ns: u64,
    /// The requests that carry it, in their order.
    requests: Vec<usize>,
    /// The requests in whose responses it is.
    responses: Vec<usize>,
    /// Calls whose answers have it, and when these came.
    answers: Vec<(usize, u64)>,
}

/// For each of these calls the one open request that alone can have known what it carries.
pub fn owners(
    incoming: &[Incoming],
    outgoing: &[Outgoing],
    open: &[Vec<usize>],
    calls: &[usize],
    words: &dyn Words,
) -> Vec<Option<usize>> {
    let mut known: HashMap<Vec<u8>, Known> = HashMap::new();
    let mut carried: Vec<Vec<Vec<u8>>> = Vec::with_capacity(calls.len());
    for &call in calls {
        let mut values = Vec::new();
        words.values(Of::Call(call), &is_made, &mut |value| values.push(value));
        for value in &values {
            if known.len() < MAX_VALUES && !known.contains_key(value) {
                let unseen =
                    Known { first_ns: u64::MAX, requests: Vec::new(), responses: Vec::new(), answers: Vec::new() };
                known.insert(value.clone(), unseen);
            }
        }
        carried.push(values);
    }
    let mut owners = vec![None; outgoing.len()];
    if known.is_empty() {
        return owners;
    }
    see_all(incoming, outgoing, words, &mut known);
    for (&call, values) in calls.iter().zip(&carried) {
        let owner = |value: &Vec<u8>| known.get(value)?.owner(incoming, (call, &outgoing[call]), &open[call]);
        let mut found = values.iter().filter_map(owner);
        let first = found.next();
        owners[call] = first.filter(|first| found.all(|other| other == *first));
    }
    owners
}

fn see_all(incoming: &[Incoming], outgoing: &[Outgoing], words: &dyn Words, known: &mut HashMap<Vec<u8>, Known>) {
    let mut see = |of: Of, at_ns: u64, note: &dyn Fn(&mut Known)| {
        let mut found = Vec::new();
        words.values(of, &|value| known.contains_key(value), &mut |value| found.push(value));
        for value in found {
            if let Some(known) = known.get_mut(&value) {
                known.first_ns = known.first_ns.min(at_ns);
                note(known);
            }
        }
    };
    for (i, request) in incoming.iter().enumerate() {
        see(Of::Request(i), request.began_ns, &|known| known.requests.push(i));
        see(Of::Response(i), request.ended_ns, &|known| known.responses.push(i));
    }
    for (i, call) in outgoing.iter().enumerate() {
        see(Of::Call(i), call.began_ns, &|_| {});
        let answered_ns = call.until_ns();
        see(Of::Answer(i), answered_ns, &|known| known.answers.push((i, answered_ns)));
    }
}

impl Known {
    fn owner(&self, incoming: &[Incoming], (number, call): (usize, &Outgoing), open: &[usize]) -> Option<usize> {
        let one = |requests: &[usize]| match requests {
            [first, rest @ ..] => rest.iter().all(|other| other == first).then_some(*first),
            [] => None,
        };
        let asked: Vec<usize> =
            self.requests.iter().copied().filter(|&i| incoming[i].began_ns <= call.began_ns).collect();
        // Up to when others could have been told of it.
        let (owner, until_ns) = match asked.is_empty() {
            false => (one(&asked)?, call.began_ns),
            true => {
                let owner = one(&self.responses)?;
                (owner, incoming[owner].ended_ns)
            }
        };
        let is_told = self.answers.iter().any(|&(other, at_ns)| other != number && at_ns <= until_ns);
        let is_new = self.first_ns >= incoming[owner].began_ns;
        (is_new && !is_told && open.contains(&owner)).then_some(owner)
    }
}
