//! The tables of a module in the making: constant bytes, maps, outputs, patterns, paths; equal entries are kept once.

use std::collections::HashMap;

use reel_lang::hir::{self, MapId, Pattern};
use reel_lang::span::Span;
use reel_lang::ty::{IntTy, Ty};

use super::shape::{self, Shape};
use super::sizes::Shapes;
use crate::ir::{Data, MapDef, MapKind, Module, Output, OutputArg, OutputId, OutputKind, PathId, PathStep, PatternId};

/// The name of the ring buffer that events go through.
pub const EVENTS: &str = "events";
/// The size of the ring buffer where nobody says otherwise.
const EVENTS_LEN_BYTES: u32 = 1 << 20;
/// The name of the one-entry map that holds the time of start in nanoseconds of the monotonic clock, which whoever loads
/// the program sets: `elapsed` counts from it.
pub const START: &str = "start";

/// A module in the making.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) module: Module,
    script: HashMap<MapId, u32>,
    data: HashMap<Vec<u8>, Data>,
}

impl Tables {
    /// Constant bytes.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> Data {
        if let Some(known) = self.data.get(bytes) {
            return *known;
        }
        let data = Data(self.module.data.len() as u32);
        self.module.data.push(bytes.to_vec());
        self.data.insert(bytes.to_vec(), data);
        data
    }

    /// A text pattern.
    pub(crate) fn pattern(&mut self, pattern: &Pattern) -> PatternId {
        let known = self.module.patterns.iter().position(|p| p == pattern);
        let index = known.unwrap_or_else(|| {
            self.module.patterns.push(pattern.clone());
            self.module.patterns.len() - 1
        });
        PatternId(index as u32)
    }

    /// A constant path.
    pub(crate) fn path(&mut self, path: Vec<PathStep>) -> PathId {
        let known = self.module.paths.iter().position(|p| *p == path);
        let index = known.unwrap_or_else(|| {
            self.module.paths.push(path);
            self.module.paths.len() - 1
        });
        PathId(index as u32)
    }

    /// Something that is printed.
    pub(crate) fn output(&mut self, kind: OutputKind, args: Vec<OutputArg>, len_bytes: u32, span: Span) -> OutputId {
        let id = OutputId(self.module.outputs.len() as u32);
        self.module.outputs.push(Output { kind, args, len_bytes, span });
        id
    }

    /// A map of the script, by its index in the module.
    pub(crate) fn script_map(&mut self, program: &hir::Program, shapes: &Shapes, id: MapId) -> u32 {
        if let Some(known) = self.script.get(&id) {
            return *known;
        }
        let index = self.module.maps.len() as u32;
        if let Some(map) = program.maps.iter().find(|map| map.id == id) {
            self.module.maps.push(definition(program, shapes, map));
            self.script.insert(id, index);
        }
        index
    }

    /// The map in which message clauses keep their shard of an aggregation.
    pub(crate) fn native_shard(&mut self, map: u32) -> u32 {
        let Some(mut def) = self.module.maps.get(map as usize).cloned() else { return map };
        def.name = native_shard(&def.name);
        let known = self.module.maps.iter().position(|known| known.name == def.name);
        let index = known.unwrap_or_else(|| {
            self.module.maps.push(MapDef { script: None, kind: MapKind::Hash, ..def });
            self.module.maps.len() - 1
        });
        index as u32
    }

    /// A map of reel's own.
    pub(crate) fn own_map(&mut self, name: &str) -> u32 {
        let known = self.module.maps.iter().position(|map| map.script.is_none() && map.name == name);
        if let Some(known) = known {
            return known as u32;
        }
        let ring = name == EVENTS;
        let key = shape::argument(&Ty::Int(IntTy::U32), &Shape::Scalar(IntTy::U32), 0);
        self.module.maps.push(MapDef {
            name: name.to_owned(),
            script: None,
            kind: if ring { MapKind::Ringbuf } else { MapKind::Array },
            keys: if ring { Vec::new() } else { vec![key] },
            value: Ty::Int(IntTy::U64),
            value_items: Vec::new(),
            key_len_bytes: if ring { 0 } else { 4 },
            value_len_bytes: if ring { 0 } else { 8 },
            max_entries: if ring { EVENTS_LEN_BYTES } else { 1 },
        });
        (self.module.maps.len() - 1) as u32
    }
}

/// The name of the map in which message clauses keep their shard of an aggregation that kernel clauses read; no map of a script has a
/// dot in its name.
pub fn native_shard(map: &str) -> String {
    format!("{map}.native")
}

/// The names that maps of reel's own have in an object.
const RESERVED: [&str; 6] = ["", EVENTS, START, "lost", "zeroes", "scratch"];

/// The name of a script's map in the object: without `@`; one that is reel's own, or none, gets a `_` behind it.
fn object_name(name: &str) -> String {
    let name = name.trim_start_matches('@');
    let tail = if RESERVED.contains(&name) { "_" } else { "" };
    format!("{name}{tail}")
}

/// A map of the script. A map without keys has one entry, at a key of 8 zero bytes.
fn definition(program: &hir::Program, shapes: &Shapes, map: &hir::Map) -> MapDef {
    let parts: Vec<_> = map.keys.iter().zip(shapes.keys(map.id).iter().cloned()).collect();
    let (keys, key_len_bytes) = shape::record(0, &parts);
    let value = shape::argument(&map.value, &shapes.value(map.id), 0);
    let keyless = map.keys.is_empty();
    MapDef {
        name: object_name(&map.name),
        script: Some(map.id),
        kind: match map.value {
            Ty::Agg(_) => MapKind::PercpuHash,
            _ => MapKind::Hash,
        },
        keys,
        value: map.value.clone(),
        value_items: value.items,
        key_len_bytes: key_len_bytes.max(8),
        value_len_bytes: shape::align(value.len_bytes, 8),
        max_entries: match map.max_entries {
            _ if keyless => 1,
            Some(entries) => entries,
            None => program.config.max_map_keys,
        },
    }
}
