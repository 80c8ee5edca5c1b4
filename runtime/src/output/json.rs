//! Output for machines: one object a line, `{"type": T, "data": ...}`, in bpftrace's shapes, spaces included: programs that read
//! its lines look for their first words. docs/output.md has an example of each type.

use std::io;

use reel_compiler::aggregate::{AggValue, bucket_range};
use reel_lang::ty::{Agg, Ty};
use reel_lang::value::Value;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Map, Number, Value as Json, json};

use super::map::{Cell, Entry, Table};
use super::text::{Names, text};

/// A line of output.
pub fn line(kind: &str, data: Json) -> String {
    spaced(&json!({ "type": kind, "data": data }))
}

/// How many probes were attached.
pub fn attached(count: usize) -> String {
    spaced(&json!({ "type": "attached_probes", "count": count, "data": { "probes": count } }))
}

/// A line with a space after each colon and comma, but for the commas of tuples.
fn spaced(line: &impl Serialize) -> String {
    let mut out = Vec::new();
    // Neither a value of ours nor a vector can refuse.
    let _ = line.serialize(&mut Serializer::with_formatter(&mut out, Spaced::default()));
    out.push(b'\n');
    String::from_utf8_lossy(&out).into_owned()
}

#[derive(Default)]
struct Spaced {
    /// Whether an object was written last: in a list of objects commas have a space.
    is_after_object: bool,
}

impl Formatter for Spaced {
    fn begin_array_value<W: io::Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        match (first, self.is_after_object) {
            (true, _) => Ok(()),
            (_, true) => out.write_all(b", "),
            _ => out.write_all(b","),
        }
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.is_after_object = false;
        out.write_all(b": ")
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.is_after_object = true;
        out.write_all(b"}")
    }
}

/// A value, as JSON has it. An enumerator is its number: programs that read it know no names.
pub fn value(ty: &Ty, value: &Value, names: &dyn Names) -> Json {
    match value.untagged() {
        Value::Nil | Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(number) if !matches!(ty, Ty::Probe | Ty::KSym | Ty::USym) => Json::from(*number),
        Value::Uint(number) if !matches!(ty, Ty::KSym | Ty::USym) => Json::from(*number),
        Value::Duration(ns) | Value::Time(ns) => Json::from(*ns),
        Value::Decimal(digits) => digits.parse::<Number>().map_or_else(|_| Json::from(&**digits), Json::Number),
        Value::List(items) => {
            let types: &[Ty] = if let Ty::Tuple(types) = ty { types } else { &[] };
            let element = |i: usize| types.get(i).unwrap_or(&Ty::Any);
            items.iter().enumerate().map(|(i, item)| self::value(element(i), item, names)).collect()
        }
        Value::Map(pairs) => {
            let entry =
                |(key, value): &(Value, Value)| (text(&Ty::Any, key, names), self::value(&Ty::Any, value, names));
            Json::Object(pairs.iter().map(entry).collect())
        }
        other => Json::from(text(ty, other, names)),
    }
}

/// A map as one line: its type says what the values are.
pub fn map(table: &Table<'_>, names: &dyn Names) -> String {
    let kind = match table.value {
        Ty::Agg(Agg::Hist { .. } | Agg::Lhist { .. }) => "hist",
        Ty::Agg(Agg::Stats { .. } | Agg::Avg { .. }) => "stats",
        _ => "map",
    };
    let cells = if table.keys.is_empty() {
        // A map without keys that holds nothing is nothing, as in text.
        let Some(entry) = table.entries.first() else { return String::new() };
        Cells::One(cell(table, entry, names))
    } else {
        let keyed = |entry: &Entry| (table.key_text(entry, ",", names), cell(table, entry, names));
        Cells::Keyed(Pairs(table.entries.iter().map(keyed).collect()))
    };
    spaced(&MapLine { kind, data: Pairs(vec![(table.name.to_owned(), cells)]) })
}

/// The line of a map.
#[derive(Serialize)]
struct MapLine {
    #[serde(rename = "type")]
    kind: &'static str,
    data: Pairs<Cells>,
}

/// What a map holds.
#[derive(Serialize)]
#[serde(untagged)]
enum Cells {
    One(Json),
    Keyed(Pairs<Json>),
}

/// An object that has every member, also where names coincide: keys that are joined may read the same.
struct Pairs<T>(Vec<(String, T)>);

impl<T: Serialize> Serialize for Pairs<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn cell(table: &Table<'_>, entry: &Entry, names: &dyn Names) -> Json {
    let number = |n: i64, signed: bool| if signed { Json::from(n) } else { Json::from(n.cast_unsigned()) };
    match (&entry.cell, table.value) {
        (Cell::Value(content), ty) => value(ty, content, names),
        (Cell::Agg(AggValue::Unsigned(n)), _) => Json::from(*n),
        (Cell::Agg(AggValue::Signed(n)), _) => Json::from(*n),
        (Cell::Agg(AggValue::Stats { count, average, total, signed }), _) => {
            json!({ "count": count, "average": number(*average, *signed), "total": number(*total, *signed) })
        }
        (Cell::Agg(AggValue::Buckets(counts)), Ty::Agg(agg)) => buckets(*agg, counts),
        (Cell::Agg(AggValue::Buckets(counts)), _) => Json::from(counts.clone()),
    }
}

/// The buckets from the first that counted to the last; `max` is inclusive, and an endless end is left out.
fn buckets(agg: Agg, counts: &[u64]) -> Json {
    let first = counts.iter().position(|&count| count != 0).unwrap_or(0);
    let last = counts.iter().rposition(|&count| count != 0).map_or(0, |last| last + 1);
    let bucket = |index: usize| {
        let range = bucket_range(agg, index as u32);
        let mut object = Map::new();
        if let Some(from) = range.from {
            object.insert("min".to_owned(), Json::from(from));
        }
        if let Some(to) = range.to {
            object.insert("max".to_owned(), Json::from(to - 1));
        }
        object.insert("count".to_owned(), Json::from(counts[index]));
        Json::Object(object)
    };
    (first..last.max(first)).map(bucket).collect()
}

#[cfg(test)]
mod tests {
    use super::super::text::NoNames;
    use super::*;

    #[test]
    fn a_map_is_one_object() {
        let entries =
            vec![Entry { key: vec![Value::from("a"), Value::Int(1)], cell: Cell::Agg(AggValue::Unsigned(3)) }];
        let keys = [Ty::Str, Ty::Int(reel_lang::ty::IntTy::I64)];
        let table = Table { name: "@", keys: &keys, value: &Ty::Agg(Agg::Count), entries };
        assert_eq!(map(&table, &NoNames), "{\"type\": \"map\", \"data\": {\"@\": {\"a,1\": 3}}}\n");
    }

    #[test]
    fn keys_that_read_the_same_are_all_there() {
        let entry = |a: &str, b: &str, n| Entry {
            key: vec![Value::from(a), Value::from(b)],
            cell: Cell::Agg(AggValue::Unsigned(n)),
        };
        let entries = vec![entry("a,b", "c", 1), entry("a", "b,c", 2)];
        let table = Table { name: "@", keys: &[Ty::Str, Ty::Str], value: &Ty::Agg(Agg::Count), entries };
        assert_eq!(map(&table, &NoNames), "{\"type\": \"map\", \"data\": {\"@\": {\"a,b,c\": 1, \"a,b,c\": 2}}}\n");
    }

    #[test]
    fn a_map_without_keys_that_holds_nothing_is_nothing() {
        let table = Table { name: "@a", keys: &[], value: &Ty::Agg(Agg::Count), entries: Vec::new() };
        assert_eq!(map(&table, &NoNames), "");
    }

    #[test]
    fn a_tuple_is_a_list_and_an_enumerator_its_number() {
        let int = reel_lang::ty::IntTy::I64;
        let ty = Ty::Tuple(vec![Ty::Int(int), Ty::Str, Ty::Enum("state".into(), int)]);
        let tuple = Value::List(vec![Value::Int(1), Value::from("a\"b"), Value::Int(7)]);
        assert_eq!(line("value", value(&ty, &tuple, &NoNames)), "{\"type\": \"value\", \"data\": [1,\"a\\\"b\",7]}\n");
    }

    #[test]
    fn a_histogram_lists_its_buckets() {
        let agg = Agg::Lhist { min: 0, max: 10, step: 5 };
        let cell = Cell::Agg(AggValue::Buckets(vec![0, 2, 1, 4]));
        let table =
            Table { name: "@h", keys: &[], value: &Ty::Agg(agg), entries: vec![Entry { key: Vec::new(), cell }] };
        let expect = r#"{"type": "hist", "data": {"@h": [{"min": 0, "max": 4, "count": 2}, {"min": 5, "max": 9, "count": 1}, {"min": 10, "count": 4}]}}"#;
        assert_eq!(map(&table, &NoNames).trim_end(), expect);
    }
}
