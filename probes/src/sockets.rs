//! The TCP sockets that there are, as the kernel's table has them: sock_diag(7).
//!
//! The capture program sees a connection's ends when it opens. Those of one that was open before come from here, by its cookie; asking
//! also gives each socket a cookie.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::event::Cookie;
use crate::sys::net;

/// A TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    pub cookie: Cookie,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub is_listening: bool,
}

/// The most sockets that are read of one family.
const MAX_SOCKETS: usize = 1 << 20;
/// The kernel's messages come in pieces of at most 32 KiB (netlink_dump of net/netlink/af_netlink.c).
const ROOM_LEN_BYTES: usize = 64 << 10;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// NLM_F_REQUEST and NLM_F_DUMP.
const FLAGS: u16 = 0x301;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const TCP_LISTEN: u8 = 10;
const HEAD_LEN: usize = 16;
/// The length of `struct inet_diag_msg`.
const SOCKET_LEN: usize = 72;

/// Lists the TCP sockets of the network namespace of a process, or of this one.
///
/// # Errors
/// The kernel's answer.
pub fn tcp(of: Option<u32>) -> io::Result<Vec<Socket>> {
    let Some(pid) = of else { return list() };
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    // A namespace belongs to a thread: one of its own, so that this one stays where it is.
    let other = std::thread::Builder::new().spawn(move || net::enter_namespace(&namespace).and_then(|()| list()))?;
    other.join().unwrap_or_else(|_| Err(io::Error::other("the thread that lists sockets ended")))
}

fn list() -> io::Result<Vec<Socket>> {
    let mut table = net::socket_table()?;
    let mut sockets = Vec::new();
    for family in [AF_INET, AF_INET6] {
        // struct nlmsghdr, then struct inet_diag_req_v2 of all states and no address.
        let mut request = Vec::with_capacity(HEAD_LEN + 56);
        request.extend(72u32.to_ne_bytes());
        request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        request.extend(FLAGS.to_ne_bytes());
        request.extend([0; 8]);
        request.extend([family, 6, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        request.extend([0; 48]);
        table.write_all(&request)?;
        read_all(&mut table, &mut sockets)?;
    }
    Ok(sockets)
}

/// Reads messages up to the end of a dump.
fn read_all(table: &mut File, sockets: &mut Vec<Socket>) -> io::Result<()> {
    let mut room = vec![0; ROOM_LEN_BYTES];
    let most = sockets.len() + MAX_SOCKETS;
    loop {
        let len = table.read(&mut room)?;
        let mut rest = room.get(..len).unwrap_or_default();
        while let Some(message_len) = u32_at(rest, 0).map(|len| len as usize).filter(|len| *len >= HEAD_LEN) {
            let kind = rest.get(4..6).map_or(NLMSG_ERROR, |kind| u16::from_ne_bytes([kind[0], kind[1]]));
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => {
                    let code = u32_at(rest, HEAD_LEN).unwrap_or(0).cast_signed();
                    return Err(io::Error::from_raw_os_error(code.wrapping_neg()));
                }
                _ => sockets.extend(rest.get(HEAD_LEN..message_len).and_then(socket).filter(|_| sockets.len() < most)),
            }
            rest = rest.get(message_len.next_multiple_of(4)..).unwrap_or_default();
        }
        if len == 0 {
            return Ok(());
        }
    }
}

/// Reads a `struct inet_diag_msg`.
fn socket(message: &[u8]) -> Option<Socket> {
    let message = message.get(..SOCKET_LEN)?;
    let ip = |at: usize| -> Option<IpAddr> {
        let octets: [u8; 16] = message.get(at..at + 16)?.try_into().ok()?;
        Some(match message[0] {
            AF_INET => IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3])),
            _ => Ipv6Addr::from(octets).to_canonical(),
        })
    };
    let port = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let cookie = u64::from(u32_at(message, 44)?) | u64::from(u32_at(message, 48)?) << 32;
    Some(Socket {
        cookie: Cookie(cookie),
        local: SocketAddr::new(ip(8)?, port(4)),
        remote: SocketAddr::new(ip(24)?, port(6)),
        is_listening: message[1] == TCP_LISTEN,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_connection_of_our_own_is_listed_with_both_its_ends() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
            for sockets in [tcp(None).unwrap(), tcp(Some(std::process::id())).unwrap()] {
                let found = |local, remote| {
                    sockets
                        .iter()
                        .find(|socket| (socket.local, socket.remote) == (local, remote) && !socket.is_listening)
                };
                let (ours, theirs) = (found(local, remote).unwrap(), found(remote, local).unwrap());
                assert!(ours.cookie != theirs.cookie && ours.cookie.0 != 0);
                assert!(sockets.iter().any(|socket| socket.is_listening && socket.local == remote));
            }
        }
    }
}
