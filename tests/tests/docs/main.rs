//! The documentation is true: every command in it runs, every rule in it checks, and every table in it agrees with the code.
//!
//! Markdown is read as people read it. In a `sh` block each line is run in a folder that has a service, `./server`, and a
//! client, `./client.sh`; a line must end with status 0, or with N where it ends in `# exit N`. Without a command to watch a
//! tracing line would never end, so that it is given one. A `text` block below holds lines of that output, in order, where `...`
//! stands for any others. An `rr` block is checked, and kept under the name after `rr`; a `yaml` block with a name after it is
//! what that file holds.

mod builtins;
mod commands;
mod edges;
mod licences;
mod markdown;
mod repl;
mod scripts;
mod shop;
