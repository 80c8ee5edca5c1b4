//! How well calls are attributed to the requests that caused them: services that tag each call with the truth.
//!
//! Each request makes three calls, one after another. The dependency answers after a short time that varies, so that requests that
//! run beside each other interleave. The tag is in the path of a call, and is too short to be an id; but for two services, no header
//! tells of it either.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use reel::recording::{Recording, Scope};
use reel_lang::schema::Side;

use crate::process::{Running, free_port, root, test_env};

/// How many calls a request makes.
const CALLS_EACH: usize = 3;
/// The shortest and the longest time in which the dependency answers, in microseconds.
const DELAY_US: std::ops::Range<u64> = 1_000..9_000;

/// A service that tags its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    JavaThreads,
    PythonThreads,
    PythonPool,
    Asyncio,
    Node,
    Go,
    /// Makes two calls at the same time.
    NodeBeside,
    /// Hands its clients' `X-Request-Id` on, too.
    NodeTraced,
    /// Makes two calls at the same time, and makes up an id for each request, which its calls and its answer carry.
    NodeMade,
}

impl Service {
    pub const ALL: [Service; 9] = [
        Service::JavaThreads,
        Service::PythonThreads,
        Service::PythonPool,
        Service::Asyncio,
        Service::Node,
        Service::Go,
        Service::NodeBeside,
        Service::NodeTraced,
        Service::NodeMade,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Service::JavaThreads => "Java, a thread a request",
            Service::PythonThreads => "Python, a thread a client",
            Service::PythonPool => "Python, reader and workers",
            Service::Asyncio => "asyncio",
            Service::Node => "Node",
            Service::Go => "Go",
            Service::NodeBeside => "Node, two calls at once",
            Service::NodeTraced => "Node, two at once, traced",
            Service::NodeMade => "Node, two at once, with ids",
        }
    }

    /// The share of calls that may stay open at 16 clients or fewer, where there is a target.
    pub fn max_open_share(self) -> Option<f64> {
        match self {
            Service::JavaThreads | Service::PythonThreads => Some(0.05),
            Service::Asyncio | Service::Node => Some(0.3),
            Service::PythonPool | Service::Go | Service::NodeBeside | Service::NodeTraced | Service::NodeMade => None,
        }
    }

    /// The program that runs it.
    pub fn program(self) -> PathBuf {
        match self {
            Service::JavaThreads => "java".into(),
            Service::PythonThreads | Service::PythonPool | Service::Asyncio => "python3".into(),
            Service::Node | Service::NodeBeside | Service::NodeTraced | Service::NodeMade => "node".into(),
            Service::Go => test_env().join("go-routines"),
        }
    }

    fn command(self) -> Vec<OsString> {
        let source = match self {
            Service::JavaThreads => {
                let source = root().join("tests/apps/attribution/Threads.java");
                return vec!["java".into(), "-Djava.net.preferIPv4Stack=true".into(), source.into()];
            }
            Service::PythonThreads => "threads.py",
            Service::PythonPool => "pool.py",
            Service::Asyncio => "loop.py",
            Service::Node | Service::NodeBeside | Service::NodeTraced | Service::NodeMade => "loop.js",
            Service::Go => return vec![self.program().into()],
        };
        vec![self.program().into(), root().join("tests/apps/attribution").join(source).into()]
    }
}

/// What became of the calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub right: usize,
    /// Another request's, nobody's, or one of several of which none is the right one.
    pub wrong: usize,
    /// One of several, with the right one.
    pub open: usize,
    /// How those that are certain were found, by the recording's word.
    pub evidence: BTreeMap<&'static str, usize>,
}

impl Tally {
    pub fn calls(&self) -> usize {
        self.right + self.wrong + self.open
    }

    /// A share of all calls.
    pub fn share(&self, count: usize) -> f64 {
        count as f64 / self.calls().max(1) as f64
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |count| 100.0 * self.share(count);
        let [right, wrong, open] = [self.right, self.wrong, self.open].map(percent);
        let found: Vec<String> = self.evidence.iter().map(|(word, count)| format!("{word} {count}")).collect();
        write!(f, "{:>6} calls: {right:>6.2} % right {wrong:>6.3} % wrong {open:>6.2} % open", self.calls())?;
        write!(f, "   ({})", found.join(", "))
    }
}

/// Records a service under so many clients at once, and compares whose each call is said to be with its tag.
///
/// # Errors
/// Something did not start, or the recording is not whole.
pub fn measure(reel: &Path, service: Service, clients: usize, calls: usize) -> Result<Tally> {
    let (folder, port, dependency) = (tempfile::tempdir()?, free_port()?, dependency()?);
    let recording = folder.path().join("recording");
    let mut command = Command::new(reel);
    command.args(["record", "--listen-timeout", "120", "-o"]).arg(&recording).arg("--").args(service.command());
    command.env("PORT", port.to_string()).env("DEPENDENCY", dependency.to_string());
    if matches!(service, Service::NodeBeside | Service::NodeTraced | Service::NodeMade) {
        command.env("BESIDE", "1");
    }
    if service == Service::NodeMade {
        command.env("MADE", "1");
    }
    let complaints = std::fs::File::create(folder.path().join("stderr"))?;
    let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(complaints))?;
    running.wait_listening(port)?;
    let requests = calls.div_ceil(CALLS_EACH * clients);
    let driven = drive(service, port, clients, requests);
    let pid = rustix::process::Pid::from_child(&running.0);
    rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
    let status = running.0.wait()?;
    let said = std::fs::read_to_string(folder.path().join("stderr")).unwrap_or_default();
    driven.with_context(|| said.clone())?;
    ensure!(status.success(), "reel record: {status}\n{said}");
    let tally = tally(&recording)?;
    ensure!(tally.calls() == requests * clients * CALLS_EACH, "{} calls were recorded: {said}", tally.calls());
    Ok(tally)
}

/// Compares the recording with the tags in it.
fn tally(dir: &Path) -> Result<Tally> {
    let recording = Recording::open(dir).map_err(|error| anyhow!("{error:?}"))?;
    let mut owners: HashMap<_, Vec<_>> = HashMap::new();
    for test in recording.tests() {
        let id = test.title.rsplit('/').next().unwrap_or_default();
        for effect in &test.effects {
            owners.entry(effect.call).or_default().push((id.to_owned(), effect.attribution));
        }
    }
    let mut tally = Tally::default();
    for outline in recording.mocks() {
        let mock = recording.mock(outline).map_err(|error| anyhow!("{error:?}"))?;
        let protocol = reel_protocols::by_name(&mock.exchange.protocol).context("a protocol")?;
        let request = mock.exchange.request.as_ref().context("a request")?;
        let field = protocol.schema().field(Side::Request, "path").context("a path")?;
        let path = request.field(field.id).as_str().context("a path of text")?;
        let truth = path.split('/').nth(2).context("a tag")?;
        let owners = owners.get(&outline.id).map(Vec::as_slice).unwrap_or_default();
        let is_among = owners.iter().any(|(id, _)| id == truth);
        match owners {
            [(_, attribution)] if is_among && attribution.is_certain() => {
                tally.right += 1;
                *tally.evidence.entry(attribution.name()).or_default() += 1;
            }
            _ if is_among && mock.scope == Scope::Test => tally.open += 1,
            _ => tally.wrong += 1,
        }
    }
    Ok(tally)
}

/// Sends requests from so many clients at once, each one after the other; with ids in their headers where the service is to hand them on.
fn drive(service: Service, port: u16, clients: usize, requests: usize) -> Result<()> {
    let client = |client: usize| -> Result<()> {
        let mut connection = BufReader::new(TcpStream::connect(("127.0.0.1", port))?);
        connection.get_ref().set_nodelay(true)?;
        for number in 0..requests {
            let trace = if service == Service::NodeTraced {
                format!("X-Request-Id: trace-{client}-{number}\r\n")
            } else {
                String::new()
            };
            let request = format!("GET /work/{client}-{number} HTTP/1.1\r\nHost: service.test\r\n{trace}\r\n");
            connection.get_mut().write_all(request.as_bytes())?;
            let (first, length) = head(&mut connection)?;
            ensure!(first.contains(" 200 "), "the service answers {first}");
            connection.read_exact(&mut vec![0; length])?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        running.into_iter().try_for_each(|client| client.join().map_err(|_| anyhow!("a client panicked"))?)
    })
}

/// Starts a dependency, which answers each request after a time that its path decides; it ends with this process.
fn dependency() -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(connection));
        }
    });
    Ok(address)
}

fn answer(connection: TcpStream) -> Result<()> {
    connection.set_nodelay(true)?;
    let mut connection = BufReader::new(connection);
    loop {
        let (first, _) = head(&mut connection)?;
        let mut hasher = DefaultHasher::new();
        first.hash(&mut hasher);
        std::thread::sleep(Duration::from_micros(DELAY_US.start + hasher.finish() % (DELAY_US.end - DELAY_US.start)));
        connection.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
    }
}

/// Reads a message's head: its first line, and how long the body is.
fn head(connection: &mut impl BufRead) -> Result<(String, usize)> {
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    connection.read_line(&mut first)?;
    ensure!(!first.is_empty(), "the connection is over");
    while {
        line.clear();
        connection.read_line(&mut line)?
    } > 2
    {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    Ok((first, length))
}
