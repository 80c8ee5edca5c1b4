//! A regex for texts of one shape: words that are the same in all stand as they are, runs of digits and letters as their kind.

use std::fmt::Write;

/// The fewest texts that make a shape.
const MIN_TEXTS: usize = 3;

/// A run of characters of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Digits,
    Letters,
    /// A single character that is neither.
    Other(char),
}

/// The regex of all these texts; none where they have no shape in common, or it would be nothing but letters of any length.
pub fn shape(texts: &[&str]) -> Option<String> {
    if texts.len() < MIN_TEXTS {
        return None;
    }
    let runs: Vec<Vec<(Kind, &str)>> = texts.iter().map(|text| runs(text)).collect();
    let (first, rest) = runs.split_first()?;
    let kinds = |runs: &[(Kind, &str)]| runs.iter().map(|(kind, _)| *kind).collect::<Vec<_>>();
    if first.is_empty() || rest.iter().any(|other| kinds(other) != kinds(first)) {
        return None;
    }
    let mut regex = "^".to_owned();
    let mut is_telling = false;
    for (at, (kind, text)) in first.iter().enumerate() {
        let others = || rest.iter().filter_map(|runs| runs.get(at)).map(|(_, text)| *text);
        let lens = || others().chain([*text]).map(str::len);
        let (least, most) = (lens().min()?, lens().max()?);
        let is_fixed = others().all(|other| other == *text);
        is_telling |= is_fixed || *kind == Kind::Digits;
        match kind {
            _ if is_fixed => regex += &escaped(text),
            Kind::Other(c) => regex += &escaped(&c.to_string()),
            Kind::Digits => counted(&mut regex, "[0-9]", least, most),
            Kind::Letters => {
                let is_all = |is: fn(&u8) -> bool| others().chain([*text]).all(|text| text.bytes().all(|b| is(&b)));
                let set = match (is_all(u8::is_ascii_lowercase), is_all(u8::is_ascii_uppercase)) {
                    (true, _) => "[a-z]",
                    (_, true) => "[A-Z]",
                    _ => "[A-Za-z]",
                };
                counted(&mut regex, set, least, most);
            }
        }
    }
    is_telling.then(|| regex + "$")
}

/// A set so many times; where the length varies, any length.
fn counted(regex: &mut String, set: &str, least: usize, most: usize) {
    let _ = match least == most {
        true => write!(regex, "{set}{{{least}}}"),
        false => write!(regex, "{set}+"),
    };
}

fn runs(text: &str) -> Vec<(Kind, &str)> {
    let kind = |c: char| match c {
        c if c.is_ascii_digit() => Kind::Digits,
        c if c.is_ascii_alphabetic() => Kind::Letters,
        c => Kind::Other(c),
    };
    let mut runs: Vec<(Kind, &str)> = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        match runs.last_mut().filter(|(last, _)| *last == kind(c) && !matches!(last, Kind::Other(_))) {
            Some((_, run)) => *run = text.get(start..end).unwrap_or_default(),
            None => {
                start = at;
                runs.push((kind(c), text.get(at..end).unwrap_or_default()));
            }
        }
    }
    runs
}

/// A text as a regex that matches it alone.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if !c.is_ascii_alphanumeric() && c.is_ascii() && c != ' ' && c != '_' && c != '-' {
            let _ = write!(out, "[{}{c}]", if matches!(c, '^' | '\\' | '[' | ']') { "\\" } else { "" });
        } else {
            out.push(c);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(texts: &[&str], expect: Option<&str>) {
        assert_eq!(shape(texts).as_deref(), expect);
    }

    #[test]
    fn texts_of_one_shape() {
        check(&["ORD-00000017", "ORD-00000023", "ORD-90000001"], Some("^ORD-[0-9]{8}$"));
        check(&["job 9", "job 10", "job 11"], Some("^job [0-9]+$"));
        check(&["/a/x.1", "/a/y.2", "/a/z.3"], Some("^[/]a[/][a-z]{1}[.][0-9]{1}$"));
        check(&["a^1", "a^2", "a^3"], Some("^a[\\^][0-9]{1}$"));
    }

    #[test]
    fn texts_of_none() {
        check(&["a1", "a2"], None);
        check(&["ab", "cde", "fg"], None);
        check(&["a1b", "12", "x"], None);
        check(&["", "", ""], None);
    }
}
