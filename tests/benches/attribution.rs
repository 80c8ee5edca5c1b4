//! How many calls are attributed to the request that caused them, how many to another one, and how many stay open: for services that
//! tag each call with the truth, in several runtimes, under 1 to 64 clients.
//!
//! Arguments: the number of calls of each (10,000), and words that a service's name must contain. Thread and process scheduling is the machine's: the shares of
//! what is open depend on its load, what is wrong must not.
#![allow(clippy::print_stdout)]

use std::path::Path;

use anyhow::Result;
use reel_tests::attribution::{Service, measure};
use reel_tests::bench::print_machine;

const CLIENTS: [usize; 4] = [1, 4, 16, 64];
const MAX_WRONG_SHARE: f64 = 0.001;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let calls = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(10_000);
    let words: Vec<&String> = args.iter().filter(|arg| arg.parse::<usize>().is_err()).collect();
    print_machine();
    for service in Service::ALL.into_iter().filter(|service| words.iter().all(|word| service.name().contains(*word))) {
        for clients in CLIENTS {
            let tally = measure(Path::new(env!("CARGO_BIN_EXE_reel-e2e")), service, clients, calls)?;
            let is_missed = tally.share(tally.wrong) >= MAX_WRONG_SHARE
                || clients <= 16 && service.max_open_share().is_some_and(|max| tally.share(tally.open) > max);
            let mark = if is_missed { "   target missed" } else { "" };
            println!("{:<27} {clients:>2} clients {tally}{mark}", service.name());
        }
    }
    Ok(())
}
