//! A module as Cranelift's input and as machine code, beside the script.
//!
//! Each instruction of the IR gives the code that is made of it a source location: the number of its span. Cranelift's IR shows it at
//! each instruction (`@0001`), and the compiled code has a table of ranges. Machine code is read back from the bytes that run, on x86-64;
//! elsewhere it is listed as Cranelift wrote it, without the script.

use cranelift_codegen::Context;
use cranelift_frontend::FunctionBuilderContext;
use reel_lang::span::{SourceMap, Span};

use super::{Compiler, JitError};
use crate::ir::Module;
use crate::listing::Listing;

/// What stands between an IR and a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Cranelift's IR, before optimization.
    Clif,
    /// Machine code.
    Asm,
}

/// Lists every function of a module at a stage; with sources, beside the script.
///
/// # Errors
/// See [`JitError`].
pub fn list(module: &Module, stage: Stage, sources: Option<&SourceMap>) -> Result<String, JitError> {
    let mut compiler = Compiler::new(module)?;
    let mut builders = FunctionBuilderContext::new();
    let mut out = Listing::new(sources);
    for (index, function) in module.functions.iter().enumerate() {
        out.line(format_args!("; {}", function.name));
        out.begin();
        let (context, spans) = compiler.translate(function, &mut builders)?;
        match stage {
            Stage::Clif => clif(&mut out, &context, &spans),
            Stage::Asm => {
                let (_, context) = compiler.define(index, context)?;
                asm(&mut out, &compiler, &context, &spans);
            }
        }
    }
    // SAFETY: the code was never finished, so none of it can run and no pointer into it exists.
    unsafe { compiler.code.free_memory() };
    Ok(out.finish())
}

fn clif(out: &mut Listing<'_>, context: &Context, spans: &[Span]) {
    for line in context.func.display().to_string().lines() {
        let number = line.trim_start().strip_prefix('@').and_then(|rest| rest.split(' ').next());
        let number = number.and_then(|number| usize::from_str_radix(number, 16).ok());
        if let Some(span) = number.and_then(|number| spans.get(number)) {
            out.place(*span);
        }
        out.line(format_args!("{line}"));
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn asm(out: &mut Listing<'_>, _: &Compiler<'_>, context: &Context, _: &[Span]) {
    let text = context.compiled_code().and_then(|code| code.vcode.as_deref()).unwrap_or_default();
    out.line(format_args!("{}", text.trim_end()));
}

#[cfg(target_arch = "x86_64")]
fn asm(out: &mut Listing<'_>, compiler: &Compiler<'_>, context: &Context, spans: &[Span]) {
    use iced_x86::{Decoder, DecoderOptions, Formatter, GasFormatter};

    let Some(code) = context.compiled_code() else { return };
    let mut decoder = Decoder::new(64, code.code_buffer(), DecoderOptions::NONE);
    let mut formatter = GasFormatter::new();
    formatter.options_mut().set_branch_leading_zeros(false);
    let mut places = code.buffer.get_srclocs_sorted().iter().peekable();
    while decoder.can_decode() {
        let at = decoder.ip() as u32;
        let insn = decoder.decode();
        while places.next_if(|place| place.end <= at).is_some() {}
        let here = places.peek().filter(|place| place.start <= at && !place.loc.is_default());
        if let Some(span) = here.and_then(|place| spans.get(place.loc.bits() as usize)) {
            out.place(*span);
        }
        let mut text = String::new();
        formatter.format(&insn, &mut text);
        let end = decoder.ip() as u32;
        match code.buffer.relocs().iter().find(|reloc| (at..end).contains(&reloc.offset)) {
            Some(reloc) => out.line(format_args!("{at:>5x}  {text}  # {}", name_of(compiler, context, &reloc.target))),
            None => out.line(format_args!("{at:>5x}  {text}")),
        }
    }
}

/// What an address stands for that is filled in later.
#[cfg(target_arch = "x86_64")]
fn name_of(compiler: &Compiler<'_>, context: &Context, target: &cranelift_codegen::FinalizedRelocTarget) -> String {
    use cranelift_codegen::FinalizedRelocTarget;
    use cranelift_codegen::ir::ExternalName;
    use cranelift_module::{FuncId, Module as _};

    let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = target else { return format!("{target:?}") };
    let Some(name) = context.func.params.user_named_funcs().get(*name) else { return format!("{target:?}") };
    // Functions are the first namespace of a module (cranelift_module::ModuleReloc), data the second.
    match name.namespace {
        0 => {
            let id = FuncId::from_u32(name.index);
            compiler.code.declarations().get_function_decl(id).linkage_name(id).into_owned()
        }
        _ => format!("data{}", name.index),
    }
}
