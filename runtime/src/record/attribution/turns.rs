//! Evidence by socket: where a request does one thing at a time, one that waits for an answer makes no other call.
//!
//! The hypothesis, for one process: a request is read, makes calls one after another, each of which is answered before it goes on,
//! and is answered last. Then whoever made a call is a request that was open from the call to its answer, and calls that were all
//! without an answer at some moment are of as many requests ([`distinct`]), but for those of one unit ([`units`]). What no assignment uses
//! is struck out until nothing changes. Reading a request and writing its response are certain, so what several turns at once leave
//! open is often settled by who is answered first.
//!
//! It says nothing of threads, so it holds for event loops, goroutines and pools alike, however a request is handed from one thread to
//! another: by a queue and a futex, an eventfd or a pipe. Following such a wake-up itself would be worse: which thread takes which
//! entry of a shared queue cannot be seen, and a lock or a collector of garbage wakes threads too.
//!
//! A service that makes calls beside each other contradicts it: sooner or later a call is left with nobody. [`MAX_STRAYS_PER_1000`] of
//! these may be what the app does by itself (a timer, a pool's heartbeat); with more, the process is taken not to do one thing at a time, and
//! nothing is concluded. Nor is it from a hypothesis that was hardly tried: where most requests wait for a connection rather than
//! an answer, little can contradict it. So it must have settled two thirds of what was open, or [`MIN_SETTLED`] units, each of which it
//! might have failed at. Before that a weaker hypothesis is tried, that allows a request several calls at once on one connection
//! (pipelining). About calls that overlap one that was left with nobody nothing is concluded either.
//!
//! [`units`]: super::units

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;

use super::{Incoming, Outgoing, distinct};

/// How many of 1,000 calls may contradict.
const MAX_STRAYS_PER_1000: usize = 1;
/// So many units that it settles are enough, if they are not two thirds.
const MIN_SETTLED: usize = 100;
/// The most pairs of calls of a process that overlap: with more, nothing is concluded.
const MAX_PAIRS: usize = 1 << 26;
/// The most moments that are looked at for each call: what is not settled by then stays open.
const MAX_LOOKS: usize = 256;

/// What a request may do while it waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// Nothing.
    Idle,
    /// Further calls on the same connection.
    Pipelining,
}

/// For each call whom the sockets leave, in order; none where nothing can be concluded. `open` are those that a unit leaves, `units` tells
/// for each call the first one of its unit, and `known` are certain already.
pub fn domains(
    incoming: &[Incoming],
    outgoing: &[Outgoing],
    open: &[Vec<usize>],
    units: &[usize],
    known: &[Option<usize>],
) -> Vec<Option<Vec<usize>>> {
    let mut found = vec![None; outgoing.len()];
    let processes: HashSet<u32> = incoming.iter().map(|request| request.reader.tgid).collect();
    let mut of_process: HashMap<u32, Vec<usize>> = HashMap::new();
    for (i, call) in outgoing.iter().enumerate().filter(|(_, call)| processes.contains(&call.caller.tgid)) {
        // A call while no request of the process was open is the app's own, and contradicts nothing.
        if open[i].iter().any(|&request| incoming[request].reader.tgid == call.caller.tgid) {
            of_process.entry(call.caller.tgid).or_default().push(i);
        }
    }
    for (process, places) in of_process {
        let domain = |i: usize| match known[i] {
            Some(request) => vec![request],
            None => {
                let until_ns = outgoing[i].until_ns();
                let is_possible = |request: &Incoming| request.reader.tgid == process && request.ended_ns >= until_ns;
                open[i].iter().copied().filter(|&request| is_possible(&incoming[request])).collect()
            }
        };
        let start = Start::new(places.iter().map(|&i| (units[i], &outgoing[i], domain(i))));
        let solved = [Waiting::Idle, Waiting::Pipelining].into_iter().find_map(|waiting| {
            let turns = Turns::new(&start, waiting)?.solve();
            (turns.is_borne_out() && turns.is_tried(&start)).then_some(turns)
        });
        let Some(turns) = solved else { continue };
        let doubtful = turns.doubtful();
        for (&place, &unit) in places.iter().zip(&start.units) {
            found[place] = (!doubtful.contains(&unit)).then(|| turns.domains[unit].clone());
        }
    }
    found
}

/// The calls of one process, before anything is concluded.
struct Start<'a> {
    calls: Vec<&'a Outgoing>,
    /// The unit of each call.
    units: Vec<usize>,
    /// Whose each unit can be.
    domains: Vec<Vec<usize>>,
}

impl<'a> Start<'a> {
    /// Calls in order, each with a name of its unit, and whose it can be.
    fn new(found: impl Iterator<Item = (usize, &'a Outgoing, Vec<usize>)>) -> Self {
        let mut start = Start { calls: Vec::new(), units: Vec::new(), domains: Vec::new() };
        let mut numbers: HashMap<usize, usize> = HashMap::new();
        for (name, call, domain) in found {
            let unit = *numbers.entry(name).or_insert(start.domains.len());
            match start.domains.get_mut(unit) {
                Some(known) => known.retain(|request| domain.contains(request)),
                None => start.domains.push(domain),
            }
            start.calls.push(call);
            start.units.push(unit);
        }
        start
    }
}

/// The calls of one process under one hypothesis.
struct Turns {
    /// Whose each unit can be.
    domains: Vec<Vec<usize>>,
    /// For each call the units that were without an answer when it began, of which no two can be of one request, its own the last.
    moments: Vec<Vec<u32>>,
    /// For each unit the moments that it is in: those of its calls, up to the last call that began before each was answered.
    spans: Vec<Vec<Range<usize>>>,
    /// Units that were left with nobody.
    strays: HashSet<usize>,
}

impl Turns {
    /// None where too many calls overlap.
    fn new(start: &Start<'_>, waiting: Waiting) -> Option<Turns> {
        let Start { calls, units, domains } = start;
        let mut moments = Vec::with_capacity(calls.len());
        let mut spans = vec![Vec::new(); domains.len()];
        let mut unanswered: Vec<usize> = Vec::new();
        let mut pairs = 0;
        for (n, call) in calls.iter().enumerate() {
            unanswered.retain(|&m| calls[m].until_ns() > call.began_ns);
            let mut moment: Vec<u32> = Vec::new();
            let mut taken = HashSet::from([units[n]]);
            let mut connections: HashMap<u32, u64> = call.connection.iter().map(|&one| (one, call.began_ns)).collect();
            for &m in &unanswered {
                // Of calls that may be of one request, one is taken: what was sent at once may be, whatever follows it.
                let other = calls[m];
                let began_ns = other.connection.and_then(|one| connections.get(&one).copied());
                let may_be_one = began_ns.is_some_and(|at| waiting == Waiting::Pipelining || at == other.began_ns);
                if !may_be_one && taken.insert(units[m]) {
                    other.connection.map(|one| connections.insert(one, other.began_ns));
                    moment.push(units[m] as u32);
                }
            }
            moment.push(units[n] as u32);
            unanswered.push(n);
            pairs += moment.len();
            if pairs > MAX_PAIRS {
                return None;
            }
            moments.push(moment);
            let end = calls.partition_point(|other| other.began_ns < call.until_ns()).max(n + 1);
            spans[units[n]].push(n..end);
        }
        Some(Turns { domains: domains.clone(), moments, spans, strays: HashSet::new() })
    }

    /// Strikes out until nothing changes.
    fn solve(mut self) -> Turns {
        let count = self.moments.len();
        let mut queue: VecDeque<usize> = (0..count).collect();
        let mut is_queued = vec![true; count];
        let mut looks = count.saturating_mul(MAX_LOOKS);
        while let Some(n) = queue.pop_front() {
            is_queued[n] = false;
            if looks == 0 || !self.is_borne_out() {
                break;
            }
            looks -= 1;
            for changed in self.look(n) {
                let moments = self.spans[changed].iter().cloned().flatten();
                queue.extend(moments.filter(|&next| !std::mem::replace(&mut is_queued[next], true)));
            }
        }
        self
    }

    /// Strikes out what the moment of a call tells, and gives the units for which that left less.
    fn look(&mut self, n: usize) -> Vec<usize> {
        let members = self.moments[n].iter().map(|&unit| unit as usize).filter(|unit| !self.strays.contains(unit));
        let (settled, unsettled): (Vec<usize>, Vec<usize>) = members.partition(|&unit| self.domains[unit].len() == 1);
        let mut owners: Vec<(usize, usize)> = settled.into_iter().map(|unit| (self.domains[unit][0], unit)).collect();
        owners.sort_unstable();
        for pair in owners.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            self.strays.insert(pair[1].1);
        }
        let is_free = |request: &usize| owners.binary_search_by_key(request, |&(owner, _)| owner).is_err();
        let mut left: Vec<Vec<usize>> =
            unsettled.iter().map(|&unit| self.domains[unit].iter().copied().filter(is_free).collect()).collect();
        if !distinct::filter(&mut left) {
            // Without the call that came last, the moment before had an answer.
            self.strays.extend(self.moments[n].last().map(|&unit| unit as usize));
            return Vec::new();
        }
        let mut changed = Vec::new();
        for (unit, domain) in unsettled.into_iter().zip(left) {
            if domain.len() < self.domains[unit].len() {
                self.domains[unit] = domain;
                changed.push(unit);
            }
        }
        changed
    }

    fn is_borne_out(&self) -> bool {
        self.strays.len() <= self.domains.len() * MAX_STRAYS_PER_1000 / 1000
    }

    /// Whether enough was settled that might have been contradicted.
    fn is_tried(&self, start: &Start<'_>) -> bool {
        let was_open = start.domains.iter().zip(&self.domains).filter(|(before, _)| before.len() > 1);
        let (open, settled) =
            was_open.fold((0, 0), |(open, settled), (_, after)| (open + 1, settled + usize::from(after.len() == 1)));
        settled >= MIN_SETTLED || settled * 3 >= open * 2
    }

    /// The units that overlap a stray one.
    fn doubtful(&self) -> HashSet<usize> {
        let is_stray = |moment: &&Vec<u32>| moment.iter().any(|&unit| self.strays.contains(&(unit as usize)));
        let beside = self.moments.iter().filter(is_stray).flatten().map(|&unit| unit as usize);
        beside.chain(self.strays.iter().copied()).collect()
    }
}
