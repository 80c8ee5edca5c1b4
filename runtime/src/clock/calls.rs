//! The system calls that tell or take the time of day, for programs of 64 and of 32 bits: when each is one, and what it means.
//!
//! The filter is compiled from this table, and the supervisor answers by it, so that neither knows a call that the other does not.
//! What is not here goes its way: relative times and other clocks are those of the machine.

/// How a call is made: the kernel's `AUDIT_ARCH_*` (include/uapi/linux/audit.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Abi {
    #[doc(alias = "AUDIT_ARCH_X86_64")]
    Wide = 0xc000_003e,
    #[doc(alias = "AUDIT_ARCH_I386")]
    Narrow = 0x4000_0003,
}

/// The widths of `struct timespec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// Seconds and nanoseconds of 64 bits.
    Wide,
    /// Both of 32 bits, of programs from before 2038.
    Narrow,
}

/// What a call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A new program begins.
    Exec,
    /// `clock_gettime`.
    ClockGettime(Width),
    /// `gettimeofday`.
    Gettimeofday(Width),
    /// `time`.
    Time(Width),
    /// A wait until an instant, to which this argument points.
    Deadline { arg: usize, width: Width },
    /// `timerfd_settime`: a deadline if the timer is one of the time of day.
    Timer(Width),
    /// It would set the machine's clock.
    Refused,
}

/// A condition on an argument; a call whose conditions do not all hold has nothing to do with the time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Its lower half is one of these.
    OneOf(u32, &'static [u32]),
    /// It has this bit.
    Bit(u32, u32),
    /// It is no null pointer.
    Given(u32),
    /// It is a futex operation whose deadline is one of the time of day.
    FutexOperation(u32),
}

/// One system call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) abi: Abi,
    pub(super) number: u32,
    pub(super) when: &'static [When],
    pub(super) meaning: Meaning,
}

/// `CLOCK_REALTIME`, `CLOCK_REALTIME_COARSE`, `CLOCK_REALTIME_ALARM`, `CLOCK_TAI`.
const CLOCKS: &[u32] = &[0, 5, 8, 11];
/// The bit of `TIMER_ABSTIME` and of `TFD_TIMER_ABSTIME`.
const ABSOLUTE: u32 = 1;
/// `FUTEX_CLOCK_REALTIME`.
pub(super) const FUTEX_CLOCK_REALTIME: u32 = 256;
/// The bits of a futex operation without its flags, and the one operation whose deadline is always one of the time of day.
pub(super) const FUTEX_COMMAND: u32 = 127;
pub(super) const FUTEX_LOCK_PI: u32 = 6;

const fn wide(number: u32, when: &'static [When], meaning: Meaning) -> Call {
    Call { abi: Abi::Wide, number, when, meaning }
}

const fn narrow(number: u32, when: &'static [When], meaning: Meaning) -> Call {
    Call { abi: Abi::Narrow, number, when, meaning }
}

const fn deadline(arg: usize, width: Width) -> Meaning {
    Meaning::Deadline { arg, width }
}

const GETTIME: &[When] = &[When::OneOf(0, CLOCKS)];
const NANOSLEEP: &[When] = &[When::Bit(1, ABSOLUTE), When::OneOf(0, CLOCKS)];
const SETTIME: &[When] = &[When::Bit(1, ABSOLUTE)];
const FUTEX: &[When] = &[When::FutexOperation(1), When::Given(3)];
const FUTEX_WAITV: &[When] = &[When::OneOf(4, CLOCKS), When::Given(3)];
const FUTEX_WAIT: &[When] = &[When::OneOf(5, CLOCKS), When::Given(4)];
const QUEUE: &[When] = &[When::Given(4)];

/// Every call (arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl).
pub(super) const CALLS: &[Call] = &[
    wide(202, FUTEX, deadline(3, Width::Wide)),
    wide(228, GETTIME, Meaning::ClockGettime(Width::Wide)),
    wide(96, &[], Meaning::Gettimeofday(Width::Wide)),
    wide(201, &[], Meaning::Time(Width::Wide)),
    wide(59, &[], Meaning::Exec),
    wide(322, &[], Meaning::Exec),
    wide(230, NANOSLEEP, deadline(2, Width::Wide)),
    wide(286, SETTIME, Meaning::Timer(Width::Wide)),
    wide(242, QUEUE, deadline(4, Width::Wide)),
    wide(243, QUEUE, deadline(4, Width::Wide)),
    wide(449, FUTEX_WAITV, deadline(3, Width::Wide)),
    wide(455, FUTEX_WAIT, deadline(4, Width::Wide)),
    wide(227, &[], Meaning::Refused),
    wide(164, &[], Meaning::Refused),
    narrow(11, &[], Meaning::Exec),
    narrow(358, &[], Meaning::Exec),
    narrow(265, GETTIME, Meaning::ClockGettime(Width::Narrow)),
    narrow(403, GETTIME, Meaning::ClockGettime(Width::Wide)),
    narrow(78, &[], Meaning::Gettimeofday(Width::Narrow)),
    narrow(13, &[], Meaning::Time(Width::Narrow)),
    narrow(240, FUTEX, deadline(3, Width::Narrow)),
    narrow(422, FUTEX, deadline(3, Width::Wide)),
    narrow(267, NANOSLEEP, deadline(2, Width::Narrow)),
    narrow(407, NANOSLEEP, deadline(2, Width::Wide)),
    narrow(325, SETTIME, Meaning::Timer(Width::Narrow)),
    narrow(411, SETTIME, Meaning::Timer(Width::Wide)),
    narrow(279, QUEUE, deadline(4, Width::Narrow)),
    narrow(280, QUEUE, deadline(4, Width::Narrow)),
    narrow(418, QUEUE, deadline(4, Width::Wide)),
    narrow(419, QUEUE, deadline(4, Width::Wide)),
    narrow(449, FUTEX_WAITV, deadline(3, Width::Wide)),
    narrow(455, FUTEX_WAIT, deadline(4, Width::Wide)),
    narrow(264, &[], Meaning::Refused),
    narrow(404, &[], Meaning::Refused),
    narrow(79, &[], Meaning::Refused),
    narrow(25, &[], Meaning::Refused),
];

/// What a call that the filter let through to the supervisor means.
pub(super) fn meaning(abi: u32, number: i32) -> Option<Meaning> {
    let number = u32::try_from(number).ok()?;
    let is_it = |call: &&Call| call.abi as u32 == abi && call.number == number;
    CALLS.iter().find(is_it).map(|call| call.meaning)
}

impl Width {
    /// The number of bytes of a `struct timespec`.
    pub(super) fn len_bytes(self) -> usize {
        match self {
            Width::Wide => 16,
            Width::Narrow => 8,
        }
    }

    /// The bytes of a pair of seconds and a part of a second. What is too large for 32 bits stays at their end.
    pub(super) fn pair(self, seconds: i64, part: i64) -> Vec<u8> {
        match self {
            Width::Wide => [seconds, part].map(i64::to_le_bytes).concat(),
            Width::Narrow => {
                let narrow = |n: i64| n.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
                [seconds, part].map(|n| narrow(n).to_le_bytes()).concat()
            }
        }
    }

    /// Reads such a pair.
    pub(super) fn read(self, bytes: &[u8]) -> Option<(i64, i64)> {
        let (first, second) = bytes.get(..self.len_bytes())?.split_at(self.len_bytes() / 2);
        match self {
            Width::Wide => {
                Some((i64::from_le_bytes(first.try_into().ok()?), i64::from_le_bytes(second.try_into().ok()?)))
            }
            Width::Narrow => {
                let wide = |bytes: &[u8]| Some(i32::from_le_bytes(bytes.try_into().ok()?).into());
                Some((wide(first)?, wide(second)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_stands_in_the_table_once() {
        for (at, call) in CALLS.iter().enumerate() {
            let again = CALLS[..at].iter().find(|other| other.abi == call.abi && other.number == call.number);
            assert!(again.is_none(), "{call:?}");
        }
        assert_eq!(meaning(Abi::Wide as u32, 59), Some(Meaning::Exec));
        assert_eq!(meaning(Abi::Narrow as u32, 59), None);
    }

    #[test]
    fn times_are_written_in_the_width_of_the_program() {
        for (width, seconds, part, expect) in [
            (Width::Wide, 1 << 33, 7, (1 << 33, 7)),
            (Width::Narrow, 1_700_000_000, 999_999_999, (1_700_000_000, 999_999_999)),
            (Width::Narrow, 1 << 33, 7, (i64::from(i32::MAX), 7)),
        ] {
            assert_eq!(width.read(&width.pair(seconds, part)), Some(expect), "{width:?}");
        }
        assert_eq!(Width::Wide.read(&[0; 15]), None);
    }
}
