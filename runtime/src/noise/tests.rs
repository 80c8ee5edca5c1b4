//! Values that are in each class and values that are not, from `tests/noise` in the repository.
//!
//! A table's first line is `// runs: noise CLASS`; each further line is `in` or `out` and a value as JSON, or a comment. Every
//! class has a table and every file is a table, but for `overlap.txt`, which says which other classes a class's values are in:
//! `BLESS=1` rewrites it. The same answers must come from the evaluator.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use reel_compiler::eval::Evaluator;
use reel_compiler::ir::Module;
use reel_compiler::native::View;

use super::*;
use crate::matching::is_clock_reading;

struct Stdlib {
    noise: Noise,
    module: Module,
}

static STDLIB: LazyLock<Stdlib> = LazyLock::new(|| {
    let mut sources = SourceMap::new();
    let options = Options { stdlib_programs: stdlib(&mut sources), ..Options::default() };
    let files: Vec<_> = sources.ids().collect();
    let front = compile::front(&sources, &files, &Machine::default(), &options);
    let (program, _) = front.map_err(|faults| format!("{:?}", faults.0)).unwrap();
    let module = lower::native(&program).unwrap().module;
    let noise = Noise::compile(program, &sources, options.stdlib_programs).map_err(|failure| failure.message).unwrap();
    Stdlib { noise, module }
});

static EVALUATOR: LazyLock<Evaluator<'static>> = LazyLock::new(|| Evaluator::new(&STDLIB.module).unwrap());

/// Whether a value is in a class, by compiled code and by the evaluator alike.
fn is_in(class: &str, value: &Value) -> bool {
    let known = STDLIB.noise.class(class).unwrap_or_else(|| panic!("no class `{class}`"));
    let native = STDLIB.noise.contains(known, value);
    let evaluated = EVALUATOR.call(known.function, &[View::of(value)], &mut Recorder::default()).unwrap() != 0;
    assert_eq!(native, evaluated, "{class} of {value:?}: compiled and evaluated");
    native
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/noise")
}

/// One line of a table: whether the value is in the class, and the value.
fn rows(text: &str) -> Vec<(bool, Value)> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("//"));
    let row = |line: &str| {
        let (word, json) = line.split_once(' ').unwrap_or_else(|| panic!("a row is `in VALUE` or `out VALUE`: {line}"));
        assert!(word == "in" || word == "out", "a row begins with `in` or `out`: {line}");
        let value = reel_protocols::json::parse(json.trim().as_bytes());
        (word == "in", value.unwrap_or_else(|error| panic!("{line}: {error}")))
    };
    lines.map(row).collect()
}

/// The tables by class. A file that is no table fails.
fn tables() -> BTreeMap<String, Vec<(bool, Value)>> {
    let mut tables = BTreeMap::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        match text.lines().next() {
            Some("// runs: overlap") => assert_eq!(name, "overlap.txt"),
            Some(first) => {
                let class = first.strip_prefix("// runs: noise ").unwrap_or_else(|| panic!("{name}: what runs?"));
                assert_eq!(name, format!("{class}.txt"), "a table is called as its class");
                tables.insert(class.to_owned(), rows(&text));
            }
            None => panic!("{name} is empty"),
        }
    }
    tables
}

#[test]
fn classes_know_their_own() {
    let tables = tables();
    let declared: BTreeSet<&str> = STDLIB.noise.classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(tables.keys().map(String::as_str).collect::<BTreeSet<_>>(), declared, "a table for each class");
    let mut faults = Vec::new();
    for (class, rows) in &tables {
        assert!(rows.iter().any(|(wanted, _)| *wanted) && rows.iter().any(|(wanted, _)| !wanted), "{class}");
        let wrong = rows.iter().filter(|(wanted, value)| is_in(class, value) != *wanted);
        faults.extend(wrong.map(|(wanted, value)| format!("{class}: {value:?} should be {}", word(*wanted))));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn word(is_in: bool) -> &'static str {
    if is_in { "in" } else { "out" }
}

#[test]
fn examples_are_in_their_class() {
    for class in &STDLIB.noise.classes {
        for example in &class.doc.examples {
            assert!(is_in(&class.name, &Value::text(example)), "{}: {example}", class.name);
        }
    }
}

#[test]
fn overlaps_are_those_that_are_known() {
    let mut text = String::from("// runs: overlap\n// The other classes that values of a class's table are in.\n");
    for (class, rows) in tables() {
        let others: BTreeSet<&str> = rows
            .iter()
            .filter(|(is_in, _)| *is_in)
            .flat_map(|(_, value)| STDLIB.noise.of(value).map(|other| other.name.as_str()))
            .filter(|other| *other != class)
            .collect();
        text += format!("{class}: {}", Vec::from_iter(others).join(" ")).trim_end();
        text.push('\n');
    }
    let path = folder().join("overlap.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "BLESS=1 rewrites it: look at the diff");
}

#[test]
fn times_are_no_identities() {
    for class in ["timestamp", "rfc3339", "iso8601", "sql_timestamp", "rfc1123", "http_date", "date"] {
        for (is_in, value) in &tables()[class] {
            assert!(!is_in || is_clock_reading(value), "{class}: {value:?} should count as a reading of a clock");
        }
    }
}

#[test]
fn a_class_of_a_rule_file_is_shown_as_it_was_written() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("mine.rr");
    fs::write(
        &file,
        "// An order.\n// Example: ORD-1;\nnoise order(s) =\n    s =~ \"^ORD-[0-9]+;$\";\nnoise ip(s) = s == 1;\n",
    )
    .unwrap();
    let noise = Noise::load(&[file]).map_err(|failure| failure.message).unwrap();
    let order = noise.class("order").unwrap();
    assert_eq!(order.text, "noise order(s) =\n    s =~ \"^ORD-[0-9]+;$\";");
    assert_eq!((order.doc.text.as_str(), order.is_users), ("An order.", true));
    assert!(noise.contains(order, &Value::text("ORD-12;")) && !noise.contains(order, &Value::text("ORD-12")));
    let ip = noise.class("ip").unwrap();
    assert!(ip.is_users && noise.contains(ip, &Value::Int(1)), "a class of the user's shadows stdlib's");
}

proptest! {
    #[test]
    fn every_address_is_in(four in any::<u32>(), six in prop_oneof![
        any::<u128>(),
        any::<u128>().prop_flat_map(|bits| (0..8u32, 0..9u32).prop_map(move |(from, len)| {
            // Runs of zeros make gaps.
            (0..8u32).filter(|part| (from..from + len).contains(part)).fold(bits, |bits, part| bits & !(0xffff << (part * 16)))
        })),
        any::<u32>().prop_map(|four| Ipv4Addr::from(four).to_ipv6_mapped().to_bits()),
    ]) {
        let (four, six) = (Ipv4Addr::from(four), Ipv6Addr::from(six));
        prop_assert!(is_in("ipv4", &Value::text(four.to_string())), "{four}");
        prop_assert!(is_in("ipv6", &Value::text(six.to_string())), "{six}");
        prop_assert!(is_in("ip", &Value::Ip(four.into())) && is_in("ip", &Value::Ip(six.into())));
    }

    #[test]
    fn nothing_else_is_an_address(text in "[0-9a-f:]{0,20}|([0-9a-f]{0,2}:){0,9}[0-9a-f]{0,2}|[0-9.]{0,16}|([0-9]{1,3}[.]){3}[0-9]{1,3}") {
        let value = Value::text(&text);
        prop_assert_eq!(is_in("ipv4", &value), text.parse::<Ipv4Addr>().is_ok(), "{}", text);
        prop_assert_eq!(is_in("ipv6", &value), text.parse::<Ipv6Addr>().is_ok(), "{}", text);
    }

    #[test]
    fn fresh_random_values_are_in(bytes in any::<[u8; 16]>(), long in any::<[u8; 32]>()) {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert!(is_in("hex", &Value::text(&hex)) || bytes == [0; 16]);
        prop_assert!(is_in("session_id", &Value::text(hex.to_ascii_uppercase())) || bytes == [0; 16]);
        // Of shrunk arrays the letters are all alike: one of each case stands before them.
        let mut spread = long;
        (spread[0], spread[1], spread[2]) = (0x00, 0x16, 0x9a);
        for text in [STANDARD.encode(spread), URL_SAFE_NO_PAD.encode(spread)] {
            prop_assert!(is_in("base64", &Value::text(&text)) && is_in("nonce", &Value::text(&text)), "{text}");
        }
    }

    #[test]
    fn every_instant_of_its_range_is_in(seconds in 1_000_000_000i64..4_100_000_000, nanos in 0i32..1_000_000_000) {
        let instant = jiff::Timestamp::new(seconds, nanos).unwrap();
        prop_assert!(is_in("rfc3339", &Value::text(instant.to_string())), "{instant}");
        let zoned = instant.to_zoned(jiff::tz::TimeZone::UTC);
        let formats = [
            ("http_date", "%a, %d %b %Y %H:%M:%S GMT"),
            ("rfc1123", "%a, %d %b %Y %H:%M:%S %z"),
            ("sql_timestamp", "%Y-%m-%d %H:%M:%S%.6f"),
            ("iso8601", "%Y%m%dT%H%M%SZ"),
            ("date", "%Y-%m-%d"),
        ];
        for (class, format) in formats {
            let text = zoned.strftime(format).to_string();
            prop_assert!(is_in(class, &Value::text(&text)), "{class}: {text}");
        }
        let number = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        for (class, unit) in [("epoch_s", 1_000_000_000), ("epoch_ms", 1_000_000), ("epoch_us", 1_000), ("epoch_ns", 1)] {
            let count = i64::try_from(number / unit).unwrap();
            prop_assert!(is_in(class, &Value::Int(count)) && is_in(class, &Value::text(count.to_string())), "{class}: {count}");
        }
    }
}
