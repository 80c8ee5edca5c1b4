//! The thread that answers the tree's system calls about time, and lets each exec be followed.
//!
//! It serves until no process has the filter any more, or reel is done with the app. An exec is followed by a thread of its own, since a
//! thread that traces waits for its tracee, and the exec may itself wait: for a slow disk, or for a file system that a process of the
//! tree serves. There are as many of them as processes that stand in `execve` at the same moment. A thread whose exec fails may come with
//! the next one before its tracer has stopped it: that one is followed by the same tracer.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, poll};

use super::calls::{self, Meaning, Width};
use super::exec::{self, Hand, Treatment};
use super::install;
use super::journal::{Journal, Program};
use super::listener::{Answer, Listener, Request};
use super::memory::Memory;
use super::page::Page;
use super::tracee::Tracee;

const SECOND_NS: i64 = 1_000_000_000;
/// How many deadlines are remembered as set into the machine's time.
const MAX_TRANSLATED: usize = 1 << 16;
/// The stack of a thread that follows an exec.
const FOLLOWER_STACK_LEN_BYTES: usize = 256 << 10;
/// The longest path of a program that is read (`PATH_MAX`).
const MAX_PATH_LEN_BYTES: usize = 4096;

/// What the threads have in common.
#[derive(Debug)]
struct Shared {
    page: Arc<Page>,
    journal: Arc<Journal>,
    listener: Listener,
    /// Processes that are about to ask for the page's descriptor.
    asking: Set,
    /// Threads that have a tracer. It leaves before it lets them go on.
    followed: Set,
}

/// A set of ids.
#[derive(Debug, Default)]
struct Set(Mutex<BTreeSet<i32>>);

impl Set {
    fn open(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an id; whether it was not there.
    fn add(&self, id: i32) -> bool {
        self.open().insert(id)
    }

    fn remove(&self, id: i32) {
        self.open().remove(&id);
    }

    fn has(&self, id: i32) -> bool {
        self.open().contains(&id)
    }
}

/// The supervision of one tree. Dropping it ends it: the tree should be gone by then.
#[derive(Debug)]
pub struct Supervision {
    stop: Option<io::PipeWriter>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Supervision {
    /// Begins to wait for the listener that the app sends through `socket`, and then serves it.
    pub(super) fn start(page: Arc<Page>, journal: Arc<Journal>, socket: OwnedFd) -> io::Result<Supervision> {
        let (stopped, stop) = io::pipe()?;
        let serve = move || {
            if wait(&socket, stopped.as_fd())? != Ready::Request {
                return Ok(());
            }
            let Some(listener) = install::receive(&socket)? else { return Ok(()) };
            let listener = Listener::new(listener);
            let shared = Shared { page, journal, listener, asking: Set::default(), followed: Set::default() };
            Server::new(shared).serve(stopped.as_fd())
        };
        let thread = thread::Builder::new().name("reel-clock".into()).spawn(serve)?;
        Ok(Supervision { stop: Some(stop), thread: Some(thread) })
    }

    /// Ends it, and says why it did not work.
    ///
    /// # Errors
    /// The filter could not be installed, or the kernel would not be asked.
    pub fn end(mut self) -> io::Result<()> {
        self.close()
    }

    fn close(&mut self) -> io::Result<()> {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        ended.unwrap_or(Ok(Ok(()))).unwrap_or_else(|_| Err(io::Error::other("the clock's thread panicked")))
    }
}

impl Drop for Supervision {
    fn drop(&mut self) {
        // Whoever wants to know asks by `end`.
        let _ = self.close();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    Request,
    /// Nobody is left who could ask, or reel is done.
    Over,
}

fn wait(fd: &OwnedFd, stopped: std::os::fd::BorrowedFd<'_>) -> io::Result<Ready> {
    loop {
        let mut fds = [PollFd::new(fd, PollFlags::IN), PollFd::from_borrowed_fd(stopped, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        let [asked, stop] = fds.map(|fd| fd.revents());
        return Ok(match asked.contains(PollFlags::IN) && stop.is_empty() {
            true => Ready::Request,
            false => Ready::Over,
        });
    }
}

struct Server {
    shared: Arc<Shared>,
    translated: Translated,
}

impl Server {
    fn new(shared: Shared) -> Server {
        Server { shared: Arc::new(shared), translated: Translated::default() }
    }

    fn serve(mut self, stopped: std::os::fd::BorrowedFd<'_>) -> io::Result<()> {
        while wait(self.shared.listener.fd(), stopped)? == Ready::Request {
            if let Some(request) = self.shared.listener.receive()? {
                self.take(request);
            }
        }
        Ok(())
    }

    fn take(&mut self, request: Request) {
        let meaning = calls::meaning(request.abi, request.number);
        if meaning == Some(Meaning::Exec) {
            return self.exec(request);
        }
        let listener = &self.shared.listener;
        if meaning == Some(Meaning::Gettimeofday(Width::Wide)) && self.shared.asking.has(request.tid) {
            return listener.hand(&request, self.shared.page.shared());
        }
        // Its memory is its own only while it waits.
        if !listener.is_waiting(&request) {
            return;
        }
        let answer = match meaning {
            // Only the other two may be asked for nothing.
            Some(Meaning::ClockGettime(_)) if request.args[1] == 0 => Answer::Error(libc::EFAULT),
            Some(Meaning::ClockGettime(width)) => self.time(&request, request.args[1], |s, ns| width.pair(s, ns), 0),
            Some(Meaning::Gettimeofday(width)) => self.time_of_day(&request, width),
            Some(Meaning::Time(width)) => self.seconds(&request, width),
            Some(Meaning::Deadline { arg, width }) => {
                self.deadline(&request, request.args.get(arg).copied().unwrap_or_default(), width);
                Answer::Continue
            }
            Some(Meaning::Timer(width)) => {
                if is_of_real_time(&request) {
                    // `struct itimerspec`: the interval, then the first expiry.
                    self.deadline(&request, request.args[2] + width.len_bytes() as u64, width);
                }
                Answer::Continue
            }
            Some(Meaning::Exec | Meaning::Refused) | None => Answer::Continue,
        };
        self.shared.listener.answer(&request, answer);
    }

    fn exec(&self, request: Request) {
        if !self.shared.followed.add(request.tid) {
            return self.shared.listener.answer(&request, Answer::Continue);
        }
        let shared = self.shared.clone();
        let follow = move || shared.follow(&request);
        let follower = thread::Builder::new().name("reel-exec".into()).stack_size(FOLLOWER_STACK_LEN_BYTES);
        if follower.spawn(follow).is_err() {
            // As where the kernel has no room for the new program.
            self.shared.followed.remove(request.tid);
            self.shared.listener.answer(&request, Answer::Error(libc::EAGAIN));
        }
    }

    /// Writes the time as `layout` makes it of seconds and nanoseconds; a null pointer is asked for nothing.
    fn time(&self, request: &Request, address: u64, layout: impl Fn(i64, i64) -> Vec<u8>, value: i64) -> Answer {
        self.shared.journal.read();
        let (seconds, nanoseconds) = split(self.shared.page.now_ns());
        match address == 0 || Memory(Pid::from_raw(request.tid)).write(address, &layout(seconds, nanoseconds)) {
            true => Answer::Value(value),
            false => Answer::Error(libc::EFAULT),
        }
    }

    fn time_of_day(&self, request: &Request, width: Width) -> Answer {
        // The timezone, two numbers of 32 bits, is the kernel's zeros.
        let zone = request.args[1];
        if zone != 0 && !Memory(Pid::from_raw(request.tid)).write(zone, &[0; 8]) {
            return Answer::Error(libc::EFAULT);
        }
        self.time(request, request.args[0], |s, ns| width.pair(s, ns / 1000), 0)
    }

    fn seconds(&self, request: &Request, width: Width) -> Answer {
        let (seconds, _) = split(self.shared.page.now_ns());
        let one = |_, _| width.pair(seconds, 0).into_iter().take(width.len_bytes() / 2).collect();
        self.time(request, request.args[0], one, seconds)
    }

    /// Sets a deadline into the machine's time, where it stands: the kernel reads it there.
    fn deadline(&mut self, request: &Request, address: u64, width: Width) {
        let memory = Memory(Pid::from_raw(request.tid));
        let mut bytes = vec![0; width.len_bytes()];
        let Some((seconds, nanoseconds)) = memory.read_exact(address, &mut bytes).then(|| width.read(&bytes)).flatten()
        else {
            return;
        };
        let instant_ns = seconds.saturating_mul(SECOND_NS).saturating_add(nanoseconds);
        // 0 disarms a timer; and what stands there from an earlier try is in the machine's time already.
        if instant_ns == 0 || self.translated.contains(instant_ns) {
            return;
        }
        let real_ns = self.shared.page.in_real_time(instant_ns).max(1);
        let (seconds, nanoseconds) = split(real_ns);
        let bytes = width.pair(seconds, nanoseconds);
        if memory.write(address, &bytes) || memory.force(address, &bytes) {
            self.translated.add(real_ns);
            self.shared.journal.translated();
        }
    }
}

/// Whether a call of `timerfd_settime` is for a timer of the time of day.
fn is_of_real_time(request: &Request) -> bool {
    // A timer's `clockid` in proc_pid_fdinfo(5): CLOCK_REALTIME or CLOCK_REALTIME_ALARM.
    let info = std::fs::read_to_string(format!("/proc/{}/fdinfo/{}", request.tid, request.args[0] as u32));
    info.is_ok_and(|info| info.lines().any(|line| line == "clockid: 0" || line == "clockid: 8"))
}

fn split(ns: i64) -> (i64, i64) {
    (ns.div_euclid(SECOND_NS), ns.rem_euclid(SECOND_NS))
}

impl Shared {
    /// Lets an exec through, and sees to the new program.
    fn follow(&self, request: &Request) {
        let wanted = wanted(request);
        let follower = Follower { shared: self, tid: request.tid };
        let result = match Tracee::seize(request.tid) {
            Ok(tracee) => {
                self.listener.answer(request, Answer::Continue);
                exec::follow(tracee, &follower).inspect_err(|_| follower.releases())
            }
            Err(error) => {
                follower.releases();
                self.listener.answer(request, Answer::Continue);
                Err(error)
            }
        };
        let untouched = |why: String| Some((request.tid, Treatment::Untouched(why)));
        let began = match result {
            Ok(followed) => followed.map(|(process, treatment)| (process.as_raw(), treatment)),
            // Killed meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => None,
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => untouched("another process traces it".into()),
            Err(error) => untouched(error.to_string()),
        };
        if let Some((pid, treatment)) = began {
            let path = match treatment {
                Treatment::Untouched(_) => wanted,
                _ => std::fs::read_link(format!("/proc/{pid}/exe")).map_or(wanted, |path| path.display().to_string()),
            };
            self.journal.began(Program { pid, path, treatment });
        }
    }
}

/// A thread that traces another.
struct Follower<'a> {
    shared: &'a Shared,
    tid: i32,
}

impl Hand for Follower<'_> {
    fn expect(&self, process: Pid) {
        self.shared.asking.add(process.as_raw());
    }

    fn done(&self, process: Pid) {
        self.shared.asking.remove(process.as_raw());
    }

    fn releases(&self) {
        self.shared.followed.remove(self.tid);
    }
}

/// The path that an exec asks for; that of `execveat` is its second argument.
fn wanted(request: &Request) -> String {
    let is_execveat = matches!(request.number, 322 | 358);
    let address = request.args[usize::from(is_execveat)];
    let mut path = Vec::new();
    // A read ends before the first page that is not there.
    while path.len() < MAX_PATH_LEN_BYTES && !path.contains(&0) {
        let mut part = [0; 64];
        let len = Memory(Pid::from_raw(request.tid)).read(address + path.len() as u64, &mut part);
        if len == 0 {
            break;
        }
        path.extend_from_slice(part.get(..len).unwrap_or_default());
    }
    let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
    String::from_utf8_lossy(path.get(..end).unwrap_or_default()).into_owned()
}

/// The deadlines that were set into the machine's time last: whoever tries again with one must not have it moved twice. To the
/// nanosecond, no other deadline looks like one of them.
#[derive(Debug, Default)]
struct Translated {
    known: HashSet<i64>,
    order: VecDeque<i64>,
}

impl Translated {
    fn contains(&self, instant_ns: i64) -> bool {
        self.known.contains(&instant_ns)
    }

    fn add(&mut self, instant_ns: i64) {
        if self.known.insert(instant_ns) {
            self.order.push_back(instant_ns);
        }
        if self.order.len() > MAX_TRANSLATED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_deadlines_are_forgotten() {
        let mut translated = Translated::default();
        for instant in 0..=MAX_TRANSLATED as i64 {
            translated.add(instant);
        }
        assert!(!translated.contains(0) && translated.contains(1) && translated.contains(MAX_TRANSLATED as i64));
    }

    #[test]
    fn instants_before_1970_have_no_negative_nanoseconds() {
        for (ns, expect) in [(-1, (-1, 999_999_999)), (0, (0, 0)), (1_000_000_001, (1, 1))] {
            assert_eq!(split(ns), expect);
        }
    }
}
