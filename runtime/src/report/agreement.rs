//! The XML against the text: both say the same of each test, to the letter.
//!
//! The XML is read with a parser that knows nothing of JUnit, so that what is held here is the file and not its writer's view.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{junit, text};
use crate::replay::{Reply, Run};

/// An element with its attributes, its text and its children.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Element {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let name = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
            (name, attribute.normalized_value(XmlVersion::Implicit1_0).unwrap().into_owned())
        });
        let name = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
        Element { name, attributes: attributes.collect(), ..Element::default() }
    }

    fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or_else(|| panic!("{} has no {name}", self.name), String::as_str)
    }

    fn number(&self, name: &str) -> usize {
        self.attribute(name).parse().unwrap()
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// Reads a document whole.
fn read(xml: &str) -> Element {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error} in\n{xml}")) {
            Event::Start(start) => open.push(Element::of(&start)),
            Event::Empty(start) => open.last_mut().unwrap().children.push(Element::of(&start)),
            Event::End(_) => {
                let done = open.pop().unwrap();
                open.last_mut().unwrap().children.push(done);
            }
            Event::Text(piece) => open.last_mut().unwrap().text += &piece.decode().unwrap(),
            Event::CData(piece) => open.last_mut().unwrap().text += &piece.decode().unwrap(),
            Event::GeneralRef(name) => open.last_mut().unwrap().text += &entity(&name),
            Event::Decl(_) => {}
            Event::Eof => break,
            other => panic!("{other:?} in\n{xml}"),
        }
    }
    assert_eq!(open.len(), 1, "an element is not closed in\n{xml}");
    assert_eq!(open[0].children.len(), 1, "one root in\n{xml}");
    open.remove(0).children.remove(0)
}

/// The text of `&lt;` or `&#10;`.
fn entity(name: &quick_xml::events::BytesRef<'_>) -> String {
    if let Some(character) = name.resolve_char_ref().unwrap() {
        return character.to_string();
    }
    let name = name.decode().unwrap();
    quick_xml::escape::resolve_predefined_entity(&name).unwrap_or_else(|| panic!("&{name};")).to_owned()
}

/// Fails unless the XML of a run has the shape of JUnit and says of each test what the text says.
pub(crate) fn check(run: &Run) {
    let xml = junit::junit(run).unwrap();
    assert_eq!(xml, junit::junit(run).unwrap());
    let said = anstream::adapter::strip_str(&text(run)).to_string();
    let root = read(&xml);
    assert_eq!(root.name, "testsuites", "{xml}");
    let suites: Vec<&Element> = root.named("testsuite").collect();
    assert_eq!((suites.len(), root.children.len()), (1, 1), "{xml}");
    let cases: Vec<&Element> = suites[0].named("testcase").collect();
    let set = usize::from(!run.is_set_clean());
    let not_run = run.tests.iter().filter(|test| matches!(test.reply, Reply::NotRun(_))).count();
    for element in [&root, suites[0]] {
        assert_eq!(element.number("tests"), run.tests.len() + set, "{xml}");
        assert_eq!(element.number("failures"), run.failed() - not_run + set, "{xml}");
        assert_eq!(element.number("errors"), not_run, "{xml}");
        assert!(!element.attributes.contains_key("time") && !element.attributes.contains_key("timestamp"), "{xml}");
    }
    assert_eq!(cases.len(), run.tests.len() + set, "{xml}");
    for (test, case) in run.tests.iter().zip(&cases) {
        assert_eq!(case.attribute("name"), format!("{} {}", test.id, test.title));
        assert_eq!(case.attribute("classname"), test.file);
        assert_eq!(case.children.is_empty(), test.is_passed(), "{xml}");
    }
    for fault in cases.iter().flat_map(|case| &case.children) {
        assert!(["failure", "error"].contains(&fault.name.as_str()), "{xml}");
        assert!(!fault.text.trim().is_empty(), "{xml}");
        assert!(said.contains(fault.text.trim_matches('\n')), "{}\nis not in\n{said}", fault.text);
        let message = fault.attribute("message");
        assert!(!message.is_empty() && !message.contains('\n'), "{xml}");
    }
    for notes in suites[0].named("system-out") {
        assert!(said.contains(notes.text.trim_matches('\n')), "{}\nis not in\n{said}", notes.text);
    }
}
