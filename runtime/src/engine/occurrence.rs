//! What happens on connections, as message clauses see it: exchanges, invalid bytes, and what a connection itself does.
//!
//! An occurrence becomes a flat record for each clause that it concerns: the connection's fields, then those of its messages, or of
//! the event that the schema declares.

use std::net::SocketAddr;

use bytes::Bytes;
use reel_compiler::jit::Record;
use reel_lang::hir::{Event, MessageProbe};
use reel_lang::schema::{FieldId, Schema, Side, conn};
use reel_lang::value::Value;
use reel_protocols::conversation::{Breach, Exchange, Timed, slots as breach};
use reel_protocols::opaque::slots as tcp;
use reel_protocols::record::Conn;
use reel_protocols::{Demand, Protocol, opaque};

use crate::capture::connections::{Ends, Moment, NOBODY};

/// Something that happened on a connection.
#[derive(Debug)]
pub struct Occurrence {
    pub ends: Ends,
    pub so_far: SoFar,
    /// The name of the thread that did it, where that is known.
    pub comm: String,
    /// The cgroup of its process, where that is known and asked for.
    pub cgroup: Option<u64>,
    pub what: What,
}

/// What is known of a connection at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct SoFar {
    /// Nothing of a connection whose opening was not seen.
    pub opened_ns: Option<u64>,
    /// How many bytes the client and the server have sent; nothing where the source does not tell.
    pub sent_bytes: Option<[u64; 2]>,
}

/// What happened.
#[expect(clippy::large_enum_variant, reason = "nearly all are exchanges, and each box would be an allocation")]
pub enum What {
    Exchange(Exchange<Moment>),
    Error(Breach<Moment>),
    Open(Moment),
    Data { side: Side, bytes: Bytes, offset: u64, moment: Moment },
    Close { first: Option<Side>, moment: Moment },
}

impl std::fmt::Debug for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            What::Exchange(exchange) => exchange.fmt(f),
            What::Error(breach) => breach.malformed.fmt(f),
            What::Open(_) => f.write_str("Open"),
            What::Data { side, bytes, .. } => write!(f, "Data({side:?}, {})", bytes.len()),
            What::Close { first, .. } => write!(f, "Close({first:?})"),
        }
    }
}

/// A part of an occurrence that one clause is run for.
pub struct Seen<'a> {
    schema: &'static Schema,
    request: Option<&'a Timed<Moment>>,
    response: Option<&'a Timed<Moment>>,
    conn: Conn,
    /// The fields of an event that is no message.
    own: Vec<Value>,
    /// When it was complete.
    pub now_ns: u64,
}

impl Occurrence {
    /// The protocol whose probes it concerns.
    fn protocol(&self) -> &'static dyn Protocol {
        match &self.what {
            What::Exchange(exchange) => exchange.protocol,
            What::Error(breach) => breach.protocol,
            What::Open(_) | What::Data { .. } | What::Close { .. } => &opaque::Tcp,
        }
    }

    /// When it took place, and who did it: of an exchange what moved its first byte.
    pub fn moment(&self) -> Moment {
        match &self.what {
            What::Exchange(exchange) => {
                let first = exchange.request.as_ref().or(exchange.response.as_ref());
                first.map_or(Moment { time_ns: 0, task: NOBODY }, |first| Moment {
                    time_ns: first.first_ns,
                    ..first.tag
                })
            }
            What::Error(breach) => Moment { time_ns: breach.time_ns, ..breach.tag },
            What::Open(moment) | What::Data { moment, .. } | What::Close { moment, .. } => *moment,
        }
    }

    /// What a probe sees of it; nothing where it is on something else. `comm` is the thread's name as a value, so that one value
    /// serves all that a thread does.
    pub fn seen_by(&self, probe: &MessageProbe, comm: &Value) -> Option<Seen<'_>> {
        let schema = self.protocol().schema();
        if probe.protocol != schema.protocol
            || probe.direction.is_some_and(|direction| direction != self.ends.direction)
        {
            return None;
        }
        match (&self.what, probe.event) {
            (What::Exchange(exchange), event) if event.is_message() => self.messages(exchange, event, schema, comm),
            (What::Error(breach), Event::Error) => {
                self.event(Event::Error, schema, error_fields(breach), (breach.data.len(), comm))
            }
            (What::Open(_), Event::Open) => self.event(Event::Open, schema, Vec::new(), (0, comm)),
            (What::Data { side, bytes, offset, .. }, Event::Data) => {
                let fields = vec![
                    (tcp::data::SENDER, end(*side)),
                    (tcp::data::DATA, Value::Str(bytes.clone())),
                    (tcp::data::OFFSET, Value::from(*offset)),
                ];
                self.event(Event::Data, schema, fields, (bytes.len(), comm))
            }
            (What::Close { first, .. }, Event::Close) => {
                self.event(Event::Close, schema, vec![(tcp::close::CLOSER, first.map_or(Value::Nil, end))], (0, comm))
            }
            _ => None,
        }
    }

    fn messages<'a>(
        &'a self,
        exchange: &'a Exchange<Moment>,
        event: Event,
        schema: &'static Schema,
        comm: &Value,
    ) -> Option<Seen<'a>> {
        let (request, response) = (exchange.request.as_ref(), exchange.response.as_ref());
        let is_whole = match event {
            Event::Request => request.is_some(),
            Event::Response => response.is_some(),
            _ => request.is_some() && response.is_some(),
        };
        // A response knows what it answers.
        let response = response.filter(|_| event != Event::Request);
        let last = response.or(request).filter(|_| is_whole)?;
        let mut conn = self.conn(last.last_ns, comm);
        if let (Some(request), Some(response)) = (request, response) {
            let latency_ns = response.last_ns.saturating_sub(request.first_ns);
            conn.put(conn::LATENCY, Value::Duration(i64::try_from(latency_ns).unwrap_or(i64::MAX)));
        }
        let measured = [request.filter(|_| event != Event::Response), response];
        let size = measured.into_iter().flatten().map(|timed| timed.message.wire_len).sum::<u64>();
        conn.put(conn::SIZE, Value::from(size));
        Some(Seen { schema, request, response, conn, own: Vec::new(), now_ns: last.last_ns })
    }

    fn event(
        &self,
        event: Event,
        schema: &'static Schema,
        fields: Vec<(FieldId, Value)>,
        (size, comm): (usize, &Value),
    ) -> Option<Seen<'_>> {
        let schema = schema.of(event)?;
        let now_ns = self.moment().time_ns;
        let mut conn = self.conn(now_ns, comm);
        conn.put(conn::SIZE, Value::from(size as u64));
        let mut own = vec![Value::Nil; schema.slots().saturating_sub(conn::COUNT as usize)];
        for (id, value) in fields {
            if let Some(slot) = id.0.checked_sub(conn::COUNT).and_then(|index| own.get_mut(index as usize)) {
                *slot = value;
            }
        }
        Some(Seen { schema, request: None, response: None, conn, own, now_ns })
    }

    /// The fields that every event has, as they are when it is complete; its size and latency are its own.
    fn conn(&self, now_ns: u64, comm: &Value) -> Conn {
        let mut conn = Conn::default();
        let address = |conn: &mut Conn, ip, port, address: SocketAddr| {
            conn.put(ip, Value::Ip(address.ip()));
            conn.put(port, Value::Int(i64::from(address.port())));
        };
        conn.put(conn::DIRECTION, Value::Str(Bytes::from_static(self.ends.direction.name().as_bytes())));
        address(&mut conn, conn::ADDR, conn::PORT, self.ends.server);
        address(&mut conn, conn::PEER_ADDR, conn::PEER_PORT, self.ends.client);
        let Moment { time_ns, task } = self.moment();
        conn.put(conn::TIME, Value::Time(i64::try_from(time_ns).unwrap_or(i64::MAX)));
        if task != NOBODY {
            conn.put(conn::PID, Value::Int(i64::from(task.tgid)));
            conn.put(conn::TID, Value::Int(i64::from(task.tid)));
            conn.put(conn::COMM, comm.clone());
        }
        if let Some(cgroup) = self.cgroup {
            conn.put(conn::CGROUP, Value::from(cgroup));
        }
        if let Some(opened_ns) = self.so_far.opened_ns {
            let open_ns = now_ns.saturating_sub(opened_ns);
            conn.put(conn::DURATION, Value::Duration(i64::try_from(open_ns).unwrap_or(i64::MAX)));
        }
        if let Some([client, server]) = self.so_far.sent_bytes {
            conn.put(conn::CLIENT_BYTES, Value::from(client));
            conn.put(conn::SERVER_BYTES, Value::from(server));
        }
        conn
    }
}

/// The fields of the event `error`.
fn error_fields(breach: &Breach<Moment>) -> Vec<(FieldId, Value)> {
    let Breach { side, malformed, data, .. } = breach;
    vec![
        (breach::error::REASON, malformed.reason.as_str().into()),
        (breach::error::SPEC, malformed.spec.into()),
        (breach::error::SIDE, side.name().into()),
        (breach::error::OFFSET, Value::from(malformed.offset as u64)),
        (breach::error::DATA, Value::Str(data.clone())),
    ]
}

/// The end of a connection that a side is.
fn end(side: Side) -> Value {
    match side {
        Side::Request => "client".into(),
        Side::Response => "server".into(),
    }
}

impl Seen<'_> {
    /// The flat record, as native code takes it, in the memory of an empty one; what is not wanted stays nil.
    pub fn record<'a>(&'a self, mut record: Record<'a>, wanted: Demand) -> Record<'a> {
        for field in &self.schema.fields {
            let at = field.id.0 as usize;
            let value = match field.side {
                _ if !wanted.wants(field.id) => None,
                Some(Side::Request) => self.request.map(|timed| timed.message.field(field.id)),
                Some(Side::Response) => self.response.map(|timed| timed.message.field(field.id)),
                None => self.conn.values.get(at).or_else(|| self.own.get(at.saturating_sub(conn::COUNT as usize))),
            };
            match value {
                Some(value) => record.push(value),
                None => record.push_nil(),
            }
        }
        record
    }
}
