//! The report as JUnit XML, for CI systems. No times: the same result gives the same file.

use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::style::Painter;
use super::text;
use crate::exit::Failure;
use crate::replay::{Reply, Run, TestOutcome};

/// Writes the XML of a run.
///
/// # Errors
/// What the XML writer says.
pub fn junit(run: &Run) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(run.dir.display().to_string());
    suite.add_property(("clock", run.clock.as_str()));
    for outcome in &run.tests {
        suite.add_test_case(case(outcome));
    }
    if !run.is_set_clean() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message("calls that belong to no single test are not as recorded");
        status.set_description(plain(|out| text::set(out, run)));
        suite.add_test_case(TestCase::new("the set as a whole", status));
    }
    if let Some(ended) = run.ended.as_ref().filter(|_| run.is_last_passed()) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(format!("stopped after the last test: {ended}"));
        suite.add_test_case(TestCase::new("the app", status));
    }
    let notes = plain(|out| text::rules(out, run));
    if !notes.is_empty() {
        suite.set_system_out(notes);
    }
    of(suite)
}

/// Writes the XML of a replay that came to nothing, so that no older file is taken for its result.
///
/// # Errors
/// What the XML writer says.
pub fn without_run(dir: &Path, failure: &Failure) -> Result<String, quick_junit::SerializeError> {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(failure.message.clone());
    let remedy = failure.remedy.as_ref().map_or_else(String::new, |remedy| format!("\nhelp: {remedy}"));
    status.set_description(format!("{failure}{remedy}"));
    let mut suite = TestSuite::new(dir.display().to_string());
    suite.add_test_case(TestCase::new("the replay", status));
    of(suite)
}

fn of(suite: TestSuite) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("reel replay");
    report.add_test_suite(suite);
    report.to_string()
}

fn case(outcome: &TestOutcome) -> TestCase {
    let status = match (&outcome.reply, outcome.is_passed()) {
        (_, true) => TestCaseStatus::success(),
        (Reply::NotRun(reason), _) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(format!("not run: {reason}"));
            status.set_description(plain(|out| text::failure(out, outcome)));
            status
        }
        _ => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let details = plain(|out| text::failure(out, outcome));
            let first = details.lines().nth(1).unwrap_or("failed").trim().to_owned();
            status.set_message(first);
            status.set_description(details);
            status
        }
    };
    let mut case = TestCase::new(format!("{} {}", outcome.id, outcome.title), status);
    case.set_classname(outcome.file.clone());
    case
}

fn plain(write: impl FnOnce(&mut Painter)) -> String {
    let mut out = Painter::default();
    write(&mut out);
    anstream::adapter::strip_str(&out.finish()).to_string()
}
