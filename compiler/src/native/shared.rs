//! A map that kernel programs share with native code.
//!
//! Plain values lie in the kernel's map alone, and native code goes there through [`KernelMap`]: whoever writes last wins. Of an
//! aggregation each side folds into a shard of its own, so that neither waits for the other: the kernel has one for each CPU in its
//! map, native code keeps its own with its other maps, and whoever reads merges them. Where a kernel program reads the
//! aggregation too, the native shard lies in a second map of the kernel, which nobody but native code writes.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use reel_lang::ty::{Agg, Ty};
use reel_lang::value::Value;

use super::layout::{self, AsValues, Odd};
use super::maps::Cell;
use super::number;
use super::view::View;
use crate::aggregate::AggState;
use crate::ir::MapDef;

/// Keys of a map, each with its values.
pub type Entries = Vec<(Vec<u8>, Vec<Vec<u8>>)>;

/// A map of the kernel as bytes: keys and values have the lengths of its definition.
pub trait KernelMap: Debug + Send + Sync {
    /// The values of a key: one, or one for each CPU; none where the key is absent.
    fn lookup(&self, key: &[u8]) -> Option<Vec<Vec<u8>>>;
    /// Sets the value of a key; false where there is no room.
    fn update(&self, key: &[u8], value: &[u8]) -> bool;
    /// Removes a key, and says whether it was there.
    fn delete(&self, key: &[u8]) -> bool;
    /// Every key with its values.
    ///
    /// # Errors
    /// The kernel's answer.
    fn entries(&self) -> io::Result<Entries>;
}

/// The kernel's side of a shared map.
#[derive(Debug, Clone)]
pub struct Shared {
    def: MapDef,
    map: Arc<dyn KernelMap>,
    /// The native shard, of an aggregation that kernel programs read.
    native: Option<Arc<dyn KernelMap>>,
}

/// Why an update came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The map is full.
    Full,
    /// The key or the value has no form in the kernel: a text is too long, or something is nil.
    NoForm,
}

impl Shared {
    /// A map of the kernel, by its definition there, and the map of the native shard where the kernel has one.
    pub fn new(def: MapDef, map: Arc<dyn KernelMap>, native: Option<Arc<dyn KernelMap>>) -> Self {
        Shared { def, map, native }
    }

    /// The maps of the kernel that have entries of this one.
    fn maps(&self) -> impl Iterator<Item = &Arc<dyn KernelMap>> {
        std::iter::once(&self.map).chain(&self.native)
    }

    /// The aggregation that is kept, if it is one.
    pub(super) fn agg(&self) -> Option<Agg> {
        match self.def.value {
            Ty::Agg(agg) => Some(agg),
            _ => None,
        }
    }

    /// A key in the kernel's layout; none where it has no form there, so that it cannot be in the map.
    fn key(&self, key: &[Value]) -> Option<Vec<u8>> {
        let mut bytes = vec![0; self.def.key_len_bytes as usize];
        let fits = self.def.keys.iter().zip(key).all(|(arg, value)| layout::write(arg, value, &mut bytes));
        (fits && self.def.keys.len() == key.len()).then_some(bytes)
    }

    pub(super) fn has(&self, key: &[Value]) -> bool {
        self.key(key).is_some_and(|key| self.maps().any(|map| map.lookup(&key).is_some()))
    }

    pub(super) fn delete(&self, key: &[Value]) -> bool {
        self.key(key).is_some_and(|key| self.maps().filter(|map| map.delete(&key)).count() > 0)
    }

    /// Empties the native shard; the other map is its owner's to empty.
    pub(super) fn clear(&self) {
        if let Some(map) = &self.native {
            map.entries().into_iter().flatten().for_each(|(key, _)| {
                map.delete(&key);
            });
        }
    }

    /// Sets the values of the native shard to zero.
    pub(super) fn zero(&self) {
        let zeroes = vec![0; self.def.value_len_bytes as usize];
        if let Some(map) = &self.native {
            map.entries().into_iter().flatten().for_each(|(key, _)| {
                map.update(&key, &zeroes);
            });
        }
    }

    /// Folds a number into the native shard; none where it does not lie in the kernel.
    pub(super) fn fold(&self, key: &[Value], agg: Agg, number: i64) -> Option<Result<(), Refusal>> {
        let native = self.native.as_ref()?;
        let Some(key) = self.key(key) else { return Some(Err(Refusal::NoForm)) };
        let old = native.lookup(&key).unwrap_or_default();
        let mut state = merged(agg, &old);
        state.add(number);
        let mut bytes = state.to_bytes();
        bytes.resize(self.def.value_len_bytes as usize, 0);
        Some(if native.update(&key, &bytes) { Ok(()) } else { Err(Refusal::Full) })
    }

    /// The plain value of a key, if it is there; nil for a text that the kernel cut.
    pub(super) fn get(&self, key: &[Value]) -> Option<Value> {
        let values = self.map.lookup(&self.key(key)?)?;
        values.first().map(|bytes| self.value(bytes, &AsValues))
    }

    /// Sets a plain value. Nil removes the entry, since the kernel has no such value; so does a value without a form in
    /// the kernel, since what was there before is no longer true.
    pub(super) fn set(&self, key: &[Value], value: &Value) -> Result<(), Refusal> {
        let key = self.key(key).ok_or(Refusal::NoForm)?;
        let mut bytes = vec![0; self.def.value_len_bytes as usize];
        if layout::write(&self.def.value_arg(), value, &mut bytes) {
            return if self.map.update(&key, &bytes) { Ok(()) } else { Err(Refusal::Full) };
        }
        self.map.delete(&key);
        if *value == Value::Nil { Ok(()) } else { Err(Refusal::NoForm) }
    }

    /// Adds to a number; an absent one counts from 0. Only native code adds in place: the planner has refused a map to which both
    /// sides do.
    pub(super) fn add(&self, key: &[Value], delta: i64) -> Result<(), Refusal> {
        let old = self.get(key).and_then(|old| number::bits(View::of(&old))).unwrap_or(0);
        let sum = old.wrapping_add(delta);
        let is_unsigned = self.def.value.int().is_some_and(|int| !int.signed);
        self.set(key, &if is_unsigned { Value::from(sum.cast_unsigned()) } else { Value::Int(sum) })
    }

    /// The shards of an aggregation that lie in the kernel, merged; none where there are none.
    pub(super) fn state(&self, agg: Agg, key: &[Value]) -> Option<AggState> {
        let key = self.key(key)?;
        let shards: Vec<Vec<u8>> = self.maps().filter_map(|map| map.lookup(&key)).flatten().collect();
        (!shards.is_empty()).then(|| merged(agg, &shards))
    }

    /// Every entry of plain values, or of merged shards.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(super) fn entries(&self, odd: &dyn Odd) -> io::Result<Vec<KernelEntry>> {
        let mut entries: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
        for map in self.maps() {
            map.entries()?.into_iter().for_each(|(key, values)| entries.entry(key).or_default().extend(values));
        }
        let entry = |(key, values): (Vec<u8>, Vec<Vec<u8>>)| KernelEntry {
            key: self.def.keys.iter().map(|arg| layout::read(arg, &key, odd)).collect(),
            exact: self.def.keys.iter().map(|arg| layout::read(arg, &key, &AsValues)).collect(),
            cell: match self.agg() {
                Some(agg) => Cell::Agg(merged(agg, &values)),
                None => Cell::Plain(values.first().map_or(Value::Nil, |bytes| self.value(bytes, odd))),
            },
        };
        Ok(entries.into_iter().map(entry).collect())
    }

    fn value(&self, bytes: &[u8], odd: &dyn Odd) -> Value {
        layout::read(&self.def.value_arg(), bytes, odd)
    }
}

/// An entry of the kernel's side.
pub(super) struct KernelEntry {
    /// The key as it is shown.
    pub key: Vec<Value>,
    /// The key as clauses compare it: nil where a text was cut.
    pub exact: Vec<Value>,
    pub cell: Cell,
}

fn merged(agg: Agg, shards: &[Vec<u8>]) -> AggState {
    let mut all = AggState::new(agg);
    shards.iter().for_each(|shard| all.merge(&AggState::from_bytes(agg, shard)));
    all
}

#[cfg(test)]
mod tests;
