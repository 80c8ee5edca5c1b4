//! Types and C definitions on one line.

use super::super::{CDef, CDefKind, CField, Type, TypeKind};
use super::expr;

pub(super) fn show(ty: &Type) -> String {
    match &ty.kind {
        TypeKind::Name(name) => name.clone(),
        TypeKind::Tagged { tag, name } => format!("{} {name}", tag.name()),
        TypeKind::Pointer(to) => format!("{}*", show(to)),
        TypeKind::Array { element, len } => {
            format!("{}[{}]", show(element), len.as_ref().map_or(String::new(), |l| expr::show(l)))
        }
        TypeKind::Tuple(elements) => format!("({})", elements.iter().map(show).collect::<Vec<_>>().join(", ")),
        TypeKind::Typeof(of) => format!("typeof({})", expr::type_or_expr(of)),
        TypeKind::Inline(def) => show_def(def),
        TypeKind::FnPointer => "fn*".to_owned(),
    }
}

pub(super) fn show_def(def: &CDef) -> String {
    match &def.kind {
        CDefKind::Record { tag, name, fields, packed } => {
            let name = name.as_ref().map_or("<anonymous>", |n| n.name.as_str());
            let fields: Vec<String> = fields.iter().map(field).collect();
            let packed = if *packed { " packed" } else { "" };
            format!("{} {name}{packed} {{ {} }}", tag.name(), fields.join("; "))
        }
        CDefKind::Enum { name, variants } => {
            let name = name.as_ref().map_or("<anonymous>", |n| n.name.as_str());
            let variants = variants.iter().map(|v| match &v.value {
                Some(value) => format!("{} = {}", v.name.name, expr::show(value)),
                None => v.name.name.clone(),
            });
            format!("enum {name} {{ {} }}", variants.collect::<Vec<_>>().join(", "))
        }
        CDefKind::Typedef { name, ty } => format!("typedef {} = {}", name.name, show(ty)),
        CDefKind::Forward { tag, name } => format!("{} {}", tag.name(), name.name),
    }
}

fn field(field: &CField) -> String {
    let name = field.name.as_ref().map_or("_", |n| n.name.as_str());
    let bits = field.bits.as_ref().map_or(String::new(), |b| format!(" : {}", expr::show(b)));
    format!("{name}: {}{bits}", show(&field.ty))
}
