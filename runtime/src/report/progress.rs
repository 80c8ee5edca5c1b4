//! How far a replay is: a bar on a terminal, nothing in a pipe.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::replay::{TestOutcome, Watch};

/// A bar on standard error.
#[derive(Debug, Default)]
pub struct Bar {
    bar: Option<ProgressBar>,
    failed: usize,
}

impl Watch for Bar {
    fn begins(&mut self, tests: usize) {
        if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(tests as u64);
            // The template is fixed, so it is always valid.
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
                bar.set_style(style);
            }
            self.bar = Some(bar);
        }
    }

    fn done(&mut self, test: &TestOutcome) {
        self.failed += usize::from(!test.is_passed());
        if let Some(bar) = &self.bar {
            if self.failed > 0 {
                bar.set_message(format!("{} failed", self.failed));
            }
            bar.inc(1);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
