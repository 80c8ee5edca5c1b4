//! Functions of programs and libraries, and where in the file their first instruction is.
//!
//! The kernel puts a uprobe at an offset of a file, whatever address the file is loaded at. So a
//! symbol's virtual address is translated by the segment that holds it (ELF, "Program Loading").
//! Only what is asked for is read: a browser's 200 MB stay on the disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use object::read::ReadCache;
use object::{Object, ObjectSegment, ObjectSymbol, SymbolKind};

use super::glob;

mod library;

pub use library::find_file;

/// One function of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its symbol.
    pub name: String,
    /// Where its first instruction is in the file.
    pub offset: u64,
    /// Its length, 0 where the symbol does not say.
    pub len_bytes: u64,
}

/// Why a file's functions cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum SymbolError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not a program or library.
    #[error("not an ELF program or library: {0}")]
    NotElf(#[from] object::read::Error),
}

/// Returns the functions that a name or pattern stands for, one for each place, by name.
///
/// # Errors
/// When the file cannot be read as ELF. A name that is not there gives an empty list.
pub fn functions(path: &Path, pattern: &str) -> Result<Vec<Function>, SymbolError> {
    let cache = ReadCache::new(File::open(path)?);
    let elf = object::File::parse(&cache)?;
    let mut found = BTreeMap::new();
    for symbol in elf.symbols().chain(elf.dynamic_symbols()) {
        if symbol.kind() != SymbolKind::Text || !symbol.is_definition() {
            continue;
        }
        let Ok(name) = symbol.name() else { continue };
        if !glob::matches(pattern, name) {
            continue;
        }
        if let Some(offset) = file_offset(&elf, symbol.address()) {
            let name = name.to_string();
            found.entry(offset).or_insert(Function { name, offset, len_bytes: symbol.size() });
        }
    }
    let mut all: Vec<Function> = found.into_values().collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// Returns the names of all functions, for suggestions.
///
/// # Errors
/// As [`functions`].
pub fn names(path: &Path) -> Result<Vec<String>, SymbolError> {
    Ok(functions(path, "*")?.into_iter().map(|function| function.name).collect())
}

/// Translates a virtual address to an offset in the file; none for one that is not in the file.
///
/// # Errors
/// As [`functions`].
pub fn offset_of_address(path: &Path, address: u64) -> Result<Option<u64>, SymbolError> {
    let cache = ReadCache::new(File::open(path)?);
    Ok(file_offset(&object::File::parse(&cache)?, address))
}

fn file_offset<'data>(elf: &impl Object<'data>, address: u64) -> Option<u64> {
    elf.segments().find_map(|segment| {
        let (at, len) = segment.file_range();
        let inside = address.checked_sub(segment.address())?;
        (inside < len).then(|| at.checked_add(inside))?
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_function_of_the_c_library() {
        let libc = find_file("libc").unwrap();
        let found = functions(&libc, "getppid").unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].offset > 0);
        let both = functions(&libc, "getp*id").unwrap();
        assert!(both.len() >= 3 && both.contains(&found[0]), "{both:?}");
        assert_eq!(functions(&libc, "no_such_function").unwrap(), []);
    }

    #[test]
    fn an_address_is_translated_by_its_segment() {
        let exe = std::env::current_exe().unwrap();
        let all = functions(&exe, "main").unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(offset_of_address(&exe, u64::MAX).unwrap(), None);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(matches!(functions(Path::new("/etc/passwd"), "x"), Err(SymbolError::NotElf(_))));
        assert!(matches!(functions(Path::new("/no/such"), "x"), Err(SymbolError::Io(_))));
    }
}
