//! Packet files of any length, written as they are made: raw IPv4, TCP without checksums, one microsecond a packet.

use std::io::{self, Write};

/// The port of every server.
pub const SERVER_PORT: u16 = 80;
/// The most that one packet carries.
const MAX_PAYLOAD_LEN: usize = 60_000;

const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// A packet file that grows.
pub struct PacketFile<W> {
    out: W,
    time_us: u64,
}

/// A connection in it.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    client: [u8; 4],
    port: u16,
    seqs: [u32; 2],
}

/// Who sends.
#[derive(Debug, Clone, Copy)]
pub enum From {
    Client,
    Server,
}

impl<W: Write> PacketFile<W> {
    /// Begins a file.
    pub fn new(mut out: W) -> io::Result<Self> {
        // draft-ietf-opsawg-pcap: microseconds, version 2.4, LINKTYPE_RAW.
        for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 262_144, 101] {
            out.write_all(&word.to_le_bytes())?;
        }
        Ok(PacketFile { out, time_us: 1_700_000_000_000_000 })
    }

    /// Opens the nth connection.
    pub fn open(&mut self, n: u32) -> io::Result<Connection> {
        let [_, a, b, c] = (n / 50_000).to_be_bytes();
        let mut connection = Connection { client: [10, a, b, c], port: 10_000 + (n % 50_000) as u16, seqs: [1, 1] };
        self.packet(&mut connection, From::Client, SYN, b"")?;
        self.packet(&mut connection, From::Server, SYN | ACK, b"")?;
        Ok(connection)
    }

    /// Sends bytes.
    pub fn send(&mut self, connection: &mut Connection, from: From, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(MAX_PAYLOAD_LEN).try_for_each(|part| self.packet(connection, from, ACK, part))
    }

    /// Closes both ways.
    pub fn close(&mut self, connection: &mut Connection) -> io::Result<()> {
        self.packet(connection, From::Client, FIN | ACK, b"")?;
        self.packet(connection, From::Server, FIN | ACK, b"")
    }

    /// Lets time pass.
    pub fn wait_us(&mut self, us: u64) {
        self.time_us += us;
    }

    /// Gives back where it was written to.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn packet(&mut self, connection: &mut Connection, from: From, flags: u8, payload: &[u8]) -> io::Result<()> {
        let Connection { client, port, seqs } = connection;
        let server = [10, 255, 255, 1];
        let (me, source, destination, ports) = match from {
            From::Client => (0, *client, server, [*port, SERVER_PORT]),
            From::Server => (1, server, *client, [SERVER_PORT, *port]),
        };
        let len = (40 + payload.len()) as u32;
        let mut bytes = Vec::with_capacity(56 + payload.len());
        let (s, us) = ((self.time_us / 1_000_000) as u32, (self.time_us % 1_000_000) as u32);
        for word in [s, us, len, len] {
            bytes.extend(word.to_le_bytes());
        }
        // RFC 791 section 3.1, RFC 9293 section 3.1.
        bytes.extend([0x45, 0, (len >> 8) as u8, len as u8, 0, 0, 0, 0, 64, 6, 0, 0]);
        bytes.extend(source.iter().chain(&destination));
        bytes.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
        bytes.extend(seqs[me].to_be_bytes());
        bytes.extend(seqs[1 - me].to_be_bytes());
        bytes.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.extend(payload);
        seqs[me] = seqs[me].wrapping_add(payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0));
        self.time_us += 1;
        self.out.write_all(&bytes)
    }
}
