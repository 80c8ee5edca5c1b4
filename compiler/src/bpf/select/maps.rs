//! Maps: get, set, add, delete; and what they have in common with aggregations.
//!
//! A value that a map has no room for is counted in `lost`, never dropped in silence. Adding to an absent entry tries to
//! insert first and, where another CPU was faster, adds to what that one made: no increment is lost.

use super::super::BpfError;
use super::super::asm::Label;
use super::super::frame::TEMP;
use super::super::insn::{Alu, Cond, FRAME, Insn, Machine, Size};
use super::super::maps::LOST_UPDATES;
use super::{Select, helper};
use crate::ir::{At, Inst, MapDef, MapKind};

/// Fails where the entry exists (BPF_NOEXIST).
const NO_EXIST: i64 = 1;

impl Select<'_> {
    fn map(&self, map: u32) -> Result<&MapDef, BpfError> {
        let def = self.module.maps.get(map as usize);
        let def = def.ok_or_else(|| self.malformed("no such map"))?;
        match def.kind {
            MapKind::Ringbuf | MapKind::SkStorage => Err(self.malformed("this kind of map has no entries by key")),
            _ => Ok(def),
        }
    }

    /// The lengths of a map's key and value, and whether its entries are always there.
    pub(super) fn map_lengths(&self, map: u32) -> Result<(u32, u32, bool), BpfError> {
        let def = self.map(map)?;
        let is_array = matches!(def.kind, MapKind::Array | MapKind::PercpuArray);
        Ok((def.key_len_bytes, def.value_len_bytes, is_array))
    }

    pub(super) fn map_inst(&mut self, inst: &Inst) -> Result<(), BpfError> {
        match inst {
            Inst::MapGet { map, key, to, found } => {
                let (_, value_len_bytes, _) = self.map_lengths(*map)?;
                self.lookup(*map, *key)?;
                let (absent, done) = (self.asm.label(), self.asm.label());
                self.asm.jump(Insn::jump_imm(Cond::Eq, 0, 0), absent);
                self.copy_from_value(*to, value_len_bytes)?;
                if let Some(found) = found {
                    let target = self.target(*found, 0);
                    self.asm.constant(target, 1);
                    self.write(*found, target);
                }
                self.asm.goto(done);
                self.asm.bind(absent);
                self.zero(*to, value_len_bytes)?;
                if let Some(found) = found {
                    let target = self.target(*found, 0);
                    self.asm.constant(target, 0);
                    self.write(*found, target);
                }
                self.asm.bind(done);
                Ok(())
            }
            Inst::MapSet { map, key, value } => {
                let (_, value_len_bytes, _) = self.map_lengths(*map)?;
                self.address(*value, value_len_bytes, 3)?;
                self.update(*map, *key, 0)?;
                let done = self.asm.label();
                self.asm.jump(Insn::jump_imm(Cond::Eq, 0, 0), done);
                self.count_lost(LOST_UPDATES);
                self.asm.bind(done);
                Ok(())
            }
            Inst::MapAdd { map, key, delta } => {
                let (_, value_len_bytes, _) = self.map_lengths(*map)?;
                if !matches!(value_len_bytes, 1 | 2 | 4 | 8) {
                    return Err(self.malformed("only an integer can be added to"));
                }
                let (add, done) = (self.asm.label(), self.asm.label());
                let delta = *delta;
                self.entry_or(*map, *key, [add, done], &mut |select: &mut Self| {
                    let delta = select.read(delta, 0);
                    select.asm.push(Insn::store(Size::B8, FRAME, TEMP, delta));
                    select.temp_address(3);
                    Ok(())
                })?;
                self.asm.bind(add);
                let delta = self.read(delta, 1);
                self.add(Size::of(value_len_bytes), 0, delta);
                self.asm.bind(done);
                Ok(())
            }
            Inst::MapDelete { map, key, found } => {
                let (key_len_bytes, ..) = self.map_lengths(*map)?;
                self.asm.map(1, *map);
                self.address(*key, key_len_bytes, 2)?;
                self.asm.push(Insn::call(helper::MAP_DELETE_ELEM));
                if let Some(found) = found {
                    self.is_zero(*found);
                }
                Ok(())
            }
            _ => Err(self.malformed("not an operation on a map")),
        }
    }

    /// Looks an entry up, into r0.
    pub(super) fn lookup(&mut self, map: u32, key: At) -> Result<(), BpfError> {
        let (key_len_bytes, ..) = self.map_lengths(map)?;
        self.asm.map(1, map);
        self.address(key, key_len_bytes, 2)?;
        self.asm.push(Insn::call(helper::MAP_LOOKUP_ELEM));
        Ok(())
    }

    /// Writes the entry that r3 points to; r0 is 0 if that worked.
    fn update(&mut self, map: u32, key: At, flags: i64) -> Result<(), BpfError> {
        let (key_len_bytes, ..) = self.map_lengths(map)?;
        self.asm.map(1, map);
        self.address(key, key_len_bytes, 2)?;
        self.asm.constant(4, flags);
        self.asm.push(Insn::call(helper::MAP_UPDATE_ELEM));
        Ok(())
    }

    /// Goes to the first label with the entry in r0, making it from what `initial` lets r3 point to. Goes to the second
    /// where it was made with that value, or there is no room, which is counted.
    pub(super) fn entry_or(
        &mut self,
        map: u32,
        key: At,
        [present, done]: [Label; 2],
        initial: &mut dyn FnMut(&mut Self) -> Result<(), BpfError>,
    ) -> Result<(), BpfError> {
        let (_, _, is_array) = self.map_lengths(map)?;
        self.lookup(map, key)?;
        self.asm.jump(Insn::jump_imm(Cond::Ne, 0, 0), present);
        if is_array {
            self.asm.goto(done);
            return Ok(());
        }
        initial(self)?;
        self.update(map, key, NO_EXIST)?;
        self.asm.jump(Insn::jump_imm(Cond::Eq, 0, 0), done);
        self.lookup(map, key)?;
        self.asm.jump(Insn::jump_imm(Cond::Ne, 0, 0), present);
        self.count_lost(LOST_UPDATES);
        self.asm.goto(done);
        Ok(())
    }

    /// Adds to what `base` points to; atomic where the kernel can (4 and 8 bytes).
    pub(super) fn add(&mut self, size: Size, base: Machine, delta: Machine) {
        match size {
            Size::B4 | Size::B8 => self.asm.push(Insn::atomic_add(size, base, 0, delta)),
            Size::B1 | Size::B2 => {
                self.asm.load(size, 2, base, 0);
                self.asm.push(Insn::alu(Alu::Add, 2, delta));
                self.asm.push(Insn::store(size, base, 0, 2));
            }
        }
    }

    /// Counts something that had no room.
    pub(super) fn count_lost(&mut self, what: u32) {
        let lost = self.maps.lost();
        self.asm.push(Insn::store_imm(Size::B4, FRAME, TEMP, what as i32));
        self.asm.map(1, lost);
        self.temp_address(2);
        self.asm.push(Insn::call(helper::MAP_LOOKUP_ELEM));
        let done = self.asm.label();
        self.asm.jump(Insn::jump_imm(Cond::Eq, 0, 0), done);
        self.asm.constant(1, 1);
        self.asm.push(Insn::atomic_add(Size::B8, 0, 0, 1));
        self.asm.bind(done);
    }
}
