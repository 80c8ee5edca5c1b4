//! The object file: one section a program, `.maps` with its `.BTF`, the licence, and relocations from code to maps.
//!
//! It is what aya's loader asks for: programs are function symbols of the right size in executable sections whose name says
//! the kind, a map is an object symbol in `.maps`, and a 64-bit constant that is a map has a relocation of type 1
//! (R_BPF_64_64) against that symbol. Two programs of one kind have a section each, of the same name.

use object::write::{Object, Relocation, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

use super::maps::MapSpec;
use super::{BpfError, ProgramCode, btf};

/// R_BPF_64_64.
const R_BPF_64_64: u32 = 1;

/// Many helpers are for programs under the GPL only.
const LICENSE: &[u8] = b"GPL\0";

/// Writes the object.
pub(super) fn write(programs: &[ProgramCode], maps: &[MapSpec]) -> Result<Vec<u8>, BpfError> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let license = object.add_section(Vec::new(), b"license".to_vec(), SectionKind::Data);
    object.append_section_data(license, LICENSE, 1);
    let symbols = add_maps(&mut object, maps);
    for program in programs {
        let name = program.section.clone().into_bytes();
        let section = object.add_section(Vec::new(), name, SectionKind::Text);
        let bytes: Vec<u8> = program.insns.iter().flat_map(|i| i.bytes()).collect();
        object.append_section_data(section, &bytes, 8);
        object.add_symbol(Symbol {
            name: program.name.clone().into_bytes(),
            value: 0,
            size: bytes.len() as u64,
            kind: SymbolKind::Text,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        });
        for &(slot, map) in &program.map_slots {
            let symbol = symbols.get(map as usize).copied();
            let relocation = Relocation {
                offset: u64::from(slot) * 8,
                symbol: symbol.ok_or_else(|| BpfError::Object("a map is missing".to_owned()))?,
                addend: 0,
                flags: RelocationFlags::Elf { r_type: object::elf::RelocationType(R_BPF_64_64) },
            };
            object.add_relocation(section, relocation).map_err(|error| BpfError::Object(error.to_string()))?;
        }
    }
    object.write().map_err(|error| BpfError::Object(error.to_string()))
}

fn add_maps(object: &mut Object<'_>, maps: &[MapSpec]) -> Vec<SymbolId> {
    if maps.is_empty() {
        return Vec::new();
    }
    let section = object.add_section(Vec::new(), b".maps".to_vec(), SectionKind::Data);
    let mut symbols = Vec::new();
    for spec in maps {
        let size = u64::from(btf::MAP_LEN_BYTES);
        let value = object.append_section_data(section, &[0; btf::MAP_LEN_BYTES as usize], 8);
        symbols.push(object.add_symbol(Symbol {
            name: spec.name.clone().into_bytes(),
            value,
            size,
            kind: SymbolKind::Data,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        }));
    }
    let types = object.add_section(Vec::new(), b".BTF".to_vec(), SectionKind::Other);
    object.append_section_data(types, &btf::write(maps), 4);
    symbols
}
