//! Maps: one type for each key and for the value, joined from every use in the program.

use std::collections::HashMap;

use super::Checker;
use super::assign::is_simple;
use super::infer::{Infer, Width, coerce};
use super::stmt::block_value;
use crate::ast;
use crate::diagnostic::{Diagnostic, code, nearest};
use crate::hir::{self, ExprKind, MapId};
use crate::span::Span;
use crate::ty::{Agg, Ty};

/// The most entries that a map can be declared with.
const MAX_ENTRIES: i64 = 1 << 26;

/// What is known of a map.
#[derive(Debug, Clone)]
struct MapState {
    /// Without the `@`.
    name: String,
    /// None until a use with keys, or a store without.
    keys: Option<Vec<Infer>>,
    /// The use that gave the number of keys.
    keys_span: Span,
    value: Infer,
    /// The first use.
    span: Span,
    max_entries: Option<u32>,
}

/// Every map of the program, in the order of first use.
#[derive(Debug, Default)]
pub(super) struct Maps {
    list: Vec<MapState>,
    by_name: HashMap<String, MapId>,
    sizes: HashMap<String, u32>,
}

impl Maps {
    fn state(&self, id: MapId) -> Option<&MapState> {
        self.list.get(id.0 as usize)
    }

    fn state_mut(&mut self, id: MapId) -> Option<&mut MapState> {
        self.list.get_mut(id.0 as usize)
    }

    /// Finds a map, or makes it known.
    fn intern(&mut self, name: &str, span: Span) -> MapId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = MapId(self.list.len() as u32);
        self.list.push(MapState {
            name: name.to_owned(),
            keys: None,
            keys_span: span,
            value: Infer::unknown(span),
            span,
            max_entries: self.sizes.get(name).copied(),
        });
        self.by_name.insert(name.to_owned(), id);
        id
    }
}

impl<'a> Checker<'a> {
    /// Checks the keys of `@name[keys]` and joins their types.
    pub(super) fn map_entry(&mut self, name: &str, keys: &'a [ast::Expr], span: Span) -> (MapId, Vec<hir::Expr>) {
        let keys: Vec<_> = keys.iter().map(|key| self.value(key)).collect();
        let keys: Vec<_> = self.spread(keys).into_iter().map(|key| self.map_key(key)).collect();
        let id = match self.map_name(name, span) {
            Some(name) => self.maps.intern(&name, span),
            // Reported: a map of its own, which agrees with everything.
            None => self.maps.intern(&format!("#{name}"), span),
        };
        (id, self.join_keys(id, keys, span))
    }

    /// One key that is a tuple counts as its parts: `@[1, 2]` and `@[(1, 2)]` are the same entry.
    fn spread(&mut self, mut keys: Vec<hir::Expr>) -> Vec<hir::Expr> {
        let types = match keys.as_slice() {
            [hir::Expr { ty: Ty::Tuple(types), .. }] => types.clone(),
            _ => return keys,
        };
        let Some(key) = keys.pop() else {
            return keys;
        };
        if let ExprKind::Tuple(items) = key.kind {
            return items;
        }
        let span = key.span;
        let (save, base) = if is_simple(&key) {
            (None, key)
        } else {
            let (save, base) = self.hidden(key);
            (Some(save), base)
        };
        for (index, ty) in types.into_iter().enumerate() {
            let kind = ExprKind::TupleItem { base: Box::new(base.clone()), index: index as u32 };
            keys.push(hir::Expr { kind, ty, span });
        }
        // Keys are computed from left to right, so the first one computes the tuple.
        if let (Some(save), Some(first)) = (save, keys.first_mut()) {
            let value = std::mem::replace(first, super::error_expr(span));
            *first = block_value(vec![save], value, span);
        }
        keys
    }

    fn map_key(&mut self, key: hir::Expr) -> hir::Expr {
        let key = self.plain(key);
        match key.ty {
            Ty::Agg(_) | Ty::Dynptr | Ty::Struct(_) | Ty::Headers | Ty::Strings | Ty::List | Ty::Timestamp => {
                let ty = key.ty.to_string();
                self.fault(Diagnostic::new(code::BAD_KEY, key.span, format!("a value of type {ty} cannot be a key")))
            }
            _ => key,
        }
    }

    fn join_keys(&mut self, id: MapId, keys: Vec<hir::Expr>, span: Span) -> Vec<hir::Expr> {
        let Some(map) = self.maps.state_mut(id) else {
            return keys;
        };
        let name = map.name.clone();
        let known = match &mut map.keys {
            Some(known) => known,
            unknown => {
                map.keys_span = span;
                self.changed = true;
                unknown.insert(keys.iter().map(|key| Infer::unknown(key.span)).collect())
            }
        };
        if known.len() != keys.len() {
            let (has, first) = (known.len(), map.keys_span);
            self.report(
                Diagnostic::new(
                    code::KEY_COUNT,
                    span,
                    format!("`@{name}` has {} elsewhere, and here {}", count_keys(has), count_keys(keys.len())),
                )
                .secondary(first, format!("here with {}", count_keys(has))),
            );
            return keys;
        }
        let mut conflicts = Vec::new();
        let mut joined = Vec::new();
        for (infer, key) in known.iter_mut().zip(keys) {
            match infer.join(&key, Width::Wide) {
                Ok(changed) => {
                    self.changed |= changed;
                    joined.push(coerce(key, &infer.current()));
                }
                Err((has, found)) => {
                    conflicts.push(
                        Diagnostic::new(
                            code::MAP_CONFLICT,
                            key.span,
                            format!("a key of `@{name}` is {has} elsewhere, and here {found}"),
                        )
                        .label(found.to_string())
                        .secondary(infer.span, has.to_string())
                        .hint("use another map, or make the keys of one type"),
                    );
                    joined.push(super::error_expr(key.span));
                }
            }
        }
        conflicts.into_iter().for_each(|conflict| self.report(conflict));
        joined
    }

    /// Reads an entry.
    pub(super) fn map_read(&mut self, map: MapId, key: Vec<hir::Expr>, span: Span) -> hir::Expr {
        let ty = self.maps.state(map).map_or(Ty::Error, |map| map.value.current());
        hir::Expr { kind: ExprKind::MapGet { map, key }, ty, span }
    }

    /// Joins the type of a value that is stored, and makes it of the map's type.
    pub(super) fn map_write(&mut self, id: MapId, value: hir::Expr) -> hir::Expr {
        let value = match value.ty {
            // Copied out of an aggregation as the number it stands for.
            Ty::Agg(_) => self.plain(value),
            _ => value,
        };
        if let Ty::Agg(_) | Ty::Dynptr | Ty::Struct(_) = value.ty {
            let message = format!("a value of type {} cannot be stored in a map", value.ty);
            return self.fault(Diagnostic::new(code::MISMATCH, value.span, message));
        }
        self.join_value(id, value)
    }

    /// The type of a map that is known to hold integers, whatever is added to it.
    pub(super) fn map_int(&self, id: MapId) -> Option<Ty> {
        let value = &self.maps.state(id)?.value;
        value.ty.clone().filter(|ty| matches!(ty, Ty::Int(_)) && !value.flexible)
    }

    /// Joins the type of a stored value or an aggregation.
    pub(super) fn join_value(&mut self, id: MapId, value: hir::Expr) -> hir::Expr {
        let Some(map) = self.maps.state_mut(id) else {
            return value;
        };
        match map.value.join(&value, Width::Wide) {
            Ok(changed) => {
                let ty = map.value.current();
                self.changed |= changed;
                coerce(value, &ty)
            }
            Err((has, found)) => {
                let (name, first) = (map.name.clone(), map.value.span);
                let (has, found) = (described(&has), described(&found));
                self.fault(
                    Diagnostic::new(
                        code::MAP_CONFLICT,
                        value.span,
                        format!("`@{name}` holds {has} elsewhere, and here {found}"),
                    )
                    .label(found)
                    .secondary(first, has)
                    .hint("use another map, or store values of one type"),
                )
            }
        }
    }

    /// `@m` as a whole, for `print`, `clear` and the like.
    pub(super) fn whole_map(&mut self, name: &str, span: Span) -> hir::Expr {
        let Some(name) = self.map_name(name, span) else {
            return super::error_expr(span);
        };
        let id = self.maps.intern(&name, span);
        hir::Expr { kind: ExprKind::Map(id), ty: Ty::Void, span }
    }

    /// How many keys a map has; none where no use has shown it yet.
    pub(super) fn map_keys(&mut self, name: &str, span: Span) -> Option<usize> {
        let name = self.map_name(name, span)?;
        let id = self.maps.intern(&name, span);
        self.maps.state(id)?.keys.as_ref().map(Vec::len)
    }

    /// Reads `let @m = hash(N);`, once and before the passes.
    pub(super) fn declared_maps(&mut self) {
        for decl in std::mem::take(&mut self.decls.maps) {
            if decl.kind.name != "hash" {
                let what = format!("a map of the kind `{}`", decl.kind.name);
                self.not_yet(code::NOT_YET_MAP_KIND, decl.kind.span, &what);
                continue;
            }
            self.enter(super::scope::Place::Noise { param: "" }, Vec::new());
            let value = self.value(&decl.max_entries);
            match self.constant(&value).filter(|n| (1..=MAX_ENTRIES).contains(n)) {
                Some(n) => {
                    self.maps.sizes.insert(decl.name.name.clone(), n as u32);
                }
                None => self.report(Diagnostic::expected(
                    code::NOT_CONSTANT,
                    decl.max_entries.span,
                    "a number of entries from 1 to 67108864",
                    "something else",
                )),
            }
        }
    }

    /// Writes the maps into the program, and reports those that nothing is ever stored in.
    pub(super) fn finish_maps(&mut self, program: &mut hir::Program) {
        let stored: Vec<String> =
            self.maps.list.iter().filter(|map| map.value.ty.is_some()).map(|map| map.name.clone()).collect();
        let mut faults = Vec::new();
        for (index, map) in self.maps.list.iter().enumerate() {
            if map.name.starts_with('#') {
                continue;
            }
            if map.value.ty.is_none() && !self.diagnostics.has_errors() {
                let diagnostic = Diagnostic::new(
                    code::UNDEFINED_MAP,
                    map.span,
                    format!("nothing is ever stored in `@{}`", map.name),
                );
                faults.push(match nearest(&map.name, stored.iter().map(String::as_str)) {
                    Some(near) if !near.is_empty() => diagnostic.hint(format!("did you mean `@{near}`?")),
                    _ => diagnostic.hint("store something in it, or remove it"),
                });
            }
            program.maps.push(hir::Map {
                id: MapId(index as u32),
                name: format!("@{}", map.name),
                keys: map.keys.iter().flatten().map(Infer::current).collect(),
                value: map.value.current(),
                max_entries: map.max_entries,
                span: map.span,
            });
        }
        faults.into_iter().for_each(|fault| self.report(fault));
    }
}

/// A type as a conflict shows it: histograms with their buckets.
fn described(ty: &Ty) -> String {
    match ty {
        Ty::Agg(Agg::Hist { bits }) => format!("hist_t with {bits} bits"),
        Ty::Agg(Agg::Lhist { min, max, step }) => format!("lhist_t from {min} to {max} by {step}"),
        other => other.to_string(),
    }
}

fn count_keys(n: usize) -> String {
    match n {
        0 => "no key".to_owned(),
        1 => "one key".to_owned(),
        n => format!("{n} keys"),
    }
}
