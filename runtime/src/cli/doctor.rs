//! `reel doctor`: what this machine can do, and what is missing.
//!
//! Exit 3 where nothing can be recorded here; what is lacking beyond that is told and costs nothing.

use clap::Parser;
use comfy_table::{ContentArrangement, Table, presets};
use reel_probes::Unsupported;
use reel_probes::doctor::{Capability, Report};
use serde_json::json;

use super::{Format, Outcome, print};
use crate::clock;
use crate::exit::{Exit, Failure};

/// The width of the table, in columns.
const WIDTH: u16 = 110;

/// What a recording cannot do without, whatever the rung.
const NEEDS: [Capability; 3] = [Capability::Kernel, Capability::Privilege, Capability::Cgroup];

#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  reel doctor\n  reel doctor --format json | jq 'select(.ok == false)'")]
pub struct Args {
    /// A table for people, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    let (report, clock) = (Report::new(), clock::check());
    print(&match args.format {
        Format::Text => text(&report, &clock),
        Format::Json => json(&report, &clock),
    })?;
    verdict(&report)
}

/// The question that is not about eBPF.
const CLOCK: &str = "the clock of a replay";

fn text(report: &Report, clock: &Result<(), Unsupported>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(WIDTH).set_header(["", "what", "found", "what to do"]);
    for check in &report.checks {
        table.add_row([if check.ok { "ok" } else { "no" }, check.name, &check.detail, &check.remedy]);
    }
    match clock {
        Ok(()) => table.add_row(["ok", CLOCK, "works", ""]),
        Err(lacking) => table.add_row(["no", CLOCK, &lacking.why, &lacking.remedy]),
    };
    let mut out = format!("{}\n\n", table.trim_fmt());
    match &report.capture {
        Ok(choice) => {
            out += &format!("recording reads traffic through: {}\n", choice.rung);
            for (rung, why) in &choice.passed_over {
                out += &format!("  not through {rung}, for lack of {why}\n");
            }
        }
        Err(lacking) => out += &format!("recording cannot read traffic: {}\n  help: {}\n", lacking.why, lacking.remedy),
    }
    out
}

fn json(report: &Report, clock: &Result<(), Unsupported>) -> String {
    let checks = report
        .checks
        .iter()
        .map(|check| json!({"check": check.name, "ok": check.ok, "detail": check.detail, "remedy": check.remedy}));
    let clock = match clock {
        Ok(()) => json!({"check": CLOCK, "ok": true, "detail": "works", "remedy": ""}),
        Err(lacking) => json!({"check": CLOCK, "ok": false, "detail": lacking.why, "remedy": lacking.remedy}),
    };
    let capture = match &report.capture {
        Ok(choice) => {
            let passed_over =
                choice.passed_over.iter().map(|(rung, why)| json!({"rung": rung.to_string(), "why": why}));
            json!({"capture": choice.rung.to_string(), "ok": true, "passed_over": passed_over.collect::<Vec<_>>()})
        }
        Err(lacking) => json!({"capture": null, "ok": false, "detail": lacking.why, "remedy": lacking.remedy}),
    };
    checks.chain([clock, capture]).map(|line| format!("{line}\n")).collect()
}

/// Whether anything can be recorded here.
fn verdict(report: &Report) -> Outcome {
    let lacking = report.checks.iter().find(|check| !check.ok && NEEDS.contains(&check.capability));
    let failure = |why: String, remedy: &str| {
        Failure::new(Exit::Machine, format!("nothing can be recorded on this machine: {why}")).remedy(remedy)
    };
    match (lacking, &report.capture) {
        (Some(check), _) => Err(failure(format!("{}: {}", check.name, check.detail), &check.remedy)),
        (None, Err(lacking)) => Err(failure(lacking.why.clone(), &lacking.remedy)),
        (None, Ok(_)) => Ok(Exit::Passed),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use reel_probes::doctor::{Check, Choice, Rung};

    use super::*;

    fn report(lacking: Option<Capability>, capture: Result<Choice, Unsupported>) -> Report {
        let check = |capability: Capability| {
            let ok = Some(capability) != lacking;
            let (detail, remedy) = if ok { ("works", "") } else { ("EPERM", "run as root") };
            Check { capability, name: capability.name(), ok, detail: detail.into(), remedy: remedy.into() }
        };
        Report { checks: Capability::ALL.into_iter().map(check).collect(), capture }
    }

    fn first_rung() -> Result<Choice, Unsupported> {
        Ok(Choice { rung: Rung::TcpTracepoints, passed_over: Vec::new() })
    }

    #[test]
    fn what_is_lacking_stands_beside_what_to_do() {
        let text = text(&report(Some(Capability::Kprobe), first_rung()), &Ok(()));
        let row = text.lines().find(|line| line.contains(Capability::Kprobe.name())).unwrap();
        for part in ["no", "EPERM", "run as root"] {
            assert!(row.contains(part), "{part} is missing in: {row}");
        }
        assert!(text.ends_with("recording reads traffic through: TCP tracepoints\n"), "{text}");
    }

    #[test]
    fn a_clock_that_cannot_be_set_is_told_with_the_remedy() {
        let [what, why, remedy] = ["a clock", "no seccomp", "allow it"].map(str::to_owned);
        let clock = Err(Unsupported { what, why, remedy });
        let text = text(&report(None, first_rung()), &clock);
        let row = text.lines().find(|line| line.contains(CLOCK)).unwrap();
        assert!(["no", "no seccomp", "allow it"].iter().all(|part| row.contains(part)), "{row}");
        let lines = json(&report(None, first_rung()), &clock);
        assert!(
            lines.contains(r#"{"check":"the clock of a replay","ok":false,"detail":"no seccomp","remedy":"allow it"}"#)
        );
    }

    #[test]
    fn only_what_recording_needs_makes_it_fail() {
        assert_eq!(verdict(&report(Some(Capability::Kprobe), first_rung())), Ok(Exit::Passed));
        let failure = verdict(&report(Some(Capability::Privilege), first_rung())).unwrap_err();
        assert_eq!((failure.exit, failure.remedy.as_deref()), (Exit::Machine, Some("run as root")));
        let lacking = ["capturing network traffic", "no ring buffer", "use Linux 5.8"].map(str::to_owned);
        let [what, why, remedy] = lacking;
        let none = Err(Unsupported { what, why, remedy });
        let failure = verdict(&report(None, none)).unwrap_err();
        assert!(failure.message.contains("no ring buffer"), "{failure}");
    }

    #[test]
    fn json_has_a_line_for_each_check_one_for_the_clock_and_one_for_capture() {
        let lines = json(&report(Some(Capability::Kprobe), first_rung()), &Ok(()));
        let values: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(values.len(), Capability::ALL.len() + 2);
        let bad: Vec<_> = values.iter().filter(|value| value["ok"] == json!(false)).collect();
        assert_eq!(bad.len(), 1);
        assert_eq!(bad[0]["remedy"], json!("run as root"));
        assert_eq!(values.last().unwrap()["capture"], json!("TCP tracepoints"));
    }
}
