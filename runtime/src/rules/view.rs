//! What a rule's predicate looks at: an exchange, as far as it is known, as a flat record.

use std::net::SocketAddr;

use reel_lang::schema::{Direction, Schema, Side, Slot, conn};
use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};

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
    pub fn of(protocol: &'static dyn Protocol, exchange: &'a crate::recording::Exchange) -> Self {
        View {
            protocol,
            direction: exchange.direction,
            addr: exchange.destination.addr,
            peer: None,
            request: exchange.request.as_ref(),
            response: exchange.response.as_ref(),
        }
    }

    /// The schema of the messages.
    pub fn schema(&self) -> &'static Schema {
        self.protocol.schema()
    }

    /// The value of each slot: connection fields, then the protocol's own; what is not known is nil.
    pub fn values(&self) -> Record<'a> {
        let mut owned = vec![Value::Nil; conn::COUNT as usize];
        let mut set = |id: reel_lang::schema::FieldId, value: Value| {
            if let Some(slot) = owned.get_mut(id.0 as usize) {
                *slot = value;
            }
        };
        set(conn::DIRECTION, Value::text(self.direction.name()));
        set(conn::ADDR, Value::Ip(self.addr.ip()));
        set(conn::PORT, Value::Int(self.addr.port().into()));
        if let Some(peer) = self.peer {
            set(conn::PEER_ADDR, Value::Ip(peer.ip()));
            set(conn::PEER_PORT, Value::Int(peer.port().into()));
        }
        let sizes = [self.request, self.response].into_iter().flatten().map(|message| message.wire_len);
        set(conn::SIZE, Value::from(sizes.sum::<u64>()));
        Record { conn: owned, view: *self }
    }
}

/// The values of a view, which the slots of a flat record borrow from.
pub struct Record<'a> {
    conn: Vec<Value>,
    view: View<'a>,
}

impl Record<'_> {
    /// The flat record that compiled predicates read. It borrows from this record, and must not outlive it.
    pub fn slots(&self) -> Vec<Slot> {
        let own = self.view.schema().fields.iter().skip(conn::COUNT as usize).map(|field| {
            let message = match field.side {
                Some(Side::Request) => self.view.request,
                Some(Side::Response) => self.view.response,
                None => None,
            };
            message.map_or(Slot::NIL, |message| Slot::view(message.field(field.id)))
        });
        self.conn.iter().map(Slot::view).chain(own).collect()
    }
}
