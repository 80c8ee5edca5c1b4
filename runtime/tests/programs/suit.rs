//! A program of the kernel as rbpf takes it: the same, but for what rbpf does not have.
//!
//! rbpf refuses atomic additions, extends the constant of a jump with zeroes where the kernel extends its sign, and panics when it
//! negates the smallest number. Each such instruction becomes some that mean the same; a register that is dead there holds what is in
//! between. Jumps keep their targets.

use reel_compiler::bpf::insn::{Alu, CALL, Cond, EXIT, Insn, JUMP, JUMP_FAR, LD_IMM64, Size};

use super::interpret::HELPERS;

/// rbpf counts slots in 16 bits.
const MAX_SLOTS: usize = i16::MAX as usize;
const ATOMIC_ADD: u8 = 0xc3;
const NEG: u8 = Alu::Neg as u8 | 0x07;

/// The program for rbpf, or why it cannot be run there.
pub fn suited(insns: &[Insn]) -> Result<Vec<Insn>, String> {
    let mut pieces = Vec::new();
    let mut slot = 0;
    while let Some(insn) = insns.get(slot) {
        let len = if insn.code == LD_IMM64 { 2 } else { 1 };
        pieces.push(match insn.code {
            JUMP_FAR => return Err("a jump beyond 16 bits".to_owned()),
            _ if len == 2 => insns[slot..slot + 2].to_vec(),
            _ => piece(insns, slot, *insn).ok_or_else(|| format!("no register is free at slot {slot}"))?,
        });
        // The second slot of a constant is no place to jump to.
        pieces.extend((1..len).map(|_| Vec::new()));
        slot += len;
    }
    joined(insns, &pieces)
}

/// Puts the pieces together. Where the instruction jumped, the last of its piece that is marked so jumps.
fn joined(insns: &[Insn], pieces: &[Vec<Insn>]) -> Result<Vec<Insn>, String> {
    let mut starts = vec![0];
    for piece in pieces {
        starts.push(starts[starts.len() - 1] + piece.len());
    }
    if starts[pieces.len()] > MAX_SLOTS {
        return Err("too many slots".to_owned());
    }
    let mut out: Vec<Insn> = Vec::new();
    for (slot, piece) in pieces.iter().enumerate() {
        out.extend(piece);
        if jumps(&insns[slot]) && !piece.is_empty() {
            let target = starts[target(insns, slot)];
            let from = out.len();
            out[from - 1].offset = (target as i64 - from as i64) as i16;
        }
    }
    Ok(out)
}

/// What stands for one instruction.
fn piece(insns: &[Insn], slot: usize, insn: Insn) -> Option<Vec<Insn>> {
    let Insn { code, dst, src, offset, imm } = insn;
    if code & !(Size::B8 as u8) == ATOMIC_ADD {
        let size = if code & Size::B8 as u8 == Size::B8 as u8 { Size::B8 } else { Size::B4 };
        let free = free(insns, slot, &[dst, src])?;
        return Some(vec![
            Insn::load(size, free, dst, offset),
            Insn::alu(Alu::Add, free, src),
            Insn::store(size, dst, offset, free),
        ]);
    }
    if code == NEG {
        return Some(vec![Insn::alu_imm(Alu::Xor, dst, -1), Insn::alu_imm(Alu::Add, dst, 1)]);
    }
    if jumps(&insn) && code & 0x0f == 0x05 && code != JUMP && imm < 0 {
        let free = free(insns, slot, &[dst])?;
        let by_register = Insn { code: code | 0x08, src: free, imm: 0, ..insn };
        return Some(vec![Insn::alu_imm(Alu::Mov, free, imm), by_register]);
    }
    Some(vec![insn])
}

fn jumps(insn: &Insn) -> bool {
    insn.code & 0x07 == 0x05 && ![CALL, EXIT].contains(&insn.code)
}

fn target(insns: &[Insn], slot: usize) -> usize {
    (slot as i64 + 1 + i64::from(insns[slot].offset)) as usize
}

/// A register that nothing reads after a slot before it is written.
fn free(insns: &[Insn], slot: usize, used: &[u8]) -> Option<u8> {
    (0..10).find(|register| !used.contains(register) && is_dead(insns, slot, *register))
}

fn is_dead(insns: &[Insn], slot: usize, register: u8) -> bool {
    let mut seen = vec![false; insns.len()];
    let mut open = next(insns, slot);
    while let Some(slot) = open.pop() {
        let Some(insn) = insns.get(slot) else { return false };
        if std::mem::replace(&mut seen[slot], true) {
            continue;
        }
        if reads(insn, register) {
            return false;
        }
        if !writes(insn, register) {
            open.extend(next(insns, slot));
        }
    }
    true
}

/// The slots that may come after one.
fn next(insns: &[Insn], slot: usize) -> Vec<usize> {
    let insn = &insns[slot];
    match insn.code {
        EXIT => Vec::new(),
        JUMP => vec![target(insns, slot)],
        LD_IMM64 => vec![slot + 2],
        _ if jumps(insn) => vec![slot + 1, target(insns, slot)],
        _ => vec![slot + 1],
    }
}

fn reads(insn: &Insn, register: u8) -> bool {
    let Insn { code, dst, src, imm, .. } = *insn;
    let by_register = code & 0x08 != 0;
    match code & 0x07 {
        _ if code == CALL => (1..=arguments(imm)).contains(&register),
        _ if code == EXIT => register == 0,
        _ if code == JUMP || code == LD_IMM64 => false,
        // Loads, stores of a constant, stores of a register.
        1 => src == register,
        2 => dst == register,
        3 => dst == register || src == register,
        // Arithmetic: a move does not read what it writes.
        4 | 7 => (code & 0xf0 != Alu::Mov as u8 && dst == register) || (by_register && src == register),
        _ => dst == register || (by_register && src == register),
    }
}

/// How many arguments a helper takes; all five, where it is not known here.
fn arguments(helper: i32) -> u8 {
    HELPERS.iter().find(|(number, ..)| *number as i32 == helper).map_or(5, |(_, arguments, _)| *arguments)
}

fn writes(insn: &Insn, register: u8) -> bool {
    match insn.code & 0x07 {
        _ if insn.code == CALL => register <= 5,
        0 | 1 | 4 | 7 => insn.dst == register,
        _ => false,
    }
}

#[test]
fn what_rbpf_lacks_is_written_otherwise() {
    let program = [
        Insn::alu_imm(Alu::Mov, 0, 7),
        Insn::store(Size::B8, 10, -8, 0),
        Insn::atomic_add(Size::B8, 10, -8, 0),
        Insn::load(Size::B8, 0, 10, -8),
        Insn::alu_imm(Alu::Neg, 0, 0),
        Insn { offset: 1, ..Insn::jump_imm(Cond::Eq, 0, -14) },
        Insn::alu_imm(Alu::Mov, 0, 1),
        Insn::exit(),
    ];
    let bytes: Vec<u8> = suited(&program).unwrap().iter().flat_map(|insn| insn.bytes()).collect();
    assert_eq!(rbpf::EbpfVmNoData::new(Some(&bytes)).unwrap().execute_program().unwrap() as i64, -14);
}
