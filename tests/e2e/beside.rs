//! The scripts that set what the kernel does beside what messages say: files by route, and segments sent again by path.

use std::io::{BufRead, BufReader, Read};
use std::process::{ChildStdin, Command, Stdio};

use reel_probes::doctor::Capability;
use reel_tests::process::{Running, free_port, root};

use super::support::{REEL, Ran, folder, has};

/// A service that serves one connection after the other, one request each: `/open/N` opens N files before it answers, and one
/// afterwards; before its answer to `/lossy` the loopback interface of its namespace goes down. It answers in one segment.
const SERVICE: &str = r#"
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = listener.accept()
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += client.recv(1)
    path = request.split()[1].decode()
    for _ in range(int(path.split("/")[2]) if path.startswith("/open/") else 0):
        open("/dev/null").close()
    if path == "/lossy":
        subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    client.close()
    open("/dev/null").close()
"#;

/// A network namespace with a loopback interface of its own, which lasts as long as a process in it.
struct Namespace {
    _holder: Running,
    _stdin: ChildStdin,
    pid: String,
}

impl Namespace {
    fn new() -> Namespace {
        let mut command = Command::new("unshare");
        command.args(["-n", "sh", "-c", "ip link set lo up && echo up && read end"]);
        let mut holder = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped())).unwrap();
        let mut line = String::new();
        BufReader::new(holder.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        let (stdin, pid) = (holder.0.stdin.take().unwrap(), holder.0.id().to_string());
        Namespace { _holder: holder, _stdin: stdin, pid }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.pid, "-n"]).args(words);
        command
    }
}

/// reel with a script over the service in a namespace.
struct Traced<'a> {
    namespace: &'a Namespace,
    run: Running,
    lines: BufReader<std::process::ChildStdout>,
    out: String,
    port: u16,
    _folder: tempfile::TempDir,
}

impl<'a> Traced<'a> {
    /// Starts both. The script says what it has seen, so that the test knows when reel has.
    fn start(namespace: &'a Namespace, script: &str) -> Traced<'a> {
        let port = free_port().unwrap();
        let text = std::fs::read_to_string(root().join("scripts").join(script)).unwrap();
        let text = text + "\nhttp:in:request { printf(\"seen %s\\n\", path); }";
        let folder = folder();
        let (script, service) = (folder.path().join("script.rr"), folder.path().join("service.py"));
        std::fs::write(&script, text).unwrap();
        std::fs::write(&service, SERVICE).unwrap();
        let service = format!("python3 {} {port}", service.display());
        let mut command = namespace.command(&[REEL, "-q", script.to_str().unwrap(), "-c", &service]);
        let mut run = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
        let lines = BufReader::new(run.0.stdout.take().unwrap());
        let traced = Traced { namespace, run, lines, out: String::new(), port, _folder: folder };
        while !traced.ask("/ready").wait().unwrap().success() {}
        traced
    }

    /// A client that asks once.
    fn ask(&self, path: &str) -> std::process::Child {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        self.namespace.command(&["curl", "-sf", "-o", "/dev/null", &url]).spawn().unwrap()
    }

    /// Waits until reel has seen a request.
    fn sees(&mut self, path: &str) {
        let wanted = format!("seen {path}\n");
        while !self.out.ends_with(&wanted) {
            assert!(self.lines.read_line(&mut self.out).unwrap() > 0, "reel ended before {path}: {}", self.out);
        }
    }

    /// Interrupts the run, and takes what it printed.
    fn end(mut self) -> Ran {
        let pid = rustix::process::Pid::from_child(&self.run.0);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let mut err = String::new();
        self.lines.read_to_string(&mut self.out).unwrap();
        self.run.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Ran { code: self.run.0.wait().unwrap().code(), out: self.out, err }
    }
}

fn can_run() -> bool {
    Capability::TcpHooks.needs()
        && Capability::UserDynptr.needs()
        && ["python3", "curl", "unshare", "nsenter", "ip"].iter().all(has)
}

#[test]
fn files_are_counted_for_the_route_that_opened_them() {
    if !can_run() {
        return;
    }
    let namespace = Namespace::new();
    let traced = Traced::start(&namespace, "files-by-route.rr");
    // Without a pause: reel sees an exchange when the next ones have long begun.
    for path in ["/open/3", "/none", "/open/40", "/none"] {
        assert!(traced.ask(path).wait().unwrap().success());
    }
    let ran = traced.end().exits(0);
    ran.prints("@files[GET, /none]: 0\n").prints("@files[GET, /open/:id]: 43\n");
}

#[test]
fn segments_that_are_sent_again_are_counted_for_the_path() {
    if !can_run() {
        return;
    }
    let namespace = Namespace::new();
    let mut traced = Traced::start(&namespace, "retransmits-by-path.rr");
    assert!(traced.ask("/fine").wait().unwrap().success());
    traced.sees("/fine");
    let mut client = traced.ask("/lossy");
    traced.sees("/lossy");
    // From here on the kernel knows the path, and TCP's timer sends the answer again until it arrives.
    assert!(namespace.command(&["ip", "link", "set", "lo", "up"]).status().unwrap().success());
    assert!(client.wait().unwrap().success());
    let ran = traced.end().exits(0).prints("@requests[/fine]: 1\n").prints("@requests[/lossy]: 1\n");
    let again = ran.out.lines().find_map(|line| line.strip_prefix("@retransmits[/lossy]: "));
    assert!(again.is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count > 0)), "{}", ran.out);
}
