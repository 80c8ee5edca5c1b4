//! An object in outline, for `reel debug elf`: sections, symbols, maps, relocations, and what the loader still fills in.
//!
//! It is read back from the bytes, so that it shows what a loader will see, not what was meant.

use std::fmt::Write;

use object::read::elf::ElfFile64;
use object::{LittleEndian, Object as _, ObjectSection, ObjectSymbol, RelocationTarget};

use super::{BpfError, FixupKind, Object};

/// Writes the outline of an object.
///
/// # Errors
/// [`BpfError::Object`] where the bytes cannot be read back, which is a fault of ours.
pub fn outline(object: &Object) -> Result<String, BpfError> {
    let unreadable = |error: object::Error| BpfError::Object(error.to_string());
    let elf = ElfFile64::<LittleEndian>::parse(object.elf.as_slice()).map_err(unreadable)?;
    let mut out = String::new();
    // Writing to a string cannot fail.
    for section in elf.sections() {
        let name = section.name().map_err(unreadable)?;
        let _ = writeln!(out, "section {:>2}  {name:<24} {:>7} bytes", section.index().0, section.size());
        for (offset, relocation) in section.relocations() {
            let target = match relocation.target() {
                RelocationTarget::Symbol(index) => {
                    let symbol = elf.symbol_by_index(index).map_err(unreadable)?;
                    symbol.name().map_err(unreadable)?.to_owned()
                }
                other => format!("{other:?}"),
            };
            let _ = writeln!(out, "    relocation at {offset:#06x}, slot {}: map {target}", offset / 8);
        }
    }
    for symbol in elf.symbols().filter(|symbol| symbol.size() > 0) {
        let name = symbol.name().map_err(unreadable)?;
        let section = symbol.section_index().map_or(0, |index| index.0);
        let _ = writeln!(
            out,
            "symbol  {name:<26} section {section:>2}, at {:#06x}, {} bytes",
            symbol.address(),
            symbol.size()
        );
    }
    rest(object, &mut out);
    Ok(out)
}

/// What the ELF file alone does not say in words: the maps, and the constants that belong to one kernel.
fn rest(object: &Object, out: &mut String) {
    for map in &object.maps {
        let _ = writeln!(
            out,
            "map     {:<26} {:?}, key {} bytes, value {} bytes, {} entries, flags {:#x}",
            map.name, map.kind, map.key_len_bytes, map.value_len_bytes, map.max_entries, map.flags
        );
    }
    for fixup in &object.fixups {
        let program = object.programs.get(fixup.program).map_or("?", |program| program.name.as_str());
        let kind = match fixup.kind {
            FixupKind::Kfunc => "function",
            FixupKind::Struct => "struct",
        };
        let _ = writeln!(out, "fixup   {program}, slot {}: {kind} {}", fixup.slot, fixup.name);
    }
}
