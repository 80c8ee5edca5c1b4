//! Programs as text, for `reel debug bpf` and for tests: slot, instruction, and the script where the span changes.
//!
//! The notation is the verifier's own, so that its log and this listing can be read side by side. Maps, kernel functions
//! and structs are shown by name.

use reel_lang::span::SourceMap;

use super::insn::{CALL, CALL_KFUNC, EXIT, Insn, JUMP, JUMP_FAR, LD_IMM64};
use super::{FixupKind, Object};
use crate::listing::Listing;

/// Lists all programs of an object. With sources, a line of the script comes before the instructions made from it.
pub fn disassemble(object: &Object, sources: Option<&SourceMap>) -> String {
    let mut out = Listing::new(sources);
    for map in &object.maps {
        let (key, value, entries) = (map.key_len_bytes, map.value_len_bytes, map.max_entries);
        out.line(format_args!("map {} {:?} key {key} value {value} entries {entries}", map.name, map.kind));
    }
    for index in 0..object.programs.len() {
        program(&mut out, object, index);
    }
    out.finish()
}

fn program(out: &mut Listing<'_>, object: &Object, index: usize) {
    let code = &object.programs[index];
    out.line(format_args!("program {} section {}", code.name, code.section));
    out.begin();
    let mut slot = 0;
    while let Some(&insn) = code.insns.get(slot) {
        out.place(code.spans.get(slot).copied().unwrap_or_default());
        let next = code.insns.get(slot + 1).copied();
        let name = name_of(object, index, slot as u32);
        out.line(format_args!("{slot:>5}  {}", text(insn, next, slot, name)));
        slot += if insn.code == LD_IMM64 { 2 } else { 1 };
    }
}

/// What a slot's constant stands for.
fn name_of(object: &Object, program: usize, slot: u32) -> Option<String> {
    let mut maps = object.programs[program].map_slots.iter();
    if let Some((_, map)) = maps.find(|(at, _)| *at == slot) {
        let map = object.maps.get(*map as usize)?;
        return Some(format!("map {}", map.name));
    }
    let fixup = object.fixups.iter().find(|fixup| fixup.program == program && fixup.slot == slot)?;
    Some(match fixup.kind {
        FixupKind::Kfunc => fixup.name.clone(),
        FixupKind::Struct => format!("btf_id struct {}", fixup.name),
    })
}

fn text(insn: Insn, next: Option<Insn>, slot: usize, name: Option<String>) -> String {
    let Insn { code, dst, src, offset, imm } = insn;
    let target = |distance: i64| slot as i64 + 1 + distance;
    match code {
        LD_IMM64 => {
            let high = next.map_or(0, |next| next.imm);
            let value = (i64::from(high) << 32) | i64::from(imm as u32);
            match name {
                Some(name) => format!("r{dst} = {name}"),
                None => format!("r{dst} = {value} ll"),
            }
        }
        CALL => match (src, name) {
            (CALL_KFUNC, Some(name)) => format!("call {name}"),
            (CALL_KFUNC, None) => format!("call kfunc#{imm}"),
            _ => format!("call helper#{imm}"),
        },
        EXIT => "exit".to_owned(),
        JUMP => format!("goto {}", target(offset.into())),
        JUMP_FAR => format!("gotol {}", target(imm.into())),
        _ => match code & 0x07 {
            0x01 => format!("r{dst} = *({} *)(r{src} {offset:+})", size(code)),
            0x02 => format!("*({} *)(r{dst} {offset:+}) = {imm}", size(code)),
            0x03 if code & 0xe0 == 0xc0 => {
                format!("lock *({} *)(r{dst} {offset:+}) += r{src}", size(code))
            }
            0x03 => format!("*({} *)(r{dst} {offset:+}) = r{src}", size(code)),
            0x05 => {
                let right = operand(code, src, imm, name);
                let to = target(offset.into());
                format!("if r{dst} {} {right} goto {to}", condition(code))
            }
            class @ (0x04 | 0x07) => {
                let letter = if class == 0x04 { 'w' } else { 'r' };
                match code & 0xf0 {
                    0x80 => format!("{letter}{dst} = -{letter}{dst}"),
                    _ if code & 0x08 != 0 => format!("{letter}{dst} {} {letter}{src}", alu(code)),
                    _ => format!("{letter}{dst} {} {}", alu(code), operand(code, src, imm, name)),
                }
            }
            _ => format!("unknown {code:#04x}"),
        },
    }
}

fn operand(code: u8, src: u8, imm: i32, name: Option<String>) -> String {
    match (code & 0x08, name) {
        (0, Some(name)) => name,
        (0, None) => imm.to_string(),
        _ => format!("r{src}"),
    }
}

fn size(code: u8) -> &'static str {
    match code & 0x18 {
        0x10 => "u8",
        0x08 => "u16",
        0x00 => "u32",
        _ => "u64",
    }
}

fn condition(code: u8) -> &'static str {
    match code & 0xf0 {
        0x10 => "==",
        0x20 => ">",
        0x30 => ">=",
        0x40 => "&",
        0x50 => "!=",
        0x60 => "s>",
        0x70 => "s>=",
        0xa0 => "<",
        0xb0 => "<=",
        0xc0 => "s<",
        _ => "s<=",
    }
}

fn alu(code: u8) -> &'static str {
    match code & 0xf0 {
        0x00 => "+=",
        0x10 => "-=",
        0x20 => "*=",
        0x30 => "/=",
        0x40 => "|=",
        0x50 => "&=",
        0x60 => "<<=",
        0x70 => ">>=",
        0x90 => "%=",
        0xa0 => "^=",
        0xb0 => "=",
        _ => "s>>=",
    }
}
