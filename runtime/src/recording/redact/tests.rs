//! Secrets leave a message before it reaches the disk, and equal secrets keep equal tokens.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
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
    let supplied = secrets::supply(&recording, &recording.chosen(None), &[], &state).unwrap();
    assert_eq!(supplied.len(), 3);
    let sent = wire(&recording, &supplied);
    for part in ["api_key=KEY-0123456789&x=1", "Bearer s3cret-token-value", "pw123"] {
        assert!(sent.contains(part), "{sent}");
    }
    // On another machine.
    let elsewhere = temp.path().join("elsewhere");
    let error = secrets::supply(&recording, &recording.chosen(None), &[], &elsewhere).unwrap_err();
    assert!(error.to_string().contains("--secret ") && error.exit() == Exit::Usage, "{error}");
    let wrong = [("autorization".to_owned(), b"x".to_vec())];
    let error = secrets::supply(&recording, &recording.chosen(None), &wrong, &elsewhere).unwrap_err();
    assert!(error.to_string().contains("it has authorization, body_password"), "{error}");
    let given = ["authorization", "body_password", "query_api_key"].map(|name| (name.to_owned(), b"given!".to_vec()));
    let supplied = secrets::supply(&recording, &recording.chosen(None), &given, &elsewhere).unwrap();
    assert!(wire(&recording, &supplied).contains("api_key=given!&x=1"));
}

/// Writes a recording of one request whose query is redacted, opens it without its index, and gives back what replay would
/// send; checks that the file has nothing of `gone`.
#[track_caller]
fn written_and_read(request: &str, gone: &str) -> String {
    let temp = tempfile::tempdir().unwrap();
    let (dir, state) = (temp.path().join("r"), temp.path().join("state"));
    let mut redactor = Redactor::new(Vault::of_recording(&dir, &state).unwrap());
    let protocol = reel_protocols::by_name("http").unwrap();
    let mut exchange = exchange("http", Direction::In, 80, request, "HTTP/1.1 204 No Content\r\n\r\n");
    let paths = [path(protocol.schema(), Side::Request, "query.pin")];
    redactor
        .redact(protocol, Direction::In, exchange.request.as_mut().unwrap(), &paths)
        .unwrap_or_else(|e| panic!("{request:?}: {e}"));
    let mut writer = Writer::create(&dir, About { clock: "real".into(), ..About::default() }).unwrap();
    writer.add_test(exchange, vec![], vec![], Circumstance::default()).unwrap();
    let secrets = redactor.finish().unwrap();
    writer.finish(Closing { secrets, ..Closing::default() }).unwrap();
    fs::remove_file(dir.join(".index")).unwrap();
    let recording = Recording::open(&dir).unwrap_or_else(|e| panic!("{request:?}: {e}"));
    let mut exchange = recording.test(&recording.tests()[0]).unwrap().exchange;
    let target = format!("{:?}", exchange.request.as_ref().unwrap());
    assert!(!target.contains(gone), "{gone} in {target}");
    secrets::fill(&mut exchange, &secrets::supply(&recording, &recording.chosen(None), &[], &state).unwrap());
    let bytes = crate::recording::wire_bytes(protocol, &exchange.request.unwrap()).unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_value_of_a_query_is_redacted_however_it_is_encoded() {
    for (query, gone) in [
        ("pin=plain-text&x=1", "plain"),
        ("x=1&pin=hi%20dden", "dden"),
        ("pin=hi+dden", "dden"),
        ("pin=hi%20dden&also=hi+dden", "dden"),
        ("pin=h%69dden&other=1", "dden"),
        ("pin=hi%2bdden&pin=hi%2Bdden&pin=other%21", "other"),
        ("pin=hi%3Ddden=more", "dden"),
        ("pin=%C3%A9t%c3%a9", "%C3"),
        ("pin=%ff%fe", "%ff"),
        ("p%69n=hi%20dden", "dden"),
        ("pin=%zzdden%2", "dden"),
        ("pin=1.1", "?pin=1"),
        ("pin=11&pin=1&pin=n1&pin=e", "pin=e"),
    ] {
        let request = format!("GET /a?{query} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(written_and_read(&request, gone), request);
    }
    // What else says the same is redacted with it.
    let request = "GET /?pin=hi%20dden HTTP/1.1\r\nHost: a\r\nX-Note: a hi dden here\r\n\r\n";
    assert_eq!(written_and_read(request, "dden"), request);
}

#[test]
fn what_cannot_be_found_takes_the_whole_message_but_the_words_of_the_protocol() {
    let mut redactor = redactor();
    let protocol = reel_protocols::by_name("http").unwrap();
    // The body is stored as a value, not as it was spaced.
    let body = "{\"name\":  \"s3cret\"}";
    let head = "POST /s3cret HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX: s3cret\r\nContent-Length";
    let request = format!("{head}: {}\r\n\r\n{body}", body.len());
    let mut message = exchange("http", Direction::In, 80, &request, "").request.unwrap();
    let paths = [path(protocol.schema(), Side::Request, "body_raw")];
    let reason = redactor.redact(protocol, Direction::In, &mut message, &paths).unwrap_err();
    assert!(reason.contains("`body_raw`"), "{reason}");
    assert!(!format!("{message:?}").contains("s3cret"));
    let wire = crate::recording::wire_bytes(protocol, &message).unwrap();
    assert!(wire.starts_with(b"POST {{secret:") && memchr::memmem::find(&wire, b" HTTP/1.1\r\n").is_some());
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
