//! What happens when a program of the tree begins: its vDSO is made to tell reel's time before its first instruction.
//!
//! The functions' addresses in the vDSO's symbol table are replaced by those of the stub, in a page that the process maps on reel's
//! behalf, as it does reel's own page. The original code stays where it is, and nobody disassembles anything. Where that cannot be done
//! (a program of 32 bits, a vDSO of another kind), the vDSO is hidden: what looks for it then finds nothing in the auxiliary vector and
//! makes system calls, which are notified. That is slow, and right.

use std::io;

use nix::unistd::Pid;

use super::memory::Memory;
use super::page::PAGE_LEN_BYTES;
use super::stub;
use super::tracee::{Stop, Tracee, is_wide};
use super::vdso::{Function, Vdso};

/// Entries of the auxiliary vector (getauxval(3)).
const AT_NULL: u64 = 0;
const AT_IGNORE: u64 = 1;
const AT_SYSINFO_EHDR: u64 = 33;
/// The largest vDSO that is read: those of x86-64 have two or three pages.
const MAX_VDSO_LEN_BYTES: usize = 16 * PAGE_LEN_BYTES;
/// The most words on a new stack that are looked through for the auxiliary vector; behind them lie at most 6 MiB of strings, a pointer each.
const MAX_STACK_WORDS: u64 = 6 << 20;

/// What was done to a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Treatment {
    /// Its vDSO tells reel's time.
    Redirected,
    /// It has no vDSO, or was made not to find it: it makes system calls. Why.
    Hidden(String),
    /// It sees the machine's clock: why.
    Untouched(String),
}

/// The supervisor, as far as an exec needs it.
pub(super) trait Hand {
    /// Announces that this process will ask for a descriptor of reel's page, by `gettimeofday` of nothing.
    fn expect(&self, process: Pid);
    /// It has its answer.
    fn done(&self, process: Pid);
    /// The thread is about to go on without a tracer.
    fn releases(&self);
}

/// Follows a thread through an exec that has just been let through; none where it failed or the thread is gone.
///
/// # Errors
/// The kernel's, where the process could not be held.
pub(super) fn follow(tracee: Tracee, hand: &dyn Hand) -> io::Result<Option<(Pid, Treatment)>> {
    let mut tracee = tracee;
    tracee.interrupt()?;
    let mut is_new = false;
    loop {
        match tracee.wait()? {
            Stop::Gone => {
                hand.releases();
                return Ok(None);
            }
            // It stands in the kernel, and the interrupt is used up; the next one takes effect at the first instruction.
            Stop::Exec => {
                is_new = true;
                tracee.interrupt()?;
                tracee.resume(0)?;
            }
            Stop::Still => break,
            Stop::Signal(signal) => tracee.resume(signal)?,
        }
    }
    let process = tracee.id();
    let treatment = is_new.then(|| treat(&mut tracee, hand));
    hand.releases();
    tracee.release()?;
    Ok(treatment.map(|treatment| (process, treatment)))
}

fn treat(tracee: &mut Tracee, hand: &dyn Hand) -> Treatment {
    let found = tracee.registers().map_err(|error| error.to_string()).and_then(|registers| {
        let word = if is_wide(&registers) { Word::Wide } else { Word::Narrow };
        let auxv = std::fs::read(format!("/proc/{}/auxv", tracee.id())).map_err(|error| error.to_string())?;
        Ok((registers.rsp, word, vdso_address(&auxv, word)))
    });
    let (stack, word, address) = match found {
        Ok((_, _, None)) => return Treatment::Hidden("it has no vDSO".into()),
        Ok((stack, word, Some(address))) => (stack, word, address),
        Err(why) => return Treatment::Untouched(why),
    };
    let why = match word {
        Word::Narrow => "it is a program of 32 bits".to_owned(),
        Word::Wide => match redirect(tracee, address, hand) {
            Ok(()) => return Treatment::Redirected,
            Err(why) => why,
        },
    };
    match hide(Memory(tracee.id()), stack, word) {
        true => Treatment::Hidden(why),
        false => Treatment::Untouched(format!("{why}, and its vDSO cannot be hidden")),
    }
}

/// Makes the vDSO at an address tell reel's time.
fn redirect(tracee: &mut Tracee, address: u64, hand: &dyn Hand) -> Result<(), String> {
    let memory = Memory(tracee.id());
    let mut image = vec![0; MAX_VDSO_LEN_BYTES];
    let len = (0..MAX_VDSO_LEN_BYTES).step_by(PAGE_LEN_BYTES).take_while(|at| {
        image.get_mut(*at..at + PAGE_LEN_BYTES).is_some_and(|page| memory.read_exact(address + *at as u64, page))
    });
    let len = len.count() * PAGE_LEN_BYTES;
    let vdso = Vdso::parse(image.get(..len).unwrap_or_default())?;
    let (page, code) = map(tracee, address + vdso.syscall_at, hand)
        .map_err(|error| format!("a page cannot be mapped into it: {error}"))?;
    // Where the image is, against where it was linked for.
    let bias = address.wrapping_sub(vdso.linked_at);
    let original = |function| vdso.value(function).map_or(0, |value| bias.wrapping_add(value));
    let stub = stub::code(page, original(Function::ClockGettime), original(Function::Gettimeofday));
    let unwritable = "its pages cannot be written to";
    if !memory.force(code, &stub) {
        return Err(unwritable.into());
    }
    let entries = stub::entries();
    for symbol in &vdso.symbols {
        let entry = match symbol.function {
            Function::ClockGettime => entries.clock_gettime,
            Function::Gettimeofday => entries.gettimeofday,
            Function::Time => entries.time,
        };
        let value = (code + entry).wrapping_sub(bias);
        if !memory.force(address + symbol.value_at, &value.to_le_bytes()) {
            return Err(unwritable.into());
        }
    }
    Ok(())
}

/// Lets the process map reel's page and a page for code, with the `syscall` instruction at an address; where they are.
fn map(tracee: &mut Tracee, syscall: u64, hand: &dyn Hand) -> io::Result<(u64, u64)> {
    let process = tracee.id();
    let len = PAGE_LEN_BYTES as u64;
    let map = |calls: &mut super::tracee::Borrowed<'_>, access: i32, kind: i32, fd: u64| {
        calls.call(libc::SYS_mmap, [0, len, access as u64, kind as u64, fd, 0])
    };
    tracee.borrow(syscall, |calls| {
        hand.expect(process);
        let fd = calls.call(libc::SYS_gettimeofday, [0; 6]);
        hand.done(process);
        let fd = fd?;
        let page = map(calls, libc::PROT_READ, libc::MAP_SHARED, fd);
        calls.call(libc::SYS_close, [fd, 0, 0, 0, 0, 0])?;
        let code = map(calls, libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, u64::MAX)?;
        Ok((page?, code))
    })
}

/// The words of a program's stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Wide,
    Narrow,
}

impl Word {
    fn len_bytes(self) -> usize {
        match self {
            Word::Wide => 8,
            Word::Narrow => 4,
        }
    }

    fn read(self, bytes: &[u8]) -> u64 {
        bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}

/// Where an auxiliary vector says that the vDSO is.
fn vdso_address(auxv: &[u8], word: Word) -> Option<u64> {
    let words: Vec<u64> = auxv.chunks_exact(word.len_bytes()).map(|bytes| word.read(bytes)).collect();
    let entry = words.chunks_exact(2).find(|entry| entry.first() == Some(&AT_SYSINFO_EHDR))?;
    entry.last().copied().filter(|address| *address != 0)
}

/// Makes the auxiliary vector on a new stack say nothing of the vDSO; whether it could.
fn hide(memory: Memory, stack: u64, word: Word) -> bool {
    let len = word.len_bytes();
    let read = |address: u64| {
        let mut bytes = [0; 8];
        let bytes = bytes.get_mut(..len)?;
        memory.read_exact(address, bytes).then(|| word.read(bytes))
    };
    let place = |index: u64| stack + index * len as u64;
    // The stack begins with the number of arguments, those and a null, the environment and a null, and then the vector's pairs.
    let Some(arguments) = read(stack).filter(|count| *count < MAX_STACK_WORDS) else { return false };
    let mut words = (arguments + 2..MAX_STACK_WORDS).map(|index| (index, read(place(index))));
    let Some((end, Some(0))) = words.find(|(_, word)| matches!(word, None | Some(0))) else { return false };
    for index in (end + 1..end + 256).step_by(2) {
        match read(place(index)) {
            Some(AT_SYSINFO_EHDR) => {
                let ignored = AT_IGNORE.to_le_bytes();
                return memory.write(place(index), ignored.get(..len).unwrap_or_default());
            }
            None | Some(AT_NULL) => return false,
            Some(_) => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u64], word: Word) -> Vec<u8> {
        words.iter().flat_map(|value| value.to_le_bytes().into_iter().take(word.len_bytes())).collect()
    }

    #[test]
    fn the_vdso_is_found_in_the_auxiliary_vector() {
        for word in [Word::Wide, Word::Narrow] {
            for (words, expect) in [
                (vec![6, 4096, AT_SYSINFO_EHDR, 0x7000, AT_NULL, 0], Some(0x7000)),
                (vec![AT_SYSINFO_EHDR, 0, AT_NULL, 0], None),
                (vec![6, AT_SYSINFO_EHDR, AT_NULL, 0], None),
                (vec![AT_SYSINFO_EHDR], None),
            ] {
                assert_eq!(vdso_address(&bytes(&words, word), word), expect, "{word:?} {words:?}");
            }
        }
    }

    #[test]
    fn it_is_hidden_behind_arguments_and_environment() {
        let vector = [6, 4096, AT_SYSINFO_EHDR, 0x7000, 25, AT_SYSINFO_EHDR, AT_NULL, 0];
        for word in [Word::Wide, Word::Narrow] {
            for (before, expect) in [
                (vec![2, 100, 101, 0, 200, 201, 202, 0], true),
                (vec![0, 0, 0], true),
                (vec![1, 100, 0, 200, 0, 6, 1, AT_NULL, 0], false),
                (vec![u64::MAX, 0, 0], false),
            ] {
                let mut stack = bytes(&[before.as_slice(), &vector].concat(), word);
                let at = stack.as_mut_ptr().addr() as u64;
                assert_eq!(hide(Memory(Pid::this()), at, word), expect, "{word:?} {before:?}");
                let mut hidden = vector;
                hidden[2] = if expect { AT_IGNORE } else { AT_SYSINFO_EHDR };
                assert_eq!(stack, bytes(&[before.as_slice(), &hidden].concat(), word));
            }
        }
    }
}
