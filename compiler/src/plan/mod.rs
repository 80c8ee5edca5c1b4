//! The planner.

/// Which connections are wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    All,
}
