//! Units: calls on one connection that are of one request whatever else is known, as a protocol says of a transaction.
//!
//! A request may be handed from thread to thread, but what it has begun on a connection it goes on with there: the data that follow COPY,
//! the rows that are left of a query, the statements up to COMMIT. So a unit's request was open when each of its calls began. Where there
//! was no such request, or threads or trace ids tell of several, the app shares its transactions between requests (one connection for
//! all, and no COMMIT after a read): then its process has no units.

use std::collections::HashSet;

use super::Outgoing;

/// For each call the first one of its unit; itself, where it goes on with none. `open` are the requests that were open when each began,
/// `told` those whose it is for certain.
pub fn find(outgoing: &[Outgoing], open: &[Vec<usize>], told: &[Option<usize>]) -> Vec<usize> {
    let units = heads(outgoing, &HashSet::new());
    let common = narrow(&units, open);
    let mut owner = vec![None; units.len()];
    for (&unit, told) in units.iter().zip(told) {
        owner[unit] = owner[unit].or(*told);
    }
    let is_shared = |&i: &usize| {
        let has_none = common[i].is_empty() && !(open[i].is_empty() && open[units[i]].is_empty());
        has_none || told[i].is_some_and(|told| owner[units[i]] != Some(told) || !common[i].contains(&told))
    };
    let shared: HashSet<u32> = (0..units.len()).filter(is_shared).map(|i| outgoing[i].caller.tgid).collect();
    if shared.is_empty() { units } else { heads(outgoing, &shared) }
}

/// The first call of each one's unit, but for those of some processes.
fn heads(outgoing: &[Outgoing], without: &HashSet<u32>) -> Vec<usize> {
    let mut units: Vec<usize> = Vec::with_capacity(outgoing.len());
    for (i, call) in outgoing.iter().enumerate() {
        let before = call.after.filter(|_| !without.contains(&call.caller.tgid));
        units.push(before.and_then(|before| units.get(before).copied()).unwrap_or(i));
    }
    units
}

/// What is left for each call when what all of its unit have in common is kept. Each is in order.
pub fn narrow(units: &[usize], each: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut common = each.to_vec();
    let members = || units.iter().copied().enumerate().filter(|(i, unit)| i != unit);
    for (i, unit) in members() {
        common[unit].retain(|request| each[i].binary_search(request).is_ok());
    }
    for (i, unit) in members() {
        common[i] = common[unit].clone();
    }
    common
}

/// Gives all of a unit the one owner that some of it have; none, where they have several.
pub fn share(units: &[usize], mut owners: Vec<Option<usize>>) -> Vec<Option<usize>> {
    let mut shared: Vec<Option<Option<usize>>> = vec![None; units.len()];
    for (&unit, owner) in units.iter().zip(&owners).filter(|(_, owner)| owner.is_some()) {
        match &mut shared[unit] {
            Some(known) if *known != *owner => *known = None,
            Some(_) => {}
            first => *first = Some(*owner),
        }
    }
    for (owner, &unit) in owners.iter_mut().zip(units) {
        *owner = owner.or(shared[unit].flatten());
    }
    owners
}
