//! Where a connection that was open before the capture began can be listened to: at a request that is plainly one.
//!
//! Nothing is guessed: what comes before such a place is left out and counted, and a connection that has none is counted as one
//! that could not be told.

use std::net::SocketAddr;

use reel_lang::schema::Side;
use reel_protocols::{Inference, protocols};

/// The most bytes of a turn that are looked at.
pub const MAX_LOOK_LEN_BYTES: usize = 4096;

/// Whether a turn of one end begins a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    Yes,
    No,
    /// Too few bytes to tell.
    Unsure,
}

/// Whether bytes that one end sent plainly begin a request, so that this end is the client. A server's answer may look the same
/// (a Redis array); then the end with the higher port counts as the client, since clients get theirs from the ephemeral range.
pub fn begins_request(bytes: &[u8], from: SocketAddr, to: SocketAddr) -> Begins {
    let mut begins = Begins::No;
    for protocol in protocols().iter().filter(|protocol| protocol.framed()) {
        match protocol.infer(Side::Request, bytes) {
            Inference::Yes if protocol.infer(Side::Response, bytes) == Inference::No || from.port() > to.port() => {
                return Begins::Yes;
            }
            Inference::Unsure if bytes.len() < MAX_LOOK_LEN_BYTES => begins = Begins::Unsure,
            _ => {}
        }
    }
    begins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &str, from: u16, to: u16, expect: Begins) {
        let at = |port| SocketAddr::from(([10, 0, 0, 1], port));
        assert_eq!(begins_request(bytes.as_bytes(), at(from), at(to)), expect, "{bytes}");
    }

    #[test]
    fn a_request_is_told_from_the_middle_of_one_and_from_an_answer() {
        check("GET / HTTP/1.1\r\n\r\n", 80, 40_000, Begins::Yes);
        check("GET /ord", 40_000, 80, Begins::Unsure);
        check("HTTP/1.1 200 OK\r\n\r\n", 80, 40_000, Begins::No);
        check("tail of a body\r\n", 40_000, 80, Begins::No);
        check("*1\r\n$4\r\nPING\r\n", 40_000, 6379, Begins::Yes);
        check("*1\r\n$4\r\nPING\r\n", 6379, 40_000, Begins::No);
    }
}
