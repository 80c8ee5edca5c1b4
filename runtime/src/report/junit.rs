//! The report as JUnit XML, for CI systems. No times: the same result gives the same file.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::style::Painter;
use super::text;
use crate::replay::{Reply, Run, TestOutcome};

/// Writes the XML of a run.
///
/// # Errors
/// What the XML writer says.
pub fn junit(run: &Run) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(run.dir.display().to_string());
    for outcome in &run.tests {
        suite.add_test_case(case(outcome));
    }
    if !run.is_set_clean() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message("calls that belong to no single test are not as recorded");
        status.set_description(plain(|out| text::set(out, run)));
        suite.add_test_case(TestCase::new("the set as a whole", status));
    }
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
