//! Functions of the kernel's side, made to run natively: reads of the context become fields of a message.

use reel_compiler::ir::{Inst, Module, Reg, RegTy};
use reel_lang::schema::FieldId;

/// Takes each 64-bit word of the context from the field of that number.
pub fn with_fields(module: &Module) -> Module {
    let mut module = module.clone();
    for function in &mut module.functions {
        let value = Reg(function.regs.len() as u32);
        function.regs.push(RegTy::Value);
        for block in &mut function.blocks {
            for (inst, span) in std::mem::take(&mut block.insts) {
                match inst {
                    Inst::Context { dst, offset } => {
                        let field = Inst::Field { dst: value, field: FieldId(offset / 8) };
                        block.insts.extend([(field, span), (Inst::ToInt { dst, value }, span)]);
                    }
                    other => block.insts.push((other, span)),
                }
            }
        }
    }
    module
}
