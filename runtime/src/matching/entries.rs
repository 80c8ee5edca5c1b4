//! The entries of a map by name, whatever their order; values of a repeated name keep theirs.

use std::collections::BTreeMap;

use reel_lang::schema::FieldType;
use reel_lang::value::Value;

/// The values of each name.
pub(super) fn by_name(pairs: &[(Value, Value)], ty: FieldType) -> BTreeMap<String, Vec<&Value>> {
    let mut names: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for (key, value) in pairs {
        let mut name = label(key);
        if ty == FieldType::Headers {
            name.make_ascii_lowercase();
        }
        names.entry(name).or_default().push(value);
    }
    names
}

/// A key as text: paths and displays name it so.
pub(super) fn label(key: &Value) -> String {
    match key.untagged() {
        Value::Str(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.escape_ascii().to_string(),
        },
        Value::Int(n) => n.to_string(),
        Value::Uint(n) => n.to_string(),
        Value::Decimal(digits) => digits.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Null => "null".to_owned(),
        other => format!("{other:?}"),
    }
}
