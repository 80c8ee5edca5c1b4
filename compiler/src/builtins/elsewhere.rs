//! Why clauses on messages lack what kernel probes have, and what to write there instead.
//!
//! A message clause runs in reel, some time after the kernel has moved the message's last byte: the thread, the CPU and the function
//! of that moment are gone. A test holds that every name of kernel probes alone has a line here; the documentation's table is this one.

use reel_lang::env::Elsewhere;

/// The names of each reason.
pub const ELSEWHERE: &[(&[&str], Elsewhere)] = &[
    (
        &["arg0", "arg1", "arg2", "arg3", "arg4", "arg5", "arg6", "arg7", "arg8", "arg9", "args", "retval"],
        Elsewhere {
            why: "a message is no function that is called with arguments",
            remedy: "Use the message's fields, which `reel list -v PROTOCOL` shows.",
        },
    ),
    (
        &["cpu", "curtask", "gid", "numaid", "uid"],
        Elsewhere {
            why: "it belongs to the thread that runs when a probe fires, and a clause on messages runs later, in reel",
            remedy: "Use the message's `pid`, `tid`, `comm` and `cgroup`, or keep it in a map by `tid` in a kernel probe, which clauses on messages share.",
        },
    ),
    (
        &["jiffies"],
        Elsewhere {
            why: "only a running kernel counts its ticks",
            remedy: "Use `nsecs`, which follows the messages' time.",
        },
    ),
    (
        &["deny"],
        Elsewhere {
            why: "a message has been moved already when a clause sees it, so that there is nothing left to refuse",
            remedy: "Write a `cgroup:` probe, or a mock rule with `abort(...)`.",
        },
    ),
];

/// Why clauses on messages lack a name.
pub fn elsewhere(name: &str) -> Option<Elsewhere> {
    ELSEWHERE.iter().find(|(names, _)| names.contains(&name)).map(|(_, elsewhere)| *elsewhere)
}

#[cfg(test)]
mod tests {
    use reel_lang::schema::CONN_FIELDS;

    use super::*;
    use crate::builtins::{builtin, function, names};

    #[test]
    fn every_name_of_kernel_probes_alone_says_why_and_no_other_does() {
        for name in names() {
            let places = builtin(name).map(|value| value.places).or_else(|| function(name).map(|call| call.places));
            let is_field = CONN_FIELDS.iter().any(|(field, ..)| field == name);
            let is_kernels = places.is_some_and(|places| !places.native && !places.trusted) && !is_field;
            assert_eq!(elsewhere(name).is_some(), is_kernels, "{name}");
        }
        for name in ELSEWHERE.iter().flat_map(|(names, _)| *names) {
            assert!(names().contains(name), "{name} is no name");
        }
    }
}
