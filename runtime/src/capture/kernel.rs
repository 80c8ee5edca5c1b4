//! The kernel side of a capture: the capture program, compiled, loaded and read.

use std::path::Path;

use reel_compiler::{bpf, lower};
use reel_lang::check::Options;
use reel_lang::span::SourceMap;
use reel_lang::value::Value;
use reel_probes::cgroup::Cgroup;
use reel_probes::doctor::{Choice, Rung};
use reel_probes::event::Cookie;
use reel_probes::programs::{self, Transports, Whose};
use reel_probes::ringbuf::POLL_INTERVAL;

use crate::engine::compile::{self, Kernel};
use crate::engine::environment::Machine;
use crate::engine::session::Session;
use crate::exit::{Exit, Failure};

/// The name by which diagnostics call the program.
const NAME: &str = "capture.rr";

/// What a capture may use.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The size of the event ring: a power of two.
    pub ring_len_bytes: u32,
    /// Which connections are wanted, where clauses say so of whole connections.
    pub filters: reel_compiler::plan::Filters,
    /// The only way of reading to try; none tries the ladder.
    pub rung: Option<Rung>,
    /// Whose traffic.
    pub whose: Whose,
    /// What of it.
    pub transports: Transports,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            ring_len_bytes: 8 << 20,
            filters: Default::default(),
            rung: None,
            whose: Whose::App,
            transports: Transports::Tcp,
        }
    }
}

/// A capture at work.
pub struct Capture {
    session: Session,
    /// How traffic is read, and why not in a better way.
    pub choice: Choice,
}

/// Compiles the capture program of a rung for a cgroup.
///
/// # Errors
/// This kernel lacks what it needs.
pub fn compile(rung: Rung, cgroup_id: u64, settings: &Settings) -> Result<(Kernel, SourceMap), Failure> {
    // The reader is woken when a quarter of the ring waits; below that it polls.
    let parameters = vec![cgroup_id.to_string(), (settings.ring_len_bytes / 4).to_string()];
    let lower = compile::kernel_options();
    let bpf = bpf::Options { ring_len_bytes: settings.ring_len_bytes, ..bpf::Options::default() };
    let text = programs::capture_of(settings.whose, rung, &settings.filters, settings.transports);
    trusted(NAME, &text, parameters, &lower, &bpf)
}

/// Compiles a program that comes with reel.
///
/// # Errors
/// A fault in it is ours, or this kernel's limit: exit 3 either way.
pub fn trusted(
    name: &str,
    text: &str,
    positional: Vec<String>,
    lower: &lower::Options,
    bpf: &bpf::Options,
) -> Result<(Kernel, SourceMap), Failure> {
    let (sources, file) = SourceMap::single(name, text);
    let machine = Machine::default();
    let options = Options { positional, trusted: true, allow_unsafe: true, ..Options::default() };
    let ours = |faults: compile::Faults| {
        let failure = faults.failure(&sources);
        Failure { exit: Exit::Machine, ..failure }
            .remedy("run `reel doctor`: this kernel lacks something, or reel has a fault")
    };
    let (program, _) = compile::front(&sources, &[file], &machine, &options).map_err(ours)?;
    let kernel = compile::kernel(&program, &machine, lower, bpf).map_err(ours)?;
    Ok((kernel, sources))
}

impl Capture {
    /// Starts to capture what the sockets of a cgroup exchange, by the best rung that this kernel takes.
    ///
    /// # Errors
    /// What this machine cannot do, by name: the reason of the lowest rung.
    pub fn start(cgroup: &Cgroup, settings: &Settings) -> Result<Capture, Failure> {
        Self::by_ladder(settings, |rung| Self::start_on(rung, cgroup.id(), Some(cgroup.path()), settings))
    }

    /// Starts to capture what others exchange, as `settings` says whose.
    ///
    /// # Errors
    /// As for [`Capture::start`].
    pub fn watch(settings: &Settings) -> Result<Capture, Failure> {
        crate::app::privileged()?;
        Self::by_ladder(settings, |rung| Self::start_on(rung, 0, None, settings))
    }

    fn by_ladder(settings: &Settings, start: impl Fn(Rung) -> Result<Session, Failure>) -> Result<Capture, Failure> {
        let ladder = match &settings.rung {
            Some(rung) => std::slice::from_ref(rung),
            None => Rung::LADDER.as_slice(),
        };
        let mut passed_over = Vec::new();
        let mut last = Failure::new(Exit::Machine, "nothing can be captured on this machine");
        for &rung in ladder {
            match start(rung) {
                Ok(session) => return Ok(Capture { session, choice: Choice { rung, passed_over } }),
                Err(failure) => {
                    passed_over.push((rung, failure.message.clone()));
                    last = failure;
                }
            }
        }
        Err(last)
    }

    fn start_on(rung: Rung, cgroup_id: u64, path: Option<&Path>, settings: &Settings) -> Result<Session, Failure> {
        if let Some(check) = rung.lacking() {
            let why = format!("this kernel lacks {}: {}", check.name, check.detail);
            return Err(Failure::new(Exit::Machine, why).remedy(check.remedy));
        }
        let (kernel, sources) = compile(rung, cgroup_id, settings)?;
        let refused = |failure| Failure { exit: Exit::Machine, ..failure };
        Session::start(kernel, path, &sources).map_err(refused)
    }

    /// Hands every waiting record to `each`, in order.
    pub fn records(&mut self, each: impl FnMut(&[u8])) {
        self.session.records(each);
    }

    /// Waits until the ring fills, or for the interval at which it is polled.
    pub fn wait(&self) {
        if let Some(ring) = self.session.ring() {
            // A failing wait is a poll without rest: slower, never wrong.
            let _ = ring.wait(POLL_INTERVAL);
        }
    }

    /// Records that the ring had no room for: any makes a recording incomplete, and a count that cannot be read counts as many.
    pub fn lost_records(&self) -> u64 {
        self.session.map_named("dropped").map_or(u64::MAX, |entries| entries.iter().map(count).sum())
    }

    /// Leaves out connections that were open before: the program has judged only those that it saw open. Where its memory of them is
    /// full, they are handed over still.
    pub fn leave_out(&self, connections: &[Cookie]) {
        let Some(map) = self.session.kernel_map("unwanted").filter(|_| !connections.is_empty()) else { return };
        let mut yes = vec![0; map.value_len_bytes()];
        yes[..1].fill(1);
        for cookie in connections {
            let _ = map.update(&cookie.0.to_le_bytes(), &yes);
        }
    }

    /// Detaches the programs; what waits in the ring can still be drained.
    pub fn stop(&mut self) {
        self.session.detach();
    }
}

fn count(entry: &crate::output::map::Entry) -> u64 {
    match &entry.cell {
        crate::output::map::Cell::Agg(reel_compiler::aggregate::AggValue::Unsigned(n)) => *n,
        crate::output::map::Cell::Value(Value::Int(n)) => n.unsigned_abs(),
        _ => 0,
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_is_as_long_as_it_was_asked_for() {
        let settings = Settings { ring_len_bytes: 2 << 20, ..Settings::default() };
        let ring = compile(Rung::TcpTracepoints, 1, &settings).map(|(kernel, _)| {
            let ring = kernel.object.maps.iter().find(|map| map.name == reel_compiler::lower::EVENTS);
            ring.map(|map| map.max_entries)
        });
        // Where the program cannot be compiled, the next test tells why.
        assert!(matches!(ring, Ok(Some(2_097_152)) | Err(_)), "{ring:?}");
    }

    #[test]
    fn the_kernel_takes_the_capture_program_of_each_rung() {
        let Ok(cgroup) = Cgroup::create() else { return };
        for rung in Rung::LADDER {
            for transports in [Transports::Tcp, Transports::TcpAndUdp] {
                let settings = Settings { rung: Some(rung), transports, ..Settings::default() };
                let failed = Capture::start(&cgroup, &settings).err();
                assert!(failed.is_none() || rung.lacking().is_some(), "{rung} {transports:?}: {failed:?}");
            }
        }
        let _ = cgroup.remove();
    }

    #[test]
    fn the_kernel_takes_the_capture_program_of_everybody() {
        for rung in Rung::LADDER {
            for whose in [Whose::Below(1), Whose::Process(std::process::id()), Whose::AllBut(std::process::id())] {
                let transports = Transports::TcpAndUdp;
                let settings = Settings { rung: Some(rung), whose, transports, ..Settings::default() };
                let failed = Capture::watch(&settings).err();
                let lacks = rung.lacking().is_some() || crate::app::privileged().is_err();
                assert!(failed.is_none() || lacks, "{rung} {whose:?}: {failed:?}");
            }
        }
    }

    #[test]
    fn that_others_can_be_watched_costs_an_app_nothing() {
        let settings = Settings::default();
        for rung in Rung::LADDER {
            let Ok((program, _)) = compile(rung, 7, &settings) else { continue };
            let mut text = programs::capture(rung, &settings.filters, settings.transports);
            for (asked, plain) in [
                ("/ours(args.sk)/", "/socket_cgroup(args.sk) == $1/"),
                ("!ours($sk)", "socket_cgroup($sk) != $1"),
                ("known(args.sk)", "socket_cgroup(args.sk) == $1"),
                ("/runs()", "/cgroup == $1"),
            ] {
                text = text.replace(asked, plain);
            }
            let parameters = vec!["7".to_owned(), (settings.ring_len_bytes / 4).to_string()];
            let (lower, options) = (compile::kernel_options(), bpf::Options::default());
            let Ok((plain, _)) = trusted(NAME, &text, parameters, &lower, &options) else { panic!("{text}") };
            let length = |kernel: &Kernel| bpf::disassemble(&kernel.object, None).lines().count();
            assert_eq!(length(&program), length(&plain), "{rung}");
        }
    }
}
