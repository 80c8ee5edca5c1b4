//! The clock of a replay, on real programs: what they read, that what they wait for comes, and that nothing else of them changes.
//!
//! A clock begins at noon of a leap day, so that a day is what no program confuses with the machine's own, however long a test takes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reel_tests::process::{Running, root, test_env};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::support::{Ran, folder, has, reel};

const NOON: &str = "2024-02-29T12:00:00Z";
const DAY: &str = "2024-02-29";

/// A command under a clock; what hangs is ended, and fails.
fn under(frozen: bool) -> Command {
    let mut command = reel(["debug", "clock", "--at", NOON]);
    command.args(frozen.then_some("--frozen")).args(["--", "timeout", "60"]);
    command
}

fn app(name: &str) -> PathBuf {
    root().join("tests/apps/clock").join(name)
}

/// Runs a program under a running and a frozen clock: it must print these lines, `DAY` for the day, and nothing else.
#[track_caller]
fn check(program: impl Fn(&mut Command) -> &mut Command, expect: &str) {
    for frozen in [false, true] {
        let ran = Ran::of(program(&mut under(frozen))).exits(0);
        assert_eq!(ran.out, expect.replace("DAY", DAY), "frozen: {frozen}, standard error:\n{}", ran.err);
        assert!(!ran.err.contains("sees the machine's clock"), "{}", ran.err);
    }
}

/// Builds a C program.
#[track_caller]
fn built(compiler: &str, options: &[&str], source: &str, to: &Path) {
    let mut command = Command::new(compiler);
    Ran::of(command.args(["-O1", "-o"]).arg(to).arg(app(source)).args(options)).exits(0);
}

const TIMES_C: &str = "time DAY
gettimeofday DAY
clock_gettime DAY
coarse DAY
tai DAY
direct clock_gettime DAY
direct gettimeofday DAY
direct time DAY
clock_nanosleep waited
pthread_cond_timedwait waited
sem_timedwait waited
futex waited
timerfd waited
mq_timedreceive waited
monotonic timerfd is ahead
thread DAY
child DAY
program DAY
";

#[track_caller]
fn check_c(compiler: &str, options: &[&str]) {
    if !has(compiler) {
        return;
    }
    let folder = folder();
    let program = folder.path().join("times");
    built(compiler, options, "times.c", &program);
    check(|command| command.arg(&program), TIMES_C);
}

#[test]
fn a_program_on_glibc() {
    check_c("gcc", &["-lpthread", "-lrt"]);
}

#[test]
fn a_static_program_on_glibc() {
    check_c("gcc", &["-static", "-lpthread"]);
}

#[test]
fn a_static_program_on_musl() {
    // The kernel's own headers lie beside those of glibc.
    let headers = ["-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu"];
    check_c("musl-gcc", &[&["-static"], headers.as_slice()].concat());
}

#[test]
fn a_program_of_32_bits_makes_system_calls() {
    if !has("gcc") {
        return;
    }
    let folder = folder();
    let program = folder.path().join("narrow");
    let options = ["-m32", "-ffreestanding", "-fno-pie", "-no-pie", "-nostdlib", "-static", "-fno-stack-protector"];
    built("gcc", &options, "narrow.c", &program);
    // Days since 1970.
    let expect = "time 19782\ngettimeofday 19782\nclock_gettime 19782\nclock_gettime64 19782\nwaited 0\n";
    check(|command| command.arg(&program), expect);
    Ran::of(under(false).arg(&program)).exits(0).says("makes system calls: it is a program of 32 bits");
}

#[test]
fn python() {
    if !has("python3") {
        return;
    }
    let expect = "time DAY\ntime_ns DAY\nclock_gettime DAY\nutcnow DAY\ntoday DAY\nsleep waited\nTimer waited\n\
                  Condition waited\nEvent waited\nasyncio waited\nworker DAY\nprogram DAY\n";
    check(|command| command.arg("python3").arg(app("times.py")).env("TZ", "UTC"), expect);
}

#[test]
fn node() {
    if !has("node") {
        return;
    }
    let expect = "Date.now DAY\nnew Date DAY\nperformance DAY\nsetTimeout waited\nworker DAY\nprogram DAY\n";
    check(|command| command.arg("node").arg(app("times.js")), expect);
}

/// Under a frozen clock `awaitUntil` and `java.util.Timer` wait for ever, as they should: the deadline never comes.
#[test]
fn java() {
    if !has("javac") {
        return;
    }
    let folder = folder();
    Ran::of(Command::new("javac").arg("-d").arg(folder.path()).arg(app("Times.java"))).exits(0);
    let ran = Ran::of(under(false).args(["java", "-cp"]).arg(folder.path()).arg("Times")).exits(0);
    let expect = "Instant DAY\ncurrentTimeMillis DAY\nDate DAY\nsleep waited\nawaitUntil waited\nparkUntil waited\n\
                  ScheduledExecutor waited\nTimer waited\n";
    assert_eq!(ran.out, expect.replace("DAY", DAY), "{}", ran.err);
    // The deadline of `awaitUntil` or `parkUntil` is absolute.
    assert!(!ran.err.contains(", 0 deadlines translated"), "{}", ran.err);
}

#[test]
fn static_go() {
    let program = test_env().join("go-times");
    if !has(&program) {
        return;
    }
    // Its own measure of what passed is the monotonic clock.
    let expect = "Now DAY\nUnix DAY\nSleep waited\nTimer waited\ndeadline waited\ngoroutines map[DAY:100]\nNow DAY\n";
    check(|command| command.arg(&program), expect);
}

#[test]
fn a_tree_of_shells() {
    let script = "date -u +%F; echo $(date -u +%F); (date -u +%F) & wait; bash -c 'printf \"%(%F)T\\n\" -1; exec date -u +%F'; \
                  env -i /bin/sh -c '/bin/date -u +%F'; cd /; chroot / date -u +%F; setsid -w date -u +%F; no-such-program; \
                  find / -maxdepth 0 -exec date -u +%F ';'";
    let expect = "DAY\n".repeat(9);
    check(|command| command.args(["sh", "-c", script]).env("TZ", "UTC"), &expect);
}

#[test]
fn a_frozen_clock_stands_still() {
    let mut command = under(true);
    let ran = Ran::of(command.args(["sh", "-c", "date -u +%T.%N; sleep 0.01; date -u +%T.%N"])).exits(0);
    assert_eq!(ran.out, "12:00:00.000000000\n12:00:00.000000000\n");
}

#[test]
fn the_exit_code_is_the_command_s() {
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)] {
        Ran::of(reel(["debug", "clock", "--", "sh", "-c"]).arg(script)).exits(code);
    }
    Ran::of(&mut reel(["debug", "clock", "--", "/no/such/program"])).exits(5).says("there is no file /no/such/program");
    Ran::of(&mut reel(["debug", "clock", "--at", "noon", "--", "true"])).exits(2).says("--at");
    Ran::of(&mut reel(["debug", "clock", "--at", "9999-01-01T00:00:00Z", "--", "true"])).exits(2).says("1678 to 2261");
}

/// Handlers run, children stop and go on, and no system call is interrupted that would not be otherwise, while programs start.
#[test]
fn signals_are_not_disturbed() {
    if !has("python3") {
        return;
    }
    let script = "
import os, signal, subprocess, sys
seen = [0]
def tick(*_): seen[0] += 1
signal.signal(signal.SIGALRM, tick)
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
codes = {subprocess.call(['/bin/true']) for _ in range(100)}
signal.setitimer(signal.ITIMER_REAL, 0)
print('codes', codes, 'ticks', seen[0] > 0)
child = os.fork()
if child == 0:
    os.execv('/bin/sh', ['sh', '-c', 'kill -STOP $$; exit 3'])
_, status = os.waitpid(child, os.WUNTRACED)
print('stopped', os.WIFSTOPPED(status), os.WSTOPSIG(status) == signal.SIGSTOP)
os.kill(child, signal.SIGCONT)
_, status = os.waitpid(child, 0)
print('code', os.WEXITSTATUS(status))
";
    check(|command| command.args(["python3", "-c", script]), "codes {0} ticks True\nstopped True True\ncode 3\n");
}

/// Many programs at once, from many threads.
#[test]
fn threads_that_start_programs() {
    if !has("python3") {
        return;
    }
    let script = "
import subprocess
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    run = lambda _: subprocess.run(['date', '-u', '+%F'], capture_output=True, text=True).stdout
    print(''.join(sorted(set(pool.map(run, range(200))))), end='')
";
    check(|command| command.args(["python3", "-c", script]), "DAY\n");
}

/// A process that another one traces cannot be reached: it goes on as ever, and is named.
#[test]
fn a_traced_process_keeps_the_machine_s_clock() {
    if !has("gcc") {
        return;
    }
    let folder = folder();
    let program = folder.path().join("tracer");
    built("gcc", &[], "tracer.c", &program);
    let ran =
        Ran::of(under(false).arg(&program)).exits(0).says("date: sees the machine's clock: another process traces it");
    assert!(ran.out.ends_with("stops 1, code 0\n") && !ran.out.contains("2024"), "{}", ran.out);
}

/// A filter of the app's own works; a listener of its own it cannot have.
#[test]
fn seccomp_of_the_app_s_own() {
    if !has("python3") {
        return;
    }
    let script = "
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
class Step(ctypes.Structure):
    _fields_ = [('code', ctypes.c_ushort), ('jt', ctypes.c_ubyte), ('jf', ctypes.c_ubyte), ('k', ctypes.c_uint)]
class Program(ctypes.Structure):
    _fields_ = [('len', ctypes.c_ushort), ('steps', ctypes.POINTER(Step))]
# No uname(2), which nothing here needs.
steps = (Step * 4)(Step(0x20, 0, 0, 0), Step(0x15, 0, 1, 63), Step(6, 0, 0, 0x50000 | errno.ENOANO), Step(6, 0, 0, 0x7fff0000))
def install(flags):
    return libc.syscall(317, 1, flags, ctypes.byref(Program(4, steps)))
print('listener', install(8), errno.errorcode[ctypes.get_errno()])
print('filter', install(0))
try:
    os.uname()
except OSError as error:
    print('uname', errno.errorcode[error.errno])
os.execvp('date', ['date', '-u', '+%F'])
";
    let expect = "listener -1 EBUSY\nfilter 0\nuname ENOANO\nDAY\n";
    check(|command| command.args(["python3", "-c", script]), expect);
}

/// Prints its own id and its daemon's, and then all three kinds of readings for ever.
const FAMILY: &str = "
import ctypes, os, subprocess, sys, time
daemon = subprocess.Popen(['setsid', 'sh', '-c', 'while date >/dev/null; do :; done'])
print(os.getpid(), daemon.pid, flush=True)
while '--leave' not in sys.argv:
    ctypes.CDLL(None).syscall(228, 0, ctypes.create_string_buffer(16))
    time.time()
    subprocess.call(['/bin/true'])
";

/// Starts that family, and gives a hold on reel, on the app and on the daemon.
fn family(words: &[&str]) -> (Running, Vec<OwnedFd>) {
    let mut command = reel(["debug", "clock", "--at", NOON, "--", "python3", "-c", FAMILY]);
    let mut running = Running::start(command.args(words).stdout(Stdio::piped()).stderr(Stdio::null())).unwrap();
    let mut line = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ids = line.split_whitespace().map(|id| Pid::from_raw(id.parse().unwrap()).unwrap());
    // A process that is gone already is what is waited for.
    let family = ids.filter_map(|id| pidfd_open(id, PidfdFlags::empty()).ok()).collect();
    (running, family)
}

#[track_caller]
fn wait_gone(family: &[OwnedFd]) {
    let patience = rustix::time::Timespec { tv_sec: 60, tv_nsec: 0 };
    for process in family {
        assert_eq!(poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&patience)), Ok(1), "it still runs");
    }
}

/// Where reel is killed, nothing of the app is left to wait for answers.
#[test]
fn killed_with_sigkill_the_tree_goes_with_it() {
    if !has("python3") {
        return;
    }
    for _ in 0..5 {
        let (mut running, family) = family(&[]);
        kill_process(Pid::from_child(&running.0), Signal::KILL).unwrap();
        running.0.wait().unwrap();
        wait_gone(&family);
    }
}

/// A daemon is served for as long as the command runs, and ends with it.
#[test]
fn a_daemon_ends_with_the_command() {
    if !has("python3") {
        return;
    }
    let (mut running, family) = family(&["--leave"]);
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    wait_gone(&family);
}

/// What the app gets from reel is a page that it can read: no descriptor, and nothing that it could write.
#[test]
fn the_app_has_a_page_and_no_descriptor() {
    let mut command = under(false);
    let ran = Ran::of(command.args(["sh", "-c", "ls -l /proc/self/fd; grep reel-clock /proc/self/maps"])).exits(0);
    let lines: Vec<&str> = ran.out.lines().filter(|line| line.contains("reel-clock")).collect();
    assert!(matches!(lines.as_slice(), [line] if line.contains(" r--s ")), "{}", ran.out);
    assert!(!ran.out.contains("anon_inode:seccomp"), "{}", ran.out);
}

#[test]
fn the_view_says_what_was_done() {
    let ran = Ran::of(&mut reel(["debug", "clock", "--", "sh", "-c", "date >/dev/null"])).exits(0);
    let programs: Vec<_> = ran.err.lines().filter(|line| line.ends_with("reads the page")).collect();
    assert_eq!(programs.len(), 2, "{}", ran.err);
    assert!(ran.err.ends_with("clock: 0 readings by system call, 0 deadlines translated\n"), "{}", ran.err);
}
