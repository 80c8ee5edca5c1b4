//! Operands: that they exist, and have the type and the room that the instruction wants.

use reel_lang::ty::{IntTy, Ty};

use super::super::text::{reg_ty_text, ty_text};
use super::super::{Arg, At, BinaryOp, CompareOp, Data, Function, Inst, MapDef, Module, Reg, RegTy, UnaryOp};
use super::native;

pub(super) type Check<T = ()> = Result<T, String>;

/// Checks one instruction.
pub(super) fn check(module: &Module, function: &Function, inst: &Inst) -> Check {
    let checker = Checker { module, function };
    let mut touched = inst.reads();
    touched.extend(inst.dst());
    for number in touched {
        reg(function, number)?;
    }
    if checker.scalar(inst)? || checker.memory(inst)? || checker.map(inst)? || checker.kernel(inst)? {
        return Ok(());
    }
    native::check(&checker, inst)
}

fn reg(function: &Function, reg: Reg) -> Check<RegTy> {
    let ty = function.regs.get(reg.0 as usize).copied();
    ty.ok_or_else(|| format!("{reg} does not exist"))
}

fn is(function: &Function, number: Reg, want: RegTy) -> Check {
    let found = reg(function, number)?;
    if found == want {
        return Ok(());
    }
    Err(format!("{number} is {}, not {}", reg_ty_text(found), reg_ty_text(want)))
}

pub(super) fn want_bool(function: &Function, number: Reg) -> Check {
    is(function, number, RegTy::Bool)
}

/// The integer type that a scalar register is held as.
pub(super) fn want_scalar(function: &Function, number: Reg) -> Check<IntTy> {
    let found = reg(function, number)?;
    let int = found.int();
    int.ok_or_else(|| format!("{number} is {}, not a scalar", reg_ty_text(found)))
}

/// What the checks of one instruction look at.
pub(super) struct Checker<'a> {
    pub module: &'a Module,
    pub function: &'a Function,
}

impl Checker<'_> {
    pub(super) fn bool(&self, number: Reg) -> Check {
        want_bool(self.function, number)
    }

    pub(super) fn value(&self, number: Reg) -> Check {
        is(self.function, number, RegTy::Value)
    }

    pub(super) fn scalar_reg(&self, number: Reg) -> Check<IntTy> {
        want_scalar(self.function, number)
    }

    pub(super) fn int(&self, number: Reg) -> Check {
        match reg(self.function, number)? {
            RegTy::Int(_) => Ok(()),
            other => Err(format!("{number} is {}, not an integer", reg_ty_text(other))),
        }
    }

    fn maybe_bool(&self, number: Option<Reg>) -> Check {
        number.map_or(Ok(()), |number| self.bool(number))
    }

    fn same(&self, left: Reg, right: Reg) -> Check<RegTy> {
        let ty = reg(self.function, left)?;
        if ty == reg(self.function, right)? {
            return Ok(ty);
        }
        Err(format!("{left} and {right} differ in type"))
    }

    fn scalar(&self, inst: &Inst) -> Check<bool> {
        match inst {
            Inst::Const { dst, value } => {
                self.scalar_reg(*dst)?;
                if self.bool(*dst).is_ok() && !matches!(value, 0 | 1) {
                    return Err("a bool is 0 or 1".into());
                }
            }
            Inst::Copy { dst, src } => {
                self.same(*dst, *src)?;
            }
            Inst::Unary { op, dst, src } => {
                match op {
                    UnaryOp::Not => self.bool(*src)?,
                    UnaryOp::Neg | UnaryOp::BitNot => self.int(*src)?,
                }
                self.same(*dst, *src)?;
            }
            Inst::Binary { op, dst, left, right } => {
                self.same(*dst, *left)?;
                // A number is added to a pointer that the verifier knows.
                if *op == BinaryOp::Add && is(self.function, *left, RegTy::Btf).is_ok() {
                    return self.scalar_reg(*right).map(|_| true);
                }
                let ty = self.same(*left, *right)?;
                let logical = matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor);
                if !(ty == RegTy::Bool && logical) {
                    self.int(*left)?;
                }
            }
            Inst::Compare { op, dst, left, right } => {
                self.bool(*dst)?;
                let ty = self.same(*left, *right)?;
                self.scalar_reg(*left)?;
                if !matches!(op, CompareOp::Eq | CompareOp::Ne) && ty == RegTy::Bool {
                    return Err("bools have no order".into());
                }
            }
            Inst::Cast { dst, src } => {
                self.scalar_reg(*src)?;
                self.scalar_reg(*dst)?;
                if matches!(reg(self.function, *dst)?, RegTy::Bool | RegTy::Btf) {
                    return Err("a cast gives an integer or an address".into());
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// That bytes of a buffer exist.
    fn room(&self, at: At, len_bytes: u32) -> Check {
        let Some(buf) = self.function.bufs.get(at.buf.0 as usize) else {
            return Err(format!("{} does not exist", at.buf));
        };
        match at.offset.checked_add(len_bytes) {
            Some(end) if end <= buf.len_bytes => Ok(()),
            _ => Err(format!("{at} with {len_bytes} bytes is out of bounds")),
        }
    }

    pub(super) fn map_def(&self, map: u32) -> Check<&MapDef> {
        let def = self.module.maps.get(map as usize);
        def.ok_or_else(|| format!("map{map} does not exist"))
    }

    /// A map by a key in a buffer.
    fn keyed(&self, map: u32, key: At) -> Check<&MapDef> {
        let def = self.map_def(map)?;
        self.room(key, def.key_len_bytes)?;
        Ok(def)
    }

    /// The length of constant bytes.
    pub(super) fn data(&self, data: Data) -> Check<u32> {
        let Some(bytes) = self.module.data.get(data.0 as usize) else {
            return Err(format!("{data} does not exist"));
        };
        u32::try_from(bytes.len()).map_err(|_| format!("{data} is too long"))
    }

    fn memory(&self, inst: &Inst) -> Check<bool> {
        match inst {
            Inst::Zero { to, len_bytes } => self.room(*to, *len_bytes)?,
            Inst::SetData { to, data } => self.room(*to, self.data(*data)?)?,
            Inst::Load { dst: reg, from: at } | Inst::Store { to: at, src: reg } => {
                self.room(*at, self.scalar_reg(*reg)?.len_bytes())?;
            }
            Inst::CopyBuf { to, from, len_bytes } => {
                self.room(*to, *len_bytes)?;
                self.room(*from, *len_bytes)?;
            }
            Inst::EqualBuf { dst, left, right, len_bytes } => {
                self.bool(*dst)?;
                self.room(*left, *len_bytes)?;
                self.room(*right, *len_bytes)?;
            }
            Inst::Emit { output, record } => {
                let Some(def) = self.module.outputs.get(output.0 as usize) else {
                    return Err(format!("{output} does not exist"));
                };
                self.room(*record, def.len_bytes)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn map(&self, inst: &Inst) -> Check<bool> {
        match inst {
            Inst::MapGet { map, key, to, found } => {
                let def = self.keyed(*map, *key)?;
                self.room(*to, def.value_len_bytes)?;
                self.maybe_bool(*found)?;
            }
            Inst::MapSet { map, key, value } => {
                let def = self.keyed(*map, *key)?;
                self.room(*value, def.value_len_bytes)?;
            }
            Inst::MapDelete { map, key, found } => {
                self.keyed(*map, *key)?;
                self.maybe_bool(*found)?;
            }
            Inst::MapAdd { map, key, delta } => {
                let def = self.keyed(*map, *key)?;
                self.int(*delta)?;
                if !matches!(def.value_len_bytes, 1 | 2 | 4 | 8) {
                    return Err(format!("map{map} holds {}", ty_text(&def.value)));
                }
            }
            Inst::MapAggregate { map, key, agg, value } => {
                let def = self.keyed(*map, *key)?;
                value.map_or(Ok(()), |value| self.int(value))?;
                if def.value != Ty::Agg(*agg) {
                    return Err(format!("map{map} holds {}", ty_text(&def.value)));
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn kernel(&self, inst: &Inst) -> Check<bool> {
        match inst {
            Inst::Context { dst: reg, .. } | Inst::SetContext { src: reg, .. } => {
                self.scalar_reg(*reg)?;
            }
            Inst::ContextAddress { dst, offset } => {
                self.scalar_reg(*dst)?;
                self.int(*offset)?;
            }
            Inst::Follow { dst, base, .. } => {
                self.scalar_reg(*dst)?;
                is(self.function, *base, RegTy::Btf)?;
            }
            Inst::Put { base, src, .. } => {
                self.scalar_reg(*src)?;
                is(self.function, *base, RegTy::Btf)?;
            }
            Inst::Probe { to, len_bytes, address, failed, .. } => {
                self.room(*to, *len_bytes)?;
                self.scalar_reg(*address)?;
                self.maybe_bool(*failed)?;
            }
            Inst::ProbeStr { to, len_bytes, address, dst, .. } => {
                self.room(*to, *len_bytes)?;
                self.scalar_reg(*address)?;
                dst.map_or(Ok(()), |dst| self.int(dst))?;
            }
            Inst::Helper { dst, args, .. } | Inst::Kfunc { dst, args, .. } => {
                if let Some(dst) = dst {
                    self.scalar_reg(*dst)?;
                }
                if args.len() > 5 {
                    return Err("a call takes at most 5 arguments".into());
                }
                args.iter().try_for_each(|arg| self.arg(*arg))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn arg(&self, arg: Arg) -> Check {
        match arg {
            Arg::Reg(reg) => self.scalar_reg(reg).map(|_| ()),
            Arg::At(at) => self.room(at, 0),
            Arg::Map(map) => self.map_def(map).map(|_| ()),
            Arg::BtfType(data) => self.data(data).map(|_| ()),
            Arg::Imm(_) | Arg::Context => Ok(()),
        }
    }
}
