//! Opening a recording for a command.

use std::io::IsTerminal;
use std::path::Path;

use crate::recording::{Error, Recording};

/// Opens a recording; somebody who waits at a terminal is told why.
pub(super) fn open(dir: &Path) -> Result<Recording, Error> {
    Recording::open_telling(dir, &mut || {
        if std::io::stderr().is_terminal() {
            anstream::eprintln!(
                "reel: reading the files of {} anew: its index is missing or older than they are",
                dir.display()
            );
        }
    })
}
