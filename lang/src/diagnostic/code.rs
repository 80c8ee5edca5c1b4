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
    Error 111 MISPLACED: "A config block or import stands after a clause, or a second config block.";
    Warning 150 INCLUDE_IGNORED: "An #include is not read: types come from the kernel's BTF.";
    Warning 151 DEFINE_IGNORED: "A #define whose value is not an expression is left out.";
    Error 201 UNKNOWN_NAME: "A name means nothing here.";
    Error 202 UNKNOWN_FIELD: "A message of this protocol has no such field.";
    Error 203 UNKNOWN_FUNCTION: "No function, macro or noise class has this name.";
    Error 204 WRONG_PLACE: "A name exists, but not in this family of clauses.";
    Error 205 UNKNOWN_VARIABLE: "A scratch variable is read before it is assigned, or after its block.";
    Error 206 REDEFINED: "A name is defined twice.";
    Error 207 UNDEFINED_MAP: "A map is read, and nothing is ever stored in it.";
    Error 208 UNKNOWN_TYPE: "A type, or the layout of a struct, is not known.";
    Error 209 UNKNOWN_MEMBER: "A struct has no such member.";
    Error 210 UNKNOWN_ARGUMENT: "A probe has no such argument.";
    Error 211 UNKNOWN_NOISE: "No noise class has this name.";
    Error 212 UNKNOWN_SETTING: "The config block has no such setting.";
    Error 213 OTHER_SIDE: "A field belongs to a message that is not there yet, or that a rule does not speak of.";
    Error 214 RECURSION: "A macro or noise class leads back to itself.";
    Error 215 UNHYGIENIC: "A macro uses a map that is not one of its parameters.";
    Error 216 UNSAFE: "A call that other programs notice wants --unsafe.";
    Error 217 MISSING_POSITIONAL: "A header names a positional parameter that was not given.";
    Warning 250 SHADOWS_STDLIB: "A definition replaces one that comes with reel.";
    Warning 251 SETTING_UNUSED: "A setting of bpftrace's has no effect here.";
    Error 301 MISMATCH: "A value has another type than its place wants.";
    Error 302 BAD_OPERANDS: "An operator does not work on these types.";
    Error 303 ARGUMENT_COUNT: "A call has too few or too many arguments.";
    Error 304 BAD_ARGUMENT: "An argument is not one that the call takes.";
    Error 305 MAP_CONFLICT: "Two uses of a map want different types.";
    Error 306 KEY_COUNT: "Two uses of a map have different numbers of keys.";
    Error 307 VARIABLE_CONFLICT: "A scratch variable would hold two types.";
    Error 308 NO_COERCION: "Text and numbers are never converted by themselves.";
    Error 309 BAD_FORMAT: "A format string has a directive that means nothing.";
    Error 310 FORMAT_COUNT: "A format string has more or fewer directives than arguments follow.";
    Error 311 FORMAT_TYPE: "A directive does not print a value of this type.";
    Error 312 BAD_PATTERN: "A regular expression or glob is wrong, or not a literal.";
    Error 313 BAD_CAST: "A value cannot be cast to this type.";
    Error 314 NOT_A_CONDITION: "A value is neither true nor false.";
    Error 315 BAD_ACCESS: "A value has no such part, element or member.";
    Error 316 NO_VALUE: "Something that gives no value stands where one is wanted.";
    Error 317 LONE_AGGREGATION: "An aggregation is not stored in a map.";
    Error 318 NOT_CONSTANT: "A value must be known when the program is checked.";
    Error 319 POSITIONAL_NOT_NUMBER: "A positional parameter is used as a number and is none.";
    Error 320 NATIVE_ONLY: "A kind of value exists in clauses on messages only.";
    Error 321 OUTSIDE_LOOP: "A break or continue stands outside a loop.";
    Error 323 BAD_KEY: "A value cannot be a map's key.";
    Error 324 BAD_WORD: "A word is not one of those that the place takes.";
    Error 325 BAD_SETTING: "A setting has a value that it cannot have.";
    Warning 350 BARE_DURATION: "A duration is compared with a number without a unit.";
    Error 401 NO_PROVIDER: "The first word of a header is neither a probe nor a protocol.";
    Error 402 BAD_PROBE: "A probe lacks a part, or has one too many.";
    Error 403 NO_SUCH_PROBE: "A probe matches nothing on this machine.";
    Error 404 UNSUPPORTED_PROBE: "This machine's kernel cannot attach the probe.";
    Error 405 UNKNOWN_PROTOCOL: "A rule names a protocol that does not exist.";
    Error 406 BAD_MESSAGE_HEADER: "The header of a message probe is badly written.";
    Error 407 MIXED_HEADERS: "One clause is on a kernel probe and on a message.";
    Error 408 BAD_RULE_HEADER: "The header of a rule says something that its stage does not know.";
    Warning 450 MISSING_PROBE: "A probe matches nothing on this machine, which the script allows.";
    Error 501 ACTION_OUTSIDE_RULE: "An action stands outside a rule.";
    Error 502 ACTION_STAGE: "An action stands in a rule of another stage.";
    Error 503 RULE_BODY: "A rule holds something other than actions.";
    Error 504 UNKNOWN_ACTION: "A rule has no such action.";
    Error 505 BAD_PATH: "A path of a rule leads nowhere.";
    Error 506 BAD_TOLERANCE: "A tolerance is not a literal number or percentage.";
    Error 507 REDACT_OPAQUE: "Nothing can be redacted in a stream that is not decoded.";
    Error 508 SAMPLE_DIRECTION: "Only incoming messages can be sampled.";
    Error 509 IMPURE: "A noise class uses what may differ for one value.";
    Error 510 TWO_ANSWERS: "A mock rule says twice how a call is answered.";
    Warning 550 SHADOWED_RULE: "A mock rule never answers, because an earlier one always does.";
    Warning 551 IGNORE_OVERRULED: "An ignore gives way to another requirement on its path.";
    Warning 552 NOT_COMPARED: "A match rule names a field that takes no part in comparing.";
    Warning 553 NEVER_HOLDS: "A rule holds for no message.";
    Error 601 NOT_YET_PROBE: "A probe is understood, and not run yet.";
    Error 602 NOT_YET_FUNCTION: "A function is understood, and not run yet.";
    Error 603 NOT_YET_VALUE: "A builtin value is understood, and not run yet.";
    Error 604 NOT_YET_IMPORT: "An import is understood, and not run yet.";
    Error 605 NOT_YET_C_DEFINITION: "A C definition is understood, and not used yet.";
    Error 606 NOT_YET_FN: "A function of the script's own is understood, and not run yet.";
    Error 607 NOT_YET_FOR_EACH: "A loop over a map is understood, and not run yet.";
    Error 608 NOT_YET_WRITE: "Writing through a pointer is understood, and not run yet.";
    Error 609 NOT_YET_RECORD: "A record is understood, and not run yet.";
    Error 610 NOT_YET_ADDRESS: "Taking an address is understood, and not run yet.";
    Error 611 NOT_YET_TYPE_OPERATOR: "An operator on types is understood, and not run yet.";
    Error 612 NOT_YET_MAP_KIND: "A kind of map is understood, and not run yet.";
    Error 613 NOT_YET_DECIMAL: "Arithmetic on decimals is understood, and not run yet.";
    Error 701 NOT_IN_KERNEL: "A kernel probe asks for what a kernel program cannot do.";
    Error 702 NOT_NATIVE: "A message probe or rule asks for what only a kernel program can do.";
    Error 703 SHARED_WRITE: "A map is counted up from both a kernel probe and a message probe.";
    Error 705 NOT_IN_THE_PAST: "A running kernel is asked for, over a recording or a packet file.";
    Error 706 NOT_OF_SOURCE: "A field is asked for that the source of the messages cannot know.";
    Error 707 NOT_SHARED: "A map that kernel probes and message probes share has keys or values that the kernel cannot hold.";
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
