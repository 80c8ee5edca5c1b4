//! A message that a predicate drops costs no allocation, from the decoded exchange to the answer.
//!
//! Its own binary, since it counts what the whole process allocates: the counts are the thread's, so that the harness does not disturb.
// A global allocator is unsafe by its trait; this one hands everything on to the system's.
#![allow(unsafe_code, clippy::unwrap_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use reel::capture::connections::{Ends, Moment};
use reel::engine::compile;
use reel::engine::environment::Machine;
use reel::engine::messages::Messages;
use reel::engine::occurrence::{Occurrence, SoFar, What};
use reel_lang::check::Options;
use reel_lang::schema::{Direction, Side};
use reel_lang::span::SourceMap;
use reel_probes::event::Task;
use reel_protocols::conversation::{Exchange, Timed};
use reel_protocols::{Demand, Frame, Rest, by_name};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's pointer, which `alloc` gave.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations something takes.
fn allocations(run: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    run();
    ALLOCATIONS.with(Cell::get) - before
}

const REQUEST: &[u8] =
    b"GET /orders/1234/items?page=2 HTTP/1.1\r\nHost: shop.test\r\nX-Id: 7\r\nContent-Length: 11\r\n\r\n{\"count\":3}";
const RESPONSE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";

fn heard() -> Occurrence {
    let protocol = by_name("http").unwrap();
    let mut codec = protocol.codec();
    let moment = Moment { time_ns: 5, task: Task { tgid: 1, tid: 2 } };
    let mut timed = |side: Side, bytes: &[u8]| match codec.frame(side, bytes, Rest::Open, Demand::ALL).unwrap() {
        Frame::Message { message, .. } => {
            codec.pair(&message);
            Some(Timed { message, first_ns: 5, last_ns: 9, tag: moment })
        }
        other => panic!("not a message: {other:?}"),
    };
    let (request, response) = (timed(Side::Request, REQUEST), timed(Side::Response, RESPONSE));
    let exchange = Exchange { protocol, request, interim: Vec::new(), response, fault: None };
    let ends =
        Ends { direction: Direction::Out, server: ([10, 0, 0, 1], 80).into(), client: ([10, 0, 0, 2], 40_000).into() };
    let so_far = SoFar { opened_ns: Some(1), sent_bytes: Some([100, 50]) };
    Occurrence { ends, so_far, comm: "worker".to_owned(), cgroup: None, what: What::Exchange(exchange) }
}

/// What the second message of this kind takes: the first one may grow what is kept.
fn second(script: &str) -> u64 {
    let (sources, file) = SourceMap::single("test.rr", script);
    let front = compile::front(&sources, &[file], &Machine::default(), &Options::default());
    let (program, _) = front.unwrap_or_else(|faults| panic!("{script}: {:?}", faults.0));
    let native = compile::native_only(&program).unwrap_or_else(|faults| panic!("{script}: {:?}", faults.0));
    let mut messages = Messages::compile(&program, native).unwrap().unwrap();
    let heard = heard();
    messages.hear(&heard);
    allocations(|| messages.hear(&heard))
}

#[test]
fn a_message_that_is_dropped_costs_no_allocation() {
    for predicate in [
        r#"method == "POST""#,
        r#"method == "GET" && status >= 500 && path =~ glob("/carts/**")"#,
        r#"status == 503 && path =~ "^/orders/[0-9]+/" && latency > 1s"#,
        r#"header["x-id"] == "8""#,
        r#"query["page"] == "3" || int(query["page"]) > 2"#,
        "body.count > 3",
        r#"comm == "other" || pid == 9 || addr == "10.0.0.9" || direction == "in""#,
        "len(path) < 4",
    ] {
        let script = format!(
            "http:exchange /{predicate}/ {{ @[path] = count(); }} http:request /{predicate}/ {{ @n = count(); }}"
        );
        // A request knows no response.
        let script = if predicate.contains("status") || predicate.contains("latency") {
            format!("http:exchange /{predicate}/ {{ @[path] = count(); }}")
        } else {
            script
        };
        assert_eq!(second(&script), 0, "{predicate}");
    }
}

#[test]
fn a_message_that_is_taken_is_counted_here_too() {
    assert!(second(r#"http:exchange /method == "GET"/ { @[path] = count(); }"#) > 0, "nothing is counted");
}
