//! `reel noise`: lists the noise classes, shows one, tests values, and tells which classes a value is in.

use std::path::PathBuf;

use clap::Parser;
use reel_lang::diagnostic::nearest;
use reel_lang::value::Value;
use serde_json::json;

use super::{Format, Outcome, print};
use crate::exit::{Exit, Failure};
use crate::noise::{Class, Noise};

#[derive(Debug, Parser)]
#[command(
    after_help = "Without a value, the class is shown; without a class, all are listed. Exit 0 if every value is in the class, 1 if one is not.\n\n\
    Examples:\n  reel noise\n  reel noise uuid 6fa459ea-ee8a-3ca4-894e-db77e160355e\n  reel noise -r checkout.rr order_id ORD-00000042\n  \
    reel noise --of 1700000000\n  reel noise --json epoch_ms 1700000000000 '\"1700000000000\"'"
)]
pub struct Args {
    /// Rule files whose classes are there too.
    #[arg(short = 'r', value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// Tell which classes a value is in; one that begins with `-` is written `--of=-1`.
    #[arg(long, value_name = "VALUE", num_args = 1.., conflicts_with_all = ["class", "values"], allow_negative_numbers = true)]
    pub of: Vec<String>,
    /// Values are JSON: a number is not a text.
    #[arg(long)]
    pub json: bool,
    /// Text for people, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// The class.
    pub class: Option<String>,
    /// Values to test.
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub values: Vec<String>,
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    let noise = Noise::load(&args.rules)?;
    if !args.of.is_empty() {
        return memberships(&noise, &args);
    }
    let Some(name) = &args.class else {
        return print(&list(&noise, args.format));
    };
    let class = noise.class(name).ok_or_else(|| unknown(&noise, name))?;
    if args.values.is_empty() { print(&shown(class, args.format)) } else { test(&noise, class, &args) }
}

fn unknown(noise: &Noise, name: &str) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("there is no noise class `{name}`"));
    match nearest(name, noise.classes.iter().map(|class| class.name.as_str())) {
        Some(near) => failure.remedy(format!("did you mean `{near}`? `reel noise` lists the classes")),
        None => failure.remedy("`reel noise` lists the classes; -r FILE adds those of a rule file"),
    }
}

/// A value of the command line.
fn value(text: &str, is_json: bool) -> Result<Value, Failure> {
    if !is_json {
        return Ok(Value::text(text));
    }
    reel_protocols::json::parse(text.as_bytes()).map_err(|error| {
        Failure::new(Exit::Usage, format!("`{text}` is not JSON: {error}"))
            .remedy("quote a text, as in '\"text\"', or leave out --json")
    })
}

fn test(noise: &Noise, class: &Class, args: &Args) -> Outcome {
    let mut out = String::new();
    let mut all_in = true;
    for text in &args.values {
        let is_in = noise.contains(class, &value(text, args.json)?);
        all_in &= is_in;
        out += &match args.format {
            Format::Text => format!("{}  {text}\n", if is_in { "in " } else { "out" }),
            Format::Json => json!({"class": class.name, "value": text, "in": is_in}).to_string() + "\n",
        };
    }
    print(&out)?;
    Ok(if all_in { Exit::Passed } else { Exit::TestFailed })
}

/// The classes of each value. A value in none is the answer, and no failure.
fn memberships(noise: &Noise, args: &Args) -> Outcome {
    let mut out = String::new();
    for text in &args.of {
        let value = value(text, args.json)?;
        let classes: Vec<&Class> = noise.of(&value).collect();
        match args.format {
            Format::Json => {
                let names: Vec<_> = classes.iter().map(|class| &class.name).collect();
                out += &(json!({"value": text, "classes": names}).to_string() + "\n");
            }
            Format::Text => {
                let names: Vec<_> = classes.iter().map(|class| class.name.as_str()).collect();
                out +=
                    &format!("{text}  {}\n", if names.is_empty() { "no class".to_owned() } else { names.join(", ") });
            }
        }
    }
    print(&out)
}

fn list(noise: &Noise, format: Format) -> String {
    match format {
        Format::Json => noise.classes.iter().map(line).collect(),
        Format::Text => {
            let width = noise.classes.iter().map(|class| class.name.len()).max().unwrap_or(0);
            let rows = noise.classes.iter().map(|class| {
                let origin = if class.is_users { format!(" ({})", class.place) } else { String::new() };
                let row = format!("{:width$}  {}{origin}", class.name, class.doc.text);
                format!("{}\n", row.trim_end())
            });
            rows.collect()
        }
    }
}

fn shown(class: &Class, format: Format) -> String {
    match format {
        Format::Json => line(class),
        Format::Text => {
            let comment = [class.doc.text.clone()].into_iter().filter(|text| !text.is_empty());
            let examples = class.doc.examples.iter().map(|example| format!("Example: {example}"));
            let lines = comment.chain(examples).map(|line| format!("// {line}\n"));
            format!("// {}\n{}{}\n", class.place, lines.collect::<String>(), class.text)
        }
    }
}

fn line(class: &Class) -> String {
    let value = json!({
        "class": class.name, "doc": class.doc.text, "examples": class.doc.examples, "place": class.place,
        "source": class.text,
    });
    value.to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn exits_say_what_was_found() {
        let check = |line: &str, expect: Result<Exit, Exit>| {
            let args = Args::try_parse_from(std::iter::once("noise").chain(line.split(' ').filter(|w| !w.is_empty())));
            let got = args.map_err(|_| Exit::Usage).and_then(|args| run(args).map_err(|failure| failure.exit));
            assert_eq!(got, expect, "{line}");
        };
        check("", Ok(Exit::Passed));
        check("uuid", Ok(Exit::Passed));
        check("uuid 6fa459ea-ee8a-3ca4-894e-db77e160355e", Ok(Exit::Passed));
        check("uuid 6fa459ea-ee8a-3ca4-894e-db77e160355e x", Ok(Exit::TestFailed));
        check("uuid --format json -1", Ok(Exit::TestFailed));
        check("uudi x", Err(Exit::Usage));
        check("--of x", Ok(Exit::Passed));
        check("uuid --of x", Err(Exit::Usage));
        check("--of x --formt json", Err(Exit::Usage));
        check("--of -1 --of=-x", Ok(Exit::Passed));
        check("--json epoch_s 1700000000", Ok(Exit::Passed));
        check("--json epoch_s x", Err(Exit::Usage));
        check("-r /nonexistent uuid x", Err(Exit::Usage));
    }

    #[test]
    fn options_after_values_are_options() {
        let args = Args::try_parse_from(["noise", "--of", "x", "-1", "--format", "json"]);
        let seen = args.map(|args| (args.of, args.format == Format::Json)).map_err(|error| error.to_string());
        assert_eq!(seen, Ok((vec!["x".to_owned(), "-1".to_owned()], true)));
    }

    #[test]
    fn a_name_that_is_nearly_right_is_helped() {
        let noise = Noise::load(&[]).map_err(|failure| failure.message);
        let failure = noise.map(|noise| unknown(&noise, "uudi"));
        let remedy = failure.ok().and_then(|failure| failure.remedy);
        assert_eq!(remedy.as_deref(), Some("did you mean `uuid`? `reel noise` lists the classes"));
    }
}
