//! The client that sends a test's request to the app and reads what comes back.
//!
//! HTTP requests each have a connection of their own; a protocol whose connections remember what was said before gets the
//! connections that were recorded.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use reel_lang::schema::Side;
use reel_protocols::{Codec, Demand, Frame, Message, Pairing, Protocol, Rest};

use super::outcome::Answer;
use crate::recording::{Exchange, title, wire_bytes};

/// How long an opaque answer that is whole is watched for more, and a command that has no answer for one.
const QUIET: Duration = Duration::from_millis(30);
const READ_LEN_BYTES: usize = 64 << 10;
/// Why a test fails whose request was open when its client gave up, or the recording ended.
const OPEN_ENDED: &str = "the recording has no response to this request, and not that the app closed the connection: \
     nothing can be compared; record it again, and let it be answered";

/// Talks to the app.
pub(super) struct Client {
    timeout: Duration,
    kept: HashMap<u32, Link>,
}

/// A connection to the app.
struct Link {
    stream: TcpStream,
    codec: Box<dyn Codec>,
    input: Vec<u8>,
    buffer: Vec<u8>,
    ended: bool,
}

impl Client {
    pub(super) fn new(timeout: Duration) -> Self {
        Client { timeout, kept: HashMap::new() }
    }

    /// Sends a recorded request and reads the answer. `connection` names the recorded connection, where it matters.
    pub(super) fn exchange(
        &mut self,
        addr: SocketAddr,
        protocol: &'static dyn Protocol,
        exchange: &Exchange,
        connection: Option<u32>,
    ) -> Result<Answer, String> {
        if protocol.server().is_some() {
            let name = &protocol.schema().protocol;
            return Err(format!("an app that is itself a server of {name} cannot be sent requests yet"));
        }
        let deadline = Instant::now() + self.timeout;
        let kept = connection.and_then(|connection| self.kept.remove(&connection));
        let mut link = match kept {
            Some(link) => link,
            None => Link::open(addr, protocol, self.timeout)?,
        };
        let mut is_one_way = false;
        if let Some(request) = &exchange.request {
            link.send(&wire_bytes(protocol, request)?, deadline)?;
            is_one_way = link.codec.pair(request) == Pairing::OneWay;
        }
        let answer = match (&exchange.response, protocol.framed()) {
            (None, _) if exchange.ending.is_some() => link.read_end(protocol, deadline)?,
            (None, true) if is_one_way => link.read_nothing()?,
            (None, true) => return Err(OPEN_ENDED.into()),
            // The last bytes of an opaque connection may be such as have no answer: the app takes them, and the end.
            (None, false) => {
                link.end()?;
                link.read_end(protocol, deadline)?
            }
            (Some(_), true) => link.read_framed(deadline)?,
            (Some(recorded), false) => link.read_run(wire_bytes(protocol, recorded)?.len(), deadline)?,
        };
        match connection {
            Some(connection) if !link.ended => {
                self.kept.insert(connection, link);
            }
            None if !link.input.is_empty() => {
                return Err(format!("{} bytes came after the response", link.input.len()));
            }
            _ => {}
        }
        Ok(answer)
    }
}

impl Link {
    fn open(addr: SocketAddr, protocol: &dyn Protocol, timeout: Duration) -> Result<Self, String> {
        let stream =
            TcpStream::connect_timeout(&addr, timeout).map_err(|e| format!("cannot connect to {addr}: {e}"))?;
        // A request is written at once; a kernel that refuses is only slower.
        let _ = stream.set_nodelay(true);
        let buffer = vec![0; READ_LEN_BYTES];
        Ok(Link { stream, codec: protocol.codec(), input: Vec::new(), buffer, ended: false })
    }

    fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), String> {
        let _ = self.stream.set_write_timeout(Some(left(deadline)));
        // An app may answer, and close, before it has read everything; what it answered says more than this error.
        match self.stream.write_all(bytes) {
            Err(e) if !matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                Err(format!("the request could not be sent: {e}"))
            }
            _ => Ok(()),
        }
    }

    /// Reads more, until the deadline. False at the end of the stream.
    fn read(&mut self, deadline: Instant) -> Result<bool, ReadError> {
        loop {
            if deadline <= Instant::now() {
                return Err(ReadError::Late);
            }
            let _ = self.stream.set_read_timeout(Some(left(deadline)));
            match self.stream.read(&mut self.buffer) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(false);
                }
                Ok(len) => {
                    self.input.extend_from_slice(self.buffer.get(..len).unwrap_or_default());
                    return Ok(true);
                }
                Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => return Err(ReadError::Broken(e)),
            }
        }
    }

    fn read_framed(&mut self, deadline: Instant) -> Result<Answer, String> {
        let mut answer = Answer::default();
        loop {
            let rest = if self.ended { Rest::Closed } else { Rest::Open };
            match self.codec.frame(Side::Response, &self.input, rest, Demand::ALL) {
                Ok(Frame::Message { message, len }) => {
                    self.input.drain(..len.min(self.input.len()));
                    match self.codec.pair(&message) {
                        Pairing::Interim => answer.interim.push(message),
                        _ => {
                            answer.response = Some(message);
                            return Ok(answer);
                        }
                    }
                }
                Ok(Frame::Part { len } | Frame::Skip { len } | Frame::Leave { len }) => {
                    self.input.drain(..len.min(self.input.len()));
                }
                Err(malformed) => return Err(format!("the response is not valid: {malformed}")),
                Ok(Frame::Incomplete) if self.ended && self.input.is_empty() => {
                    return Err("the app closed the connection without a response".into());
                }
                Ok(Frame::Incomplete) if self.ended => {
                    let len = self.input.len();
                    return Err(format!("the app closed the connection after {len} bytes of the response"));
                }
                Ok(Frame::Incomplete) => {
                    self.read(deadline).map_err(|error| error.text(self.input.len()))?;
                }
            }
        }
    }

    /// Reads an opaque run: as many bytes as were recorded, and what follows at once.
    fn read_run(&mut self, len: usize, deadline: Instant) -> Result<Answer, String> {
        while self.input.len() < len && self.read(deadline).map_err(|error| error.text(self.input.len()))? {}
        let quiet = Instant::now() + QUIET;
        while !self.ended && self.read(quiet).is_ok() {}
        if self.input.is_empty() {
            return Err("the app closed the connection without a response".into());
        }
        let frame = self.codec.frame(Side::Response, &self.input, Rest::Turn, Demand::ALL);
        let Ok(Frame::Message { message, .. }) = frame else { return Err("the response is not valid".into()) };
        self.codec.pair(&message);
        self.input.clear();
        Ok(Answer { interim: Vec::new(), response: Some(message) })
    }

    /// Makes sure that nothing comes after a command that has no answer.
    fn read_nothing(&mut self) -> Result<Answer, String> {
        match self.read(Instant::now() + QUIET) {
            Err(ReadError::Late) => Ok(Answer::default()),
            Ok(true) => Err(format!("{} bytes came where the recording has no response", self.input.len())),
            Ok(false) => Err("the app closed the connection".into()),
            Err(broken) => Err(broken.text(0)),
        }
    }

    /// Sends nothing more.
    fn end(&self) -> Result<(), String> {
        match self.stream.shutdown(Shutdown::Write) {
            Err(e) if e.kind() != ErrorKind::NotConnected => Err(format!("the connection could not be ended: {e}")),
            _ => Ok(()),
        }
    }

    /// Waits until the app closes the connection, as it was recorded to do in place of a response.
    fn read_end(&mut self, protocol: &dyn Protocol, deadline: Instant) -> Result<Answer, String> {
        let mut answer = Answer::default();
        while !(self.ended && self.input.is_empty()) {
            if let Some(message) = self.unexpected(protocol)? {
                match self.codec.pair(&message) {
                    Pairing::Interim => answer.interim.push(message),
                    _ => return Err(format!("the app answered {}; {CLOSED}", title(protocol, &message))),
                }
                continue;
            }
            match self.read(deadline) {
                Ok(_) => {}
                // An app that closes before it has read everything resets.
                Err(ReadError::Broken(e)) if e.kind() == ErrorKind::ConnectionReset => self.ended = true,
                Err(ReadError::Late) => return Err(format!("the connection is still open; {CLOSED}")),
                Err(broken) => return Err(broken.text(self.input.len())),
            }
        }
        Ok(answer)
    }

    /// A message that came where the recording has no response.
    fn unexpected(&mut self, protocol: &dyn Protocol) -> Result<Option<Message>, String> {
        if self.input.is_empty() {
            return Ok(None);
        }
        let rest = match (protocol.framed(), self.ended) {
            (false, _) => Rest::Turn,
            (true, true) => Rest::Closed,
            (true, false) => Rest::Open,
        };
        match self.codec.frame(Side::Response, &self.input, rest, Demand::ALL) {
            Ok(Frame::Message { message, len }) => {
                self.input.drain(..len.min(self.input.len()));
                Ok(Some(message))
            }
            Ok(Frame::Incomplete) if !self.ended => Ok(None),
            _ => Err(format!("{} bytes came; {CLOSED}", self.input.len())),
        }
    }
}

/// What was recorded in place of a response.
const CLOSED: &str = "recorded was an end of the connection without a response";

enum ReadError {
    Late,
    Broken(io::Error),
}

impl ReadError {
    fn text(self, len: usize) -> String {
        match self {
            ReadError::Late if len == 0 => "no response came in time".into(),
            ReadError::Late => format!("the response stopped after {len} bytes"),
            ReadError::Broken(reason) => format!("the connection broke: {reason}"),
        }
    }
}

/// The time to a deadline; a socket takes no timeout of zero.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}
