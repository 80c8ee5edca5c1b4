//! Declarations of a module (maps, data, patterns, paths, outputs) and types.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use reel_lang::hir::{MapId, Pattern};
use reel_lang::span::Span;
use reel_lang::ty::{Agg, IntTy, Space, Ty};

use super::super::text::{MAP_KINDS, SIMPLE_TYS};
use super::super::{MapDef, Module, Output, OutputArg, OutputKind, PathStep};
use super::token::{Line, Token};
use super::{ParseError, in_order};

/// Reads one declaration.
pub(super) fn declaration(module: &mut Module, line: &mut Line<'_>) -> Result<(), ParseError> {
    if line.word_starts("map") {
        numbered(line, "map", module.maps.len())?;
        module.maps.push(map(line)?);
    } else if line.word_starts("data") {
        numbered(line, "data", module.data.len())?;
        module.data.push(line.bytes()?);
    } else if line.word_starts("pattern") {
        numbered(line, "pattern", module.patterns.len())?;
        module.patterns.push(pattern(line)?);
    } else if line.word_starts("path") {
        numbered(line, "path", module.paths.len())?;
        module.paths.push(path(line)?);
    } else if line.word_starts("output") {
        numbered(line, "output", module.outputs.len())?;
        module.outputs.push(output(line)?);
    } else {
        return Err(line.expected("a declaration (map0:, data0:, pattern0:, path0:, output0:)"));
    }
    Ok(())
}

fn numbered(line: &mut Line<'_>, what: &str, expected: usize) -> Result<(), ParseError> {
    let number = line.id(what)?;
    in_order(line, what, number, expected)?;
    line.punct(':')
}

fn map(line: &mut Line<'_>) -> Result<MapDef, ParseError> {
    let word = line.word()?;
    let Some((kind, _)) = MAP_KINDS.iter().find(|(_, name)| *name == word) else {
        return Err(line.error(format!("no kind of map is called {word}")));
    };
    let name = line.string()?;
    let script = if line.take_word("script") { Some(MapId(line.number_as()?)) } else { None };
    line.keyword("keys")?;
    let keys = args(line)?;
    line.keyword("value")?;
    let value = ty(line)?;
    let value_items = items(line, MAX_DEPTH)?;
    line.keyword("key_len")?;
    let key_len_bytes = line.number_as()?;
    line.keyword("value_len")?;
    let value_len_bytes = line.number_as()?;
    line.keyword("max")?;
    Ok(MapDef {
        name,
        script,
        kind: *kind,
        keys,
        value,
        value_items,
        key_len_bytes,
        value_len_bytes,
        max_entries: line.number_as()?,
    })
}

fn pattern(line: &mut Line<'_>) -> Result<Pattern, ParseError> {
    if line.take_word("regex") {
        return line.string().map(Pattern::Regex);
    }
    line.keyword("glob")?;
    line.string().map(Pattern::Glob)
}

fn path(line: &mut Line<'_>) -> Result<Vec<PathStep>, ParseError> {
    let mut steps = Vec::new();
    while line.peek().is_some() {
        steps.push(match line.word()? {
            "name" => PathStep::Name(line.string()?),
            "index" => PathStep::Index(line.number()?),
            "header" => PathStep::Header(line.string()?),
            "headers" => PathStep::AllHeaders(line.string()?),
            other => return Err(line.error(format!("no step of a path is called {other}"))),
        });
    }
    Ok(steps)
}

fn output(line: &mut Line<'_>) -> Result<Output, ParseError> {
    let kind = match line.word()? {
        "printf" => OutputKind::Printf(line.string()?),
        "errorf" => OutputKind::Errorf(line.string()?),
        "warnf" => OutputKind::Warnf(line.string()?),
        "time" => OutputKind::Time(line.string()?),
        "print" => OutputKind::PrintValue,
        "printmap" => OutputKind::PrintMap(MapId(line.number_as()?)),
        "clear" => OutputKind::ClearMap(MapId(line.number_as()?)),
        "zero" => OutputKind::ZeroMap(MapId(line.number_as()?)),
        "exit" => OutputKind::Exit,
        "call" => OutputKind::Call(intern(&line.string()?)),
        other => return Err(line.error(format!("no output is called {other}"))),
    };
    line.keyword("args")?;
    let args = args(line)?;
    line.keyword("len")?;
    let len_bytes = line.number_as()?;
    let span: Span = line.span()?;
    Ok(Output { kind, args, len_bytes, span })
}

/// `(u64 at 8 len 8, string at 16 len 64)`
fn args(line: &mut Line<'_>) -> Result<Vec<OutputArg>, ParseError> {
    nested_args(line, MAX_DEPTH)
}

/// ` items (...)`, the parts of a tuple.
fn items(line: &mut Line<'_>, depth: usize) -> Result<Vec<OutputArg>, ParseError> {
    match depth.checked_sub(1) {
        _ if !line.take_word("items") => Ok(Vec::new()),
        Some(depth) => nested_args(line, depth),
        None => Err(line.error("a tuple that nests too deep")),
    }
}

fn nested_args(line: &mut Line<'_>, depth: usize) -> Result<Vec<OutputArg>, ParseError> {
    line.punct('(')?;
    let mut args = Vec::new();
    while !line.take_punct(')') {
        if !args.is_empty() {
            line.punct(',')?;
        }
        let ty = ty(line)?;
        line.keyword("at")?;
        let offset = line.number_as()?;
        line.keyword("len")?;
        let len_bytes = line.number_as()?;
        let items = items(line, depth)?;
        args.push(OutputArg { ty, offset, len_bytes, items });
    }
    Ok(args)
}

/// Types nest this deep at most.
const MAX_DEPTH: usize = 32;

fn ty(line: &mut Line<'_>) -> Result<Ty, ParseError> {
    nested_ty(line, MAX_DEPTH)
}

fn nested_ty(line: &mut Line<'_>, depth: usize) -> Result<Ty, ParseError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(line.error("a type that nests too deep"));
    };
    let Some(Token::Word(word)) = line.peek() else {
        return Err(line.expected("a type"));
    };
    if int_ty(word).is_some() {
        return take_int_ty(line).map(Ty::Int);
    }
    if let Some((ty, word)) = SIMPLE_TYS.iter().find(|(_, name)| name == word) {
        line.keyword(word)?;
        return Ok(ty.clone());
    }
    if let Some(agg) = maybe_agg(line)? {
        return Ok(Ty::Agg(agg));
    }
    let word = line.word()?;
    line.punct('(')?;
    let ty = match word {
        "buf" => Ty::Buf(line.number_as()?),
        "tuple" => {
            let mut items = Vec::new();
            while !matches!(line.peek(), Some(Token::Punct(')'))) {
                if !items.is_empty() {
                    line.punct(',')?;
                }
                items.push(nested_ty(line, depth)?);
            }
            Ty::Tuple(items)
        }
        "array" => {
            let item = nested_ty(line, depth)?;
            line.punct(',')?;
            Ty::Array(Box::new(item), line.number_as()?)
        }
        "ptr" => {
            let to = nested_ty(line, depth)?;
            line.punct(',')?;
            Ty::Ptr(Box::new(to), space(line)?)
        }
        "struct" => Ty::Struct(line.string()?),
        "enum" => {
            let name = line.string()?;
            line.punct(',')?;
            Ty::Enum(name, take_int_ty(line)?)
        }
        other => return Err(line.error(format!("no type is called {other}"))),
    };
    line.punct(')')?;
    Ok(ty)
}

/// An aggregation with its parameters, as `hist(2)`.
pub(super) fn agg(line: &mut Line<'_>) -> Result<Agg, ParseError> {
    match maybe_agg(line)? {
        Some(agg) => Ok(agg),
        None => Err(line.expected("an aggregation")),
    }
}

fn maybe_agg(line: &mut Line<'_>) -> Result<Option<Agg>, ParseError> {
    const NAMES: &[&str] = &["sum", "min", "max", "avg", "stats", "hist", "lhist"];
    if line.take_word("count") {
        return Ok(Some(Agg::Count));
    }
    let Some(name) = NAMES.iter().find(|name| line.word_is(name)) else {
        return Ok(None);
    };
    line.keyword(name)?;
    line.punct('(')?;
    let agg = match *name {
        "sum" => Agg::Sum { signed: sign(line)? },
        "min" => Agg::Min { signed: sign(line)? },
        "max" => Agg::Max { signed: sign(line)? },
        "avg" => Agg::Avg { signed: sign(line)? },
        "stats" => Agg::Stats { signed: sign(line)? },
        "hist" => Agg::Hist { bits: line.number_as()? },
        _ => {
            let min = line.number()?;
            line.punct(',')?;
            let max = line.number()?;
            line.punct(',')?;
            let step = line.number()?;
            Agg::Lhist { min, max, step }
        }
    };
    line.punct(')')?;
    Ok(Some(agg))
}

fn sign(line: &mut Line<'_>) -> Result<bool, ParseError> {
    if line.take_word("i") {
        return Ok(true);
    }
    line.keyword("u").map(|()| false)
}

pub(super) fn space(line: &mut Line<'_>) -> Result<Space, ParseError> {
    if line.take_word("kernel") {
        return Ok(Space::Kernel);
    }
    if line.take_word("user") {
        return Ok(Space::User);
    }
    Err(line.expected("kernel or user"))
}

pub(super) fn int_ty(word: &str) -> Option<IntTy> {
    let (signed, bits) = match word.split_at_checked(1)? {
        ("i", bits) => (true, bits),
        ("u", bits) => (false, bits),
        _ => return None,
    };
    let bits = match bits {
        "8" => 8,
        "16" => 16,
        "32" => 32,
        "64" => 64,
        _ => return None,
    };
    Some(IntTy { bits, signed })
}

pub(super) fn take_int_ty(line: &mut Line<'_>) -> Result<IntTy, ParseError> {
    let word = line.word()?;
    int_ty(word).ok_or_else(|| line.error(format!("{word} is no integer type")))
}

/// Names of functions and builtins are `&'static str` in the IR, since they come from the environment's tables; a name
/// that comes from a text is kept for the life of the process, once each.
pub(super) fn intern(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(name);
    name
}
