//! UUIDs and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{from_hex, to_hex};
use crate::reader::Reader;

/// The families of an address on the wire (`utils/inet.h`).
const V4: u8 = 2;
const V6: u8 = 3;

pub(super) fn uuid(bytes: &[u8]) -> Option<String> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    let digits = String::from_utf8(to_hex(&bytes)).ok()?;
    let mut text = String::new();
    for (start, end) in [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)] {
        if start > 0 {
            text.push('-');
        }
        text.push_str(digits.get(start..end)?);
    }
    Some(text)
}

pub(super) fn uuid_bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    from_hex(&digits).filter(|bytes| bytes.len() == 16)
}

/// An address with the length of its network, which is left out where it is the whole address of an `inet`.
pub(super) fn inet(bytes: &[u8]) -> Option<String> {
    let mut reader = Reader::at(bytes, 0);
    let (family, bits, is_cidr, len) = (reader.byte()?, reader.byte()?, reader.byte()?, reader.byte()?);
    let address = reader.rest();
    let (address, whole) = match (family, len) {
        (V4, 4) => (IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?)), 32),
        (V6, 16) => (IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?)), 128),
        _ => return None,
    };
    Some(if bits == whole && is_cidr == 0 { address.to_string() } else { format!("{address}/{bits}") })
}

/// The bytes of an address.
pub(super) fn inet_bytes(text: &str, is_cidr: bool) -> Option<Vec<u8>> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let (family, whole, bytes) = match address {
        IpAddr::V4(address) => (V4, 32, address.octets().to_vec()),
        IpAddr::V6(address) => (V6, 128, address.octets().to_vec()),
    };
    let bits = match bits {
        Some(bits) => bits.parse().ok().filter(|bits| *bits <= whole)?,
        None => whole,
    };
    let len = u8::try_from(bytes.len()).ok()?;
    Some([[family, bits, u8::from(is_cidr), len].as_slice(), &bytes].concat())
}
