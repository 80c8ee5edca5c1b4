//! What two recordings differ in, for people.

use super::style::{Painter, Style};
use super::value::difference;
use crate::diff::{CallDiff, Diff, Named, Pair, TestDiff};

/// Writes a comparison, with colours.
pub fn diff(diff: &Diff) -> String {
    let mut out = Painter::default();
    for found in &diff.tests {
        test(&mut out, found);
    }
    if !diff.apart.is_empty() {
        out.paint(Style::Heading, "Calls that belong to no single test").line();
        diff.apart.iter().for_each(|found| call(&mut out, "  ", found));
    }
    for (was, is) in &diff.moved {
        out.plain(format!("the server at {was} is at {is}")).line();
    }
    total(&mut out, diff);
    out.finish()
}

fn test(out: &mut Painter, test: &TestDiff) {
    head(out, "", &test.named);
    side(out, "    ", "the request differs", &test.request);
    side(out, "    ", "the response differs", &test.response);
    test.calls.iter().for_each(|found| call(out, "    ", found));
}

fn call(out: &mut Painter, indent: &str, call: &CallDiff) {
    out.plain(indent).plain("call ");
    head(out, "", &call.named);
    let deeper = format!("{indent}    ");
    side(out, &deeper, "the request differs", &call.request);
    side(out, &deeper, "the response differs", &call.response);
}

fn head(out: &mut Painter, indent: &str, named: &Pair<Named>) {
    let one = |named: &Named| format!("{}  {}", named.id, named.title);
    out.plain(indent);
    match named {
        Pair::First(was) => out.paint(Style::Bad, format!("- {}  {}", one(was), was.answer)),
        Pair::Second(is) => out.paint(Style::Good, format!("+ {}  {}", one(is), is.answer)),
        Pair::Both(was, is) if was == is => out.paint(Style::Warning, format!("~ {}", one(is))),
        Pair::Both(was, is) if was.title == is.title => {
            out.paint(Style::Warning, format!("~ {} -> {}  {}", was.id, is.id, is.title))
        }
        Pair::Both(was, is) => out.paint(Style::Warning, format!("~ {} -> {}", one(was), one(is))),
    };
    out.line();
}

fn side(out: &mut Painter, indent: &str, what: &str, found: &[crate::matching::Difference]) {
    if !found.is_empty() {
        out.plain(indent).plain(what).line();
        let deeper = format!("{indent}  ");
        found.iter().for_each(|found| difference(out, &deeper, found));
    }
}

fn total(out: &mut Painter, diff: &Diff) {
    let count = |wanted: fn(&Pair<Named>) -> bool| diff.tests.iter().filter(|test| wanted(&test.named)).count();
    let [first, second] = diff.dirs.each_ref().map(|dir| dir.display());
    let style = if diff.is_empty() { Style::Good } else { Style::Bad };
    let same = format!("{} tests the same", diff.same);
    let differ = format!("{} differ", count(|named| matches!(named, Pair::Both(..))));
    let removed = format!("{} only in {first}", count(|named| matches!(named, Pair::First(_))));
    let added = format!("{} only in {second}", count(|named| matches!(named, Pair::Second(_))));
    if !diff.is_empty() {
        out.line();
    }
    out.paint(style, format!("{same}, {differ}, {removed}, {added}")).line();
}
