//! Top-level items.

use pest::iterators::{Pair, Pairs};

use super::{Lower, Parsed, Rule, expr_text};
use crate::ast::{
    Block, CDef, Clause, ConfigEntry, Define, FnParam, Function, Ident, Import, Item, Macro, MacroParam, MapDecl,
    Noise, Program, Type,
};
use crate::diagnostic::{Diagnostic, code};
use crate::scan::{RawDefine, RawItem, RawKind, limits};
use crate::span::{FileId, Span};

/// Parses one item and adds it to the program.
pub(super) fn lower(lower: &mut Lower<'_>, raw: &RawItem, program: &mut Program) {
    let span = lower.span_at(raw.range.clone());
    let rule = match &raw.kind {
        RawKind::Clause { header, predicate, body } => {
            let item = lower.clause(header.clone(), predicate.clone(), body.clone(), span);
            program.items.extend(item.map(Item::Clause));
            return;
        }
        RawKind::Headless { at, in_predicate } => {
            let (at, in_predicate) = (*at, *in_predicate);
            return lower.headless(raw, at, in_predicate);
        }
        RawKind::Macro => Rule::macro_entry,
        RawKind::Fn => Rule::fn_entry,
        RawKind::MapDecl => Rule::map_decl_entry,
        RawKind::Noise => Rule::noise_entry,
        RawKind::Import => Rule::import_entry,
        RawKind::Config => Rule::config_entry,
        RawKind::CDef | RawKind::Typedef => Rule::c_entry,
    };
    lower.check_place(rule, span, program);
    let Some(pairs) = lower.parse_range(rule, raw.range.clone()) else {
        return;
    };
    match rule {
        Rule::config_entry => lower.config(pairs, span, program),
        Rule::c_entry => program.c_defs.extend(lower.first_c_def(pairs)),
        Rule::import_entry => program.imports.extend(lower.top_import(pairs, span)),
        _ => program.items.extend(lower.named_item(rule, pairs, span)),
    }
}

/// Adds a `#define`; a value that is no expression is a warning, because only its use would be a fault.
pub(super) fn define(parsed: &mut Parsed, raw: RawDefine, file: FileId) {
    let name_span = Span::new(file, raw.name_at, raw.name_at + raw.name.len());
    let span = Span::new(file, raw.name_at, raw.value_at + raw.value.trim_end().len());
    let name = Ident { name: raw.name, span: name_span };
    let mut value = None;
    if !raw.value.trim().is_empty() {
        let is_deep = limits::nests_too_deep(&raw.value);
        let (expr, faults) =
            if is_deep { (None, Vec::new()) } else { expr_text(raw.value.trim_end(), file, raw.value_at) };
        value = expr.filter(|_| faults.is_empty());
        if value.is_none() {
            let message = format!("the value of `{}` is not an expression", name.name);
            let diagnostic = Diagnostic::new(code::DEFINE_IGNORED, span, message);
            let hint = "write `macro NAME { ... }` for code; only values can be defined";
            parsed.diagnostics.push(diagnostic.label("ignored").hint(hint));
        }
    }
    parsed.program.defines.push(Define { name, value, span });
}

/// The children of a `macro`, `fn`, `let @` or `noise` item.
#[derive(Default)]
struct Children {
    names: Vec<Ident>,
    macro_params: Vec<MacroParam>,
    fn_params: Vec<FnParam>,
    ty: Option<Type>,
    expr: Option<crate::ast::Expr>,
    block: Option<Block>,
}

impl Lower<'_> {
    fn clause(
        &mut self,
        header: std::ops::Range<usize>,
        predicate: Option<std::ops::Range<usize>>,
        body: std::ops::Range<usize>,
        span: Span,
    ) -> Option<Clause> {
        // All three are parsed before any is given up, so that each says what is wrong with it.
        let headers = self.parse_range(Rule::headers_entry, header);
        let headers = headers.map(|pairs| {
            let headers = pairs.filter(|p| p.as_rule() == Rule::header);
            headers.filter_map(|p| self.header(p)).collect::<Vec<_>>()
        });
        let has_predicate = predicate.is_some();
        let pairs = predicate.and_then(|range| self.parse_range(Rule::expr_entry, range));
        let predicate = pairs.and_then(|mut pairs| pairs.next()).map(|pair| self.expr(pair));
        let pairs = self.parse_range(Rule::block_entry, body);
        let body = pairs.and_then(|mut pairs| pairs.next()).map(|pair| self.block(pair));
        let is_whole = !has_predicate || predicate.is_some();
        Some(Clause { headers: headers?, predicate, body: body.filter(|_| is_whole)?, span })
    }

    /// A script's settings and imports come before all that they have an effect on.
    fn check_place(&mut self, rule: Rule, span: Span, program: &Program) {
        let word = match rule {
            Rule::config_entry => "config",
            Rule::import_entry => "import",
            _ => return,
        };
        let span = Span { end: span.start + word.len() as u32, ..span };
        if let Some(first) = program.items.first() {
            let diagnostic = Diagnostic::new(code::MISPLACED, span, format!("`{word}` stands after the first clause"));
            let first = Span { end: first.span().start + 1, ..first.span() };
            self.report(diagnostic.secondary(first, "the first clause").hint("move it to the top of the file"));
        } else if let (Rule::config_entry, Some(entry)) = (rule, program.config.first()) {
            let diagnostic = Diagnostic::new(code::MISPLACED, span, "a second `config` block");
            self.report(diagnostic.secondary(entry.span, "the first block").hint("put all settings in one block"));
        }
    }

    fn headless(&mut self, raw: &RawItem, at: usize, in_predicate: bool) {
        let end = raw.range.start + self.text[raw.range.clone()].trim_end().len();
        let at = at.min(end);
        let line_end = self.text[raw.range.start..end].find('\n').map_or(end, |len| raw.range.start + len);
        let clause = self.span_at(raw.range.start..line_end.min(at));
        let here = self.span_at(at..at);
        let found = super::error::token_at(self.text, at.min(raw.range.end), raw.range.end);
        let expected = if in_predicate { "`/`" } else { "`{`" };
        let diagnostic = Diagnostic::expected(code::SYNTAX, here, expected, found);
        let hint = match in_predicate {
            true => "a predicate ends with `/`, and the actions in `{ }` follow",
            false => "a clause is: header /predicate/ { actions }",
        };
        self.report(diagnostic.secondary(clause, "of this clause").hint(hint));
    }

    fn config(&mut self, pairs: Pairs<'_, Rule>, _span: Span, program: &mut Program) {
        for pair in pairs.filter(|p| p.as_rule() == Rule::config_pair) {
            let span = self.span(&pair);
            if let (Some(key), Some(value)) = self.name_and_expr(pair.into_inner()) {
                program.config.push(ConfigEntry { key, value, span });
            }
        }
    }

    fn first_c_def(&mut self, pairs: Pairs<'_, Rule>) -> Option<CDef> {
        let mut pairs = pairs;
        let pair = pairs.next()?;
        self.c_def(pair)
    }

    fn top_import(&mut self, mut pairs: Pairs<'_, Rule>, span: Span) -> Option<Import> {
        let path = pairs.find(|p| p.as_rule() == Rule::string)?;
        let path = String::from_utf8_lossy(&self.string(&path)).into_owned();
        Some(Import { path, span })
    }

    fn children(&mut self, pairs: Pairs<'_, Rule>) -> Children {
        let mut out = Children::default();
        for pair in pairs {
            match pair.as_rule() {
                Rule::name | Rule::map_name => out.names.push(self.ident(&pair)),
                Rule::macro_params => out.macro_params.extend(pair.into_inner().filter_map(|p| self.macro_param(p))),
                Rule::fn_params => out.fn_params.extend(pair.into_inner().filter_map(|p| self.fn_param(p))),
                Rule::type_ref => out.ty = Some(self.type_like(pair)),
                Rule::expr => out.expr = Some(self.expr(pair)),
                Rule::block => out.block = Some(self.block(pair)),
                _ => {}
            }
        }
        out
    }

    fn named_item(&mut self, rule: Rule, pairs: Pairs<'_, Rule>, span: Span) -> Option<Item> {
        let children = self.children(pairs);
        let mut names = children.names.into_iter();
        let name = names.next()?;
        Some(match rule {
            Rule::macro_entry => {
                Item::Macro(Macro { name, params: children.macro_params, body: children.block?, span })
            }
            Rule::fn_entry => {
                let (params, result) = (children.fn_params, children.ty);
                Item::Fn(Function { name, params, result, body: children.block?, span })
            }
            Rule::map_decl_entry => {
                Item::MapDecl(MapDecl { name, kind: names.next()?, max_entries: children.expr?, span })
            }
            _ => Item::Noise(Noise { name, param: names.next()?, body: children.expr?, span }),
        })
    }

    fn macro_param(&mut self, pair: Pair<'_, Rule>) -> Option<MacroParam> {
        let inner = pair.into_inner().next()?;
        let ident = self.ident(&inner);
        Some(match inner.as_rule() {
            Rule::variable => MacroParam::Var(ident),
            Rule::map_name => MacroParam::Map(ident),
            Rule::name => MacroParam::Expr(ident),
            _ => return None,
        })
    }

    fn fn_param(&mut self, pair: Pair<'_, Rule>) -> Option<FnParam> {
        let (mut name, mut ty) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::variable => name = Some(self.ident(&part)),
                Rule::type_ref => ty = Some(self.type_like(part)),
                _ => {}
            }
        }
        Some(FnParam { name: name?, ty: ty? })
    }
}
