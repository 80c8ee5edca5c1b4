//! The lines of the language's section on rules, and which cases prove each.

use std::fmt::Write as _;

use reel_lang::check::actions;
use reel_lang::hir::Stage;

use super::{files, is_blessing, root};

/// Each line: the name that cases begin with, and what it says.
const LINES: &[(&str, &str)] = &[
    (
        "capture selection",
        "A pair of protocol and direction with clauses records the messages for which one holds; any other is recorded whole.",
    ),
    ("capture skip", "`skip`: not recorded, and the calls attributed to a skipped incoming exchange neither."),
    ("capture redact", "`redact(field)`: a named secret in its place, before anything reaches the disk."),
    ("redact equality", "The same secret has the same token, and keeps its equality in replay."),
    ("redact opaque", "Redacting an opaque stream is an error."),
    ("secret", "`--secret` supplies a value elsewhere; one that is missing is an error by name."),
    ("capture tag", "`tag(\"x\")` is written with the exchange."),
    ("capture sample", "`sample(n)`: one of so many incoming exchanges."),
    ("capture limit", "`limit(size)`: a message that it cut cannot be a mock's answer."),
    ("equal", "What no rule mentions must be equal."),
    ("match ignore", "`ignore(path)`: any value at the path, on either side."),
    ("match like", "`like(path, class)` wants both sides in the class and of one kind."),
    ("like equality", "`like` keeps equality: one value seen twice stays one value."),
    (
        "noise",
        "A class is pure and does nothing until `like` names it; redefining is an error, shadowing stdlib's warns.",
    ),
    ("match within", "`within(path, tolerance)`: absolute, or a percentage."),
    ("match unordered", "`unordered(path)`: a list in any order."),
    ("match optional", "`optional(path)`: may be absent on one side."),
    ("match require", "`require(expr, \"why\")` must hold, of what is replayed."),
    ("match direction", "A rule speaks of the direction and the side that it names."),
    ("requirements add up", "For one path requirements add up."),
    ("ignore gives way", "`ignore` gives way to requirements, with a warning."),
    ("path whole", "Paths are whole segments."),
    ("path index", "`items[0]` is one element."),
    ("path each", "`items[*]` is each element."),
    ("path deep", "Any depth only where `**` is written."),
    ("path unmatched", "A path that matched nothing in a run is reported."),
    ("defaults by name", "stdlib's default rules relax some values, and the report names each that did."),
    ("mock key", "`key(fields...)` chooses which recorded call answers."),
    ("changed effect", "The other request fields are compared; a difference is a changed effect."),
    ("default key", "By default the key is destination, operation and every request field."),
    ("recorded order", "Equal keys answer in recorded order."),
    ("once", "Each recorded call answers once."),
    (
        "mock respond",
        "`respond(...)` answers in place of the recording; the recorded calls for which it holds are consumed, and counted.",
    ),
    ("mock delay", "`delay(duration)`: the answer comes so much later."),
    ("mock abort", "`abort(reset\\|refused\\|timeout)`: no answer."),
    ("mock passthrough", "`passthrough`: the real dependency answers this call, and no other."),
    ("mock cycle", "`cycle`: the recorded answers in turn."),
    ("mock latest", "`latest`: the last recorded answer, each time."),
    ("first wins", "The first clause that holds wins; `check` warns of one that an earlier clause shadows."),
    ("pool handshakes", "stdlib lets the handshakes of connection pools repeat or be missing, and the report says so."),
    ("miss", "A miss answers with a protocol error, closes, and fails the test."),
    ("effects", "A missing, extra, repeated or changed call fails the test."),
    ("nearest", "The nearest recorded call is shown side by side, for display only."),
    ("response", "Another status, header or body, or no response, fails the test."),
    ("zero tests", "Zero tests are a failure of their own."),
    ("app", "An app that does not listen, or ends, is a failure of its own."),
    ("set", "A call of several candidates is made by one of them; what is left over fails the set."),
    ("start-up", "Calls of the start-up are made, each once."),
    ("background", "Calls between tests answer once in a test, and again or not at all while none is running."),
    ("alias", "`--alias`: matching is on the recorded destination, which another address may stand for."),
    ("connection", "Servers that refuse, speak first or were never recorded."),
];

/// What the README begins with.
const HEAD: &str = "# Rules, line by line\n\nWhich cases of this folder show what a line of the language allows, and which show that it is \
held: a planted negative, seen to fail. The cases are run by `runtime/src/rules/table`, which also writes this page (`BLESS=1`).\n\n\
| line | what it says | allows | seen to fail |\n|---|---|---|---|\n";

#[test]
fn every_action_and_every_line_has_both_signs() {
    let files = files();
    let count = |line: &str, is_positive: bool| -> Vec<String> {
        let mut found = Vec::new();
        for (name, file) in &files {
            let cases = file.cases.iter().filter(|case| case.line == line && case.is_positive == is_positive);
            match cases.count() {
                0 => {}
                n => found.push(format!("{name} {n}")),
            }
        }
        found
    };
    let mut page = HEAD.to_owned();
    let mut lacking = Vec::new();
    for (line, says) in LINES {
        let (allows, fails) = (count(line, true), count(line, false));
        if allows.is_empty() || fails.is_empty() {
            lacking.push(format!("{line}: {} positive, {} negative", allows.len(), fails.len()));
        }
        let _ = writeln!(page, "| {line} | {says} | {} | {} |", allows.join(", "), fails.join(", "));
    }
    for (stage, word) in [(Stage::Capture, "capture"), (Stage::Match, "match"), (Stage::Mock, "mock")] {
        for action in actions(stage) {
            let line = format!("{word} {action}");
            if LINES.iter().all(|(known, _)| *known != line) {
                lacking.push(format!("the action {line} has no line"));
            }
        }
    }
    for (name, file) in &files {
        for case in &file.cases {
            if LINES.iter().all(|(known, _)| *known != case.line) {
                lacking.push(format!("{name}: no line is called `{}`", case.line));
            }
        }
    }
    let path = root().join("README.md");
    if is_blessing() {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
    assert_eq!(std::fs::read_to_string(path).unwrap(), page, "BLESS=1 writes it");
}
