//! Finds the file that a script means by `bash`, `libc` or `libssl.so.3`.
//!
//! A path is taken as it is; then the directories of PATH are looked through, then the dynamic
//! linker's cache (/etc/ld.so.cache, glibc's elf/cache.c and dl-cache.h), then the usual places.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use memchr::memmem;

const CACHE: &str = "/etc/ld.so.cache";
const CACHE_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// The header of the cache, and one entry of it.
const HEADER_BYTES: usize = 48;
const ENTRY_BYTES: usize = 24;
/// The bits of an entry's flags that name the architecture, and ours.
const ARCHITECTURE_MASK: u32 = 0xff00;
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0x0300;
#[cfg(not(target_arch = "x86_64"))]
const ARCHITECTURE: u32 = 0x0a00;

/// Where libraries are on systems without a cache (musl) and in small images.
const USUAL: [&str; 9] = [
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
    "/lib64",
    "/usr/lib64",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
];

/// Finds the file; links are followed to the real one, as the kernel names it.
#[must_use]
pub fn find_file(name: &str) -> Option<PathBuf> {
    let found = if name.contains('/') {
        Some(PathBuf::from(name)).filter(|path| path.is_file())
    } else {
        in_path(name).or_else(|| in_cache(name)).or_else(|| in_usual(name))
    };
    fs::canonicalize(found?).ok()
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn in_cache(name: &str) -> Option<PathBuf> {
    let bytes = fs::read(CACHE).ok()?;
    // The old format may come first; offsets count from the new one's magic.
    let cache = &bytes[memmem::find(&bytes, CACHE_MAGIC)?..];
    let word = |at: usize| Some(u32::from_le_bytes(*cache.get(at..)?.first_chunk()?));
    let text = |at: u32| {
        let bytes = cache.get(at as usize..)?;
        std::str::from_utf8(&bytes[..memchr::memchr(0, bytes)?]).ok()
    };
    let count = word(CACHE_MAGIC.len())? as usize;
    (0..count).map(|i| HEADER_BYTES + ENTRY_BYTES * i).find_map(|at| {
        let (flags, key, value) = (word(at)?, word(at + 4)?, word(at + 8)?);
        let ours = flags & ARCHITECTURE_MASK == ARCHITECTURE && is_library(name, text(key)?);
        let path = if ours { PathBuf::from(text(value)?) } else { return None };
        path.is_file().then_some(path)
    })
}

fn in_usual(name: &str) -> Option<PathBuf> {
    USUAL.iter().find_map(|dir| {
        let mut found: Vec<PathBuf> = fs::read_dir(dir)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| is_named(path, name))
            .collect();
        found.sort();
        found.into_iter().next_back()
    })
}

fn is_named(path: &Path, name: &str) -> bool {
    let file = path.file_name().and_then(|file| file.to_str());
    file.is_some_and(|file| is_library(name, file)) && path.is_file()
}

/// Whether `file` is the library `name`: the same, or the same before `.so`.
fn is_library(name: &str, file: &str) -> bool {
    let after = file.strip_prefix(name);
    after.is_some_and(|rest| rest.is_empty() || rest == ".so" || rest.starts_with(".so."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn finds_programs_and_libraries_by_their_short_names() {
        let sh = find_file("sh").unwrap();
        assert!(sh.is_absolute() && !sh.is_symlink(), "{}", sh.display());
        assert_eq!(find_file("/bin/sh").unwrap(), sh);
        let libc = find_file("libc").unwrap();
        assert!(libc.to_str().unwrap().contains("libc.so"), "{}", libc.display());
        assert_eq!(find_file("libc.so.6").unwrap(), libc);
        assert_eq!(find_file("no-such-program-or-library"), None);
        assert_eq!(find_file("/no/such/file"), None);
    }

    #[test]
    fn the_cache_and_the_usual_places_agree() {
        let real = |path: Option<PathBuf>| fs::canonicalize(path.unwrap()).unwrap();
        assert_eq!(real(in_cache("libc")), real(in_usual("libc")));
    }

    #[test]
    fn a_library_is_not_one_whose_name_only_begins_the_same() {
        assert!(is_library("libc", "libc.so.6"));
        assert!(is_library("libc.so.6", "libc.so.6"));
        assert!(!is_library("libc", "libcap.so.2"));
        assert!(!is_library("libc", "libc.sox"));
    }
}
