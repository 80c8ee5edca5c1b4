//! The text form of the IR: what `reel debug ir` prints and what the data files of the differential suite hold.
//!
//! The form is line-based and deterministic: the same module gives the same bytes, and [`super::parse`] reads back what
//! is written here without loss, spans included. Declarations come first (`map0:`, `data0:`, ...), then functions, whose
//! registers and buffers are declared before the first block. `;` begins a comment.

pub(super) mod inst;
mod ty;

use std::fmt::{self, Write};

use reel_lang::hir::Pattern;
use reel_lang::span::Span;

use super::{Function, MapDef, MapKind, Module, Output, OutputArg, OutputKind, PathStep, Terminator};

pub(super) use ty::SIMPLE as SIMPLE_TYS;
pub use ty::{agg_text, reg_ty_text, ty_text};

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, map) in self.maps.iter().enumerate() {
            writeln!(f, "map{index}: {}", MapText(map))?;
        }
        for (index, data) in self.data.iter().enumerate() {
            writeln!(f, "data{index}: {}", Quoted(data))?;
        }
        for (index, pattern) in self.patterns.iter().enumerate() {
            let (kind, text) = match pattern {
                Pattern::Regex(text) => ("regex", text),
                Pattern::Glob(text) => ("glob", text),
            };
            writeln!(f, "pattern{index}: {kind} {}", Quoted(text.as_bytes()))?;
        }
        for (index, steps) in self.paths.iter().enumerate() {
            write!(f, "path{index}:")?;
            for step in steps {
                write!(f, " {}", StepText(step))?;
            }
            writeln!(f)?;
        }
        for (index, output) in self.outputs.iter().enumerate() {
            writeln!(f, "output{index}: {}", OutputText(output))?;
        }
        for function in &self.functions {
            write!(f, "{function}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "function {}", Quoted(self.name.as_bytes()))?;
        for (index, ty) in self.regs.iter().enumerate() {
            writeln!(f, "  v{index}: {}", reg_ty_text(*ty))?;
        }
        for (index, buf) in self.bufs.iter().enumerate() {
            let stack = if buf.on_stack { " stack" } else { "" };
            writeln!(f, "  buf{index}: {}{stack}", buf.len_bytes)?;
        }
        for (index, block) in self.blocks.iter().enumerate() {
            writeln!(f, "block{index}:")?;
            for (inst, span) in &block.insts {
                writeln!(f, "  {inst}{}", SpanText(*span))?;
            }
            writeln!(f, "  {}", block.terminator)?;
        }
        Ok(())
    }
}

impl fmt::Display for Terminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Terminator::Jump(to) => write!(f, "jump {to}"),
            Terminator::Branch { condition, then, otherwise } => write!(f, "branch {condition}, {then}, {otherwise}"),
            Terminator::Return(reg) => write!(f, "return {reg}"),
        }
    }
}

/// A quoted string: printable ASCII as it is, everything else escaped.
pub(super) struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for &byte in self.0 {
            match byte {
                b'"' => f.write_str("\\\"")?,
                b'\\' => f.write_str("\\\\")?,
                b'\n' => f.write_str("\\n")?,
                0x20..=0x7e => f.write_char(char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        f.write_char('"')
    }
}

/// A span at the end of a line; nothing for one that says nothing.
struct SpanText(Span);

impl fmt::Display for SpanText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Span::default() {
            return Ok(());
        }
        write!(f, " @{}:{}..{}", self.0.file.0, self.0.start, self.0.end)
    }
}

struct ArgsText<'a>(&'a [OutputArg]);

impl fmt::Display for ArgsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('(')?;
        for (index, arg) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} at {} len {}", ty_text(&arg.ty), arg.offset, arg.len_bytes)?;
            items(f, &arg.items)?;
        }
        f.write_char(')')
    }
}

/// The parts of a tuple, where there are any.
fn items(f: &mut fmt::Formatter<'_>, items: &[OutputArg]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    write!(f, " items {}", ArgsText(items))
}

/// The word for a kind of map.
pub(super) const MAP_KINDS: &[(MapKind, &str)] = &[
    (MapKind::Hash, "hash"),
    (MapKind::LruHash, "lru_hash"),
    (MapKind::PercpuHash, "percpu_hash"),
    (MapKind::Array, "array"),
    (MapKind::PercpuArray, "percpu_array"),
    (MapKind::Ringbuf, "ringbuf"),
    (MapKind::SkStorage, "sk_storage"),
];

struct MapText<'a>(&'a MapDef);

impl fmt::Display for MapText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let map = self.0;
        let kind = MAP_KINDS.iter().find(|(kind, _)| *kind == map.kind);
        write!(f, "{} {}", kind.map_or("?", |(_, word)| word), Quoted(map.name.as_bytes()))?;
        if let Some(id) = map.script {
            write!(f, " script {}", id.0)?;
        }
        write!(f, " keys {} value {}", ArgsText(&map.keys), ty_text(&map.value))?;
        items(f, &map.value_items)?;
        write!(f, " key_len {} value_len {} max {}", map.key_len_bytes, map.value_len_bytes, map.max_entries)
    }
}

struct StepText<'a>(&'a PathStep);

impl fmt::Display for StepText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            PathStep::Name(name) => write!(f, "name {}", Quoted(name.as_bytes())),
            PathStep::Index(index) => write!(f, "index {index}"),
            PathStep::Header(name) => write!(f, "header {}", Quoted(name.as_bytes())),
            PathStep::AllHeaders(name) => write!(f, "headers {}", Quoted(name.as_bytes())),
        }
    }
}

struct OutputText<'a>(&'a Output);

impl fmt::Display for OutputText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            OutputKind::Printf(text) => write!(f, "printf {}", Quoted(text.as_bytes()))?,
            OutputKind::Errorf(text) => write!(f, "errorf {}", Quoted(text.as_bytes()))?,
            OutputKind::Warnf(text) => write!(f, "warnf {}", Quoted(text.as_bytes()))?,
            OutputKind::Time(text) => write!(f, "time {}", Quoted(text.as_bytes()))?,
            OutputKind::PrintValue => f.write_str("print")?,
            OutputKind::PrintMap(map) => write!(f, "printmap {}", map.0)?,
            OutputKind::ClearMap(map) => write!(f, "clear {}", map.0)?,
            OutputKind::ZeroMap(map) => write!(f, "zero {}", map.0)?,
            OutputKind::Exit => f.write_str("exit")?,
            OutputKind::Call(name) => write!(f, "call {}", Quoted(name.as_bytes()))?,
        }
        let args = ArgsText(&self.0.args);
        let len_bytes = self.0.len_bytes;
        write!(f, " args {args} len {len_bytes}{}", SpanText(self.0.span))
    }
}
