//! Evidence by thread: a thread that has read a request, and waits for each answer of its calls, makes them for that request.
//!
//! One request that looks like this proves nothing: a goroutine may be moved off the thread that read its request and another one's
//! call be made there, with all of it in order by chance. So evidence is by process, and the whole recording must bear it out:
//!
//! - every response was begun by the thread that read the request, and no thread ever held two open requests (an event loop does);
//! - a thread that holds a request reads the answers of its calls itself, and has no two calls on different connections without an answer;
//! - two threads did hold requests at the same time: of requests that came one by one no more is known than that each was alone.

use std::collections::{HashMap, HashSet};

use reel_probes::event::Task;

use super::{Incoming, Outgoing};

/// For each call the request that its thread shows, if any.
pub fn owners(incoming: &[Incoming], outgoing: &[Outgoing], open: &[Vec<usize>]) -> Vec<Option<usize>> {
    let mut bound = processes(incoming);
    let held = |call: &Outgoing, open: &[usize]| open.iter().copied().find(|&i| incoming[i].reader == call.caller);
    let mut last: HashMap<Task, &Outgoing> = HashMap::new();
    for (call, open) in outgoing.iter().zip(open) {
        if held(call, open).is_none() {
            continue;
        }
        let is_read_by_other = call.answer.is_some_and(|(_, reader)| reader != call.caller);
        let before = last.insert(call.caller, call);
        let is_beside = before.is_some_and(|before| before.connection != call.connection && before.overlaps(call));
        if is_read_by_other || is_beside {
            bound.remove(&call.caller.tgid);
        }
    }
    let owner = |(call, open): (&Outgoing, &Vec<usize>)| held(call, open).filter(|_| bound.contains(&call.caller.tgid));
    outgoing.iter().zip(open).map(owner).collect()
}

/// The processes in which a request stays on its thread, as far as the requests show.
fn processes(incoming: &[Incoming]) -> HashSet<u32> {
    let (mut concurrent, mut loose) = (HashSet::new(), HashSet::new());
    let mut busy: HashMap<Task, u64> = HashMap::new();
    // The request of each process that was open for longest, and its thread.
    let mut latest: HashMap<u32, (u64, Task)> = HashMap::new();
    for request in incoming {
        let (reader, process) = (request.reader, request.reader.tgid);
        let until_ns = busy.entry(reader).or_default();
        if *until_ns > request.began_ns || request.writer.is_some_and(|writer| writer != reader) {
            loose.insert(process);
        }
        *until_ns = (*until_ns).max(request.ended_ns);
        match latest.get_mut(&process) {
            Some((ended_ns, thread)) => {
                if *ended_ns > request.began_ns && *thread != reader {
                    concurrent.insert(process);
                }
                if request.ended_ns >= *ended_ns {
                    (*ended_ns, *thread) = (request.ended_ns, reader);
                }
            }
            None => {
                latest.insert(process, (request.ended_ns, reader));
            }
        }
    }
    concurrent.difference(&loose).copied().collect()
}
