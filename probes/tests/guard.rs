//! The guardian, with real processes that are really killed.
//!
//! The guardian is this executable started again with a hidden subcommand, so that the test has a
//! main of its own: it becomes the guardian, or a reel that waits to be killed, or the harness.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod elf;

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use reel_probes::attach::Attach;
use reel_probes::cgroup::Cgroup;
use reel_probes::doctor::Capability;
use reel_probes::guard::{self, Guard};
use reel_probes::inspect;
use reel_probes::load::Loaded;
use reel_probes::spawn::Spawn;

const REEL: &str = "a-reel-to-be-killed";

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    match words.first().and_then(|word| word.to_str()) {
        Some(guard::SUBCOMMAND) => std::process::exit(guard::guard_main(&words[1..])),
        Some(REEL) => {
            reel();
            ExitCode::SUCCESS
        }
        _ => {
            let trial = |name: &str, run: fn() -> Result<(), Failed>| Trial::test(name, run);
            let trials = vec![
                trial("dismissed_it_touches_nothing", dismissed),
                trial("dropped_it_kills_and_removes_whatever_signals_it_gets", dropped),
                trial("a_reel_that_is_killed_leaves_nothing", killed),
                trial("wrong_arguments_are_refused", wrong_arguments),
            ];
            libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
        }
    }
}

fn dismissed() -> Result<(), Failed> {
    let cgroup = Cgroup::create()?;
    let mut app = Spawn::new(&["sleep", "600"])?.start(&cgroup)?;
    Guard::start(&cgroup, &[])?.dismiss()?;
    assert!(app.wait(Some(std::time::Duration::ZERO))?.is_none());
    Ok(())
}

fn dropped() -> Result<(), Failed> {
    let cgroup = Cgroup::create()?;
    let guard = Guard::start(&cgroup, &[])?;
    let mut app = Spawn::new(&["sleep", "600"])?.start(&cgroup)?;
    for signal in ["INT", "TERM", "HUP", "QUIT"] {
        let sent = Command::new("kill").args(["-s", signal, &guard.pid().to_string()]).status()?;
        assert!(sent.success());
    }
    drop(guard);
    assert_eq!(app.wait(None)?.unwrap().signal(), Some(9));
    assert!(!cgroup.path().exists());
    Ok(())
}

/// Starts an app that is refused its connections, with a guardian; says so, and waits for ever.
///
/// The guardian also inherits standard output, in the place of a link: whoever reads it sees the
/// end of file when the guardian has let go of its links.
fn reel() {
    let cgroup = Cgroup::create().unwrap();
    let mut hook = Loaded::new(&elf::object("cgroup/connect4", &[elf::mov(0, 0), elf::EXIT], None)).unwrap();
    hook.attach("prog", &Attach::Cgroup { path: cgroup.path().into() }).unwrap();
    let held = io::stdout().as_fd().try_clone_to_owned().unwrap();
    let mut links = hook.link_fds();
    links.push(held.as_fd());
    let _guard = Guard::start(&cgroup, &links).unwrap();
    let mut app = Spawn::new(&["sleep", "600"]).unwrap();
    let _app = app.stdout(Stdio::null()).start(&cgroup).unwrap();
    println!("{} {}", hook.program_ids().unwrap()[0], cgroup.path().display());
    let _ = io::stdin().read(&mut [0]);
}

fn killed() -> Result<(), Failed> {
    if !Capability::Connect4.needs() {
        return Ok(());
    }
    let mut command = Command::new("/proc/self/exe");
    let mut reel = command.arg(REEL).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut output = BufReader::new(reel.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line)?;
    let (program, cgroup) = line.trim().split_once(' ').unwrap();
    let (program, cgroup): (u32, _) = (program.parse()?, Path::new(cgroup));
    assert!(std::fs::read_to_string(cgroup.join("cgroup.events"))?.contains("populated 1"));
    assert!(inspect::program_ids()?.contains(&program));

    reel.kill()?;
    reel.wait()?;

    assert_eq!(output.read(&mut [0])?, 0);
    assert!(!cgroup.exists());
    // The kernel may free a program a moment after its last descriptor is closed.
    let end = Instant::now() + Duration::from_secs(10);
    while inspect::program_ids()?.contains(&program) {
        assert!(Instant::now() < end, "program {program} is still there");
        std::thread::yield_now();
    }
    Ok(())
}

fn wrong_arguments() -> Result<(), Failed> {
    assert_eq!(guard::guard_main(&[]), 2);
    assert_eq!(guard::guard_main(&["x".into(), "/".into()]), 2);
    assert_eq!(guard::guard_main(&["1".into(), "/".into()]), 2);
    assert_eq!(guard::guard_main(&["999".into(), "/".into()]), 2);
    Ok(())
}
