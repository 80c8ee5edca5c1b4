//! Checks the invariants of the IR before a back end sees it, so that back ends may rely on them.
//!
//! The JIT's memory safety rests on this pass: indexes exist, accesses to buffers are in bounds, every register is written
//! before it is read on every path, and operands have the types that an instruction wants. A failure is a bug of lowering
//! (or of a data file), never of a script.

mod flow;
mod native;
mod operands;

use super::{Block, Function, Module, Terminator};

/// What is wrong with a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("function {function:?}, {block}, instruction {inst}: {message}")]
pub struct VerifyError {
    pub function: String,
    pub block: Block,
    /// The index in the block; the number of instructions for the terminator.
    pub inst: usize,
    pub message: String,
}

/// The longest buffer of a function.
pub const MAX_BUF_LEN_BYTES: u32 = 1 << 20;
/// The most registers, blocks or buffers of a function.
pub const MAX_ITEMS: usize = 1 << 16;

/// Checks every function of a module.
///
/// # Errors
/// The first violation.
pub fn verify(module: &Module) -> Result<(), VerifyError> {
    module.functions.iter().try_for_each(|function| verify_function(module, function))
}

/// Checks one function of a module.
///
/// # Errors
/// The first violation.
pub fn verify_function(module: &Module, function: &Function) -> Result<(), VerifyError> {
    let at = |block: usize, inst: usize, message: String| VerifyError {
        function: function.name.clone(),
        block: Block(u32::try_from(block).unwrap_or(u32::MAX)),
        inst,
        message,
    };
    shape(function).map_err(|message| at(0, 0, message))?;
    for (index, block) in function.blocks.iter().enumerate() {
        for (number, (inst, _)) in block.insts.iter().enumerate() {
            operands::check(module, function, inst)
                .map_err(|message| at(index, number, format!("{message}: {inst}")))?;
        }
        terminator(function, &block.terminator).map_err(|message| at(index, block.insts.len(), message))?;
    }
    match flow::unwritten(function) {
        None => Ok(()),
        Some((block, inst, reg)) => Err(at(block, inst, format!("{reg} is read before it is written on every path"))),
    }
}

fn shape(function: &Function) -> Result<(), String> {
    if function.blocks.is_empty() {
        return Err("a function wants a block".into());
    }
    if let Some(buf) = function.bufs.iter().find(|buf| buf.len_bytes > MAX_BUF_LEN_BYTES) {
        return Err(format!("a buffer of {} bytes is too long", buf.len_bytes));
    }
    let items = [function.regs.len(), function.bufs.len(), function.blocks.len()];
    if items.iter().any(|count| *count > MAX_ITEMS) {
        return Err("too many registers, buffers or blocks".into());
    }
    Ok(())
}

fn terminator(function: &Function, terminator: &Terminator) -> Result<(), String> {
    let exists = |block: Block| {
        if (block.0 as usize) < function.blocks.len() {
            return Ok(());
        }
        Err(format!("{block} does not exist"))
    };
    match terminator {
        Terminator::Jump(to) => exists(*to),
        Terminator::Branch { condition, then, otherwise } => {
            operands::want_bool(function, *condition)?;
            exists(*then)?;
            exists(*otherwise)
        }
        Terminator::Return(reg) => operands::want_scalar(function, *reg).map(|_| ()),
    }
}

/// The blocks that a terminator can go to.
pub(crate) fn successors(terminator: &Terminator) -> impl Iterator<Item = Block> + use<> {
    let (first, second) = match terminator {
        Terminator::Jump(to) => (Some(*to), None),
        Terminator::Branch { then, otherwise, .. } => (Some(*then), Some(*otherwise)),
        Terminator::Return(_) => (None, None),
    };
    first.into_iter().chain(second)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    /// Wraps lines into a function with one register and buffer of each kind.
    fn check(body: &str, expect: &str) {
        let text = format!(
            "map0: hash \"m\" keys (u64 at 0 len 8) value u64 key_len 8 value_len 8 max 16\n\
             map1: hash \"h\" keys (u64 at 0 len 8) value hist(0) key_len 8 value_len 8 max 16\n\
             data0: \"abcd\"\npattern0: regex \"x\"\npath0: name \"a\"\noutput0: exit args () len 8\n\
             function \"f\"\n  v0: i64\n  v1: u32\n  v2: bool\n  v3: value\n  v4: u32\n  v5: bool\n  v6: i64\n  buf0: 16\n\
             block0:\n  v0 = const 1\n  v1 = const 2\n  v2 = const 1\n  v3 = field 0\n{body}"
        );
        let found = verify(&parse(&text).unwrap());
        let found = found.map_or_else(|error| error.message, |()| "ok".into());
        assert_eq!(found, expect, "{body}");
    }

    #[test]
    fn accepts_what_is_right() {
        check("  v4 = add v1, v1\n  return v0", "ok");
        check(
            "  v5 = lt v1, v1\n  branch v5, block1, block2\nblock1:\n  v6 = const 3\n  jump block3\nblock2:\n  v6 = const 4\n  jump block3\nblock3:\n  return v6",
            "ok",
        );
        check("  zero buf0+8, 8\n  v5 = mapget map0, buf0+0, buf0+8\n  return v0", "ok");
        check("  aggregate map1, buf0+0, hist(0), v0\n  return v0", "ok");
        check("  v3 = host tuple(v0, v3)\n  v2 = host equal(v3, v0)\n  return v2", "ok");
    }

    #[test]
    fn refuses_wrong_types() {
        check("  v4 = add v0, v1\n  return v0", "v4 and v0 differ in type: v4 = add v0, v1");
        check("  v0 = add v1, v1\n  return v0", "v0 and v1 differ in type: v0 = add v1, v1");
        check("  v2 = not v0\n  return v0", "v0 is i64, not bool: v2 = not v0");
        check("  v2 = cast v0\n  return v0", "a cast gives an integer or an address: v2 = cast v0");
        check("  v0 = toint v1\n  return v0", "v1 is u32, not value: v0 = toint v1");
        check("  return v3", "v3 is value, not a scalar");
        check("  branch v0, block0, block0", "v0 is i64, not bool");
        check(
            "  aggregate map0, buf0+0, hist(0), v0\n  return v0",
            "map0 holds u64: aggregate map0, buf0+0, hist(0), v0",
        );
    }

    #[test]
    fn refuses_what_is_out_of_bounds() {
        check("  zero buf0+9, 8\n  return v0", "buf0+9 with 8 bytes is out of bounds: zero buf0+9, 8");
        check(
            "  zero buf0+4294967295, 8\n  return v0",
            "buf0+4294967295 with 8 bytes is out of bounds: zero buf0+4294967295, 8",
        );
        check("  zero buf1+0, 8\n  return v0", "buf1 does not exist: zero buf1+0, 8");
        check("  v0 = load buf0+12\n  return v0", "buf0+12 with 8 bytes is out of bounds: v0 = load buf0+12");
        check(
            "  mapset map0, buf0+0, buf0+12\n  return v0",
            "buf0+12 with 8 bytes is out of bounds: mapset map0, buf0+0, buf0+12",
        );
        check("  mapset map7, buf0+0, buf0+8\n  return v0", "map7 does not exist: mapset map7, buf0+0, buf0+8");
        check("  v9 = const 1\n  return v0", "v9 does not exist: v9 = const 1");
        check("  jump block4", "block4 does not exist");
        check("  set buf0+14, data0\n  return v0", "buf0+14 with 4 bytes is out of bounds: set buf0+14, data0");
        check("  v2 = matches v3, pattern1\n  return v0", "pattern1 does not exist: v2 = matches v3, pattern1");
    }

    #[test]
    fn refuses_a_register_that_one_path_leaves_unwritten() {
        check("  return v6", "v6 is read before it is written on every path");
        check(
            "  branch v2, block1, block2\nblock1:\n  v6 = const 3\n  jump block2\nblock2:\n  return v6",
            "v6 is read before it is written on every path",
        );
        check(
            "  jump block1\nblock1:\n  v4 = copy v1\n  v6 = copy v0\n  branch v2, block1, block2\nblock2:\n  return v6",
            "ok",
        );
    }
}
