//! Where the parts of a recording lie in its folder.

use std::path::{Path, PathBuf};

/// The file that says what the recording is, and whether it is whole.
pub const HEAD: &str = "recording.yaml";
pub const TESTS: &str = "tests";
pub const MOCKS: &str = "mocks";
pub const BODIES: &str = "bodies";
pub const TIMING: &str = "timing.yaml";
/// Derived, and not for git.
pub const INDEX: &str = ".index";
/// An index that is being written.
pub const INDEX_NEW: &str = ".index.new";
/// Names the index and itself. A user's own stays.
pub const GITIGNORE: &str = ".gitignore";

/// The key of `timing.yaml` under which stands when the recording began.
pub const START: &str = "start";

/// Every top-level name that a recording may have.
pub const ALL: [&str; 7] = [HEAD, TESTS, MOCKS, BODIES, TIMING, INDEX, INDEX_NEW];

/// How many mocks a file holds.
pub const MOCKS_PER_FILE: u32 = 1000;

/// What ends every file: a file without it was cut.
pub const END: &str = "...\n";

/// Where a recording is written until it is finished: beside its folder.
pub fn partial(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().map(ToOwned::to_owned).unwrap_or_default();
    name.push(".partial");
    dir.with_file_name(name)
}

/// The file that holds the nth mock of a protocol, counted from 1.
pub fn mock_file(protocol: &str, number: u32) -> String {
    let file = number.saturating_sub(1) / MOCKS_PER_FILE + 1;
    format!("{protocol}-{file:04}.yaml")
}
