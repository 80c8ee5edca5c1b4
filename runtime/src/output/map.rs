//! Maps as text: a line an entry, sorted by value; histograms as bars.
//!
//! Kernel maps come as bytes, native ones as values; both are made into [`Entry`]s first. `print(@m, top, div)` keeps the `top`
//! greatest entries and divides the values.

use reel_compiler::aggregate::{AggValue, rows};
use reel_lang::ty::{Agg, Ty};
use reel_lang::value::Value;

use super::frame::shortened;
use super::text::{Names, text};

/// The value of a map's entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Value(Value),
    Agg(AggValue),
}

/// An entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// One value a key; empty for a map without keys.
    pub key: Vec<Value>,
    pub cell: Cell,
}

/// A map to print.
#[derive(Debug, Clone, PartialEq)]
pub struct Table<'a> {
    /// With the `@`.
    pub name: &'a str,
    pub keys: &'a [Ty],
    pub value: &'a Ty,
    pub entries: Vec<Entry>,
}

/// How many entries to print, and what to divide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cut {
    /// The greatest so many; 0 for all.
    pub top: usize,
    /// Values are divided by it; 0 and 1 leave them.
    pub div: u64,
}

/// The width of a histogram's longest bar.
const BAR_LEN: usize = 52;

impl Table<'_> {
    /// Sorts by value, then by key, and applies a cut.
    pub fn arrange(&mut self, cut: Cut) {
        self.entries
            .sort_by_cached_key(|entry| (weight(&entry.cell), entry.key.iter().map(sort_key).collect::<Vec<_>>()));
        if cut.top > 0 && self.entries.len() > cut.top {
            self.entries.drain(..self.entries.len() - cut.top);
        }
        if cut.div > 1 {
            self.entries.iter_mut().for_each(|entry| divide(&mut entry.cell, cut.div));
        }
    }

    /// The map as text, each entry ending in a newline, with keys whole.
    pub fn text(&self, names: &dyn Names) -> String {
        self.text_within(usize::MAX, names)
    }

    /// The map as text for a terminal of so many columns: long keys are shortened.
    pub fn text_within(&self, columns: usize, names: &dyn Names) -> String {
        self.entries.iter().map(|entry| self.line(entry, columns, names)).collect()
    }

    fn line(&self, entry: &Entry, columns: usize, names: &dyn Names) -> String {
        let head = self.head(entry, names);
        match (&entry.cell, self.value) {
            (Cell::Agg(AggValue::Buckets(counts)), Ty::Agg(agg)) => {
                format!("{}: \n{}\n", shortened(head, 2, columns), bars(*agg, counts))
            }
            (cell, _) => {
                let value = self.cell_text(cell, names);
                let head =
                    if entry.key.is_empty() { head } else { shortened(head, value.chars().count() + 2, columns) };
                format!("{head}: {value}\n")
            }
        }
    }

    /// `@name[key, key]`
    fn head(&self, entry: &Entry, names: &dyn Names) -> String {
        if entry.key.is_empty() {
            return self.name.to_owned();
        }
        format!("{}[{}]", self.name, self.key_text(entry, ", ", names))
    }

    /// The keys of an entry, joined.
    pub fn key_text(&self, entry: &Entry, separator: &str, names: &dyn Names) -> String {
        let parts: Vec<String> = self.keys.iter().zip(&entry.key).map(|(ty, key)| text(ty, key, names)).collect();
        parts.join(separator)
    }

    fn cell_text(&self, cell: &Cell, names: &dyn Names) -> String {
        match cell {
            Cell::Value(value) => text(self.value, value, names),
            Cell::Agg(AggValue::Unsigned(number)) => number.to_string(),
            Cell::Agg(AggValue::Signed(number)) => number.to_string(),
            Cell::Agg(AggValue::Stats { count, average, total, signed }) => {
                format!("count {count}, average {}, total {}", bits(*average, *signed), bits(*total, *signed))
            }
            Cell::Agg(AggValue::Buckets(_)) => String::new(),
        }
    }
}

/// A histogram as bars, the longest as wide as allowed.
fn bars(agg: Agg, counts: &[u64]) -> String {
    let rows = rows(agg, counts);
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let mut out = String::new();
    for (label, count) in rows {
        let len = (u128::from(count) * BAR_LEN as u128 / u128::from(most)) as usize;
        out.push_str(&format!("{label:<16} {count:>8} |{:<BAR_LEN$}|\n", "@".repeat(len)));
    }
    out
}

/// A number that is signed or the bits of an unsigned one.
pub fn bits(number: i64, signed: bool) -> String {
    if signed { number.to_string() } else { number.cast_unsigned().to_string() }
}

/// What entries are sorted by: the number, the count of a histogram, the average of stats; text last.
fn weight(cell: &Cell) -> (u8, i128, Vec<u8>) {
    let number = |n: i128| (0, n, Vec::new());
    match cell {
        Cell::Agg(AggValue::Unsigned(n)) => number(i128::from(*n)),
        Cell::Agg(AggValue::Signed(n)) => number(i128::from(*n)),
        Cell::Agg(AggValue::Stats { average, .. }) => number(i128::from(*average)),
        Cell::Agg(AggValue::Buckets(counts)) => number(counts.iter().map(|&n| i128::from(n)).sum()),
        Cell::Value(value) => sort_key(value),
    }
}

fn sort_key(value: &Value) -> (u8, i128, Vec<u8>) {
    match value.untagged() {
        Value::Uint(n) => (0, i128::from(*n), Vec::new()),
        Value::Str(bytes) => (1, 0, bytes.to_vec()),
        other => match other.as_int() {
            Some(n) => (0, i128::from(n), Vec::new()),
            None => (2, 0, super::text::plain(other).into_bytes()),
        },
    }
}

fn divide(cell: &mut Cell, div: u64) {
    let by = i64::try_from(div).unwrap_or(i64::MAX);
    match cell {
        Cell::Value(Value::Int(n)) => *n /= by,
        Cell::Value(Value::Uint(n)) | Cell::Agg(AggValue::Unsigned(n)) => *n /= div,
        Cell::Agg(AggValue::Signed(n)) => *n /= by,
        Cell::Agg(AggValue::Stats { average, total, .. }) => {
            *average /= by;
            *total /= by;
        }
        Cell::Agg(AggValue::Buckets(counts)) => counts.iter_mut().for_each(|count| *count /= div),
        Cell::Value(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::NoNames;
    use super::*;
    use reel_lang::ty::IntTy;

    fn entry(key: &str, count: u64) -> Entry {
        Entry { key: vec![Value::from(key)], cell: Cell::Agg(AggValue::Unsigned(count)) }
    }

    fn table<'a>(value: &'a Ty, keys: &'a [Ty], entries: Vec<Entry>) -> Table<'a> {
        Table { name: "@x", keys, value, entries }
    }

    #[test]
    fn entries_are_sorted_by_value_then_key() {
        let mut t = table(&Ty::Agg(Agg::Count), &[Ty::Str], vec![entry("b", 2), entry("c", 1), entry("a", 2)]);
        t.arrange(Cut::default());
        assert_eq!(t.text(&NoNames), "@x[c]: 1\n@x[a]: 2\n@x[b]: 2\n");
        t.arrange(Cut { top: 1, div: 2 });
        assert_eq!(t.text(&NoNames), "@x[b]: 1\n");
    }

    #[test]
    fn a_map_without_keys_is_one_line() {
        let cell = Cell::Value(Value::Int(-3));
        let t = table(&Ty::Int(IntTy::I64), &[], vec![Entry { key: Vec::new(), cell }]);
        assert_eq!(t.text(&NoNames), "@x: -3\n");
    }

    #[test]
    fn a_histogram_has_bars_from_the_first_to_the_last_bucket() {
        let agg = Agg::Hist { bits: 0 };
        let mut state = reel_compiler::aggregate::AggState::new(agg);
        [2, 3, 3, 9].into_iter().for_each(|n| state.add(n));
        let ty = Ty::Agg(agg);
        let t = table(&ty, &[], vec![Entry { key: Vec::new(), cell: Cell::Agg(state.value()) }]);
        let text = t.text(&NoNames);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "@x: ");
        assert_eq!(lines[1], format!("[2, 4)                  3 |{}|", "@".repeat(52)));
        assert_eq!(lines[2], format!("[4, 8)                  0 |{}|", " ".repeat(52)));
        assert!(lines[3].starts_with("[8, 16)                 1 |@@@@@@@@@@@@@@@@@ "));
        assert_eq!(lines[4], "");
    }
}
