//! The kernel's maps as entries to print.

use std::io;
use std::sync::Arc;

use reel_compiler::aggregate::merge;
use reel_compiler::ir::MapDef;
use reel_compiler::native::shared::{Entries, KernelMap};
use reel_lang::ty::Ty;
use reel_lang::value::Value;
use reel_probes::maps::Map;

use crate::output::decode::decode;
use crate::output::map::{Cell, Entry};

/// Reads every entry of a kernel map; the shards of an aggregation are merged.
///
/// # Errors
/// The kernel's answer.
pub fn entries(def: &MapDef, map: &Map) -> io::Result<Vec<Entry>> {
    Ok(map.entries()?.into_iter().map(|entry| decoded(def, &entry.key, &entry.values)).collect())
}

/// An entry of a kernel map as values: its key, and its value or the values of its shards.
pub fn decoded(def: &MapDef, key: &[u8], values: &[Vec<u8>]) -> Entry {
    let key = def.keys.iter().map(|arg| decode(arg, key)).collect();
    let cell = match &def.value {
        Ty::Agg(agg) => Cell::Agg(merge(*agg, values.iter().map(Vec::as_slice))),
        _ => Cell::Value(values.first().map_or(Value::Nil, |bytes| decode(&def.value_arg(), bytes))),
    };
    Entry { key, cell }
}

/// A map of the kernel, as native code shares it.
#[derive(Debug)]
pub struct InKernel(pub Map);

impl InKernel {
    /// Another hand on a map.
    pub fn handle(map: &Map) -> Arc<dyn KernelMap> {
        Arc::new(InKernel(map.clone()))
    }
}

impl KernelMap for InKernel {
    fn lookup(&self, key: &[u8]) -> Option<Vec<Vec<u8>>> {
        self.0.lookup(key).ok().flatten()
    }

    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        self.0.update(key, value).is_ok()
    }

    fn delete(&self, key: &[u8]) -> bool {
        self.0.delete(key).unwrap_or(false)
    }

    fn entries(&self) -> io::Result<Entries> {
        Ok(self.0.entries()?.into_iter().map(|entry| (entry.key, entry.values)).collect())
    }
}

/// Sets every value of a map to zero, keeping its keys.
///
/// # Errors
/// The kernel's answer.
pub fn zero(map: &Map) -> io::Result<()> {
    let zeroes = vec![0; map.value_len_bytes()];
    for key in map.keys()? {
        map.update(&key, &zeroes)?;
    }
    Ok(())
}
