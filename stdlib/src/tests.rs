//! The files parse, and each noise class is documented. What is in a class is tested with the whole compiler, in `reel`.

use reel_lang::ast::Item;
use reel_lang::parse::parse;
use reel_lang::span::SourceMap;

/// The items of all files; a fault fails the test with its text.
fn items() -> Vec<Item> {
    let mut sources = SourceMap::new();
    let mut items = Vec::new();
    for (name, text) in crate::files() {
        let file = sources.add(*name, *text);
        let parsed = parse(&sources, file);
        assert!(parsed.is_ok(), "{name}: {:?}", parsed.diagnostics);
        items.extend(parsed.program.items);
    }
    items
}

#[test]
fn every_file_parses_and_says_something() {
    assert!(items().iter().any(|item| matches!(item, Item::Noise(_))));
    assert!(items().iter().any(|item| matches!(item, Item::Clause(_))));
}

#[test]
fn every_class_says_what_it_is_and_shows_a_value() {
    let text = crate::files().iter().find(|(name, _)| *name == "noise.rr").unwrap().1;
    for item in items() {
        if let Item::Noise(noise) = item {
            let doc = reel_lang::doc::above(text, noise.span.start as usize);
            let name = noise.name.name;
            assert!(doc.text.ends_with('.') && !doc.text.contains("Example"), "{name}: {doc:?}");
            assert!(!doc.examples.is_empty(), "{name} has no example");
        }
    }
}
