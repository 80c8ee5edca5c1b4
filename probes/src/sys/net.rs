//! Network interfaces, in the network namespace of this process.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Returns the number of an interface; /sys/class/net may show those of another namespace.
pub(crate) fn interface_index(name: &CStr) -> io::Result<u32> {
    // SAFETY: if_nametoindex reads the string, which outlives the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Opens a socket to the kernel's table of sockets: NETLINK_SOCK_DIAG of sock_diag(7).
pub(crate) fn socket_table() -> io::Result<File> {
    // SAFETY: socket takes numbers only.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_SOCK_DIAG) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given this descriptor to us, and nobody else has it.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Moves the calling thread, and no other, to the network namespace of a file in /proc/PID/ns.
pub(crate) fn enter_namespace(of: &File) -> io::Result<()> {
    // SAFETY: setns reads the descriptor, which is open for the length of the call.
    match unsafe { libc::setns(of.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
