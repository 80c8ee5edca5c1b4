//! Reads pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), packet by packet, in constant memory.

use std::io::ErrorKind;
use std::path::Path;

use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use super::input::{self, Input, Progress, Stop};
use crate::exit::{Exit, Failure};

/// The longest block: what the reader keeps. The kernel's largest packets, with BIG TCP, have half of it.
const MAX_BLOCK_LEN_BYTES: usize = 1 << 20;
/// The most interfaces of a section.
const MAX_INTERFACES: usize = 65_536;

/// A packet as it was captured.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    pub link: Linktype,
    /// Nanoseconds since the epoch; 0 where the file does not say.
    pub time_ns: u64,
    pub bytes: &'a [u8],
    /// How long it was on the wire.
    pub wire_len: u64,
}

/// What a pcapng section says of an interface, or a pcap file of all packets.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: Linktype,
    /// Units a second.
    resolution: u64,
    offset_s: i64,
}

/// A packet file.
pub struct Packets {
    name: String,
    input: Option<Input>,
    reader: Option<Box<dyn PcapReaderIterator + Send>>,
    pub progress: Progress,
    interfaces: Vec<Interface>,
    count: u64,
}

impl Packets {
    /// Opens a file; `-` is standard input, a capture that may still go on, and is read until `stop`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path, stop: Stop) -> Result<Packets, Failure> {
        let name = name(path);
        let (input, progress) = input::open(path, stop).map_err(|error| match error.kind() {
            ErrorKind::IsADirectory => {
                wrong(&name, "a packet file is a file, this is a folder").remedy("a recording is read with --from")
            }
            _ => wrong(&name, &error.to_string()),
        })?;
        Ok(Packets { name, input: Some(input), reader: None, progress, interfaces: Vec::new(), count: 0 })
    }

    /// Hands the next packet to `take`; none at the end, or once reading was stopped.
    ///
    /// # Errors
    /// The file is no packet file, ends in the middle of a packet, or is damaged.
    pub fn next<R>(&mut self, take: impl FnMut(Packet<'_>) -> R) -> Result<Option<R>, Failure> {
        let next = self.packet(take);
        if next.is_err() && self.progress.is_stopped() { Ok(None) } else { next }
    }

    fn packet<R>(&mut self, mut take: impl FnMut(Packet<'_>) -> R) -> Result<Option<R>, Failure> {
        if let Some(input) = self.input.take() {
            self.reader = Some(reader(&self.name, input)?);
        }
        let Packets { name, reader: Some(reader), interfaces, count, .. } = self else { return Ok(None) };
        loop {
            let (len, found) = match reader.next() {
                Ok((len, block)) => (len, block_packet(interfaces, &block, &mut take)),
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::Incomplete(_)) => {
                    reader.refill().map_err(|_| damaged(name, *count, "it cannot be read"))?;
                    continue;
                }
                Err(PcapError::UnexpectedEof) => {
                    return Err(damaged(name, *count, "the file ends in the middle of a packet"));
                }
                Err(PcapError::BufferTooSmall) => {
                    return Err(damaged(name, *count, "a block is longer than 1 MiB"));
                }
                Err(_) => return Err(damaged(name, *count, "a block is damaged")),
            };
            reader.consume(len);
            match found {
                Ok(Some(result)) => {
                    *count += 1;
                    return Ok(Some(result));
                }
                Ok(None) => {}
                Err(why) => return Err(damaged(name, *count, why)),
            }
        }
    }
}

/// How a packet file is called in messages to people.
pub fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Finds out which kind of file it is.
fn reader(name: &str, input: Input) -> Result<Box<dyn PcapReaderIterator + Send>, Failure> {
    let bytes = input.from_head().map_err(|error| wrong(name, &error.to_string()))?;
    create_reader(MAX_BLOCK_LEN_BYTES, bytes).map_err(|_| {
        wrong(name, "this is neither a pcap nor a pcapng file")
            .remedy("name a file that tcpdump -w or Wireshark has written")
    })
}

fn wrong(name: &str, why: &str) -> Failure {
    Failure::new(Exit::Usage, format!("{name}: {why}"))
}

fn damaged(name: &str, count: u64, why: &str) -> Failure {
    Failure::new(Exit::Recording, format!("{name}: {why}, after {count} packets")).remedy("what came before is above")
}

/// The packet of a block, if it is of that kind.
fn block_packet<R>(
    interfaces: &mut Vec<Interface>,
    block: &PcapBlockOwned<'_>,
    take: &mut impl FnMut(Packet<'_>) -> R,
) -> Result<Option<R>, &'static str> {
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            let resolution = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
            // The upper bits of the field say whether frames end in a checksum (draft-ietf-opsawg-pcap section 4).
            let link = Linktype(header.network.0 & 0x0fff_ffff);
            interfaces.push(Interface { link, resolution, offset_s: 0 });
        }
        PcapBlockOwned::Legacy(packet) => {
            let interface = interfaces.first().ok_or("a packet comes before the header")?;
            let fraction = u64::from(packet.ts_usec).saturating_mul(1_000_000_000 / interface.resolution);
            let time_ns = u64::from(packet.ts_sec).saturating_mul(1_000_000_000).saturating_add(fraction);
            let wire_len = u64::from(packet.origlen);
            return Ok(Some(take(Packet { link: interface.link, time_ns, bytes: packet.data, wire_len })));
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => interfaces.clear(),
        PcapBlockOwned::NG(Block::InterfaceDescription(found)) => {
            if interfaces.len() >= MAX_INTERFACES {
                return Err("a section has more than 65,536 interfaces");
            }
            let resolution = found.ts_resolution().filter(|units| *units > 0).unwrap_or(1_000_000);
            interfaces.push(Interface { link: found.linktype, resolution, offset_s: found.ts_offset() });
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let interface =
                interfaces.get(packet.if_id as usize).ok_or("a packet names an interface that is not there")?;
            let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            let (link, time_ns) = (interface.link, time_ns(ticks, interface));
            let wire_len = u64::from(packet.origlen);
            return Ok(Some(take(Packet { link, time_ns, bytes: packet.packet_data(), wire_len })));
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            let interface = interfaces.first().ok_or("a packet comes before its interface")?;
            let wire_len = u64::from(packet.origlen);
            return Ok(Some(take(Packet { link: interface.link, time_ns: 0, bytes: packet.packet_data(), wire_len })));
        }
        PcapBlockOwned::NG(_) => {}
    }
    Ok(None)
}

/// Nanoseconds since the epoch of a pcapng timestamp.
fn time_ns(ticks: u64, interface: &Interface) -> u64 {
    let ns = u128::from(ticks) * 1_000_000_000 / u128::from(interface.resolution.max(1));
    let offset_ns = i128::from(interface.offset_s) * 1_000_000_000;
    let ns = i128::try_from(ns).unwrap_or(i128::MAX).saturating_add(offset_ns);
    u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
}
