//! A case of capture: traffic, and what the rules let a recording keep of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use reel_lang::schema::Direction;
use reel_probes::event::Task;
use reel_protocols::Message;
use reel_protocols::conversation::{Exchange, Timed};

use super::traffic::Line;
use crate::capture::connections::{ConnId, Ends, Moment};
use crate::record::collector::{Captured, Collected, began_ns};
use crate::record::compose::{Selection, compose};
use crate::recording::{About, Closing, Redactor, Vault, Writer};
use crate::rules::Rules;
use crate::rules::selection::Selector;

/// A recording that was made, and where its secrets are.
pub(super) struct Recorded {
    folder: tempfile::TempDir,
    /// What the rules were not able to do.
    pub(super) errors: String,
}

impl Recorded {
    pub(super) fn dir(&self) -> PathBuf {
        self.folder.path().join("recording")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Records traffic under rules.
    pub(super) fn make(traffic: &str, rules: &dyn Rules) -> Recorded {
        let folder = tempfile::tempdir().unwrap();
        let mut made = Recorded { folder, errors: String::new() };
        let vault = Vault::of_recording(&made.dir(), &made.state()).unwrap();
        let mut selector = Selector::new(rules, Redactor::new(vault));
        let about = About { clock: "real".into(), ..About::default() };
        let mut writer = Writer::create(&made.dir(), about).unwrap();
        compose(collected(traffic), 0, &|_| "app".into(), &mut selector, &mut writer).unwrap();
        let secrets = selector.secrets().unwrap();
        made.errors = selector.errors().iter().map(|error| format!("warning: {error}\n")).collect();
        writer.finish(Closing { secrets, ..Closing::default() }).unwrap();
        made
    }

    /// The tests and mocks as they are written, and which of the values to be hidden can be
    /// found in the recording.
    pub(super) fn text(&self, hidden: &[&str]) -> String {
        let mut files = BTreeMap::new();
        read(&self.dir(), &mut files);
        let mut text = String::new();
        for (name, content) in &files {
            if name.starts_with("tests") || name.starts_with("mocks") {
                let _ = write!(text, "{name}:\n{}", content.trim_end_matches("...\n"));
            }
        }
        for value in hidden {
            let found = files.iter().find(|(_, content)| content.contains(value));
            let _ = match found {
                Some((name, _)) => writeln!(text, "{value} is in {name}"),
                None => writeln!(text, "{value} is nowhere in the recording"),
            };
        }
        if let Ok(secrets) = fs::read_dir(self.state().join("secrets")) {
            for secret in secrets.flatten() {
                let mode = secret.metadata().unwrap().permissions().mode() & 0o777;
                let _ = writeln!(text, "a file of secrets beside it, mode {mode:o}");
            }
        }
        text
    }
}

fn read(folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => read(&path, files),
            path => {
                let folder = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                files.insert(
                    format!("{folder}/{name}"),
                    String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
                );
            }
        }
    }
}

/// Replaces each token that is an HMAC, which differs from run to run, by its number.
pub(super) fn macs_by_number(text: &str) -> String {
    let mut seen: Vec<&str> = Vec::new();
    let mut out = String::new();
    for (index, part) in text.split("{{secret:").enumerate() {
        let token = part.split("}}").next().and_then(|inner| inner.split_once(':')).map_or("", |(_, token)| token);
        if index > 0 {
            out.push_str("{{secret:");
        }
        if index > 0 && token.len() == 16 {
            let number = seen.iter().position(|known| *known == token).unwrap_or_else(|| {
                seen.push(token);
                seen.len() - 1
            });
            out += &part.replacen(token, &format!("mac-{number}"), 1);
        } else {
            out += part;
        }
    }
    out
}

/// What a capture tells of traffic: lines as in a recording, where `with` opens a request while those before it are open.
fn collected(traffic: &str) -> Collected {
    let mut all: Vec<Captured> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut now_ns = 0;
    for line in traffic.lines().filter(|line| !line.is_empty()) {
        now_ns += 10;
        let (line, direction) = match (line.strip_prefix("  "), line) {
            (Some(call), _) => (Line::call(call), Direction::Out),
            (None, "between") => {
                end(&mut all, &mut open, now_ns);
                continue;
            }
            (None, line) => {
                let alone = line.strip_prefix("with ");
                if alone.is_none() {
                    end(&mut all, &mut open, now_ns);
                    now_ns += 10;
                }
                open.push(all.len());
                (Line::incoming(alone.unwrap_or(line)), Direction::In)
            }
        };
        all.push(captured(&line, direction, all.len() as u32 + 1, now_ns));
    }
    end(&mut all, &mut open, now_ns + 10);
    all.sort_by_key(|captured| began_ns(&captured.exchange));
    Collected { exchanges: all, ..Collected::default() }
}

/// Ends the open requests.
fn end(all: &mut [Captured], open: &mut Vec<usize>, now_ns: u64) {
    for index in open.drain(..) {
        if let Some(response) = &mut all[index].exchange.response {
            response.last_ns = now_ns;
        }
    }
}

fn captured(line: &Line, direction: Direction, number: u32, now_ns: u64) -> Captured {
    let exchange = line.exchange(direction);
    let timed = |message: Message| {
        let tag = Moment { time_ns: now_ns, task: Task { tgid: 1, tid: 1 } };
        Timed { message, first_ns: now_ns, last_ns: now_ns + 1, tag }
    };
    let client = ([127, 0, 0, 1], 40_000 + number as u16).into();
    Captured {
        conn: ConnId(number),
        ends: Ends { direction, server: line.server, client },
        exchange: Exchange {
            protocol: reel_protocols::by_name(&exchange.protocol).unwrap(),
            request: exchange.request.map(timed),
            interim: Vec::new(),
            response: exchange.response.map(timed),
            fault: None,
        },
        closed_by_server: false,
    }
}
