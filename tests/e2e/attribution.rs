//! Whose a call is: services in several runtimes that tag each call with the truth. `benches/attribution.rs` measures the same for longer.

use std::path::Path;

use reel_tests::attribution::{Service, measure};

use super::support::{REEL, has};

/// What may be wrong does not depend on the machine's load; what may stay open does, and is only shown.
#[track_caller]
fn nothing_is_wrong(service: Service) {
    if !has(service.program()) {
        return;
    }
    let tally = measure(Path::new(REEL), service, 16, 500).unwrap();
    println!("{}: {tally}", service.name());
    assert_eq!(tally.wrong, 0, "{}: {tally}", service.name());
}

#[test]
fn java_threads_are_attributed() {
    nothing_is_wrong(Service::JavaThreads);
}

#[test]
fn python_threads_are_attributed() {
    nothing_is_wrong(Service::PythonThreads);
}

#[test]
fn requests_that_a_queue_hands_to_workers_are_attributed() {
    nothing_is_wrong(Service::PythonPool);
}

#[test]
fn asyncio_is_attributed() {
    nothing_is_wrong(Service::Asyncio);
}

#[test]
fn node_is_attributed() {
    nothing_is_wrong(Service::Node);
}

#[test]
fn goroutines_are_attributed() {
    nothing_is_wrong(Service::Go);
}

#[test]
fn calls_that_are_made_at_the_same_time_are_not_guessed() {
    nothing_is_wrong(Service::NodeBeside);
}

#[test]
fn calls_that_are_made_at_the_same_time_are_attributed_by_their_trace_ids() {
    nothing_is_wrong(Service::NodeTraced);
}

#[test]
fn calls_that_are_made_at_the_same_time_are_attributed_by_ids_that_only_one_request_knows() {
    nothing_is_wrong(Service::NodeMade);
}
