//! The compiler: typed program to plan, eBPF object and native code.
pub mod builtins;
pub mod ir;
