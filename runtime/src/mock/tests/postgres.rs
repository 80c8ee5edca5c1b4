//! PostgreSQL's server, played from recorded calls: however a client puts them.

use super::*;
use crate::recording::Circumstance;

const PORT: u16 = 5432;

/// A message of a client: its type, if it has one, and its body.
fn packet(kind: &str, body: &str) -> Vec<u8> {
    let len = u32::try_from(body.len() + 4).unwrap();
    [kind.as_bytes(), &len.to_be_bytes(), body.as_bytes()].concat()
}

fn startup() -> Vec<u8> {
    packet("", "\0\u{3}\0\0user\0me\0database\0shop\0\0")
}

fn query(sql: &str) -> Vec<u8> {
    packet("Q", &format!("{sql}\0"))
}

/// Parse, Bind, Describe and Execute, with the rows wanted in this format.
fn extended(sql: &str, format: char) -> Vec<u8> {
    let bind = format!("\0\0\0\0\0\0\0\u{1}\0{format}");
    [packet("P", &format!("\0{sql}\0\0\0")), packet("B", &bind), packet("D", "P\0"), packet("E", "\0\0\0\0\0")].concat()
}

fn sync() -> Vec<u8> {
    packet("S", "")
}

/// A recorded call, as YAML would have it.
fn call(
    operation: &str,
    sql: Option<&str>,
    state: Option<&str>,
    response: &[(&str, Value)],
) -> crate::recording::Exchange {
    let protocol = reel_protocols::by_name("postgres").unwrap();
    let schema = protocol.schema();
    let message = |side, fields: &[(&str, Value)]| {
        let mut message = reel_protocols::Message::new(schema, side);
        for (name, value) in fields {
            message.put(schema.field(side, name).unwrap().id, value.clone());
        }
        protocol.derive(&mut message);
        message
    };
    let text = |text: Option<&str>| text.map_or(Value::Nil, Value::text);
    let request = [
        ("operation", Value::text(operation)),
        ("sql", text(sql)),
        ("state", text(state)),
        ("database", Value::text("shop")),
    ];
    crate::recording::Exchange {
        protocol: "postgres".to_owned(),
        direction: Direction::Out,
        destination: std::net::SocketAddr::from(([127, 0, 0, 1], PORT)).into(),
        request: Some(message(Side::Request, &request)),
        interim: Vec::new(),
        response: Some(message(Side::Response, response)),
        ending: None,
    }
}

/// The fields of a response.
type Response = Vec<(&'static str, Value)>;

/// What a SELECT of one number gives.
fn number(number: i64) -> Response {
    let pair = |name: &str, value: &str| (Value::text(name), Value::text(value));
    let column = Value::Map(vec![pair("name", "n"), pair("type", "int4")]);
    vec![
        ("tag", Value::text("SELECT 1")),
        ("columns", Value::List(vec![column])),
        ("rows", Value::List(vec![Value::List(vec![Value::Int(number)])])),
    ]
}

fn tag(tag: &str) -> Response {
    vec![("tag", Value::text(tag))]
}

/// Statements of one connection in order, each with the state that it is made in; the start-up goes before them.
fn recorded(attribution: Attribution, calls: &[(&str, &str, Response)]) -> (Maker, TestId) {
    let mut maker = Maker::default();
    maker.mock(Scope::Startup, None, call("startup", None, None, &[]));
    let ids: Vec<_> = calls
        .iter()
        .map(|(sql, state, response)| {
            let id = maker.mock(Scope::Test, None, call("query", Some(sql), Some(state), response));
            maker.timing.insert(id.to_string(), Circumstance { connection: 7, ..Circumstance::default() });
            id
        })
        .collect();
    let test = maker.test(attribution, &ids.iter().collect::<Vec<_>>());
    (maker, test)
}

/// Sends bytes on a connection and gives what comes back.
fn send(mock: &mut Mock, conn: u64, bytes: &[u8]) -> String {
    let mut said = String::new();
    for command in mock.handle(0, ConnId(conn), Event::Bytes(bytes)) {
        match command {
            Command::Send(bytes) => said.push_str(&bytes.escape_ascii().to_string()),
            Command::Close => said.push_str(" close"),
            other => panic!("{other:?}"),
        }
    }
    said
}

/// A mock whose test has begun, and its first connection, which is let in.
fn begun(maker: &Maker, test: TestId) -> Mock {
    let latest = |view: &View<'_>| {
        let operation = view.schema().field(Side::Request, "operation").unwrap().id;
        let is_free = |request: &reel_protocols::Message| {
            matches!(request.field(operation).as_bytes(), Some(b"startup" | b"prepare"))
        };
        let reuse = if view.request.is_some_and(is_free) { Reuse::Latest } else { Reuse::Once };
        Mocking { reuse, ..Mocking::default() }
    };
    let mut mock = mock_of(maker, HandRules { mocking: Some(Box::new(latest)), ..HandRules::default() });
    mock.begin(test);
    connect(&mut mock, 1);
    mock
}

fn connect(mock: &mut Mock, conn: u64) {
    assert!(mock.handle(0, ConnId(conn), Event::Opened(([127, 0, 0, 1], PORT).into())).is_empty());
    // Encryption is declined; nobody is asked for a password.
    assert_eq!(send(mock, conn, b"\0\0\0\x08\x04\xd2\x16/"), "N");
    let said = send(mock, conn, &startup());
    assert!(
        said.starts_with("R\\x00\\x00\\x00\\x08\\x00\\x00\\x00\\x00") && said.ends_with("Z\\x00\\x00\\x00\\x05I"),
        "{said}"
    );
}

fn disorder(effects: &Effects) -> String {
    let lines = effects.disordered.iter().map(|one| format!("{} after {}\n", one.mock, one.overtook));
    lines.collect()
}

#[test]
fn a_call_is_the_same_however_it_is_sent() {
    let row = "D\\x00\\x00\\x00\\x0b\\x00\\x01\\x00\\x00\\x00\\x015";
    let binary = "D\\x00\\x00\\x00\\x0e\\x00\\x01\\x00\\x00\\x00\\x04\\x00\\x00\\x00\\x05";
    for (bytes, first, expect) in [
        (query("SELECT 5"), "T", row),
        ([extended("SELECT 5", '\0'), sync()].concat(), "1\\x00\\x00\\x00\\x042\\x00\\x00\\x00\\x04T", row),
        ([extended("SELECT 5", '\u{1}'), sync()].concat(), "1\\x00\\x00\\x00\\x042\\x00\\x00\\x00\\x04T", binary),
    ] {
        let (maker, test) = recorded(Attribution::Window, &[("SELECT 5", "idle", number(5))]);
        let mut mock = begun(&maker, test);
        let said = send(&mut mock, 1, &bytes);
        assert!(said.starts_with(first) && said.contains(expect), "{said}");
        assert!(said.ends_with("C\\x00\\x00\\x00\\rSELECT 1\\x00Z\\x00\\x00\\x00\\x05I"), "{said}");
        // Byte by byte it is the same.
        let mut mock = begun(&maker, test);
        let by_byte: String = bytes.iter().map(|byte| send(&mut mock, 1, &[*byte])).collect();
        assert_eq!(by_byte, said);
        assert!(mock.end().is_clean());
    }
}

#[test]
fn what_was_run_can_be_prepared_and_what_was_never_run_cannot() {
    let (maker, test) = recorded(Attribution::Window, &[("SELECT 5", "idle", number(5))]);
    let mut mock = begun(&maker, test);
    let prepare = |sql: &str| [packet("P", &format!("s\0{sql}\0\0\0")), packet("D", "Ss\0"), sync()].concat();
    let said = send(&mut mock, 1, &prepare("SELECT 5"));
    assert!(said.starts_with("1\\x00\\x00\\x00\\x04t\\x00\\x00\\x00\\x06\\x00\\x00T"), "{said}");
    let run = [packet("B", "\0s\0\0\0\0\0\0\0"), packet("E", "\0\0\0\0\0"), sync()].concat();
    let said = send(&mut mock, 1, &run);
    assert!(said.starts_with("2\\x00\\x00\\x00\\x04D"), "{said}");
    let said = send(&mut mock, 1, &prepare("SELECT 6"));
    assert!(said.contains("SFATAL") && said.contains("prepare SELECT 6") && said.ends_with(" close"), "{said}");
    assert_eq!(verdict(mock.end()), "extra prepare SELECT 6");
}

/// A driver that prepares under numbered names and gives them up in SQL (PDO).
#[test]
fn a_statement_that_the_driver_named_is_given_up_under_any_name() {
    let (maker, test) = recorded(Attribution::Window, &[("SELECT 5", "idle", number(5))]);
    let mut mock = begun(&maker, test);
    let run = [
        packet("P", "stmt_8\0SELECT 5\0\0\0"),
        packet("B", "\0stmt_8\0\0\0\0\0\0\0"),
        packet("E", "\0\0\0\0\0"),
        sync(),
    ];
    assert!(send(&mut mock, 1, &run.concat()).contains("SELECT 1"));
    let said = send(&mut mock, 1, &query("DEALLOCATE stmt_8"));
    assert_eq!(said, "C\\x00\\x00\\x00\\x0fDEALLOCATE\\x00Z\\x00\\x00\\x00\\x05I");
    assert!(mock.end().is_clean());
    // It is gone; and one that nobody prepared is a call as any other.
    let said = send(&mut mock, 1, &query("DEALLOCATE stmt_8"));
    assert!(said.contains("SFATAL"), "{said}");
}

/// A statement that is bound again without a question for its columns (JDBC).
#[test]
fn a_statement_keeps_its_columns() {
    let (maker, test) =
        recorded(Attribution::Window, &[("SELECT 5", "idle", number(5)), ("SELECT 5", "idle", number(6))]);
    let mut mock = begun(&maker, test);
    let bind =
        [packet("B", "\0s\0\0\0\0\0\0\u{1}\0\u{1}"), packet("D", "P\0"), packet("E", "\0\0\0\0\0"), sync()].concat();
    let first = [packet("P", "s\0SELECT 5\0\0\0"), bind].concat();
    assert!(send(&mut mock, 1, &first).contains("\\x04\\x00\\x00\\x00\\x05C"));
    let again = [packet("B", "\0s\0\0\0\0\0\0\u{1}\0\u{1}"), packet("E", "\0\0\0\0\0"), sync()].concat();
    assert!(send(&mut mock, 1, &again).contains("\\x04\\x00\\x00\\x00\\x06C"));
    // Whoever describes it alone is told what is known, and nothing is asked of the recording.
    let describe = [packet("B", "\0s\0\0\0\0\0\0\u{1}\0\u{1}"), packet("D", "P\0"), sync()].concat();
    assert!(send(&mut mock, 1, &describe).contains("T\\x00"));
    assert!(mock.end().is_clean());
}

#[test]
fn the_state_of_the_transaction_is_part_of_the_call() {
    let calls = [
        ("BEGIN", "idle", tag("BEGIN")),
        ("SELECT 5", "transaction", number(5)),
        ("COMMIT", "transaction", tag("COMMIT")),
    ];
    let (maker, test) = recorded(Attribution::Window, &calls);
    let mut mock = begun(&maker, test);
    for (sql, status) in [("BEGIN", 'T'), ("SELECT 5", 'T'), ("COMMIT", 'I')] {
        let said = send(&mut mock, 1, &query(sql));
        assert!(said.ends_with(&format!("\\x05{status}")), "{sql}: {said}");
    }
    assert!(mock.end().is_clean());
    let mut mock = begun(&maker, test);
    assert!(send(&mut mock, 1, &query("SELECT 5")).contains("SFATAL"));
    assert!(verdict(mock.end()).contains("changed postgres-0003 query SELECT 5 at state"));
}

/// A read, a write and the same read, in one transaction or one by one, on whichever connections, by a thread or not.
#[test]
fn a_read_after_a_write_is_answered_from_after_it() {
    let read = "SELECT amount FROM stock";
    let write = "UPDATE stock SET amount = 2";
    let calls = |state| [(read, state, number(1)), (write, state, tag("UPDATE 1")), (read, state, number(2))];
    let (one, two) = ("\\x00\\x00\\x00\\x011", "\\x00\\x00\\x00\\x012");
    for attribution in [Attribution::Thread, Attribution::Window] {
        // As recorded; then without the first read, which is missing and not answered in place of the second.
        let (maker, test) = recorded(attribution, &calls("idle"));
        let mut mock = begun(&maker, test);
        for (sql, expect) in [(read, one), (write, "UPDATE 1"), (read, two)] {
            assert!(send(&mut mock, 1, &query(sql)).contains(expect));
        }
        assert!(mock.end().is_clean());
        let is_certain = attribution == Attribution::Thread;
        let mut mock = begun(&maker, test);
        send(&mut mock, 1, &query(write));
        assert!(send(&mut mock, 1, &query(read)).contains(if is_certain { two } else { one }), "{attribution:?}");
        assert_eq!(verdict(mock.end()), if is_certain { "missing postgres-0002" } else { "missing postgres-0004" });
    }
    let mut begin = vec![("BEGIN", "idle", tag("BEGIN"))];
    begin.extend(calls("transaction"));
    let (maker, test) = recorded(Attribution::Window, &begin);
    let mut mock = begun(&maker, test);
    for sql in ["BEGIN", write] {
        send(&mut mock, 1, &query(sql));
    }
    assert!(send(&mut mock, 1, &query(read)).contains(two), "one transaction has an order, whoever asks");
}

#[test]
fn a_call_that_moved_across_a_write_is_told() {
    let (insert, update) = ("INSERT INTO a VALUES (1)", "UPDATE b SET n = 1");
    let calls = |state| [(insert, state, tag("INSERT 0 1")), (update, state, tag("UPDATE 1"))];
    for (attribution, state, expect) in [
        (Attribution::Thread, "idle", "postgres-0002 after postgres-0003\n"),
        // Statements of a transaction each, which two tasks may have made side by side.
        (Attribution::Window, "idle", ""),
    ] {
        let (maker, test) = recorded(attribution, &calls(state));
        let mut mock = begun(&maker, test);
        connect(&mut mock, 2);
        assert!(send(&mut mock, 2, &query(update)).contains("UPDATE 1"));
        assert!(send(&mut mock, 1, &query(insert)).contains("INSERT 0 1"));
        let effects = mock.end();
        assert_eq!(disorder(&effects), expect, "{attribution:?}");
        assert_eq!(effects.is_clean(), expect.is_empty());
    }
}

#[test]
fn nonsense_ends_the_connection() {
    let (maker, test) = recorded(Attribution::Window, &[("SELECT 5", "idle", number(5))]);
    let mut mock = begun(&maker, test);
    let said = send(&mut mock, 1, b"Q\x7f\xff\xff\xff");
    assert!(
        said.contains("SFATAL") && said.contains("a message `Q` of 2147483647 bytes") && said.ends_with(" close"),
        "{said}"
    );
    let mut mock = begun(&maker, test);
    assert!(send(&mut mock, 1, &packet("?", "")).contains("an unknown message `?`"));
}

#[test]
fn a_cancel_request_is_answered_by_closing() {
    let mut maker = Maker::default();
    let mut cancel = call("cancel", None, None, &[]);
    let database = reel_protocols::by_name("postgres").unwrap().schema().field(Side::Request, "database").unwrap().id;
    cancel.request.as_mut().unwrap().put(database, Value::Nil);
    cancel.response = None;
    let cancel = maker.mock(Scope::Test, None, cancel);
    let test = maker.test(Attribution::Window, &[&cancel]);
    let mut mock = mock_of(&maker, HandRules::default());
    mock.begin(test);
    assert!(mock.handle(0, ConnId(1), Event::Opened(([127, 0, 0, 1], PORT).into())).is_empty());
    // CancelRequest (section 55.7): its code, a process and a key.
    assert_eq!(send(&mut mock, 1, b"\0\0\0\x10\x04\xd2\x16.\0\0\0\x01\0\0\0\0"), " close");
    assert!(mock.end().is_clean());
}

#[test]
fn a_row_has_the_values_of_this_replay_in_either_format() {
    const A: &str = "6fa459ea-ee8a-3ca4-894e-db77e160355e";
    const B: &str = "0b54bb52-1d4e-4f7d-9c3f-0123456789ab";
    const B_BYTES: &[u8] = b"\x0b\x54\xbb\x52\x1d\x4e\x4f\x7d\x9c\x3f\x01\x23\x45\x67\x89\xab";
    let sql = |id: &str| format!("SELECT id FROM orders WHERE id = '{id}'");
    let pair = |name: &str, value: &str| (Value::text(name), Value::text(value));
    let columns = Value::List(vec![Value::Map(vec![pair("name", "id"), pair("type", "uuid")])]);
    let rows = Value::List(vec![Value::List(vec![Value::text(A)])]);
    let row = || vec![("tag", Value::text("SELECT 1")), ("columns", columns.clone()), ("rows", rows.clone())];
    for (bytes, expect) in [
        (query(&sql(B)), B.as_bytes()),
        ([extended(&sql(B), '\0'), sync()].concat(), B.as_bytes()),
        ([extended(&sql(B), '\u{1}'), sync()].concat(), B_BYTES),
    ] {
        let (maker, test) = recorded(Attribution::Window, &[(&sql(A), "idle", row())]);
        let mut mock = begun(&maker, test);
        mock.ledger().flowed(vec![(A.into(), B.into())]);
        let said = send(&mut mock, 1, &bytes);
        assert!(said.contains(&expect.escape_ascii().to_string()), "{said}");
        assert!(mock.end().is_clean());
    }
}
