//! Where a connection that was open before the capture began can be listened to: at a request that is plainly one.
//!
//! Nothing is guessed: what comes before such a place is left out and counted, and a connection that has none is counted as one
//! that could not be told.

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
/// (a Redis array): whether that can be says the caller, who knows more of the ends.
pub fn begins_request(bytes: &[u8], is_likely_client: bool) -> Begins {
    let mut begins = Begins::No;
    for protocol in protocols().iter().filter(|protocol| protocol.framed()) {
        match protocol.infer(Side::Request, bytes) {
            Inference::Yes if protocol.infer(Side::Response, bytes) == Inference::No || is_likely_client => {
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

    fn check(bytes: &str, is_likely_client: bool, expect: Begins) {
        assert_eq!(begins_request(bytes.as_bytes(), is_likely_client), expect, "{bytes}");
    }

    #[test]
    fn a_request_is_told_from_the_middle_of_one_and_from_an_answer() {
        check("GET / HTTP/1.1\r\n\r\n", false, Begins::Yes);
        check("GET /ord", true, Begins::Unsure);
        check("HTTP/1.1 200 OK\r\n\r\n", false, Begins::No);
        check("tail of a body\r\n", true, Begins::No);
        check("*1\r\n$4\r\nPING\r\n", true, Begins::Yes);
        check("*1\r\n$4\r\nPING\r\n", false, Begins::No);
    }
}
