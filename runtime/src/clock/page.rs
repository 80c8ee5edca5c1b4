//! The page that reel shares with every process under its clock: what time it is there.
//!
//! The time of day is `at`, and while the clock runs, the machine's monotonic clock on top of that. So a step is one atomic store,
//! and a reader needs no lock: it sees the time before the step or the one after it. Processes map the page read-only, through a
//! descriptor that allows no more.

use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::time::{ClockId, clock_gettime};

use super::Pace;

/// The size of a page on x86-64.
pub(super) const PAGE_LEN_BYTES: usize = 4096;
/// Nanoseconds in a second.
const SECOND_NS: i64 = 1_000_000_000;

/// What is in the page; the stub reads it at these offsets.
#[repr(C)]
struct Layout {
    /// 0 while the clock stands still.
    is_running: AtomicU64,
    at_ns: AtomicI64,
}

const _: () = assert!(offset_of!(Layout, is_running) == 0 && offset_of!(Layout, at_ns) == 8);

/// The page, as reel sees it: the only place from which it is written.
#[derive(Debug)]
pub(super) struct Page {
    layout: NonNull<Layout>,
    shared: OwnedFd,
}

// SAFETY: the mapping lives as long as the value, belongs to no thread, and is only accessed through atomics.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

impl Page {
    /// Makes a page whose clock stands at, or begins to run from, an instant in nanoseconds since 1970.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(super) fn new(pace: Pace, instant_ns: i64) -> io::Result<Page> {
        let memory = memfd_create("reel-clock", MemfdFlags::CLOEXEC)?;
        ftruncate(&memory, PAGE_LEN_BYTES as u64)?;
        let shared = File::open(format!("/proc/self/fd/{}", memory.as_raw_fd()))?.into();
        // SAFETY: a new mapping at an address of the kernel's choice, of a file that is long enough and that nobody shortens.
        let address = unsafe {
            mmap(ptr::null_mut(), PAGE_LEN_BYTES, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &memory, 0)?
        };
        let layout = NonNull::new(address.cast()).ok_or_else(|| io::Error::other("a page at address 0"))?;
        let page = Page { layout, shared };
        page.layout().is_running.store(u64::from(pace == Pace::Running), Ordering::Relaxed);
        page.set(instant_ns);
        Ok(page)
    }

    fn layout(&self) -> &Layout {
        // SAFETY: the mapping is page-aligned, large enough, zeroed by the kernel, and lives as long as `self`.
        unsafe { self.layout.as_ref() }
    }

    fn is_running(&self) -> bool {
        self.layout().is_running.load(Ordering::Relaxed) != 0
    }

    /// Steps the clock.
    pub(super) fn set(&self, instant_ns: i64) {
        let base_ns = if self.is_running() { monotonic_ns() } else { 0 };
        self.layout().at_ns.store(instant_ns.saturating_sub(base_ns), Ordering::Release);
    }

    /// The time of day under this clock.
    pub(super) fn now_ns(&self) -> i64 {
        let base_ns = if self.is_running() { monotonic_ns() } else { 0 };
        self.layout().at_ns.load(Ordering::Acquire).saturating_add(base_ns)
    }

    /// The instant of the machine's own time of day that lies as far ahead as `instant_ns` does under this clock.
    pub(super) fn in_real_time(&self, instant_ns: i64) -> i64 {
        real_ns().saturating_add(instant_ns.saturating_sub(self.now_ns()))
    }

    /// The descriptor that processes map the page by.
    pub(super) fn shared(&self) -> &OwnedFd {
        &self.shared
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and no reference to it is left.
        let _ = unsafe { munmap(self.layout.as_ptr().cast(), PAGE_LEN_BYTES) };
    }
}

fn monotonic_ns() -> i64 {
    read(ClockId::Monotonic)
}

/// The machine's own time of day, in nanoseconds since 1970.
pub(crate) fn real_ns() -> i64 {
    read(ClockId::Realtime)
}

fn read(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec.saturating_mul(SECOND_NS).saturating_add(now.tv_nsec)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_stands_where_it_was_set() {
        let page = Page::new(Pace::Frozen, 1_700_000_000_000_000_000).unwrap();
        assert_eq!(page.now_ns(), 1_700_000_000_000_000_000);
        page.set(-1);
        assert_eq!(page.now_ns(), -1);
    }

    #[test]
    fn a_running_clock_keeps_the_machine_s_pace() {
        let page = Page::new(Pace::Running, 0).unwrap();
        let before = monotonic_ns();
        page.set(1_000);
        let (first, second) = (page.now_ns(), page.now_ns());
        let passed = monotonic_ns() - before;
        assert!((1_000..=1_000 + passed).contains(&first) && first <= second, "{first} {second} {passed}");
    }

    #[test]
    fn a_deadline_lies_as_far_ahead_in_real_time() {
        let page = Page::new(Pace::Frozen, 5 * SECOND_NS).unwrap();
        let before = real_ns();
        let deadline = page.in_real_time(7 * SECOND_NS);
        assert!((before + 2 * SECOND_NS..=real_ns() + 2 * SECOND_NS).contains(&deadline));
    }

    #[test]
    fn whoever_gets_the_descriptor_cannot_write() {
        let page = Page::new(Pace::Frozen, 0).unwrap();
        let refused = rustix::io::write(page.shared(), b"1").unwrap_err();
        assert_eq!(refused, rustix::io::Errno::BADF);
    }
}
