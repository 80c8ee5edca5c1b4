//! The numbers of this machine's syscalls, by the names that their tracepoints have.
//!
//! `tracepoint:syscalls:sys_enter_*` is 360 tracepoints, each slow to attach and slower to detach;
//! reel attaches once to the raw `sys_enter` and compares numbers. tracefs tells no numbers, so
//! they stand in a table for each architecture (arch/x86/entry/syscalls/syscall_64.tbl,
//! scripts/syscall.tbl). A name is that of the kernel function without `sys_`, which is not
//! always the user's: stat(2) is `newstat`.

/// `number name`, one a line, in ascending order.
#[cfg(target_arch = "x86_64")]
const TABLE: &str = include_str!("syscalls/x86_64.txt");
#[cfg(not(target_arch = "x86_64"))]
const TABLE: &str = include_str!("syscalls/aarch64.txt");

fn entries() -> impl Iterator<Item = (u32, &'static str)> {
    TABLE.lines().filter_map(|line| {
        let (number, name) = line.split_once(' ')?;
        Some((number.parse().ok()?, name))
    })
}

/// Returns the number of a syscall.
#[must_use]
pub fn number(name: &str) -> Option<u32> {
    entries().find(|(_, entry)| *entry == name).map(|(number, _)| number)
}

/// Returns the name of a syscall.
#[must_use]
pub fn name(number: u32) -> Option<&'static str> {
    entries().find(|(entry, _)| *entry == number).map(|(_, name)| name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::catalog::tracefs;

    #[test]
    fn every_syscall_of_this_kernel_is_in_the_table() {
        let all = tracefs::tracepoints().unwrap();
        let names = all.iter().filter(|(category, _)| category == "syscalls");
        let entered = names.filter_map(|(_, name)| name.strip_prefix("sys_enter_"));
        let missing: Vec<&str> = entered.filter(|name| number(name).is_none()).collect();
        assert_eq!(missing, Vec::<&str>::new());
    }

    #[test]
    fn numbers_are_the_c_librarys() {
        for (syscall, expected) in [
            ("read", libc::SYS_read),
            ("openat", libc::SYS_openat),
            ("newfstat", libc::SYS_fstat),
            ("newuname", libc::SYS_uname),
            ("connect", libc::SYS_connect),
            ("statx", libc::SYS_statx),
            ("futex_waitv", libc::SYS_futex_waitv),
        ] {
            assert_eq!(i64::from(number(syscall).unwrap()), expected, "{syscall}");
            assert_eq!(name(expected as u32), Some(syscall));
        }
        assert!(entries().map(|(number, _)| number).is_sorted());
    }
}
