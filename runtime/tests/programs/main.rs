//! Random whole programs mean the same everywhere: what they print, and what their maps hold at the end.
//!
//! A program is text, so that the checker and the lowering are in the loop. [`make`] writes it: statements, loops, maps, aggregations,
//! strings, formats. One flavour runs in the evaluator, as native code and in the kernel, another one, over random messages, in the
//! first two. A program on which they differ is made smaller as long as they still do, and shown with its seed. `REEL_FUZZ_SEEDS=N` runs
//! more than the usual number, `REEL_FUZZ_SEED=S` one.
//!
//! The data files of `tests/programs` are programs that once differed; they run first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod interpret;
mod make;
mod run;
mod shrink;
mod suit;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use make::Flavour;
use run::{Engines, Outcome};

/// Seeds that a plain test run tries, of each flavour.
const SEEDS: u64 = 40;

fn engines() -> Engines {
    let engines = Engines::find();
    let must = std::env::var_os("REEL_TEST_KERNEL").is_some();
    assert!(engines.kernel || !must, "this kernel should load programs");
    if !engines.kernel {
        eprintln!("skipped the kernel: this process may not load eBPF programs");
    }
    engines
}

/// How many programs of a run went how far.
#[derive(Debug, Default)]
struct Tally {
    agreed: u64,
    interpreted: u64,
    /// Why rbpf did not run the others.
    not_interpreted: BTreeMap<String, u64>,
    refused: u64,
    too_large: u64,
}

impl Tally {
    fn check(&mut self, seed: u64, flavour: Flavour, engines: Engines) {
        let program = make::program(seed, flavour);
        match run::run(&program.to_string(), seed, engines) {
            Outcome::Agreed { interpreted } => {
                self.agreed += 1;
                self.interpreted += u64::from(interpreted.is_ok());
                if let Err(why) = interpreted {
                    *self.not_interpreted.entry(why).or_default() += 1;
                }
            }
            Outcome::Refused(why) => {
                if std::env::var_os("REEL_FUZZ_SEED").is_some() {
                    eprintln!("{program}\n{why}");
                }
                self.refused += 1;
            }
            Outcome::TooLarge => self.too_large += 1,
            Outcome::Differed(_) => {
                let differs = |text: &str| match run::run(text, seed, engines) {
                    Outcome::Differed(how) => Some(how),
                    _ => None,
                };
                let (small, how) = shrink::shrink(program, differs);
                panic!("seed {seed} of {flavour:?}:\n{small}\n{how}");
            }
        }
    }
}

fn check_all(flavour: Flavour) {
    let engines = engines();
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let mut tally = Tally::default();
    match number("REEL_FUZZ_SEED") {
        Some(seed) => tally.check(seed, flavour, engines),
        None => {
            let seeds = number("REEL_FUZZ_SEEDS").unwrap_or(SEEDS);
            (0..seeds).for_each(|seed| tally.check(seed, flavour, engines));
            // A generator whose programs are mostly refused finds nothing.
            assert!(tally.agreed >= seeds * 9 / 10, "{flavour:?}: {tally:?}");
            if flavour == Flavour::Both {
                assert!(tally.interpreted >= tally.agreed * 9 / 10, "rbpf ran few of them: {tally:?}");
            }
        }
    }
}

#[test]
fn programs_of_both_sides_mean_the_same_everywhere() {
    check_all(Flavour::Both);
}

#[test]
fn programs_over_messages_mean_the_same_natively() {
    check_all(Flavour::Messages);
}

#[test]
fn programs_that_once_differed_agree() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("// runs: programs"), "{}: no harness reads it", path.display());
        match run::run(&text, 1, engines()) {
            Outcome::Agreed { .. } => {}
            other => panic!("{}: {other:?}", path.display()),
        }
    }
}
