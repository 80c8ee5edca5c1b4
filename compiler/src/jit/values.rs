//! Values: fields and constants by loads, the common tests inline, the rest through helpers.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{BlockArg, InstBuilder, MemFlagsData, Value, types};
use cranelift_module::Module as _;
use reel_lang::schema::Tag;

use super::runtime::{self, compare_word};
use super::scalar::condition;
use super::slot::low_word;
use super::translate::Translator;
use crate::ir::{CompareOp, Data, HostOp, Inst, PatternId, Reg, RegTy, ValueTy};
use crate::native::pattern::Matcher;

/// Texts up to this length are compared inline.
const MAX_INLINE_TEXT_LEN_BYTES: usize = 16;

/// The tags whose data is the number itself, as bits.
const NUMBERS: i64 = 1 << Tag::Int as u32 | 1 << Tag::Duration as u32 | 1 << Tag::Time as u32;

impl Translator<'_, '_> {
    pub(super) fn native(&mut self, inst: &Inst) -> bool {
        match inst {
            Inst::Field { dst, field } => {
                let offset = (field.0 * 16) as i32;
                // A record does not change during a call, so loads of one field may merge.
                let flags = MemFlagsData::trusted().with_readonly();
                let low = self.builder.ins().load(types::I64, flags, self.record, offset);
                let high = self.builder.ins().load(types::I64, flags, self.record, offset + 8);
                self.set_words(*dst, [low, high]);
            }
            Inst::Text { dst, data } => {
                let len = self.compiler.module.data[data.0 as usize].len() as u32;
                let words = [self.constant(low_word(Tag::Str, len)), self.data_address(data.0)];
                self.set_words(*dst, words);
            }
            Inst::TextEqual { dst, value, data } => {
                let truth = self.text_equal(*value, *data);
                self.set(*dst, truth);
            }
            Inst::CompareInt { op, dst, value, number } => {
                let truth = self.compare_int(*op, *value, *number);
                self.set(*dst, truth);
            }
            Inst::Matches { dst, value, pattern } => {
                let truth = self.matches(*value, *pattern);
                self.set(*dst, truth);
            }
            Inst::Path { dst, value, path } => {
                let [low, high] = self.words(*value);
                let out = self.builder.ins().stack_addr(types::I64, self.out, 0);
                let path = self.constant(i64::from(path.0));
                self.helper(runtime::PATH, &[path, low, high, out]);
                self.take_out(*dst);
            }
            Inst::ToInt { dst, value } => self.number_of(*dst, *value),
            Inst::FromInt { dst, src, ty } => {
                let words = self.value_of(*src, *ty);
                self.set_words(*dst, words);
            }
            Inst::IsNil { dst, value } => {
                let [low, _] = self.words(*value);
                let tag = self.tag(low);
                let nil = self.constant(Tag::Nil as i64);
                let truth = self.compare(IntCC::Equal, tag, nil);
                self.set(*dst, truth);
            }
            Inst::Host { dst, op, args } => self.host(*dst, op, args),
            _ => return false,
        }
        true
    }

    /// The address of constant bytes.
    pub(super) fn data_address(&mut self, data: u32) -> Value {
        let id = self.compiler.data[data as usize];
        let global = self.compiler.code.declare_data_in_func(id, self.builder.func);
        self.builder.ins().symbol_value(types::I64, global)
    }

    fn tag(&mut self, low: Value) -> Value {
        let tag = self.builder.ins().ireduce(types::I32, low);
        self.builder.ins().uextend(types::I64, tag)
    }

    /// Takes the result of a helper from its stack slot.
    fn take_out(&mut self, dst: Reg) {
        let low = self.builder.ins().stack_load(types::I64, types::I64, self.out, 0);
        let high = self.builder.ins().stack_load(types::I64, types::I64, self.out, 8);
        self.set_words(dst, [low, high]);
    }

    /// A truth with a fast path where a condition holds, and a slow one where it does not.
    fn fast_or_slow(
        &mut self,
        condition: Value,
        fast: impl FnOnce(&mut Self) -> Value,
        slow: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        let [yes, no, end] = [(); 3].map(|()| self.builder.create_block());
        let result = self.builder.append_block_param(end, types::I64);
        self.builder.ins().brif(condition, yes, &[], no, &[]);
        self.builder.switch_to_block(yes);
        let value = fast(self);
        self.builder.ins().jump(end, &[BlockArg::Value(value)]);
        self.builder.switch_to_block(no);
        let value = slow(self);
        self.builder.ins().jump(end, &[BlockArg::Value(value)]);
        self.builder.switch_to_block(end);
        result
    }

    /// Where the value goes by pointer, a helper decides; else it is false.
    fn by_pointer_or_false(&mut self, low: Value, slow: impl FnOnce(&mut Self) -> Value) -> Value {
        let tag = self.tag(low);
        let pointer = self.constant(Tag::Value as i64);
        let by_pointer = self.builder.ins().icmp(IntCC::Equal, tag, pointer);
        self.fast_or_slow(by_pointer, slow, |this| this.constant(0))
    }

    fn text_equal(&mut self, value: Reg, data: Data) -> Value {
        let text = self.compiler.module.data[data.0 as usize].clone();
        let [low, high] = self.words(value);
        let slow = |this: &mut Self| {
            let data = this.constant(i64::from(data.0));
            this.helper(runtime::TEXT_EQUAL, &[data, low, high])
        };
        self.is_text(&text, [low, high], slow)
    }

    /// Kind and length in one comparison, then the bytes; `slow` decides for a long text and for what goes by pointer.
    fn is_text(&mut self, text: &[u8], [low, high]: [Value; 2], slow: impl Fn(&mut Self) -> Value + Copy) -> Value {
        let wanted = self.constant(low_word(Tag::Str, text.len() as u32));
        let same_len = self.builder.ins().icmp(IntCC::Equal, low, wanted);
        let bytes = |this: &mut Self| match text.len() {
            0..=MAX_INLINE_TEXT_LEN_BYTES => this.equal_constant(high, text),
            _ => slow(this),
        };
        self.fast_or_slow(same_len, bytes, |this| this.by_pointer_or_false(low, slow))
    }

    fn matches(&mut self, value: Reg, pattern: PatternId) -> Value {
        let [low, high] = self.words(value);
        let slow = move |this: &mut Self| {
            let pattern = this.constant(i64::from(pattern.0));
            this.helper(runtime::MATCHES, &[pattern, low, high])
        };
        match &self.compiler.prepared.patterns[pattern.0 as usize] {
            Matcher::Exact(text) => {
                let text = text.clone();
                self.is_text(&text, [low, high], slow)
            }
            Matcher::Prefix(text) if text.len() <= MAX_INLINE_TEXT_LEN_BYTES => {
                let text = text.clone();
                let long_enough = self.text_of_len(low, text.len());
                let bytes = |this: &mut Self| this.equal_constant(high, &text);
                self.fast_or_slow(long_enough, bytes, |this| this.by_pointer_or_false(low, slow))
            }
            _ => {
                let is_text = self.text_of_len(low, 0);
                self.fast_or_slow(is_text, slow, |this| this.by_pointer_or_false(low, slow))
            }
        }
    }

    /// Whether a slot is a text of at least this length.
    fn text_of_len(&mut self, low: Value, len_bytes: usize) -> Value {
        let tag = self.tag(low);
        let text = self.constant(Tag::Str as i64);
        let is_text = self.builder.ins().icmp(IntCC::Equal, tag, text);
        // The length is the upper half, so a slot of this length or more is not below this word.
        let least = self.constant(low_word(Tag::Str, len_bytes as u32));
        let long_enough = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, low, least);
        self.builder.ins().band(is_text, long_enough)
    }

    /// Whether the data of a slot is a number by itself.
    fn is_number(&mut self, low: Value) -> Value {
        let tag = self.tag(low);
        let numbers = self.constant(NUMBERS);
        let shifted = self.builder.ins().ushr(numbers, tag);
        let one = self.constant(1);
        self.builder.ins().band(shifted, one)
    }

    fn compare_int(&mut self, op: CompareOp, value: Reg, number: Reg) -> Value {
        let ty = self.int(number);
        let [low, high] = self.words(value);
        let number = self.scalar(number);
        let mut inline = self.is_number(low);
        if !ty.signed && ty.bits == 64 {
            // Above i64::MAX the helper decides.
            let zero = self.constant(0);
            let small = self.compare(IntCC::SignedGreaterThanOrEqual, number, zero);
            inline = self.builder.ins().band(inline, small);
        }
        let fast = |this: &mut Self| this.compare(condition(op, true), high, number);
        let slow = |this: &mut Self| {
            let word = this.constant(compare_word(op, ty.signed));
            this.helper(runtime::COMPARE_INT, &[word, low, high, number])
        };
        self.fast_or_slow(inline, fast, slow)
    }

    fn number_of(&mut self, dst: Reg, value: Reg) {
        let [low, high] = self.words(value);
        let inline = self.is_number(low);
        let slow = |this: &mut Self| this.helper(runtime::TO_INT, &[low, high]);
        let number = self.fast_or_slow(inline, |_| high, slow);
        let number = self.wrap(self.int(dst), number);
        self.set(dst, number);
    }

    fn value_of(&mut self, src: Reg, ty: ValueTy) -> [Value; 2] {
        let int = self.int(src);
        let number = self.scalar(src);
        let tag = match ty {
            ValueTy::Bool => {
                let zero = self.constant(0);
                let truth = self.compare(IntCC::NotEqual, number, zero);
                return [self.constant(Tag::Bool as i64), truth];
            }
            ValueTy::Duration => self.constant(Tag::Duration as i64),
            ValueTy::Time => self.constant(Tag::Time as i64),
            ValueTy::Int if int.signed || int.bits < 64 => self.constant(Tag::Int as i64),
            ValueTy::Int => {
                let zero = self.constant(0);
                let large = self.builder.ins().icmp(IntCC::SignedLessThan, number, zero);
                let (uint, int) = (self.constant(Tag::Uint as i64), self.constant(Tag::Int as i64));
                self.builder.ins().select(large, uint, int)
            }
        };
        [tag, number]
    }

    fn host(&mut self, dst: Option<Reg>, op: &HostOp, args: &[Reg]) {
        for (index, arg) in args.iter().enumerate() {
            let [low, high] = match self.ty(*arg) {
                RegTy::Value => self.words(*arg),
                RegTy::Bool => self.value_of(*arg, ValueTy::Bool),
                _ => self.value_of(*arg, ValueTy::Int),
            };
            let offset = (index * 16) as i32;
            self.builder.ins().stack_store(types::I64, low, self.args, offset);
            self.builder.ins().stack_store(types::I64, high, self.args, offset + 8);
        }
        let ops = &mut self.compiler.tables.host_ops;
        ops.push(op.clone());
        let index = (ops.len() - 1) as i64;
        let words = [
            self.constant(index),
            self.builder.ins().stack_addr(types::I64, self.args, 0),
            self.constant(args.len() as i64),
            self.builder.ins().stack_addr(types::I64, self.out, 0),
        ];
        let truth = self.helper(runtime::HOST, &words);
        match dst {
            Some(dst) if self.ty(dst) == RegTy::Value => self.take_out(dst),
            Some(dst) => self.set(dst, truth),
            None => {}
        }
    }
}
