//! `reel fmt`: scripts and rule files in the house's style.
//!
//! A file is replaced as a whole or not at all, and only if something in it changes; one with errors is shown and left alone.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Parser;
use reel_lang::diagnostic::Diagnostics;
use reel_lang::fmt::{Unformatted, format};
use reel_lang::span::{FileId, SourceMap};
use similar::TextDiff;

use super::{Outcome, print, report, sources};
use crate::engine::compile;
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
#[command(
    after_help = "Exit 0 if all is well, 1 if --check finds a file that is not formatted, 2 if a file has errors.\n\n\
    Examples:\n  reel fmt checkout.rr\n  reel fmt --check *.rr\n  reel fmt - <checkout.rr"
)]
pub struct Args {
    /// Change nothing; show what would change.
    #[arg(long)]
    pub check: bool,
    /// Scripts and rule files; `-` is standard input, which is formatted to standard output.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Runs the command. A file that is left alone keeps no other from being formatted.
pub fn run(args: &Args) -> Outcome {
    let mut causes = Vec::new();
    for file in &args.files {
        match one(file, args.check) {
            Ok(exit) => causes.push(exit),
            Err(failure) => {
                report(&failure);
                causes.push(failure.exit);
            }
        }
    }
    Ok(Exit::worst(&causes))
}

fn one(file: &Path, check: bool) -> Outcome {
    let mut map = SourceMap::new();
    let ids = sources::read(&mut map, &[file.to_owned()], &[])?;
    let Some(source) = ids.first().and_then(|id| map.file(*id)) else { return Ok(Exit::Passed) };
    let text = source.text();
    let formatted = ids.first().map_or(Ok(String::new()), |id| style(&map, *id))?;
    if check {
        if formatted == text {
            return Ok(Exit::Passed);
        }
        let name = source.name();
        print(&TextDiff::from_lines(text, &formatted).unified_diff().header(name, name).to_string())?;
        return Ok(Exit::TestFailed);
    }
    if file == Path::new("-") {
        return print(&formatted);
    }
    if formatted != text {
        replace(file, &formatted).map_err(|error| {
            Failure::new(Exit::Usage, format!("cannot write {}: {error}", file.display()))
                .remedy("check that the file and its folder may be written; the file is as it was")
        })?;
    }
    Ok(Exit::Passed)
}

fn style(map: &SourceMap, id: FileId) -> Result<String, Failure> {
    let name = map.file(id).map_or("", |file| file.name());
    format(map, id).map_err(|why| match why {
        Unformatted::Faults(list) => {
            let mut found = Diagnostics::new();
            found.extend(list);
            compile::eprint_all(&found, map);
            let noun = if found.error_count() == 1 { "error" } else { "errors" };
            Failure::new(Exit::Usage, format!("{name} has {} {noun}, and is left as it is", found.error_count()))
        }
        Unformatted::Changed => Failure::new(
            Exit::Machine,
            format!("{name} is left as it is: formatted, it would not mean the same, which is a fault of reel's"),
        )
        .remedy("report it with the file"),
    })
}

/// Writes a file beside the old one, with its permissions, and puts it in its place. A link stays one: what it leads to is replaced.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let file = fs::canonicalize(file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let fresh = file.with_file_name(format!(".{name}.{}", std::process::id()));
    let write = || {
        let permissions = fs::metadata(&file)?.permissions();
        let mut out = fs::File::create_new(&fresh)?;
        out.set_permissions(permissions)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&fresh, &file)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&fresh);
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn run_on(file: &Path, check: bool) -> Exit {
        run(&Args { check, files: vec![file.to_owned()] }).unwrap()
    }

    #[test]
    fn a_file_is_replaced_whole_and_checked_without_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rr");
        fs::write(&file, "begin{print(1);} // one\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link.rr");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(run_on(&file, true), Exit::TestFailed);
        assert_eq!(fs::read_to_string(&file).unwrap(), "begin{print(1);} // one\n");
        assert_eq!(run_on(&link, false), Exit::Passed);
        assert_eq!(fs::read_to_string(&file).unwrap(), "begin { print(1); } // one\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(run_on(&file, true), Exit::Passed);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_with_errors_is_left_alone_and_the_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (bad, good) = (folder.path().join("bad.rr"), folder.path().join("good.rr"));
        fs::write(&bad, "begin{ ( }").unwrap();
        fs::write(&good, "begin{}").unwrap();
        let exit = run(&Args { check: false, files: vec![bad.clone(), good.clone()] }).unwrap();
        assert_eq!(exit, Exit::Usage);
        assert_eq!(fs::read_to_string(&bad).unwrap(), "begin{ ( }");
        assert_eq!(fs::read_to_string(&good).unwrap(), "begin { }\n");
        assert_eq!(run_on(&folder.path().join("none.rr"), false), Exit::Usage);
    }
}
