//! On which side each map lives.

use reel_lang::diagnostic::{Diagnostic, code};
use reel_lang::hir::{self, MapId};
use reel_lang::ty::Ty;

use crate::lower::uses::{Side, Uses};
use crate::native::layout;

/// Where a map lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapSide {
    Kernel,
    Native,
    /// Both: an aggregation has a shard on each side.
    Shared,
}

impl MapSide {
    /// The word in `reel plan`.
    pub fn name(self) -> &'static str {
        match self {
            MapSide::Kernel => "kernel",
            MapSide::Native => "native",
            MapSide::Shared => "shared",
        }
    }
}

/// A map and where it lives.
#[derive(Debug, Clone, PartialEq)]
pub struct MapPlan {
    pub map: MapId,
    pub name: String,
    pub side: MapSide,
}

/// Says where each map lives.
pub(super) fn maps(program: &hir::Program) -> Vec<MapPlan> {
    let uses = Uses::of(program);
    let plan = |map: &hir::Map| {
        let side = match (uses.kernel.maps.contains(&map.id), uses.native.maps.contains(&map.id)) {
            (true, true) => MapSide::Shared,
            (false, true) => MapSide::Native,
            _ => MapSide::Kernel,
        };
        MapPlan { map: map.id, name: map.name.clone(), side }
    };
    program.maps.iter().map(plan).collect()
}

/// What cannot be shared as it is written: a map that both sides count up in place, or that holds what no kernel can.
pub fn shared_faults(program: &hir::Program) -> Vec<Diagnostic> {
    let uses = Uses::of(program);
    let shared = program.maps.iter().filter(|map| uses.is_shared(map.id));
    shared.filter_map(|map| counted_by_both(map, &uses).or_else(|| not_held(map))).collect()
}

fn counted_by_both(map: &hir::Map, uses: &Uses) -> Option<Diagnostic> {
    let at = |side: &Side| side.adds.iter().find(|(id, _)| *id == map.id).map(|(_, span)| *span);
    let (kernel, native) = (at(&uses.kernel)?, at(&uses.native)?);
    let name = &map.name;
    let text = format!("{name} is counted up from a kernel probe and from a message probe");
    Some(
        Diagnostic::new(code::SHARED_WRITE, native, text)
            .secondary(kernel, "and in the kernel here")
            .hint(format!("write `{name} = count()` or `{name} = sum(...)`, which are kept apart and merged")),
    )
}

fn not_held(map: &hir::Map) -> Option<Diagnostic> {
    let (what, ty) = match map.keys.iter().find(|ty| !layout::is_held(ty)) {
        Some(key) => ("a key", key),
        None if layout::is_held(&map.value) => return None,
        None => ("a value", &map.value),
    };
    let name = &map.name;
    let text = format!("{name} is shared with kernel probes, which cannot hold {what} of type {ty}");
    let hint = match ty {
        Ty::Any => {
            "Make it an integer with `int(...)`, take a field that is text (a header, a query parameter), or keep a map for each side."
        }
        _ => "Use integers, texts and tuples of them, or keep a map for each side.",
    };
    Some(Diagnostic::new(code::NOT_SHARED, map.span, text).label(format!("has {what} of type {ty}")).hint(hint))
}
