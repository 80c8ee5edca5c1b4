//! What a packet file has, and lacks, in numbers: each that is not zero is told.

/// Counters of one packet file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub packets: u64,
    /// Packets of link types that are not read, and the first such type.
    pub other_link: u64,
    pub first_other_link: Option<i32>,
    /// Neither IPv4 nor IPv6: ARP, for one.
    pub not_ip: u64,
    /// Datagrams that no protocol claims.
    pub udp: u64,
    /// Datagrams of which the capture kept only the front.
    pub cut_datagrams: u64,
    /// IP, and neither TCP nor UDP.
    pub other_transport: u64,
    pub fragments: u64,
    /// Headers that end before they should, or contradict themselves.
    pub malformed: u64,
    /// Packets of which the capture kept only the front, and how many bytes that left out.
    pub cut: u64,
    pub cut_bytes: u64,
    /// Bytes that were acknowledged, or sent before what was seen, and are not in the file.
    pub missing_bytes: u64,
    pub connections: u64,
    /// Connections that began before the file, and those of them that were never told.
    pub joined: u64,
    pub untold: u64,
    /// Bytes before the place where such a connection was told.
    pub skipped_bytes: u64,
    /// Connections that were given up since nothing came for long, or since there were too many, or they kept too much.
    pub idle: u64,
    pub crowded: u64,
}

impl Counts {
    /// A sentence for each thing that is not as it should be.
    pub fn notes(&self) -> Vec<String> {
        let link = self.first_other_link.unwrap_or_default();
        let facts = [
            (self.other_link, format!("left out: of link type {link}, or another that is not read")),
            (self.malformed, "left out: headers that end too soon or contradict themselves".to_owned()),
            (self.fragments, "left out: fragments of IP".to_owned()),
            (self.udp, "left out: UDP that is no DNS".to_owned()),
            (self.cut_datagrams, "left out: datagrams that the capture has cut short".to_owned()),
            (self.cut, format!("cut short by the capture: {} bytes are missing", self.cut_bytes)),
        ];
        let mut notes: Vec<String> = facts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", plural(count, "packet")))
            .collect();
        if self.missing_bytes > self.cut_bytes {
            let bytes = plural(self.missing_bytes - self.cut_bytes, "byte");
            notes.push(format!("{bytes} of TCP streams are not in the file: packets were lost when it was captured"));
        }
        if self.joined > 0 {
            notes.push(format!(
                "{} began before the file: {} picked up at a request after {}, {} could not be told",
                plural(self.joined, "connection"),
                self.joined.saturating_sub(self.untold),
                plural(self.skipped_bytes, "byte"),
                self.untold
            ));
        }
        if self.idle > 0 {
            notes.push(format!("{} given up after silence without an end", plural(self.idle, "connection")));
        }
        if self.crowded > 0 {
            notes.push(format!("{} given up to keep memory within its limit", plural(self.crowded, "connection")));
        }
        notes
    }
}

fn plural(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}
