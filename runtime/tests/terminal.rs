//! What a script prints on a terminal.
#![allow(clippy::unwrap_used, clippy::panic)]

mod pty;

use reel_probes::doctor::Capability;

use pty::{PLAIN, Terminal};

const REEL: &str = env!("CARGO_BIN_EXE_reel");

const SCRIPT: &str =
    "interval:ms:5 { @n[\"a key that is much too long for a terminal of sixty columns\"] = count(); print(@n); }";

#[test]
fn a_map_in_an_interval_is_drawn_in_place_and_fits() {
    if !Capability::RawTracepoint.needs() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(&["-e", SCRIPT], state.path(), PLAIN);
    terminal.wait_for("Attached 1 probe");
    terminal.wait_for("@n[a key that is much too long for a terminal of sixty …]: 1\r\n");
    for count in 2..5 {
        terminal.wait_for(&format!(
            "\x1b[1A\r\x1b[J@n[a key that is much too long for a terminal of sixty …]: {count}\r\n"
        ));
    }
    terminal.press("\x03");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_pipe_gets_every_line_whole() {
    if !Capability::RawTracepoint.needs() {
        return;
    }
    let script = SCRIPT.replace(
        "print(@n);",
        "print(@n); if (@n[\"a key that is much too long for a terminal of sixty columns\"] > 2) { exit(); }",
    );
    let output = std::process::Command::new(REEL).args(["-q", "-e", &script]).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(!out.contains('\x1b'), "{out:?}");
    assert!(out.starts_with("@n[a key that is much too long for a terminal of sixty columns]: "), "{out}");
}
