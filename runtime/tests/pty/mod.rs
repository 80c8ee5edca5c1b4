//! reel on a terminal: a pty, whose Ctrl-C is the kernel's own. What is shown is awaited, never slept for. Whoever includes
//! this defines `REEL`, the program's path.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::REEL;

/// How long anything may take on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What is said of colours to a test that compares text.
pub const PLAIN: (&str, &str) = ("NO_COLOR", "1");

/// reel on a terminal of its own.
pub struct Terminal {
    pub child: Child,
    keys: File,
    shown: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    /// Starts it, with arguments and what is said of colours, in 60 columns.
    pub fn start(args: &[&str], state: &std::path::Path, colours: (&str, &str)) -> Terminal {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        tcsetwinsize(&ours, Winsize { ws_row: 24, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        // `setsid --ctty` makes the terminal the one whose Ctrl-C reaches the process.
        let child = Command::new("setsid")
            .args(["--ctty", REEL])
            .args(args)
            .env("XDG_STATE_HOME", state)
            .env("TERM", "xterm")
            .env(colours.0, colours.1)
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

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until a text is shown, and forgets all up to it.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.shown.recv_timeout(left) else { panic!("{text:?} is not shown:\n{:?}", self.seen) };
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
