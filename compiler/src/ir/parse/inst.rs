//! Instructions: an optional `vN =`, a word, operands.

use reel_lang::schema::FieldId;

use super::super::text::inst::{BINARY, COMPARE, UNARY, VALUE_TYS};
use super::super::{Arg, At, CompareOp, Data, HostOp, Inst, OutputId, PathId, PatternId, Reg};
use super::ParseError;
use super::decl;
use super::token::{Line, Token};

/// Reads one instruction; the span after it is left.
pub(super) fn instruction(line: &mut Line<'_>) -> Result<Inst, ParseError> {
    let dst = if line.second_is('=') {
        let dst = line.reg()?;
        line.punct('=')?;
        Some(dst)
    } else {
        None
    };
    let word = line.word()?;
    let inst = if let Some(inst) = table(line, word, dst)? {
        inst
    } else if let Some(inst) = memory(line, word, dst)? {
        inst
    } else if let Some(inst) = kernel(line, word, dst)? {
        inst
    } else if let Some(inst) = native(line, word, dst)? {
        inst
    } else {
        return Err(line.error(format!("no instruction is called {word}")));
    };
    if inst.dst() != dst {
        return Err(line.error(format!("{word} gives no result")));
    }
    Ok(inst)
}

fn want(line: &Line<'_>, dst: Option<Reg>) -> Result<Reg, ParseError> {
    dst.ok_or_else(|| line.error("this instruction gives a result: write vN = before it"))
}

fn find<T: Copy>(table: &[(T, &str)], word: &str) -> Option<T> {
    let (item, _) = table.iter().find(|(_, name)| *name == word)?;
    Some(*item)
}

/// The operand after a comma.
fn next_reg(line: &mut Line<'_>) -> Result<Reg, ParseError> {
    line.punct(',')?;
    line.reg()
}

fn next_at(line: &mut Line<'_>) -> Result<At, ParseError> {
    line.punct(',')?;
    line.at()
}

fn next_u32(line: &mut Line<'_>) -> Result<u32, ParseError> {
    line.punct(',')?;
    line.number_as()
}

/// Instructions on registers alone.
fn table(line: &mut Line<'_>, word: &str, dst: Option<Reg>) -> Result<Option<Inst>, ParseError> {
    if let Some(op) = find(UNARY, word) {
        let dst = want(line, dst)?;
        let src = line.reg()?;
        return Ok(Some(Inst::Unary { op, dst, src }));
    }
    if let Some(op) = find(BINARY, word) {
        let dst = want(line, dst)?;
        let left = line.reg()?;
        let right = next_reg(line)?;
        return Ok(Some(Inst::Binary { op, dst, left, right }));
    }
    if let Some(op) = find(COMPARE, word) {
        let dst = want(line, dst)?;
        let left = line.reg()?;
        let right = next_reg(line)?;
        return Ok(Some(Inst::Compare { op, dst, left, right }));
    }
    Ok(Some(match word {
        "const" => Inst::Const { dst: want(line, dst)?, value: line.number()? },
        "copy" => Inst::Copy { dst: want(line, dst)?, src: line.reg()? },
        "cast" => Inst::Cast { dst: want(line, dst)?, src: line.reg()? },
        _ => return Ok(None),
    }))
}

/// Instructions on buffers, maps and outputs.
fn memory(line: &mut Line<'_>, word: &str, dst: Option<Reg>) -> Result<Option<Inst>, ParseError> {
    Ok(Some(match word {
        "zero" => Inst::Zero { to: line.at()?, len_bytes: next_u32(line)? },
        "set" => {
            let to = line.at()?;
            line.punct(',')?;
            let data = Data(line.id("data")?);
            Inst::SetData { to, data }
        }
        "load" => Inst::Load { dst: want(line, dst)?, from: line.at()? },
        "store" => Inst::Store { to: line.at()?, src: next_reg(line)? },
        "copybuf" => Inst::CopyBuf { to: line.at()?, from: next_at(line)?, len_bytes: next_u32(line)? },
        "equalbuf" => Inst::EqualBuf {
            dst: want(line, dst)?,
            left: line.at()?,
            right: next_at(line)?,
            len_bytes: next_u32(line)?,
        },
        "mapget" => Inst::MapGet { map: line.id("map")?, key: next_at(line)?, to: next_at(line)?, found: dst },
        "mapset" => Inst::MapSet { map: line.id("map")?, key: next_at(line)?, value: next_at(line)? },
        "mapadd" => Inst::MapAdd { map: line.id("map")?, key: next_at(line)?, delta: next_reg(line)? },
        "mapdelete" => Inst::MapDelete { map: line.id("map")?, key: next_at(line)?, found: dst },
        "aggregate" => {
            let map = line.id("map")?;
            let key = next_at(line)?;
            line.punct(',')?;
            let agg = decl::agg(line)?;
            let value = if line.take_punct(',') { Some(line.reg()?) } else { None };
            Inst::MapAggregate { map, key, agg, value }
        }
        "emit" => Inst::Emit { output: OutputId(line.id("output")?), record: next_at(line)? },
        _ => return Ok(None),
    }))
}

fn kernel(line: &mut Line<'_>, word: &str, dst: Option<Reg>) -> Result<Option<Inst>, ParseError> {
    Ok(Some(match word {
        "context" => Inst::Context { dst: want(line, dst)?, offset: line.number_as()? },
        "contextaddress" => Inst::ContextAddress { dst: want(line, dst)?, offset: line.reg()? },
        "follow" => Inst::Follow { dst: want(line, dst)?, base: line.reg()?, offset: next_u32(line)? },
        "probe" => {
            let space = decl::space(line)?;
            Inst::Probe { space, to: next_at(line)?, len_bytes: next_u32(line)?, address: next_reg(line)?, failed: dst }
        }
        "probestr" => {
            let space = decl::space(line)?;
            Inst::ProbeStr { space, to: next_at(line)?, len_bytes: next_u32(line)?, address: next_reg(line)?, dst }
        }
        "helper" => Inst::Helper { dst, helper: line.number_as()?, args: list(line, arg)? },
        "kfunc" => Inst::Kfunc { dst, name: line.string()?, args: list(line, arg)? },
        "put" => Inst::Put { base: line.reg()?, offset: next_u32(line)?, src: next_reg(line)? },
        "setcontext" => Inst::SetContext { offset: line.number_as()?, src: next_reg(line)? },
        _ => return Ok(None),
    }))
}

fn native(line: &mut Line<'_>, word: &str, dst: Option<Reg>) -> Result<Option<Inst>, ParseError> {
    if word == "host" {
        let op = host_op(line)?;
        let args = list(line, Line::reg)?;
        return Ok(Some(Inst::Host { dst, op, args }));
    }
    let to = |line: &Line<'_>| want(line, dst);
    Ok(Some(match word {
        "field" => Inst::Field { dst: to(line)?, field: FieldId(line.number_as()?) },
        "text" => Inst::Text { dst: to(line)?, data: Data(line.id("data")?) },
        "textequal" => {
            let value = line.reg()?;
            line.punct(',')?;
            Inst::TextEqual { dst: to(line)?, value, data: Data(line.id("data")?) }
        }
        "compareint" => {
            let op = compare_op(line)?;
            Inst::CompareInt { op, dst: to(line)?, value: line.reg()?, number: next_reg(line)? }
        }
        "matches" => {
            let value = line.reg()?;
            line.punct(',')?;
            Inst::Matches { dst: to(line)?, value, pattern: PatternId(line.id("pattern")?) }
        }
        "path" => {
            let value = line.reg()?;
            line.punct(',')?;
            Inst::Path { dst: to(line)?, value, path: PathId(line.id("path")?) }
        }
        "toint" => Inst::ToInt { dst: to(line)?, value: line.reg()? },
        "fromint" => {
            let name = line.word()?;
            let Some(ty) = find(VALUE_TYS, name) else {
                return Err(line.error(format!("no kind of value is called {name}")));
            };
            Inst::FromInt { dst: to(line)?, ty, src: line.reg()? }
        }
        "isnil" => Inst::IsNil { dst: to(line)?, value: line.reg()? },
        _ => return Ok(None),
    }))
}

fn compare_op(line: &mut Line<'_>) -> Result<CompareOp, ParseError> {
    let word = line.word()?;
    find(COMPARE, word).ok_or_else(|| line.error(format!("no comparison is called {word}")))
}

fn host_op(line: &mut Line<'_>) -> Result<HostOp, ParseError> {
    Ok(match line.word()? {
        "equal" => HostOp::Equal,
        "compare" => HostOp::Compare(compare_op(line)?),
        "index" => HostOp::Index,
        "nil" => HostOp::Nil,
        "null" => HostOp::Null,
        "decimal" => HostOp::Decimal(Data(line.id("data")?)),
        "mapget" => HostOp::MapGet(line.id("map")?),
        "mapset" => HostOp::MapSet(line.id("map")?),
        "mapadd" => HostOp::MapAdd(line.id("map")?),
        "maphas" => HostOp::MapHas(line.id("map")?),
        "maplen" => HostOp::MapLen(line.id("map")?),
        "mapdelete" => HostOp::MapDelete(line.id("map")?),
        "aggregate" => {
            let map = line.id("map")?;
            HostOp::MapAggregate(map, decl::agg(line)?)
        }
        "emit" => HostOp::Emit(OutputId(line.id("output")?)),
        "call" => HostOp::Call(decl::intern(&line.string()?)),
        "tuple" => HostOp::Tuple,
        "item" => HostOp::TupleItem(line.number_as()?),
        "builtin" => HostOp::Builtin(decl::intern(&line.string()?)),
        "action" => HostOp::Action(line.number_as()?),
        other => return Err(line.error(format!("no host operation is called {other}"))),
    })
}

/// `(a, b)`
fn list<'a, T>(line: &mut Line<'a>, item: fn(&mut Line<'a>) -> Result<T, ParseError>) -> Result<Vec<T>, ParseError> {
    line.punct('(')?;
    let mut items = Vec::new();
    while !line.take_punct(')') {
        if !items.is_empty() {
            line.punct(',')?;
        }
        items.push(item(line)?);
    }
    Ok(items)
}

fn arg(line: &mut Line<'_>) -> Result<Arg, ParseError> {
    Ok(match line.peek() {
        Some(Token::Number(_)) => Arg::Imm(line.number()?),
        Some(Token::Word("context")) => {
            line.keyword("context")?;
            Arg::Context
        }
        Some(Token::Word("btf")) => {
            line.keyword("btf")?;
            Arg::BtfType(Data(line.id("data")?))
        }
        Some(Token::Word(_)) if line.word_starts("map") => Arg::Map(line.id("map")?),
        Some(Token::Word(_)) if line.word_starts("buf") => Arg::At(line.at()?),
        _ => Arg::Reg(line.reg()?),
    })
}
