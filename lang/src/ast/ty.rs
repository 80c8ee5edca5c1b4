//! Types as written, and C definitions.

use super::{Expr, Ident, TypeOrExpr};
use crate::span::Span;

/// A type and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    pub kind: TypeKind,
    pub span: Span,
}

/// What a type is. Names are not resolved: `uint64`, `string`, `pid_t` and `unsigned long` are all `Name`.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// One name, or several words of C joined by single spaces (`unsigned long long`); `const` and `volatile` are dropped.
    Name(String),
    /// `struct x`, `union x`, `enum x`
    Tagged { tag: Tag, name: String },
    /// `T *`
    Pointer(Box<Type>),
    /// `T[4]`, `T[]`; `string[64]` and `buffer[64]` are written the same way.
    Array { element: Box<Type>, len: Option<Box<Expr>> },
    /// `(T, U)`
    Tuple(Vec<Type>),
    /// `typeof(x)`
    Typeof(Box<TypeOrExpr>),
    /// A struct, union or enum defined inside another (C definitions only).
    Inline(Box<CDef>),
    /// A pointer to a C function, of which only the size matters.
    FnPointer,
}

/// The word before a C type's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    Struct,
    Union,
    Enum,
}

impl Tag {
    /// Returns the word of C.
    pub fn name(self) -> &'static str {
        match self {
            Tag::Struct => "struct",
            Tag::Union => "union",
            Tag::Enum => "enum",
        }
    }
}

/// A C definition in the script.
#[derive(Clone, Debug, PartialEq)]
pub struct CDef {
    pub kind: CDefKind,
    pub span: Span,
}

/// What a C definition defines.
#[derive(Clone, Debug, PartialEq)]
pub enum CDefKind {
    /// A struct or union; an anonymous one stands only inside another or in a typedef.
    Record {
        tag: Tag,
        name: Option<Ident>,
        fields: Vec<CField>,
        packed: bool,
    },
    Enum {
        name: Option<Ident>,
        variants: Vec<CVariant>,
    },
    Typedef {
        name: Ident,
        ty: Type,
    },
    /// `struct x;`
    Forward {
        tag: Tag,
        name: Ident,
    },
}

/// A field of a C struct or union.
#[derive(Clone, Debug, PartialEq)]
pub struct CField {
    /// Absent for an anonymous struct or union, and for padding bits.
    pub name: Option<Ident>,
    pub ty: Type,
    /// The width of a bitfield.
    pub bits: Option<Expr>,
}

/// A constant of a C enum.
#[derive(Clone, Debug, PartialEq)]
pub struct CVariant {
    pub name: Ident,
    pub value: Option<Expr>,
}
