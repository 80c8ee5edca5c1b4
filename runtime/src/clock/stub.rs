//! The machine code that stands in for the vDSO's functions: `clock_gettime`, `gettimeofday` and `time` that read reel's page.
//!
//! Position-independent, for x86-64, below a page long. It begins with three addresses that are filled in for each process: the page,
//! and the original `clock_gettime` and `gettimeofday`, which answer for other clocks and give the monotonic time on which a running
//! clock is built. Nothing but registers that a call may change is changed, and no system call is made.

use std::arch::global_asm;

global_asm!(
    r#"
.pushsection .text.reel_clock_stub,"ax",@progbits
.balign 16
.globl reel_clock_stub
reel_clock_stub:
reel_clock_page:        .quad 0
reel_clock_original:    .quad 0
reel_clock_original_us: .quad 0

# int clock_gettime(clockid_t edi, struct timespec *rsi)
.balign 16
.globl reel_clock_gettime
reel_clock_gettime:
    test edi, edi                       # CLOCK_REALTIME
    je 2f
    cmp edi, 5                          # CLOCK_REALTIME_COARSE
    je 2f
    cmp edi, 11                         # CLOCK_TAI
    je 2f
    jmp qword ptr [rip + reel_clock_original]
2:  mov r8, [rip + reel_clock_page]
    cmp dword ptr [r8], 0
    jne 3f
    mov rax, [r8 + 8]
    jmp 4f
3:  push rsi                            # it runs: at_ns + monotonic time
    sub rsp, 16
    mov edi, 1
    mov rsi, rsp
    call qword ptr [rip + reel_clock_original]
    imul rax, qword ptr [rsp], 1000000000
    add rax, [rsp + 8]
    add rsp, 16
    pop rsi
    mov r8, [rip + reel_clock_page]
    add rax, [r8 + 8]
4:  cqo                                 # seconds, and nanoseconds that are never negative
    mov ecx, 1000000000
    idiv rcx
    test rdx, rdx
    jns 5f
    add rdx, rcx
    dec rax
5:  mov [rsi], rax
    mov [rsi + 8], rdx
    xor eax, eax
    ret

# int gettimeofday(struct timeval *rdi, struct timezone *rsi)
.balign 16
.globl reel_clock_timeofday
reel_clock_timeofday:
    test rdi, rdi
    jz 2f
    push rdi
    sub rsp, 16
    test rsi, rsi
    jz 1f
    mov qword ptr [rsi], 0
1:  xor edi, edi
    mov rsi, rsp
    call reel_clock_gettime
    mov rax, [rsp + 8]
    xor edx, edx
    mov ecx, 1000
    div rcx
    mov rcx, [rsp]
    mov rdi, [rsp + 16]
    mov [rdi], rcx
    mov [rdi + 8], rax
    xor eax, eax
    add rsp, 24
    ret
2:  jmp qword ptr [rip + reel_clock_original_us]

# time_t time(time_t *rdi)
.balign 16
.globl reel_clock_time
reel_clock_time:
    push rdi
    sub rsp, 16
    xor edi, edi
    mov rsi, rsp
    call reel_clock_gettime
    mov rax, [rsp]
    mov rdi, [rsp + 16]
    test rdi, rdi
    jz 1f
    mov [rdi], rax
1:  add rsp, 24
    ret
.globl reel_clock_stub_end
reel_clock_stub_end:
.popsection
"#
);

// SAFETY: the symbols are defined above; only their addresses and the bytes between the first and the last are used.
unsafe extern "C" {
    static reel_clock_stub: u8;
    static reel_clock_gettime: u8;
    static reel_clock_timeofday: u8;
    static reel_clock_time: u8;
    static reel_clock_stub_end: u8;
}

/// Where the functions begin, from the start of the code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entries {
    pub(super) clock_gettime: u64,
    pub(super) gettimeofday: u64,
    pub(super) time: u64,
}

/// The functions of the stub.
pub(super) fn entries() -> Entries {
    let from_start = |symbol: *const u8| (symbol.addr() - (&raw const reel_clock_stub).addr()) as u64;
    Entries {
        clock_gettime: from_start(&raw const reel_clock_gettime),
        gettimeofday: from_start(&raw const reel_clock_timeofday),
        time: from_start(&raw const reel_clock_time),
    }
}

/// The code for a process: with the addresses, there, of the page and of the functions that it stands in for.
pub(super) fn code(page: u64, clock_gettime: u64, gettimeofday: u64) -> Vec<u8> {
    let start = &raw const reel_clock_stub;
    let len = (&raw const reel_clock_stub_end).addr() - start.addr();
    // SAFETY: the bytes between the two symbols are this module's code, in one section, and are never written.
    let template = unsafe { std::slice::from_raw_parts(start, len) };
    let literals = [page, clock_gettime, gettimeofday].map(u64::to_le_bytes).concat();
    [literals.as_slice(), template.get(literals.len()..).unwrap_or_default()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::page::PAGE_LEN_BYTES;

    #[test]
    fn the_code_fits_a_page_and_begins_with_its_addresses() {
        let code = code(1, 2, 3);
        assert!((200..PAGE_LEN_BYTES).contains(&code.len()), "{}", code.len());
        assert_eq!(code[..24], [1u64, 2, 3].map(u64::to_le_bytes).concat());
        let Entries { clock_gettime, gettimeofday, time } = entries();
        assert!(24 <= clock_gettime && clock_gettime < gettimeofday && gettimeofday < time);
    }
}
