//! The rules and classes that come with reel check without an error or a warning, against the protocols as they are.

use std::sync::Arc;

use reel_lang::check::{Options, check};
use reel_lang::env::{AttachError, AttachPoint, Builtin, Environment, Function, Layout};
use reel_lang::hir::{Header, Stage};
use reel_lang::parse::parse;
use reel_lang::schema::Schema;
use reel_lang::span::SourceMap;
use reel_lang::ty::IntTy;

/// The registered protocols and functions, and nothing else.
struct Protocols;

impl Environment for Protocols {
    fn schemas(&self) -> Vec<&Schema> {
        reel_protocols::protocols().iter().map(|protocol| protocol.schema()).collect()
    }

    fn builtin(&self, _name: &str) -> Option<&Builtin> {
        None
    }

    fn function(&self, name: &str) -> Option<&Function> {
        reel_compiler::builtins::function(name)
    }

    fn names(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn attach(&self, _provider: &str, _parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
        Err(AttachError::NoProvider(Vec::new()))
    }

    fn layout(&self, _name: &str) -> Option<Arc<Layout>> {
        None
    }

    fn enumerator(&self, _name: &str) -> Option<(i64, IntTy, String)> {
        None
    }
}

#[test]
fn the_default_rules_are_right() {
    let mut sources = SourceMap::new();
    let mut programs = Vec::new();
    for (name, text) in reel_stdlib::files() {
        let file = sources.add(*name, *text);
        let parsed = parse(&sources, file);
        assert!(parsed.diagnostics.is_empty(), "{name}: {:#?}", parsed.diagnostics);
        programs.push(parsed.program);
    }
    let options = Options { stdlib_programs: programs.len(), ..Options::default() };
    let checked = check(&programs, &Protocols, &options);
    let told: Vec<_> = checked.diagnostics.iter().map(|d| format!("{}: {d:?}", sources.place(d.span))).collect();
    assert!(told.is_empty(), "{told:#?}");
    let rules = checked.program.iter().flat_map(|program| &program.clauses).filter_map(|clause| match &clause.header {
        Header::Rule(rule) => Some(rule.stage),
        _ => None,
    });
    let stages: Vec<_> = rules.collect();
    for stage in [Stage::Capture, Stage::Match, Stage::Mock] {
        assert!(stages.contains(&stage), "no {stage:?} rule");
    }
}
