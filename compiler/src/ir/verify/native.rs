//! Operands of native instructions.

use reel_lang::ty::{Agg, Ty};

use super::super::text::ty_text;
use super::super::{HostOp, Inst, Reg};
use super::operands::{Check, Checker};

pub(super) fn check(checker: &Checker<'_>, inst: &Inst) -> Check {
    match inst {
        Inst::Field { dst, field } => {
            if field.0 as usize >= super::MAX_ITEMS {
                return Err(format!("{field} does not exist"));
            }
            checker.value(*dst)
        }
        Inst::Text { dst, data } => {
            checker.data(*data)?;
            checker.value(*dst)
        }
        Inst::TextEqual { dst, value, data } => {
            checker.data(*data)?;
            checker.value(*value)?;
            checker.bool(*dst)
        }
        Inst::CompareInt { dst, value, number, .. } => {
            checker.value(*value)?;
            checker.int(*number)?;
            checker.bool(*dst)
        }
        Inst::Matches { dst, value, pattern } => {
            if pattern.0 as usize >= checker.module.patterns.len() {
                return Err(format!("{pattern} does not exist"));
            }
            checker.value(*value)?;
            checker.bool(*dst)
        }
        Inst::Path { dst, value, path } => {
            if path.0 as usize >= checker.module.paths.len() {
                return Err(format!("{path} does not exist"));
            }
            checker.value(*value)?;
            checker.value(*dst)
        }
        Inst::ToInt { dst, value } => {
            checker.value(*value)?;
            checker.int(*dst)
        }
        Inst::FromInt { dst, src, .. } => {
            checker.scalar_reg(*src)?;
            checker.value(*dst)
        }
        Inst::IsNil { dst, value } => {
            checker.value(*value)?;
            checker.bool(*dst)
        }
        Inst::Host { dst, op, args } => host(checker, *dst, op, args),
        _ => Err("an instruction that this pass does not know".into()),
    }
}

/// A host operation: how many arguments, and what it gives. An argument may be a value or a scalar, which is seen as a
/// value.
fn host(checker: &Checker<'_>, dst: Option<Reg>, op: &HostOp, args: &[Reg]) -> Check {
    let keys = |map: &u32| checker.map_def(*map).map(|def| def.keys.len());
    let count = match op {
        HostOp::Equal | HostOp::Compare(_) | HostOp::Index => Some(2),
        HostOp::Nil | HostOp::Null | HostOp::Builtin(_) => Some(0),
        HostOp::Decimal(data) => checker.data(*data).map(|_| Some(0))?,
        HostOp::MapGet(map) | HostOp::MapDelete(map) | HostOp::MapHas(map) => Some(keys(map)?),
        HostOp::MapLen(map) => checker.map_def(*map).map(|_| Some(0))?,
        HostOp::MapSet(map) | HostOp::MapAdd(map) => Some(keys(map)? + 1),
        HostOp::MapAggregate(map, agg) => {
            let def = checker.map_def(*map)?;
            if def.value != Ty::Agg(*agg) {
                return Err(format!("map{map} holds {}", ty_text(&def.value)));
            }
            Some(def.keys.len() + usize::from(*agg != Agg::Count))
        }
        HostOp::Emit(output) => {
            if output.0 as usize >= checker.module.outputs.len() {
                return Err(format!("{output} does not exist"));
            }
            None
        }
        HostOp::TupleItem(_) => Some(1),
        HostOp::Call(_) | HostOp::Tuple | HostOp::Action(_) => None,
    };
    if count.is_some_and(|count| count != args.len()) {
        return Err(format!("{} arguments are wrong here", args.len()));
    }
    let Some(dst) = dst else { return Ok(()) };
    match op {
        HostOp::Equal | HostOp::Compare(_) | HostOp::MapDelete(_) | HostOp::MapHas(_) => checker.bool(dst),
        HostOp::MapSet(_) | HostOp::MapAdd(_) | HostOp::MapAggregate(..) | HostOp::Emit(_) | HostOp::Action(_) => {
            Err("this operation gives no result".into())
        }
        _ => checker.value(dst),
    }
}
