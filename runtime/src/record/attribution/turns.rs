//! Evidence by socket: where a request does one thing at a time, one that waits for an answer makes no other call.
//!
//! The hypothesis, for one process: a request is read, makes calls one after another, each of which is answered before it goes on,
//! and is answered last. Then whoever made a call is a request that was open from the call to its answer, and calls that were all
//! without an answer at some moment are of as many requests ([`distinct`]). What no assignment uses is struck out until nothing
//! changes. Reading a request and writing its response are certain, so what several turns at once leave open is often settled
//! by who is answered first.
//!
//! It says nothing of threads, so it holds for event loops, goroutines and pools alike, however a request is handed from one thread to
//! another: by a queue and a futex, an eventfd or a pipe. Following such a wake-up itself would be worse: which thread takes which
//! entry of a shared queue cannot be seen, and a lock or a collector of garbage wakes threads too.
//!
//! A service that makes calls beside each other contradicts it: sooner or later a call is left with nobody. [`MAX_STRAYS_PER_1000`] of
//! these may be what the app does by itself (a timer, a pool's heartbeat); with more, the process is taken not to do one thing at a time, and
//! nothing is concluded. Before that a weaker hypothesis is tried, that allows a request several calls at once on one connection
//! (pipelining). About calls that overlap one that was left with nobody nothing is concluded either.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Incoming, Outgoing, distinct};

/// How many of 1,000 calls may contradict.
const MAX_STRAYS_PER_1000: usize = 1;
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

/// For each call whom the sockets leave, in order; none where nothing can be concluded. `known` are certain already.
pub fn domains(
    incoming: &[Incoming],
    outgoing: &[Outgoing],
    open: &[Vec<usize>],
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
        let calls: Vec<&Outgoing> = places.iter().map(|&i| &outgoing[i]).collect();
        let start: Vec<Vec<usize>> = places
            .iter()
            .map(|&i| match known[i] {
                Some(request) => vec![request],
                None => {
                    let until_ns = outgoing[i].until_ns();
                    let is_possible =
                        |request: &Incoming| request.reader.tgid == process && request.ended_ns >= until_ns;
                    open[i].iter().copied().filter(|&request| is_possible(&incoming[request])).collect()
                }
            })
            .collect();
        let solved = [Waiting::Idle, Waiting::Pipelining].into_iter().find_map(|waiting| {
            let turns = Turns::new(&calls, start.clone(), waiting)?.solve();
            turns.is_borne_out().then_some(turns)
        });
        let Some(turns) = solved else { continue };
        let doubtful = turns.doubtful();
        for (n, domain) in turns.domains.into_iter().enumerate().filter(|(n, _)| !doubtful.contains(n)) {
            found[places[n]] = Some(domain);
        }
    }
    found
}

/// The calls of one process under one hypothesis.
struct Turns {
    domains: Vec<Vec<usize>>,
    /// For each call those that were without an answer when it began, of which no two can be of one request, itself the last.
    moments: Vec<Vec<u32>>,
    /// Behind the last call that began before this one was answered.
    ends: Vec<usize>,
    /// Calls that were left with nobody.
    strays: HashSet<usize>,
}

impl Turns {
    /// None where too many calls overlap.
    fn new(calls: &[&Outgoing], domains: Vec<Vec<usize>>, waiting: Waiting) -> Option<Turns> {
        let mut moments = Vec::with_capacity(calls.len());
        let mut unanswered: Vec<u32> = Vec::new();
        let mut pairs = 0;
        for (n, call) in calls.iter().enumerate() {
            unanswered.retain(|&m| calls[m as usize].until_ns() > call.began_ns);
            let mut moment: Vec<u32> = Vec::new();
            let mut connections: HashMap<u32, u64> = call.connection.iter().map(|&one| (one, call.began_ns)).collect();
            for &m in &unanswered {
                // Of calls that may be of one request, one is taken: what was sent at once may be, whatever follows it.
                let other = calls[m as usize];
                let began_ns = other.connection.and_then(|one| connections.get(&one).copied());
                let may_be_one = began_ns.is_some_and(|at| waiting == Waiting::Pipelining || at == other.began_ns);
                if !may_be_one {
                    other.connection.map(|one| connections.insert(one, other.began_ns));
                    moment.push(m);
                }
            }
            moment.push(n as u32);
            unanswered.push(n as u32);
            pairs += moment.len();
            if pairs > MAX_PAIRS {
                return None;
            }
            moments.push(moment);
        }
        let end =
            |(n, call): (usize, &&Outgoing)| calls.partition_point(|other| other.began_ns < call.until_ns()).max(n + 1);
        let ends = calls.iter().enumerate().map(end).collect();
        Some(Turns { domains, moments, ends, strays: HashSet::new() })
    }

    /// Strikes out until nothing changes.
    fn solve(mut self) -> Turns {
        let count = self.domains.len();
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
                let moments = changed..self.ends[changed];
                queue.extend(moments.filter(|&next| !std::mem::replace(&mut is_queued[next], true)));
            }
        }
        self
    }

    /// Strikes out what the moment of a call tells, and gives the calls for which that left less.
    fn look(&mut self, n: usize) -> Vec<usize> {
        let members = self.moments[n].iter().map(|&m| m as usize).filter(|m| !self.strays.contains(m));
        let (settled, unsettled): (Vec<usize>, Vec<usize>) = members.partition(|&m| self.domains[m].len() == 1);
        let mut owners: Vec<(usize, usize)> = settled.into_iter().map(|m| (self.domains[m][0], m)).collect();
        owners.sort_unstable();
        for pair in owners.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            self.strays.insert(pair[1].1);
        }
        let is_free = |request: &usize| owners.binary_search_by_key(request, |&(owner, _)| owner).is_err();
        let mut left: Vec<Vec<usize>> =
            unsettled.iter().map(|&m| self.domains[m].iter().copied().filter(is_free).collect()).collect();
        if !distinct::filter(&mut left) {
            // Without the call that came last, the moment before had an answer.
            self.strays.insert(n);
            return Vec::new();
        }
        let mut changed = Vec::new();
        for (m, domain) in unsettled.into_iter().zip(left) {
            if domain.len() < self.domains[m].len() {
                self.domains[m] = domain;
                changed.push(m);
            }
        }
        changed
    }

    fn is_borne_out(&self) -> bool {
        self.strays.len() <= self.domains.len() * MAX_STRAYS_PER_1000 / 1000
    }

    /// The calls that overlap a stray one.
    fn doubtful(&self) -> HashSet<usize> {
        let is_stray = |moment: &&Vec<u32>| moment.iter().any(|&m| self.strays.contains(&(m as usize)));
        let beside = self.moments.iter().filter(is_stray).flatten().map(|&m| m as usize);
        beside.chain(self.strays.iter().copied()).collect()
    }
}
