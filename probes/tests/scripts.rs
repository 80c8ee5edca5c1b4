//! Scripts through the whole compiler into the running kernel: its verifier takes every program that the compiler emits.
#![allow(clippy::unwrap_used, clippy::panic)]

mod script;

use std::path::PathBuf;

use reel_compiler::bpf;
use reel_lang::diagnostic::Diagnostics;
use reel_lang::diagnostic::render::{self, Colour};
use reel_lang::env::ProbeKind;
use reel_probes::attach::Attach;
use reel_probes::load::{LoadError, Loaded};
use script::Script;

fn compile(name: &str, text: &str, positional: &[&str]) -> Script {
    script::compile(name, text, positional).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Has every program of a script verified, and shows what was refused as its author would see it.
fn verify(script: &Script) {
    let mut loaded = Loaded::new(&script.object.elf).unwrap();
    for (index, program) in script.lowered.programs.iter().enumerate() {
        let target = |i: usize| program.attach[0].point.target.get(i).cloned().unwrap_or_default();
        let at = match program.kind {
            ProbeKind::BtfTracepoint => Attach::BtfTracePoint { name: target(0) },
            // Where it would be attached does not matter to the verifier.
            _ => Attach::Cgroup { path: PathBuf::new() },
        };
        let name = format!("p{index}");
        match loaded.check(&name, &at) {
            Ok(()) => {}
            Err(LoadError::Rejected(rejection)) => {
                let mut all = Diagnostics::new();
                all.push(bpf::diagnose(&script.object, &name, &rejection.log));
                let shown = render::text_all(&all, &script.sources, Colour::Plain);
                let log: Vec<&str> = rejection.log.lines().rev().take(40).collect();
                let listing = bpf::disassemble(&script.object, Some(&script.sources));
                panic!("{listing}\n{}\n{shown}", log.into_iter().rev().collect::<Vec<_>>().join("\n"));
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn the_capture_program_is_verified() {
    verify(&compile("capture.rr", include_str!("../src/programs/capture.rr"), &["1", "524288"]));
}

#[test]
fn the_replay_programs_are_verified() {
    verify(&compile("redirect.rr", include_str!("../src/programs/redirect.rr"), &["1", "20480"]));
}
