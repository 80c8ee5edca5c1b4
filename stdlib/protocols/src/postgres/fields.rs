//! Columns, errors and the like as values in a message's fields, and back.

use bytes::Bytes;
use reel_lang::value::Value;

use super::types;
use super::wire::{Backend, Column};

/// A column, kept beyond the message that told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) name: Bytes,
    pub(super) table: u32,
    pub(super) attribute: u16,
    pub(super) id: u32,
    pub(super) len: i16,
    pub(super) modifier: i32,
}

impl Described {
    pub(super) fn of(column: &Column<'_>) -> Self {
        Described {
            name: Bytes::copy_from_slice(column.name),
            table: column.table,
            attribute: column.attribute,
            id: column.id,
            len: column.len,
            modifier: column.modifier,
        }
    }

    pub(super) fn on_wire(&self, format: u16) -> Column<'_> {
        let Described { name, table, attribute, id, len, modifier } = self;
        Column { name, table: *table, attribute: *attribute, id: *id, len: *len, modifier: *modifier, format }
    }

    /// What is usual is left out.
    pub(super) fn value(&self) -> Value {
        let mut pairs = vec![
            (Value::text("name"), Value::Str(self.name.clone())),
            (Value::text("type"), Value::text(types::name(self.id))),
        ];
        let mut put = |name: &str, number: i64, usual: i64| {
            if number != usual {
                pairs.push((Value::text(name), Value::Int(number)));
            }
        };
        put("len", self.len.into(), types::len(self.id).into());
        put("modifier", self.modifier.into(), -1);
        put("table", self.table.into(), 0);
        put("attribute", self.attribute.into(), 0);
        Value::Map(pairs)
    }

    fn read(value: &Value) -> Result<Self, String> {
        let text = |name: &str| value.entry(name).ok_or_else(|| format!("a column lacks `{name}`"));
        let name = text("name")?.as_bytes().ok_or("a column's name must be a text")?;
        let id = types_id(text("type")?)?;
        let number = |name: &str, usual: i64| match value.entry(name) {
            None => Ok(usual),
            Some(number) => number.as_int().ok_or_else(|| format!("a column's `{name}` must be a number")),
        };
        let wrong = |_| "a column has a number that cannot be".to_owned();
        Ok(Described {
            name: Bytes::copy_from_slice(name),
            table: number("table", 0)?.try_into().map_err(wrong)?,
            attribute: number("attribute", 0)?.try_into().map_err(wrong)?,
            id,
            len: number("len", types::len(id).into())?.try_into().map_err(wrong)?,
            modifier: number("modifier", -1)?.try_into().map_err(wrong)?,
        })
    }
}

fn types_id(value: &Value) -> Result<u32, String> {
    let name = match value.untagged() {
        Value::Int(number) => number.to_string(),
        other => other.as_str().ok_or("a type must be a name or a number")?.to_owned(),
    };
    types::id(&name).ok_or_else(|| format!("there is no type `{name}`"))
}

/// Columns as a value.
pub(super) fn columns(columns: &[Described]) -> Value {
    Value::List(columns.iter().map(Described::value).collect())
}

/// Columns out of a value; none where it is nil.
pub(super) fn read_columns(value: &Value) -> Result<Option<Vec<Described>>, String> {
    match value.untagged() {
        Value::Nil => Ok(None),
        Value::List(items) => items.iter().map(Described::read).collect::<Result<_, _>>().map(Some),
        _ => Err("columns must be a list".to_owned()),
    }
}

/// The names of types as a value; nil where there is none.
pub(super) fn type_names(ids: &[u32]) -> Value {
    if ids.iter().all(|id| *id == 0) {
        return Value::Nil;
    }
    let name = |id: &u32| if *id == 0 { Value::text("") } else { Value::text(types::name(*id)) };
    Value::List(ids.iter().map(name).collect())
}

/// Types out of their names.
pub(super) fn read_types(value: &Value) -> Result<Vec<u32>, String> {
    match value.untagged() {
        Value::List(items) => {
            items.iter().map(|item| if item.as_bytes() == Some(b"") { Ok(0) } else { types_id(item) }).collect()
        }
        Value::Nil => Ok(Vec::new()),
        _ => Err("types must be a list".to_owned()),
    }
}

/// The fields of errors and notices (section 55.8), in the order in which the server writes them.
const REPORT: &[(u8, &str)] = &[
    (b'S', "severity"),
    (b'V', "level"),
    (b'C', "code"),
    (b'M', "message"),
    (b'D', "detail"),
    (b'H', "hint"),
    (b'P', "position"),
    (b'p', "internal_position"),
    (b'q', "internal_query"),
    (b'W', "where"),
    (b's', "schema"),
    (b't', "table"),
    (b'c', "column"),
    (b'd', "datatype"),
    (b'n', "constraint"),
    (b'F', "file"),
    (b'L', "line"),
    (b'R', "routine"),
];

/// An error or a notice as a value. The level, which is the severity in English, is left out where they are one.
pub(super) fn report(fields: &[(u8, &[u8])]) -> Value {
    let severity = fields.iter().find(|(letter, _)| *letter == b'S').map(|(_, text)| *text);
    let said = fields.iter().filter(|(letter, text)| *letter != b'V' || Some(*text) != severity);
    let pairs = said.map(|(letter, text)| {
        let known = REPORT.iter().find(|(known, _)| known == letter);
        let name = known.map_or_else(|| char::from(*letter).to_string(), |(_, name)| (*name).to_owned());
        (Value::text(name), Value::text(text))
    });
    Value::Map(pairs.collect())
}

/// The letter of a field that has no name of its own.
fn letter_of(name: &str) -> Option<u8> {
    let mut chars = name.chars();
    let letter = chars.next().and_then(|letter| u8::try_from(letter).ok());
    letter.filter(|letter| *letter != 0 && chars.next().is_none())
}

/// Writes an error or a notice.
///
/// # Errors
/// What is wrong with the value, for a person.
pub(super) fn write_report(value: &Value, is_error: bool, out: &mut Vec<u8>) -> Result<(), String> {
    let Value::Map(pairs) = value.untagged() else { return Err("an error must be a map".to_owned()) };
    let mut fields: Vec<(u8, &[u8])> = Vec::new();
    for (name, text) in pairs {
        let name = name.as_str().unwrap_or_default();
        let text = text.as_bytes().ok_or_else(|| format!("`{name}` of an error must be a text"))?;
        let letter = REPORT.iter().find(|(_, known)| *known == name).map(|(letter, _)| *letter);
        let letter = letter.or_else(|| letter_of(name));
        let letter = letter.ok_or_else(|| format!("an error has no field `{name}`"))?;
        fields.push((letter, text));
        if letter == b'S' && value.entry("level").is_none() {
            fields.push((b'V', text));
        }
    }
    if is_error {
        Backend::Error(fields).write(out)
    } else {
        Backend::Notice(fields).write(out)
    }
    Ok(())
}

/// A text out of a value that numbers may stand for in a hand-written recording.
pub(super) fn text_of(value: &Value) -> Option<Vec<u8>> {
    match value.untagged() {
        Value::Str(text) => Some(text.to_vec()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        Value::Bool(truth) => Some(truth.to_string().into_bytes()),
        _ => None,
    }
}
