//! The interactive prompt, through a pipe and on a terminal (a pty, whose Ctrl-C is the kernel's own).
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use reel_probes::doctor::Capability;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// How long anything may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn piped(input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reel"));
    command.arg("repl").env("NO_COLOR", "1").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_pipe_is_read_input_by_input() {
    if !Capability::RawTracepoint.needs() {
        return;
    }
    let output = piped(
        "macro twice(x) { x * 2 }\nbegin {\n  print(twice(21));\n}\nbegin { print(nope); }\n:halp\n\
         interval:ms:10 { @n = count(); exit(); }\n:quit\nbegin { print(99); }\n",
    );
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{err}");
    let numbers: Vec<&str> = out.lines().filter(|line| line.parse::<u32>().is_ok()).collect();
    assert_eq!(numbers, ["42"], "what is wrong runs nothing, and nothing runs after :quit:\n{out}");
    assert!(out.contains("@n: 1\n"), "the maps are shown at the end:\n{out}");
    for part in ["unknown name `nope`", "prompt:1:15", "there is no command `:halp`", "`:help` lists what there is"] {
        assert!(err.contains(part), "{part} is missing in\n{err}");
    }
}

#[test]
fn what_a_pipe_leaves_open_is_an_error() {
    let output = piped("begin {\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("expected `}`"));
}

/// reel on a terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    shown: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn start(state: &std::path::Path) -> Terminal {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        // `setsid --ctty` makes the terminal the one whose Ctrl-C reaches the process.
        let child = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_reel")])
            .env("XDG_STATE_HOME", state)
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs.try_clone().unwrap())
            .stderr(theirs)
            .spawn()
            .unwrap();
        let keys = File::from(ours);
        let mut screen = keys.try_clone().unwrap();
        let (send, shown) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Reading fails when the last process on the terminal has gone.
            while let Ok(len @ 1..) = screen.read(&mut bytes) {
                if send.send(bytes[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { child, keys, shown, seen: String::new() }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until a text is shown, and forgets all up to it.
    fn wait_for(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let Ok(bytes) = self.shown.recv_timeout(PATIENCE) else { panic!("{text:?} is not shown:\n{}", self.seen) };
            self.seen += &String::from_utf8_lossy(&bytes);
        }
        let end = self.seen.find(text).unwrap() + text.len();
        self.seen.drain(..end);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn on_a_terminal_a_clause_runs_until_ctrl_c() {
    if !Capability::RawTracepoint.needs() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(state.path());
    terminal.wait_for("enter a clause, or :help");
    terminal.wait_for("reel> ");
    terminal.press("begin {\r");
    terminal.press("printf(\"<%d>\", 40 + 2); }\r");
    terminal.wait_for("<42>");
    terminal.wait_for("reel> ");
    terminal.press("begin { print(nope); }\r");
    terminal.wait_for("unknown name `nope`");
    terminal.wait_for("reel> ");
    // Twice, since the second run takes the signal over anew.
    for _ in 0..2 {
        terminal.press("interval:ms:1 { @ticks = count(); printf(\"tick\"); }\r");
        terminal.wait_for("Attached");
        terminal.wait_for("tick");
        terminal.press("\x03");
        terminal.wait_for("@ticks: ");
        terminal.wait_for("reel> ");
    }
    terminal.press("\x04");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
    let history = std::fs::read_to_string(state.path().join("reel/history")).unwrap();
    assert!(history.contains("interval:ms:1"), "{history}");
}
