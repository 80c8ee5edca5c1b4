//! The vDSO of a process, as an ELF image: where its clock functions are named, and where it has a `syscall` instruction.
//!
//! The image in memory is the file from its first byte on (`vdso(7)`), so an offset in one is an offset in the other.

use std::ops::Range;

use object::LittleEndian as Little;
use object::elf::{FileHeader64, PF_X, PT_LOAD, SHT_DYNSYM};
use object::read::elf::{FileHeader, ProgramHeader, Sym};

/// The `syscall` instruction.
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// The length of a symbol (ELF-64 object file format, figure 6), and where its value is in it.
const SYMBOL_LEN_BYTES: u64 = 24;
const VALUE_OFFSET: u64 = 8;

/// A function of the vDSO that reads the time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    ClockGettime,
    Gettimeofday,
    Time,
}

impl Function {
    fn named(name: &[u8]) -> Option<Function> {
        match name.strip_prefix(b"__vdso_").unwrap_or(name) {
            b"clock_gettime" => Some(Function::ClockGettime),
            b"gettimeofday" => Some(Function::Gettimeofday),
            b"time" => Some(Function::Time),
            _ => None,
        }
    }
}

/// A symbol for such a function; there may be several for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Symbol {
    pub(super) function: Function,
    /// The function's address as the image says it.
    pub(super) value: u64,
    /// Where in the image that stands.
    pub(super) value_at: u64,
}

/// What of a vDSO matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Vdso {
    /// The address that the image was linked for.
    pub(super) linked_at: u64,
    pub(super) symbols: Vec<Symbol>,
    /// Where in the image a `syscall` instruction stands.
    pub(super) syscall_at: u64,
}

impl Vdso {
    /// Reads an image, which may be followed by bytes that are not its own.
    ///
    /// # Errors
    /// What it lacks.
    pub(super) fn parse(image: &[u8]) -> Result<Vdso, String> {
        let unreadable = |error: object::read::Error| format!("its vDSO cannot be read: {error}");
        let header = FileHeader64::<Little>::parse(image).map_err(unreadable)?;
        let sections = header.sections(Little, image).map_err(unreadable)?;
        let table = sections.symbols(Little, image, SHT_DYNSYM).map_err(unreadable)?;
        let section = sections.section(table.section()).map_err(unreadable)?;
        let mut symbols = Vec::new();
        for (index, symbol) in table.enumerate() {
            let name = symbol.name(Little, table.strings()).map_err(unreadable)?;
            if let Some(function) = Function::named(name) {
                let value_at = section.sh_offset.get(Little) + index.0 as u64 * SYMBOL_LEN_BYTES + VALUE_OFFSET;
                symbols.push(Symbol { function, value: symbol.st_value(Little), value_at });
            }
        }
        let loads = header.program_headers(Little, image).map_err(unreadable)?;
        let load =
            loads.iter().find(|header| header.p_type(Little) == PT_LOAD && header.p_flags(Little).contains(PF_X));
        let load = load.ok_or("its vDSO has no code")?;
        let code = place(load.p_offset(Little), load.p_filesz(Little), image.len());
        let at = image.get(code.clone()).and_then(|code| code.windows(2).position(|pair| pair == SYSCALL));
        let syscall_at = (code.start + at.ok_or("its vDSO has no syscall instruction")?) as u64;
        let linked_at = load.p_vaddr(Little).wrapping_sub(load.p_offset(Little));
        let vdso = Vdso { linked_at, symbols, syscall_at };
        for (function, name) in [(Function::ClockGettime, "clock_gettime"), (Function::Gettimeofday, "gettimeofday")] {
            vdso.value(function).ok_or_else(|| format!("its vDSO has no {name}"))?;
        }
        Ok(vdso)
    }

    /// The address of a function as the image says it.
    pub(super) fn value(&self, function: Function) -> Option<u64> {
        self.symbols.iter().find(|symbol| symbol.function == function).map(|symbol| symbol.value)
    }
}

/// A part of the image, as far as it is there.
fn place(offset: u64, len: u64, image_len: usize) -> Range<usize> {
    let within = |at: u64| usize::try_from(at).unwrap_or(image_len).min(image_len);
    within(offset)..within(offset.saturating_add(len))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn own() -> Vec<u8> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps.lines().find(|line| line.ends_with("[vdso]")).unwrap();
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        let mut image = vec![0; (end - start) as usize];
        std::fs::File::open("/proc/self/mem").unwrap().read_exact_at(&mut image, start).unwrap();
        image
    }

    #[test]
    fn this_machine_s_vdso_has_what_is_needed() {
        let image = own();
        let vdso = Vdso::parse(&image).unwrap();
        for function in [Function::ClockGettime, Function::Gettimeofday, Function::Time] {
            assert!(vdso.value(function).is_some(), "{function:?}");
        }
        for symbol in &vdso.symbols {
            let at = symbol.value_at as usize;
            assert_eq!(image[at..at + 8], symbol.value.to_le_bytes());
        }
        let at = vdso.syscall_at as usize;
        assert_eq!(image[at..at + 2], SYSCALL);
    }

    #[test]
    fn what_follows_the_image_does_not_matter_and_what_is_cut_is_refused() {
        let image = own();
        let mut longer = image.clone();
        longer.extend([0xff; 4096]);
        assert_eq!(Vdso::parse(&longer), Vdso::parse(&image));
        for len in [0, 3, 64, 1000] {
            Vdso::parse(&image[..len]).unwrap_err();
        }
    }
}
