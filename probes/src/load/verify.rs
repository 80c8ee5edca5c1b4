//! Hands a program to the verifier, and keeps its log when it refuses.
//!
//! The first attempt asks for no log, which makes the good case faster; after a refusal the same
//! program is tried again with one, and with more room as long as the log is cut.

use std::io;
use std::os::fd::OwnedFd;

use super::error::BE_ROOT;
use super::{LoadError, Program, Rejection};
use crate::doctor::Capability;
use crate::sys::bpf::{self, ProgramSpec};
use crate::unsupported::Unsupported;

/// The room for the log, from the first attempt to the last.
const LOG_BYTES: [usize; 3] = [64 << 10, 1 << 20, 16 << 20];

/// Loads one program, for a kernel type or function where its kind wants one.
pub(super) fn verify(name: &str, program: &Program, target: Option<u32>) -> Result<OwnedFd, LoadError> {
    let spec = ProgramSpec {
        name,
        kind: program.kind.kind,
        attach_type: program.kind.attach_type,
        instructions: &program.instructions,
        license: &program.license,
        flags: program.kind.flags,
        btf_id: target.unwrap_or(0),
    };
    if let Ok(fd) = bpf::prog_load(&spec, &mut []) {
        return Ok(fd);
    }
    let mut answer = io::Error::from_raw_os_error(libc::EINVAL);
    let mut log = Vec::new();
    for room in LOG_BYTES {
        log = vec![0; room];
        match bpf::prog_load(&spec, &mut log) {
            Ok(fd) => return Ok(fd),
            Err(error) => answer = error,
        }
        if answer.raw_os_error() != Some(libc::ENOSPC) {
            break;
        }
    }
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    let log = String::from_utf8_lossy(&log[..end]).into_owned();
    Err(refusal(name, program, log, answer))
}

/// Tells "this kernel does not take such programs at all" from "this program is wrong".
fn refusal(name: &str, program: &Program, log: String, source: io::Error) -> LoadError {
    let kind = program.kind.name;
    match source.raw_os_error() {
        Some(libc::EPERM) if log.is_empty() => Unsupported::new(
            format!("{kind} programs"),
            format!("BPF_PROG_LOAD of {name}: {source}, without a reason"),
            if Capability::Privilege.check().ok {
                format!("this kernel's policy forbids {kind} programs; use another kind of probe, or another host")
            } else {
                BE_ROOT.to_string()
            },
        )
        .into(),
        Some(libc::EINVAL | libc::ENOTSUP | 524) if log.is_empty() => Unsupported::new(
            format!("{kind} programs"),
            format!("BPF_PROG_LOAD of {name}: {source}, without a reason"),
            "use a newer kernel, or one with this kind of program built in",
        )
        .into(),
        _ => Box::new(Rejection::new(name, log, source)).into(),
    }
}
