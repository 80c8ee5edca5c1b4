//! Wildcards in the names of attach points: `*` stands for any characters, also none.

/// Whether a name is a pattern.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains('*')
}

/// Whether a pattern matches a whole name. Takes time in the product of the lengths at worst.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    // The leftmost place for each piece leaves the most room for the ones after it.
    for piece in pieces {
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, expect) in [
            ("sys_enter_*", "sys_enter_read", true),
            ("sys_enter_*", "sys_exit_read", false),
            ("*", "", true),
            ("*_read*", "sys_enter_readv", true),
            ("*read", "sys_enter_readv", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "ac", false),
            ("ab*ba", "aba", false),
            ("a*a*a", "aa", false),
            ("read", "read", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), expect, "{pattern} {name}");
        }
    }
}
