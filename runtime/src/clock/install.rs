//! What the app does before it becomes the app: it puts itself under the filter, and sends the listener to reel.
//!
//! This runs between fork and exec, so it makes system calls and nothing else: no memory is allocated and no lock taken. Sending the
//! listener is possible since the filter lets it pass; the exec that follows waits for reel's answer.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};

use libc::sock_filter;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

const FD_SPACE: usize = rustix::cmsg_space!(ScmRights(1));

/// Puts the calling thread under a filter, and gives its listener.
///
/// # Errors
/// EBUSY where it is under such a filter already; EINVAL where the kernel has no user notification.
pub(super) fn listen(program: &[sock_filter]) -> io::Result<OwnedFd> {
    let killable = libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    let first = match seccomp(program, killable) {
        // Before Linux 5.19.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => seccomp(program, 0),
        other => other,
    };
    match first {
        // Without privilege a filter wants the promise that no exec gains one.
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            rustix::thread::set_no_new_privs(true)?;
            seccomp(program, killable).or_else(|_| seccomp(program, 0))
        }
        other => other,
    }
}

fn seccomp(program: &[sock_filter], flags: libc::c_ulong) -> io::Result<OwnedFd> {
    let len = program.len().try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | flags;
    // SAFETY: the program lives for the call, which only reads it and checks it before it is taken.
    let fd = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just returned this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Installs the filter, and sends its listener, or the error's number, to the other end of `socket`.
///
/// # Errors
/// Why the filter cannot be installed or its listener not be sent: the app must not start then.
pub(super) fn install(program: &[sock_filter], socket: &OwnedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); FD_SPACE];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    let listener = listen(program);
    let number = listener.as_ref().err().map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO));
    let fds = listener.as_ref().ok().map(AsFd::as_fd);
    if !rights.push(SendAncillaryMessage::ScmRights(fds.as_slice())) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(socket, &[IoSlice::new(&number.to_ne_bytes())], &mut rights, SendFlags::NOSIGNAL)?;
    listener.map(drop)
}

/// Receives what [`install`] sends; none where the app never came to it.
///
/// # Errors
/// What the app said, or the socket's.
pub(super) fn receive(socket: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); FD_SPACE];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let mut number = [0; size_of::<i32>()];
    let got = recvmsg(socket, &mut [IoSliceMut::new(&mut number)], &mut rights, RecvFlags::CMSG_CLOEXEC)?;
    if got.bytes == 0 {
        return Ok(None);
    }
    let fds = rights.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    match (i32::from_ne_bytes(number), fds.last()) {
        (0, Some(listener)) => Ok(Some(listener)),
        (number, _) => Err(io::Error::from_raw_os_error(number)),
    }
}
