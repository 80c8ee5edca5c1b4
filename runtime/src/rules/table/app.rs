//! An app that plays its part from a transcript: for each request the calls that it makes, and what it answers.
//!
//! Its connections are real ones, to the mock on loopback; where each was meant to go is told to the mock by the port that it
//! comes from, as the kernel's redirection does.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reel_lang::schema::Side;
use reel_protocols::{Demand, Frame, Pairing, Rest};
use rustix::net::{AddressFamily, SocketType};

use super::traffic::{Line, http_response};
use crate::exit::{Exit, Failure};
use crate::mock::server::Resolver;
use crate::replay::{AppHost, Ended};

/// How long the app waits for an answer: a rule that holds one back for longer is seen as silence.
const PATIENCE: Duration = Duration::from_millis(1500);
/// A delay of rules is told from a slow machine by being longer than this.
const SLOW: Duration = Duration::from_millis(700);
/// How long an opaque answer is listened to.
const QUIET: Duration = Duration::from_millis(30);

/// What the app does for one request.
struct Part {
    /// The request's first two words; none for what it does before it listens.
    request: String,
    /// The body that it expects; where there is one, what it was sent is told.
    body: String,
    calls: Vec<String>,
    response: String,
    /// The calls after the response.
    later: Vec<String>,
}

/// What is shared between the app, the mock and the test.
#[derive(Default)]
struct Shared {
    meant: HashMap<SocketAddr, SocketAddr>,
    /// What the app saw of each call.
    seen: String,
    is_ended: bool,
}

/// The app.
pub(super) struct Transcript {
    parts: Arc<Vec<Part>>,
    shared: Arc<Mutex<Shared>>,
    stop: Arc<AtomicBool>,
    at: Option<SocketAddr>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Transcript {
    pub(super) fn new(text: &str) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let Some(call) = line.strip_prefix("  ") else {
                let (request, response) = line.split_once("=>").unwrap_or((line, ""));
                let words: Vec<&str> = request.trim().splitn(3, ' ').collect();
                let (calls, later) = (Vec::new(), Vec::new());
                let body = words.get(2).copied().unwrap_or_default().to_owned();
                let request = words[..words.len().min(2)].join(" ");
                parts.push(Part { request, body, calls, response: response.trim().to_owned(), later });
                continue;
            };
            let part = parts.last_mut().unwrap_or_else(|| panic!("`{line}` belongs to no request"));
            match call.strip_prefix("later ") {
                Some(call) => part.later.push(call.to_owned()),
                None => part.calls.push(call.to_owned()),
            }
        }
        let shared = Arc::default();
        Transcript { parts: Arc::new(parts), shared, stop: Arc::default(), at: None, thread: None }
    }

    /// Adds to what was seen.
    pub(super) fn note(&self, text: &str) {
        self.shared.lock().unwrap().seen += text;
    }

    /// What the app saw of its calls.
    pub(super) fn seen(&self) -> String {
        self.shared.lock().unwrap().seen.clone()
    }
}

impl AppHost for Transcript {
    fn resolver(&mut self) -> Resolver {
        let shared = self.shared.clone();
        Box::new(move |client| shared.lock().unwrap().meant.get(&client).copied())
    }

    fn start(&mut self, mock: &[SocketAddr], _: &[u16], _: Duration) -> Result<Vec<SocketAddr>, Failure> {
        if self.parts.iter().any(|part| part.request == "deaf") {
            return Err(Failure::new(Exit::App, "the app listened on no TCP port"));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = listener.local_addr().unwrap();
        self.at = Some(at);
        let mut player = Player { mock: mock[0], shared: self.shared.clone(), links: HashMap::new() };
        let (parts, stop) = (self.parts.clone(), self.stop.clone());
        for part in parts.iter().filter(|part| part.request == "start") {
            part.calls.iter().for_each(|call| player.call(call));
        }
        self.thread = Some(std::thread::spawn(move || {
            for client in listener.incoming() {
                match client {
                    Ok(client) if !stop.load(Ordering::SeqCst) => player.serve(client, &parts),
                    _ => return,
                }
            }
        }));
        Ok(vec![at])
    }

    fn ended(&mut self, _: Duration) -> Option<Ended> {
        self.shared.lock().unwrap().is_ended.then(|| Ended::Exited(ExitStatus::from_raw(3 << 8)))
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(at) = self.at {
            let _ = TcpStream::connect(at);
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Plays the parts.
struct Player {
    mock: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    links: HashMap<SocketAddr, TcpStream>,
}

impl Player {
    fn serve(&mut self, mut client: TcpStream, parts: &[Part]) {
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.windows(4).any(|four| four == b"\r\n\r\n") {
            match client.read(&mut buffer) {
                Ok(len) if len > 0 => request.extend_from_slice(&buffer[..len]),
                _ => return,
            }
        }
        let head = request.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0) + 4;
        let text = String::from_utf8_lossy(&request).into_owned();
        let named = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse::<usize>().ok());
        while request.len() < head + named.unwrap_or(0) {
            match client.read(&mut buffer) {
                Ok(len) if len > 0 => request.extend_from_slice(&buffer[..len]),
                _ => return,
            }
        }
        let words: Vec<&str> = text.split(' ').take(2).collect();
        let part = parts.iter().find(|part| part.request == words.join(" "));
        let part = part.unwrap_or_else(|| panic!("the app has no part for {words:?}"));
        if !part.body.is_empty() {
            let body = String::from_utf8_lossy(&request[head..]).into_owned();
            self.shared.lock().unwrap().seen += &format!("app: was sent {body}\n");
        }
        part.calls.iter().for_each(|call| self.call(call));
        match part.response.as_str() {
            "hang up" => {}
            "end" => self.shared.lock().unwrap().is_ended = true,
            // The client goes when it has waited long enough.
            "silence" => drop(client.read(&mut buffer)),
            response => {
                let response = match response.strip_prefix("raw ") {
                    Some(raw) => raw.replace("\\r", "\r").replace("\\n", "\n"),
                    None => http_response(response),
                };
                client.write_all(response.as_bytes()).unwrap();
            }
        }
        part.later.iter().for_each(|call| self.call(call));
    }

    /// Makes a call and notes what came of it.
    fn call(&mut self, text: &str) {
        let line = Line::call(text.strip_prefix("new ").unwrap_or(text));
        if text.starts_with("new ") {
            self.links.remove(&line.server);
        }
        let began = Instant::now();
        let answer = self.ask(&line);
        let slow = if began.elapsed() > SLOW && answer != "silence" { ", late" } else { "" };
        let mut shared = self.shared.lock().unwrap();
        shared.seen += &format!("app: {text}: {answer}{slow}\n");
    }

    fn ask(&mut self, line: &Line) -> String {
        let mut stream = match self.links.remove(&line.server) {
            Some(stream) => stream,
            None => match self.connect(line.server) {
                Ok(stream) => stream,
                Err(error) => return broken(&error),
            },
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let answer = stream.write_all(line.request.as_bytes()).and_then(|()| read(&mut stream, line));
        match answer {
            Ok(bytes) if bytes.is_empty() => "closed".to_owned(),
            Ok(bytes) => {
                self.links.insert(line.server, stream);
                bytes.escape_ascii().to_string()
            }
            Err(error) => broken(&error),
        }
    }

    /// Connects to the mock, which is told before that another server is meant.
    fn connect(&self, server: SocketAddr) -> std::io::Result<TcpStream> {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
        rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let local = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
        self.shared.lock().unwrap().meant.insert(local, server);
        rustix::net::connect(&socket, &self.mock)?;
        Ok(TcpStream::from(socket))
    }
}

fn broken(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "silence".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "reset".to_owned(),
        ErrorKind::ConnectionRefused => "refused".to_owned(),
        kind => kind.to_string(),
    }
}

/// Reads one answer; nothing where the connection was closed instead.
fn read(stream: &mut TcpStream, line: &Line) -> std::io::Result<Vec<u8>> {
    let protocol = reel_protocols::by_name(&line.protocol).unwrap();
    let mut codec = protocol.codec();
    if protocol.framed()
        && let Ok(Frame::Message { message, .. }) =
            codec.frame(Side::Request, line.request.as_bytes(), Rest::Open, Demand::ALL)
    {
        codec.pair(&message);
    }
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let len = match stream.read(&mut buffer) {
            Err(error) if !protocol.framed() && !bytes.is_empty() && broken(&error) == "silence" => return Ok(bytes),
            Err(error) => return Err(error),
            Ok(len) => len,
        };
        bytes.extend_from_slice(&buffer[..len]);
        if !protocol.framed() {
            stream.set_read_timeout(Some(QUIET))?;
        }
        let mut at = 0;
        while let Ok(Frame::Message { message, len }) =
            codec.frame(Side::Response, &bytes[at..], Rest::Open, Demand::ALL)
            && protocol.framed()
        {
            at += len;
            if !matches!(codec.pair(&message), Pairing::Interim) {
                return Ok(bytes);
            }
        }
        if len == 0 {
            return Ok(bytes);
        }
    }
}
