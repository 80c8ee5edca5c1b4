//! The compiler: typed program to plan, eBPF object and native code.
//!
//! Pure but for the memory that compiled native code lives in: no files, no kernel; what it must know of them it is told.
//!
//! | module | does |
//! |---|---|
//! | [`builtins`] | the values and functions that scripts can name: declaration and lowering, a file each |
//! | [`plan`] | which part of a program runs where, and why; what the kernel may drop |
//! | [`lower`] | typed program to IR, for the kernel and for user space |
//! | [`ir`] | the one intermediate representation, its text form and its verifier |
//! | [`bpf`], [`jit`] | IR to an eBPF object, IR to machine code |
//! | `listing` | either beside the script that it was made of |
//! | `eval` | the reference: IR, interpreted; only with the feature `reference`, which tests and benchmarks alone enable |
//! | [`native`], [`aggregate`] | what operations on values and aggregations mean, on every side |

pub mod aggregate;
pub mod bpf;
pub mod builtins;
#[cfg(feature = "reference")]
pub mod eval;
pub mod ir;
pub mod jit;
mod listing;
pub mod lower;
pub mod native;
pub mod plan;
