//! Hand-made eBPF objects, so that loading is tested apart from the compiler.
//!
//! An object has one program, with the section that says its kind, and at most one map.
#![allow(dead_code, clippy::unwrap_used)]

use object::write::{Object, Relocation, SectionId, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

/// The first slot of a load of the map's address, whose relocation is added by [`object`].
pub(crate) const MAP: [u8; 8] = ins(0x18, 1, 0, 0, 0);

/// One instruction: code, destination, source, offset, immediate.
pub(crate) const fn ins(code: u8, dst: u8, src: u8, offset: i16, imm: i32) -> [u8; 8] {
    let (o, i) = (offset.to_le_bytes(), imm.to_le_bytes());
    [code, dst | src << 4, o[0], o[1], i[0], i[1], i[2], i[3]]
}

pub(crate) const EXIT: [u8; 8] = ins(0x95, 0, 0, 0, 0);

/// Calls a helper by its number.
pub(crate) const fn call(helper: i32) -> [u8; 8] {
    ins(0x85, 0, 0, 0, helper)
}

/// `r[dst] = imm`.
pub(crate) const fn mov(dst: u8, imm: i32) -> [u8; 8] {
    ins(0xb7, dst, 0, 0, imm)
}

/// Jumps to the end, `over` instructions further, unless this process (or a thread of it) runs.
pub(crate) fn only_in(pid: u32, over: i16) -> Vec<[u8; 8]> {
    vec![
        call(14),                          // r0 = bpf_get_current_pid_tgid()
        ins(0x77, 0, 0, 0, 32),            // r0 >>= 32
        ins(0x56, 0, 0, over, pid as i32), // if w0 != pid goto +over
    ]
}

/// `{ key 0: value 0 } += 1` in an array with 8-byte values, then `return result`.
pub(crate) fn count_and_return(result: i32) -> Vec<[u8; 8]> {
    vec![
        ins(0x62, 10, 0, -4, 0), // *(u32 *)(r10 - 4) = 0
        MAP,
        ins(0, 0, 0, 0, 0),
        ins(0xbf, 2, 10, 0, 0), // r2 = r10
        ins(0x07, 2, 0, 0, -4), // r2 -= 4
        call(1),                // r0 = bpf_map_lookup_elem(r1, r2)
        ins(0x15, 0, 0, 2, 0),  // if r0 == 0 goto +2
        mov(1, 1),
        ins(0xdb, 0, 1, 0, 0), // lock *(u64 *)r0 += r1
        mov(0, result),
        EXIT,
    ]
}

/// A map in the legacy form: kind, key length, value length, entries.
pub(crate) type MapDef = [u32; 4];
pub(crate) const ARRAY: MapDef = [2, 4, 8, 1];
pub(crate) const PER_CPU_ARRAY: MapDef = [6, 4, 8, 1];
pub(crate) const RING: MapDef = [27, 0, 0, 65536];

/// An object with the program `prog` in this section, and the map `map`.
pub(crate) fn object(section: &str, code: &[[u8; 8]], map: Option<MapDef>) -> Vec<u8> {
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let license = elf.add_section(vec![], b"license".to_vec(), SectionKind::Data);
    elf.append_section_data(license, b"GPL\0", 1);
    let text = elf.add_section(vec![], section.as_bytes().to_vec(), SectionKind::Text);
    elf.append_section_data(text, &code.concat(), 8);
    symbol(&mut elf, "prog", SymbolKind::Text, text, code.len() * 8);
    if let Some([kind, key, value, entries]) = map {
        let def = [kind, key, value, entries, 0, 0, 0].map(u32::to_le_bytes).concat();
        let maps = elf.add_section(vec![], b"maps".to_vec(), SectionKind::Data);
        elf.append_section_data(maps, &def, 8);
        let map = symbol(&mut elf, "map", SymbolKind::Data, maps, def.len());
        let flags = RelocationFlags::Elf { r_type: object::elf::RelocationType(1) };
        for slot in (0..code.len()).filter(|slot| code[*slot] == MAP) {
            let at = Relocation { offset: slot as u64 * 8, symbol: map, addend: 0, flags };
            elf.add_relocation(text, at).unwrap();
        }
    }
    elf.write().unwrap()
}

fn symbol(
    elf: &mut Object<'_>,
    name: &str,
    kind: SymbolKind,
    section: SectionId,
    size: usize,
) -> object::write::SymbolId {
    elf.add_symbol(Symbol {
        name: name.as_bytes().to_vec(),
        value: 0,
        size: size as u64,
        kind,
        scope: SymbolScope::Dynamic,
        weak: false,
        section: SymbolSection::Section(section),
        flags: SymbolFlags::None,
    })
}
