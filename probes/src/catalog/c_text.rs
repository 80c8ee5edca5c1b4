//! The kernel's types as C writes them: declarations and definitions, from BTF.
//!
//! A declarator is built from the name outwards (C11 6.7.6): `*` before it, `[n]` and `(...)` behind it, in brackets where a
//! pointer is to an array or a function. Types without a name are written out where they are used.

use super::btf::{Btf, Kind, Type};
use super::glob;

/// How deep types may nest before the rest is left out.
const MAX_DEPTH: u32 = 16;

/// A struct, union or enum as it is named: `struct path`.
#[must_use]
pub fn title(ty: Type<'_>) -> String {
    format!("{} {}", word(ty), ty.name()).trim_end().to_owned()
}

fn word(ty: Type<'_>) -> &'static str {
    match ty.kind() {
        Kind::Union => "union",
        Kind::Enum | Kind::Enum64 => "enum",
        _ => "struct",
    }
}

/// The structs, unions or enums (`word` says which) that a pattern names, by name.
#[must_use]
pub fn named<'a>(btf: &'a Btf, wanted: &str, pattern: &str) -> Vec<Type<'a>> {
    let is_wanted = |ty: &Type<'_>| {
        matches!(ty.kind(), Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64)
            && word(*ty) == wanted
            && !ty.name().is_empty()
            && glob::matches(pattern, ty.name())
    };
    let mut found: Vec<Type<'_>> = btf.types().filter(is_wanted).collect();
    found.sort_by_key(|ty| ty.name());
    found.dedup_by_key(|ty| ty.name());
    found
}

/// The whole definition, without a semicolon at its end.
#[must_use]
pub fn definition(ty: Type<'_>) -> String {
    format!("{} {}", title(ty), body(ty, 0, MAX_DEPTH))
}

/// A type without a name that it declares: `struct dentry *`.
#[must_use]
pub fn of(ty: Type<'_>) -> String {
    declare(ty, String::new(), 0, MAX_DEPTH).trim_end().to_owned()
}

fn body(ty: Type<'_>, level: usize, depth: u32) -> String {
    let indent = "    ".repeat(level + 1);
    let mut out = String::from("{\n");
    for member in ty.members() {
        let declared = declare(ty.of(member.ty), member.name.to_owned(), level + 1, depth);
        let width = if member.width_bits > 0 { format!(" : {}", member.width_bits) } else { String::new() };
        out += &format!("{indent}{}{width};\n", declared.trim_end());
    }
    for (name, value) in ty.variants() {
        out += &format!("{indent}{name} = {value},\n");
    }
    out + &"    ".repeat(level) + "}"
}

fn declare(ty: Type<'_>, name: String, level: usize, depth: u32) -> String {
    let Some(depth) = depth.checked_sub(1) else { return format!("... {name}") };
    let target = || ty.target();
    match ty.kind() {
        Kind::Pointer => {
            let is_behind = matches!(untagged(target()).kind(), Kind::Array | Kind::FuncProto);
            let name = if is_behind { format!("(*{name})") } else { format!("*{name}") };
            declare(target(), name, level, depth)
        }
        Kind::Array => {
            let (element, len) = ty.array();
            declare(element, format!("{name}[{len}]"), level, depth)
        }
        Kind::FuncProto => {
            let params = ty.params().map(|(name, ty)| declare(ty, name.to_owned(), level, depth).trim_end().to_owned());
            let params = params.collect::<Vec<_>>().join(", ");
            declare(target(), format!("{name}({})", if params.is_empty() { "void" } else { &params }), level, depth)
        }
        Kind::Const => qualified("const", ty, name, level, depth),
        Kind::Volatile => qualified("volatile", ty, name, level, depth),
        Kind::Restrict | Kind::TypeTag => declare(target(), name, level, depth),
        Kind::Void => join("void", &name),
        Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 if ty.name().is_empty() => {
            join(&format!("{} {}", word(ty), body(ty, level, depth)), &name)
        }
        Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Forward => join(&title(ty), &name),
        _ => join(ty.name(), &name),
    }
}

/// A qualifier of a pointer stands behind its `*`, any other before the type.
fn qualified(word: &str, ty: Type<'_>, name: String, level: usize, depth: u32) -> String {
    let target = ty.target();
    if untagged(target).kind() == Kind::Pointer {
        declare(target, join(word, &name), level, depth)
    } else {
        format!("{word} {}", declare(target, name, level, depth))
    }
}

fn untagged(ty: Type<'_>) -> Type<'_> {
    if ty.kind() == Kind::TypeTag { ty.target() } else { ty }
}

fn join(ty: &str, name: &str) -> String {
    format!("{ty} {name}").trim_end().to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(wanted: &str, name: &str) -> String {
        let found = named(Btf::kernel().unwrap(), wanted, name);
        assert_eq!(found.len(), 1, "{wanted} {name}");
        definition(found[0])
    }

    #[test]
    fn definitions_are_c() {
        assert_eq!(shown("struct", "path"), "struct path {\n    struct vfsmount *mnt;\n    struct dentry *dentry;\n}");
        let poll = shown("enum", "tcp_queue");
        assert!(poll.starts_with("enum tcp_queue {\n    TCP_FRAG_IN_WRITE_QUEUE = 0,\n"), "{poll}");
        let address = shown("struct", "in6_addr");
        assert!(address.contains("    union {\n        __u8 u6_addr8[16];\n"), "{address}");
        let file = shown("struct", "file_operations");
        assert!(file.contains("    loff_t (*llseek)(struct file *, loff_t, int);\n"), "{file}");
        let tcp = shown("struct", "tcphdr");
        assert!(tcp.contains("    __u16 syn : 1;\n"), "{tcp}");
    }

    #[test]
    fn patterns_name_several_and_names_are_found_once() {
        let btf = Btf::kernel().unwrap();
        let names: Vec<&str> = named(btf, "struct", "tcp_*").into_iter().map(Type::name).collect();
        assert!(names.contains(&"tcp_sock") && names.is_sorted(), "{names:?}");
        assert!(named(btf, "union", "tcp_sock").is_empty() && named(btf, "struct", "no_such").is_empty());
    }
}
