//! Push-down loses nothing: whatever the predicates, a connection on which one could be true is handed over by the kernel.
//!
//! Random predicates over connections' facts, and over what is none, go through the planner; random connections through the evaluator.
//! The filter that the planner made must be true wherever the program wants something. And what it writes into the capture program must
//! say the same as the filter itself, on sockets of both families. `REEL_FUZZ_SEEDS=N` runs more, `REEL_FUZZ_SEED=S` one.
#![allow(clippy::unwrap_used, clippy::panic)]

mod world;

use std::net::{IpAddr, SocketAddr};

use reel_compiler::eval::Evaluator;
use reel_compiler::lower::{self, NativeModule};
use reel_compiler::native::View;
use reel_compiler::native::host::Recorder;
use reel_compiler::plan::{self, Filter, Filters};
use reel_lang::diagnostic::render::{self, Colour};
use reel_lang::env::Environment;
use reel_lang::schema::{Direction, conn};
use reel_lang::span::SourceMap;
use reel_lang::value::Value;
use reel_lang::{check, hir, parse};
use world::World;

const SEEDS: u64 = 150;
/// How many connections each program is asked about.
const CONNECTIONS: usize = 24;

struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

const ADDRESSES: [&str; 5] = ["127.0.0.1", "127.0.0.2", "10.1.2.3", "::1", "2001:db8::7"];
/// What a script may compare an address with.
const TEXTS: [&str; 7] = ["127.0.0.1", "127.0.0.2", "10.1.2.3", "::1", "0:0::1", "2001:db8::7", "::ffff:127.0.0.1"];
const PORTS: [u16; 6] = [1, 80, 144, 8080, 8081, 65_535];
const NUMBERS: [&str; 10] = ["0", "1", "80", "8080", "8081", "65535", "65536", "-1", "-8080", "0x100001f90"];
const COMPARE: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// A predicate, and whether it is one that the planner sees through is no concern of its reader.
fn predicate(random: &mut Random, depth: usize) -> String {
    if depth > 0 {
        let mut part = || predicate(random, depth - 1);
        let (left, right) = (part(), part());
        match random.below(7) {
            0 | 1 => return format!("({left} && {right})"),
            2 | 3 => return format!("({left} || {right})"),
            4 => return format!("!({left})"),
            _ => {}
        }
    }
    let port =
        random.of(&["port", "peer_port", "(uint64)port", "(uint8)port", "(int16)peer_port", "(uint8)(uint64)port"]);
    let (op, equal, number) = (random.of(&COMPARE), random.of(&COMPARE[..2]), random.of(&NUMBERS));
    let (address, text) = (random.of(&["addr", "peer_addr"]), random.of(&TEXTS));
    match random.below(12) {
        0..=2 => format!("port {op} {number}"),
        3 => format!("{port} {op} {number}"),
        4 => format!("{number} {op} {port}"),
        5 | 6 => format!("{address} {equal} \"{text}\""),
        7 => format!("\"{text}\" {equal} {address}"),
        8 => format!("direction {equal} \"{}\"", random.of(&["in", "out", "IN"])),
        9 => random.of(&["true", "false", "port == peer_port", "addr == peer_addr"]).to_owned(),
        10 => format!("{port} + 0 {op} {number}"),
        _ => random
            .of(&["path == \"/a\"", "pid == 7", "size > 100", "(port == 80 ? 1 : 0) == 1", "header[\"x\"] != nil"])
            .to_owned(),
    }
}

/// A connection, with a message on it.
struct Connection {
    direction: Direction,
    server: SocketAddr,
    client: SocketAddr,
    path: &'static str,
}

fn connection(random: &mut Random) -> Connection {
    let mut end = || {
        let ip: IpAddr = random.of(&ADDRESSES).parse().unwrap();
        SocketAddr::new(ip, PORTS[random.below(PORTS.len())])
    };
    let (server, client) = (end(), end());
    let direction = if random.below(2) == 0 { Direction::In } else { Direction::Out };
    Connection { direction, server, client, path: random.of(&["/a", "/b"]) }
}

impl Connection {
    /// The record of an HTTP exchange on it.
    fn record(&self) -> Vec<Value> {
        let world = World::default();
        let schema = world.schemas().into_iter().find(|schema| schema.protocol == "http").unwrap();
        let mut record = vec![Value::Nil; schema.slots()];
        let mut put = |id: reel_lang::schema::FieldId, value| record[id.0 as usize] = value;
        put(conn::DIRECTION, Value::text(self.direction.name()));
        put(conn::ADDR, Value::Ip(self.server.ip()));
        put(conn::PORT, Value::Int(self.server.port().into()));
        put(conn::PEER_ADDR, Value::Ip(self.client.ip()));
        put(conn::PEER_PORT, Value::Int(self.client.port().into()));
        put(conn::PID, Value::Int(7));
        put(conn::SIZE, Value::Int(120));
        let path = schema.fields.iter().find(|field| field.name == "path").unwrap().id;
        put(path, Value::text(self.path));
        record
    }
}

fn checked(text: &str) -> hir::Program {
    let (sources, file) = SourceMap::single("test", text);
    let parsed = parse::parse(&sources, file);
    let checked = check::check(&[parsed.program], &World::default(), &check::Options::default());
    let faults: Vec<_> = parsed.diagnostics.iter().chain(&checked.diagnostics).cloned().collect();
    let shown = render::text_all(faults.iter(), &sources, Colour::Plain);
    checked.program.unwrap_or_else(|| panic!("{text}\n{shown}"))
}

/// Whether the predicate of each clause is true of a record.
fn truths(native: &NativeModule, record: &[Value]) -> Vec<bool> {
    let views: Vec<View<'_>> = record.iter().map(View::of).collect();
    let evaluator = Evaluator::new(&native.module).unwrap();
    let truth =
        |function: u32| evaluator.call(function as usize, &views, &mut Recorder::new(&native.module)).unwrap() != 0;
    native.clauses.iter().map(|clause| clause.predicate.is_none_or(truth)).collect()
}

fn each_seed(check: impl Fn(u64)) {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse().ok());
    match number("REEL_FUZZ_SEED") {
        Some(seed) => check(seed),
        None => (0..number("REEL_FUZZ_SEEDS").unwrap_or(SEEDS)).for_each(check),
    }
}

#[test]
fn a_connection_that_a_message_probe_wants_is_handed_over() {
    let (mut dropped, mut kept) = (0, 0);
    let seen = std::cell::RefCell::new((&mut dropped, &mut kept));
    each_seed(|seed| {
        let mut random = Random::new(seed);
        let header = random.of(&["http:exchange", "http:in:exchange", "http:out:exchange"]);
        let text = format!("{header} /{}/ {{ print(1); }}", predicate(&mut random, 3));
        let program = checked(&text);
        let (filters, native) = (plan::heard(&program), lower::native(&program).unwrap());
        for _ in 0..CONNECTIONS {
            let one = connection(&mut random);
            let is_heard =
                !header.contains(':') || header.matches(':').count() == 1 || header.contains(one.direction.name());
            let is_wanted = is_heard && truths(&native, &one.record())[0];
            let is_kept = filters.of(one.direction).holds(one.server, one.client);
            assert!(
                is_kept || !is_wanted,
                "seed {seed}: {text}\n{} {} {}",
                one.direction.name(),
                one.server,
                one.client
            );
            let mut seen = seen.borrow_mut();
            *(if is_kept { &mut *seen.1 } else { &mut *seen.0 }) += 1;
        }
    });
    // A filter that lets all pass, or none, shows nothing.
    assert!(dropped > kept / 10 && kept > dropped / 10, "{dropped} dropped, {kept} kept");
}

#[test]
fn a_connection_that_a_rule_records_is_handed_over() {
    let protocols: Vec<String> = World::default().schemas().iter().map(|schema| schema.protocol.clone()).collect();
    each_seed(|seed| {
        let mut random = Random::new(seed);
        // Every protocol has rules of its own; the record is HTTP's, so only its rules ask about fields.
        let mut text = String::new();
        for protocol in protocols.iter().filter(|protocol| *protocol != "http") {
            text += &format!("capture:{protocol} {{ skip; }}\n");
        }
        let ways = ["", ":in", ":out"];
        for _ in 0..1 + random.below(3) {
            let (way, action) = (random.of(&ways), random.of(&["", "skip;"]));
            text += &format!("capture:http{way} /{}/ {{ {action} }}\n", predicate(&mut random, 2));
        }
        if random.below(2) == 0 {
            text += "capture:http:out { skip; }\n";
        }
        let program = checked(&text);
        let (filters, native) = (plan::filters(&program, &World::default()), lower::native(&program).unwrap());
        for _ in 0..CONNECTIONS {
            let one = connection(&mut random);
            let is_wanted = is_recorded(&program, &native, &one);
            let is_kept = filters.of(one.direction).holds(one.server, one.client);
            assert!(
                is_kept || !is_wanted,
                "seed {seed}:\n{text}\n{} {} {}",
                one.direction.name(),
                one.server,
                one.client
            );
        }
    });
}

/// What LANGUAGE.md says: a pair without a clause is recorded whole, else where one holds and none says `skip`.
fn is_recorded(program: &hir::Program, native: &NativeModule, one: &Connection) -> bool {
    let truths = truths(native, &one.record());
    let (mut selects, mut holds) = (false, false);
    for (clause, truth) in native.clauses.iter().zip(truths) {
        let clause = program.clauses.iter().find(|other| other.id == clause.clause).unwrap();
        let hir::Header::Rule(rule) = &clause.header else { continue };
        if rule.protocol != "http" || rule.direction.is_some_and(|direction| direction != one.direction) {
            continue;
        }
        if clause.body.is_empty() {
            selects = true;
            holds |= truth;
        } else if truth {
            return false;
        }
    }
    !selects || holds
}

#[test]
fn the_program_says_of_a_connection_what_the_filter_says() {
    each_seed(|seed| {
        let mut random = Random::new(seed);
        let text = format!("http:exchange /{}/ {{ print(1); }}", predicate(&mut random, 3));
        let filters = plan::heard(&checked(&text));
        if filters.keep_all() {
            return;
        }
        let asked: Vec<(Connection, bool)> = (0..4)
            .map(|_| (connection(&mut random), random.below(2) == 0))
            .filter(|(one, _)| is_one_family(one))
            .collect();
        for (one, is_mapped) in asked {
            let found = in_program(&filters, &one, is_mapped);
            let expect = filters.of(one.direction).holds(one.server, one.client);
            assert_eq!(found, expect, "seed {seed}: {text}\n{} {} {}", one.direction.name(), one.server, one.client);
        }
    });
}

/// A socket has one family.
fn is_one_family(one: &Connection) -> bool {
    one.server.is_ipv4() == one.client.is_ipv4()
}

/// Runs what is written into the capture program, on a connection as a socket has it: an IPv4 address in four words, too.
fn in_program(filters: &Filters, one: &Connection, is_mapped: bool) -> bool {
    let (local, remote) = match one.direction {
        Direction::In => (one.server, one.client),
        Direction::Out => (one.client, one.server),
    };
    let is_four = one.server.is_ipv4() && !is_mapped;
    let words = |ip: IpAddr| -> Vec<u32> {
        let octets = match ip {
            IpAddr::V4(ip) if is_four => [&ip.octets()[..], &[0; 12]].concat(),
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        octets.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
    };
    let mut text = filters.macros() + "begin {\n";
    for (letter, port, end) in [('l', "$local_port", local), ('r', "$remote_port", remote)] {
        text += &format!("{port} = (uint32){};\n", end.port());
        for (index, word) in words(end.ip()).iter().enumerate() {
            text += &format!("${letter}{index} = (uint32){word};\n");
        }
    }
    let outgoing = one.direction == Direction::Out;
    text += &format!(
        "$family = (uint32){};\nif (wanted({outgoing}, $family, $local_port, $l0, $l1, $l2, $l3, $remote_port, $r0, $r1, $r2, $r3)) \
         {{ print(1); }} }}",
        if is_four { 2 } else { 10 }
    );
    let native = lower::native_only(&checked(&text)).unwrap();
    let mut host = Recorder::new(&native.module);
    let evaluator = Evaluator::new(&native.module).unwrap();
    evaluator.call(native.clauses[0].body.unwrap() as usize, &[], &mut host).unwrap();
    !host.events.is_empty()
}

#[test]
fn what_excludes_nothing_goes_down_as_nothing() {
    for predicate in ["true", "path == \"/a\"", "port + 0 == 80", "port == 80 || pid == 7", "(uint8)port == 80"] {
        let filters = plan::heard(&checked(&format!("http:exchange /{predicate}/ {{ print(1); }}")));
        assert!(filters.keep_all(), "{predicate}: {filters:?}");
    }
    let filters = plan::heard(&checked("http:in:exchange /addr == \"::ffff:127.0.0.1\"/ { print(1); }"));
    assert_eq!(filters, Filters { incoming: Filter::Const(false), outgoing: Filter::Const(false) });
}
