//! Instructions on values.

use std::rc::Rc;

use reel_lang::value::Value;

use super::Frame;
use crate::ir::{Inst, Reg, RegTy, ValueTy};
use crate::native::host::{Answer, perform};
use crate::native::path::Found;
use crate::native::{View, equal, number, path};

/// What a value register holds: a view of the message or of constants, or a value that was made in this call.
#[derive(Debug, Clone)]
pub(super) enum Held<'a> {
    View(View<'a>),
    Made(Rc<Value>),
}

impl Default for Held<'_> {
    fn default() -> Self {
        Held::View(View::Nil)
    }
}

impl Held<'_> {
    pub(super) fn view(&self) -> View<'_> {
        match self {
            Held::View(view) => *view,
            Held::Made(value) => View::of(value),
        }
    }
}

/// Keeps what a view shows beyond the life of what it borrows from.
fn keep(view: View<'_>) -> Held<'static> {
    Held::Made(Rc::new(view.to_value()))
}

/// The number of an integer register, as a view.
pub(super) fn int_view(signed: bool, bits: u64) -> View<'static> {
    if signed { View::Int(bits.cast_signed()) } else { View::from(bits) }
}

impl<'a> Frame<'a, '_> {
    pub(super) fn held(&self, reg: Reg) -> Held<'a> {
        self.values.get(reg.0 as usize).cloned().unwrap_or_default()
    }

    pub(super) fn hold(&mut self, reg: Reg, held: Held<'a>) {
        if let Some(register) = self.values.get_mut(reg.0 as usize) {
            *register = held;
        }
    }

    pub(super) fn native(&mut self, inst: &Inst) -> bool {
        match inst {
            Inst::Field { dst, field } => {
                let view = self.fields.get(field.0 as usize).copied().unwrap_or_default();
                self.hold(*dst, Held::View(view));
            }
            Inst::Text { dst, data } => {
                let held = Held::View(View::Str(self.data(*data)));
                self.hold(*dst, held);
            }
            Inst::Path { dst, value, path } => {
                let held = self.walk(*value, path.0);
                self.hold(*dst, held);
            }
            Inst::FromInt { dst, src, ty } => {
                let view = self.number(*src, *ty);
                self.hold(*dst, Held::View(view));
            }
            Inst::Host { dst, op, args } => {
                let held: Vec<Held<'a>> = args.iter().map(|arg| self.argument(*arg)).collect();
                let views: Vec<View<'_>> = held.iter().map(Held::view).collect();
                let answer = perform(op, &views, self.module, self.host);
                match (dst, answer) {
                    (None, _) | (_, Answer::Nothing) => {}
                    (Some(dst), Answer::Truth(truth)) => self.set(*dst, u64::from(truth)),
                    (Some(dst), Answer::View(view)) => self.hold(*dst, keep(view)),
                    (Some(dst), Answer::Made(value)) => self.hold(*dst, Held::Made(Rc::new(value))),
                }
            }
            _ => return self.test(inst),
        }
        true
    }

    /// Instructions that give a scalar.
    fn test(&mut self, inst: &Inst) -> bool {
        let (dst, bits) = match inst {
            Inst::TextEqual { dst, value, data } => {
                (*dst, u64::from(equal::text_equal(self.held(*value).view(), self.data(*data))))
            }
            Inst::CompareInt { op, dst, value, number } => {
                let number = int_view(self.int(*number).signed, self.scalar(*number));
                (*dst, u64::from(equal::compare_number(*op, self.held(*value).view(), number)))
            }
            Inst::Matches { dst, value, pattern } => {
                let matcher = self.prepared.patterns.get(pattern.0 as usize);
                let held = self.held(*value);
                (*dst, u64::from(matcher.is_some_and(|matcher| matcher.matches(held.view()))))
            }
            Inst::ToInt { dst, value } => (*dst, number::bits(self.held(*value).view()).unwrap_or(0).cast_unsigned()),
            Inst::IsNil { dst, value } => (*dst, u64::from(self.held(*value).view() == View::Nil)),
            _ => return false,
        };
        self.set(dst, bits);
        true
    }

    fn data(&self, data: crate::ir::Data) -> &'a [u8] {
        self.module.data.get(data.0 as usize).map(Vec::as_slice).unwrap_or_default()
    }

    fn walk(&self, value: Reg, path: u32) -> Held<'a> {
        let steps = self.module.paths.get(path as usize).map(Vec::as_slice).unwrap_or_default();
        match self.held(value) {
            Held::View(view) => match path::walk(view, steps) {
                Found::View(view) => Held::View(view),
                Found::Made(value) => Held::Made(Rc::new(value)),
            },
            Held::Made(value) => match path::walk(View::of(&value), steps) {
                Found::View(view) => keep(view),
                Found::Made(value) => Held::Made(Rc::new(value)),
            },
        }
    }

    fn number(&self, src: Reg, ty: ValueTy) -> View<'static> {
        let bits = self.scalar(src);
        match ty {
            ValueTy::Bool => View::Bool(bits != 0),
            ValueTy::Int => int_view(self.int(src).signed, bits),
            ValueTy::Duration => View::Duration(bits.cast_signed()),
            ValueTy::Time => View::Time(bits.cast_signed()),
        }
    }

    /// An argument of a host operation: a scalar is seen as a value.
    fn argument(&self, reg: Reg) -> Held<'a> {
        match self.ty(reg) {
            RegTy::Value => self.held(reg),
            RegTy::Bool => Held::View(View::Bool(self.scalar(reg) != 0)),
            _ => Held::View(int_view(self.int(reg).signed, self.scalar(reg))),
        }
    }
}
