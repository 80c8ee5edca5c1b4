//! C types as the language sees them, from the kernel's BTF or from the text of a declaration.
//!
//! Typedefs and qualifiers are gone; a struct is known by its name, and one without a name by its
//! number in BTF (`#123`), so that [`super::Catalog::layout`] finds it again.

use reel_lang::ty::{IntTy, Space, Ty};

use super::btf::{Kind, Type};

/// How deep arrays and pointers may nest before the rest is taken for `void`.
const MAX_DEPTH: u32 = 16;

/// Converts a type of the kernel's BTF; pointers point into `space` unless they say otherwise.
#[must_use]
pub fn of_btf(ty: Type<'_>, space: Space) -> Ty {
    convert(ty, space, MAX_DEPTH)
}

fn convert(ty: Type<'_>, space: Space, depth: u32) -> Ty {
    let peeled = ty.peel();
    let Some(depth) = depth.checked_sub(1) else {
        return Ty::Void;
    };
    match peeled.kind() {
        Kind::Int => int(peeled),
        Kind::Enum | Kind::Enum64 => enumeration(ty, peeled),
        Kind::Pointer => {
            let target = peeled.target();
            let space = if is_user_tag(target) { Space::User } else { space };
            Ty::Ptr(Box::new(convert(target, space, depth)), space)
        }
        Kind::Array => {
            let (element, len) = peeled.array();
            Ty::Array(Box::new(convert(element, space, depth)), len)
        }
        Kind::Struct | Kind::Union | Kind::Forward => Ty::Struct(struct_name(ty)),
        Kind::Float => Ty::Buf(peeled.len_bytes()),
        _ => Ty::Void,
    }
}

fn int(ty: Type<'_>) -> Ty {
    let bits = ty.len_bytes().saturating_mul(8);
    match bits {
        8 if ty.is_bool() => Ty::Bool,
        // Plain `char` is text, whatever sign the kernel's compiler options give it.
        8 if ty.name() == "char" => CHAR,
        8 | 16 | 32 | 64 => Ty::Int(IntTy { bits: bits as u8, signed: ty.is_signed() }),
        _ => Ty::Array(Box::new(Ty::Int(IntTy::U64)), bits / 64),
    }
}

/// The element of C's text.
const CHAR: Ty = Ty::Int(IntTy { bits: 8, signed: true });

fn enumeration(ty: Type<'_>, peeled: Type<'_>) -> Ty {
    let bits = (peeled.len_bytes().saturating_mul(8)).clamp(8, 64) as u8;
    let int = IntTy { bits, signed: peeled.is_signed() };
    let name = if peeled.name().is_empty() { ty.name() } else { peeled.name() };
    if name.is_empty() { Ty::Int(int) } else { Ty::Enum(name.to_string(), int) }
}

/// Returns the name of a struct or union: its own, else its typedef's, else its number.
fn struct_name(ty: Type<'_>) -> String {
    let peeled = ty.peel();
    if !peeled.name().is_empty() {
        return peeled.name().to_string();
    }
    let mut outer = ty;
    while outer.id != peeled.id {
        if outer.kind() == Kind::Typedef {
            return outer.name().to_string();
        }
        outer = outer.target();
    }
    format!("#{}", peeled.id)
}

/// Whether a pointer's target carries `btf_type_tag("user")`, the kernel's `__user`.
fn is_user_tag(ty: Type<'_>) -> bool {
    ty.kind() == Kind::TypeTag && ty.name() == "user"
}

/// Converts the text of a C type, as tracepoints declare their fields: `const char *`.
///
/// What is not known by name is an integer of that size and sign, or bytes.
#[must_use]
pub fn of_text(text: &str, len_bytes: u32, signed: bool, space: Space) -> Ty {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c == '*')
        .filter(|word| !matches!(*word, "" | "const" | "volatile" | "__user" | "__seg_gs"))
        .collect();
    let stars = text.matches('*').count();
    let base = named(&words);
    if stars > 0 {
        let target = base.unwrap_or(Ty::Void);
        return (0..stars).fold(target, |to, _| Ty::Ptr(Box::new(to), space));
    }
    match (base, len_bytes) {
        (Some(ty), _) => ty,
        (None, 1 | 2 | 4 | 8) => {
            let int = IntTy { bits: (len_bytes * 8) as u8, signed };
            match words.as_slice() {
                ["enum", name] => Ty::Enum((*name).to_string(), int),
                _ => Ty::Int(int),
            }
        }
        (None, _) => Ty::Array(Box::new(Ty::Int(IntTy { bits: 8, signed: false })), len_bytes),
    }
}

/// Returns the type of a C name that is the same on every kernel.
fn named(words: &[&str]) -> Option<Ty> {
    let int = |bits, signed| Some(Ty::Int(IntTy { bits, signed }));
    match words {
        ["struct" | "union", name] => Some(Ty::Struct((*name).to_string())),
        ["void"] => Some(Ty::Void),
        ["bool" | "_Bool"] => Some(Ty::Bool),
        ["char"] => Some(CHAR),
        ["signed", "char"] | ["s8" | "__s8" | "int8_t"] => int(8, true),
        ["unsigned", "char"] | ["u8" | "__u8" | "uint8_t"] => int(8, false),
        ["short"] | ["s16" | "__s16" | "int16_t"] => int(16, true),
        ["unsigned", "short"] | ["u16" | "__u16" | "uint16_t" | "umode_t"] => int(16, false),
        ["int" | "s32" | "__s32" | "int32_t" | "pid_t" | "key_serial_t" | "clockid_t" | "mqd_t"] => int(32, true),
        ["unsigned"] | ["unsigned", "int"] => int(32, false),
        ["u32" | "__u32" | "uint32_t" | "uid_t" | "gid_t" | "dev_t" | "uint"] => int(32, false),
        ["long"] | ["long", "long"] => int(64, true),
        ["s64" | "__s64" | "int64_t" | "loff_t" | "off_t" | "ssize_t"] => int(64, true),
        ["unsigned", "long"] | ["unsigned", "long", "long"] => int(64, false),
        ["u64" | "__u64" | "uint64_t" | "size_t" | "aio_context_t"] => int(64, false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, len_bytes: u32, expect: &str) {
        assert_eq!(of_text(text, len_bytes, false, Space::Kernel).to_string(), expect, "{text}");
    }

    #[test]
    fn reads_the_declarations_that_tracepoints_use() {
        check("const char *", 8, "int8 *");
        check("const char *const *", 8, "int8 * *");
        check("struct sockaddr *", 8, "struct sockaddr *");
        check("int", 8, "int32");
        check("size_t", 8, "uint64");
        check("unsigned", 4, "uint32");
        check("xfs_ino_t", 8, "uint64");
        check("enum zone_type", 4, "enum zone_type");
        check("fd_set *", 8, "void *");
        check("bool", 1, "bool");
        check("some_blob_t", 12, "uint8[12]");
    }
}
