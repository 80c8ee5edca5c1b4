//! Secrets leave a message before it reaches the disk, and equal secrets keep equal tokens.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use reel_lang::schema::{Direction, Side};

use super::*;
use crate::exit::Exit;
use crate::recording::testing::exchange;
use crate::recording::{About, Circumstance, Closing, Recording, Writer, secrets};
use crate::rules::testing::path;

const REQUEST: &str = "POST /login?api_key=KEY-0123456789&x=1 HTTP/1.1\r\nHost: a\r\nauthorization: Bearer s3cret-token-value\r\nX-Again: Bearer s3cret-token-value\r\nContent-Type: application/json\r\nContent-Length: 34\r\n\r\n{\"user\": \"u\", \"password\": \"pw123\"}";
const PATHS: [&str; 4] = ["header.Authorization", "header.X-Again", "query.api_key", "body.password"];

fn record(dir: &std::path::Path, state: &std::path::Path) -> String {
    let vault = Vault::of_recording(dir, state).unwrap();
    let mut redactor = Redactor::new(vault);
    let about = About { clock: "real".into(), ..About::default() };
    let mut writer = Writer::create(dir, about).unwrap();
    let protocol = reel_protocols::by_name("http").unwrap();
    let mut exchange = exchange("http", Direction::In, 8080, REQUEST, "HTTP/1.1 204 No Content\r\n\r\n");
    let paths = PATHS.map(|text| path(protocol.schema(), Side::Request, text));
    redactor.redact(protocol, Direction::In, exchange.request.as_mut().unwrap(), &paths).unwrap();
    writer.add_test(exchange, vec![], vec![], Circumstance::default()).unwrap();
    let secrets = redactor.finish().unwrap();
    writer.finish(Closing { secrets, ..Closing::default() }).unwrap();
    let head = fs::read_to_string(dir.join("recording.yaml")).unwrap();
    head + &fs::read_to_string(dir.join("tests/0001-post-login.yaml")).unwrap()
}

#[test]
fn values_never_reach_the_recording_and_equal_ones_stay_equal() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, state) = (temp.path().join("r"), temp.path().join("state"));
    let text = record(&dir, &state);
    for value in ["s3cret", "KEY-0123456789", "pw123"] {
        assert!(!text.contains(value), "{value} in\n{text}");
    }
    let token = |name: &str| text.split(&format!("{{{{secret:{name}:")).nth(1).unwrap().split("}}").next().unwrap();
    assert_eq!(text.matches(&format!("{{{{secret:authorization:{}}}}}", token("authorization"))).count(), 2);
    // A short value's token tells nothing about it.
    assert_eq!(token("body_password"), "n1");
    assert_eq!(token("query_api_key").len(), 16);
    // Recorded again, the same values have the same tokens.
    assert_eq!(record(&dir, &state), text);
    assert_ne!(record(&temp.path().join("other"), &state), text);
}

#[test]
fn replay_gets_the_values_back_here_and_asks_for_them_elsewhere() {
    let temp = tempfile::tempdir().unwrap();
    let (dir, state) = (temp.path().join("r"), temp.path().join("state"));
    record(&dir, &state);
    let vault = fs::read_dir(state.join("secrets")).unwrap().next().unwrap().unwrap();
    assert_eq!(vault.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let wire = |recording: &Recording, supplied: &[(String, Bytes)]| {
        let mut exchange = recording.test(&recording.tests()[0]).unwrap().exchange;
        secrets::fill(&mut exchange, supplied);
        let protocol = reel_protocols::by_name("http").unwrap();
        let bytes = crate::recording::wire_bytes(protocol, &exchange.request.unwrap()).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let recording = Recording::open(&dir).unwrap();
    let supplied = secrets::supply(&recording, &[], &state).unwrap();
    assert_eq!(supplied.len(), 3);
    let sent = wire(&recording, &supplied);
    for part in ["api_key=KEY-0123456789&x=1", "Bearer s3cret-token-value", "pw123"] {
        assert!(sent.contains(part), "{sent}");
    }
    // On another machine.
    let elsewhere = temp.path().join("elsewhere");
    let error = secrets::supply(&recording, &[], &elsewhere).unwrap_err();
    assert!(error.to_string().contains("--secret ") && error.exit() == Exit::Usage, "{error}");
    let wrong = [("autorization".to_owned(), b"x".to_vec())];
    let error = secrets::supply(&recording, &wrong, &elsewhere).unwrap_err();
    assert!(error.to_string().contains("it has authorization, body_password"), "{error}");
    let given = ["authorization", "body_password", "query_api_key"].map(|name| (name.to_owned(), b"given!".to_vec()));
    let supplied = secrets::supply(&recording, &given, &elsewhere).unwrap();
    assert!(wire(&recording, &supplied).contains("api_key=given!&x=1"));
}

#[test]
fn what_cannot_be_found_takes_the_whole_message() {
    let temp = tempfile::tempdir().unwrap();
    let mut redactor = Redactor::new(Vault::of_recording(&temp.path().join("r"), temp.path()).unwrap());
    let protocol = reel_protocols::by_name("http").unwrap();
    // Percent signs hide the value in the target.
    let request = "GET /?k=s%65cret HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut message = exchange("http", Direction::In, 80, request, "").request.unwrap();
    let paths = [path(protocol.schema(), Side::Request, "query.k")];
    let reason = redactor.redact(protocol, Direction::In, &mut message, &paths).unwrap_err();
    assert!(reason.contains("`query`"), "{reason}");
    assert!(!format!("{message:?}").contains("s%65cret"));
}

#[test]
fn a_message_that_is_redacted_whole_keeps_no_number_either() {
    for (body, gone) in [
        ("{\"card\": 4111111111111111}", "4111111111111111"),
        ("{\"a\": [{\"b\": 18446744073709551615}]}", "18446744073709551615"),
        ("{\"a\": 12.3456}", "12.3456"),
    ] {
        let mut redactor = redactor();
        let protocol = reel_protocols::by_name("http").unwrap();
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length";
        let request = format!("{head}: {}\r\n\r\n{body}", body.len());
        let mut message = exchange("http", Direction::In, 80, &request, "").request.unwrap();
        assert!(format!("{message:?}").contains(gone), "{body}");
        // No stored field has the payload as it was sent.
        let paths = [path(protocol.schema(), Side::Request, "body_raw")];
        redactor.redact(protocol, Direction::In, &mut message, &paths).unwrap_err();
        assert!(!format!("{message:?}").contains(gone), "{message:?}");
    }
}

fn redactor() -> Redactor {
    let temp = tempfile::tempdir().unwrap();
    Redactor::new(Vault::of_recording(&temp.path().join("r"), temp.path()).unwrap())
}
