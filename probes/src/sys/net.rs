//! Network interfaces, in the network namespace of this process.

use std::ffi::CStr;
use std::io;

/// Returns the number of an interface; /sys/class/net may show those of another namespace.
pub(crate) fn interface_index(name: &CStr) -> io::Result<u32> {
    // SAFETY: if_nametoindex reads the string, which outlives the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}
