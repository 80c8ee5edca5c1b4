//! Puts a compiled eBPF object into the kernel and attaches its programs.
//!
//! The compiler emits an ELF object; here its maps are created, its programs relocated, verified
//! and attached. A program is verified when it is first attached or run, because some kinds are
//! verified for one target (`tp_btf`, fentry). One program can be attached to many points. A
//! [`Loaded`] owns everything: dropping it detaches and frees all of it, and so does the death of
//! the process, by whatever signal.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use aya_obj::generated::bpf_insn;

use crate::attach::{self, Attach, Points};
use crate::inspect;
use crate::maps::Map;
use crate::sys::bpf;

mod error;
mod object;
mod program;
mod verify;

pub(crate) use error::BE_ROOT;
pub use error::{LoadError, Rejection};
pub(crate) use program::ProgramKind;

/// The arguments that a raw tracepoint program may read: 12 words, as many as the kernel allows.
const RUN_ARGS: [u64; 12] = [0; 12];

/// One program of an object, verified or not yet.
#[derive(Debug)]
struct Program {
    kind: ProgramKind,
    instructions: Vec<bpf_insn>,
    license: CString,
    /// The program in the kernel, for each target that it was verified for (none: for any).
    verified: HashMap<Option<u32>, OwnedFd>,
}

/// An object in the kernel: its maps, its programs and what they are attached to.
#[derive(Debug)]
pub struct Loaded {
    maps: BTreeMap<String, Map>,
    programs: BTreeMap<String, Program>,
    points: Points,
}

impl Loaded {
    /// Parses an ELF object and creates its maps; nothing is verified or attached yet.
    ///
    /// # Errors
    /// `Object` when the object is malformed (the compiler's fault), `Unsupported` or `Io` when a
    /// map cannot be created.
    pub fn new(elf: &[u8]) -> Result<Self, LoadError> {
        let (maps, programs) = object::parse(elf)?;
        Ok(Self { maps, programs, points: Points::default() })
    }

    /// Returns the names of the programs, in alphabetical order.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.programs.keys().map(String::as_str)
    }

    /// Returns the maps, in the alphabetical order of their names.
    pub fn maps(&self) -> impl Iterator<Item = &Map> {
        self.maps.values()
    }

    /// Returns a map; a clone of it stays usable after this object is dropped.
    ///
    /// # Errors
    /// `NoMap` when the object has none of this name.
    pub fn map(&self, name: &str) -> Result<&Map, LoadError> {
        self.maps.get(name).ok_or_else(|| LoadError::NoMap(name.to_string()))
    }

    /// Attaches a program to one more point; it is verified first if it was not yet.
    ///
    /// # Errors
    /// `Rejected` with the verifier's log, `Unsupported` where this kernel has no such hook,
    /// `NoTarget` where the point does not exist.
    pub fn attach(&mut self, program: &str, at: &Attach) -> Result<(), LoadError> {
        self.attach_with_cookie(program, at, 0)
    }

    /// Attaches a program, which reads `cookie` with `bpf_get_attach_cookie`: that is how one
    /// program knows at which of its points it runs.
    ///
    /// Tracepoints, kprobes, uprobes and sampling take a cookie since Linux 5.15, `tp_btf` and
    /// fentry since 5.19, raw tracepoints since 6.10. It must be 0 for cgroup and network hooks.
    ///
    /// # Errors
    /// As [`Loaded::attach`].
    pub fn attach_with_cookie(&mut self, program: &str, at: &Attach, cookie: u64) -> Result<(), LoadError> {
        let fd = self.verify(program, at.btf_target()?)?;
        let kind = self.program(program)?.kind;
        self.points.add(attach::attach(fd.as_fd(), kind, at, cookie)?);
        Ok(())
    }

    /// Verifies a program without attaching it.
    ///
    /// # Errors
    /// `Rejected` with the verifier's log.
    pub fn check(&mut self, program: &str, at: &Attach) -> Result<(), LoadError> {
        self.verify(program, at.btf_target()?).map(|_| ())
    }

    /// Runs a raw tracepoint program once, on this CPU and in this thread's name, with all its
    /// arguments zero: `begin`, `end` and `interval` clauses. Returns the program's result.
    ///
    /// # Errors
    /// As [`Loaded::attach`]; `Unsupported` before Linux 5.10.
    pub fn run_once(&mut self, program: &str) -> Result<u32, LoadError> {
        let fd = self.verify(program, None)?;
        bpf::prog_run_raw_tracepoint(fd.as_fd(), &RUN_ARGS).map_err(|source| error::run_error(program, source))
    }

    /// Returns the descriptors that keep the programs attached, for a guardian to hold.
    #[must_use]
    pub fn link_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.points.fds().collect()
    }

    /// Returns the numbers by which the kernel lists the programs that were verified.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn program_ids(&self) -> io::Result<Vec<u32>> {
        let fds = self.programs.values().flat_map(|program| program.verified.values());
        fds.map(|fd| inspect::object_id(fd.as_fd())).collect()
    }

    /// Detaches everything; the maps stay readable.
    pub fn detach(&mut self) {
        self.points = Points::default();
    }

    fn program(&self, name: &str) -> Result<&Program, LoadError> {
        self.programs.get(name).ok_or_else(|| LoadError::NoProgram(name.to_string()))
    }

    fn verify(&mut self, name: &str, target: Option<u32>) -> Result<OwnedFd, LoadError> {
        let program = self.programs.get_mut(name).ok_or_else(|| LoadError::NoProgram(name.to_string()))?;
        if !program.verified.contains_key(&target) {
            let fd = verify::verify(name, program, target)?;
            program.verified.insert(target, fd);
        }
        let fd = &program.verified[&target];
        fd.try_clone().map_err(|source| LoadError::Io { action: "share a program", source })
    }
}
