//! What the programs define outside clauses: macros, `#define`s, noise classes, declared maps.
//!
//! Definitions may stand after their use, so they are collected first. A user's definition replaces stdlib's of the same
//! name, with a warning; two of the same rank are an error.

use std::collections::BTreeMap;

use super::{Options, not_yet};
use crate::ast;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, code};
use crate::hir::NoiseId;

/// A noise class as it was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoiseDecl<'a> {
    pub(super) id: NoiseId,
    pub(super) ast: &'a ast::Noise,
    is_stdlib: bool,
}

/// All definitions.
#[derive(Debug, Default)]
pub(super) struct Decls<'a> {
    /// By name; several where they differ in their parameters.
    pub(super) macros: BTreeMap<&'a str, Vec<&'a ast::Macro>>,
    pub(super) defines: BTreeMap<&'a str, &'a ast::Define>,
    pub(super) noise: BTreeMap<&'a str, NoiseDecl<'a>>,
    pub(super) maps: Vec<&'a ast::MapDecl>,
    /// User functions, which parse only.
    pub(super) functions: BTreeMap<&'a str, &'a ast::Function>,
}

/// Collects the definitions of all programs.
pub(super) fn collect<'a>(programs: &'a [ast::Program], options: &Options, diagnostics: &mut Diagnostics) -> Decls<'a> {
    let mut decls = Decls::default();
    for (index, program) in programs.iter().enumerate() {
        let is_stdlib = index < options.stdlib_programs;
        for define in &program.defines {
            decls.defines.insert(&define.name.name, define);
        }
        for import in &program.imports {
            let what = format!("import \"{}\"", import.path);
            diagnostics.push(not_yet(code::NOT_YET_IMPORT, import.span, &what));
        }
        for def in &program.c_defs {
            diagnostics.push(not_yet(code::NOT_YET_C_DEFINITION, def.span, "a C definition in a script"));
        }
        for item in &program.items {
            match item {
                ast::Item::Clause(_) => {}
                ast::Item::Macro(found) => decls.add_macro(found, diagnostics),
                ast::Item::MapDecl(found) => decls.maps.push(found),
                ast::Item::Fn(found) => {
                    diagnostics.push(not_yet(code::NOT_YET_FN, found.name.span, "a function of the script's own"));
                    decls.functions.insert(&found.name.name, found);
                }
                ast::Item::Noise(found) => decls.add_noise(found, is_stdlib, diagnostics),
            }
        }
    }
    decls
}

impl<'a> Decls<'a> {
    fn add_macro(&mut self, found: &'a ast::Macro, diagnostics: &mut Diagnostics) {
        let same = self.macros.entry(&found.name.name).or_default();
        let signature = |m: &ast::Macro| m.params.iter().map(std::mem::discriminant).collect::<Vec<_>>();
        if let Some(first) = same.iter().find(|m| signature(m) == signature(found)) {
            diagnostics.push(redefined(code::REDEFINED, "macro", &first.name, &found.name));
            return;
        }
        same.push(found);
    }

    fn add_noise(&mut self, found: &'a ast::Noise, is_stdlib: bool, diagnostics: &mut Diagnostics) {
        let id = NoiseId(self.noise.len() as u32);
        let decl = NoiseDecl { id, ast: found, is_stdlib };
        let Some(first) = self.noise.get_mut(found.name.name.as_str()) else {
            self.noise.insert(&found.name.name, decl);
            return;
        };
        let replaces = first.is_stdlib && !is_stdlib;
        let code = if replaces { code::SHADOWS_STDLIB } else { code::REDEFINED };
        diagnostics.push(redefined(code, "noise class", &first.ast.name, &found.name));
        if replaces {
            *first = NoiseDecl { id: first.id, ..decl };
        }
    }
}

fn redefined(code: Code, what: &str, first: &ast::Ident, again: &ast::Ident) -> Diagnostic {
    let name = &again.name;
    let message = if code == code::SHADOWS_STDLIB {
        format!("the {what} `{name}` replaces the one that comes with reel")
    } else {
        format!("the {what} `{name}` is defined twice")
    };
    Diagnostic::new(code, again.span, message)
        .label("defined again here")
        .secondary(first.span, "first defined here")
        .hint("give it another name")
}
