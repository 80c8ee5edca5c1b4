//! Reads the text form of the IR (`super::text`): the data files of the differential suite, and `reel debug` input.
//!
//! A hand-written, line-based reader. It checks the form only; whether the module makes sense is [`super::verify`]'s
//! question. An error names its line and what was expected there.

mod decl;
mod inst;
mod token;

use reel_lang::span::Span;

use super::{Block, BlockData, BufDef, Function, Inst, Module, RegTy, Terminator};
use token::{Line, Token};

/// What is wrong with a text, and where: the author of the data file is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ParseError {
    /// Starts at 1.
    pub line: usize,
    pub message: String,
}

/// Reads a module.
///
/// # Errors
/// The first line that does not have the form of `super::text`.
pub fn parse(text: &str) -> Result<Module, ParseError> {
    let mut module = Module::default();
    let mut open: Option<Open> = None;
    let mut last = 0;
    for (index, source) in text.lines().enumerate() {
        last = index + 1;
        let mut line = Line::new(source, last)?;
        if line.is_empty() {
            continue;
        }
        match &mut open {
            _ if line.word_is("function") => {
                close(&mut module, open.take(), last)?;
                open = Some(Open::begin(&mut line)?);
            }
            Some(open) => open.line(&mut line)?,
            None => decl::declaration(&mut module, &mut line)?,
        }
        line.end()?;
    }
    close(&mut module, open, last)?;
    Ok(module)
}

fn close(module: &mut Module, open: Option<Open>, line: usize) -> Result<(), ParseError> {
    let Some(open) = open else { return Ok(()) };
    if open.block.is_some() {
        return Err(ParseError {
            line,
            message: format!("the last block of {:?} has no jump, branch or return", open.function.name),
        });
    }
    module.functions.push(open.function);
    Ok(())
}

/// A function whose end has not been seen.
struct Open {
    function: Function,
    /// The block whose terminator has not been seen.
    block: Option<Vec<(Inst, Span)>>,
}

impl Open {
    fn begin(line: &mut Line<'_>) -> Result<Self, ParseError> {
        line.keyword("function")?;
        let function = Function { name: line.string()?, regs: Vec::new(), bufs: Vec::new(), blocks: Vec::new() };
        Ok(Open { function, block: None })
    }

    fn line(&mut self, line: &mut Line<'_>) -> Result<(), ParseError> {
        if line.second_is(':') {
            return self.label(line);
        }
        let Some(insts) = &mut self.block else {
            return Err(line.error("an instruction outside a block"));
        };
        if let Some(terminator) = terminator(line)? {
            let insts = std::mem::take(insts);
            self.block = None;
            self.function.blocks.push(BlockData { insts, terminator });
            return Ok(());
        }
        let inst = inst::instruction(line)?;
        insts.push((inst, line.span()?));
        Ok(())
    }

    /// `v0: i64`, `buf0: 16 stack`, `block0:`.
    fn label(&mut self, line: &mut Line<'_>) -> Result<(), ParseError> {
        if self.block.is_some() {
            return Err(line.error("the block above has no jump, branch or return"));
        }
        if line.word_starts("block") {
            let number = line.id("block")?;
            in_order(line, "block", number, self.function.blocks.len())?;
            line.punct(':')?;
            self.block = Some(Vec::new());
        } else if line.word_starts("buf") {
            let number = line.id("buf")?;
            in_order(line, "buf", number, self.function.bufs.len())?;
            line.punct(':')?;
            let len_bytes = line.number_as()?;
            let on_stack = line.take_word("stack");
            self.function.bufs.push(BufDef { len_bytes, on_stack });
        } else {
            let number = line.id("v")?;
            in_order(line, "v", number, self.function.regs.len())?;
            line.punct(':')?;
            let ty = reg_ty(line)?;
            self.function.regs.push(ty);
        }
        Ok(())
    }
}

/// Checks that declarations count up from 0, so that a name and an index are one thing.
fn in_order(line: &Line<'_>, what: &str, number: u32, expected: usize) -> Result<(), ParseError> {
    if number as usize == expected {
        return Ok(());
    }
    Err(line.error(format!("expected {what}{expected}, found {what}{number}")))
}

fn terminator(line: &mut Line<'_>) -> Result<Option<Terminator>, ParseError> {
    let block = |line: &mut Line<'_>| line.id("block").map(Block);
    Ok(Some(if line.take_word("jump") {
        Terminator::Jump(block(line)?)
    } else if line.take_word("branch") {
        let condition = line.reg()?;
        line.punct(',')?;
        let then = block(line)?;
        line.punct(',')?;
        let otherwise = block(line)?;
        Terminator::Branch { condition, then, otherwise }
    } else if line.take_word("return") {
        Terminator::Return(line.reg()?)
    } else {
        return Ok(None);
    }))
}

fn reg_ty(line: &mut Line<'_>) -> Result<RegTy, ParseError> {
    if line.take_word("bool") {
        return Ok(RegTy::Bool);
    }
    if line.take_word("btf") {
        return Ok(RegTy::Btf);
    }
    if line.take_word("value") {
        return Ok(RegTy::Value);
    }
    if line.take_word("address") {
        line.punct('(')?;
        let space = decl::space(line)?;
        line.punct(')')?;
        return Ok(RegTy::Address(space));
    }
    match line.peek() {
        Some(Token::Word(word)) if decl::int_ty(word).is_some() => decl::take_int_ty(line).map(RegTy::Int),
        _ => Err(line.expected("a register type (i8..u64, bool, btf, value, address(..))")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_line_and_what_was_expected() {
        let check = |text: &str, expect: &str| {
            assert_eq!(parse(text).unwrap_err().to_string(), expect, "{text}");
        };
        check(
            "nonsense",
            "line 1: expected a declaration (map0:, data0:, pattern0:, path0:, output0:), found nonsense",
        );
        check("data1: \"x\"", "line 1: expected data0, found data1");
        check("data0: \"x", "line 1: a string that does not end");
        check(
            "function \"f\"\n  v0: i13",
            "line 2: expected a register type (i8..u64, bool, btf, value, address(..)), found i13",
        );
        check("function \"f\"\nblock0:\n  v0 = frob v1\n", "line 3: no instruction is called frob");
        check("function \"f\"\nblock0:\n  v0 = add v1 v2\n", "line 3: expected ',', found v2");
        check(
            "function \"f\"\nblock0:\n  v0 = const 1\n",
            "line 3: the last block of \"f\" has no jump, branch or return",
        );
        check("function \"f\"\nblock0:\n  return v0 v1", "line 3: expected the end of the line, found v1");
        check("function \"f\"\n  v0 = const 1\n", "line 2: an instruction outside a block");
    }
}
