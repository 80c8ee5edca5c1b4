//! The key under which a recorded call is found: what two requests must have in common for one to be answered like the other.
//!
//! Two requests get one key exactly if they are equal but for what rules relax: the walk is that of the comparison, on one
//! message. A relaxed place takes no part; it is compared after the call was found.

use std::hash::{DefaultHasher, Hasher};
use std::net::SocketAddr;

use reel_lang::hir::{Path, Step};
use reel_lang::schema::{Field, FieldType, Schema, Side};
use reel_lang::value::Value;
use reel_protocols::Message;
use sha2::Digest;

use super::entries::by_name;
use super::number::Number;
use super::path::{Active, Place};
use crate::recording::Exchange;
use crate::rules::{Relax, Relaxation};

/// What equal calls share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(u64, u64);

/// The default key: destination and every compared field of the request but what rules relax.
pub fn request_key(schema: &Schema, destination: SocketAddr, request: &Message, rules: &[Relaxation]) -> Key {
    let mut out = Vec::with_capacity(256);
    start(schema, destination, &mut out);
    for field in schema.fields.iter().filter(|field| field.side == Some(Side::Request) && field.compared) {
        let active = Active::at_field(rules.iter().map(|rule| &rule.path), field.id);
        let mut writer = Canonical { rules, ty: field.ty, out: &mut out };
        writer.place(&active, &field.name, request.field(field.id));
    }
    finish(&out)
}

/// What requests with one default key have in common whatever the rules, unless these relax a field of it: the compared fields that
/// name the operation. It is stored, so it is the same in every build.
pub fn operation(schema: &Schema, request: &Message) -> u64 {
    let mut out = Vec::new();
    for field in operation_fields(schema) {
        let mut writer = Canonical { rules: &[], ty: field.ty, out: &mut out };
        writer.place(&Active::default(), &field.name, request.field(field.id));
    }
    let sum = sha2::Sha256::digest(&out);
    sum.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// Whether a rule lets requests of different operations have one default key.
pub fn relaxes_operation(schema: &Schema, rules: &[Relaxation]) -> bool {
    operation_fields(schema).any(|field| rules.iter().any(|rule| rule.path.field == field.id))
}

fn operation_fields(schema: &Schema) -> impl Iterator<Item = &Field> {
    schema.fields.iter().filter(|field| field.side == Some(Side::Request) && field.key && field.compared)
}

/// The key of `key(fields...)`: destination and these fields alone.
pub fn chosen_key(schema: &Schema, destination: SocketAddr, request: &Message, fields: &[Path]) -> Key {
    let mut out = Vec::new();
    start(schema, destination, &mut out);
    for path in fields {
        let ty = schema.fields.get(path.field.0 as usize).map_or(FieldType::Any, |field| field.ty);
        let mut values = Vec::new();
        follow(request.field(path.field), &path.steps, ty, &mut values);
        let mut writer = Canonical { rules: &[], ty, out: &mut out };
        writer.number(b'K', values.len());
        for value in values {
            writer.value(&Active::default(), false, value);
        }
    }
    finish(&out)
}

/// What exchanges share that are one and the same to the client: destination, every compared field of the request, and everything that
/// came back.
pub fn likeness(schema: &Schema, exchange: &Exchange) -> u64 {
    let mut out = Vec::with_capacity(256);
    start(schema, exchange.destination.addr, &mut out);
    for message in exchange.request.iter().chain(&exchange.interim).chain(&exchange.response) {
        let is_told =
            |field: &&Field| field.side == Some(message.side) && (field.compared || message.side == Side::Response);
        for field in schema.fields.iter().filter(is_told) {
            let mut writer = Canonical { rules: &[], ty: field.ty, out: &mut out };
            writer.place(&Active::default(), &field.name, message.field(field.id));
        }
        out.push(b'.');
        if let (Side::Response, Some(bytes)) = (message.side, &message.exact) {
            out.extend_from_slice(bytes);
        }
    }
    out.extend_from_slice(format!("{:?}", exchange.ending).as_bytes());
    finish(&out).0
}

fn start(schema: &Schema, destination: SocketAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(schema.protocol.as_bytes());
    out.extend_from_slice(destination.to_string().as_bytes());
    out.push(0);
}

fn finish(bytes: &[u8]) -> Key {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(seed);
        hasher.write(bytes);
        hasher.finish()
    };
    Key(half(1), half(2))
}

/// The values that a path leads to.
fn follow<'v>(value: &'v Value, steps: &[Step], ty: FieldType, found: &mut Vec<&'v Value>) {
    let value = value.untagged();
    let Some((step, rest)) = steps.split_first() else {
        if !value.is_nil() {
            found.push(value);
        }
        return;
    };
    if *step == Step::Deep {
        follow(value, rest, ty, found);
    }
    let deeper = if *step == Step::Deep { steps } else { rest };
    match value {
        Value::Map(pairs) => {
            for (key, item) in pairs {
                let named = match step {
                    Step::Name(name) if ty == FieldType::Headers => {
                        key.as_str().is_some_and(|key| key.eq_ignore_ascii_case(name))
                    }
                    Step::Name(name) => key.as_str() == Some(name),
                    Step::Each | Step::Deep => true,
                    Step::Index(_) => false,
                };
                if named {
                    follow(item, deeper, ty, found);
                }
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let meant = match step {
                    Step::Index(wanted) => usize::try_from(*wanted) == Ok(index),
                    Step::Each | Step::Deep => true,
                    Step::Name(_) => false,
                };
                if meant {
                    follow(item, deeper, ty, found);
                }
            }
        }
        _ => {}
    }
}

/// Writes values so that equal ones, and only they, give the same bytes.
struct Canonical<'a> {
    rules: &'a [Relaxation],
    ty: FieldType,
    out: &'a mut Vec<u8>,
}

impl Canonical<'_> {
    fn number(&mut self, kind: u8, number: usize) {
        self.out.push(kind);
        self.out.extend_from_slice(&(number as u64).to_le_bytes());
    }

    fn bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.number(kind, bytes.len());
        self.out.extend_from_slice(bytes);
    }

    /// Writes a named value, unless a rule relaxes it or there is none.
    fn place(&mut self, active: &Active, name: &str, value: &Value) {
        let here = active.complete(|i| &self.rules[i].path);
        let relaxed = here.iter().any(|i| self.rules[*i].relax != Relax::Unordered);
        if !relaxed && !value.is_nil() {
            let unordered = here.iter().any(|i| self.rules[*i].relax == Relax::Unordered);
            self.bytes(b'n', name.as_bytes());
            self.value(active, unordered, value);
        }
    }

    fn value(&mut self, active: &Active, unordered: bool, value: &Value) {
        match value {
            Value::Nil => self.out.push(b'-'),
            Value::Null => self.out.push(b'0'),
            Value::Bool(b) => self.out.extend_from_slice(&[b'b', u8::from(*b)]),
            Value::Int(_) | Value::Uint(_) | Value::Decimal(_) => {
                let number = format!("{:?}", Number::of(value));
                self.bytes(b'd', number.as_bytes());
            }
            Value::Duration(n) | Value::Time(n) => self.bytes(b't', &n.to_le_bytes()),
            Value::Ip(ip) => self.bytes(b'i', ip.to_string().as_bytes()),
            Value::Str(bytes) => self.bytes(b's', bytes),
            Value::List(items) => self.list(active, unordered, items),
            Value::Map(pairs) => self.map(active, pairs),
            Value::Tagged(tag, inner) => {
                self.bytes(b'g', tag.as_bytes());
                self.value(active, unordered, inner);
            }
        }
    }

    fn list(&mut self, active: &Active, unordered: bool, items: &[Value]) {
        let mut parts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let below = self.step(active, Place::Index(index));
            let mut part = Vec::new();
            let mut writer = Canonical { rules: self.rules, ty: self.ty, out: &mut part };
            writer.place(&below, "", item);
            parts.push(part);
        }
        if unordered {
            parts.sort();
        }
        self.number(b'l', parts.len());
        for part in parts {
            self.bytes(b'p', &part);
        }
    }

    fn map(&mut self, active: &Active, pairs: &[(Value, Value)]) {
        self.out.push(b'{');
        for (name, values) in by_name(pairs, self.ty) {
            let below = self.step(active, Place::Name(&name));
            let single = values.len() == 1;
            for (index, value) in values.into_iter().enumerate() {
                let mut here = below.clone();
                if !single {
                    here.merge(&self.step(&below, Place::Index(index)));
                }
                self.place(&here, &name, value);
            }
        }
        self.out.push(b'}');
    }

    fn step(&self, active: &Active, place: Place<'_>) -> Active {
        if active.is_empty() { Active::default() } else { active.step(|i| &self.rules[i].path, place, self.ty) }
    }
}
