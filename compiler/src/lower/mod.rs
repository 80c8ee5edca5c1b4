//! Lowers the typed program to IR: kernel clauses to eBPF-able functions, message clauses and rules to native ones.
//!
//! A clause goes to one side, never half. On the kernel side texts are buffers of a fixed size, maps have C layouts and
//! what is printed is a record (see [`shape`]). On the native side values are views into the message, and what is not a
//! plain comparison is an operation of the host. Nothing here optimises: the back ends see straightforward code.

mod build;
mod kernel;
mod native;

pub mod shape;
mod sizes;
mod tables;
pub(crate) mod uses;
pub(crate) mod walk;

pub use kernel::{Attach, KernelModule, Options, Program, kernel};
pub use native::{LOOP_CUT, MAX_ROUNDS, NativeAction, NativeClause, NativeModule, native, native_only};
pub use tables::{EVENTS, START, native_shard};

pub(crate) use build::Builder;
pub(crate) use kernel::{Lower, Val, compare_op};

use reel_lang::diagnostic::Diagnostic;

/// The result of lowering a part: what is wrong, where it cannot be lowered.
pub(crate) type Lowered<T> = Result<T, Box<Diagnostic>>;
