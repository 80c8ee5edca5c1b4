//! The tests, one after another.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reel_lang::schema::Side;
use reel_lang::value::Value;

use super::client::Client;
use super::flows::{Flows, Sent};
use super::host::{AppHost, Ended};
use super::outcome::{Answer, Left, Reply, Run, TestOutcome};
use crate::exit::{Exit, Failure};
use crate::flow::Given;
use crate::matching::{Difference, SECRET};
use crate::mock::server::{Server, Stopped};
use crate::mock::{Aliases, Book, Effects, LeftOver, Mock};
use crate::recording::{Error, Owner, Recording, Test, TestOutline, secrets, wire_bytes};
use crate::rules::{Rules, Unmet, View};

/// How long the app is watched after its last test: a crash that its last request caused is seen then.
const AFTERMATH: Duration = Duration::from_millis(100);

/// How a replay is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only tests whose file or title contains this text.
    pub only: Option<String>,
    /// How long the app may take to listen.
    pub listen_at_most: Duration,
    /// How long a test's response may take.
    pub test_at_most: Duration,
    /// How long expected calls may come after the response.
    pub settle_at_most: Duration,
    /// What the app connects to, where that is not what was recorded.
    pub aliases: Aliases,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            only: None,
            listen_at_most: Duration::from_secs(30),
            test_at_most: Duration::from_secs(10),
            settle_at_most: Duration::from_millis(500),
            aliases: Aliases::default(),
        }
    }
}

/// Who wants to know how far a replay is.
pub trait Watch {
    /// So many tests will be run.
    fn begins(&mut self, _tests: usize) {}
    /// A test is done.
    fn done(&mut self, _test: &TestOutcome) {}
}

impl Watch for () {}

/// Replays a recording. `secrets` are the tokens whose values its requests send.
///
/// # Errors
/// What kept the tests from being run at all.
pub fn replay(
    recording: &Arc<Recording>,
    secrets: &[(String, Bytes)],
    rules: Arc<dyn Rules>,
    options: &Options,
    host: &mut dyn AppHost,
    watch: &mut dyn Watch,
) -> Result<Run, Failure> {
    let chosen = choose(recording, options)?;
    let book = Book::new(recording.clone(), rules.clone()).map_err(damaged)?;
    let mut mock = Mock::new(rules.clone(), book).with_aliases(options.aliases.clone());
    // Where only some tests run, a rule of the others has nothing to meet.
    if options.only.is_none() {
        for (id, origin) in rules.relaxing() {
            mock.ledger().usage.expect(id, &origin);
        }
    }
    let flows = Flows::of(recording, &chosen);
    mock.ledger().wanted = flows.calls();
    // What flows say of a token is known when its request is sent.
    let given: HashSet<&str> = chosen.iter().flat_map(|test| test.given.iter().map(|token| &**token)).collect();
    for (token, value) in secrets.iter().filter(|(token, _)| !given.contains(token.as_str())) {
        // Each token is seen for the first time here, so nothing can contradict it.
        let _ = mock.ledger().equality.pair(SECRET, token.as_bytes(), value);
    }
    let server = Server::start(mock, host.resolver())
        .map_err(|e| Failure::new(Exit::Machine, format!("cannot listen for the app's connections: {e}")))?;
    let mut wanted: Vec<u16> = chosen.iter().map(|test| test.addr.port()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let listening = host.start(server.addrs(), &wanted, options.listen_at_most)?;
    watch.begins(chosen.len());
    let client = Client::new(options.test_at_most);
    let as_recorded = Arc::new(Effects::default());
    let mut session = Session { recording, secrets, rules, options, server, listening, client, flows, as_recorded };
    let run = session.run(&chosen, host, watch);
    let refused_datagrams = host.refused_datagrams();
    host.stop();
    run.map(|run| Run { refused_datagrams, ..run })
}

fn damaged(reason: String) -> Failure {
    Failure::new(Exit::Recording, reason)
}

/// The tests to run.
fn choose<'a>(recording: &'a Recording, options: &Options) -> Result<Vec<&'a TestOutline>, Failure> {
    let chosen = recording.chosen(options.only.as_deref());
    match (chosen.is_empty(), &options.only) {
        (false, _) => Ok(chosen),
        (true, Some(text)) if !recording.tests().is_empty() => {
            let count = recording.tests().len();
            Err(Failure::new(Exit::Usage, format!("no test matches `{text}`: none of {count} was run"))
                .remedy("`reel show DIR` lists the tests"))
        }
        (true, _) => Err(Failure::new(Exit::Usage, format!("{} has no tests", recording.dir.display()))
            .remedy("record again, with requests to the app while it runs")),
    }
}

struct Session<'a> {
    recording: &'a Recording,
    /// Tokens and their values.
    secrets: &'a [(String, Bytes)],
    rules: Arc<dyn Rules>,
    options: &'a Options,
    server: Server,
    listening: Vec<SocketAddr>,
    client: Client,
    flows: Flows,
    /// What most tests' calls come to.
    as_recorded: Arc<Effects>,
}

impl Session<'_> {
    fn run(&mut self, chosen: &[&TestOutline], host: &mut dyn AppHost, watch: &mut dyn Watch) -> Result<Run, Failure> {
        let tests = Vec::with_capacity(chosen.len());
        let mut run = Run { dir: self.recording.dir.clone(), tests, ..Run::default() };
        for test in chosen {
            let outcome = match &run.ended {
                Some(reason) => self.outcome(test, Reply::NotRun(reason.to_string())),
                None => self.test(test, host)?,
            };
            if run.ended.is_none() {
                run.ended = host.ended(Duration::ZERO);
            }
            watch.done(&outcome);
            run.tests.push(outcome);
        }
        run.clock = host.clock();
        run.flowed = self.flows.used();
        run.unflowed = self.flows.unused();
        let ran: Vec<_> = chosen.iter().map(|test| test.id).collect();
        // What the start-up still owes.
        self.server.with(Mock::no_test)?;
        self.server.settle(self.options.settle_at_most)?;
        run.ended = run.ended.or_else(|| host.ended(AFTERMATH));
        // An app that is done after its last response is not at fault; one that crashes there is.
        if run.is_last_passed() && run.ended.as_ref().is_some_and(Ended::is_success) {
            run.ended = None;
        }
        let (run, fault) = self.server.with(move |mock| {
            mock.account(&ran);
            run.take_account(mock);
            run.left_over = mock.left_over(&ran).into_iter().map(left_over).collect();
            (run, mock.fault())
        })?;
        fault.map_or(Ok(run), |reason| Err(damaged(reason)))
    }

    fn test(&mut self, outline: &TestOutline, host: &mut dyn AppHost) -> Result<TestOutcome, Failure> {
        let mut test = self.recording.test(outline)?;
        let sent = match self.prepare(&mut test)? {
            Ok(sent) => sent,
            // Without the value it would be another request, whose answer says nothing.
            Err(reason) => {
                self.flows.answered(&test, None);
                return Ok(self.outcome(outline, Reply::Failed(reason)));
            }
        };
        let id = test.id;
        let instant_ns = self.recording.instant_ns(id);
        self.server.with(move |mock| {
            mock.begin(id);
            mock.ledger().flowed(sent.values);
            for (token, value) in sent.secrets {
                // Where it stood for another value before, the comparison that meets it says so.
                let _ = mock.ledger().equality.pair(SECRET, &token, &value);
            }
        })?;
        host.step(instant_ns);
        let (reply, unmet, answer) = match self.send(&test)? {
            Ok(answer) => {
                let pairs = self.flows.answered(&test, Some(&answer));
                let compared = self.compare(&test, answer)?;
                // An answer is held to what was known before it.
                self.server.with(move |mock| mock.ledger().flowed(pairs))?;
                compared
            }
            Err(reason) => {
                self.flows.answered(&test, None);
                (Reply::Failed(reason), Vec::new(), None)
            }
        };
        self.server.settle(self.options.settle_at_most)?;
        let (mut effects, fault) = self.server.with(|mock| (mock.end(), mock.fault()))?;
        if let Some(reason) = fault {
            return Err(damaged(reason));
        }
        // A report tells of calls that were not as recorded; the others would only fill the memory.
        effects.answered.retain(|answered| !answered.differences.is_empty());
        let mut outcome = self.outcome(outline, reply);
        if !effects.is_clean() {
            outcome.effects = Arc::new(effects);
        }
        Ok(TestOutcome { answer: answer.map(Box::new), unmet, ..outcome })
    }

    /// Puts the values into a test's request that the recording does not have.
    fn prepare(&mut self, test: &mut Test) -> Result<Result<Sent, String>, Failure> {
        let template = test.exchange.request.clone();
        secrets::fill(&mut test.exchange, self.secrets);
        let calls = match test.flows.iter().any(|flow| matches!(flow.from, Owner::Mock(_))) {
            true => self.server.with(|mock| mock.ledger().given.clone())?,
            false => Given::new(),
        };
        Ok(match template {
            Some(template) => self.flows.fill(self.recording, test, &template, &calls),
            None => Ok(Sent::default()),
        })
    }

    fn outcome(&self, test: &TestOutline, reply: Reply) -> TestOutcome {
        TestOutcome {
            id: test.id,
            title: test.title.to_string(),
            file: self.recording.file(test).to_owned(),
            reply,
            answer: None,
            unmet: Vec::new(),
            effects: self.as_recorded.clone(),
        }
    }

    fn send(&mut self, test: &Test) -> Result<Result<Answer, String>, Error> {
        // An HTTP request means the same on any connection.
        let connection = match test.exchange.protocol.as_str() {
            "http" => None,
            _ => self.recording.timing(Owner::Test(test.id)).map(|at| at.connection),
        };
        Ok(self.ask(test, connection))
    }

    /// Sends a test's request and reads the answer.
    fn ask(&mut self, test: &Test, connection: Option<u32>) -> Result<Answer, String> {
        let exchange = &test.exchange;
        let protocol = reel_protocols::by_name(&exchange.protocol)
            .ok_or_else(|| format!("this version of reel has no protocol `{}`", exchange.protocol))?;
        // What was cut can neither be sent nor be compared.
        for message in exchange.request.iter().chain(&exchange.interim).chain(&exchange.response) {
            if message.cut_from.is_some() {
                wire_bytes(protocol, message).map_err(|reason| format!("{reason}: record it with a higher limit"))?;
            }
        }
        let addr = reachable(exchange.destination.addr, &self.listening);
        self.client.exchange(addr, protocol, exchange, connection)
    }

    /// Compares an answer with the recorded one, on the mock's thread, since what a run remembers lies there. One that differs is
    /// given back.
    fn compare(&self, test: &Test, answer: Answer) -> Result<(Reply, Vec<Unmet>, Option<Answer>), Stopped> {
        let (rules, recorded) = (self.rules.clone(), test.exchange.clone());
        self.server.with(move |mock| {
            let Some(protocol) = reel_protocols::by_name(&recorded.protocol) else {
                return (Reply::Failed("no such protocol".into()), Vec::new(), None);
            };
            let view = View::of(protocol, &recorded);
            let relaxations = rules.relaxations(Side::Response, &view);
            let mut differences = Vec::new();
            let (was, is) = (recorded.interim.len(), answer.interim.len());
            if was != is {
                differences.push(count_differs(was, is));
            }
            let mut matcher = mock.ledger().matcher(rules.as_ref());
            let pairs = recorded.interim.iter().zip(&answer.interim);
            for (was, is) in pairs.chain(recorded.response.iter().zip(&answer.response)) {
                differences.extend(matcher.compare(protocol.schema(), Side::Response, was, is, &relaxations));
            }
            let replayed = View { response: answer.response.as_ref(), ..view };
            let mut unmet = rules.unmet(Side::Request, &View { response: None, ..view });
            unmet.extend(rules.unmet(Side::Response, &replayed));
            let answer = (!differences.is_empty()).then_some(answer);
            (Reply::Compared(differences), unmet, answer)
        })
    }
}

fn count_differs(was: usize, is: usize) -> Difference {
    Difference {
        path: "interim responses".into(),
        recorded: Value::from(was as u64),
        replayed: Value::from(is as u64),
        why: "their number changed".into(),
    }
}

fn left_over(left: LeftOver) -> Left {
    let LeftOver { entry, owners } = left;
    let destination = entry.exchange.destination.addr;
    Left { mock: entry.id.clone(), destination, title: entry.title.clone(), owners }
}

/// Where the app can be reached now that was reached at `recorded` then.
fn reachable(recorded: SocketAddr, listening: &[SocketAddr]) -> SocketAddr {
    let same_port = |addr: &&SocketAddr| addr.port() == recorded.port();
    let exact = listening.iter().filter(same_port).find(|addr| addr.ip() == recorded.ip());
    let family = listening.iter().filter(same_port).find(|addr| addr.is_ipv4() == recorded.is_ipv4());
    // An app that chooses its port anew is reached at the only place where it listens.
    let only = if let [only] = listening { Some(only) } else { None };
    let any = exact.or(family).or_else(|| listening.iter().find(same_port)).or(only).copied().unwrap_or(recorded);
    let ip = match any.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        // A socket that listens on `::` mostly takes IPv4 as well, and the recorded family is the better guess.
        IpAddr::V6(ip) if ip.is_unspecified() && recorded.is_ipv4() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, any.port())
}
