//! The kernel's maps as entries to print.

use std::io;

use reel_compiler::aggregate::merge;
use reel_compiler::ir::{MapDef, OutputArg};
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
    Ok(map.entries()?.into_iter().map(|entry| decode_entry(def, &entry.key, &entry.values)).collect())
}

fn decode_entry(def: &MapDef, key: &[u8], values: &[Vec<u8>]) -> Entry {
    let key = def.keys.iter().map(|arg| decode(arg, key)).collect();
    let cell = match &def.value {
        Ty::Agg(agg) => Cell::Agg(merge(*agg, values.iter().map(Vec::as_slice))),
        ty => Cell::Value(values.first().map_or(Value::Nil, |bytes| {
            let arg =
                OutputArg { ty: ty.clone(), offset: 0, len_bytes: def.value_len_bytes, items: def.value_items.clone() };
            decode(&arg, bytes)
        })),
    };
    Entry { key, cell }
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
