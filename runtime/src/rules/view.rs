//! What a rule's predicate looks at: an exchange, as far as it is known.

use std::net::SocketAddr;

use reel_lang::schema::{Direction, Schema, conn};
use reel_lang::value::Value;
use reel_protocols::record::{self, Conn};
use reel_protocols::{Message, Protocol};

use crate::recording::Exchange;

/// An exchange, or the part of it that is known.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub protocol: &'static dyn Protocol,
    pub direction: Direction,
    /// The server's address.
    pub addr: SocketAddr,
    /// The client's address, where it is known.
    pub peer: Option<SocketAddr>,
    pub request: Option<&'a Message>,
    pub response: Option<&'a Message>,
}

impl<'a> View<'a> {
    /// Views a recorded exchange.
    pub fn of(protocol: &'static dyn Protocol, exchange: &'a Exchange) -> Self {
        View {
            protocol,
            direction: exchange.direction,
            addr: exchange.destination.addr,
            peer: None,
            request: exchange.request.as_ref(),
            response: exchange.response.as_ref(),
        }
    }

    /// Views a call of the app that has no answer yet.
    pub fn of_call(protocol: &'static dyn Protocol, addr: SocketAddr, request: &'a Message) -> Self {
        View { protocol, direction: Direction::Out, addr, peer: None, request: Some(request), response: None }
    }

    /// The schema of the messages.
    pub fn schema(&self) -> &'static Schema {
        self.protocol.schema()
    }

    /// The connection's fields, as far as replay can know them.
    pub fn conn(&self) -> Conn {
        let mut conn = Conn::default();
        conn.put(conn::DIRECTION, Value::text(self.direction.name()));
        conn.put(conn::ADDR, Value::Ip(self.addr.ip()));
        conn.put(conn::PORT, Value::Int(self.addr.port().into()));
        if let Some(peer) = self.peer {
            conn.put(conn::PEER_ADDR, Value::Ip(peer.ip()));
            conn.put(conn::PEER_PORT, Value::Int(peer.port().into()));
        }
        let sizes = [self.request, self.response].into_iter().flatten().map(|message| message.wire_len);
        conn.put(conn::SIZE, Value::from(sizes.sum::<u64>()));
        conn
    }

    /// The flat record that compiled predicates read.
    pub fn record<'c>(&'c self, conn: &'c Conn) -> record::Record<'c> {
        record::view(self.schema(), conn, self.request, self.response)
    }
}
