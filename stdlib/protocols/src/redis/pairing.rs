//! Which reply answers which command.
//!
//! Redis answers in order, one reply a command, but for these: CLIENT REPLY OFF and SKIP, which silence commands; SUBSCRIBE and
//! its kin, which get a confirmation a channel; what the server says of its own accord to a subscriber (in RESP2 an array that
//! begins with `message`, in RESP3 a push) or to MONITOR; and PSYNC, after which the connection is a replication stream.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use reel_lang::value::Value;

use super::slots::request;
use super::{arguments, tag};
use crate::{Message, Pairing};

/// What pairing must know of a request.
#[derive(Debug, Clone, Default)]
pub(super) enum Asked {
    /// Nothing: an empty line, which the server passes over.
    Nothing,
    #[default]
    Plain,
    /// SUBSCRIBE and its kin: so many confirmations.
    Subscribe(usize),
    /// UNSUBSCRIBE and its kin, of so many channels.
    Unsubscribe(usize),
    /// The same, of all channels.
    UnsubscribeAll(Channels),
    Monitor,
    Psync,
    ReplyOn,
    ReplyOff,
    ReplySkip,
}

/// Channels, patterns and shard channels are subscribed to apart from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Channels {
    Plain,
    Patterns,
    Shards,
}

impl Asked {
    /// Reads a command.
    pub(super) fn of(words: &[Bytes]) -> Asked {
        let Some((name, args)) = words.split_first() else { return Asked::Nothing };
        let arg = |index: usize| args.get(index).map(|arg| arg.to_ascii_uppercase()).unwrap_or_default();
        match name.to_ascii_uppercase().as_slice() {
            b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE" => Asked::Subscribe(args.len()),
            b"UNSUBSCRIBE" if args.is_empty() => Asked::UnsubscribeAll(Channels::Plain),
            b"PUNSUBSCRIBE" if args.is_empty() => Asked::UnsubscribeAll(Channels::Patterns),
            b"SUNSUBSCRIBE" if args.is_empty() => Asked::UnsubscribeAll(Channels::Shards),
            b"UNSUBSCRIBE" | b"PUNSUBSCRIBE" | b"SUNSUBSCRIBE" => Asked::Unsubscribe(args.len()),
            b"MONITOR" => Asked::Monitor,
            b"PSYNC" => Asked::Psync,
            b"CLIENT" if arg(0) == b"REPLY" => match arg(1).as_slice() {
                b"ON" => Asked::ReplyOn,
                b"OFF" => Asked::ReplyOff,
                b"SKIP" => Asked::ReplySkip,
                _ => Asked::Plain,
            },
            _ => Asked::Plain,
        }
    }

    /// Reads a message that was not framed here, as one from a recording.
    pub(super) fn by(message: &Message) -> Asked {
        let name = message.field(request::COMMAND).as_bytes().map(Bytes::copy_from_slice);
        let args = arguments(message).iter().map(|arg| Bytes::copy_from_slice(arg.as_bytes().unwrap_or_default()));
        Asked::of(&name.into_iter().chain(args).collect::<Vec<_>>())
    }
}

/// Whether commands are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Replies {
    #[default]
    On,
    Off,
    /// The next one is not.
    Skip,
}

/// What must be remembered of a connection.
#[derive(Debug, Default)]
pub(super) struct State {
    replies: Replies,
    open: VecDeque<Asked>,
    subscribed: HashSet<(Channels, Bytes)>,
    is_monitor: bool,
}

impl State {
    pub(super) fn request(&mut self, asked: Asked) -> Pairing {
        let before = self.replies;
        self.replies = match (before, &asked) {
            (_, Asked::ReplyOn) => Replies::On,
            (_, Asked::ReplyOff) | (Replies::Off, _) => Replies::Off,
            (_, Asked::ReplySkip) => Replies::Skip,
            _ => Replies::On,
        };
        let is_silent = match asked {
            Asked::Nothing | Asked::ReplyOff => true,
            Asked::ReplyOn => false,
            Asked::ReplySkip => true,
            _ => before != Replies::On,
        };
        if is_silent {
            // A line without words does not use up a SKIP.
            if matches!(asked, Asked::Nothing) {
                self.replies = before;
            }
            return Pairing::OneWay;
        }
        self.open.push_back(asked);
        Pairing::Opens
    }

    pub(super) fn response(&mut self, reply: &Value) -> Pairing {
        let event = Event::of(reply);
        if let Event::Message = event
            && (is_push(reply) || !self.subscribed.is_empty())
        {
            return Pairing::Push;
        }
        if let Event::Confirms { channels, subscribes, ref channel } = event {
            self.note(channels, subscribes, channel.clone());
            if let Some(pairing) = self.confirm(channels) {
                return pairing;
            }
        }
        if is_push(reply) || (self.is_monitor && is_monitor_line(reply)) {
            return Pairing::Push;
        }
        match self.open.pop_front() {
            Some(Asked::Monitor) => self.is_monitor = !is_error(reply),
            Some(Asked::Psync) if !is_error(reply) => return Pairing::Upgrades,
            _ => {}
        }
        if matches!(reply, Value::Tagged(tag::SIMPLE, text) if text.as_bytes() == Some(b"RESET")) {
            self.subscribed.clear();
            self.is_monitor = false;
        }
        Pairing::Closes
    }

    fn note(&mut self, channels: Channels, subscribes: bool, channel: Option<Bytes>) {
        let Some(channel) = channel else { return };
        if subscribes {
            self.subscribed.insert((channels, channel));
        } else {
            self.subscribed.remove(&(channels, channel));
        }
    }

    /// Counts a confirmation for the oldest command, if that waits for one.
    fn confirm(&mut self, channels: Channels) -> Option<Pairing> {
        let is_last = match self.open.front_mut()? {
            Asked::Subscribe(left) | Asked::Unsubscribe(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            Asked::UnsubscribeAll(asked) => {
                let asked = *asked;
                asked == channels && !self.subscribed.iter().any(|(other, _)| *other == asked)
            }
            _ => return None,
        };
        if is_last {
            self.open.pop_front();
        }
        Some(if is_last { Pairing::Closes } else { Pairing::Interim })
    }
}

/// What an array or a push says by its first word.
enum Event {
    Message,
    Confirms { channels: Channels, subscribes: bool, channel: Option<Bytes> },
    Other,
}

impl Event {
    fn of(reply: &Value) -> Event {
        let Value::List(items) = reply.untagged() else { return Event::Other };
        let (channels, subscribes) = match (items.first().and_then(Value::as_bytes), items.len()) {
            (Some(b"message" | b"smessage"), 3) | (Some(b"pmessage"), 4) => return Event::Message,
            (Some(b"subscribe"), 3) => (Channels::Plain, true),
            (Some(b"psubscribe"), 3) => (Channels::Patterns, true),
            (Some(b"ssubscribe"), 3) => (Channels::Shards, true),
            (Some(b"unsubscribe"), 3) => (Channels::Plain, false),
            (Some(b"punsubscribe"), 3) => (Channels::Patterns, false),
            (Some(b"sunsubscribe"), 3) => (Channels::Shards, false),
            _ => return Event::Other,
        };
        let channel = items.get(1).and_then(Value::as_bytes).map(Bytes::copy_from_slice);
        Event::Confirms { channels, subscribes, channel }
    }
}

fn is_push(reply: &Value) -> bool {
    matches!(reply, Value::Tagged(tag::PUSH, _))
}

fn is_error(reply: &Value) -> bool {
    matches!(reply, Value::Tagged(tag::ERROR | tag::BULK_ERROR, _))
}

/// MONITOR's lines begin with a time: `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`.
fn is_monitor_line(reply: &Value) -> bool {
    matches!(reply, Value::Tagged(tag::SIMPLE, text) if text.as_bytes().is_some_and(|text| {
        text.first().is_some_and(u8::is_ascii_digit) && memchr::memmem::find(text, b" [").is_some()
    }))
}
