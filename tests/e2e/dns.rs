//! DNS of a real resolver and real clients: live over each way of reading, from a recording and from a packet file.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reel::recording::{About, Circumstance, Closing, Destination, Exchange, Scope, Writer};
use reel_lang::schema::{Direction, Side};
use reel_probes::doctor::Capability;
use reel_protocols::{Demand, Frame, Rest};
use reel_tests::process::{Running, free_port, root};

use super::network::ask_for;
use super::sources::{Tcpdump, end};
use super::support::{Ran, folder, has, reel};

/// What is asked of every source, and what it answers after three visits.
const COUNTS: &str = "dns:exchange { @dns[name, type, rcode, transport] = count(); }";
const NAMES: [(&str, &str, &str); 4] = [
    ("nope.test", "A", "NXDOMAIN"),
    ("nope.test", "AAAA", "NXDOMAIN"),
    ("svc.test", "A", "NOERROR"),
    ("svc.test", "AAAA", "NOERROR"),
];

/// dnsmasq, on port 53 of a loopback address of its own: that port is where a C library asks.
struct Resolver {
    _process: Running,
    address: &'static str,
}

impl Resolver {
    fn start(address: &'static str) -> Resolver {
        let mut command = Command::new("dnsmasq");
        command.args(["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file", "--port=53"]);
        command.args(["--bind-interfaces", "--except-interface=nosuch", &format!("--listen-address={address}")]);
        command.args(["--host-record=svc.test,127.0.0.9,::9", "--local=/test/"]);
        let mut process = Running::start(command.stderr(Stdio::piped())).unwrap();
        let mut lines = BufReader::new(process.0.stderr.take().unwrap());
        let (mut line, mut told) = (String::new(), String::new());
        while !line.contains("started") {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "dnsmasq did not start: {told}");
            told.push_str(&line);
        }
        // What it says later must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Resolver { _process: process, address }
    }

    /// A shell command that runs a program in a mount namespace whose resolv.conf names this resolver.
    fn within(&self, folder: &Path, options: &str, program: &str) -> String {
        let conf = folder.join("resolv.conf");
        let text = format!("nameserver {}\noptions timeout:30 attempts:1 {options}\n", self.address);
        std::fs::write(&conf, text).unwrap();
        format!("unshare -m sh -c 'mount --bind {} /etc/resolv.conf && exec {program}'", conf.display())
    }
}

/// The service that looks up names.
fn app() -> String {
    format!("python3 {}", root().join("tests/apps/dns/app.py").display())
}

fn is_possible() -> bool {
    ["python3", "dnsmasq", "unshare", "tcpdump", "curl", "dig"].iter().all(has) && Capability::Cgroup.needs()
}

/// Fails unless the maps of a run are the answer.
#[track_caller]
fn answers(ran: Ran, transport: &str) {
    let ran = ran.exits(0);
    let mut lines: Vec<&str> = ran.out.lines().filter(|line| line.starts_with('@')).collect();
    lines.sort_unstable();
    let expect = NAMES.map(|(name, kind, rcode)| format!("@dns[{name}, {kind}, {rcode}, {transport}]: 3"));
    assert_eq!(lines, expect, "{}", ran.err);
}

/// What was recorded, and the service's port.
struct Recorded {
    dir: PathBuf,
    packets: PathBuf,
    port: u16,
}

/// Records three visits to the service while tcpdump listens.
fn record(resolver: &Resolver, folder: &Path, options: &str) -> Recorded {
    let (dir, port) = (folder.join("recording"), free_port().unwrap());
    let rules = folder.join("rules.rr");
    std::fs::write(&rules, "capture:dns:out { }\n").unwrap();
    let packets = Tcpdump::of(folder.join("recorded.pcap"), &format!("host {} and port 53", resolver.address));
    let drive = format!("for i in 1 2 3; do curl -sf -o /dev/null http://127.0.0.1:{port}/names || exit 1; done");
    let mut command = reel(["record", "--drive", &drive, "-r"]);
    command.arg(&rules).arg("-o").arg(&dir).args(["--", "sh", "-c", &resolver.within(folder, options, &app())]);
    command.env("PORT", port.to_string()).env("NAMES", "svc.test. nope.test.");
    Ran::of(&mut command).exits(0).says("recorded 3 tests and 12 calls (dns 12)");
    Recorded { dir, packets: packets.stop(), port }
}

/// Listens to three visits to the service, live.
fn live(resolver: &Resolver, folder: &Path, options: &str) -> Ran {
    let port = free_port().unwrap();
    let mut live = reel(["-q", "-e", COUNTS, "-c", &resolver.within(folder, options, &app())]);
    live.env("PORT", port.to_string()).env("NAMES", "svc.test. nope.test.");
    let mut live = Running::start(live.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
    live.wait_listening(port).unwrap();
    for _ in 0..3 {
        assert!(ask_for(port, "/names").contains("127.0.0.9"));
    }
    end(live)
}

#[track_caller]
fn agree(address: &'static str, options: &str, transport: &str) {
    if !is_possible() {
        return;
    }
    let (folder, resolver) = (folder(), Resolver::start(address));
    answers(live(&resolver, folder.path(), options), transport);
    let Recorded { dir, packets, .. } = record(&resolver, folder.path(), options);
    answers(Ran::of(reel(["-q", "-e", COUNTS, "--from"]).arg(&dir)), transport);
    answers(Ran::of(reel(["-q", "-e", COUNTS, "--pcap"]).arg(&packets)), transport);
}

#[test]
fn a_recording_a_packet_file_and_a_live_capture_give_the_same_answer_over_udp() {
    agree("127.77.0.1", "", "udp");
}

#[test]
fn a_recording_a_packet_file_and_a_live_capture_give_the_same_answer_over_tcp() {
    agree("127.77.0.2", "use-vc", "tcp");
}

fn replay(recorded: &Recorded, program: &str) -> Ran {
    let mut command = reel(["replay"]);
    command.arg(&recorded.dir).args(["--", "sh", "-c", program]);
    Ran::of(command.env("PORT", recorded.port.to_string()).env("NAMES", "svc.test. nope.test."))
}

#[test]
fn in_a_replay_lookups_over_tcp_are_answered_under_their_own_numbers() {
    if !is_possible() {
        return;
    }
    let (folder, resolver) = (folder(), Resolver::start("127.77.0.3"));
    let recorded = record(&resolver, folder.path(), "use-vc");
    let program = resolver.within(folder.path(), "use-vc", &app());
    drop(resolver);
    let ran = replay(&recorded, &program).exits(0).prints("3 passed, 0 failed");
    assert!(!ran.out.contains("UDP"), "{}", ran.out);
}

#[test]
fn in_a_replay_lookups_over_udp_are_refused_by_name_and_none_is_missed() {
    if !is_possible() {
        return;
    }
    let (folder, resolver) = (folder(), Resolver::start("127.77.0.4"));
    let recorded = record(&resolver, folder.path(), "");
    let ran = replay(&recorded, &resolver.within(folder.path(), "", &app())).exits(1).prints("body[\"svc.test.\"]");
    let ran = ran.prints("warning: UDP is not mocked: the app was refused ").prints(" to port 53; give it the names");
    assert!(!ran.out.contains("missing call"), "{}", ran.out);
}

#[test]
fn dnsslow_shows_lookups_that_failed() {
    if !is_possible() {
        return;
    }
    let resolver = Resolver::start("127.77.0.5");
    let dig = format!("dig +short +tries=1 +timeout=60 @{} svc.test A nope.test AAAA", resolver.address);
    let ran = Ran::of(&mut reel(["tool", "-q", "dnsslow", "60000", "-c", &dig])).exits(0);
    let lines: Vec<&str> = ran.out.lines().filter(|line| line.contains("nope.test")).collect();
    let [line, map] = lines[..] else { panic!("{}\n{}", ran.out, ran.err) };
    assert!(line.ends_with(&format!(" {:<6} {:<40} NXDOMAIN", "AAAA", "nope.test")), "{line}");
    assert_eq!(map, "@failed[NXDOMAIN, nope.test]: 1");
    assert!(!ran.out.contains("svc.test"), "{}", ran.out);
}

#[test]
fn dnsslow_shows_lookups_that_took_longer_than_it_was_told() {
    let folder = folder();
    let dir = folder.path().join("recording");
    let mut writer = Writer::create(&dir, About::default()).unwrap();
    for (at_ms, latency_ms, name) in [(100, 10, b"fast"), (200, 40, b"slow")] {
        let message = |flags: [u8; 2]| {
            let head = [0, 7, flags[0], flags[1], 0, 1, 0, 0, 0, 0, 0, 0];
            [&head[..], b"\x04", name, b"\x04test\0\0\x01\0\x01"].concat()
        };
        let codec = || reel_protocols::by_name("dns").unwrap().datagram_codec().unwrap();
        let decoded = |side, bytes: &[u8]| match codec().frame(side, bytes, Rest::Closed, Demand::ALL).unwrap() {
            Frame::Message { message, .. } => Some(message),
            _ => None,
        };
        let call = Exchange {
            protocol: "dns".to_owned(),
            direction: Direction::Out,
            destination: Destination::from(SocketAddr::from(([127, 0, 0, 1], 53))),
            request: decoded(Side::Request, &message([1, 0])),
            interim: Vec::new(),
            response: decoded(Side::Response, &message([0x81, 0x80])),
            ending: None,
        };
        let at = Circumstance {
            at_ns: at_ms * 1_000_000,
            latency_ns: Some(latency_ms * 1_000_000),
            peer: Some(([127, 0, 0, 1], 40_000).into()),
            ..Circumstance::default()
        };
        writer.add_mock(Scope::Test, None, call, Vec::new(), at).unwrap();
    }
    writer.finish(Closing::default()).unwrap();
    let slow = format!("{:<10} {:<6} {:<40} NOERROR\n", "40ms", "A", "slow.test");
    let tool = |words: &[&str]| {
        let words = ["tool", "-q", "dnsslow"].iter().chain(words).copied().chain(["--from", dir.to_str().unwrap()]);
        Ran::of(&mut reel(words)).exits(0).out
    };
    assert_eq!(tool(&[]).trim_start(), slow);
    assert_eq!(tool(&["40"]).trim(), "");
}
