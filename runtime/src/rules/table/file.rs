//! A data file of cases: what they share, then each case with what it came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The sections of a case; `says` is the answer, which `BLESS=1` writes.
const SECTIONS: [&str; 6] = ["rules", "recorded", "app", "traffic", "options", SAYS];
const SAYS: &str = "says";

/// A data file.
pub(super) struct File {
    /// What stands before the first case: comments, and sections that every case has unless it has its own.
    head: String,
    shared: BTreeMap<String, String>,
    pub(super) cases: Vec<Case>,
}

/// One case: `--- + match ignore: any other value passes`.
pub(super) struct Case {
    /// Whether it shows what a line of the language allows (`+`), or what it forbids (`-`).
    pub(super) is_positive: bool,
    /// The line that it proves.
    pub(super) line: String,
    /// The whole title.
    pub(super) title: String,
    source: String,
    sections: BTreeMap<String, String>,
}

impl File {
    pub(super) fn parse(name: &str, text: &str) -> File {
        let mut chunks = text.split("\n--- ");
        let head = chunks.next().unwrap_or_default();
        assert!(head.starts_with("// "), "{name}: the first line says what runs");
        let shared = sections(name, head);
        let cases = chunks.map(|chunk| Case::parse(name, chunk)).collect();
        File { head: head.trim_end().to_owned(), shared, cases }
    }

    /// A section of a case, its own or the shared one.
    pub(super) fn section<'a>(&'a self, case: &'a Case, name: &str) -> &'a str {
        case.sections.get(name).or_else(|| self.shared.get(name)).map_or("", String::as_str)
    }

    /// The file with these answers.
    pub(super) fn with(&self, answers: &[String]) -> String {
        let mut text = self.head.clone();
        for (case, answer) in self.cases.iter().zip(answers) {
            let _ = write!(text, "\n\n--- {}\n{SAYS}\n{}", case.source, answer.trim_end());
        }
        text + "\n"
    }
}

impl Case {
    fn parse(name: &str, chunk: &str) -> Case {
        let (title, rest) = chunk.split_once('\n').unwrap_or((chunk, ""));
        let line = title.split(": ").next().unwrap_or_default();
        let (sign, line) = line.split_at(2);
        assert!(["+ ", "- "].contains(&sign), "{name}: {title}: a case begins with + or -");
        let source = chunk.split(&format!("\n{SAYS}\n")).next().unwrap_or_default();
        Case {
            is_positive: sign == "+ ",
            line: line.to_owned(),
            title: title.to_owned(),
            source: source.trim_end().to_owned(),
            sections: sections(name, rest),
        }
    }

    /// What the file says that it comes to.
    pub(super) fn expected(&self) -> &str {
        self.sections.get(SAYS).map_or("", String::as_str)
    }
}

fn sections(name: &str, text: &str) -> BTreeMap<String, String> {
    let mut sections = BTreeMap::new();
    let mut current: Option<&str> = None;
    for line in text.lines() {
        if SECTIONS.contains(&line) && current != Some(SAYS) {
            assert!(sections.insert(line.to_owned(), String::new()).is_none(), "{name}: two sections `{line}`");
            current = Some(line);
        } else if let Some(section) = current.and_then(|section| sections.get_mut(section)) {
            section.push_str(line);
            section.push('\n');
        } else {
            assert!(line.is_empty() || line.starts_with("//"), "{name}: `{line}` is in no section");
        }
    }
    for text in sections.values_mut() {
        text.truncate(text.trim_end().len());
    }
    sections
}
