//! The few calls of bpf(2) that the back end's own tests need: make maps, load a program, run it once, read maps.
//!
//! Loading for real is the business of `reel-probes`; these tests must not depend on it. Everything made here is closed
//! with its `Loaded`. Layouts are those of `union bpf_attr` in include/uapi/linux/bpf.h.
// Each test file uses its own part.
#![allow(unsafe_code, dead_code)]

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use reel_compiler::bpf::{MapSpec, Object, insn};

/// `BPF_PROG_TYPE_RAW_TRACEPOINT`.
pub const RAW_TRACEPOINT: u32 = 17;

const MAP_CREATE: i64 = 0;
const MAP_LOOKUP_ELEM: i64 = 1;
const PROG_LOAD: i64 = 5;
const PROG_TEST_RUN: i64 = 10;

/// A loaded object: its maps and its first program.
pub struct Loaded {
    pub program: OwnedFd,
    pub maps: Vec<(MapSpec, OwnedFd)>,
}

fn bpf(command: i64, attr: &mut [u64; 18]) -> std::io::Result<i64> {
    // SAFETY: attr is a zero-padded union bpf_attr whose pointers are to live buffers of the lengths that it says.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr.as_mut_ptr(), size_of_val(attr)) };
    match result {
        0.. => Ok(result),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn two(low: u32, high: u32) -> u64 {
    u64::from(low) | (u64::from(high) << 32)
}

fn owned(fd: i64) -> OwnedFd {
    // SAFETY: the kernel just made this descriptor for us.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

/// Whether this machine lets programs be loaded.
pub fn can_load() -> bool {
    let mut attr = [0u64; 18];
    attr[0] = two(2, 4);
    attr[1] = two(8, 1);
    bpf(MAP_CREATE, &mut attr).map(owned).is_ok()
}

fn create(spec: &MapSpec) -> std::io::Result<OwnedFd> {
    let mut attr = [0u64; 18];
    attr[0] = two(spec.kernel_type(), spec.key_len_bytes);
    attr[1] = two(spec.value_len_bytes, spec.max_entries);
    attr[2] = two(spec.flags, 0);
    bpf(MAP_CREATE, &mut attr).map(owned)
}

/// Loads a program of an object as a kind (`enum bpf_prog_type`); the error is the verifier's log.
pub fn load(object: &Object, program: usize, kind: u32) -> Result<Loaded, String> {
    let mut maps = Vec::new();
    for spec in &object.maps {
        let fd = create(spec).map_err(|error| format!("map {}: {error}", spec.name))?;
        maps.push((spec.clone(), fd));
    }
    let code = &object.programs[program];
    let mut insns = code.insns.clone();
    for &(slot, map) in &code.map_slots {
        insns[slot as usize].src = insn::MAP_FD;
        insns[slot as usize].imm = maps[map as usize].1.as_raw_fd();
    }
    let bytes: Vec<u8> = insns.iter().flat_map(|insn| insn.bytes()).collect();
    let mut log = vec![0u8; 1 << 20];
    let mut attr = [0u64; 18];
    attr[0] = two(kind, insns.len() as u32);
    attr[1] = bytes.as_ptr() as u64;
    attr[2] = c"GPL".as_ptr() as u64;
    attr[3] = two(1, log.len() as u32);
    attr[4] = log.as_mut_ptr() as u64;
    match bpf(PROG_LOAD, &mut attr) {
        Ok(fd) => Ok(Loaded { program: owned(fd), maps }),
        Err(error) => {
            let len = log.iter().position(|&b| b == 0).unwrap_or(log.len());
            Err(format!("{error}\n{}", String::from_utf8_lossy(&log[..len])))
        }
    }
}

impl Loaded {
    /// Runs a raw tracepoint program once with these arguments; returns its result.
    pub fn run(&self, arguments: &[u64]) -> u32 {
        let mut attr = [0u64; 18];
        attr[0] = two(self.program.as_raw_fd() as u32, 0);
        attr[5] = two(size_of_val(arguments) as u32, 0);
        attr[6] = arguments.as_ptr() as u64;
        bpf(PROG_TEST_RUN, &mut attr).expect("BPF_PROG_TEST_RUN");
        (attr[0] >> 32) as u32
    }

    fn map(&self, name: &str) -> &(MapSpec, OwnedFd) {
        let found = self.maps.iter().find(|(spec, _)| spec.name == name);
        found.expect("a map of the object")
    }

    /// Reads an entry; of a per-CPU map one value for each CPU.
    pub fn values(&self, map: &str, key: &[u8]) -> Vec<Vec<u8>> {
        let (spec, fd) = self.map(map);
        let is_percpu = matches!(spec.kernel_type(), 5 | 6);
        let cpus = if is_percpu { possible_cpus() } else { 1 };
        let len = spec.value_len_bytes.next_multiple_of(8) as usize;
        let mut values = vec![0u8; len * cpus];
        let mut attr = [0u64; 18];
        attr[0] = two(fd.as_raw_fd() as u32, 0);
        attr[1] = key.as_ptr() as u64;
        attr[2] = values.as_mut_ptr() as u64;
        if bpf(MAP_LOOKUP_ELEM, &mut attr).is_err() {
            return Vec::new();
        }
        let exact = spec.value_len_bytes as usize;
        values.chunks(len).map(|v| v[..exact].to_vec()).collect()
    }

    /// Reads all records that wait in the event ring.
    pub fn events(&self) -> Vec<Vec<u8>> {
        let (spec, fd) = self.map("events");
        let (page, len) = (4096, spec.max_entries as usize);
        // SAFETY: the kernel checks the length and offset of a ring's mapping, which is unmapped below.
        let base = unsafe {
            libc::mmap(std::ptr::null_mut(), 2 * page + len, libc::PROT_READ, libc::MAP_SHARED, fd.as_raw_fd(), 0)
        };
        assert_ne!(base, libc::MAP_FAILED, "mmap of the ring");
        // SAFETY: the mapping is this long, and nobody writes while no program runs.
        let bytes = unsafe { std::slice::from_raw_parts(base.cast::<u8>(), 2 * page + len) };
        let word = |at: usize| {
            let mut word = [0u8; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word) as usize
        };
        let mut records = Vec::new();
        let (mut at, end) = (word(0), word(page));
        while at < end {
            let start = 2 * page + at % len;
            let record = word(start) & 0x3fff_ffff;
            records.push(bytes[start + 8..start + 8 + record].to_vec());
            at += (8 + record).next_multiple_of(8);
        }
        // SAFETY: the mapping made above; `bytes` is not used again.
        unsafe { libc::munmap(base, 2 * page + len) };
        records
    }
}

fn possible_cpus() -> usize {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible").expect("possible CPUs");
    let last = text.trim().rsplit(['-', ',']).next();
    last.and_then(|n| n.parse::<usize>().ok()).map_or(1, |n| n + 1)
}
