//! A rejection by the kernel's verifier, shown on the script.
//!
//! The verifier's log names the slot that it looked at last (`12: (79) r1 = *(u64 *)(r0 +0)`), and every slot knows its
//! span. Its own words follow as notes, since they name registers that no script has; what is known about the common ones
//! becomes a hint. For a program that comes
//! with reel, [`diagnose_own`] says that no script is to blame.

use reel_lang::diagnostic::{Diagnostic, code};
use reel_lang::span::Span;

use super::Object;

/// Words of the verifier, and what a script's author can do.
const HINTS: &[(&str, &str)] = &[
    ("too large", "Make the clause shorter, or split it in two."),
    ("too many", "Make the clause shorter, or split it in two."),
    ("infinite loop", "Bound the loop by a constant."),
    ("back-edge", "This kernel takes no loops: unroll it."),
    ("unknown func", "This kernel has no such helper: run `reel doctor`."),
    ("cannot use helper", "This kind of probe cannot call it, or the kernel is locked down: run `reel doctor`."),
    ("invalid bpf_context access", "The probe has no such argument here."),
    ("invalid mem access", "Compare the pointer with 0 before reading through it."),
];

/// Finds the slot that the verifier looked at last.
pub fn rejected_slot(log: &str) -> Option<u32> {
    log.lines().rev().find_map(|line| {
        let (number, rest) = line.trim_start().split_once(": (")?;
        let is_insn = rest.get(2..3) == Some(")");
        number.parse().ok().filter(|_| is_insn)
    })
}

/// Returns the verifier's own reason: the last line that is none of its bookkeeping.
pub fn reason(log: &str) -> Option<&str> {
    let mut lines = log.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.rfind(|line| {
        let is_statistics = ["processed ", "verification time", "stack depth", "peak_states"]
            .iter()
            .any(|start| line.starts_with(start));
        let is_step = line.starts_with(';')
            || line.split_once(':').is_some_and(|(number, _)| number.bytes().all(|b| b.is_ascii_digit()));
        !is_statistics && !is_step
    })
}

/// Makes a diagnostic of a verifier's log; `program` is the program's name in the object.
pub fn diagnose(object: &Object, program: &str, log: &str) -> Diagnostic {
    let code = object.programs.iter().find(|p| p.name == program);
    let slot = rejected_slot(log);
    let span = slot.zip(code).and_then(|(slot, code)| code.spans.get(slot as usize)).copied();
    let reason = reason(log).unwrap_or("it gave no reason");
    let mut diagnostic =
        Diagnostic::new(code::VERIFIER, span.unwrap_or_default(), "the kernel's verifier refuses this program")
            .note(format!("The verifier says: {reason}."));
    if span.is_some_and(|span| span != Span::default()) {
        diagnostic = diagnostic.label("refused here");
    }
    if let Some(slot) = slot {
        diagnostic = diagnostic.note(format!("It looked at slot {slot} of `{program}`."));
    }
    let hint = HINTS.iter().find(|(words, _)| reason.contains(words));
    match hint {
        Some((_, hint)) => diagnostic.hint(*hint),
        None => diagnostic,
    }
}

/// Makes a diagnostic for a program that comes with reel: the fault is ours, or this kernel's, and no script's.
pub fn diagnose_own(object: &Object, program: &str, log: &str) -> Diagnostic {
    let mut diagnostic = diagnose(object, program, log);
    diagnostic.message = format!("the kernel's verifier refuses `{program}`, which comes with reel");
    diagnostic.hint = Some("Run `reel doctor`, and report this with its output: no script is to blame.".to_owned());
    diagnostic
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "0: R1=ctx() R10=fp0\n0: (79) r6 = *(u64 *)(r1 +0)       ; R1=ctx() R6_w=scalar()\n\
        1: (bf) r1 = r6                       ; R1_w=scalar(id=1) R6_w=scalar(id=1)\n\
        from 1 to 2: R1=ctx()\n2: (79) r0 = *(u64 *)(r1 +8)\nR1 invalid mem access 'scalar'\n\
        processed 3 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n\n";

    #[test]
    fn the_last_instruction_and_the_reason_are_found() {
        assert_eq!(rejected_slot(LOG), Some(2));
        assert_eq!(reason(LOG), Some("R1 invalid mem access 'scalar'"));
        assert_eq!(rejected_slot("no log"), None);
        assert_eq!(reason(""), None);
    }
}
