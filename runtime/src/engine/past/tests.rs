//! Scripts over messages of the past: what they print.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use reel_lang::check::Options;
use reel_lang::schema::Direction;

use super::*;
use crate::cli::Format;
use crate::engine::compile;
use crate::engine::environment::Machine;
use crate::engine::source::Source;
use crate::recording::testing::{exchange, resp};
use crate::recording::{About, Circumstance, Closing, Scope, Writer};

/// Output that a test reads back.
#[derive(Clone, Default)]
pub(crate) struct Shown(Arc<Mutex<Vec<u8>>>);

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a script prints over a source, or the codes of its faults.
pub(crate) fn over(
    source: &Source,
    script: &str,
    past: impl FnOnce(&Messages) -> Box<dyn Past>,
) -> Result<String, String> {
    let (sources, file) = SourceMap::single("test.rr", script);
    let (program, _) =
        compile::front(&sources, &[file], &Machine::default(), &Options::default()).map_err(|faults| codes(&faults))?;
    compile::source(&program, &source.facts()).map_err(|faults| codes(&faults))?;
    let native = compile::native_only(&program).map_err(|faults| codes(&faults))?;
    let messages = Messages::compile(&program, native).unwrap().unwrap();
    let shown = Shown::default();
    let out = Box::new(shown.clone());
    let to = crate::engine::run::Shown { out, errors: Box::new(io::stderr()), format: Format::Text };
    let mut past = past(&messages);
    let request = Request { sources: &sources, program, messages, shown: to };
    let outcome = Run::start(request, &mut *past).and_then(|mut run| run.go(&mut *past, &mut || false));
    let exit = outcome.map_err(|failure| failure.message)?;
    let text = String::from_utf8(shown.0.lock().unwrap().clone()).unwrap();
    Ok(if exit == Exit::Passed { text } else { format!("{text}exit {}\n", exit.code()) })
}

fn codes(faults: &compile::Faults) -> String {
    faults.0.iter().map(|fault| fault.code.to_string()).collect::<Vec<_>>().join(" ")
}

/// Two requests, the first of which ends last, and a call of its own.
fn write(dir: &Path, peer: Option<std::net::SocketAddr>) {
    let mut writer = Writer::create(dir, About::default()).unwrap();
    let at = |at_ms: u64, latency_ms: u64, tid: u32| Circumstance {
        at_ns: at_ms * 1_000_000,
        latency_ns: Some(latency_ms * 1_000_000),
        pid: 7,
        tid,
        comm: format!("worker{tid}"),
        peer,
        connection: tid,
    };
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let get =
        |path: &str| exchange("http", Direction::In, 8080, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"), ok);
    let call = exchange("redis", Direction::Out, 6379, &resp("GET tea"), "$1\r\n7\r\n");
    writer.add_mock(Scope::Test, None, call, Vec::new(), at(1100, 300, 1)).unwrap();
    writer.add_test(get("/slow"), Vec::new(), Vec::new(), at(1000, 2500, 1)).unwrap();
    writer.add_test(get("/fast"), Vec::new(), Vec::new(), at(1200, 10, 2)).unwrap();
    writer.finish(Closing::default()).unwrap();
}

fn check(script: &str, expect: Result<&str, &str>) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("recording");
    write(&dir, Some(([127, 0, 0, 1], 40_000).into()));
    let source = Source::Recording(dir.clone());
    let shown = over(&source, script, |_| Box::new(Recorded::open(&dir).unwrap()));
    assert_eq!(shown.as_deref().map_err(String::as_str), expect, "{script}");
}

#[test]
fn exchanges_come_in_the_order_in_which_they_ended() {
    check(
        r#"http:exchange { printf("%s %s %s %s %d\n", path, latency, comm, direction, tid); }
           redis:exchange { printf("%s %s %s %s\n", command, key, reply, direction); }"#,
        Ok("/fast 10ms worker2 in 2\nGET tea 7 out\n/slow 2.5s worker1 in 1\n"),
    );
}

#[test]
fn time_is_the_messages_time() {
    check(
        r#"begin { printf("%d\n", elapsed); }
           interval:s:1 { @beats = count(); time("%H:%M:%S "); printf("%d\n", nsecs); }
           http:in:exchange { printf("%s at %s\n", path, strftime("%H:%M:%S", nsecs)); }
           end { printf("end %d\n", elapsed); }"#,
        Ok("0\n00:00:01 1000000000\n/fast at 00:00:01\n00:00:02 2000000000\n00:00:03 3000000000\n\
            /slow at 00:00:03\nend 3500000000\n\n@beats: 3\n\n"),
    );
}

#[test]
fn a_map_of_messages_is_printed_and_cleared_by_an_interval() {
    check(
        "http:exchange { @[path] = count(); } redis:exchange { @[command] = count(); } interval:s:2 { print(@); clear(@); }",
        Ok("@[/fast]: 1\n@[GET]: 1\n\n@[/slow]: 1\n\n"),
    );
}

#[test]
fn exit_ends_the_source() {
    check(r#"http:exchange { printf("%s\n", path); exit(3); }"#, Ok("/fast\nexit 3\n"));
}

#[test]
fn a_kernel_is_not_there_to_be_asked() {
    check("begin { print(pid); } http:request { @ = count(); }", Err("E0705"));
    check("interval:s:1 { @[comm] = count(); } end { print(str(0)); }", Err("E0705 E0705"));
    check("profile:hz:99 { @k = count(); }", Err("E0705"));
}

#[test]
fn what_a_recording_does_not_keep_is_refused() {
    check(
        "tcp:open { @ = count(); } tcp:in:data { @ = count(); } tcp:close { @ = count(); }",
        Err("E0706 E0706 E0706"),
    );
    check("http:error { @ = count(); }", Err("E0706"));
    check("http:exchange { print((duration, client_bytes, server_bytes, cgroup)); }", Err("E0706 E0706 E0706 E0706"));
}

#[test]
fn an_exchange_without_its_circumstance_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("recording");
    write(&dir, None);
    let failure = Recorded::open(&dir).err().unwrap();
    assert_eq!(failure.exit, Exit::Recording);
    assert!(failure.message.contains("timing.yaml does not say when, and with whom, test-0001"), "{failure}");
}
