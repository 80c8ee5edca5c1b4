//! The stable codes of diagnostics, in one table.
//!
//! A code never changes its meaning and is never reused; scripts and editors may rely on it. The hundreds say the stage:
//! 01 syntax, 02 names, 03 types, 04 attach points, 05 rules, 06 what no back end runs yet, 07 planning, 08 the kernel.
//! To add one, add a line to the table; a test holds that numbers are unique and in order.

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The program does not run.
    Error,
    /// The program runs, and probably not as meant.
    Warning,
}

impl Severity {
    /// Returns the word used in messages and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A diagnostic's stable code, shown as `E0101` or `W0311`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    number: u16,
    severity: Severity,
}

impl Code {
    /// Returns the severity that the code stands for.
    pub const fn severity(self) -> Severity {
        self.severity
    }

    /// Returns the number without its letter.
    pub const fn number(self) -> u16 {
        self.number
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.severity {
            Severity::Error => 'E',
            Severity::Warning => 'W',
        };
        write!(f, "{letter}{:04}", self.number)
    }
}

macro_rules! codes {
    ($($severity:ident $number:literal $name:ident: $title:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code { number: $number, severity: Severity::$severity };)*

        /// Every code with the sentence that says what it means.
        pub const ALL: &[(Code, &str)] = &[$(($name, $title)),*];
    };
}

codes! {
    Error 101 SYNTAX: "The text is not a clause of the language.";
    Error 102 UNCLOSED: "A bracket, string or comment is opened and never closed.";
    Error 103 UNMATCHED: "A bracket closes nothing, or the wrong bracket.";
    Error 104 TOO_LARGE: "A file, line or clause is longer than the limit.";
    Error 105 TOO_DEEP: "Brackets or operators are nested deeper than the limit.";
    Error 106 BAD_NUMBER: "A number does not fit, or is badly written.";
    Error 107 BAD_STRING: "A string has an escape that means nothing.";
    Error 108 BAD_TARGET: "The left side of an assignment cannot be assigned to.";
    Error 109 PREPROCESSOR: "A preprocessor line is not understood, or not closed.";
    Error 110 BAD_HEADER: "A clause's header is badly written.";
    Error 111 MISPLACED: "A construct stands where it is not allowed.";
    Error 112 BAD_TEXT: "The text holds a character that no script can hold.";
    Warning 150 INCLUDE_IGNORED: "An #include is not read: types come from the kernel's BTF.";
    Warning 151 DEFINE_IGNORED: "A #define whose value is not an expression is left out.";
    Error 701 NOT_IN_KERNEL: "A kernel probe asks for what a kernel program cannot do.";
    Error 702 NOT_NATIVE: "A message probe or rule asks for what only a kernel program can do.";
    Error 703 SHARED_WRITE: "A map is counted up from both a kernel probe and a message probe.";
    Error 801 VERIFIER: "The kernel's verifier refuses the program.";
    Error 802 KERNEL_LIMIT: "The program asks for more than the kernel gives one.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_in_order() {
        for pair in ALL.windows(2) {
            assert!(pair[0].0.number() < pair[1].0.number(), "{} and {}", pair[0].0, pair[1].0);
        }
    }

    #[test]
    fn codes_show_their_severity() {
        assert_eq!(SYNTAX.to_string(), "E0101");
        assert_eq!(INCLUDE_IGNORED.to_string(), "W0150");
    }
}
