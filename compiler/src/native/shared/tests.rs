//! Shared maps against a kernel's map that is a table in memory: what message clauses read and write there, and what has no form in it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use reel_lang::hir::MapId;
use reel_lang::ty::{Agg, IntTy, Ty};
use reel_lang::value::Value;

use super::super::layout::AsValues;
use super::super::maps::{Cell, Maps};
use super::{Entries, KernelMap, Shared};
use crate::aggregate::AggState;
use crate::ir::{MapDef, MapKind, OutputArg};
use crate::lower::shape::CUT;

/// A map of a kernel with two CPUs, and room for two keys.
#[derive(Debug, Default)]
struct Fake(Mutex<HashMap<Vec<u8>, Vec<Vec<u8>>>>);

impl KernelMap for Fake {
    fn lookup(&self, key: &[u8]) -> Option<Vec<Vec<u8>>> {
        self.0.lock().ok()?.get(key).cloned()
    }

    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        let Ok(mut entries) = self.0.lock() else { return false };
        let fits = entries.len() < 2 || entries.contains_key(key);
        if fits {
            entries.insert(key.to_vec(), vec![value.to_vec()]);
        }
        fits
    }

    fn delete(&self, key: &[u8]) -> bool {
        self.0.lock().is_ok_and(|mut entries| entries.remove(key).is_some())
    }

    fn entries(&self) -> io::Result<Entries> {
        let entries = self.0.lock().map_err(|_| io::Error::other("poisoned"))?;
        Ok(entries.iter().map(|(key, values)| (key.clone(), values.clone())).collect())
    }
}

/// A map from a text of at most 7 bytes.
fn def(value: Ty, value_len_bytes: u32) -> MapDef {
    MapDef {
        name: "m".into(),
        script: Some(MapId(0)),
        kind: MapKind::Hash,
        keys: vec![OutputArg { ty: Ty::Str, offset: 0, len_bytes: 8, items: Vec::new() }],
        value,
        value_items: Vec::new(),
        key_len_bytes: 8,
        value_len_bytes,
        max_entries: 16,
    }
}

fn shared(def: &MapDef, map: &Arc<Fake>, native: Option<&Arc<Fake>>) -> Maps {
    let mut maps = Maps::new(std::slice::from_ref(def));
    let native = native.map(|map| Arc::clone(map) as Arc<dyn KernelMap>);
    maps.share(0, Shared::new(def.clone(), Arc::clone(map) as Arc<dyn KernelMap>, native));
    maps
}

fn key(text: &str) -> Vec<Value> {
    vec![Value::from(text)]
}

fn bytes(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    bytes.resize(8, 0);
    bytes
}

/// What a kernel program counted on each of two CPUs.
fn counted(map: &Fake, key: &[u8], shards: [u64; 2]) {
    if let Ok(mut entries) = map.0.lock() {
        entries.insert(bytes(key), shards.iter().map(|count| count.to_le_bytes().to_vec()).collect());
    }
}

fn listed(maps: &Maps) -> Vec<String> {
    let entries = maps.all_entries(0, &AsValues).unwrap_or_default();
    entries.into_iter().map(|(key, cell)| format!("{key:?} {:?}", cell.value())).collect()
}

#[test]
fn plain_values_lie_in_the_kernel() {
    let (def, map) = (def(Ty::Int(IntTy::U64), 8), Arc::new(Fake::default()));
    let mut maps = shared(&def, &map, None);
    maps.set(0, &key("a"), Value::Int(7));
    maps.add(0, &key("a"), 3);
    maps.add(0, &key("b"), -1);
    assert_eq!(map.lookup(&bytes(b"a")), Some(vec![10_u64.to_le_bytes().to_vec()]));
    assert_eq!(maps.get(0, &key("b")), Value::Uint(u64::MAX));
    maps.set(0, &key("c"), Value::Int(1));
    assert_eq!((maps.has(0, &key("c")), maps.lost(0), maps.unheld(0)), (false, 1, 0));
    maps.set(0, &key("a"), Value::Nil);
    assert_eq!((maps.has(0, &key("a")), maps.get(0, &key("a")), maps.unheld(0)), (false, Value::Int(0), 0));
    maps.set(0, &key("b"), Value::from("no number"));
    assert_eq!((maps.has(0, &key("b")), maps.unheld(0)), (false, 1));
    maps.set(0, &key("too long"), Value::Int(1));
    maps.set(0, &[Value::Nil], Value::Int(1));
    assert_eq!((listed(&maps).len(), maps.unheld(0)), (0, 3));
    assert!(!maps.delete(0, &key("too long")));
}

#[test]
fn a_text_that_the_kernel_cut_is_nil_and_an_absent_one_is_empty() {
    let (def, map) = (def(Ty::Str, 8), Arc::new(Fake::default()));
    let maps = shared(&def, &map, None);
    map.update(&bytes(b"cut"), &bytes(&[b"1234567", &[CUT][..]].concat()));
    map.update(&bytes(b"whole"), &bytes(b"1234567"));
    let found = ["cut", "whole", "absent"].map(|text| maps.get(0, &key(text)));
    assert_eq!(found, [Value::Nil, Value::from("1234567"), Value::from("")]);
}

#[test]
fn shards_are_merged_by_their_key_and_a_cut_key_is_nobodys() {
    let (def, map) = (def(Ty::Agg(Agg::Count), 8), Arc::new(Fake::default()));
    let mut maps = shared(&def, &map, None);
    counted(&map, b"a", [1, 2]);
    counted(&map, &[b"longer", &[CUT][..]].concat(), [5, 0]);
    for text in ["a", "longer than the kernel's", "longer"] {
        maps.aggregate(0, &key(text), Agg::Count, None);
    }
    assert_eq!((maps.get(0, &key("a")), maps.get(0, &key("longer"))), (Value::Int(4), Value::Int(1)));
    let mut found = listed(&maps);
    found.sort();
    let text = |text: &str| format!("[Str(b\"{text}\")]");
    let wanted = [
        "[Nil] Int(5)".to_owned(),
        text("a") + " Int(4)",
        text("longer than the kernel's") + " Int(1)",
        text("longer") + " Int(1)",
    ];
    assert_eq!(found, wanted);
    assert!(maps.delete(0, &key("a")) && !maps.has(0, &key("a")) && map.lookup(&bytes(b"a")).is_none());
}

#[test]
fn a_shard_in_the_kernel_holds_what_native_code_counts() {
    let agg = Agg::Avg { signed: true };
    let (def, map, native) = (def(Ty::Agg(agg), 16), Arc::new(Fake::default()), Arc::new(Fake::default()));
    let mut maps = shared(&def, &map, Some(&native));
    maps.aggregate(0, &key("a"), agg, Some(4));
    maps.aggregate(0, &key("a"), agg, Some(-2));
    maps.aggregate(0, &key("longer than that"), agg, Some(1));
    let shard = native.lookup(&bytes(b"a")).unwrap_or_default().concat();
    assert_eq!(Cell::Agg(AggState::from_bytes(agg, &shard)).value(), Value::Int(1));
    assert_eq!((maps.get(0, &key("a")), maps.unheld(0), maps.entries(0).count()), (Value::Int(1), 1, 0));
    let mut of_kernel = AggState::new(agg);
    of_kernel.add(10);
    map.update(&bytes(b"a"), &of_kernel.to_bytes());
    assert_eq!((maps.get(0, &key("a")), listed(&maps).len()), (Value::Int(4), 1));
    maps.zero(0);
    assert_eq!(maps.get(0, &key("a")), Value::Int(10));
    maps.clear(0);
    assert!(native.lookup(&bytes(b"a")).is_none() && maps.has(0, &key("a")));
}
