//! The mock on real sockets of the loopback: answers, closes, and the way through to a real server.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use super::*;
use crate::mock::Book;
use crate::recording::Attribution;
use crate::recording::testing::{Maker, resp};
use crate::rules::testing::{HandRules, origin};
use crate::rules::{ActionId, Answer, Mocking, NoRules, Rules, View};

fn serve(maker: &Maker, to: Option<SocketAddr>) -> Server {
    let rules: Arc<dyn Rules> = Arc::new(NoRules);
    let book = Book::new(maker.calls(), rules.clone()).unwrap();
    Server::start(Mock::new(rules, book), Box::new(move |_| to)).unwrap()
}

#[test]
fn a_client_is_answered_over_both_families_and_the_driver_is_told() {
    let mut maker = Maker::default();
    let calls = [maker.redis("GET a", "$1\r\n1\r\n"), maker.redis("GET b", "$1\r\n2\r\n")];
    let test = maker.test(Attribution::Window, &[&calls[0], &calls[1]]);
    let server = serve(&maker, Some(([127, 0, 0, 1], 6379).into()));
    server.with(move |mock| mock.begin(test)).unwrap();
    assert!(server.addrs().iter().all(|addr| addr.port() == server.addrs()[0].port()));
    for (addr, words) in server.addrs().iter().cycle().zip(["GET a", "GET b"]) {
        let mut client = TcpStream::connect(addr).unwrap();
        client.write_all(resp(words).as_bytes()).unwrap();
        let mut reply = [0; 7];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(reply[..4], *b"$1\r\n");
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut reply).unwrap(), 0);
    }
    // Everything was made: the wait ends long before its limit.
    let began = Instant::now();
    server.settle(Duration::from_secs(60)).unwrap();
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(server.with(Mock::end).unwrap().is_clean());
}

#[test]
fn passthrough_reaches_the_real_server_and_brings_back_its_answer() {
    let real = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = real.local_addr().unwrap();
    let store = std::thread::spawn(move || {
        let (mut stream, _) = real.accept().unwrap();
        let mut request = vec![0; resp("GET a").len() + resp("GET b").len()];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(b"$4\r\nreal\r\n$-1\r\n").unwrap();
        request
    });
    let maker = Maker::default();
    let pass = |_: &View<'_>| Mocking {
        answer: Answer::Passthrough,
        decided: Some((ActionId(0), origin("passthrough"))),
        ..Mocking::default()
    };
    let rules: Arc<dyn Rules> = Arc::new(HandRules { mocking: Some(Box::new(pass)), ..HandRules::default() });
    let book = Book::new(maker.calls(), rules.clone()).unwrap();
    let server = Server::start(Mock::new(rules, book), Box::new(move |_| Some(addr))).unwrap();
    let mut client = TcpStream::connect(server.addrs()[0]).unwrap();
    client.write_all(resp("GET a").as_bytes()).unwrap();
    client.write_all(resp("GET b").as_bytes()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut reply = Vec::new();
    client.read_to_end(&mut reply).unwrap();
    assert_eq!(reply, b"$4\r\nreal\r\n$-1\r\n");
    assert_eq!(store.join().unwrap(), [resp("GET a"), resp("GET b")].concat().into_bytes());
    let effects = server.with(Mock::end).unwrap();
    assert!(effects.is_clean());
    let calls = |mock: &mut Mock| mock.ledger().usage.by_rule().map(|rule| rule.calls).collect::<Vec<_>>();
    assert_eq!(server.with(calls).unwrap(), [2]);
}

#[test]
fn waiting_for_calls_is_bounded() {
    let mut maker = Maker::default();
    let call = maker.redis("GET a", "$1\r\n1\r\n");
    let test = maker.test(Attribution::Window, &[&call]);
    let server = serve(&maker, None);
    server.with(move |mock| mock.begin(test)).unwrap();
    server.settle(Duration::from_millis(20)).unwrap();
    assert_eq!(server.with(Mock::end).unwrap().missing[0].mock, call);
    // Nobody redirected this connection: it is reset.
    let mut client = TcpStream::connect(server.addrs()[0]).unwrap();
    let _ = client.write_all(b"x");
    assert!(matches!(client.read(&mut [0; 1]), Err(_) | Ok(0)));
}

#[test]
fn a_large_answer_arrives_whole() {
    let mut maker = Maker::default();
    let big = "x".repeat(4 << 20);
    let call = maker.redis("GET a", &format!("${}\r\n{big}\r\n", big.len()));
    let test = maker.test(Attribution::Window, &[&call]);
    let server = serve(&maker, Some(([127, 0, 0, 1], 6379).into()));
    server.with(move |mock| mock.begin(test)).unwrap();
    let mut client = TcpStream::connect(server.addrs()[0]).unwrap();
    client.write_all(resp("GET a").as_bytes()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut reply = Vec::new();
    client.read_to_end(&mut reply).unwrap();
    assert_eq!(reply.len(), big.len() + 12);
}
