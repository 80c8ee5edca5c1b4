//! When an opaque request is whole: it is what the app sent before the server spoke, however it was cut into packets.
//!
//! The bytes so far are held against the recorded runs that may come next. What can only be one of them is answered at once;
//! what may still grow into a longer one waits for a moment of silence; what is the beginning of none is a miss at once.

/// How long bytes that are a whole recorded run, and the beginning of a longer one, wait for more.
pub(super) const QUIET_NS: u64 = 50_000_000;

/// What the bytes so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// The whole of one recorded run, and the beginning of no longer one.
    Whole,
    /// The whole of one, and the beginning of a longer one.
    Ambiguous,
    /// The beginning of one.
    Partial,
    /// Nothing that was recorded.
    Unknown,
}

/// Judges the bytes so far.
pub(super) fn judge<'a>(input: &[u8], runs: impl Iterator<Item = &'a [u8]>) -> Run {
    let (mut whole, mut longer) = (false, false);
    for run in runs {
        if run.len() == input.len() {
            whole |= run == input;
        } else {
            longer |= run.starts_with(input);
        }
    }
    match (whole, longer) {
        (true, false) => Run::Whole,
        (true, true) => Run::Ambiguous,
        (false, true) => Run::Partial,
        (false, false) => Run::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_told_by_what_can_still_come() {
        let runs: [&[u8]; 3] = [b"get", b"get more", b"put"];
        let judge = |input: &[u8]| judge(input, runs.iter().copied());
        assert_eq!(judge(b"put"), Run::Whole);
        assert_eq!(judge(b"get"), Run::Ambiguous);
        assert_eq!(judge(b"get m"), Run::Partial);
        assert_eq!(judge(b"p"), Run::Partial);
        assert_eq!(judge(b"putt"), Run::Unknown);
        assert_eq!(judge(b"x"), Run::Unknown);
    }
}
