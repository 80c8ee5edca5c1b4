//! Values that must all be different: what each of some variables can still be.
//!
//! Régin's filter for the constraint "all different" (AAAI 1994): a value stays in a domain where some assignment uses it. One
//! assignment is found by augmenting paths; another one differs from it along a cycle, or along a path from a value that is free.

use std::collections::VecDeque;

/// The domains, with values as small numbers, and one assignment.
struct Matching {
    domains: Vec<Vec<usize>>,
    /// Each variable's value.
    value: Vec<usize>,
    /// Each value's variable.
    taken: Vec<Option<usize>>,
}

/// Strikes out of the domains what no assignment uses; false where there is no assignment, and then nothing is changed.
pub fn filter(domains: &mut [Vec<usize>]) -> bool {
    // Where each has more values than there are variables, whatever is chosen for one leaves enough for the others.
    if domains.iter().all(|domain| domain.len() > domains.len()) {
        return true;
    }
    let mut values: Vec<usize> = domains.iter().flatten().copied().collect();
    values.sort_unstable();
    values.dedup();
    let number = |value: &usize| values.partition_point(|other| other < value);
    let dense = domains.iter().map(|domain| domain.iter().map(number).collect()).collect();
    let Some(matching) = Matching::find(dense, values.len()) else { return false };
    let (free, rings) = (matching.freeable(), matching.rings());
    for (variable, domain) in domains.iter_mut().enumerate() {
        domain.retain(|value| {
            let value = number(value);
            let owner = matching.taken[value];
            matching.value[variable] == value || free[value] || owner.is_some_and(|o| rings[o] == rings[variable])
        });
    }
    true
}

impl Matching {
    fn find(domains: Vec<Vec<usize>>, values: usize) -> Option<Matching> {
        let mut matching = Matching { value: vec![usize::MAX; domains.len()], taken: vec![None; values], domains };
        (0..matching.domains.len()).all(|variable| matching.place(variable)).then_some(matching)
    }

    /// Gives a variable a value, moving others where it must: a breadth-first search for a value that is free.
    fn place(&mut self, variable: usize) -> bool {
        let mut from: Vec<Option<usize>> = vec![None; self.taken.len()];
        let mut queue = VecDeque::from([variable]);
        while let Some(asks) = queue.pop_front() {
            for &value in &self.domains[asks] {
                if from[value].is_some() || self.value[asks] == value {
                    continue;
                }
                from[value] = Some(asks);
                match self.taken[value] {
                    Some(owner) => queue.push_back(owner),
                    None => {
                        self.shift(value, variable, &from);
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Moves each variable of a path to the value that it was led to.
    fn shift(&mut self, mut value: usize, start: usize, from: &[Option<usize>]) {
        while let Some(variable) = from[value] {
            let before = std::mem::replace(&mut self.value[variable], value);
            self.taken[value] = Some(variable);
            if variable == start {
                return;
            }
            value = before;
        }
    }

    /// The values that nobody needs, since their owners can move on.
    fn freeable(&self) -> Vec<bool> {
        let mut free: Vec<bool> = self.taken.iter().map(Option::is_none).collect();
        let mut wanted_by = vec![Vec::new(); self.taken.len()];
        for (variable, domain) in self.domains.iter().enumerate() {
            domain.iter().for_each(|&value| wanted_by[value].push(variable));
        }
        let mut queue: Vec<usize> = (0..free.len()).filter(|&value| free[value]).collect();
        while let Some(value) = queue.pop() {
            for &variable in &wanted_by[value] {
                if !std::mem::replace(&mut free[self.value[variable]], true) {
                    queue.push(self.value[variable]);
                }
            }
        }
        free
    }

    /// The strongly connected components of the variables, each of which can move to the values of those that its domain names
    /// (Kosaraju's algorithm): within one, values can be passed around.
    fn rings(&self) -> Vec<usize> {
        let count = self.domains.len();
        let mut back = vec![Vec::new(); count];
        for (variable, domain) in self.domains.iter().enumerate() {
            domain.iter().filter_map(|&value| self.taken[value]).for_each(|owner| back[owner].push(variable));
        }
        let mut ring = vec![usize::MAX; count];
        for root in self.finished().into_iter().rev() {
            let mut stack = vec![root];
            while let Some(variable) = stack.pop() {
                if ring[variable] == usize::MAX {
                    ring[variable] = root;
                    stack.extend(back[variable].iter().filter(|&&next| ring[next] == usize::MAX));
                }
            }
        }
        ring
    }

    /// The variables in the order in which a depth-first search leaves them.
    fn finished(&self) -> Vec<usize> {
        let count = self.domains.len();
        let (mut order, mut is_seen) = (Vec::with_capacity(count), vec![false; count]);
        for root in 0..count {
            if std::mem::replace(&mut is_seen[root], true) {
                continue;
            }
            let mut stack = vec![(root, 0)];
            while let Some((variable, at)) = stack.pop() {
                let Some(&value) = self.domains[variable].get(at) else {
                    order.push(variable);
                    continue;
                };
                stack.push((variable, at + 1));
                if let Some(owner) = self.taken[value].filter(|&owner| !is_seen[owner]) {
                    is_seen[owner] = true;
                    stack.push((owner, 0));
                }
            }
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<Vec<usize>> {
        text.split(' ').map(|domain| domain.bytes().map(|letter| usize::from(letter - b'a')).collect()).collect()
    }

    fn check(domains: &str, expect: &str) {
        let mut found = parse(domains);
        let is_possible = filter(&mut found);
        let letters = |domain: &Vec<usize>| domain.iter().map(|&n| char::from(b'a' + n as u8)).collect::<String>();
        let shown = found.iter().map(letters).collect::<Vec<_>>().join(" ");
        assert_eq!(if is_possible { shown } else { "impossible".to_owned() }, expect, "{domains}");
    }

    #[test]
    fn what_no_assignment_uses_is_struck_out() {
        check("a ab abc", "a b c");
        check("ab ab abcd", "ab ab cd");
        check("ab bc ca abcd", "ab bc ca d");
        check("ab bc cd", "ab bc cd");
        check("abc abc abc cde", "abc abc abc de");
    }

    #[test]
    fn too_few_values_are_impossible() {
        check("a a", "impossible");
        check("ab ab ab", "impossible");
    }

    /// Every assignment, tried one by one.
    fn by_trial(domains: &[Vec<usize>]) -> Vec<Vec<usize>> {
        fn walk(domains: &[Vec<usize>], chosen: &mut Vec<usize>, found: &mut [Vec<usize>]) {
            if chosen.len() == domains.len() {
                chosen.iter().zip(found).for_each(|(&value, used)| used.push(value));
                return;
            }
            for &value in &domains[chosen.len()] {
                if !chosen.contains(&value) {
                    chosen.push(value);
                    walk(domains, chosen, found);
                    chosen.pop();
                }
            }
        }
        let mut found = vec![Vec::new(); domains.len()];
        walk(domains, &mut Vec::new(), &mut found);
        found.iter_mut().for_each(|used| {
            used.sort_unstable();
            used.dedup();
        });
        found
    }

    #[test]
    fn it_agrees_with_trying_every_assignment() {
        let mut seed = 88_172_645_463_325_252u64;
        let mut below = |end: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % end
        };
        for _ in 0..3_000 {
            let (variables, values) = (1 + below(5), 1 + below(6) as usize);
            let mut domains: Vec<Vec<usize>> = Vec::new();
            for _ in 0..variables {
                let bits = 1 + below((1 << values) - 1);
                domains.push((0..values).filter(|value| bits >> value & 1 == 1).collect());
            }
            let (expect, mut found) = (by_trial(&domains), domains.clone());
            if filter(&mut found) {
                assert_eq!(found, expect, "{domains:?}");
            } else {
                assert!(expect[0].is_empty(), "{domains:?}");
            }
        }
    }
}
