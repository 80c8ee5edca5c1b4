//! A packet file that is written while it is read, as of `tcpdump -w - -U | reel --pcap -`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};

use reel_tests::pcap::{From, PacketFile};
use reel_tests::process::Running;
use rustix::process::{Pid, Signal, kill_process};

use super::support::{Ran, reel, wait_until};

const SCRIPT: &str =
    r#"begin { print("begun"); } http:exchange { printf("%s\n", path); @[path] = count(); } end { print("over"); }"#;

/// reel at the end of a pipe.
struct Reader {
    run: Running,
    out: BufReader<ChildStdout>,
}

impl Reader {
    fn start() -> (Reader, ChildStdin) {
        let mut command = reel(["-q", "-e", SCRIPT, "--pcap", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut run = Running::start(&mut command).unwrap();
        let (pipe, out) = (run.0.stdin.take().unwrap(), BufReader::new(run.0.stdout.take().unwrap()));
        (Reader { run, out }, pipe)
    }

    /// Waits for the next line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.out.read_line(&mut line).unwrap() > 0, "reel ended");
        line
    }

    fn interrupt(&self) {
        kill_process(Pid::from_child(&self.run.0), Signal::INT).unwrap();
    }

    /// Takes what is printed until the end.
    fn end(mut self) -> Ran {
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.run.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Ran { code: self.run.0.wait().unwrap().code(), out, err }
    }
}

/// One exchange on a connection of its own.
fn exchange(file: &mut PacketFile<ChildStdin>, n: u32, path: &str) {
    let mut connection = file.open(n).unwrap();
    file.send(&mut connection, From::Client, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
    file.send(&mut connection, From::Server, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
}

#[test]
fn packets_are_told_as_they_come_and_an_interrupt_ends_the_run() {
    let (mut reader, pipe) = Reader::start();
    let mut file = PacketFile::new(pipe).unwrap();
    exchange(&mut file, 1, "/one");
    assert_eq!(reader.line(), "begun\n");
    assert_eq!(reader.line(), "/one\n");
    // What was captured before the interrupt is told, though the pipe stays open.
    for n in 2..400 {
        exchange(&mut file, n, "/more");
    }
    reader.interrupt();
    let ran = reader.end().exits(0).prints("/more\nover\n").prints("@[/one]: 1\n").prints("@[/more]: 398\n");
    assert_eq!(ran.err, "");
    drop(file);
}

#[test]
fn an_interrupt_ends_the_wait_for_the_first_packet() {
    let (reader, pipe) = Reader::start();
    let status = format!("/proc/{}/status", reader.run.0.id());
    // SigCgt of proc_pid_status(5): a bit a signal, from the lowest.
    let is_caught = || {
        let text = std::fs::read_to_string(&status).unwrap();
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
        u64::from_str_radix(mask, 16).unwrap() & (1 << (Signal::INT.as_raw() - 1)) != 0
    };
    wait_until("reel takes over the interrupt", is_caught);
    reader.interrupt();
    let ran = reader.end().exits(0);
    assert_eq!(ran.out, "begun\nover\n", "{}", ran.err);
    drop(pipe);
}

#[test]
fn a_packet_that_is_cut_off_is_named() {
    let (mut reader, pipe) = Reader::start();
    let mut file = PacketFile::new(pipe).unwrap();
    exchange(&mut file, 1, "/one");
    assert_eq!(reader.line(), "begun\n");
    let mut pipe = file.into_inner();
    // The front of a packet's head.
    pipe.write_all(&[0; 7]).unwrap();
    drop(pipe);
    let ran = reader.end().exits(4).prints("/one\nover\n").prints("@[/one]: 1\n");
    ran.says("standard input: the file ends in the middle of a packet, after 4 packets");
}
