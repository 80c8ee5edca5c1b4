//! Which request caused which outgoing call.
//!
//! An answer is certain or it is a set of candidates; nothing is guessed. Two things make it certain:
//!
//! - **thread**: the thread that made the call had read exactly one request that was still open. That is sound only where the
//!   runtime keeps a request on its thread, so it counts for a process only if the whole recording bears it out: every response
//!   was written by the thread that read the request, and no thread ever held two open requests (an event loop does; goroutines
//!   move).
//! - **window**: exactly one request was open in the whole app when the call began.
//!
//! Otherwise every request that was open is a candidate. A call before the first request belongs to the start-up; one while no
//! request was open belongs to the set as a whole.

use std::collections::{HashMap, HashSet};

use reel_probes::event::Task;

/// A request to the app, as far as attribution needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incoming {
    /// Read the request's first byte.
    pub reader: Task,
    /// Wrote the response's first byte; absent where there was no response.
    pub writer: Option<Task>,
    pub began_ns: u64,
    /// When the response's last byte was written.
    pub ended_ns: u64,
}

/// A call of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    pub caller: Task,
    pub began_ns: u64,
}

/// What makes an attribution certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Evidence {
    Thread,
    Window,
}

/// Whose a call is. Numbers are indices of the incoming requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    Certain(usize, Evidence),
    /// One of these, at least two, in their order.
    Candidates(Vec<usize>),
    /// Before the first request.
    StartUp,
    /// While no request was open.
    Background,
}

/// Attributes each call. Requests must be in the order in which they began.
pub fn attribute(incoming: &[Incoming], outgoing: &[Outgoing]) -> Vec<Cause> {
    let steady = steady_processes(incoming);
    let first_ns = incoming.first().map_or(u64::MAX, |request| request.began_ns);
    let longest_ns = incoming.iter().map(|r| r.ended_ns.saturating_sub(r.began_ns)).max().unwrap_or(0);
    outgoing
        .iter()
        .map(|call| {
            if call.began_ns < first_ns {
                return Cause::StartUp;
            }
            let open = open_at(incoming, call.began_ns, longest_ns);
            cause(incoming, &open, call, steady.contains(&call.caller.tgid))
        })
        .collect()
}

fn cause(incoming: &[Incoming], open: &[usize], call: &Outgoing, steady: bool) -> Cause {
    let mine = || open.iter().copied().find(|&i| incoming[i].reader == call.caller);
    match open {
        [] => Cause::Background,
        [only] => Cause::Certain(*only, Evidence::Window),
        _ => match mine().filter(|_| steady) {
            Some(request) => Cause::Certain(request, Evidence::Thread),
            None => Cause::Candidates(open.to_vec()),
        },
    }
}

/// The requests that were open at a time. None is open for longer than `longest_ns`, which bounds the search.
fn open_at(incoming: &[Incoming], time_ns: u64, longest_ns: u64) -> Vec<usize> {
    let from = incoming.partition_point(|request| request.began_ns < time_ns.saturating_sub(longest_ns));
    let to = incoming.partition_point(|request| request.began_ns <= time_ns);
    (from..to.max(from)).filter(|&i| incoming[i].ended_ns >= time_ns).collect()
}

/// The processes in which a request stays on its thread, as far as this recording shows.
fn steady_processes(incoming: &[Incoming]) -> HashSet<u32> {
    let mut steady: HashSet<u32> = incoming.iter().map(|request| request.reader.tgid).collect();
    let mut busy_until: HashMap<Task, u64> = HashMap::new();
    for request in incoming {
        let until = busy_until.entry(request.reader).or_default();
        let overlaps = *until > request.began_ns;
        *until = (*until).max(request.ended_ns);
        if overlaps || request.writer.is_some_and(|writer| writer != request.reader) {
            steady.remove(&request.reader.tgid);
        }
    }
    steady
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(tid: u32) -> Task {
        Task { tgid: 1, tid }
    }

    fn request(tid: u32, began_ns: u64, ended_ns: u64) -> Incoming {
        Incoming { reader: task(tid), writer: Some(task(tid)), began_ns, ended_ns }
    }

    fn call(tid: u32, began_ns: u64) -> Outgoing {
        Outgoing { caller: task(tid), began_ns }
    }

    #[test]
    fn a_call_in_an_exclusive_window_is_certain_whatever_its_thread() {
        let causes = attribute(&[request(1, 10, 20), request(1, 30, 40)], &[call(9, 15), call(9, 35)]);
        assert_eq!(causes, [Cause::Certain(0, Evidence::Window), Cause::Certain(1, Evidence::Window)]);
    }

    #[test]
    fn threads_that_keep_their_request_are_evidence() {
        let causes = attribute(&[request(1, 10, 20), request(2, 11, 21)], &[call(2, 15), call(1, 16), call(3, 17)]);
        assert_eq!(
            causes,
            [Cause::Certain(1, Evidence::Thread), Cause::Certain(0, Evidence::Thread), Cause::Candidates(vec![0, 1])]
        );
    }

    #[test]
    fn an_event_loop_gives_candidates() {
        let causes = attribute(&[request(1, 10, 20), request(1, 11, 21)], &[call(1, 15)]);
        assert_eq!(causes, [Cause::Candidates(vec![0, 1])]);
    }

    #[test]
    fn one_response_from_another_thread_makes_threads_no_evidence() {
        let moved = Incoming { writer: Some(task(7)), ..request(3, 50, 60) };
        let causes = attribute(&[request(1, 10, 20), request(2, 11, 21), moved], &[call(2, 15)]);
        assert_eq!(causes, [Cause::Candidates(vec![0, 1])]);
    }

    #[test]
    fn calls_outside_of_requests_are_start_up_or_background() {
        let causes = attribute(&[request(1, 10, 20)], &[call(1, 5), call(1, 25)]);
        assert_eq!(causes, [Cause::StartUp, Cause::Background]);
        assert_eq!(attribute(&[], &[call(1, 5)]), [Cause::StartUp]);
    }
}
