//! From the bytes of an ELF object to maps in the kernel and relocated programs.
//!
//! `aya-obj` parses and relocates; what it asks of the object is in the compiler's ELF writer.
//! BTF of the object is given to the kernel only where a map needs it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use aya_obj::Object;
use aya_obj::generated::bpf_map_type::{
    self, BPF_MAP_TYPE_CGRP_STORAGE, BPF_MAP_TYPE_INODE_STORAGE, BPF_MAP_TYPE_RINGBUF, BPF_MAP_TYPE_SK_STORAGE,
    BPF_MAP_TYPE_TASK_STORAGE,
};

use super::program::ProgramKind;
use super::{LoadError, Program, error};
use crate::maps::Map;
use crate::sys::bpf::{self, MapBtf, MapSpec};

type Parts = (BTreeMap<String, Map>, BTreeMap<String, Program>);

/// Creates the object's maps and returns them with its programs, which refer to them.
pub(super) fn parse(elf: &[u8]) -> Result<Parts, LoadError> {
    let malformed = |e: &dyn std::error::Error| LoadError::Object(with_causes(e));
    let mut object = Object::parse(elf).map_err(|e| malformed(&e))?;
    let definitions: BTreeMap<String, aya_obj::Map> = object.maps.drain().collect();
    let btf = load_btf(&object, &definitions)?;
    let maps = create_maps(&definitions, btf.as_ref())?;

    let sections = object.functions.keys().map(|(section, _)| *section).collect();
    let known = definitions
        .iter()
        .filter_map(|(name, definition)| Some((name.as_str(), maps.get(name)?.as_fd().as_raw_fd(), definition)));
    object.relocate_maps(known, &sections).map_err(|e| malformed(&e))?;
    object.relocate_calls(&sections).map_err(|e| malformed(&e))?;

    let mut programs = BTreeMap::new();
    for (name, program) in &object.programs {
        let function = object
            .functions
            .get(&program.function_key())
            .ok_or_else(|| LoadError::Object(format!("program {name} has no code")))?;
        let program = Program {
            kind: ProgramKind::of_section(&program.section)?,
            instructions: function.instructions.clone(),
            license: program.license.clone(),
            verified: Default::default(),
        };
        programs.insert(name.clone(), program);
    }
    Ok((maps, programs))
}

fn create_maps(
    definitions: &BTreeMap<String, aya_obj::Map>,
    btf: Option<&OwnedFd>,
) -> Result<BTreeMap<String, Map>, LoadError> {
    let mut maps = BTreeMap::new();
    for (name, definition) in definitions {
        let spec = spec_of(name, definition)?;
        let btf = btf.filter(|_| wants_btf(spec.kind)).map(|fd| map_btf(fd, definition));
        let map = Map::create(name, spec, btf).map_err(|e| error::map_error(name, e))?;
        if !definition.data().is_empty() && spec.max_entries == 1 {
            let initial = map.update(&[0; 4], definition.data());
            initial.map_err(|source| LoadError::Io { action: "fill a map", source })?;
        }
        maps.insert(name.clone(), map);
    }
    Ok(maps)
}

fn spec_of(name: &str, definition: &aya_obj::Map) -> Result<MapSpec, LoadError> {
    let kind = bpf_map_type::try_from(definition.map_type())
        .map_err(|e| LoadError::Object(format!("map {name}: unknown kind {}", e.value)))?;
    let max_entries = match kind {
        // The kernel wants a power of two that is a multiple of the page size.
        BPF_MAP_TYPE_RINGBUF => definition.max_entries().max(4096).next_power_of_two(),
        _ => definition.max_entries(),
    };
    Ok(MapSpec {
        kind,
        key_len_bytes: definition.key_size(),
        value_len_bytes: definition.value_size(),
        max_entries,
        flags: definition.map_flags(),
        extra: definition.map_extra(),
    })
}

/// Whether the kernel refuses a map of this kind without type information.
fn wants_btf(kind: bpf_map_type) -> bool {
    matches!(
        kind,
        BPF_MAP_TYPE_SK_STORAGE | BPF_MAP_TYPE_INODE_STORAGE | BPF_MAP_TYPE_TASK_STORAGE | BPF_MAP_TYPE_CGRP_STORAGE
    )
}

fn map_btf<'a>(fd: &'a OwnedFd, definition: &aya_obj::Map) -> MapBtf<'a> {
    let (key_type, value_type) = match definition {
        aya_obj::Map::Btf(map) => (map.def.btf_key_type_id, map.def.btf_value_type_id),
        aya_obj::Map::Legacy(_) => (0, 0),
    };
    MapBtf { fd: fd.as_fd(), key_type, value_type }
}

fn load_btf(object: &Object, definitions: &BTreeMap<String, aya_obj::Map>) -> Result<Option<OwnedFd>, LoadError> {
    let needed = definitions.values().any(|map| bpf_map_type::try_from(map.map_type()).is_ok_and(wants_btf));
    let (true, Some(btf)) = (needed, &object.btf) else {
        return Ok(None);
    };
    bpf::btf_load(&btf.to_bytes())
        .map(Some)
        .map_err(|source: io::Error| LoadError::Io { action: "load the object's type information", source })
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
