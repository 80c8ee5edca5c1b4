//! Requests without a response: a replay holds the service to the recorded end, and to nothing that was not recorded.

use reel_tests::process::{free_port, root};

use super::support::{Ran, folder, has, reel};

const SERVICE: &str = "tests/apps/silent/app.py";

/// A client of the service that asks for a page and, where it waits, takes what comes until the end.
fn client(port: u16, page: &str, waits: bool) -> String {
    let end = if waits { "while c.recv(99): pass" } else { "" };
    format!(
        "python3 -c 'import socket\nc = socket.create_connection((\"127.0.0.1\", {port}))\nc.sendall(b\"GET {page} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\")\n{end}'"
    )
}

#[test]
fn a_request_without_a_response_fails_where_its_end_differs() {
    if !has("python3") {
        return;
    }
    for (page, waits, cases) in [
        (
            "/gone",
            true,
            &[
                ("close", 0, "1 passed, 0 failed"),
                ("late", 1, "the app answered 200; recorded was an end of the connection without a response"),
                ("hang", 1, "the connection is still open; recorded was an end of the connection"),
            ][..],
        ),
        ("/open", false, &[("close", 1, "the recording has no response to this request")][..]),
    ] {
        let (folder, port) = (folder(), free_port().unwrap());
        let dir = folder.path().join("recording");
        let service = |command: &mut std::process::Command, gone: &str| {
            command.arg("--").arg("python3").arg(root().join(SERVICE));
            Ran::of(command.env("PORT", port.to_string()).env("GONE", gone))
        };
        let mut record = reel(["record", "--drive", &client(port, page, waits), "-o"]);
        service(record.arg(&dir), "close").exits(0);
        for (gone, code, text) in cases {
            let mut replay = reel(["replay"]);
            service(replay.arg(&dir), gone).exits(*code).prints(text);
        }
    }
}
