//! Attribution as transcripts: each step is a moment, in which a thread reads or writes.

use std::collections::{HashMap, VecDeque};

use super::value::Of;
use super::*;

/// What messages say; `?` cannot be read.
#[derive(Default)]
struct Told(HashMap<Of, Vec<Vec<u8>>>);

impl Told {
    fn says(&mut self, of: Of, value: String) {
        self.0.entry(of).or_default().push(value.into_bytes());
    }
}

impl Values for Told {
    fn each(&self, of: Of, is_wanted: &dyn Fn(&[u8]) -> bool, take: &mut dyn FnMut(&[u8])) -> bool {
        let said = self.0.get(&of).map_or(&[][..], Vec::as_slice);
        said.iter().filter(|value| is_wanted(value)).for_each(|value| take(value));
        said.iter().all(|value| !value.ends_with(b"?"))
    }

    fn has_unseen_calls(&self) -> bool {
        false
    }
}

/// A moment of a transcript: `A<1` thread 1 reads request A, `A>1` it writes the response; `x>1` it makes call x, `x<1` it reads the
/// answer. `x@7>1` makes it on connection 7, `x@+7>1` goes on there with the call before; each call else has a connection of its own. A
/// letter may carry a trace id, `A#id<1`, or what a program made up, `x$a>1`; `x$?<1` cannot be read.
fn check(steps: &str, expect: &str) {
    let mut told = Told::default();
    let (mut incoming, mut outgoing) = (Vec::<(String, Incoming)>::new(), Vec::<(String, Outgoing)>::new());
    for (moment, step) in steps.split_whitespace().enumerate() {
        let time_ns = 10 * (moment as u64 + 1);
        let at = step.find(['<', '>']).unwrap();
        let (what, thread) = (&step[..at], step[at + 1..].parse().unwrap());
        let task = Task { tgid: 1, tid: thread };
        let (what, value) = what.split_once('$').unwrap_or((what, ""));
        let (what, id) = what.split_once('#').unwrap_or((what, ""));
        let (name, connection) = what.split_once('@').unwrap_or((what, ""));
        let traced = format!("0123456789abcdef{id}");
        let headers = (!id.is_empty()).then_some(("x-request-id", traced.as_bytes()));
        let trace = TraceIds::in_headers(headers.into_iter());
        let reads = step.as_bytes()[at] == b'<';
        let mut says = |of: Of| {
            if !value.is_empty() {
                told.says(of, format!("6fa459ea-ee8a-3ca4-894e-db77e160355{value}"));
            }
        };
        match (name.chars().all(char::is_uppercase), reads) {
            (true, true) => {
                let request = Incoming { reader: task, writer: None, began_ns: time_ns, ended_ns: u64::MAX, trace };
                says(Of::Request(incoming.len()));
                incoming.push((name.to_owned(), request));
            }
            (true, false) => {
                let at = incoming.iter().position(|(known, _)| known == name).unwrap();
                says(Of::Response(at));
                let request = &mut incoming[at].1;
                (request.writer, request.ended_ns) = (Some(task), time_ns);
            }
            (false, false) => {
                let connection = Some(connection.parse().unwrap_or(100 + outgoing.len() as u32));
                let goes_on = what.contains('+');
                let before = || outgoing.iter().rposition(|(_, call)| call.connection == connection);
                let after = goes_on.then(before).flatten();
                let call = Outgoing { caller: task, connection, began_ns: time_ns, answer: None, trace, after };
                says(Of::Call(outgoing.len()));
                outgoing.push((name.to_owned(), call));
            }
            (false, true) => {
                let at = outgoing.iter().position(|(known, _)| known == name).unwrap();
                says(Of::Answer(at));
                outgoing[at].1.answer = Some((time_ns, task));
            }
        }
    }
    let requests: Vec<Incoming> = incoming.iter().map(|(_, request)| request.clone()).collect();
    let calls: Vec<Outgoing> = outgoing.iter().map(|(_, call)| call.clone()).collect();
    let name = |&i: &usize| incoming[i].0.clone();
    let shown: Vec<String> = attribute(&requests, &calls, &told)
        .into_iter()
        .zip(&outgoing)
        .map(|(cause, (call, _))| match cause {
            Cause::Certain(request, evidence) => format!("{call}={}:{evidence:?}", name(&request)).to_lowercase(),
            Cause::Candidates(requests) => {
                format!("{call}={}", requests.iter().map(name).collect::<Vec<_>>().join("|")).to_lowercase()
            }
            Cause::StartUp => format!("{call}=start"),
            Cause::Background => format!("{call}=background"),
        })
        .collect();
    assert_eq!(shown.join(" "), expect, "{steps}");
}

#[test]
fn a_call_beside_no_other_request_is_that_requests() {
    check("A<1 x>1 x<1 A>1 B<1 y>2 y<2 B>1", "x=a:window y=b:window");
}

#[test]
fn calls_outside_of_requests_are_start_up_or_background() {
    check("x>1 x<1 A<1 A>1 y>1 y<1", "x=start y=background");
    check("x>1", "x=start");
}

#[test]
fn threads_that_keep_their_request_are_evidence() {
    check("A<1 B<2 x>2 y>1 x<2 y<1 B>2 A>1", "x=b:thread y=a:thread");
}

#[test]
fn a_response_from_another_thread_makes_threads_no_evidence() {
    check("A<1 B<2 x>2 y>1 x<2 y<1 B>2 A>1 C<3 C>4", "x=a|b y=a|b");
}

#[test]
fn an_answer_read_by_another_thread_makes_threads_no_evidence() {
    check("A<1 B<2 x>2 y>1 x<3 y<1 B>2 A>1", "x=a|b y=a|b");
}

#[test]
fn two_calls_at_once_of_one_thread_make_threads_no_evidence() {
    check("A<1 B<2 x>2 y>2 x<2 y<2 B>2 A>1", "x=a|b y=a|b");
    // A pipeline is no such thing.
    check("A<1 B<2 x@7>2 y@7>2 x@7<2 y@7<2 B>2 A>1", "x=b:thread y=b:thread");
}

#[test]
fn a_request_that_waits_for_an_answer_makes_no_other_call() {
    // One thread, as an event loop; then one thread a step, as goroutines and hand-overs are.
    check("A<1 x>1 B<1 y>1 x<1 y<1 A>1 B>1", "x=a:window y=b:socket");
    check("A<1 x>2 B<3 y>4 x<5 y<6 A>7 B>8", "x=a:window y=b:socket");
}

#[test]
fn turns_that_come_together_stay_open_until_one_is_answered_first() {
    check("A<1 B<1 x>1 y>1 x<1 y<1 A>1 B>1", "x=a|b y=a|b");
    // When A is answered y is without an answer, so y is B's, and x is not.
    check("A<1 B<1 x>1 y>1 x<1 A>1 y<1 B>1", "x=a:socket y=b:socket");
    // z was made while only the request of x could go on.
    check("A<1 B<1 x>1 y>1 x<1 z>1 y<1 B>1 z<1 A>1", "x=a:socket y=b:socket z=a:socket");
}

#[test]
fn a_service_that_makes_calls_beside_each_other_is_found_out() {
    check("A<1 x>1 y>1 B<1 x<1 z>1 y<1 A>1 z<1 B>1", "x=a:window y=a:window z=a|b");
}

#[test]
fn calls_at_once_on_one_connection_are_no_contradiction() {
    check("A<1 x@7>1 y@7>1 x@7<1 y@7<1 A>1 B<1 C<1 B>1 z>1 z<1 C>1", "x=a:window y=a:window z=c:window");
    check("A<1 x@7>1 B<1 y@7>1 x@7<1 y@7<1 z@7>1 A>1 z@7<1 B>1", "x=a:window y=b:socket z=b:socket");
}

#[test]
fn calls_of_one_unit_are_of_one_request() {
    // B was not open when the transaction began.
    check("A<1 x@7>1 x@7<1 B<1 y@+7>1 z>1 y@7<1 z<1 A>1 B>1", "x=a:window y=a:socket z=b:socket");
    check("A<1 x@7>1 x@7<1 B<1 y>1 y<1 z@+7>1 z<1 A>1 B>1", "x=a:window y=a|b z=a:socket");
    // The data of a COPY follow at once, and are no call beside it.
    check("A<1 B<1 x@7>1 y@+7>1 z>1 y<1 x<1 A>1 z<1 B>1", "x=a:socket y=a:socket z=b:socket");
    // What tells of one tells of all.
    check("A#a<1 B#b<1 x@7#b>1 y>1 x<1 y<1 z@+7>1 w>1 z<1 w<1 A>1 B>1", "x=b:trace y=a:socket z=b:socket w=a:socket");
    check("A$a<1 B<1 x@7>1 x<1 y@+7$a>1 y<1 A>1 B>1", "x=a:socket y=a:value");
}

#[test]
fn an_app_that_shares_its_transactions_has_no_units() {
    check("A<1 x@7>1 x<1 A>1 B<1 C<1 y@+7>1 y<1 z@+7>1 z<1 B>1 C>1", "x=a:window y=b|c z=b|c");
    // One that began at the start, too.
    check("x@7>1 x<1 A<1 B<1 y@+7>1 y<1 A>1 B>1", "x=start y=a|b");
    // R is open all the time.
    check("R<1 A#a<1 x@7#a>1 x<1 A>1 B#b<1 y@+7#b>1 y<1 B>1 R>1", "x=a:trace y=b:trace");
}

#[test]
fn a_trace_id_tells_where_nothing_else_does() {
    check("A#a<1 B#b<1 x#b>1 y>1 x<1 y<1 A>1 B>1", "x=b:trace y=a:socket");
    // Two open requests share an id.
    check("A#a<1 B#a<1 x#a>1 y>1 x<1 y<1 A>1 B>1", "x=a|b y=a|b");
}

#[test]
fn what_a_trace_id_contradicts_is_open() {
    check("A#a<1 B#b<2 x#a>2 y>1 x<2 y<1 B>2 A>1", "x=a|b y=a:thread");
}

#[test]
fn what_only_one_request_can_have_known_is_evidence() {
    // The app made it up and gave it away in A's response; its own answer may have it, too.
    check("A<1 B<1 x$a>1 y>1 x<1 y<1 A$a>1 B>1", "x=a:value y=b:socket");
    check("A<1 B<1 x$a>1 y>1 x$a<1 y<1 A$a>1 B>1", "x=a:value y=b:socket");
    // A brought it.
    check("A$a<1 B<1 x$a>1 y>1 x<1 y<1 A>1 B>1", "x=a:value y=b:socket");
    check("A$a<1 B$b<1 y$b>1 x$a>1 x<1 y<1 A>1 B>1", "y=b:value x=a:value");
    // Who asks for it by itself is told nothing new.
    check("A$a<1 B<1 x$a>1 y>1 x<1 y<1 z$a>1 z$a<1 A>1 B>1", "x=a:value y=b:socket z=a:value");
    // A client comes back with it.
    check("A<1 B<1 x$a>1 y>1 x<1 y<1 A$a>1 B>1 C$a<1 z$a>1 z<1 C>1", "x=a:value y=b:socket z=c:window");
    // A makes two calls at once.
    check("A$a<1 B<1 x$a>1 y$a>1 x<1 y<1 A>1 B>1", "x=a:value y=a:value");
}

#[test]
fn what_others_may_have_known_is_no_evidence() {
    // Two requests have it, or a request and another one's response.
    check("A$a<1 B<1 x$a>1 y>1 x<1 y<1 A>1 B$a>1", "x=a|b y=a|b");
    check("A$a<1 B$a<1 x$a>1 y>1 x<1 y<1 A>1 B>1", "x=a|b y=a|b");
    check("A<1 B<1 x$a>1 y>1 x<1 y<1 A$a>1 B$a>1", "x=a|b y=a|b");
    // The app knew it before.
    check("C<1 w$a>1 w<1 C>1 A<1 B<1 x$a>1 y>1 x<1 y<1 A$a>1 B>1", "w=c:window x=a|b y=a|b");
    // B's call may have told A.
    check("A<1 B<1 x$a>1 y>1 x<1 y$a<1 A$a>1 B>1", "x=a|b y=a|b");
    // It is a constant of the app: a call that has it is another one's.
    check("A<1 B<1 x$a>1 y>1 x<1 y<1 A$a>1 z$a>1 z<1 B>1", "x=a|b y=a|b z=b:window");
    check("A<1 B#b<1 x$a>1 y>1 x<1 y<1 z#b$a>1 z<1 A$a>1 B>1", "x=a|b y=a|b z=b:trace");
    // What could not be read may have told B.
    check("A$a<1 B<1 w>1 y>1 w$?<1 x$a>1 y<1 x<1 A>1 B>1", "w=a|b y=a|b x=a|b");
    check("A$a<1 B$?<1 x$a>1 y>1 x<1 y<1 A>1 B>1", "x=a|b y=a|b");
    // It is nobody's, or that of a request that is over.
    check("A<1 B<1 x$a>1 y>1 x<1 y<1 A>1 B>1", "x=a|b y=a|b");
    check("C$a<1 C>1 A<1 B<1 x$a>1 y>1 x<1 y<1 A>1 B>1", "x=a|b y=a|b");
}

/// Services made up at random, whose truth is known.
mod made_up {
    use super::*;

    /// What a made-up service does.
    #[derive(Debug, Clone, Copy)]
    struct Service {
        clients: usize,
        requests: usize,
        /// Of 1,000 requests so many make two calls at once.
        beside_per_1000: u64,
        /// How long the one thread may be busy with other things before it takes a turn: what comes meanwhile is taken together.
        batch_ns: u64,
        /// Whether messages carry ids.
        has_ids: bool,
        /// How many connections requests wait for, each of which one holds for all of its calls; 0 for one a call.
        pool: usize,
        /// How long a request may go on after its last call.
        linger_ns: u64,
    }

    /// One that does one thing at a time.
    const SERVICE: Service = Service {
        clients: 1,
        requests: 1_000,
        beside_per_1000: 0,
        batch_ns: 50_000,
        has_ids: false,
        pool: 0,
        linger_ns: 0,
    };

    /// A generator of numbers (xorshift64*), the same each time.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, end: u64) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end
        }
    }

    /// Who makes one request after another, and where the service is with it.
    #[derive(Clone, Default)]
    struct Client {
        ready_ns: u64,
        request: Option<usize>,
        calls: u64,
        waits: Vec<usize>,
        connection: Option<u32>,
        lingers: bool,
    }

    const TASK: Task = Task { tgid: 1, tid: 1 };

    /// A service at work: one thread runs everything in turns.
    struct World<'a> {
        service: Service,
        dice: &'a mut Dice,
        now_ns: u64,
        clients: Vec<Client>,
        /// Connections that nobody holds, and who waits for one.
        free: Vec<u32>,
        queue: VecDeque<usize>,
        incoming: Vec<Incoming>,
        outgoing: Vec<Outgoing>,
        truth: Vec<usize>,
    }

    impl World<'_> {
        fn new(service: Service, dice: &mut Dice) -> World<'_> {
            let mut clients = vec![Client::default(); service.clients];
            clients.iter_mut().for_each(|client| client.ready_ns = 1 + dice.below(5_000_000));
            let free = (0..service.pool as u32).collect();
            let (incoming, outgoing, truth) = (Vec::new(), Vec::new(), Vec::new());
            World { service, dice, now_ns: 0, clients, free, queue: VecDeque::new(), incoming, outgoing, truth }
        }

        /// What became ready is read first, then each goes on, in a random order.
        fn run(mut self) -> Self {
            while self.incoming.len() < self.service.requests
                || self.clients.iter().any(|client| client.request.is_some())
            {
                let next_ns = self.clients.iter().map(|client| client.ready_ns).min().unwrap_or(0);
                self.now_ns = self.now_ns.max(next_ns) + self.dice.below(self.service.batch_ns);
                let is_ready = |c: &usize| self.clients[*c].ready_ns <= self.now_ns;
                let mut ready: Vec<usize> = (0..self.clients.len()).filter(is_ready).collect();
                ready.iter().for_each(|&c| self.read(c));
                while !ready.is_empty() {
                    self.now_ns += 1_000;
                    let c = ready.swap_remove(self.dice.below(ready.len() as u64) as usize);
                    self.go_on(c);
                }
            }
            self
        }

        /// Reads a request, or the answers that it waits for.
        fn read(&mut self, c: usize) {
            self.now_ns += 1_000;
            let (client, began_ns) = (&mut self.clients[c], self.now_ns);
            if client.request.is_none() {
                client.request = Some(self.incoming.len());
                let trace = TraceIds::default();
                self.incoming.push(Incoming { reader: TASK, writer: None, began_ns, ended_ns: u64::MAX, trace });
            }
            for call in client.waits.drain(..) {
                self.outgoing[call].answer = Some((began_ns, TASK));
            }
        }

        fn go_on(&mut self, c: usize) {
            let Client { request: Some(request), calls, lingers, .. } = self.clients[c] else { return };
            match calls {
                3 if !lingers && self.service.linger_ns > 0 => self.linger(c),
                3 => self.respond(c, request),
                _ if self.has_connection(c) => self.call(c, request),
                _ => {}
            }
        }

        /// Gives its connection to the next, and works on.
        fn linger(&mut self, c: usize) {
            let client = &mut self.clients[c];
            client.lingers = true;
            client.ready_ns = self.now_ns + self.dice.below(self.service.linger_ns);
            self.free.extend(client.connection.take());
            if let Some(next) = self.queue.pop_front() {
                self.clients[next].ready_ns = self.now_ns;
            }
        }

        fn respond(&mut self, c: usize, request: usize) {
            (self.incoming[request].ended_ns, self.incoming[request].writer) = (self.now_ns, Some(TASK));
            let is_over = self.incoming.len() >= self.service.requests;
            let ready_ns = if is_over { u64::MAX } else { self.now_ns + 100_000 + self.dice.below(1_000_000) };
            self.clients[c] = Client { ready_ns, ..Client::default() };
        }

        /// Whether it has a connection, or needs none; else it waits for one.
        fn has_connection(&mut self, c: usize) -> bool {
            let client = &mut self.clients[c];
            if self.service.pool == 0 || client.connection.is_some() {
                return true;
            }
            client.connection = self.free.pop();
            if client.connection.is_none() {
                client.ready_ns = u64::MAX;
                self.queue.push_back(c);
            }
            client.connection.is_some()
        }

        fn call(&mut self, c: usize, request: usize) {
            let client = &mut self.clients[c];
            let at_once = if self.dice.below(1000) < self.service.beside_per_1000 { 2 } else { 1 };
            for _ in 0..at_once {
                self.now_ns += 1_000;
                client.waits.push(self.outgoing.len());
                self.truth.push(request);
                let own = (self.service.pool + self.outgoing.len()) as u32;
                let (connection, trace) = (client.connection.or(Some(own)), TraceIds::default());
                let began_ns = self.now_ns;
                self.outgoing.push(Outgoing { caller: TASK, connection, began_ns, answer: None, trace, after: None });
            }
            client.calls += 1;
            client.ready_ns = self.now_ns + 1_000_000 + self.dice.below(8_000_000);
        }
    }

    /// What the messages of a service say: each request is given an id, which half of its calls carry; a third of all calls have a constant
    /// of the app, which one answer gives away; and a dependency tells some requests what another one made up, which their next calls carry.
    fn words(incoming: &[Incoming], outgoing: &[Outgoing], truth: &[usize], dice: &mut Dice) -> Told {
        let id = |request: usize| format!("6fa459ea-ee8a-3ca4-894e-db77{request:08x}");
        let mut told = Told::default();
        for request in 0..incoming.len() {
            told.says(Of::Response(request), id(request));
        }
        let constant = id(usize::MAX >> 40);
        told.says(Of::Response(incoming.len() / 2), constant.clone());
        let mut heard: HashMap<usize, (usize, u64)> = HashMap::new();
        for (call, &request) in (0..outgoing.len()).zip(truth) {
            if let Some((other, at_ns)) = heard.get(&request)
                && *at_ns < outgoing[call].began_ns
            {
                told.says(Of::Call(call), id(*other));
            }
            match dice.below(6) {
                0..3 => told.says(Of::Call(call), id(request)),
                3 | 4 => told.says(Of::Call(call), constant.clone()),
                _ => {
                    // One that is near enough to be open at the same time.
                    let other = request.saturating_sub(8) + dice.below(16) as usize;
                    told.says(Of::Answer(call), id(other));
                    heard.insert(request, (other, outgoing[call].until_ns()));
                }
            }
        }
        told
    }

    /// Of 10,000 calls, how many are attributed wrongly or to candidates without the true one, and how many stay open.
    fn measure(service: Service, seed: u64) -> (usize, usize, usize) {
        let dice = &mut Dice(seed);
        let World { incoming, outgoing, truth, dice, .. } = World::new(service, dice).run();
        let told = if service.has_ids { words(&incoming, &outgoing, &truth, dice) } else { Told::default() };
        let causes = attribute(&incoming, &outgoing, &told);
        let wrong = causes.iter().zip(&truth).filter(|(cause, truth)| match cause {
            Cause::Certain(request, _) => request != *truth,
            Cause::Candidates(requests) => !requests.contains(truth),
            Cause::StartUp | Cause::Background => true,
        });
        let open = causes.iter().filter(|cause| matches!(cause, Cause::Candidates(_)));
        (wrong.count(), open.count(), causes.len())
    }

    #[test]
    fn of_a_service_that_does_one_thing_at_a_time_nothing_is_wrong() {
        for (clients, batch_ns) in [(2, 10_000), (4, 100_000), (16, 10_000), (16, 1_000_000), (64, 200_000)] {
            let service = Service { clients, batch_ns, ..SERVICE };
            let (wrong, open, calls) = measure(service, 88_172_645_463_325_252);
            println!("{clients} clients, turns of {batch_ns} ns: {wrong} wrong, {open} open of {calls}");
            assert_eq!(wrong, 0);
        }
    }

    #[test]
    fn of_a_service_that_makes_calls_beside_each_other_less_than_one_in_a_thousand_is_wrong() {
        for (clients, beside_per_1000) in [(2, 1), (4, 1), (4, 5), (16, 1), (16, 20), (64, 2), (64, 500), (16, 1000)] {
            for has_ids in [false, true] {
                let service = Service { clients, requests: 3_400, beside_per_1000, has_ids, ..SERVICE };
                let (wrong, open, calls) = measure(service, 6_364_136_223_846_793_005);
                let ids = if has_ids { ", with ids" } else { "" };
                println!(
                    "{clients} clients, {beside_per_1000} of 1000 beside{ids}: {wrong} wrong, {open} open of {calls}"
                );
                assert!(wrong * 1000 < calls, "{wrong} of {calls} are wrong");
            }
        }
    }

    /// Requests that wait for a connection leave much room: little contradicts what is taken to do one thing at a time and does not.
    #[test]
    fn of_a_short_recording_nothing_is_concluded_that_was_not_tried() {
        for (clients, requests) in [(8, 8), (32, 32), (16, 100)] {
            for (batch_ns, linger_ns) in [(200_000, 1_000_000), (200_000, 8_000_000), (2_000_000, 8_000_000)] {
                for beside_per_1000 in [0, 100, 340] {
                    let service =
                        Service { clients, requests, beside_per_1000, batch_ns, pool: 5, linger_ns, ..SERVICE };
                    let each = (1..100).map(|seed| measure(service, seed * 6_364_136_223_846_793));
                    let (wrong, open, calls) =
                        each.fold((0, 0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1, sum.2 + next.2));
                    println!("{service:?}: {wrong} wrong, {open} open of {calls}");
                    assert_eq!(wrong, 0);
                }
            }
        }
    }
}
