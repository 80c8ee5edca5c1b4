//! A thread that stands still under ptrace(2) for a moment, so that its new program can be changed before its first instruction.
//!
//! The thread that seizes it must do everything else too, and must have no other tracee: after an exec a thread may have another id, so
//! that waiting is for any. Where reel dies meanwhile the process is killed, since what it would go on with is undefined.

use std::io;

use libc::{siginfo_t, user_regs_struct};
use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;

/// `PTRACE_EVENT_STOP` (ptrace(2)): it stands, by an interrupt or by a signal that stops it.
const EVENT_STOP: i32 = 128;
/// `PTRACE_GETSIGMASK` and `PTRACE_SETSIGMASK`, Linux 3.11.
const GET_SIGNAL_MASK: libc::c_uint = 0x420a;
const SET_SIGNAL_MASK: libc::c_uint = 0x420b;
/// The code segment of a program of 64 bits (`__USER_CS`, arch/x86/include/asm/segment.h).
const WIDE_CODE_SEGMENT: u64 = 0x33;

/// A thread under ptrace.
#[derive(Debug)]
pub(super) struct Tracee {
    id: Pid,
}

/// Why it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A new program is in place.
    Exec,
    /// It was interrupted, or stopped by a signal before.
    Still,
    /// A signal is about to be delivered; a step is done with SIGTRAP.
    Signal(i32),
    /// It is no more.
    Gone,
}

impl Tracee {
    /// Begins to trace a thread. It runs on.
    ///
    /// # Errors
    /// EPERM where another process traces it, or may not be traced by this one.
    pub(super) fn seize(tid: i32) -> io::Result<Tracee> {
        let id = Pid::from_raw(tid);
        ptrace::seize(id, Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL)?;
        Ok(Tracee { id })
    }

    pub(super) fn id(&self) -> Pid {
        self.id
    }

    /// Asks it to stand.
    ///
    /// # Errors
    /// ESRCH where it is no more.
    pub(super) fn interrupt(&self) -> io::Result<()> {
        Ok(ptrace::interrupt(self.id)?)
    }

    /// Lets it go on, with this signal (0 for none).
    ///
    /// # Errors
    /// ESRCH where it is no more.
    pub(super) fn resume(&self, signal: i32) -> io::Result<()> {
        self.request(libc::PTRACE_CONT, signal)
    }

    /// Lets it go for good; it must stand.
    ///
    /// # Errors
    /// ESRCH where it is no more.
    pub(super) fn release(self) -> io::Result<()> {
        self.request(libc::PTRACE_DETACH, 0)
    }

    fn request(&self, request: libc::c_uint, signal: i32) -> io::Result<()> {
        // SAFETY: these requests take a number and no memory.
        let result = unsafe { libc::ptrace(request, self.id.as_raw(), 0, libc::c_long::from(signal)) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits until it stands.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(super) fn wait(&mut self) -> io::Result<Stop> {
        // Its end is only looked at: where the app is reel's own child, that is for others to take.
        let (id, code, _) = wait_for(libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT)?;
        if code != libc::CLD_TRAPPED {
            if !is_own_child(id) {
                wait_for(libc::WEXITED | libc::WNOHANG)?;
            }
            return Ok(Stop::Gone);
        }
        let (id, _, status) = wait_for(libc::WSTOPPED | libc::WNOHANG)?;
        if id == 0 {
            // Killed in between.
            return Ok(Stop::Gone);
        }
        self.id = Pid::from_raw(id);
        Ok(match (status >> 8, status & 0xff) {
            (libc::PTRACE_EVENT_EXEC, _) => Stop::Exec,
            (EVENT_STOP, _) => Stop::Still,
            (_, signal) => Stop::Signal(signal),
        })
    }

    /// Its registers.
    ///
    /// # Errors
    /// ESRCH where it is no more.
    pub(super) fn registers(&self) -> io::Result<user_regs_struct> {
        Ok(ptrace::getregs(self.id)?)
    }

    /// Makes it do something with its own hands: `calls` makes system calls by the instruction at `syscall`; then it stands where it stood.
    ///
    /// # Errors
    /// The first call's that fails.
    pub(super) fn borrow<T>(
        &mut self,
        syscall: u64,
        calls: impl FnOnce(&mut Borrowed<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let registers = self.registers()?;
        let mask = self.signal_mask(GET_SIGNAL_MASK, 0)?;
        self.signal_mask(SET_SIGNAL_MASK, u64::MAX)?;
        let result = calls(&mut Borrowed { tracee: self, syscall, registers });
        ptrace::setregs(self.id, registers)?;
        self.signal_mask(SET_SIGNAL_MASK, mask)?;
        result
    }

    fn signal_mask(&self, request: libc::c_uint, mut mask: u64) -> io::Result<u64> {
        // SAFETY: both requests take the size of a signal set and a pointer to one, which lives for the call.
        let result = unsafe { libc::ptrace(request, self.id.as_raw(), size_of::<u64>(), &raw mut mask) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(mask) }
    }
}

/// A tracee that does what it is told.
pub(super) struct Borrowed<'a> {
    tracee: &'a mut Tracee,
    syscall: u64,
    registers: user_regs_struct,
}

impl Borrowed<'_> {
    /// Makes one system call.
    ///
    /// # Errors
    /// The call's.
    pub(super) fn call(&mut self, number: i64, args: [u64; 6]) -> io::Result<u64> {
        let [rdi, rsi, rdx, r10, r8, r9] = args;
        let rax = number.cast_unsigned();
        // No system call is under way that the kernel should make again.
        let orig_rax = u64::MAX;
        let registers =
            user_regs_struct { rip: self.syscall, rax, orig_rax, rdi, rsi, rdx, r10, r8, r9, ..self.registers };
        ptrace::setregs(self.tracee.id, registers)?;
        let mut signal = 0;
        loop {
            self.tracee.request(libc::PTRACE_SINGLESTEP, signal)?;
            signal = match self.tracee.wait()? {
                Stop::Signal(libc::SIGTRAP) => break,
                // Only SIGSTOP cannot be blocked: it takes effect when the tracee is let go.
                Stop::Signal(signal) => signal,
                Stop::Still | Stop::Exec => 0,
                Stop::Gone => return Err(io::Error::from_raw_os_error(libc::ESRCH)),
            };
        }
        let result = self.tracee.registers()?.rax;
        match i32::try_from(result.cast_signed()) {
            Ok(error @ -4095..0) => Err(io::Error::from_raw_os_error(-error)),
            _ => Ok(result),
        }
    }
}

/// Whether registers are those of a program of 64 bits.
pub(super) fn is_wide(registers: &user_regs_struct) -> bool {
    registers.cs == WIDE_CODE_SEGMENT
}

/// Waits for a tracee of this thread: its id (0 for none, with `WNOHANG`), `CLD_*`, and how it stands or ended.
fn wait_for(options: libc::c_int) -> io::Result<(i32, i32, i32)> {
    loop {
        // SAFETY: plain numbers, for which zeros are valid.
        let mut info: siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: the struct lives for the call.
        if unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options | libc::__WALL | libc::__WNOTHREAD) } == 0 {
            // SAFETY: waitid fills in the fields of SIGCHLD.
            return Ok(unsafe { (info.si_pid(), info.si_code, info.si_status()) });
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err(error);
        }
    }
}

fn is_own_child(id: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    status.contains(&format!("\nPPid:\t{}\n", std::process::id()))
}
