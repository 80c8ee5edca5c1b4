//! Mounting a file system where nobody else sees it (fsopen(2), fsmount(2), Linux 5.2).

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// `FSOPEN_CLOEXEC`, `FSMOUNT_CLOEXEC`.
const CLOEXEC: libc::c_uint = 1;
/// `FSCONFIG_CMD_CREATE`.
const CREATE: libc::c_uint = 6;

/// Makes a mount that is attached to no directory, and ends with the returned descriptor.
pub(crate) fn detached(kind: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: fsopen reads the string, which outlives the call.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), CLOEXEC) })?;
    let fd = context.as_raw_fd();
    let none = ptr::null::<libc::c_char>();
    // SAFETY: this command takes no key and no value.
    let made = unsafe { libc::syscall(libc::SYS_fsconfig, fd, CREATE, none, none, 0) };
    if made < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fsmount takes integers only.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, fd, CLOEXEC, 0) })
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just returned this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(result as RawFd) })
}
