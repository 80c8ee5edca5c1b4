//! reel's language: text to typed program.
//!
//! Pure: no files, no clock, no threads, no kernel. What it cannot know by itself (builtins, protocols, attach points)
//! it asks through one trait, `Environment`. The stages, each a module whose result can be dumped:
//!
//! | module | does |
//! |---|---|
//! | [`span`] | files, places, line and column |
//! | [`diagnostic`] | what the author is told, with stable codes; text and JSON |
//! | [`scan`] | limits, comments, the preprocessor, top-level items |
//! | [`parse`] | text to syntax tree, all faults of a file |
//! | [`ast`] | the syntax tree, and its dump |
//! | [`check`] | names, types and attach points: syntax tree to typed program |
//! | [`hir`], [`ty`], [`env`] | the typed program, its types, and what the checker asks of outside |
//! | [`value`], [`schema`] | values, message schemas and the flat record |

pub mod ast;
pub mod check;
pub mod diagnostic;
pub mod doc;
pub mod env;
pub mod fmt;
pub mod hir;
pub mod parse;
pub mod scan;
pub mod schema;
pub mod span;
pub mod ty;
pub mod value;
