//! The compiler: typed program to plan, eBPF object and native code.
pub mod aggregate;
pub mod bpf;
pub mod builtins;
pub mod eval;
pub mod ir;
pub mod jit;
pub mod lower;
pub mod native;
pub mod plan;
