//! Host operations: the one entry point for all that native code does not do inline, and what the engine supplies for it.

use reel_lang::value::Value;

use super::path::Found;
use super::{Maps, View, equal, function, number, path};
use crate::ir::{HostOp, Module, OutputId};

/// What the engine supplies to running code.
pub trait Host {
    /// The maps of the module.
    fn maps(&mut self) -> &mut Maps;

    /// A builtin that the engine knows: `nsecs`, `elapsed`.
    fn builtin(&mut self, name: &'static str) -> Value;

    /// Prints: the arguments are the output's.
    fn emit(&mut self, output: OutputId, args: &[Value]);

    /// Prints an event record in the kernel's layout, head included.
    fn emit_record(&mut self, output: OutputId, record: &[u8]);

    /// A rule's action fires: the index into the rule's list of actions, with its computed values.
    fn action(&mut self, index: u32, args: &[Value]);

    /// A function that works on more than its arguments; nil for one that the engine does not know.
    fn call(&mut self, name: &'static str, args: &[Value]) -> Value {
        let _ = (name, args);
        Value::Nil
    }
}

/// What an operation gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<'a> {
    Nothing,
    Truth(bool),
    /// A view of an argument's part, or of something small.
    View(View<'a>),
    /// A value that the caller keeps.
    Made(Value),
}

impl<'a> From<Found<'a>> for Answer<'a> {
    fn from(found: Found<'a>) -> Self {
        match found {
            Found::View(view) => Answer::View(view),
            Found::Made(value) => Answer::Made(value),
        }
    }
}

/// Does a host operation. The module is verified, so the number of arguments is right.
pub fn perform<'a>(op: &HostOp, args: &[View<'a>], module: &Module, host: &mut dyn Host) -> Answer<'a> {
    let arg = |index: usize| args.get(index).copied().unwrap_or_default();
    let values = || args.iter().map(|arg| arg.to_value()).collect::<Vec<_>>();
    match op {
        HostOp::Equal => Answer::Truth(equal::equal(arg(0), arg(1))),
        HostOp::Compare(op) => Answer::Truth(equal::compare(*op, arg(0), arg(1))),
        HostOp::Index => Answer::View(path::index(arg(0), arg(1))),
        HostOp::Nil => Answer::View(View::Nil),
        HostOp::Null => Answer::View(View::Null),
        HostOp::Decimal(data) => {
            let digits = module.data.get(data.0 as usize).map(Vec::as_slice).unwrap_or_default();
            Answer::Made(Value::Decimal(String::from_utf8_lossy(digits).into()))
        }
        HostOp::Emit(output) => {
            host.emit(*output, &values());
            Answer::Nothing
        }
        HostOp::Action(index) => {
            host.action(*index, &values());
            Answer::Nothing
        }
        HostOp::Call(name) => match function::call(name, args) {
            Some(found) => found.into(),
            None => Answer::Made(host.call(name, &values())),
        },
        HostOp::Builtin(name) => Answer::Made(host.builtin(name)),
        HostOp::Tuple => Answer::Made(Value::List(values())),
        HostOp::TupleItem(index) => {
            let item = arg(0).list().and_then(|items| items.get(*index as usize));
            Answer::View(item.map_or(View::Nil, View::of))
        }
        HostOp::MapGet(map) => Answer::Made(host.maps().get(*map, &values())),
        HostOp::MapHas(map) => Answer::Truth(host.maps().has(*map, &values())),
        HostOp::MapLen(map) => Answer::Made(Value::from(host.maps().len(*map))),
        HostOp::MapDelete(map) => Answer::Truth(host.maps().delete(*map, &values())),
        HostOp::MapSet(_) | HostOp::MapAdd(_) | HostOp::MapAggregate(..) => {
            update(op, values(), host.maps());
            Answer::Nothing
        }
    }
}

/// Updates of a map: the key's parts, then the value but for count.
fn update(op: &HostOp, mut args: Vec<Value>, maps: &mut Maps) {
    match op {
        HostOp::MapAggregate(map, agg @ reel_lang::ty::Agg::Count) => maps.aggregate(*map, &args, *agg, None),
        HostOp::MapAggregate(map, agg) => {
            let value = args.pop().unwrap_or_default();
            // What has no number, nil for one, is not folded in.
            if let Some(number) = number::bits(View::of(&value)) {
                maps.aggregate(*map, &args, *agg, Some(number));
            }
        }
        HostOp::MapAdd(map) => {
            let delta = args.pop().unwrap_or_default();
            maps.add(*map, &args, number::bits(View::of(&delta)).unwrap_or(0));
        }
        HostOp::MapSet(map) => {
            let value = args.pop().unwrap_or_default();
            maps.set(*map, &args, value);
        }
        _ => {}
    }
}

/// A host for tests, and for programs that only compute: it keeps what it is told, in order.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    pub maps: Maps,
    pub events: Vec<Event>,
    /// What `nsecs` and every other builtin gives.
    pub clock: i64,
}

/// What a [`Recorder`] was told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Emit(OutputId, Vec<Value>),
    Record(OutputId, Vec<u8>),
    Action(u32, Vec<Value>),
}

impl Recorder {
    /// Makes a recorder with the maps of a module.
    pub fn new(module: &Module) -> Self {
        Recorder { maps: Maps::new(&module.maps), ..Recorder::default() }
    }
}

impl Host for Recorder {
    fn maps(&mut self) -> &mut Maps {
        &mut self.maps
    }

    fn builtin(&mut self, _name: &'static str) -> Value {
        Value::Int(self.clock)
    }

    fn emit(&mut self, output: OutputId, args: &[Value]) {
        self.events.push(Event::Emit(output, args.to_vec()));
    }

    fn emit_record(&mut self, output: OutputId, record: &[u8]) {
        self.events.push(Event::Record(output, record.to_vec()));
    }

    fn action(&mut self, index: u32, args: &[Value]) {
        self.events.push(Event::Action(index, args.to_vec()));
    }
}
