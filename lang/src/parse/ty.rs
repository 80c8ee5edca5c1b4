//! Types and C definitions.

use pest::iterators::Pair;

use super::{Lower, Rule};
use crate::ast::{CDef, CDefKind, CField, CVariant, Expr, ExprKind, Ident, Tag, Type, TypeKind, TypeOrExpr};
use crate::diagnostic::{Diagnostic, code};
use crate::scan::limits::MAX_TYPE_SUFFIXES;

/// Names that are types wherever they stand, so that `sizeof(uint64)` needs no look at the script.
const KNOWN: &[&str] = &[
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "u8", "u16", "u32", "u64", "s8", "s16",
    "s32", "s64", "bool", "string", "int", "char", "short", "long", "void", "unsigned", "signed",
];

impl Lower<'_> {
    /// Lowers any pair that is a type: bases, suffixes, or a wrapper around one.
    pub(super) fn type_like(&mut self, pair: Pair<'_, Rule>) -> Type {
        let span = self.span(&pair);
        let mut base = None;
        let mut suffixes = Vec::new();
        let mut words: Vec<&str> = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::tagged => base = self.tagged(part),
                Rule::typeof_ref => base = self.typeof_ref(part),
                Rule::tuple_type => base = Some(self.tuple_type(part)),
                Rule::type_suffix => suffixes.extend(part.into_inner().next()),
                Rule::pointer | Rule::array => suffixes.push(part),
                Rule::c_word | Rule::bare_name => words.push(part.as_str()),
                Rule::type_ref
                | Rule::single_type
                | Rule::type_base
                | Rule::c_words
                | Rule::c_base
                | Rule::sure_base => {
                    base = Some(self.type_like(part).kind);
                }
                _ => {}
            }
        }
        let kind = base.unwrap_or_else(|| TypeKind::Name(words.join(" ")));
        self.suffixed(Type { kind, span }, suffixes)
    }

    /// Wraps a type in the `*` and `[]` that follow it.
    fn suffixed(&mut self, base: Type, suffixes: Vec<Pair<'_, Rule>>) -> Type {
        let span = base.span;
        if suffixes.len() > MAX_TYPE_SUFFIXES {
            let message = format!("more than {MAX_TYPE_SUFFIXES} `*` and `[]` follow this type");
            self.report(Diagnostic::new(code::TOO_DEEP, span, message));
            return base;
        }
        suffixes.into_iter().fold(base, |ty, suffix| {
            let kind = match suffix.as_rule() {
                Rule::pointer => TypeKind::Pointer(Box::new(ty)),
                _ => TypeKind::Array { element: Box::new(ty), len: self.array_len(suffix).map(Box::new) },
            };
            Type { kind, span }
        })
    }

    fn array_len(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let len =
            pair.into_inner().find(|p| matches!(p.as_rule(), Rule::number | Rule::positional | Rule::bare_name))?;
        Some(self.primary(len))
    }

    fn tagged(&mut self, pair: Pair<'_, Rule>) -> Option<TypeKind> {
        let mut parts = pair.into_inner();
        let tag = tag_of(parts.next()?.as_str());
        Some(TypeKind::Tagged { tag, name: parts.next()?.as_str().to_owned() })
    }

    fn typeof_ref(&mut self, pair: Pair<'_, Rule>) -> Option<TypeKind> {
        let part = pair.into_inner().find(|p| p.as_rule() == Rule::type_or_expr)?;
        Some(TypeKind::Typeof(Box::new(self.type_or_expr(part)?)))
    }

    fn tuple_type(&mut self, pair: Pair<'_, Rule>) -> TypeKind {
        let parts = pair.into_inner().filter(|p| p.as_rule() == Rule::type_ref);
        TypeKind::Tuple(parts.map(|p| self.type_like(p)).collect())
    }

    /// Lowers the operand of `sizeof` and its like: an unknown bare name is an expression until the checker knows better.
    pub(super) fn type_or_expr(&mut self, pair: Pair<'_, Rule>) -> Option<TypeOrExpr> {
        let part = pair.into_inner().next()?;
        if part.as_rule() == Rule::expr {
            return Some(TypeOrExpr::Expr(Box::new(self.expr(part))));
        }
        let ty = self.type_like(part);
        Some(match &ty.kind {
            TypeKind::Name(name) if !is_known(name) => {
                let kind = ExprKind::Name(name.clone());
                TypeOrExpr::Expr(Box::new(Expr { kind, span: ty.span }))
            }
            _ => TypeOrExpr::Type(ty),
        })
    }

    /// Lowers one of the `c_` definitions.
    pub(super) fn c_def(&mut self, pair: Pair<'_, Rule>) -> Option<CDef> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::c_record => self.c_record(pair)?,
            Rule::c_enum => self.c_enum(pair),
            Rule::c_forward => {
                let mut parts = pair.into_inner();
                let tag = tag_of(parts.next()?.as_str());
                CDefKind::Forward { tag, name: self.ident(&parts.next()?) }
            }
            Rule::c_typedef => self.c_typedef(pair)?,
            _ => return None,
        };
        Some(CDef { kind, span })
    }

    fn c_typedef(&mut self, pair: Pair<'_, Rule>) -> Option<CDefKind> {
        let mut base = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::c_record | Rule::c_enum | Rule::c_base => base = self.c_type(part),
                Rule::c_declarator => {
                    let span = self.span(&part);
                    let field = self.c_declarator(part, base.clone()?);
                    let Some(name) = field.name else {
                        self.report(Diagnostic::expected(code::SYNTAX, span, "a name", "`;`"));
                        return None;
                    };
                    return Some(CDefKind::Typedef { name, ty: field.ty });
                }
                _ => {}
            }
        }
        None
    }

    /// Lowers the type before the declarators of a field: a name, or a definition in place.
    fn c_type(&mut self, pair: Pair<'_, Rule>) -> Option<Type> {
        if pair.as_rule() == Rule::c_base {
            return Some(self.type_like(pair));
        }
        let def = self.c_def(pair)?;
        Some(Type { span: def.span, kind: TypeKind::Inline(Box::new(def)) })
    }

    fn c_record(&mut self, pair: Pair<'_, Rule>) -> Option<CDefKind> {
        let (mut tag, mut name, mut packed) = (Tag::Struct, None, false);
        let mut fields = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_record => tag = tag_of(part.as_str()),
                Rule::name => name = Some(self.ident(&part)),
                Rule::c_attribute => packed |= part.as_str().contains("packed"),
                Rule::c_field => self.c_field(part, &mut fields),
                _ => {}
            }
        }
        Some(CDefKind::Record { tag, name, fields, packed })
    }

    fn c_field(&mut self, pair: Pair<'_, Rule>, fields: &mut Vec<CField>) {
        let mut base: Option<Type> = None;
        let mut has_declarator = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::c_record | Rule::c_enum | Rule::c_base => base = self.c_type(part),
                Rule::c_declarator => {
                    has_declarator = true;
                    if let Some(base) = base.clone() {
                        fields.push(self.c_declarator(part, base));
                    }
                }
                _ => {}
            }
        }
        if let (false, Some(ty)) = (has_declarator, base) {
            fields.push(CField { name: None, ty, bits: None });
        }
    }

    fn c_declarator(&mut self, pair: Pair<'_, Rule>, base: Type) -> CField {
        let span = base.span.to(self.span(&pair));
        let (mut name, mut bits) = (None, None);
        let mut suffixes = Vec::new();
        let mut dimensions = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::pointer => suffixes.push(part),
                Rule::array => dimensions.push(part),
                Rule::name => name = Some(self.ident(&part)),
                Rule::c_width => bits = part.into_inner().next().map(|p| self.primary(p)),
                Rule::c_function => {
                    let name = part.into_inner().find(|p| p.as_rule() == Rule::name).map(|p| self.ident(&p));
                    return CField { name, ty: Type { kind: TypeKind::FnPointer, span }, bits: None };
                }
                _ => {}
            }
        }
        // `int a[2][3]` is an array of two arrays of three.
        suffixes.extend(dimensions.into_iter().rev());
        let ty = self.suffixed(Type { span, ..base }, suffixes);
        CField { name, ty, bits }
    }

    fn c_enum(&mut self, pair: Pair<'_, Rule>) -> CDefKind {
        let mut name = None;
        let mut variants = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.ident(&part)),
                Rule::c_variant => {
                    let (name, value) = self.name_and_expr(part.into_inner());
                    variants.extend(name.map(|name: Ident| CVariant { name, value }));
                }
                _ => {}
            }
        }
        CDefKind::Enum { name, variants }
    }
}

fn is_known(name: &str) -> bool {
    KNOWN.contains(&name) || name.ends_with("_t") || name.contains(' ')
}

fn tag_of(word: &str) -> Tag {
    match word {
        "union" => Tag::Union,
        "enum" => Tag::Enum,
        _ => Tag::Struct,
    }
}
