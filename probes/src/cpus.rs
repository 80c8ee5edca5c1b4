//! Which CPUs there are, by the kernel's lists ("0-3,8").
//!
//! Per-CPU maps have a value for each *possible* CPU; sampling wants an event on each *online*
//! one. The two differ on machines that can add CPUs.

use std::fs;
use std::io;

/// Returns how many CPUs the kernel may ever have.
///
/// # Errors
/// When /sys cannot be read.
pub fn possible() -> io::Result<usize> {
    // The ids of possible CPUs have no holes on Linux's supported architectures; the values of a
    // per-CPU map are counted by num_possible_cpus().
    Ok(read("/sys/devices/system/cpu/possible")?.len())
}

/// Returns the numbers of the CPUs that are online now.
///
/// # Errors
/// When /sys cannot be read.
pub fn online() -> io::Result<Vec<u32>> {
    read("/sys/devices/system/cpu/online")
}

fn read(path: &str) -> io::Result<Vec<u32>> {
    let text = fs::read_to_string(path)?;
    parse(text.trim()).ok_or_else(|| io::Error::other(format!("{path}: unexpected {text:?}")))
}

fn parse(list: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?);
    }
    Some(cpus)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_of_ranges() {
        assert_eq!(parse("0-2,5").unwrap(), [0, 1, 2, 5]);
        assert_eq!(parse("0").unwrap(), [0]);
        assert_eq!(parse(""), None);
        assert_eq!(parse("0-"), None);
    }

    #[test]
    fn this_machine_has_at_least_one_of_each() {
        assert!(possible().unwrap() >= online().unwrap().len());
        assert!(!online().unwrap().is_empty());
    }
}
