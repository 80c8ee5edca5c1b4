//! The reel program as the end-to-end tests run it: built with them, so that they never test a stale binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    reel::cli::main()
}
