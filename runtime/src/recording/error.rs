//! What can be wrong with a recording, and whose fault it is.

use std::path::{Path, PathBuf};

use super::yaml::Fault;
use crate::exit::{Exit, Failure};

/// Why a recording cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is not what a recording holds: it was cut, or edited into nonsense.
    #[error("{}:{line}: {reason}", file.display())]
    Damaged { file: PathBuf, line: u32, reason: String },
    /// A document is not what it was when the recording was opened.
    #[error("{}:{line}: the file changed while the recording was used; run it again", file.display())]
    Changed { file: PathBuf, line: u32 },
    /// The recorder was stopped before it could finish, or lost something: its traffic is not all there.
    #[error("{}: the recording is incomplete: {reason}", dir.display())]
    Incomplete { dir: PathBuf, reason: String },
    /// A later version of reel wrote it.
    #[error(
        "{}: format version {found} is newer than {known}, the newest that this version of reel reads; use reel {tool} or later",
        file.display()
    )]
    Newer { file: PathBuf, found: u32, known: u32, tool: String },
    /// The path names no recording: the command line is wrong.
    #[error("{}: {reason}", path.display())]
    NotARecording { path: PathBuf, reason: String },
    /// The directory holds something else, which would be lost.
    #[error("{}: the directory is not a recording; choose another, or empty it", dir.display())]
    Occupied { dir: PathBuf },
    /// A recording cannot be made at that place: the command line names the wrong one.
    #[error("{}: no recording can be written there: {source}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// A secret's value is at none of the places where it could be.
    #[error(
        "the secret `{name}` was not supplied: pass `--secret {name}=ENV`, where ENV is the environment variable that holds it"
    )]
    SecretMissing { name: String },
    /// `--secret` names a secret that the recording does not have.
    #[error("the recording has no secret `{name}`; it has {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    SecretUnknown { name: String, known: Vec<String> },
}

impl Error {
    /// The exit code that this error asks for.
    pub fn exit(&self) -> Exit {
        match self {
            Error::Damaged { .. } | Error::Changed { .. } | Error::Incomplete { .. } | Error::Newer { .. } => {
                Exit::Recording
            }
            Error::NotARecording { .. }
            | Error::Occupied { .. }
            | Error::Unwritable { .. }
            | Error::SecretMissing { .. }
            | Error::SecretUnknown { .. } => Exit::Usage,
            Error::Io { .. } => Exit::Machine,
        }
    }

    /// What to do, where the message alone does not say it.
    fn remedy(&self) -> Option<&'static str> {
        match self {
            Error::NotARecording { .. } => {
                Some("name the folder that has recording.yaml, or make one with `reel record -o DIR -- CMD`")
            }
            Error::Unwritable { .. } => Some("name a folder that can be written to with `-o DIR`"),
            Error::Damaged { .. } => Some("undo the edit, take the file from version control, or record again"),
            Error::Incomplete { .. } => Some("record again"),
            _ => None,
        }
    }

    pub(super) fn at(file: &Path, fault: Fault) -> Self {
        Error::Damaged { file: file.to_owned(), line: fault.line, reason: fault.reason }
    }

    pub(super) fn unwritable(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Error::Unwritable { path, source }
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Failure::new(error.exit(), error.to_string());
        match error.remedy() {
            Some(remedy) => failure.remedy(remedy),
            None => failure,
        }
    }
}
