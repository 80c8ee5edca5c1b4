//! Message probes over every source: the same script gives the same answer, and no source makes reel grow without bound.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};

use reel_probes::cgroup::Cgroup;
use reel_probes::doctor::Capability;
use reel_tests::pcap::{From, PacketFile};
use reel_tests::process::{PATIENCE, Running, free_port, root};

use super::network::{PLAIN, ask, counter};
use super::support::{Ran, folder, has, reel, wait_until};

/// What is asked of every source.
const COUNTS: &str =
    "http:exchange { @http[method, path, status] = count(); } redis:exchange { @redis[command, reply] = count(); }";
/// What it answers, in any order of the lines.
const ANSWER: [&str; 2] = ["@http[GET, /ping, 200]: 5", "@redis[INCR, 7]: 5"];

/// A packet file that tcpdump writes of some TCP ports of the loopback interface.
pub struct Tcpdump {
    process: Running,
    path: PathBuf,
    marker: u16,
}

impl Tcpdump {
    pub fn start(path: PathBuf, ports: &[u16]) -> Tcpdump {
        let ports: Vec<String> = ports.iter().map(|port| format!("tcp port {port}")).collect();
        Tcpdump::of(path, &ports.join(" or "))
    }

    /// Writes what a filter takes (pcap-filter(7)).
    pub fn of(path: PathBuf, filter: &str) -> Tcpdump {
        let marker = free_port().unwrap();
        let mut command = Command::new("tcpdump");
        // A packet takes 256 KiB of the buffer in this mode, whatever its length: 64 MiB hold all that a test sends.
        command.args(["-i", "lo", "-U", "--immediate-mode", "-B", "65536", "-w"]).arg(&path);
        command.arg(format!("({filter}) or udp port {marker}")).stderr(Stdio::piped());
        let mut process = Running::start(&mut command).unwrap();
        let mut lines = BufReader::new(process.0.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "tcpdump did not start");
        }
        Tcpdump { process, path, marker }
    }

    /// Waits until everything that was sent before is in the file: packets keep their order.
    pub fn stop(mut self) -> PathBuf {
        let text = b"everything before this is written";
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        socket.send_to(text, ("127.0.0.1", self.marker)).unwrap();
        let is_written = |path: &Path| std::fs::read(path).unwrap().windows(text.len()).any(|part| part == text);
        wait_until("tcpdump writes its last packet", || is_written(&self.path));
        let _ = self.process.0.kill();
        self.path
    }
}

/// Fails unless the maps of a run are the answer.
#[track_caller]
fn answers(ran: Ran) {
    let ran = ran.exits(0);
    let mut lines: Vec<&str> = ran.out.lines().filter(|line| line.starts_with('@')).collect();
    lines.sort_unstable();
    assert_eq!(lines, ANSWER, "{}", ran.err);
}

/// Five visits to the odd service.
fn visit(port: u16) {
    for _ in 0..5 {
        assert!(ask(port).contains("200 OK"));
    }
}

#[test]
fn a_recording_a_packet_file_and_a_live_capture_give_the_same_answer() {
    if !has("python3") || !has("tcpdump") || !has("curl") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let dependency = counter(([127, 0, 0, 1], 0));
    let dir = folder.path().join("recording");

    let recorded = Tcpdump::start(folder.path().join("recorded.pcap"), &[port, dependency.port()]);
    let drive = format!("for i in 1 2 3 4 5; do curl -sf -o /dev/null http://127.0.0.1:{port}/ping || exit 1; done");
    let mut record = reel(["record", "--drive", &drive, "-o"]);
    let command = super::network::with_plain(record.arg(&dir), port, dependency);
    Ran::of(command).exits(0).says("recorded 5 tests and 5 calls");
    let recorded = recorded.stop();

    let watched = Tcpdump::start(folder.path().join("watched.pcap"), &[port, dependency.port()]);
    let command = format!("python3 {}", root().join(PLAIN).display());
    let mut live = reel(["-q", "-e", COUNTS, "-c", &command]);
    live.env("PORT", port.to_string()).env("DEPENDENCY", dependency.to_string());
    let mut live = Running::start(live.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
    live.wait_listening(port).unwrap();
    visit(port);
    answers(end(live));
    let watched = watched.stop();

    answers(Ran::of(reel(["-q", "-e", COUNTS, "--from"]).arg(&dir)));
    answers(Ran::of(reel(["-q", "-e", COUNTS, "--pcap"]).arg(&recorded)));
    answers(Ran::of(reel(["-q", "-e", COUNTS, "--pcap"]).arg(&watched)));
    let (dir, watched) = (dir.display(), watched.display());
    answers(prompt(&[], &format!(":from {dir}\n{COUNTS}\n")).prints("message clauses run over the recording"));
    answers(prompt(&[], &format!(":pcap {watched}\n{COUNTS}\n")).prints("message clauses run over the packets"));
    answers(prompt(&["--pcap", &watched.to_string()], &format!("{COUNTS}\n")));
    let maps =
        format!(":from {dir}\nredis:exchange {{ @calls = count(); }}\n:print @calls\n:live\nbegin {{ print(7); }}\n");
    prompt(&[], &maps)
        .exits(0)
        .prints("@calls: 5\n\n@calls: 5\n")
        .prints("listening to the whole machine")
        .prints("\n7\n");
    let wrong = format!(":from {dir}\ntcp:open {{ @ = count(); }}\n");
    prompt(&[], &wrong).exits(2).says("a recording does not tell of `tcp:open`");
}

/// What the prompt does with an input.
fn prompt(args: &[&str], input: &str) -> Ran {
    let mut command = reel(["repl"].iter().chain(args));
    let mut run = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
    run.0.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    wait_end(run)
}

#[test]
fn the_prompt_listens_to_processes_that_run_already() {
    if !has("python3") || !Capability::TcpHooks.needs() {
        return;
    }
    let (port, other) = (free_port().unwrap(), free_port().unwrap());
    let dependency = counter(([127, 0, 0, 1], 0));
    let (service, _other) = (service("true", port, dependency), service("true", other, dependency));
    let mut command = reel(["repl", "-p", &service.0.id().to_string()]);
    let mut run = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
    let mut keys = run.0.stdin.take().unwrap();
    keys.write_all(b"http:in:exchange { @[path] = count(); }\n").unwrap();
    let mut out = BufReader::new(run.0.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("Attached 1 probe") {
        assert!(out.read_line(&mut line).unwrap() > 0, "{line}");
    }
    Client::of(port).visit("/here");
    Client::of(other).visit("/there");
    keys.write_all(b":stop 1\n:quit\n").unwrap();
    out.read_to_string(&mut line).unwrap();
    assert!(line.contains("@[/here]: 1\n") && !line.contains("/there"), "{line}");
    assert!(line.starts_with(&format!("message clauses listen to process {}\n", service.0.id())), "{line}");
    assert!(run.0.wait().unwrap().success());
}

/// Interrupts a run, and takes what it printed.
pub fn end(run: Running) -> Ran {
    rustix::process::kill_process(rustix::process::Pid::from_child(&run.0), rustix::process::Signal::INT).unwrap();
    wait_end(run)
}

/// A connection to the odd service that stays open.
struct Client(TcpStream);

impl Client {
    fn of(port: u16) -> Client {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(stream)
    }

    fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    fn answer(&mut self) {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
        self.0.read_exact(&mut vec![0; len]).unwrap();
    }

    fn visit(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: plain\r\n\r\n"));
        self.answer();
    }
}

/// The odd service at work, after a shell command.
fn service(before: &str, port: u16, dependency: SocketAddr) -> Running {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{before}; exec python3 {}", root().join(PLAIN).display()));
    command.env("PORT", port.to_string()).env("DEPENDENCY", dependency.to_string());
    let mut service = Running::start(&mut command).unwrap();
    service.wait_listening(port).unwrap();
    service
}

/// Starts reel, and waits until it listens.
pub fn listening(args: &[&str]) -> Running {
    let mut run = Running::start(reel(args).stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
    let mut line = Vec::new();
    let out = run.0.stdout.as_mut().unwrap();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        assert!(out.read(&mut byte).unwrap() > 0, "reel ended before it listened");
        line.push(byte[0]);
    }
    assert!(line.starts_with(b"Attached"), "{}", String::from_utf8_lossy(&line));
    run
}

/// Takes what a run prints until it ends by itself.
pub fn wait_end(mut run: Running) -> Ran {
    let (mut out, mut err) = (String::new(), String::new());
    run.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    run.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    Ran { code: run.0.wait().unwrap().code(), out, err }
}

#[test]
fn a_running_process_is_listened_to_on_connections_old_and_new() {
    if !has("python3") || !Capability::TcpHooks.needs() {
        return;
    }
    let (port, other) = (free_port().unwrap(), free_port().unwrap());
    let dependency = counter(([127, 0, 0, 1], 0));
    let (service, _other) = (service("true", port, dependency), service("true", other, dependency));
    let (mut old, mut halfway) = (Client::of(port), Client::of(port));
    old.visit("/unseen");
    halfway.send("GET /half HTTP/1.1\r\nHos");
    let script = "http:exchange { @[path, direction, port, pid] = count(); } redis:out:exchange { @calls = count(); }";
    let pid = service.0.id();
    let run = listening(&["-e", script, "-p", &pid.to_string()]);
    old.visit("/old");
    halfway.send("t: plain\r\n\r\n");
    halfway.answer();
    halfway.visit("/told");
    Client::of(port).visit("/new");
    Client::of(other).visit("/others");
    drop(service);
    let ran = wait_end(run).exits(0);
    for path in ["/old", "/told", "/new"] {
        assert!(ran.out.contains(&format!("@[{path}, in, {port}, {pid}]: 1\n")), "{}\n{}", ran.out, ran.err);
    }
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("@[")).count(), 3, "{}", ran.out);
    ran.prints("@calls: 4\n").says("2 of the connections that were open before were used: 2 picked up at a request");
}

#[test]
fn a_cgroup_is_listened_to_with_those_below_it() {
    if !has("python3") || !Capability::TcpHooks.needs() {
        return;
    }
    let cgroup = Cgroup::create().unwrap();
    let below = cgroup.path().join("below");
    std::fs::create_dir(&below).unwrap();
    let (port, other) = (free_port().unwrap(), free_port().unwrap());
    let dependency = counter(([127, 0, 0, 1], 0));
    let inside = service(&format!("echo $$ >{}/cgroup.procs", below.display()), port, dependency);
    let outside = service("true", other, dependency);
    let path = cgroup.path().display().to_string();
    let run = listening(&["-e", "http:exchange { @[path, direction] = count(); }", "--cgroup", &path]);
    Client::of(port).visit("/inside");
    Client::of(other).visit("/outside");
    let ran = end(run).exits(0).prints("@[/inside, in]: 1\n");
    assert!(!ran.out.contains("/outside"), "{}", ran.out);
    drop((inside, outside));
    wait_until("the cgroup is empty", || std::fs::remove_dir(&below).is_ok());
    Ran::of(&mut reel(["-e", "http:request { @ = count(); }", "--cgroup", "/tmp"])).exits(2).says("this is no cgroup");
}

#[test]
fn the_whole_machine_is_listened_to_from_both_ends() {
    if !has("python3") || !Capability::TcpHooks.needs() {
        return;
    }
    let port = free_port().unwrap();
    let service = service("true", port, counter(([127, 0, 0, 1], 0)));
    let script = format!("http:exchange /port == {port}/ {{ @[path, direction, comm] = count(); }}");
    let run = listening(&["-e", &script]);
    Client::of(port).visit("/here");
    let ran = end(run).exits(0).says("listening to the whole machine, but for reel itself");
    let ran = ran.prints("@[/here, in, python3]: 1\n");
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("@[/here, out, ")).count(), 1, "{}", ran.out);
    drop(service);
}

/// Runs reel over a packet file that is written while it is read, and tells its greatest memory in bytes.
#[track_caller]
fn over_stream(
    script: &str,
    write: impl FnOnce(&mut PacketFile<BufWriter<ChildStdin>>) -> std::io::Result<()>,
) -> (Ran, u64) {
    let folder = folder();
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let mut command = reel(["-q", "-e", script, "--pcap", "-"]);
    command
        .stdin(Stdio::piped())
        .stdout(std::fs::File::create(&out).unwrap())
        .stderr(std::fs::File::create(&err).unwrap());
    let mut run = Running::start(&mut command).unwrap();
    let mut file = PacketFile::new(BufWriter::with_capacity(1 << 20, run.0.stdin.take().unwrap())).unwrap();
    let mut written = write(&mut file);
    let mut pipe = file.into_inner();
    written = written.and_then(|()| pipe.flush());
    // All but what is left in the pipe was read, and reel waits for more.
    let peak = peak_len_bytes(&run);
    drop(pipe);
    let code = run.0.wait().unwrap().code();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let ran = Ran { code, out: read(&out), err: read(&err) };
    assert!(written.is_ok(), "{written:?}: {ran:?}");
    (ran, peak)
}

/// The most memory that a process has had at once: `VmHWM` of proc_pid_status(5).
fn peak_len_bytes(run: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A script that counts what is whole.
const WHOLE: &str = "http:exchange { @[path] = count(); }";
/// What reel may use beside what it keeps of messages.
const BASE_LEN_BYTES: u64 = 64 << 20;
/// Twice the limit of what waits: a buffer that grows has room for as much again.
const MOST_LEN_BYTES: u64 = 2 * (128 << 20) + BASE_LEN_BYTES;

const GET: &[u8] = b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn bodies_without_an_end_do_not_fill_the_memory() {
    // 160 uploads of 4 MiB each, none of which ends.
    let (ran, peak) = over_stream(WHOLE, |file| {
        let mut uploads = Vec::new();
        for n in 0..160 {
            let mut upload = file.open(n)?;
            file.send(&mut upload, From::Client, b"POST /up HTTP/1.1\r\nContent-Length: 99000000\r\n\r\n")?;
            uploads.push(upload);
        }
        let part = vec![b'x'; 60_000];
        for _ in 0..70 {
            for upload in &mut uploads {
                file.send(upload, From::Client, &part)?;
            }
        }
        let mut last = file.open(1000)?;
        file.send(&mut last, From::Client, GET)?;
        file.send(&mut last, From::Server, OK)
    });
    let ran = ran.exits(0).prints("@[/ok]: 1\n").says("given up to keep memory within its limit");
    assert!(peak < MOST_LEN_BYTES, "{} MiB: {}", peak >> 20, ran.err);
}

#[test]
fn connections_without_an_end_do_not_fill_the_memory() {
    let (ran, peak) = over_stream(WHOLE, |file| {
        for n in 0..150_000 {
            let mut connection = file.open(n)?;
            file.send(&mut connection, From::Client, GET)?;
            file.send(&mut connection, From::Server, OK)?;
        }
        Ok(())
    });
    let ran = ran.exits(0).prints("@[/ok]: 150000\n").says("given up to keep memory within its limit");
    assert!(peak < 4 * BASE_LEN_BYTES, "{} MiB: {}", peak >> 20, ran.err);
}

#[test]
fn a_head_of_a_hundred_megabytes_has_a_limit() {
    let (ran, peak) = over_stream(WHOLE, |file| {
        let mut bad = file.open(1)?;
        file.send(&mut bad, From::Client, b"GET /bad HTTP/1.1\r\nX: ")?;
        let part = vec![b'x'; 60_000];
        for _ in 0..1750 {
            file.send(&mut bad, From::Client, &part)?;
        }
        file.send(&mut bad, From::Client, b"\r\n\r\n")?;
        let mut good = file.open(2)?;
        file.send(&mut good, From::Client, GET)?;
        file.send(&mut good, From::Server, OK)
    });
    let ran = ran.exits(0).says("1 conversation broke its protocol").says("bytes are in no message");
    assert_eq!(ran.out.trim(), "@[/ok]: 1");
    assert!(peak < 2 * BASE_LEN_BYTES, "{} MiB: {}", peak >> 20, ran.err);
}

/// One connection that asks, and is answered.
fn exchange(file: &mut PacketFile<BufWriter<ChildStdin>>, n: u32, asks: &[u8], answers: &[u8]) -> std::io::Result<()> {
    let mut connection = file.open(n)?;
    file.send(&mut connection, From::Client, asks)?;
    file.send(&mut connection, From::Server, answers)?;
    file.close(&mut connection)
}

fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn messages_that_would_explode_do_not() {
    let script = r#"http:exchange { @seen[path] = count(); }
        http:exchange /path == "/deep" && body.a == nil/ { @deep[len(body_raw)] = count(); }
        http:exchange /path == "/regex" && body_raw =~ "(x+x+)+y"/ { @never = count(); }
        http:exchange /path =~ "^/text"/ { printf("%s\n", request.body); }"#;
    let (ran, _) = over_stream(script, |file| {
        let chunked = b"POST /chunk HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nabc";
        exchange(file, 1, chunked, OK)?;
        let deep = [&b"{\"a\":"[..], &b"[".repeat(10_000), &b"]".repeat(10_000), b"}"].concat();
        exchange(file, 2, &post("/deep", &deep), OK)?;
        exchange(file, 3, &post("/regex", &b"x".repeat(1 << 20)), OK)?;
        exchange(file, 4, &post("/text", b"\xff\xfe\x1b[2J"), OK)
    });
    let ran = ran.exits(0).prints("@seen[/deep]: 1\n").prints("@seen[/regex]: 1\n").prints("@deep[20006]: 1\n");
    let ran = ran.prints("\\xff\\xfe\\x1b[2J\n").says("1 conversation broke its protocol");
    assert!(!ran.out.contains("/chunk") && !ran.out.contains("@never"), "{}", ran.out);
    let regex = format!("http:request /path =~ \"({}){{1000}}\"/ {{ @ = count(); }}", "x{1000}".repeat(10));
    Ran::of(&mut reel(["-e", &regex, "--pcap", "none.pcap"])).exits(2).says("E0312");
}

#[test]
fn a_clause_without_an_end_is_ended() {
    let script = r#"http:exchange /path == "/ok"/ { $i = 0; while (1) { $i++; } print("never"); }
        http:exchange { $n = 0; for ($i : 0..1000000000) { $n = $i; if ($i == 9) { break; } } print($n); }"#;
    let folder = folder();
    let path = two_clients(folder.path());
    let ran = Ran::of(reel(["-q", "-e", script, "--pcap"]).arg(&path)).exits(0);
    assert_eq!(ran.out, "9\n9\n");
    ran.says("a clause was ended 2 times since its loops made more than 8388608 rounds for one message");
}

#[test]
fn a_packet_file_that_is_not_whole_says_what_is_missing() {
    let folder = folder();
    let whole = std::fs::read(two_clients(folder.path())).unwrap();
    let over = |bytes: &[u8]| {
        let path = folder.path().join("part.pcap");
        std::fs::write(&path, bytes).unwrap();
        Ran::of(reel(["-q", "-e", WHOLE, "--pcap"]).arg(&path))
    };
    // A file has a head of 24 bytes, a packet one of 16 before the 40 of IPv4 and TCP.
    let (head, packet) = (24, 16 + 40);
    over(&whole).exits(0).prints("@[/ok]: 2\n");
    let truncated = over(&whole[..whole.len() - 1]).exits(4);
    truncated.prints("@[/ok]: 2\n").says("the file ends in the middle of a packet");
    over(&whole[..head + packet / 2]).exits(4).says("the file ends in the middle of a packet");
    over(&whole[..head]).exits(2).says("the file holds no packet");
    over(&whole[..head - 4]).exits(2);
    over(b"not packets").exits(2).says("this is neither a pcap nor a pcapng file");
    // LINKTYPE_IEEE802_11.
    let radio = [&whole[..20], &105u32.to_le_bytes(), &whole[head..]].concat();
    over(&radio)
        .exits(2)
        .says("the packets are of link type 105, which is not read")
        .says("help: capture on an Ethernet");
    // Both SYN of the first connection are not there: it begins in the middle, at a request.
    let joined = over(&[&whole[..head], &whole[head + 2 * packet..]].concat()).exits(0).prints("@[/ok]: 2\n");
    joined.says("1 connection began before the file: 1 picked up at a request after 0 bytes, 0 could not be told");
    // Without the request too, it begins with an answer.
    let answer = head + 3 * packet + GET.len();
    let untold = over(&[&whole[..head], &whole[answer..]].concat()).exits(0).prints("@[/ok]: 1\n");
    untold.says("0 picked up at a request after 40 bytes, 1 could not be told");
    // The request alone was lost.
    let hole = over(&[&whole[..head + 2 * packet], &whole[answer..]].concat()).exits(0).prints("@[/ok]: 1\n");
    hole.says("29 bytes of TCP streams are not in the file: packets were lost when it was captured");
}

/// A packet file: two clients ask the server, which is 10.255.255.1:80.
fn two_clients(folder: &Path) -> PathBuf {
    let path = folder.join("two clients.pcap");
    let mut file = PacketFile::new(std::fs::File::create(&path).unwrap()).unwrap();
    for n in [1, 2] {
        let mut connection = file.open(n * 50_000).unwrap();
        file.send(&mut connection, From::Client, GET).unwrap();
        file.wait_us(20_000);
        file.send(&mut connection, From::Server, OK).unwrap();
        file.close(&mut connection).unwrap();
    }
    path
}

#[test]
fn a_host_gives_the_connections_of_a_packet_file_a_direction() {
    let folder = folder();
    let path = two_clients(folder.path());
    let over = |script: &str, hosts: &[&str]| {
        let hosts = hosts.iter().flat_map(|host| ["--host", host]);
        Ran::of(reel(["-q", "-e", script, "--pcap"]).arg(&path).args(hosts))
    };
    let script = "http:in:exchange { @in[direction, addr] = count(); } http:out:exchange { @out[peer_addr] = count(); }
        tcp:open { @open[direction] = count(); }";
    over(script, &[]).exits(2).says("error[E0706]").says("Say where the app is with `--host ADDR[:PORT]`");
    for server in ["10.255.255.1", "10.255.255.1:80"] {
        let ran = over(script, &[server]).exits(0);
        assert_eq!(ran.out.trim(), "@in[in, 10.255.255.1]: 2\n\n@open[in]: 2", "{}", ran.err);
    }
    let ran = over(script, &["10.0.0.2"]).exits(0);
    let ran = ran.says("1 connection is of no `--host`, and was left out");
    assert_eq!(ran.out.trim(), "@out[10.0.0.2]: 1\n\n@open[out]: 1");
    let ran = over(script, &["10.0.0.1", "10.0.0.2"]).exits(0).prints("@open[out]: 2\n");
    ran.prints("@out[10.0.0.1]: 1\n@out[10.0.0.2]: 1\n");
    over(script, &["10.255.255.1:81"]).exits(0).says("2 connections are of no `--host`, and were left out");
    over("http:exchange { print(comm); }", &["10.0.0.1"]).exits(2).says("error[E0706]").says("packets carry no thread");
    over(script, &["shop"]).exits(2).says("--host").says("expected an address");
    Ran::of(&mut reel(["-e", script, "--host", "10.0.0.1"])).exits(2).says("--pcap");
    let path = path.display().to_string();
    prompt(&[], &format!(":pcap {path} 10.255.255.1:80\n{script}\n"))
        .exits(0)
        .prints(&format!("run over the packets of 10.255.255.1:80 in {path}; `:live` comes back\n"))
        .prints("@in[in, 10.255.255.1]: 2\n");
    prompt(&["--pcap", &path, "--host", "10.0.0.1"], &format!("{script}\n")).exits(0).prints("@out[10.0.0.1]: 1\n");
    prompt(&["--pcap", &path], &format!("{script}\n")).exits(2).says(":pcap FILE ADDR[:PORT]");
}

#[test]
fn tools_run_over_a_packet_file() {
    let folder = folder();
    let path = two_clients(folder.path());
    let run = |tool: &str| {
        let mut command = reel(["tool", tool, "-q", "--host", "10.255.255.1", "--pcap"]);
        Ran::of(command.arg(&path))
    };
    // Its probes are the kernel's.
    run("tcpconn").exits(2).says("error[E0705]");
    for tool in reel_stdlib::tools().iter().filter(|tool| tool.name != "tcpconn") {
        run(tool.name).exits(0);
    }
    run("httptop").prints("@requests[in, GET, /ok]: 2\n");
    run("httpslow").prints("in  GET     /ok");
    run("apilat").prints("@latency_us[GET, /ok]:");
}

#[test]
fn a_recording_with_a_hole_is_refused_by_name() {
    let folder = folder();
    let head = "format: 1\ncomplete: true\ntool: \"0.1.0\"\ncommand: []\nclock: real\nprotocols: {}\nlosses:\n  dropped_events: 0\n  missing_bytes: 7\n  undecoded_bytes: 0\n  encrypted_connections: 0\n...\n";
    std::fs::write(folder.path().join("recording.yaml"), head).unwrap();
    Ran::of(reel(["-e", WHOLE, "--from"]).arg(folder.path())).exits(4).says("7 missing bytes");
    Ran::of(reel(["-e", WHOLE, "--pcap"]).arg(folder.path())).exits(2).says("a recording is read with --from");
    Ran::of(&mut reel(["-e", WHOLE, "--from", "a", "--pcap", "b"])).exits(2).says("cannot be used with");
}
