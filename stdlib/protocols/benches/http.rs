//! HTTP/1 decoding against bare `httparse` on the same bytes: `cargo bench -p reel-protocols`.
//!
//! The budget (DESIGN): a message of which no body and no header map is wanted is decoded at no less than half the throughput
//! of httparse, which parses heads and knows nothing of bodies. Each figure is the best of many short rounds, both sides in turn:
//! on a busy machine that is what the code can do.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::Instant;

use reel_lang::schema::{FieldId, Side};
use reel_protocols::http::slots::{request, response};
use reel_protocols::{Codec, Demand, Frame, Rest, by_name};

const ROUNDS: usize = 301;
const MESSAGES_PER_ROUND: usize = 500;

const BROWSER_REQUEST: &[u8] = b"GET /orders/1842?expand=items&page=2 HTTP/1.1\r\nHost: shop.example.com\r\nConnection: keep-alive\r\n\
    Cache-Control: max-age=0\r\nsec-ch-ua: \"Chromium\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\n\
    Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/124.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n\
    Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\n\
    Cookie: session=6fa459eaee8a3ca4894edb77e160355e; theme=dark\r\n\r\n";
const SERVICE_REQUEST: &[u8] = b"POST /pay HTTP/1.1\r\nHost: pay.internal:8080\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 49\r\n\
    Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n{\"id\":1842,\"amount\":10.50,\"tags\":[\"a\",\"b\",\"cdefg\"]}";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n\
    Content-Type: application/json\r\nContent-Length: 49\r\nConnection: keep-alive\r\nX-Request-Id: 6fa459eaee8a3ca4\r\n\r\n\
    {\"id\":1842,\"amount\":10.50,\"tags\":[\"a\",\"b\",\"cdefg\"]}";

fn main() {
    println!("{:<42} {:>9} {:>9} {:>7}", "MB/s", "httparse", "reel", "ratio");
    let line = [request::METHOD, request::PATH, response::STATUS];
    for (name, side, message) in [
        ("request of a browser", Side::Request, BROWSER_REQUEST),
        ("request of a service", Side::Request, SERVICE_REQUEST),
        ("response", Side::Response, RESPONSE),
    ] {
        compare(&format!("{name}, method and status"), side, message, wanted(&[request::METHOD, response::STATUS]));
        compare(&format!("{name}, method, path, status"), side, message, wanted(&line));
        compare(&format!("{name}, everything"), side, message, Demand::ALL);
    }
}

fn wanted(fields: &[FieldId]) -> Demand {
    Demand(fields.iter().fold(0, |mask, field| mask | 1 << field.0))
}

/// Measures both sides in turn and prints the best rounds, if the command line names this case or none.
fn compare(name: &str, side: Side, message: &[u8], demand: Demand) {
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    if filter.is_some_and(|filter| !name.contains(&filter)) {
        return;
    }
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(throughput(message.len(), || head_only(side, message)));
        let Some(protocol) = by_name("http") else { return };
        let mut codec = protocol.codec();
        ours.push(throughput(message.len(), || decode(&mut *codec, side, message, demand)));
    }
    let (bare, ours) = (best(bare), best(ours));
    println!("{name:<42} {bare:>9.0} {ours:>9.0} {:>7.2}", ours / bare);
}

/// Megabytes a second over one round.
fn throughput(len: usize, mut each: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..MESSAGES_PER_ROUND {
        each();
    }
    (len * MESSAGES_PER_ROUND) as f64 / start.elapsed().as_secs_f64() / 1e6
}

fn best(figures: Vec<f64>) -> f64 {
    figures.into_iter().fold(0.0, f64::max)
}

fn head_only(side: Side, message: &[u8]) {
    let mut headers = [const { MaybeUninit::uninit() }; 64];
    match side {
        Side::Request => {
            let mut parsed = httparse::Request::new(&mut []);
            let _ = black_box(parsed.parse_with_uninit_headers(black_box(message), &mut headers));
        }
        Side::Response => {
            let mut parsed = httparse::Response::new(&mut []);
            let config = httparse::ParserConfig::default();
            let _ = black_box(config.parse_response_with_uninit_headers(&mut parsed, black_box(message), &mut headers));
        }
    }
}

fn decode(codec: &mut dyn Codec, side: Side, message: &[u8], demand: Demand) {
    if let Ok(Frame::Message { message, len }) = codec.frame(side, black_box(message), Rest::Open, demand) {
        black_box((message, len));
    }
}
