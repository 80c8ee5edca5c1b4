//! Where the members of a kernel struct are.
//!
//! Members of anonymous structs and unions count as the outer one's, as in C. Layouts are kept:
//! a script asks for the same few again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reel_lang::env::{Layout, Member};
use reel_lang::ty::Space;

use super::btf::{self, Btf, Kind, Type};
use super::ctype;

/// How deep anonymous structs may nest before their members are left out.
const MAX_DEPTH: u32 = 16;

/// Layouts that were asked for, by name; none for a name that the kernel does not have.
#[derive(Debug, Default)]
pub(super) struct Layouts(Mutex<HashMap<String, Option<Arc<Layout>>>>);

impl Layouts {
    /// Finds a struct or union: by name, with or without `struct` or `union`, by the name of a
    /// typedef, or by `#` and its number.
    pub(super) fn find(&self, btf: &Btf, name: &str) -> Option<Arc<Layout>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layout) = known.get(name) {
            return layout.clone();
        }
        let layout = resolve(btf, name).map(|ty| Arc::new(layout_of(btf, name, ty)));
        known.insert(name.to_string(), layout.clone());
        layout
    }
}

fn resolve<'a>(btf: &'a Btf, name: &str) -> Option<Type<'a>> {
    let is_compound = |ty: &Type<'_>| matches!(ty.kind(), Kind::Struct | Kind::Union);
    let bare = name.strip_prefix("struct ").or(name.strip_prefix("union ")).unwrap_or(name);
    if let Some(id) = bare.strip_prefix('#') {
        return Some(btf.ty(id.parse().ok()?)).filter(is_compound);
    }
    let kinds = if name.starts_with("union ") { [Kind::Union, Kind::Struct] } else { [Kind::Struct, Kind::Union] };
    let found = kinds.into_iter().find_map(|kind| btf.find(bare, kind));
    found.or_else(|| Some(btf.find(bare, Kind::Typedef)?.peel())).filter(is_compound)
}

fn layout_of(btf: &Btf, name: &str, ty: Type<'_>) -> Layout {
    let mut members = Vec::new();
    flatten(btf, ty, 0, MAX_DEPTH, &mut members);
    Layout { name: name.to_string(), len_bytes: ty.len_bytes(), members }
}

fn flatten(btf: &Btf, ty: Type<'_>, base_bits: u32, depth: u32, out: &mut Vec<Member>) {
    for member in ty.members() {
        let at_bits = base_bits.saturating_add(member.offset_bits);
        let inner = btf.ty(member.ty);
        if !member.name.is_empty() {
            out.push(convert(member, inner, at_bits));
        } else if let Some(depth) = depth.checked_sub(1) {
            flatten(btf, inner.peel(), at_bits, depth, out);
        }
    }
}

fn convert(member: btf::Member<'_>, ty: Type<'_>, at_bits: u32) -> Member {
    let name = member.name.to_string();
    let unit_bits = ty.peel().len_bytes().saturating_mul(8);
    let ty = ctype::of_btf(ty, Space::Kernel);
    if member.width_bits == 0 || unit_bits == 0 {
        return Member { name, ty, offset_bytes: at_bits / 8, bits: None };
    }
    // A bit-field lies in a unit of its type's length, aligned to it (System V ABI).
    let offset_bits = at_bits / unit_bits * unit_bits;
    let bits = Some(((at_bits - offset_bits) as u8, member.width_bits as u8));
    Member { name, ty, offset_bytes: offset_bits / 8, bits }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn member(layout: &Layout, name: &str) -> Member {
        layout.members.iter().find(|member| member.name == name).unwrap().clone()
    }

    #[test]
    fn members_of_anonymous_unions_are_the_structs_own() {
        let btf = Btf::kernel().unwrap();
        let layouts = Layouts::default();
        let common = layouts.find(btf, "sock_common").unwrap();
        assert_eq!(member(&common, "skc_daddr").offset_bytes, 0);
        assert_eq!(member(&common, "skc_rcv_saddr").offset_bytes, 4);
        assert_eq!(member(&common, "skc_dport").offset_bytes, 12);
        assert_eq!(member(&common, "skc_num").offset_bytes, 14);
        assert_eq!(member(&common, "skc_daddr").ty.to_string(), "uint32");
        assert!(Arc::ptr_eq(&common, &layouts.find(btf, "sock_common").unwrap()));
    }

    #[test]
    fn a_struct_without_a_name_is_found_by_its_typedef_or_number() {
        let btf = Btf::kernel().unwrap();
        let layouts = Layouts::default();
        let common = layouts.find(btf, "struct sock_common").unwrap();
        let cookie = member(&common, "skc_cookie").ty.to_string();
        let cookie = layouts.find(btf, &cookie).unwrap();
        assert_eq!(member(&cookie, "counter").ty.to_string(), "int64");
        let address = layouts.find(btf, "in6_addr").unwrap();
        let inner = member(&address, "in6_u").ty.to_string();
        assert!(inner.starts_with("struct #"), "{inner}");
        let inner = layouts.find(btf, &inner).unwrap();
        assert_eq!(member(&inner, "u6_addr32").ty.to_string(), "uint32[4]");
    }

    #[test]
    fn bit_fields_say_where_in_their_unit_they_are() {
        let btf = Btf::kernel().unwrap();
        let tcp = Layouts::default().find(btf, "tcphdr").unwrap();
        let syn = member(&tcp, "syn");
        assert_eq!((syn.offset_bytes, syn.bits), (12, Some((9, 1))));
        assert_eq!(member(&tcp, "doff").bits, Some((4, 4)));
    }

    #[test]
    fn what_is_no_struct_has_no_layout() {
        let btf = Btf::kernel().unwrap();
        for name in ["no_such_struct", "int", "u32", "#1", "#x", "", "#99999999"] {
            assert!(Layouts::default().find(btf, name).is_none(), "{name}");
        }
    }
}
