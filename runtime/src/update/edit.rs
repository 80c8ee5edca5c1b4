//! One place of a recorded message set to what a replay had there.

use reel_lang::schema::{FieldType, Schema, Side};
use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};

use crate::matching::{Place, Step};

/// Sets a place to a value; nil takes it away. `replayed` is the whole message, for a field that is computed from others.
///
/// # Errors
/// Why it cannot be done, for a person.
pub fn set(
    protocol: &dyn Protocol,
    message: &mut Message,
    place: &Place,
    value: &Value,
    replayed: Option<&Message>,
) -> Result<(), String> {
    let schema = protocol.schema();
    let field =
        schema.field(message.side, &place.field).ok_or_else(|| format!("there is no field `{}`", place.field))?;
    if field.derived {
        let replayed = replayed.ok_or("what it is computed from is not known")?;
        copy_sources(schema, message, replayed);
    } else {
        let mut content = message.field(field.id).clone();
        put(&mut content, &place.steps(), value, field.ty).ok_or("the place is not there")?;
        message.put(field.id, content);
    }
    message.exact = None;
    protocol.derive(message);
    Ok(())
}

/// Takes over the stored fields that stand for computed ones: those that are not compared themselves.
fn copy_sources(schema: &Schema, message: &mut Message, replayed: &Message) {
    let side: Side = message.side;
    for field in schema.fields.iter().filter(|field| field.side == Some(side) && !field.derived && !field.compared) {
        message.put(field.id, replayed.field(field.id).clone());
    }
}

fn put(content: &mut Value, steps: &[Step], value: &Value, ty: FieldType) -> Option<()> {
    if let Value::Tagged(_, inner) = content {
        return put(inner, steps, value, ty);
    }
    let Some((step, rest)) = steps.split_first() else {
        *content = value.clone();
        return Some(());
    };
    match (content, step) {
        (Value::Map(pairs), Step::Name(name)) => {
            let is_meant = |key: &Value| {
                key.as_str().is_some_and(|key| match ty {
                    FieldType::Headers => key.eq_ignore_ascii_case(name),
                    _ => key == name,
                })
            };
            let at = pairs.iter().position(|(key, _)| is_meant(key));
            match (at, rest.is_empty()) {
                (Some(at), true) if value.is_nil() => {
                    pairs.remove(at);
                    Some(())
                }
                (Some(at), _) => put(&mut pairs.get_mut(at)?.1, rest, value, ty),
                (None, true) => {
                    pairs.push((Value::text(name), value.clone()));
                    Some(())
                }
                (None, false) => None,
            }
        }
        (Value::List(items), Step::Index(index)) => {
            let is_there = *index < items.len();
            match rest.is_empty() {
                true if is_there && value.is_nil() => {
                    items.remove(*index);
                    Some(())
                }
                true if *index == items.len() => {
                    items.push(value.clone());
                    Some(())
                }
                _ => put(items.get_mut(*index)?, rest, value, ty),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets places of a JSON body, one after another.
    #[track_caller]
    fn check(body: &str, changes: &[(&str, &str)], expect: &str) {
        let json = |text: &str| reel_protocols::json::parse(text.as_bytes()).unwrap_or_default();
        let mut content = json(body);
        for (place, value) in changes {
            let value = if value.is_empty() { Value::Nil } else { json(value) };
            let done = Place::parse(place).and_then(|place| put(&mut content, &place.steps(), &value, FieldType::Any));
            assert!(done.is_some(), "{place}");
        }
        assert_eq!(content, json(expect));
    }

    #[test]
    fn places_are_set_added_and_taken_away() {
        check("{\"a\": 1, \"b\": [1, 2]}", &[("body.a", "2"), ("body.b[1]", "3")], "{\"a\": 2, \"b\": [1, 3]}");
        check("{\"a\": 1}", &[("body.c", "{\"d\": 1}"), ("body.a", "")], "{\"c\": {\"d\": 1}}");
        check("[1, 2, 3]", &[("body[2]", ""), ("body[1]", ""), ("body[1]", "5")], "[1, 5]");
        check("1", &[("body", "\"x\"")], "\"x\"");
    }

    #[test]
    fn a_place_that_is_not_there_is_none() {
        let mut content = Value::List(vec![]);
        for place in ["body[1]", "body.a", "body[0].a"] {
            let place = Place::parse(place);
            assert!(
                place.is_some_and(|place| put(&mut content, &place.steps(), &Value::Null, FieldType::Any).is_none())
            );
        }
    }
}
