//! Instructions on buffers, maps in the kernel's layout, and event records.

use super::Frame;
use crate::ir::{At, Inst};

impl Frame<'_, '_> {
    fn read(&self, at: At, len_bytes: u32) -> Vec<u8> {
        let start = at.offset as usize;
        let buf = self.bufs.get(at.buf.0 as usize).map(Vec::as_slice).unwrap_or_default();
        buf.get(start..start + len_bytes as usize).unwrap_or_default().to_vec()
    }

    fn write(&mut self, at: At, bytes: &[u8]) {
        let start = at.offset as usize;
        let buf = self.bufs.get_mut(at.buf.0 as usize);
        if let Some(to) = buf.and_then(|buf| buf.get_mut(start..start + bytes.len())) {
            to.copy_from_slice(bytes);
        }
    }

    fn key(&self, map: u32, key: At) -> Vec<u8> {
        let def = self.module.maps.get(map as usize);
        self.read(key, def.map_or(0, |def| def.key_len_bytes))
    }

    fn value_len(&self, map: u32) -> u32 {
        self.module.maps.get(map as usize).map_or(0, |def| def.value_len_bytes)
    }

    pub(super) fn memory(&mut self, inst: &Inst) -> bool {
        match inst {
            Inst::Zero { to, len_bytes } => self.write(*to, &vec![0; *len_bytes as usize]),
            Inst::SetData { to, data } => {
                let module = self.module;
                let bytes = module.data.get(data.0 as usize).map(Vec::as_slice).unwrap_or_default();
                self.write(*to, bytes);
            }
            Inst::Load { dst, from } => {
                let mut word = [0; 8];
                let bytes = self.read(*from, self.int(*dst).len_bytes());
                word.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
                self.set(*dst, u64::from_le_bytes(word));
            }
            Inst::Store { to, src } => {
                let word = self.scalar(*src).to_le_bytes();
                let len = self.int(*src).len_bytes() as usize;
                self.write(*to, word.get(..len).unwrap_or_default());
            }
            Inst::CopyBuf { to, from, len_bytes } => {
                let bytes = self.read(*from, *len_bytes);
                self.write(*to, &bytes);
            }
            Inst::EqualBuf { dst, left, right, len_bytes } => {
                let equal = self.read(*left, *len_bytes) == self.read(*right, *len_bytes);
                self.set(*dst, u64::from(equal));
            }
            Inst::Emit { output, record } => {
                let len_bytes = self.module.outputs.get(output.0 as usize).map_or(0, |def| def.len_bytes);
                let record = self.read(*record, len_bytes);
                self.host.emit_record(*output, &record);
            }
            _ => return self.maps(inst),
        }
        true
    }

    fn maps(&mut self, inst: &Inst) -> bool {
        match inst {
            Inst::MapGet { map, key, to, found } => {
                let key = self.key(*map, *key);
                let value = self.host.maps().bytes(*map, &key);
                let is_there = value.is_some();
                let value = value.unwrap_or_else(|| vec![0; self.value_len(*map) as usize]);
                self.write(*to, &value);
                if let Some(found) = found {
                    self.set(*found, u64::from(is_there));
                }
            }
            Inst::MapSet { map, key, value } => {
                let key = self.key(*map, *key);
                let value = self.read(*value, self.value_len(*map));
                self.host.maps().set_bytes(*map, &key, &value);
            }
            Inst::MapAdd { map, key, delta } => {
                let key = self.key(*map, *key);
                let delta = self.scalar(*delta);
                self.host.maps().add_bytes(*map, &key, delta);
            }
            Inst::MapDelete { map, key, found } => {
                let key = self.key(*map, *key);
                let was_there = self.host.maps().delete_bytes(*map, &key);
                if let Some(found) = found {
                    self.set(*found, u64::from(was_there));
                }
            }
            Inst::MapAggregate { map, key, agg, value } => {
                let key = self.key(*map, *key);
                let number = value.map(|value| self.scalar(value).cast_signed());
                self.host.maps().aggregate_bytes(*map, &key, *agg, number);
            }
            _ => return false,
        }
        true
    }
}
