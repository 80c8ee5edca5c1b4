//! Reading scripts: files, standard input, and text on the command line.

use std::io::Read;
use std::path::{Path, PathBuf};

use reel_lang::span::{ARGUMENT_NAME, FileId, STDIN_NAME, SourceMap};

use crate::exit::{Exit, Failure};

/// Adds files (`-` is standard input) and `-e` texts to a source map, in this order.
///
/// # Errors
/// A [`Failure`] that names the file that cannot be read, or is not UTF-8.
pub fn read(sources: &mut SourceMap, files: &[PathBuf], expressions: &[String]) -> Result<Vec<FileId>, Failure> {
    let mut ids = Vec::new();
    for file in files {
        ids.push(if file == Path::new("-") { stdin(sources)? } else { path(sources, file)? });
    }
    for text in expressions {
        ids.push(sources.add(ARGUMENT_NAME, text.as_str()));
    }
    if ids.is_empty() {
        return Err(Failure::new(Exit::Usage, "no script was given").remedy("name a file, or give the text with -e"));
    }
    Ok(ids)
}

fn path(sources: &mut SourceMap, file: &Path) -> Result<FileId, Failure> {
    let name = file.display().to_string();
    match std::fs::read(file) {
        Ok(bytes) => utf8(sources, name, bytes),
        Err(error) => Err(Failure::new(Exit::Usage, format!("cannot read the script {name}: {error}"))
            .remedy("check the path; a program's text is given with -e")),
    }
}

fn stdin(sources: &mut SourceMap) -> Result<FileId, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(Exit::Usage, format!("cannot read standard input: {error}")))?;
    utf8(sources, STDIN_NAME.to_owned(), bytes)
}

fn utf8(sources: &mut SourceMap, name: String, bytes: Vec<u8>) -> Result<FileId, Failure> {
    String::from_utf8(bytes).map(|text| sources.add(name.clone(), text)).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(Exit::Usage, format!("the script {name} is not UTF-8: byte {at} begins no character"))
            .remedy("save it as UTF-8; write other bytes in strings as \\xNN")
    })
}
