//! Storage of maps in user space.
//!
//! A map has two faces. Code that both sides can run works on bytes in the kernel's layout, with the kernel's answers
//! (`bpf_map_update_elem` and its kin): an array has all its entries from the start and loses none, a full hash refuses.
//! Native code works on values: keys are equal as `equal` says, so `1` and `1.0` are one key. Aggregations lie as
//! `crate::aggregate` says in both. Entries are kept in the order of their keys' canonical form, so a listing is
//! deterministic.
//!
//! A map that kernel programs have too is joined to theirs by [`Maps::share`]; [`super::shared`] says what then lies where.

use std::collections::BTreeMap;
use std::io;

use reel_lang::ty::{Agg, IntTy, Ty};
use reel_lang::value::Value;

use super::layout::{AsValues, Odd};
use super::number::{self, Exact};
use super::scalar::wrap;
use super::shared::{KernelEntry, Refusal, Shared};
use super::view::View;
use crate::aggregate::{AggState, AggValue};
use crate::ir::{MapDef, MapKind};

/// The maps of a module.
#[derive(Debug, Clone, Default)]
pub struct Maps {
    maps: Vec<Map>,
}

#[derive(Debug, Clone)]
struct Map {
    def: MapDef,
    bytes: BTreeMap<Vec<u8>, Vec<u8>>,
    values: BTreeMap<Vec<u8>, (Vec<Value>, Cell)>,
    lost: u64,
    /// How many updates had no form in the kernel.
    unheld: u64,
    /// The kernel's side, of a map that kernel programs have too.
    shared: Option<Shared>,
}

/// What an entry of a value-keyed map holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Plain(Value),
    Agg(AggState),
}

impl Cell {
    /// What reading the entry gives: statistics and buckets as a list of numbers.
    pub fn value(&self) -> Value {
        match self {
            Cell::Plain(value) => value.clone(),
            Cell::Agg(state) => match state.value() {
                AggValue::Unsigned(number) => Value::from(number),
                AggValue::Signed(number) => Value::Int(number),
                AggValue::Stats { count, average, total, signed } => {
                    let number = |n: i64| if signed { Value::Int(n) } else { Value::from(n.cast_unsigned()) };
                    Value::List(vec![Value::from(count), number(average), number(total)])
                }
                AggValue::Buckets(counts) => Value::List(counts.into_iter().map(Value::from).collect()),
            },
        }
    }
}

impl Maps {
    /// Makes the maps of a module, empty.
    pub fn new(defs: &[MapDef]) -> Self {
        let map = |def: &MapDef| Map {
            def: def.clone(),
            bytes: BTreeMap::new(),
            values: BTreeMap::new(),
            lost: 0,
            unheld: 0,
            shared: None,
        };
        Maps { maps: defs.iter().map(map).collect() }
    }

    /// Joins a map with the kernel's side of it.
    pub fn share(&mut self, map: u32, kernel: Shared) {
        if let Some(map) = self.map_mut(map) {
            map.shared = Some(kernel);
        }
    }

    /// How many updates a full map refused.
    pub fn lost(&self, map: u32) -> u64 {
        self.map(map).map_or(0, |map| map.lost)
    }

    /// How many updates had a key or a value without a form in the kernel, which shares the map.
    pub fn unheld(&self, map: u32) -> u64 {
        self.map(map).map_or(0, |map| map.unheld)
    }

    fn map(&self, map: u32) -> Option<&Map> {
        self.maps.get(map as usize)
    }

    fn map_mut(&mut self, map: u32) -> Option<&mut Map> {
        self.maps.get_mut(map as usize)
    }

    /// Removes every entry.
    pub fn clear(&mut self, map: u32) {
        if let Some(map) = self.map_mut(map) {
            map.bytes.clear();
            map.values.clear();
            map.shared.iter().for_each(Shared::clear);
        }
    }

    /// Keeps the keys, and sets every value to its zero.
    pub fn zero(&mut self, map: u32) {
        let Some(map) = self.map_mut(map) else { return };
        map.bytes.values_mut().for_each(|value| value.fill(0));
        map.shared.iter().for_each(Shared::zero);
        for (_, cell) in map.values.values_mut() {
            *cell = match (&map.def.value, &cell) {
                (Ty::Agg(agg), _) => Cell::Agg(AggState::new(*agg)),
                (Ty::Any, Cell::Plain(Value::Str(_))) => Cell::Plain(Value::text("")),
                (Ty::Any, _) => Cell::Plain(Value::Int(0)),
                (ty, _) => Cell::Plain(zero_of(ty)),
            };
        }
    }
}

/// The face in the kernel's layout.
impl Maps {
    /// The value of a key.
    pub fn bytes(&self, map: u32, key: &[u8]) -> Option<Vec<u8>> {
        let map = self.map(map)?;
        match map.bytes.get(key) {
            Some(value) => Some(value.clone()),
            None => map.in_array(key).then(|| map.zeroes()),
        }
    }

    /// Sets the value of a key.
    pub fn set_bytes(&mut self, map: u32, key: &[u8], value: &[u8]) {
        if let Some(entry) = self.map_mut(map).and_then(|map| map.entry(key)) {
            *entry = value.to_vec();
        }
    }

    /// Adds to a little-endian integer; it wraps.
    pub fn add_bytes(&mut self, map: u32, key: &[u8], delta: u64) {
        if let Some(entry) = self.map_mut(map).and_then(|map| map.entry(key)) {
            let sum = word(entry).wrapping_add(delta).to_le_bytes();
            entry.iter_mut().zip(sum).for_each(|(to, byte)| *to = byte);
        }
    }

    /// Removes a key, and says whether it was there; an array keeps its entries.
    pub fn delete_bytes(&mut self, map: u32, key: &[u8]) -> bool {
        let map = self.map_mut(map);
        map.is_some_and(|map| !map.is_array() && map.bytes.remove(key).is_some())
    }

    /// Folds a number into an aggregation.
    pub fn aggregate_bytes(&mut self, map: u32, key: &[u8], agg: Agg, number: Option<i64>) {
        if let Some(entry) = self.map_mut(map).and_then(|map| map.entry(key)) {
            let mut state = AggState::from_bytes(agg, entry);
            state.add(number.unwrap_or(1));
            entry.iter_mut().zip(state.to_bytes()).for_each(|(to, byte)| *to = byte);
        }
    }

    /// The entries in the kernel's layout, in the order of their keys.
    pub fn entries_bytes(&self, map: u32) -> impl Iterator<Item = (&[u8], &[u8])> {
        let entries = self.map(map).into_iter().flat_map(|map| &map.bytes);
        entries.map(|(key, value)| (key.as_slice(), value.as_slice()))
    }
}

fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    u64::from_le_bytes(word)
}

impl Map {
    fn is_array(&self) -> bool {
        matches!(self.def.kind, MapKind::Array | MapKind::PercpuArray)
    }

    fn in_array(&self, key: &[u8]) -> bool {
        self.is_array() && word(key) < u64::from(self.def.max_entries)
    }

    fn zeroes(&self) -> Vec<u8> {
        vec![0; self.def.value_len_bytes as usize]
    }

    fn is_full(&self, len: usize) -> bool {
        self.def.kind != MapKind::LruHash && len >= self.def.max_entries as usize
    }

    /// The entry of a key, made of zeroes where it is absent; none where there is no room.
    fn entry(&mut self, key: &[u8]) -> Option<&mut Vec<u8>> {
        let known = self.bytes.contains_key(key);
        let fits = if self.is_array() { self.in_array(key) } else { !self.is_full(self.bytes.len()) };
        if !known && !fits {
            self.lost += 1;
            return None;
        }
        let zeroes = if known { Vec::new() } else { self.zeroes() };
        Some(self.bytes.entry(key.to_vec()).or_insert(zeroes))
    }

    /// The cell of a key of values.
    fn cell(&mut self, key: &[Value], new: impl FnOnce() -> Cell) -> Option<&mut Cell> {
        let canonical = canonical_key(key);
        if !self.values.contains_key(&canonical) && self.is_full(self.values.len()) {
            self.lost += 1;
            return None;
        }
        Some(&mut self.values.entry(canonical).or_insert_with(|| (key.to_vec(), new())).1)
    }
}

/// The face of values. A shared map of plain values lies in the kernel; of a shared aggregation the native shard is here.
impl Maps {
    /// The value of a key; where it is absent, the zero of the map's type, as in the kernel.
    pub fn get(&self, map: u32, key: &[Value]) -> Value {
        let Some(map) = self.map(map) else { return Value::Nil };
        let native = map.values.get(&canonical_key(key)).map(|(_, cell)| cell);
        let absent = || zero_of(&map.def.value);
        match &map.shared {
            None => native.map_or_else(absent, Cell::value),
            Some(shared) => match shared.agg() {
                Some(agg) => merge(native, shared.state(agg, key)).map_or_else(absent, |cell| cell.value()),
                None => shared.get(key).unwrap_or_else(absent),
            },
        }
    }

    /// Whether a key is there.
    pub fn has(&self, map: u32, key: &[Value]) -> bool {
        self.map(map).is_some_and(|map| {
            map.values.contains_key(&canonical_key(key)) || map.shared.as_ref().is_some_and(|shared| shared.has(key))
        })
    }

    /// How many keys there are, on both sides.
    pub fn len(&self, map: u32) -> u64 {
        let here = || self.map(map).map_or(0, |map| map.values.len() as u64);
        match self.map(map).is_some_and(|map| map.shared.is_some()) {
            true => self.all_entries(map, &AsValues).map_or_else(|_| here(), |entries| entries.len() as u64),
            false => here(),
        }
    }

    /// Sets the value of a key.
    pub fn set(&mut self, map: u32, key: &[Value], value: Value) {
        let Some(map) = self.map_mut(map) else { return };
        if let Some(shared) = &map.shared {
            let done = shared.set(key, &value);
            map.count(done);
        } else if let Some(cell) = map.cell(key, || Cell::Plain(Value::Nil)) {
            *cell = Cell::Plain(value);
        }
    }

    /// Adds to a number; an absent one counts from 0.
    pub fn add(&mut self, map: u32, key: &[Value], delta: i64) {
        let Some(map) = self.map_mut(map) else { return };
        if let Some(shared) = &map.shared {
            let done = shared.add(key, delta);
            return map.count(done);
        }
        let ty = map.def.value.clone();
        if let Some(cell) = map.cell(key, || Cell::Plain(number_of(&ty, 0))) {
            let old = match cell {
                Cell::Plain(value) => number::bits(View::of(value)).unwrap_or(0),
                Cell::Agg(_) => return,
            };
            *cell = Cell::Plain(number_of(&ty, old.wrapping_add(delta)));
        }
    }

    /// Removes a key, and says whether it was there.
    pub fn delete(&mut self, map: u32, key: &[Value]) -> bool {
        self.map_mut(map).is_some_and(|map| {
            let native = map.values.remove(&canonical_key(key)).is_some();
            map.shared.as_ref().is_some_and(|shared| shared.delete(key)) || native
        })
    }

    /// Folds a number into an aggregation.
    pub fn aggregate(&mut self, map: u32, key: &[Value], agg: Agg, number: Option<i64>) {
        let (Some(map), number) = (self.map_mut(map), number.unwrap_or(1)) else { return };
        let elsewhere = map.shared.as_ref().and_then(|shared| shared.fold(key, agg, number));
        if let Some(done) = elsewhere {
            map.count(done);
        } else if let Some(Cell::Agg(state)) = map.cell(key, || Cell::Agg(AggState::new(agg))) {
            state.add(number);
        }
    }

    /// The entries of values that lie here, in the order of their keys' canonical form.
    pub fn entries(&self, map: u32) -> impl Iterator<Item = (&[Value], &Cell)> {
        let entries = self.map(map).into_iter().flat_map(|map| map.values.values());
        entries.map(|(key, cell)| (key.as_slice(), cell))
    }

    /// The entries of values, those of the kernel's side too: an aggregation is merged where both have counted.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn all_entries(&self, map: u32, odd: &dyn Odd) -> io::Result<Vec<(Vec<Value>, Cell)>> {
        let Some(map) = self.map(map) else { return Ok(Vec::new()) };
        let mut entries = map.values.clone();
        let mut others = Vec::new();
        let shared = map.shared.as_ref().map(|shared| shared.entries(odd)).transpose()?;
        for KernelEntry { key, exact, cell } in shared.into_iter().flatten() {
            let canonical = canonical_key(&exact);
            // Whatever a text was before it was cut, it is not another's key, nor another cut one's.
            if exact.contains(&Value::Nil) {
                others.push((key, cell));
                continue;
            }
            let cell = match (entries.get(&canonical), cell) {
                (native, Cell::Agg(state)) => merge(native.map(|(_, cell)| cell), Some(state)),
                (_, plain) => Some(plain),
            };
            entries.extend(cell.map(|cell| (canonical, (key, cell))));
        }
        Ok(entries.into_values().chain(others).collect())
    }
}

/// Both shards of an aggregation in one.
fn merge(native: Option<&Cell>, kernel: Option<AggState>) -> Option<Cell> {
    match (native, kernel) {
        (Some(Cell::Agg(native)), Some(mut all)) => {
            all.merge(native);
            Some(Cell::Agg(all))
        }
        (native, None) => native.cloned(),
        (_, Some(kernel)) => Some(Cell::Agg(kernel)),
    }
}

impl Map {
    /// Counts an update that came to nothing.
    fn count(&mut self, done: Result<(), Refusal>) {
        match done {
            Ok(()) => {}
            Err(Refusal::Full) => self.lost += 1,
            Err(Refusal::NoForm) => self.unheld += 1,
        }
    }
}

/// What an absent entry of a type reads as: 0, an empty text, a tuple of such; nil where the type says nothing of the value.
fn zero_of(ty: &Ty) -> Value {
    match ty {
        Ty::Agg(agg) => Cell::Agg(AggState::new(*agg)).value(),
        Ty::Str => Value::text(""),
        Ty::Tuple(items) => Value::List(items.iter().map(zero_of).collect()),
        _ if ty.int().is_some() => number_of(ty, 0),
        _ => Value::Nil,
    }
}

/// A number of a map's type.
fn number_of(ty: &Ty, bits: i64) -> Value {
    let int = ty.int().unwrap_or(IntTy::I64);
    let bits = wrap(int, bits.cast_unsigned());
    match ty {
        Ty::Duration => Value::Duration(bits.cast_signed()),
        Ty::Time => Value::Time(bits.cast_signed()),
        Ty::Bool => Value::Bool(bits != 0),
        _ if int.signed => Value::Int(bits.cast_signed()),
        _ => Value::from(bits),
    }
}

/// The canonical form of a key: equal keys, as `equal` says, have equal forms.
pub(super) fn canonical_key(key: &[Value]) -> Vec<u8> {
    let mut form = Vec::new();
    key.iter().for_each(|value| canonical(View::of(value), &mut form));
    form
}

/// Pairs by the canonical form of their key.
pub(super) fn group(pairs: &[(Value, Value)]) -> BTreeMap<Vec<u8>, Vec<&Value>> {
    let mut groups: BTreeMap<Vec<u8>, Vec<&Value>> = BTreeMap::new();
    for (key, value) in pairs {
        groups.entry(canonical_key(std::slice::from_ref(key))).or_default().push(value);
    }
    groups
}

fn canonical(view: View<'_>, form: &mut Vec<u8>) {
    let run = |form: &mut Vec<u8>, kind: u8, bytes: &[u8]| {
        form.push(kind);
        form.extend((bytes.len() as u64).to_be_bytes());
        form.extend(bytes);
    };
    match view {
        View::Nil => form.push(b'n'),
        View::Null => form.push(b'0'),
        View::Bool(truth) => form.extend([b'b', u8::from(truth)]),
        View::Str(bytes) => run(form, b's', bytes),
        View::Value(Value::Ip(ip)) => run(form, b's', ip.to_string().as_bytes()),
        View::Value(Value::List(items)) => {
            run(form, b'l', &(items.len() as u64).to_be_bytes());
            items.iter().for_each(|item| canonical(View::of(item), form));
        }
        View::Value(Value::Map(pairs)) => {
            run(form, b'm', &(pairs.len() as u64).to_be_bytes());
            for (key, values) in group(pairs) {
                run(form, b'k', &key);
                values.into_iter().for_each(|value| canonical(View::of(value), form));
            }
        }
        _ => match Exact::of(view) {
            Some(number) => {
                form.extend([b'd', u8::from(!number.negative)]);
                form.extend((number.exponent ^ i64::MIN).to_be_bytes());
                run(form, b'.', &number.digits);
            }
            None => run(form, b'?', format!("{view:?}").as_bytes()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps(kind: MapKind, value: Ty) -> Maps {
        let def = MapDef {
            name: "m".into(),
            script: None,
            kind,
            keys: Vec::new(),
            value_len_bytes: match value {
                Ty::Agg(agg) => crate::aggregate::len_bytes(agg),
                _ => 4,
            },
            value,
            value_items: Vec::new(),
            key_len_bytes: 4,
            max_entries: 2,
        };
        Maps::new(&[def])
    }

    const I32: Ty = Ty::Int(IntTy::I32);

    #[test]
    fn a_hash_of_bytes_answers_as_the_kernel_s() {
        let mut maps = maps(MapKind::Hash, I32);
        let key = |n: u8| [n, 0, 0, 0];
        assert_eq!(maps.bytes(0, &key(1)), None);
        maps.add_bytes(0, &key(1), u64::MAX);
        assert_eq!(maps.bytes(0, &key(1)), Some(vec![0xff; 4]));
        maps.add_bytes(0, &key(1), 2);
        assert_eq!(maps.bytes(0, &key(1)), Some(vec![1, 0, 0, 0]));
        maps.set_bytes(0, &key(2), &[9, 9, 9, 9]);
        maps.set_bytes(0, &key(3), &[7; 4]);
        assert_eq!((maps.bytes(0, &key(3)), maps.lost(0)), (None, 1));
        assert!(maps.delete_bytes(0, &key(2)) && !maps.delete_bytes(0, &key(2)));
        assert_eq!(maps.entries_bytes(0).count(), 1);
    }

    #[test]
    fn an_array_has_all_its_entries() {
        let mut maps = maps(MapKind::Array, I32);
        assert_eq!(maps.bytes(0, &[1, 0, 0, 0]), Some(vec![0; 4]));
        assert_eq!(maps.bytes(0, &[2, 0, 0, 0]), None);
        assert!(!maps.delete_bytes(0, &[1, 0, 0, 0]));
    }

    #[test]
    fn equal_numbers_are_one_key() {
        let mut maps = maps(MapKind::Hash, I32);
        maps.add(0, &[Value::Int(1)], 2);
        maps.add(0, &[Value::Decimal("1.0".into())], 3);
        assert_eq!(maps.get(0, &[Value::Int(1)]), Value::Int(5));
        maps.add(0, &[Value::text("1")], i64::from(i32::MAX));
        maps.add(0, &[Value::text("1")], 1);
        assert_eq!(maps.get(0, &[Value::text("1")]), Value::Int(i64::from(i32::MIN)));
        maps.set(0, &[Value::Int(3)], Value::Int(1));
        assert_eq!((maps.has(0, &[Value::Int(3)]), maps.lost(0)), (false, 1));
        assert!(maps.delete(0, &[Value::Int(1)]) && !maps.has(0, &[Value::Int(1)]));
    }

    #[test]
    fn aggregations_fold_alike_in_both_faces() {
        let agg = Agg::Avg { signed: true };
        let mut maps = maps(MapKind::PercpuHash, Ty::Agg(agg));
        for number in [1, 2, 6] {
            maps.aggregate(0, &[], agg, Some(number));
            maps.aggregate_bytes(0, &[0; 4], agg, Some(number));
        }
        assert_eq!(maps.get(0, &[]), Value::Int(3));
        let bytes = maps.bytes(0, &[0; 4]).unwrap_or_default();
        assert_eq!(Cell::Agg(AggState::from_bytes(agg, &bytes)).value(), Value::Int(3));
        maps.zero(0);
        assert_eq!(maps.get(0, &[]), Value::Int(0));
        maps.clear(0);
        assert_eq!(maps.entries(0).count() + maps.entries_bytes(0).count(), 0);
    }
}
