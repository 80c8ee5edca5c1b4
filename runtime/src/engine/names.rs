//! Names that only the running system knows: attach points, kernel symbols.

use std::cell::OnceCell;

use crate::output::text::Names;

/// The first value of type `probe` that is of a clause which runs natively; those below are of the kernel's.
pub const FIRST_NATIVE_PROBE: u64 = 1 << 32;

/// The names of one program on this machine.
#[derive(Debug, Default)]
pub struct ProgramNames {
    probes: Vec<String>,
    native_probes: Vec<String>,
    /// Kernel symbols by address, read when one is first asked for.
    symbols: OnceCell<Vec<(u64, String)>>,
}

impl ProgramNames {
    /// Takes the names that values of type `probe` are indices of, the kernel's and those from [`FIRST_NATIVE_PROBE`] on.
    pub fn new(probes: Vec<String>, native_probes: Vec<String>) -> Self {
        ProgramNames { probes, native_probes, symbols: OnceCell::new() }
    }
}

impl Names for ProgramNames {
    fn probe(&self, index: u64) -> Option<String> {
        let (names, index) = match index.checked_sub(FIRST_NATIVE_PROBE) {
            Some(index) => (&self.native_probes, index),
            None => (&self.probes, index),
        };
        names.get(usize::try_from(index).ok()?).cloned()
    }

    fn kernel_symbol(&self, address: u64) -> Option<String> {
        let symbols =
            self.symbols.get_or_init(|| parse(&std::fs::read_to_string("/proc/kallsyms").unwrap_or_default()));
        let index = symbols.partition_point(|(start, _)| *start <= address).checked_sub(1)?;
        symbols.get(index).map(|(_, name)| name.clone())
    }
}

/// The text symbols of /proc/kallsyms, by address. Addresses are 0 for those who may not know them.
fn parse(kallsyms: &str) -> Vec<(u64, String)> {
    let mut symbols: Vec<(u64, String)> = kallsyms
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let address = u64::from_str_radix(words.next()?, 16).ok()?;
            let is_text = matches!(words.next()?, "t" | "T" | "w" | "W");
            (is_text && address != 0).then(|| words.next().map(|name| (address, name.to_owned()))).flatten()
        })
        .collect();
    symbols.sort_unstable();
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_text_and_in_order() {
        let symbols = parse("20 T b\n10 t a\n0 T hidden\n15 d data\n30 T c [mod]\n");
        assert_eq!(symbols, [(0x10, "a".to_owned()), (0x20, "b".to_owned()), (0x30, "c".to_owned())]);
    }
}
