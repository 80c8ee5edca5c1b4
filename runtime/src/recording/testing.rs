//! Recordings made of a few lines, for tests of what reads them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reel_lang::schema::{Direction, Side};
use reel_protocols::{Demand, Frame, Message, Protocol, Rest};

use super::index::{Builder, Index};
use super::outline::SecretPlace;
use super::{
    About, Attribution, Circumstance, Closing, Cue, Destination, EffectOutline, EffectRef, Exchange, Mock, MockId,
    MockOutline, Place, Recording, Scope, Test, TestId, Writer,
};
use crate::mock::Calls;
use crate::recording::{CallId, Owner};

/// Decodes an exchange from its bytes.
pub(crate) fn exchange(protocol: &str, direction: Direction, port: u16, request: &str, response: &str) -> Exchange {
    let protocol = reel_protocols::by_name(protocol).unwrap();
    let mut codec = protocol.codec();
    let mut decode = |side, bytes: &str| {
        let message = frame(codec.as_mut(), protocol, side, bytes.as_bytes());
        codec.pair(&message);
        message
    };
    let some = |bytes: &str| !bytes.is_empty();
    Exchange {
        protocol: protocol.schema().protocol.clone(),
        direction,
        destination: Destination { addr: ([127, 0, 0, 1], port).into(), host: None },
        request: some(request).then(|| decode(Side::Request, request)),
        interim: Vec::new(),
        response: some(response).then(|| decode(Side::Response, response)),
        ending: None,
    }
}

fn frame(codec: &mut dyn reel_protocols::Codec, protocol: &dyn Protocol, side: Side, bytes: &[u8]) -> Message {
    let rests = if protocol.framed() { vec![Rest::Open, Rest::Closed] } else { vec![Rest::Turn] };
    for rest in rests {
        if let Ok(Frame::Message { message, .. }) = codec.frame(side, bytes, rest, Demand::ALL) {
            return message;
        }
    }
    panic!("not a message: {}", bytes.escape_ascii());
}

/// A Redis command as an array of bulk strings.
pub(crate) fn resp(words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    let bulk = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), bulk.collect::<String>())
}

/// A recording that grows.
#[derive(Default, Clone)]
pub(crate) struct Maker {
    pub(crate) about: About,
    pub(crate) tests: Vec<Test>,
    /// By protocol, then number.
    pub(crate) mocks: Vec<Mock>,
    pub(crate) timing: HashMap<String, Circumstance>,
}

impl Maker {
    pub(crate) fn mock(&mut self, scope: Scope, cue: Option<Cue>, exchange: Exchange) -> MockId {
        let protocol = exchange.protocol.clone();
        let number = self.mocks.iter().filter(|mock| mock.id.protocol == protocol).count() as u32 + 1;
        let id = MockId { protocol, number };
        self.mocks.push(Mock { id: id.clone(), scope, cue, exchange, tags: Vec::new() });
        self.mocks.sort_by(|a, b| a.id.cmp(&b.id));
        id
    }

    /// A Redis call at port 6379.
    pub(crate) fn redis(&mut self, command: &str, reply: &str) -> MockId {
        self.mock(Scope::Test, None, exchange("redis", Direction::Out, 6379, &resp(command), reply))
    }

    /// A test of the app at port 8080, whose own exchange is `GET /N`.
    pub(crate) fn test(&mut self, attribution: Attribution, effects: &[&MockId]) -> TestId {
        let id = TestId(self.tests.len() as u32 + 1);
        let request = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", id.0);
        let exchange =
            exchange("http", Direction::In, 8080, &request, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        let effects = effects.iter().map(|mock| EffectRef { mock: (*mock).clone(), attribution }).collect();
        self.tests.push(Test {
            id,
            slug: format!("get-{}", id.0),
            exchange,
            effects,
            tags: Vec::new(),
            flows: Vec::new(),
        });
        id
    }

    /// The calls in memory.
    pub(crate) fn calls(&self) -> Arc<InMemory> {
        let mut builder = Builder::default();
        for test in &self.tests {
            builder.test(test, Place::at(0, 1, 0, "")).unwrap();
        }
        for (at, mock) in (0..).zip(&self.mocks) {
            builder.mock(mock, Place::at(0, 1, at, "")).unwrap();
        }
        for (id, at) in &self.timing {
            builder.timed(Owner::of(id).unwrap(), Place::at(0, 1, 0, ""), at);
        }
        let index = builder.finish(Path::new("/nowhere")).unwrap();
        Arc::new(InMemory { index, mocks: self.mocks.clone(), reads: AtomicUsize::new(0) })
    }

    /// The recording on the disk.
    pub(crate) fn write(&self, dir: &Path) -> Arc<Recording> {
        let mut writer = Writer::create(dir, self.about.clone()).unwrap();
        let at = |id: String| self.timing.get(&id).cloned().unwrap_or_default();
        for Mock { id, scope, cue, exchange, tags } in self.mocks.clone() {
            assert_eq!(writer.add_mock(scope, cue, exchange, tags, at(id.to_string())).unwrap(), id);
        }
        for Test { id, exchange, effects, tags, flows, .. } in self.tests.clone() {
            let at = at(format!("test-{id}"));
            assert_eq!(writer.add_test_with(exchange, effects, tags, flows, at).unwrap(), id);
        }
        writer.finish(Closing { secrets: self.about.secrets.clone(), ..Closing::default() }).unwrap();
        Arc::new(Recording::open(dir).unwrap())
    }
}

/// Calls in memory, and how often one was read.
pub(crate) struct InMemory {
    index: Index,
    mocks: Vec<Mock>,
    pub(crate) reads: AtomicUsize,
}

impl Calls for InMemory {
    fn outlines(&self) -> &[MockOutline] {
        &self.index.mocks
    }

    fn effects(&self, test: TestId) -> &[EffectOutline] {
        self.index.tests.iter().find(|outline| outline.id == test).map_or(&[], |outline| &outline.effects)
    }

    fn tests(&self) -> Box<dyn Iterator<Item = TestId> + '_> {
        Box::new(self.index.tests.iter().map(|test| test.id))
    }

    fn secrets(&self) -> &[SecretPlace] {
        &self.index.secrets
    }

    fn connection(&self, call: CallId) -> Option<u32> {
        self.index.connection(Owner::Mock(call))
    }

    fn read(&self, outline: &MockOutline) -> Result<Mock, String> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Ok(self.mocks[outline.place.offset as usize].clone())
    }
}
