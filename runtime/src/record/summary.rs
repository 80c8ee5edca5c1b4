//! The last words of a recording: what is in it, and what is missing, by name.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use reel_lang::schema::Direction;

use super::collector::Collected;
use super::compose::Written;
use crate::capture::connections::Totals;
use crate::capture::left_out::LeftOut;
use crate::recording::Losses;

/// What a recording amounts to.
#[derive(Debug)]
pub struct Summary {
    totals: Totals,
    /// What the kernel kept to itself.
    left_out: LeftOut,
    /// Calls by protocol.
    calls: BTreeMap<String, usize>,
    encrypted: Vec<SocketAddr>,
    faults: Vec<String>,
}

/// How many faults are named before the rest is counted.
const MAX_FAULTS: usize = 5;

impl Summary {
    /// Looks at what was collected.
    pub fn of(collected: &Collected, totals: Totals, left_out: LeftOut) -> Summary {
        let mut calls = BTreeMap::new();
        let mut faults = Vec::new();
        for captured in &collected.exchanges {
            let protocol = &captured.exchange.protocol.schema().protocol;
            if captured.ends.direction == Direction::Out {
                *calls.entry(protocol.clone()).or_default() += 1;
            }
            if let Some(fault) = &captured.exchange.fault {
                faults.push(format!("{protocol} with {}: {fault}", captured.ends.server));
            }
        }
        Summary { totals, left_out, calls, encrypted: collected.encrypted.clone(), faults }
    }

    /// Prints it, for people, to standard error.
    pub fn print(&self, output: &Path, written: &Written, losses: &Losses) {
        let mut err = anstream::stderr();
        let calls: Vec<String> = self.calls.iter().map(|(protocol, count)| format!("{protocol} {count}")).collect();
        let calls = if calls.is_empty() { String::new() } else { format!(" ({})", calls.join(", ")) };
        let _ = writeln!(
            err,
            "recorded {} tests and {} calls{calls} in {}",
            written.tests,
            written.mocks,
            output.display()
        );
        if written.skipped > 0 {
            let _ = writeln!(err, "  {} exchanges were left out by capture rules", written.skipped);
        }
        if let Some(told) = self.left_out.told("capture rule") {
            let _ = writeln!(err, "  {told}");
        }
        let t = &self.totals;
        let _ = writeln!(
            err,
            "  {} connections; {} bytes received and {} sent, by the kernel's counters {} and {}",
            t.connections, t.received_bytes, t.sent_bytes, t.kernel_received_bytes, t.kernel_sent_bytes
        );
        self.print_losses(&mut err, losses);
    }

    fn print_losses(&self, err: &mut impl Write, losses: &Losses) {
        if losses.is_none() {
            return;
        }
        let red = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
        let _ = writeln!(err, "{red}the recording is incomplete and cannot be replayed:{red:#}");
        for (name, count) in losses.named().into_iter().filter(|(_, count)| *count > 0) {
            let _ = writeln!(err, "  {}: {count}", name.replace('_', " "));
        }
        if losses.dropped_events > 0 {
            let _ = writeln!(
                err,
                "  help: what is dropped came faster than reel could take it; give it more room with --ring-mib, or leave connections out with a capture rule on their address or port"
            );
        }
        for server in &self.encrypted {
            let _ = writeln!(err, "  the connection to {server} speaks TLS, which this version cannot see into");
        }
        for fault in self.faults.iter().take(MAX_FAULTS) {
            let _ = writeln!(err, "  {fault}");
        }
        if self.faults.len() > MAX_FAULTS {
            let _ = writeln!(err, "  and {} more", self.faults.len() - MAX_FAULTS);
        }
    }
}
