//! The machine code of rules at work: whether a clause holds, which of its actions fire, and with which values.

use reel_compiler::jit::{Native, Record};
use reel_compiler::native::{Host, Maps};
use reel_lang::hir::Action;
use reel_lang::value::Value;

use super::ruleset::{Act, Clause};
use super::{Answer, Mocking, Reuse};

pub(super) struct Machine {
    pub(super) native: Native,
    pub(super) host: RuleHost,
}

/// What rules can call: maps, and handing over the values of an action.
pub(super) struct RuleHost {
    pub(super) maps: Maps,
    pub(super) values: Vec<Value>,
}

impl Host for RuleHost {
    fn maps(&mut self) -> &mut Maps {
        &mut self.maps
    }

    fn builtin(&mut self, _name: &'static str) -> Value {
        Value::Nil
    }

    /// Rules decide; printing belongs to message probes.
    fn emit(&mut self, _output: reel_compiler::ir::OutputId, _args: &[Value]) {}

    fn emit_record(&mut self, _output: reel_compiler::ir::OutputId, _record: &[u8]) {}

    fn action(&mut self, _index: u32, args: &[Value]) {
        self.values = args.to_vec();
    }
}

impl Machine {
    pub(super) fn is_true(&mut self, function: Option<usize>, record: &Record<'_>) -> bool {
        function.is_none_or(|function| self.native.call(function, record, &mut self.host) != 0)
    }

    /// Whether a clause holds; if so, its statements run.
    pub(super) fn holds(&mut self, clause: &Clause, record: &Record<'_>) -> bool {
        let holds = self.is_true(clause.predicate, record);
        if holds && let Some(body) = clause.body {
            self.native.call(body, record, &mut self.host);
        }
        holds
    }

    pub(super) fn fires(&mut self, act: &Act, record: &Record<'_>) -> bool {
        self.is_true(act.made.guard.map(|index| index as usize), record)
    }

    pub(super) fn values(&mut self, act: &Act, record: &Record<'_>) -> Vec<Value> {
        self.host.values.clear();
        if let Some(function) = act.made.values {
            self.native.call(function as usize, record, &mut self.host);
        }
        std::mem::take(&mut self.host.values)
    }

    /// What a mock clause that holds says.
    pub(super) fn mocking(&mut self, clause: &Clause, record: &Record<'_>) -> Mocking {
        let mut mocking = Mocking::default();
        for act in &clause.actions {
            if !self.fires(act, record) {
                continue;
            }
            match &act.made.action {
                Action::Key(paths) => {
                    mocking.key = Some(paths.clone());
                    continue;
                }
                Action::Respond(fields) => {
                    let names = fields.iter().map(|(name, _)| name.clone());
                    mocking.answer = Answer::Respond(names.zip(self.values(act, record)).collect());
                }
                Action::Delay(ns) => {
                    mocking.delay_ns = u64::try_from(*ns).unwrap_or(0);
                    continue;
                }
                Action::Abort(abort) => mocking.answer = Answer::Abort(*abort),
                Action::Passthrough => mocking.answer = Answer::Passthrough,
                Action::Cycle => mocking.reuse = Reuse::Cycle,
                Action::Latest => mocking.reuse = Reuse::Latest,
                _ => continue,
            }
            mocking.decided = Some((act.id, act.origin.clone()));
        }
        mocking
    }
}
