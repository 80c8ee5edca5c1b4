//! Which request caused which outgoing call.
//!
//! An answer is certain or it is a set of candidates; nothing is guessed. What makes it certain, in this order:
//!
//! - **thread** ([`threads`]): the thread that made the call had read exactly one request that was still open. That is sound only
//!   where a request stays on its thread and the thread waits for each answer, which the whole recording must bear out.
//! - **socket** ([`turns`]): every other request that was open is accounted for by the sockets: it was waiting for the answer of a
//!   call, or was itself answered while this call was not. It does not matter which thread, queue, futex or pipe handed the request on. It is
//!   sound where a request does one thing at a time, which the whole recording must bear out, too.
//! - **trace** ([`trace`]): the call carries the trace id of exactly one request that was open.
//! - **value** ([`value`]): the call carries what a program made up (an id, a token), and only one request that was open can have known
//!   it. It is looked for only where none of the above tells.
//! - **window**: exactly one request was open in the whole app when the call began.
//!
//! Calls of one unit ([`units`]: a transaction, the data of a COPY) are of one request, so what tells of one of them tells of all.
//!
//! Otherwise the requests that were open are candidates, without those that the sockets rule out. Where a trace id contradicts a
//! thread or a socket, both requests are. What trace ids and values tell of some calls may settle others by their sockets.
//!
//! A call before the first request belongs to the start-up; one while no request was open belongs to
//! the set as a whole.

mod distinct;
mod threads;
pub mod trace;
mod turns;
mod units;
pub mod value;

use reel_probes::event::Task;

use trace::TraceIds;
use value::Values;

/// A request to the app, as far as attribution needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Read the request's first byte.
    pub reader: Task,
    /// Wrote the response's first byte; absent where there was no response.
    pub writer: Option<Task>,
    pub began_ns: u64,
    /// When the response's last byte was written.
    pub ended_ns: u64,
    pub trace: TraceIds,
}

/// A call of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub caller: Task,
    /// Counts connections; absent for one that was refused.
    pub connection: Option<u32>,
    pub began_ns: u64,
    /// When and by which thread the answer's first byte was read; absent where none came.
    pub answer: Option<(u64, Task)>,
    pub trace: TraceIds,
    /// An earlier call that this one goes on with.
    pub after: Option<usize>,
}

impl Outgoing {
    /// When the request that made the call could go on: a call without an answer holds nobody up.
    fn until_ns(&self) -> u64 {
        self.answer.map_or(self.began_ns, |(time_ns, _)| time_ns.max(self.began_ns))
    }

    /// Whether two calls were both without an answer at some moment.
    fn overlaps(&self, other: &Outgoing) -> bool {
        self.began_ns < other.until_ns() && other.began_ns < self.until_ns()
    }
}

/// What makes an attribution certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Evidence {
    Thread,
    Socket,
    Trace,
    Value,
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

/// Attributes each call. Both must be in the order in which they began; `values` are looked into where nothing else tells.
pub fn attribute(incoming: &[Incoming], outgoing: &[Outgoing], values: &dyn Values) -> Vec<Cause> {
    let first_ns = incoming.first().map_or(u64::MAX, |request| request.began_ns);
    let open = open_requests(incoming, outgoing);
    let by_thread = threads::owners(incoming, outgoing, &open);
    let by_trace: Vec<Option<usize>> =
        outgoing.iter().zip(&open).map(|(call, open)| trace::owner(incoming, call, open)).collect();
    let seen: Vec<Option<usize>> = by_thread.iter().zip(&by_trace).map(|(thread, trace)| thread.or(*trace)).collect();
    let units = units::find(outgoing, &open, &seen);
    let common = units::narrow(&units, &open);
    let by_socket = turns::domains(incoming, outgoing, &common, &units, &by_thread);
    let causal = |i: usize| by_thread[i].or_else(|| only(by_socket[i].as_deref())).or(by_trace[i]);
    let told = units::share(&units, (0..outgoing.len()).map(causal).collect());
    let certain: Vec<Option<usize>> =
        told.iter().zip(&common).map(|(told, common)| told.or(only(Some(common)))).collect();
    let untold: Vec<usize> = (0..outgoing.len()).filter(|&i| common[i].len() > 1 && certain[i].is_none()).collect();
    let mut by_value = value::owners(incoming, outgoing, &common, (&untold, &certain), values);
    for (owner, domain) in by_value.iter_mut().zip(&by_socket) {
        // What the sockets rule out is no evidence.
        *owner = owner.filter(|owner| domain.as_ref().is_none_or(|domain| domain.contains(owner)));
    }
    let known = told.iter().zip(&by_value).map(|(told, value)| told.or(*value)).collect();
    let known = units::share(&units, known);
    // Where these show that requests do several things at a time, nothing more is concluded from sockets.
    let is_told = by_trace.iter().chain(&by_value).any(Option::is_some);
    let settled = is_told.then(|| turns::domains(incoming, outgoing, &common, &units, &known));
    let settled = settled.as_ref().unwrap_or(&by_socket);
    (0..outgoing.len())
        .map(|i| {
            let found = Found {
                open: &open[i],
                common: &common[i],
                thread: by_thread[i],
                socket: only(by_socket[i].as_deref()),
                trace: by_trace[i],
                value: by_value[i],
                unit: known[i].or(only(Some(&common[i]))),
                domain: settled[i].as_deref(),
            };
            if outgoing[i].began_ns < first_ns { Cause::StartUp } else { found.cause() }
        })
        .collect()
}

/// What is known of one call.
struct Found<'a> {
    /// The requests that were open when it began.
    open: &'a [usize],
    /// Those that were open when each call of its unit began.
    common: &'a [usize],
    thread: Option<usize>,
    socket: Option<usize>,
    trace: Option<usize>,
    value: Option<usize>,
    /// Whose the other calls of its unit are.
    unit: Option<usize>,
    /// Whom the sockets leave, the trace ids and values of other calls considered.
    domain: Option<&'a [usize]>,
}

impl Found<'_> {
    fn cause(&self) -> Cause {
        let is_alone = self.open.len() == 1;
        let causal = match (self.thread, self.socket) {
            (Some(request), _) => Some((request, Evidence::Thread)),
            (None, Some(request)) if !is_alone => Some((request, Evidence::Socket)),
            _ => None,
        };
        match (causal, self.trace, self.open) {
            (_, _, []) => Cause::Background,
            (Some((request, _)), Some(traced), _) if request != traced => {
                Cause::Candidates(vec![request.min(traced), request.max(traced)])
            }
            (Some((request, evidence)), ..) => Cause::Certain(request, evidence),
            (None, Some(traced), _) => Cause::Certain(traced, Evidence::Trace),
            (None, None, [request]) => Cause::Certain(*request, Evidence::Window),
            (None, None, _) => match (self.value, self.unit, self.domain) {
                (Some(request), ..) => Cause::Certain(request, Evidence::Value),
                (None, Some(request), _) => Cause::Certain(request, Evidence::Socket),
                (None, None, Some([request])) => Cause::Certain(*request, Evidence::Socket),
                (None, None, Some(domain)) if !domain.is_empty() => Cause::Candidates(domain.to_vec()),
                _ => Cause::Candidates(self.common.to_vec()),
            },
        }
    }
}

fn only(domain: Option<&[usize]>) -> Option<usize> {
    match domain {
        Some([request]) => Some(*request),
        _ => None,
    }
}

/// For each call the requests that were open when it began, in their order.
fn open_requests(incoming: &[Incoming], outgoing: &[Outgoing]) -> Vec<Vec<usize>> {
    let mut open: Vec<usize> = Vec::new();
    let mut next = 0;
    let each = |call: &Outgoing| {
        while incoming.get(next).is_some_and(|request| request.began_ns <= call.began_ns) {
            open.push(next);
            next += 1;
        }
        open.retain(|&i| incoming[i].ended_ns >= call.began_ns);
        open.clone()
    };
    outgoing.iter().map(each).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
