//! A regular expression as a table of states (a dense DFA): one look-up for each byte, and nothing to set up for a match.
//!
//! A message's fields are short, and there the setting up of a general engine is most of what a match costs.

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

/// The largest table; a pattern that would need more has none.
const MAX_TABLE_LEN_BYTES: usize = 64 << 10;
/// The most memory for making one.
const MAX_WORK_LEN_BYTES: usize = 256 << 10;
/// Of the text that every match begins with, so much is compared at once.
const MAX_PREFIX_LEN_BYTES: usize = 64;

/// The states of a pattern.
pub(super) struct Table {
    /// What every match begins with, and the state after that.
    prefix: Vec<u8>,
    after_prefix: StateID,
    dfa: dense::DFA<Vec<u32>>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} bytes)", self.dfa.memory_usage())
    }
}

impl Table {
    /// Makes the table of a pattern; none where it is too large, or needs what no table has (a word's bounds in Unicode).
    pub(super) fn of(regex: &str) -> Option<Table> {
        let config = dense::Config::new()
            .start_kind(StartKind::Unanchored)
            .accelerate(false)
            .dfa_size_limit(Some(MAX_TABLE_LEN_BYTES))
            .determinize_size_limit(Some(MAX_WORK_LEN_BYTES));
        let nfa = thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_WORK_LEN_BYTES));
        let built = dense::Builder::new()
            .configure(config)
            .syntax(syntax::Config::new().utf8(false))
            .thompson(nfa)
            .build(regex);
        let dfa = built.ok()?;
        let start = dfa.start_state_forward(&Input::new("").anchored(Anchored::No)).ok()?;
        let (mut prefix, mut state) = (Vec::new(), start);
        while prefix.len() < MAX_PREFIX_LEN_BYTES {
            let Some((byte, next)) = only_way(&dfa, state) else { break };
            prefix.push(byte);
            state = next;
        }
        Some(Table { prefix, after_prefix: state, dfa })
    }

    /// Whether a text matches.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let Some(rest) = text.strip_prefix(self.prefix.as_slice()) else { return false };
        let mut state = self.after_prefix;
        for byte in rest {
            state = self.dfa.next_state(state, *byte);
            // A match is told one byte late; nothing leads out of a dead state.
            if self.dfa.is_special_state(state) {
                if self.dfa.is_match_state(state) {
                    return true;
                }
                if self.dfa.is_dead_state(state) {
                    return false;
                }
            }
        }
        self.dfa.is_match_state(self.dfa.next_eoi_state(state))
    }
}

/// The one byte with which a text can go on to match, and the state then; none where there are several, or the text may end here.
fn only_way(dfa: &dense::DFA<Vec<u32>>, state: StateID) -> Option<(u8, StateID)> {
    let leads_on = |byte: &u8| !dfa.is_dead_state(dfa.next_state(state, *byte));
    let mut ways = (0..=u8::MAX).filter(leads_on);
    let byte = ways.next()?;
    let next = dfa.next_state(state, byte);
    let ends = dfa.is_match_state(next) || dfa.is_match_state(dfa.next_eoi_state(state));
    (ways.next().is_none() && !ends).then_some((byte, next))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_every_match_begins_with_is_compared_at_once() {
        for (regex, prefix) in [
            ("^/orders/[0-9]+/", "/orders/"),
            ("^(ab)?$", ""),
            ("^abc$", "abc"),
            ("orders", ""),
            (r"\Aab(c|d)", "ab"),
            ("^aa*b", "a"),
        ] {
            let table = Table::of(regex).unwrap();
            assert_eq!(String::from_utf8_lossy(&table.prefix), prefix, "{regex}");
        }
    }

    /// Every text of up to five of these bytes, for patterns of every kind, beside the engine.
    #[test]
    fn a_table_and_the_engine_agree() {
        const BYTES: &[u8] = b"ab/\n\xff";
        let mut texts: Vec<Vec<u8>> = vec![Vec::new()];
        let mut from = 0;
        for _ in 0..5 {
            let longer: Vec<Vec<u8>> = texts[from..]
                .iter()
                .flat_map(|text| BYTES.iter().map(move |byte| [text.as_slice(), &[*byte]].concat()))
                .collect();
            from = texts.len();
            texts.extend(longer);
        }
        for pattern in [
            "",
            "a",
            "^a",
            "a$",
            "^a$",
            "^(a|ab)$",
            "^a*b",
            "(?m)^a$",
            "(?s)a.b",
            "a.b",
            "(?-u:a.b)",
            "a(?-u:\\b)",
            "^$",
            "b*",
            "^(ab)*$",
            "^[^/]*/a",
            "(a|b){2}",
            "^a?b?$",
            "a\\z",
            "(?i)A/B",
            "^a|b$",
            "[^a]",
        ] {
            let (table, engine) = (Table::of(pattern).unwrap(), regex::bytes::Regex::new(pattern).unwrap());
            for text in &texts {
                assert_eq!(table.matches(text), engine.is_match(text), "{pattern} on {}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn what_no_table_has_is_left_to_the_engine() {
        assert!(Table::of(r"\bword\b").is_none());
        assert!(Table::of(r"[01]*1[01]{20}").is_none());
        assert!(Table::of(r"(?-u:\b)word").is_some());
    }
}
