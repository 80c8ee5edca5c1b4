//! Which item of one list is which of another.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// An item of either list, or of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair<T> {
    Both(T, T),
    First(T),
    Second(T),
}

impl<T> Pair<T> {
    /// Makes something else of each.
    pub fn map<U>(self, mut make: impl FnMut(T) -> U) -> Pair<U> {
        match self {
            Pair::Both(a, b) => Pair::Both(make(a), make(b)),
            Pair::First(a) => Pair::First(make(a)),
            Pair::Second(b) => Pair::Second(make(b)),
        }
    }
}

/// From here on two items whose keys differ are taken for one that changed, of 1000.
const ALIKE: u32 = 500;
/// How many items without a partner are tried against each other: their number squared is looked at.
const MAX_TRIED: usize = 200;

/// Pairs items with one key, in their order; then, of those that are left, each with the one that is most like it. The order is the
/// first list's, then that of the second's items without a partner.
pub fn pair<T: Copy, K: Hash + Eq, E>(
    first: &[T],
    second: &[T],
    key: impl Fn(T) -> K,
    mut alike: impl FnMut(T, T) -> Result<u32, E>,
) -> Result<Vec<Pair<T>>, E> {
    let mut by_key: HashMap<K, VecDeque<usize>> = HashMap::new();
    for (index, item) in second.iter().enumerate() {
        by_key.entry(key(*item)).or_default().push_back(index);
    }
    let mut partners: Vec<Option<usize>> =
        first.iter().map(|item| by_key.get_mut(&key(*item)).and_then(VecDeque::pop_front)).collect();
    let mut left: Vec<usize> = by_key.into_values().flatten().collect();
    left.sort_unstable();
    let alone = partners.iter().filter(|partner| partner.is_none()).count();
    if alone <= MAX_TRIED && left.len() <= MAX_TRIED {
        for (item, partner) in first.iter().zip(&mut partners).filter(|(_, partner)| partner.is_none()) {
            let mut best = None;
            for (at, index) in left.iter().enumerate() {
                let score = alike(*item, second[*index])?;
                if score >= ALIKE && best.is_none_or(|(most, _)| score > most) {
                    best = Some((score, at));
                }
            }
            *partner = best.map(|(_, at)| left.remove(at));
        }
    }
    let paired = first.iter().zip(partners).map(|(item, partner)| match partner {
        Some(index) => Pair::Both(*item, second[index]),
        None => Pair::First(*item),
    });
    Ok(paired.chain(left.iter().map(|index| Pair::Second(second[*index]))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(first: &[&'static str], second: &[&'static str], expect: &str) {
        let alike =
            |a: &str, b: &str| Ok::<u32, std::convert::Infallible>(if a.get(..1) == b.get(..1) { 900 } else { 0 });
        let Ok(pairs) = pair(first, second, |item| item, alike);
        let show = |pair: &Pair<&str>| match pair {
            Pair::Both(a, b) => format!("{a}={b}"),
            Pair::First(a) => format!("-{a}"),
            Pair::Second(b) => format!("+{b}"),
        };
        assert_eq!(pairs.iter().map(show).collect::<Vec<_>>().join(" "), expect);
    }

    #[test]
    fn equal_keys_go_together_whatever_their_order() {
        check(&["a", "b", "a"], &["a", "a", "b"], "a=a b=b a=a");
        check(&["a", "a"], &["a"], "a=a -a");
    }

    #[test]
    fn what_is_left_goes_with_what_is_like_it() {
        check(&["a1", "b1"], &["b2", "c"], "-a1 b1=b2 +c");
        check(&["a1", "a2"], &["a2", "a3"], "a1=a3 a2=a2");
        check(&[], &["x"], "+x");
    }
}
