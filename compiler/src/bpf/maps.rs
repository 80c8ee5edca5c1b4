//! The maps of an object: the module's own, and those that the back end adds when an instruction needs them.
//!
//! `events` is the ring that records go to. `lost` counts per CPU what had no room (see [`LOST_EVENTS`], [`LOST_UPDATES`]).
//! `scratch` holds the buffers that the stack has no room for, an entry for each program that needs one. `zeroes` is a
//! value of zero bytes, from which a new aggregation starts. A module that already has a map of such a name keeps it.

use super::Options;
use crate::ir::{MapDef, MapKind, Module};

/// The entry of `lost` that counts records for which the ring had no room.
pub const LOST_EVENTS: u32 = 0;
/// The entry of `lost` that counts values that a map took no more.
pub const LOST_UPDATES: u32 = 1;

/// Entries are made when they are first written (BPF_F_NO_PREALLOC).
pub const NO_PREALLOC: u32 = 1;

/// A map of an object, as the kernel wants to hear it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapSpec {
    pub name: String,
    pub kind: MapKind,
    pub key_len_bytes: u32,
    pub value_len_bytes: u32,
    pub max_entries: u32,
    /// `map_flags` of BPF_MAP_CREATE.
    pub flags: u32,
}

impl MapSpec {
    /// Returns the number in `enum bpf_map_type`.
    pub fn kernel_type(&self) -> u32 {
        match self.kind {
            MapKind::Hash => 1,
            MapKind::Array => 2,
            MapKind::PercpuHash => 5,
            MapKind::PercpuArray => 6,
            MapKind::LruHash => 9,
            MapKind::SkStorage => 24,
            MapKind::Ringbuf => 27,
        }
    }
}

/// Collects the maps of an object.
pub(super) struct Maps {
    specs: Vec<MapSpec>,
    ring_len_bytes: u32,
}

impl Maps {
    pub fn new(module: &Module, options: &Options) -> Maps {
        let specs = module.maps.iter().map(|def| spec(def, options)).collect();
        Maps { specs, ring_len_bytes: options.ring_len_bytes }
    }

    pub fn finish(self) -> Vec<MapSpec> {
        self.specs
    }

    /// The index of a map of the back end, which is made where it is missing.
    fn own(&mut self, name: &str, kind: MapKind, sizes: [u32; 3]) -> u32 {
        let found = self.specs.iter().position(|spec| spec.name == name);
        let index = found.unwrap_or_else(|| {
            let [key_len_bytes, value_len_bytes, max_entries] = sizes;
            self.specs.push(MapSpec {
                name: name.to_owned(),
                kind,
                key_len_bytes,
                value_len_bytes,
                max_entries,
                flags: 0,
            });
            self.specs.len() - 1
        });
        index as u32
    }

    pub fn events(&mut self) -> u32 {
        self.own("events", MapKind::Ringbuf, [0, 0, self.ring_len_bytes])
    }

    pub fn lost(&mut self) -> u32 {
        self.own("lost", MapKind::PercpuArray, [4, 8, 2])
    }

    /// The map of zero bytes, at least this long.
    pub fn zeroes(&mut self, len_bytes: u32) -> u32 {
        let index = self.own("zeroes", MapKind::Array, [4, len_bytes, 1]);
        if let Some(spec) = self.specs.get_mut(index as usize) {
            spec.value_len_bytes = spec.value_len_bytes.max(len_bytes);
        }
        index
    }

    /// The scratch map, and a new entry of it that is at least this long.
    pub fn scratch_entry(&mut self, len_bytes: u32) -> (u32, u32) {
        let index = self.own("scratch", MapKind::PercpuArray, [4, len_bytes, 0]);
        let Some(spec) = self.specs.get_mut(index as usize) else {
            return (index, 0);
        };
        spec.value_len_bytes = spec.value_len_bytes.max(len_bytes);
        spec.max_entries += 1;
        (index, spec.max_entries - 1)
    }
}

fn spec(def: &MapDef, options: &Options) -> MapSpec {
    let flags = match def.kind {
        MapKind::SkStorage => NO_PREALLOC,
        MapKind::Hash | MapKind::PercpuHash if !options.preallocate => NO_PREALLOC,
        _ => 0,
    };
    MapSpec {
        name: def.name.clone(),
        kind: def.kind,
        key_len_bytes: def.key_len_bytes,
        value_len_bytes: def.value_len_bytes,
        // How long the ring is, is a matter of who reads it.
        max_entries: if def.kind == MapKind::Ringbuf { options.ring_len_bytes } else { def.max_entries },
        flags,
    }
}
