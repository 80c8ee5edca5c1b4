//! The BTF that describes an object's maps, and nothing else.
//!
//! A map in a `.maps` section is a variable of a struct type whose members say its attributes in the lengths of arrays:
//! `struct { int (*type)[27]; int (*max_entries)[4096]; } events`. Socket storage also wants types for its key and value.
//! The encoding is that of the kernel's Documentation/bpf/btf.rst.

use super::maps::MapSpec;
use crate::ir::MapKind;

const KIND_INT: u32 = 1;
const KIND_PTR: u32 = 2;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;

/// Bytes that one map takes in the `.maps` section: a pointer for each possible attribute.
pub(super) const MAP_LEN_BYTES: u32 = 8 * 5;

/// The id of `int`, the first type.
const INT: u32 = 1;
/// The id of `unsigned char`.
const CHAR: u32 = 2;

struct Writer {
    strings: Vec<u8>,
    types: Vec<u32>,
    count: u32,
}

impl Writer {
    fn string(&mut self, text: &str) -> u32 {
        let at = self.strings.len() as u32;
        self.strings.extend(text.bytes().filter(|&b| b != 0));
        self.strings.push(0);
        at
    }

    /// Adds a type and returns its id.
    fn add(&mut self, name: u32, info: u32, size_or_type: u32, rest: &[u32]) -> u32 {
        self.types.extend([name, info, size_or_type]);
        self.types.extend(rest);
        self.count += 1;
        self.count
    }

    fn array(&mut self, item: u32, len: u32) -> u32 {
        self.add(0, KIND_ARRAY << 24, 0, &[item, INT, len])
    }

    fn pointer(&mut self, to: u32) -> u32 {
        self.add(0, KIND_PTR << 24, to, &[])
    }

    /// A pointer to an array whose length is an attribute's value.
    fn attribute(&mut self, value: u32) -> u32 {
        let array = self.array(INT, value);
        self.pointer(array)
    }

    fn map(&mut self, spec: &MapSpec) -> u32 {
        let mut members = vec![("type", self.attribute(spec.kernel_type()))];
        if spec.kind == MapKind::SkStorage {
            members.push(("key", self.pointer(INT)));
            let value = self.array(CHAR, spec.value_len_bytes);
            members.push(("value", self.pointer(value)));
        } else if spec.kind != MapKind::Ringbuf {
            members.push(("key_size", self.attribute(spec.key_len_bytes)));
            members.push(("value_size", self.attribute(spec.value_len_bytes)));
        }
        if spec.kind != MapKind::SkStorage {
            members.push(("max_entries", self.attribute(spec.max_entries)));
        }
        if spec.flags != 0 {
            members.push(("map_flags", self.attribute(spec.flags)));
        }
        let mut rest = Vec::new();
        for (index, &(name, ty)) in members.iter().enumerate() {
            let name = self.string(name);
            rest.extend([name, ty, index as u32 * 64]);
        }
        let info = (KIND_STRUCT << 24) | members.len() as u32;
        let ty = self.add(0, info, MAP_LEN_BYTES, &rest);
        let name = self.string(&spec.name);
        // 1: a global variable.
        self.add(name, KIND_VAR << 24, ty, &[1])
    }
}

/// Writes the `.BTF` section for maps that lie one behind the other in `.maps`.
pub(super) fn write(maps: &[MapSpec]) -> Vec<u8> {
    let mut writer = Writer { strings: vec![0], types: Vec::new(), count: 0 };
    let int = writer.string("int");
    // A signed integer of 32 bits.
    writer.add(int, KIND_INT << 24, 4, &[(1 << 24) | 32]);
    let char = writer.string("unsigned char");
    writer.add(char, KIND_INT << 24, 1, &[8]);
    let mut section = Vec::new();
    for (index, spec) in (0u32..).zip(maps) {
        let variable = writer.map(spec);
        section.extend([variable, index * MAP_LEN_BYTES, MAP_LEN_BYTES]);
    }
    let name = writer.string(".maps");
    let info = (KIND_DATASEC << 24) | maps.len() as u32;
    writer.add(name, info, maps.len() as u32 * MAP_LEN_BYTES, &section);
    let types: Vec<u8> = writer.types.iter().flat_map(|x| x.to_le_bytes()).collect();
    // Magic, version 1, no flags; then the header's length, and place and length of types and strings.
    let mut out = vec![0x9f, 0xeb, 1, 0];
    let (types_len, strings_len) = (types.len() as u32, writer.strings.len() as u32);
    for field in [24, 0, types_len, types_len, strings_len] {
        out.extend(u32::to_le_bytes(field));
    }
    out.extend(types);
    out.extend(writer.strings);
    out
}
