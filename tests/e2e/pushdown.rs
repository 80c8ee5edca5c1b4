//! Push-down: what the kernel leaves out because of a predicate changes nothing of what a script prints or a recording holds.
//!
//! Each row is a predicate over a connection's facts. It is asked twice of the same process at the same time: as it is, so that it goes
//! down to the kernel, and as `((PREDICATE) ? 1 : 0) == 1`, of which the planner knows nothing. Both must print the same to the byte,
//! over traffic whose every shape would show a lost connection or a stream with a piece cut out; and the first must have left
//! connections in the kernel, the second none.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use reel_probes::cgroup::Cgroup;
use reel_probes::doctor::Capability;
use reel_tests::process::{Running, free_port, root};

use super::network::{ask_for, counter};
use super::sources::{Tcpdump, end, listening};
use super::support::{Ran, folder, has, reel};

/// How many ends the connections have that a world opens while it is listened to.
const ENDS: usize = 22;
/// How many those have that were open before. Which of the two serves is not certain there, so what one of them could want is judged in reel.
const OLD_ENDS: usize = 4;

/// Servers and clients in one process, in a cgroup of its own: see its own text.
struct World {
    process: Running,
    cgroup: Cgroup,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Two ports of IPv4, one of both families, one that is reset, and the port that a client calls from.
    ports: Vec<u16>,
}

impl World {
    fn start() -> World {
        let cgroup = Cgroup::create().unwrap();
        let mut command = Command::new("sh");
        let app = root().join("tests/apps/pushdown/world.py");
        let enter = format!("echo $$ >{}/cgroup.procs; exec python3 {}", cgroup.path().display(), app.display());
        command.arg("-c").arg(enter).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Running::start(&mut command).unwrap();
        let (commands, out) = (process.0.stdin.take().unwrap(), process.0.stdout.take().unwrap());
        let mut world = World { process, cgroup, commands, answers: BufReader::new(out), ports: Vec::new() };
        world.ports = world.line().split_whitespace().map(|port| port.parse().unwrap()).collect();
        world
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.answers.read_line(&mut line).unwrap() > 0, "the world ended");
        line
    }

    /// Has it do something to its end.
    fn run(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
        assert_eq!(self.line(), "done\n");
    }

    /// A predicate with the ports that it names by letters.
    fn named(&self, predicate: &str) -> String {
        let names = ["ONE", "TWO", "BOTH", "RESET", "CALLER"];
        names
            .iter()
            .zip(&self.ports)
            .fold(predicate.to_owned(), |text, (name, port)| text.replace(name, &port.to_string()))
    }

    /// Runs scripts over the same traffic: connections opened before, and all that comes after.
    fn heard_by<const N: usize>(&mut self, scripts: [&str; N]) -> [Ran; N] {
        self.run("old");
        let cgroup = self.cgroup.path().display().to_string();
        let runs = scripts.map(|script| listening(&["-e", script, "--cgroup", &cgroup]));
        self.run("go");
        runs.map(|run| end(run).exits(0))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
        let _ = fs::remove_dir(self.cgroup.path());
    }
}

/// How many connections a run left in the kernel.
fn stayed(ran: &Ran) -> usize {
    let line = ran.err.lines().find(|line| line.contains("can want stayed in the kernel"));
    let words = line.and_then(|line| line.split(" connection").next());
    words.and_then(|words| words.split_whitespace().last()).map_or(0, |number| number.parse().unwrap())
}

/// A predicate as the planner cannot see through it.
fn opaque(predicate: &str) -> String {
    format!("(({predicate}) ? 1 : 0) == 1")
}

/// Tells everything of what a predicate lets pass, but for health checks, each on a line that says which connection it was on.
fn script(way: &str, predicate: &str) -> String {
    let ends = "%s:%d %s:%d";
    let of = "addr, port, peer_addr, peer_port";
    format!(
        r#"http:{way}request /{predicate} && path != "/healthz"/ {{ printf("request %s {ends} %s\n", direction, {of}, path); }}
        http:{way}response /{predicate} && path != "/healthz"/ {{ printf("response %s {ends} %s %d %s\n", direction, {of}, path, status, body.raw); }}
        http:{way}exchange /{predicate} && path != "/healthz"/ {{ printf("exchange %s {ends} %s %d\n", direction, {of}, path, size); @[direction, port] = count(); }}
        tcp:{way}open /{predicate}/ {{ printf("open %s {ends}\n", direction, {of}); }}
        tcp:{way}data /{predicate}/ {{ printf("data %s {ends} %s +%d %s\n", direction, {of}, sender, offset, data); }}
        tcp:{way}close /{predicate}/ {{ printf("close %s {ends} %s %d %d\n", direction, {of}, closer, client_bytes, server_bytes); }}"#
    )
}

/// What was printed, in an order that does not depend on which of two processors was first.
fn sorted(ran: &Ran) -> Vec<&str> {
    let mut lines: Vec<&str> = ran.out.lines().filter(|line| !line.starts_with("Attached")).collect();
    lines.sort_unstable();
    lines
}

/// Predicates that go down, by the direction that the header names and what they let pass in this world.
const ROWS: &[(&str, &str)] = &[
    ("", "port == ONE"),
    ("", "port != ONE"),
    ("", "ONE == port"),
    ("", "port < TWO"),
    ("", "port <= TWO"),
    ("", "port > ONE"),
    ("", "TWO >= port"),
    ("", "(uint64)port == BOTH"),
    ("", r#"addr == "127.0.0.1""#),
    ("", r#"addr != "127.0.0.1""#),
    ("", r#"addr == "::1""#),
    ("", r#"addr != "0:0::1""#),
    ("", r#"peer_addr == "127.0.0.2""#),
    ("", r#""127.0.0.2" != peer_addr"#),
    ("", "peer_port == CALLER"),
    ("", r#"direction == "in""#),
    ("", r#"direction != "in""#),
    ("in:", "true"),
    ("out:", "(port == TWO || port == RESET)"),
    ("", r#"port == ONE && direction == "out""#),
    ("", r#"!(port == ONE || addr == "::1")"#),
    ("", "port == RESET"),
];

#[test]
fn what_goes_down_to_the_kernel_changes_nothing() {
    if !has("python3") || !Capability::TcpHooks.needs() {
        return;
    }
    let mut world = World::start();
    for (way, predicate) in ROWS {
        let pushed = world.named(predicate);
        // A header's direction cannot be hidden, so it is said otherwise.
        let hidden = match way.trim_end_matches(':') {
            "" => opaque(&pushed),
            way => opaque(&format!("{pushed} && direction == \"{way}\"")),
        };
        let (down, kept) = (script(way, &pushed), script("", &hidden));
        if *predicate != "true" {
            is_planned(&down, &pushed, "connection");
        }
        is_planned(&kept, &hidden, "native");
        let [down, kept] = world.heard_by([&down, &kept]);
        assert_eq!(sorted(&down), sorted(&kept), "{way}{predicate}");
        // All others stayed in the kernel; of the same predicate in disguise, none.
        let left = ENDS - down.out.lines().filter(|line| line.starts_with("open ")).count();
        assert!((left..=left + OLD_ENDS).contains(&stayed(&down)), "{left} {way}{predicate}\n{}", down.err);
        assert_eq!(stayed(&kept), 0, "{way}{predicate}\n{}", kept.err);
        assert!(stayed(&down) > 0 && down.out.contains("\nrequest "), "{way}{predicate}\n{}", down.out);
        let is_filtered = |line: &str| is_message(line) && line.contains(" /healthz");
        assert!(!down.out.lines().any(is_filtered), "{way}{predicate}\n{}", down.out);
    }
}

/// Fails unless the plan has a line for this conjunct.
#[track_caller]
fn is_planned(script: &str, conjunct: &str, label: &str) {
    let planned = Ran::of(&mut reel(["plan", "-e", script])).exits(0);
    let line = format!("    {label:<10}  {conjunct}\n");
    let mut parts = conjunct.split(" && ").map(|part| format!("    {label:<10}  {part}\n"));
    assert!(
        planned.out.contains(&line) || parts.all(|part| planned.out.contains(&part)),
        "no {line} in:\n{}",
        planned.out
    );
}

#[test]
fn an_address_that_no_connection_has_is_still_unequal_to_all() {
    if !has("python3") || !Capability::TcpHooks.needs() {
        return;
    }
    // A connection's address is never an IPv4 address in IPv6's clothes, whichever family its socket is of; a cast is no port.
    let mut world = World::start();
    let [one, both] = [world.ports[0], world.ports[2]];
    for predicate in [
        r#"addr != "::ffff:127.0.0.1""#,
        "port > -1",
        "port != -1",
        "port < 70000",
        &format!("(uint8)port == {}", both & 255),
    ] {
        let [down, kept] = world.heard_by([&script("", predicate), &script("", &opaque(predicate))]);
        assert_eq!(sorted(&down), sorted(&kept), "{predicate}");
        assert!(down.out.contains(&format!("request in 127.0.0.1:{both} ")), "{predicate}: {}", down.out);
    }
    let predicate = format!(r#"addr == "::ffff:127.0.0.1" || port == {one} && port < 0"#);
    let [down, kept] = world.heard_by([&script("", &predicate), &script("", &opaque(&predicate))]);
    assert_eq!((sorted(&down), sorted(&kept)), (Vec::new(), Vec::new()));
}

fn is_message(line: &str) -> bool {
    ["request", "response", "exchange"].iter().any(|word| line.starts_with(word))
}

/// What HTTP messages of incoming connections were told, without the direction and what is of before the capture.
fn messages(ran: &Ran) -> Vec<String> {
    // What is read after a reset is told of a command alone.
    let is_told = |line: &&str| !line.contains(" out ") && !line.contains("/before") && !line.contains("/reset");
    let lines = ran.out.lines().filter(|line| is_message(line)).filter(is_told);
    let mut lines: Vec<String> = lines.map(|line| line.replacen(" in ", " ", 1)).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_packet_file_of_the_same_traffic_says_the_same() {
    if !has("python3") || !has("tcpdump") || !Capability::TcpHooks.needs() {
        return;
    }
    let (mut world, folder) = (World::start(), folder());
    let packets = Tcpdump::start(folder.path().join("world.pcap"), &world.ports[..4]);
    let rows: Vec<String> = ["port == ONE", "port != TWO", r#"addr == "::1""#, "peer_port == CALLER"]
        .iter()
        .map(|row| world.named(row))
        .collect();
    let scripts: Vec<String> = rows.iter().map(|row| script("", row)).collect();
    let live = world.heard_by([&scripts[0], &scripts[1], &scripts[2], &scripts[3]]);
    let packets = packets.stop();
    for (row, live) in rows.iter().zip(&live) {
        let of_packets = |predicate: &str| {
            let script = script("", predicate).replace("%s %s:%d %s:%d", "%s:%d %s:%d").replace("direction, ", "");
            Ran::of(reel(["-q", "-e", &script, "--pcap"]).arg(&packets)).exits(0)
        };
        let [down, kept] = [of_packets(row), of_packets(&opaque(row))];
        assert_eq!(sorted(&down), sorted(&kept), "{row}");
        assert_eq!(messages(&down), messages(live), "{row}");
        assert!(!messages(live).is_empty(), "{row}: {}", live.out);
    }
}

#[test]
fn nginx_is_heard_on_the_port_that_is_wanted() {
    if !has("nginx") || !Capability::TcpHooks.needs() {
        return;
    }
    let (folder, wanted, other) = (folder(), free_port().unwrap(), free_port().unwrap());
    let config = folder.path().join("nginx.conf");
    let text = format!(
        "daemon off; master_process off; pid {0}/pid; error_log stderr; events {{}}\n\
         http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
         server {{ listen 127.0.0.1:{wanted}; listen 127.0.0.1:{other}; location / {{ return 200 $uri; }} }} }}\n",
        folder.path().display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("nginx");
    let mut nginx = Running::start(command.arg("-c").arg(&config).stderr(Stdio::null())).unwrap();
    nginx.wait_listening(wanted).unwrap();
    nginx.wait_listening(other).unwrap();
    let predicate = format!("port == {wanted}");
    let pid = nginx.0.id().to_string();
    let scripts = [script("", &predicate), script("", &opaque(&predicate))];
    let runs = scripts.map(|script| listening(&["-e", &script, "-p", &pid]));
    for path in ["/a", "/healthz", "/b"] {
        ask_for(wanted, path);
        ask_for(other, path);
    }
    drop(nginx);
    let [down, kept] = runs.map(|run| super::sources::wait_end(run).exits(0));
    assert_eq!(sorted(&down), sorted(&kept));
    assert_eq!(down.out.matches("exchange in").count(), 2, "{}", down.out);
    assert!(stayed(&down) >= 3 && stayed(&kept) == 0, "{}\n{}", down.err, kept.err);
}

/// The protocols of capture rules: a pair without a rule is recorded whole.
const PROTOCOLS: [&str; 5] = ["http", "redis", "postgres", "dns", "tcp"];

/// Rules with this predicate for every protocol of a direction; the other direction as `rest` says.
fn rules(way: &str, predicate: &str, rest: &str) -> String {
    let rule = |protocol: &&str| format!("capture:{protocol}:{way} /{predicate}/ {{ }}\n");
    PROTOCOLS.iter().map(rule).collect::<String>() + rest
}

/// The files of a recording that say what was recorded.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for part in ["tests", "mocks"] {
        let Ok(entries) = fs::read_dir(folder.join(part)) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = format!("{part}/{}", path.file_name().unwrap().to_string_lossy());
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// Records the service under the rules as they are and as the planner cannot see through them: gives what both hold, and how many
/// connections stayed in the kernel of each. `predicate` is given the two ports and those of the dependencies.
#[track_caller]
fn recorded(way: &str, predicate: impl Fn([u16; 4]) -> String, rest: &str) -> (BTreeMap<String, String>, [usize; 2]) {
    let (folder, ports) = (folder(), [free_port().unwrap(), free_port().unwrap()]);
    let dependencies = [(); 2].map(|()| counter(([127, 0, 0, 1], 0)).port());
    let predicate = predicate([ports[0], ports[1], dependencies[0], dependencies[1]]);
    let get = |port, path| {
        format!("python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:{port}{path}\").read())'")
    };
    let visits = [(0, "/a"), (1, "/b"), (0, "/two"), (1, "/two/b"), (0, "/self"), (0, "/c")];
    let drive = visits.map(|(port, path)| get(ports[port], path)).join(" && ");
    let record = |name: &str, predicate: &str| {
        let file = folder.path().join(format!("{name}.rr"));
        fs::write(&file, rules(way, predicate, rest)).unwrap();
        let mut command = reel(["record", "--drive", &drive, "-r"]);
        command.arg(&file).arg("-o").arg(folder.path().join(name)).arg("--").arg("python3");
        command.arg(root().join("tests/apps/pushdown/service.py"));
        let spaced = |ports: [u16; 2]| format!("{} {}", ports[0], ports[1]);
        command.env("PORTS", spaced(ports)).env("DEPENDENCIES", spaced(dependencies));
        (Ran::of(&mut command).exits(0), files(&folder.path().join(name)))
    };
    let ((down, first), (kept, second)) = (record("down", &predicate), record("kept", &opaque(&predicate)));
    assert_eq!(first, second, "{}\n{}", down.err, kept.err);
    (first, [stayed(&down), stayed(&kept)])
}

/// How many tests and calls there are.
fn counts(files: &BTreeMap<String, String>) -> (usize, usize) {
    let tests = files.keys().filter(|name| name.starts_with("tests/")).count();
    (tests, files.values().map(|text| text.matches("\nid: ").count()).sum())
}

const NO_CALLS: &str = "capture:http:out { skip; } capture:redis:out { skip; } capture:postgres:out { skip; } capture:dns:out { skip; } capture:tcp:out { skip; }";

#[test]
fn requests_stay_in_the_kernel_where_no_calls_are_recorded() {
    if !has("python3") || !Capability::TcpHooks.needs() {
        return;
    }
    let (files, stayed) = recorded("in", |[one, ..]| format!("port == {one}"), NO_CALLS);
    assert_eq!(counts(&files), (4, 0), "{files:?}");
    // Six calls, of which one is to the service itself; with that, three requests to the other port.
    assert_eq!(stayed, [9, 6]);
}

#[test]
fn requests_are_seen_where_they_take_their_calls_with_them() {
    if !has("python3") || !Capability::TcpHooks.needs() {
        return;
    }
    // The calls of `/b` and `/two/b` are left out with them, so these must be seen.
    let (files, stayed) = recorded("in", |[one, ..]| format!("port == {one}"), "");
    assert_eq!((counts(&files), stayed), ((4, 3), [0, 0]), "{files:?}");
}

#[test]
fn calls_stay_in_the_kernel_by_port_and_take_no_others_with_them() {
    if !has("python3") || !Capability::TcpHooks.needs() {
        return;
    }
    // That the service calls itself is no test, though only one end of that connection is seen.
    let (files, stayed) = recorded("out", |[_, _, first, _]| format!("port == {first}"), "");
    assert_eq!((counts(&files), stayed), ((6, 3), [3, 0]), "{files:?}");
}
