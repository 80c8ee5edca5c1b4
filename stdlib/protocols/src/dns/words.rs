//! The words for DNS's numbers, as the registries of IANA have them, and back.

use std::str::FromStr;

use hickory_proto::rr::{DNSClass, RecordType};

/// RFC 6895 section 2.3.
const RCODES: &[(u16, &str)] = &[
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (7, "YXRRSET"),
    (8, "NXRRSET"),
    (9, "NOTAUTH"),
    (10, "NOTZONE"),
    (11, "DSOTYPENI"),
    (16, "BADVERS"),
    (23, "BADCOOKIE"),
];

/// RFC 6895 section 2.2.
const OPCODES: &[(u16, &str)] = &[(0, "QUERY"), (1, "IQUERY"), (2, "STATUS"), (4, "NOTIFY"), (5, "UPDATE"), (6, "DSO")];

/// RFC 6895 section 3.2.
const CLASSES: &[(u16, &str)] = &[(1, "IN"), (3, "CH"), (4, "HS"), (254, "NONE"), (255, "ANY")];

fn word(words: &[(u16, &str)], prefix: &str, number: u16) -> String {
    let known = words.iter().find(|(of, _)| *of == number);
    known.map_or_else(|| format!("{prefix}{number}"), |(_, word)| (*word).to_owned())
}

fn number(words: &[(u16, &str)], prefix: &str, text: &str) -> Option<u16> {
    let known = words.iter().find(|(_, word)| *word == text);
    known.map(|(number, _)| *number).or_else(|| text.strip_prefix(prefix)?.parse().ok())
}

pub(super) fn rcode(number: u16) -> String {
    word(RCODES, "RCODE", number)
}

pub(super) fn rcode_number(text: &str) -> Option<u16> {
    number(RCODES, "RCODE", text)
}

pub(super) fn opcode(number: u16) -> String {
    word(OPCODES, "OPCODE", number)
}

pub(super) fn opcode_number(text: &str) -> Option<u16> {
    number(OPCODES, "OPCODE", text)
}

/// A class; one without a name as RFC 3597 section 5 writes it.
pub(super) fn class(number: u16) -> String {
    word(CLASSES, "CLASS", number)
}

pub(super) fn class_of(text: &str) -> Option<DNSClass> {
    number(CLASSES, "CLASS", text).map(DNSClass::from)
}

/// A record type; one without a name as RFC 3597 section 5 writes it.
pub(super) fn kind(number: u16) -> String {
    let name = RecordType::from(number).to_string();
    match RecordType::from_str(&name) {
        Ok(known) if u16::from(known) == number => name,
        _ => format!("TYPE{number}"),
    }
}

pub(super) fn kind_of(text: &str) -> Option<RecordType> {
    let number = text.strip_prefix("TYPE").and_then(|digits| digits.parse::<u16>().ok());
    number.map(RecordType::from).or_else(|| RecordType::from_str(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_word_and_comes_back() {
        for code in 0..=u16::MAX {
            assert_eq!(rcode_number(&rcode(code)), Some(code));
            assert_eq!(opcode_number(&opcode(code)), Some(code));
            assert_eq!(class_of(&class(code)).map(u16::from), Some(code));
            assert_eq!(kind_of(&kind(code)).map(u16::from), Some(code), "{}", kind(code));
        }
        assert_eq!([rcode(3), rcode(24), kind(28), kind(65_280)], ["NXDOMAIN", "RCODE24", "AAAA", "TYPE65280"]);
    }
}
