//! The seccomp filter: a classic BPF program that notifies the supervisor of the calls in [`CALLS`], and lets all others pass.
//!
//! It runs at each system call of the app, so it compares numbers and little else. The kernel keeps it for every descendant, whatever
//! its user, root or namespaces.

use libc::sock_filter;

use super::calls::{Abi, CALLS, Call, FUTEX_CLOCK_REALTIME, FUTEX_COMMAND, FUTEX_LOCK_PI, Meaning, When};

/// Offsets in `struct seccomp_data` (include/uapi/linux/seccomp.h).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const IS: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const HAS: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const GO: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const MASK: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const PASS: sock_filter = step(RETURN, libc::SECCOMP_RET_ALLOW);

const fn step(code: u16, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

/// A conditional jump over so many steps: where it holds, and where it does not.
const fn jump(code: u16, k: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter { code, jt: yes, jf: no, k }
}

/// Compiles the filter.
pub(super) fn program() -> Vec<sock_filter> {
    let wide = calls(Abi::Wide);
    let narrow = calls(Abi::Narrow);
    let mut program = vec![
        step(LOAD, ARCHITECTURE),
        jump(IS, Abi::Wide as u32, 0, 1),
        step(GO, 3),
        jump(IS, Abi::Narrow as u32, 1, 0),
        PASS,
    ];
    // The first jump leads behind this one, to the wide calls; the narrow ones lie behind those.
    let skip = u32::try_from(wide.len() + 1).unwrap_or(u32::MAX);
    program.push(step(GO, skip));
    program.push(step(LOAD, NUMBER));
    program.extend(wide);
    program.push(step(LOAD, NUMBER));
    program.extend(narrow);
    program
}

/// The calls of one way of calling, with the number already loaded.
fn calls(abi: Abi) -> Vec<sock_filter> {
    let calls = CALLS.iter().filter(|call| call.abi == abi);
    let mut program: Vec<sock_filter> = calls.flat_map(rule).collect();
    program.push(PASS);
    program
}

fn rule(call: &Call) -> Vec<sock_filter> {
    let mut body: Vec<sock_filter> = call.when.iter().flat_map(|when| condition(*when)).collect();
    body.push(step(
        RETURN,
        match call.meaning {
            Meaning::Refused => libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
            _ => libc::SECCOMP_RET_USER_NOTIF,
        },
    ));
    // Conditions are few and short: see the test.
    let len = u8::try_from(body.len()).unwrap_or(u8::MAX);
    body.insert(0, jump(IS, call.number, 0, len));
    body
}

/// Goes on where a condition holds, and lets the call pass where it does not.
fn condition(when: When) -> Vec<sock_filter> {
    let lower = |argument: u32| step(LOAD, ARGUMENTS + 8 * argument);
    let upper = |argument: u32| step(LOAD, ARGUMENTS + 8 * argument + 4);
    match when {
        When::OneOf(argument, values) => {
            let mut steps = vec![lower(argument)];
            for (left, value) in (0..values.len() as u8).rev().zip(values) {
                steps.push(jump(IS, *value, left + 1, 0));
            }
            steps.push(PASS);
            steps
        }
        When::Bit(argument, bit) => vec![lower(argument), jump(HAS, bit, 1, 0), PASS],
        When::Given(argument) => {
            vec![lower(argument), jump(IS, 0, 0, 3), upper(argument), jump(IS, 0, 0, 1), PASS]
        }
        When::FutexOperation(argument) => vec![
            lower(argument),
            jump(HAS, FUTEX_CLOCK_REALTIME, 3, 0),
            step(MASK, FUTEX_COMMAND),
            jump(IS, FUTEX_LOCK_PI, 1, 0),
            PASS,
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would make of a call.
    fn run(abi: u32, number: u32, args: [u64; 6]) -> u32 {
        let program = program();
        let mut data = [number, abi, 0, 0].map(u32::to_le_bytes).concat();
        data.extend(args.map(u64::to_le_bytes).concat());
        let (mut at, mut a) = (0, 0u32);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let is_so = match code {
                LOAD => {
                    let k = k as usize;
                    a = u32::from_le_bytes(data[k..k + 4].try_into().unwrap_or_default());
                    continue;
                }
                MASK => {
                    a &= k;
                    continue;
                }
                GO => {
                    at += k as usize;
                    continue;
                }
                RETURN => return k,
                IS => a == k,
                HAS => a & k != 0,
                _ => unreachable!("{code}"),
            };
            at += usize::from(if is_so { jt } else { jf });
        }
    }

    #[test]
    fn only_what_tells_or_takes_the_time_of_day_is_notified() {
        let (pass, notify) = (libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_USER_NOTIF);
        let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
        let (wide, narrow) = (Abi::Wide as u32, Abi::Narrow as u32);
        let high = 1 << 32;
        for (what, abi, number, args, expect) in [
            ("read", wide, 0, [0, 1, 2, 3, 4, 5], pass),
            ("execve", wide, 59, [0; 6], notify),
            ("execveat", wide, 322, [0; 6], notify),
            ("gettimeofday", wide, 96, [0; 6], notify),
            ("CLOCK_REALTIME", wide, 228, [0; 6], notify),
            ("CLOCK_MONOTONIC", wide, 228, [1, 0, 0, 0, 0, 0], pass),
            ("CLOCK_REALTIME_COARSE", wide, 228, [5, 0, 0, 0, 0, 0], notify),
            ("CLOCK_BOOTTIME", wide, 228, [7, 0, 0, 0, 0, 0], pass),
            ("CLOCK_TAI", wide, 228, [11, 0, 0, 0, 0, 0], notify),
            ("FUTEX_WAIT_BITSET|REALTIME until", wide, 202, [0, 9 | 256, 0, 8, 0, 0], notify),
            ("the same, high up", wide, 202, [0, 9 | 256, 0, high, 0, 0], notify),
            ("the same, for ever", wide, 202, [0, 9 | 256, 0, 0, 0, 0], pass),
            ("FUTEX_WAIT until", wide, 202, [0, 128, 0, 8, 0, 0], pass),
            ("FUTEX_LOCK_PI until", wide, 202, [0, 6 | 128, 0, 8, 0, 0], notify),
            ("FUTEX_LOCK_PI2 until", wide, 202, [0, 13, 0, 8, 0, 0], pass),
            ("futex_waitv, monotonic", wide, 449, [0, 1, 0, 8, 1, 0], pass),
            ("futex_waitv, real time", wide, 449, [0, 1, 0, 8, 0, 0], notify),
            ("clock_nanosleep for", wide, 230, [0, 0, 8, 0, 0, 0], pass),
            ("clock_nanosleep until", wide, 230, [0, 1, 8, 0, 0, 0], notify),
            ("clock_nanosleep until, monotonic", wide, 230, [1, 1, 8, 0, 0, 0], pass),
            ("timerfd_settime for", wide, 286, [3, 0, 8, 0, 0, 0], pass),
            ("timerfd_settime until", wide, 286, [3, 1, 8, 0, 0, 0], notify),
            ("timerfd_settime until, or a step", wide, 286, [3, 3, 8, 0, 0, 0], notify),
            ("mq_timedsend for ever", wide, 242, [0; 6], pass),
            ("mq_timedreceive until", wide, 243, [0, 0, 0, 0, 8, 0], notify),
            ("clock_settime", wide, 227, [0; 6], refuse),
            ("settimeofday", wide, 164, [0; 6], refuse),
            ("execve of 32 bits", narrow, 11, [0; 6], notify),
            ("what is execve in 64 bits", narrow, 59, [0; 6], pass),
            ("time of 32 bits", narrow, 13, [0; 6], notify),
            ("clock_gettime64", narrow, 403, [0; 6], notify),
            ("clock_gettime64, monotonic", narrow, 403, [1, 0, 0, 0, 0, 0], pass),
            ("stime", narrow, 25, [0; 6], refuse),
            ("a call of another machine", 0xc000_00b7, 113, [0; 6], pass),
        ] {
            assert_eq!(run(abi, number, args), expect, "{what}");
        }
    }

    #[test]
    fn no_jump_is_too_long() {
        assert!(CALLS.iter().all(|call| rule(call).len() < usize::from(u8::MAX)));
        assert!(program().len() < libc::BPF_MAXINSNS as usize);
    }
}
