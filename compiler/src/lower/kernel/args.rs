//! The arguments of a probe: fields of a tracepoint's record, words of a raw tracepoint, registers at a function's entry.

use reel_lang::env::{ArgAt, ProbeKind};
use reel_lang::hir::Expr;
use reel_lang::span::Span;
use reel_lang::ty::{IntTy, Space, Ty};

use super::{Lower, Place, Val, Which};
use crate::ir::{Arg, At, BinaryOp, Inst, Reg, RegTy};
use crate::lower::Lowered;
use crate::lower::shape::Shape;

/// Where `struct pt_regs` keeps what the calling conventions name (arch/*/include/asm/ptrace.h).
#[cfg(target_arch = "x86_64")]
pub(super) mod platform {
    /// rdi, rsi, rdx, r10, r8, r9
    pub(crate) const SYSCALL_ARGS: [u32; 6] = [112, 104, 96, 56, 72, 64];
    /// orig_rax
    pub(crate) const SYSCALL_NUMBER: u32 = 120;
    /// rdi, rsi, rdx, rcx, r8, r9
    pub(crate) const ARGS: &[u32] = &[112, 104, 96, 88, 72, 64];
    /// rax
    pub(crate) const RESULT: u32 = 80;
    /// rsp, at a function's entry, and how far above it the first argument on the stack is.
    pub(crate) const STACK: (u32, i64) = (152, 8);
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) mod platform {
    pub(crate) const SYSCALL_ARGS: [u32; 6] = [272, 8, 16, 24, 32, 40];
    pub(crate) const SYSCALL_NUMBER: u32 = 280;
    pub(crate) const ARGS: &[u32] = &[0, 8, 16, 24, 32, 40, 48, 56];
    pub(crate) const RESULT: u32 = 0;
    pub(crate) const STACK: (u32, i64) = (248, 0);
}

impl Lower<'_> {
    /// The nth argument of the clause's layout.
    pub(super) fn argument(&mut self, index: u32, expr: &Expr) -> Lowered<Val> {
        let span = expr.span;
        let layout = self.cx.points.first().map(|point| &point.args);
        let Some(arg) = layout.and_then(|layout| layout.args.get(index as usize)).cloned() else {
            return self.cannot(span, "this probe has no such argument");
        };
        let reg = match arg.at {
            ArgAt::Record { offset, len_bytes } => return self.record_field(offset, len_bytes, &arg.ty, span),
            ArgAt::DataLoc { offset } => return self.data_loc(offset, &arg.ty, span),
            ArgAt::Raw(n) => return Ok(Val::Reg(self.raw_argument(n, &arg.ty, span))),
            ArgAt::Syscall(n) => {
                let offset = platform::SYSCALL_ARGS[(n as usize).min(5)];
                self.saved_register(offset, span)
            }
            ArgAt::SyscallResult => self.context_word(8, span),
            ArgAt::Register(n) => self.function_argument(n, span),
            ArgAt::ReturnValue => self.context_word(platform::RESULT, span),
        };
        Ok(Val::Reg(self.as_ty(reg, &arg.ty, span)))
    }

    /// A 64-bit word of the context.
    pub(crate) fn context_word(&mut self, offset: u32, span: Span) -> Reg {
        let dst = self.b.int(IntTy::U64);
        self.b.push(Inst::Context { dst, offset }, span);
        dst
    }

    /// The nth word of a raw tracepoint; a pointer to a struct is one that the verifier knows where BTF types the probe.
    fn raw_argument(&mut self, n: u32, ty: &Ty, span: Span) -> Reg {
        let typed =
            self.kind() == ProbeKind::BtfTracepoint || matches!(self.kind(), ProbeKind::Fentry | ProbeKind::Fexit);
        if typed && matches!(ty, Ty::Ptr(to, _) if matches!(**to, Ty::Struct(_))) {
            let dst = self.b.reg(RegTy::Btf);
            self.b.push(Inst::Context { dst, offset: n * 8 }, span);
            return dst;
        }
        let word = self.context_word(n * 8, span);
        self.as_ty(word, ty, span)
    }

    /// A register that the kernel saved when it was entered, which raw `sys_enter` and `sys_exit` point at.
    pub(super) fn saved_register(&mut self, offset: u32, span: Span) -> Reg {
        let base = self.b.reg(RegTy::Address(Space::Kernel));
        self.b.push(Inst::Context { dst: base, offset: 0 }, span);
        self.read_word(base, i64::from(offset), Space::Kernel, span)
    }

    /// The nth argument at a function's entry.
    pub(crate) fn function_argument(&mut self, n: u32, span: Span) -> Reg {
        if let Some(offset) = platform::ARGS.get(n as usize) {
            return self.context_word(*offset, span);
        }
        let (register, first) = platform::STACK;
        let stack = self.context_word(register, span);
        let beyond = i64::from(n) - platform::ARGS.len() as i64;
        self.read_word(stack, first + 8 * beyond, self.pointee_space(), span)
    }

    /// The memory that a bare number of this probe points into.
    pub(crate) fn pointee_space(&self) -> Space {
        let user = matches!(self.kind(), ProbeKind::Uprobe | ProbeKind::Uretprobe)
            || self
                .cx
                .points
                .iter()
                .any(|point| point.args.syscall.is_some() || point.name.starts_with("tracepoint:syscalls"));
        if user { Space::User } else { Space::Kernel }
    }

    /// What a function returned.
    pub(crate) fn return_value(&mut self, span: Span) -> Reg {
        self.context_word(platform::RESULT, span)
    }

    /// Whether the probe is the end of a syscall, by raw tracepoint.
    pub(crate) fn is_syscall_exit(&self) -> bool {
        super::fold::tracepoint(self.cx.points) == Some("sys_exit")
    }

    /// The index of the point that fired.
    pub(crate) fn which(&mut self, span: Span) -> Reg {
        let src = match self.which {
            Which::Constant(index) => return self.b.u64(u64::from(index), span),
            Which::Reg(reg) => reg,
            Which::Cookie => {
                let dst = self.b.int(IntTy::U64);
                // BPF_FUNC_get_attach_cookie
                let inst = Inst::Helper { dst: Some(dst), helper: 174, args: vec![Arg::Context] };
                self.b.push(inst, span);
                return dst;
            }
        };
        let dst = self.b.int(IntTy::U64);
        self.b.push(Inst::Copy { dst, src }, span);
        dst
    }

    fn read_word(&mut self, base: Reg, offset: i64, space: Space, span: Span) -> Reg {
        let base = self.b.cast(base, RegTy::Int(IntTy::U64), span);
        let address = self.b.binary_const(BinaryOp::Add, base, offset, span);
        let to = self.b.buf(8);
        self.b.push(Inst::Probe { space, to, len_bytes: 8, address, failed: None }, span);
        self.b.load(RegTy::Int(IntTy::U64), to, span)
    }

    /// A field of a tracepoint's record or of a hook's context.
    fn record_field(&mut self, offset: u32, len_bytes: u32, ty: &Ty, span: Span) -> Lowered<Val> {
        if ty.is_scalar() {
            let from =
                IntTy { bits: (len_bytes.clamp(1, 8) * 8) as u8, signed: ty.int().is_some_and(|int| int.signed) };
            let dst = self.b.int(from);
            self.b.push(Inst::Context { dst, offset }, span);
            return Ok(Val::Reg(self.as_ty(dst, ty, span)));
        }
        if let Ty::Array(..) = ty {
            return Ok(Val::Place(Place::context(offset)));
        }
        let shape = if *ty == Ty::Str { Shape::Text(len_bytes + 1) } else { Shape::Bytes(len_bytes) };
        let at = self.b.buf(shape.len_bytes());
        self.b.push(Inst::Zero { to: at, len_bytes: shape.len_bytes() }, span);
        self.copy_context(offset, len_bytes, at, span);
        Ok(Val::Mem(at, shape))
    }

    /// Copies bytes of the context, in words as large as their place allows.
    pub(super) fn copy_context(&mut self, offset: u32, len_bytes: u32, to: At, span: Span) {
        let mut done = 0;
        while done < len_bytes {
            let fits = |size: u32| (offset + done).is_multiple_of(size) && done + size <= len_bytes;
            let size = [8, 4, 2, 1].into_iter().find(|size| fits(*size)).unwrap_or(1);
            let dst = self.b.int(IntTy { bits: (size * 8) as u8, signed: false });
            self.b.push(Inst::Context { dst, offset: offset + done }, span);
            let to = At { offset: to.offset + done, ..to };
            self.b.push(Inst::Store { to, src: dst }, span);
            done += size;
        }
    }

    /// A text behind a `__data_loc` word: offset in the lower half, length in the upper.
    fn data_loc(&mut self, offset: u32, ty: &Ty, span: Span) -> Lowered<Val> {
        let word = self.b.int(IntTy::U32);
        self.b.push(Inst::Context { dst: word, offset }, span);
        let start = self.b.binary_const(BinaryOp::And, word, 0xffff, span);
        let start = self.b.cast(start, RegTy::Int(IntTy::U64), span);
        let address = self.b.reg(RegTy::Address(Space::Kernel));
        self.b.push(Inst::ContextAddress { dst: address, offset: start }, span);
        if *ty != Ty::Str {
            return Ok(Val::Place(Place::address(address, Space::Kernel)));
        }
        let len = self.cx.program.config.max_strlen;
        Ok(self.read_text(address, Space::Kernel, len, span))
    }
}
