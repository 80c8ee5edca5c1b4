//! Aggregations: how their values lie in a map, and what is made of them.
//!
//! A value is a row of little-endian 64-bit words, the same in a kernel shard (one per CPU), in a native shard and in the
//! evaluator, so that one fold and one merge serve all of them. All zero bytes are the empty value.
//!
//! | aggregation | words |
//! |---|---|
//! | count | how often |
//! | sum | the sum, wrapping |
//! | min, max | the extreme; 1 if there is one, else 0 |
//! | avg, stats | the total, wrapping; how often |
//! | hist | a count for each bucket: below 0; 0 to 2^bits - 1 one by one; then each power of two in 2^bits parts |
//! | lhist | a count for each bucket: below min; each step; max and above |

use reel_lang::ty::Agg;

/// The finest cut of a power of two that a histogram takes.
pub const MAX_HIST_BITS: u8 = 5;
/// The most steps of a linear histogram.
pub const MAX_LHIST_STEPS: u32 = 1000;

/// Returns how many buckets a histogram has, those at both ends among them; 0 for the others.
pub fn buckets(agg: Agg) -> u32 {
    match agg {
        Agg::Hist { bits } => {
            let bits = u32::from(bits.min(MAX_HIST_BITS));
            ((64 - bits) << bits) + 1
        }
        Agg::Lhist { min, max, step } => {
            let width = max.abs_diff(min).min(i64::MAX as u64);
            let steps = width.div_ceil(step.max(1) as u64);
            2 + u32::try_from(steps).unwrap_or(u32::MAX).min(MAX_LHIST_STEPS)
        }
        _ => 0,
    }
}

fn word_count(agg: Agg) -> usize {
    match agg {
        Agg::Count | Agg::Sum { .. } => 1,
        Agg::Min { .. } | Agg::Max { .. } | Agg::Avg { .. } | Agg::Stats { .. } => 2,
        Agg::Hist { .. } | Agg::Lhist { .. } => buckets(agg) as usize,
    }
}

/// Returns the length of a value in a map.
pub fn len_bytes(agg: Agg) -> u32 {
    8 * word_count(agg) as u32
}

/// Returns the bucket that a number falls into.
pub fn bucket(agg: Agg, number: i64) -> u32 {
    match agg {
        Agg::Hist { .. } if number < 0 => 0,
        Agg::Hist { bits } => {
            let bits = u32::from(bits.min(MAX_HIST_BITS));
            let exact = (1i64 << bits) - 1;
            if number <= exact {
                return number as u32 + 1;
            }
            let shift = 63 - number.leading_zeros() - bits;
            ((shift + 1) << bits) + ((number >> shift) & exact) as u32 + 1
        }
        Agg::Lhist { min, max, step } => {
            let last = buckets(agg) - 1;
            if number < min {
                return 0;
            }
            if number >= max {
                return last;
            }
            let steps = number.wrapping_sub(min) as u64 / step.max(1) as u64;
            (steps + 1).min(u64::from(last)) as u32
        }
        _ => 0,
    }
}

/// The numbers that a bucket holds; half open, and an end that is missing is endless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketRange {
    pub from: Option<i64>,
    pub to: Option<i64>,
}

/// Returns the numbers that a bucket of a histogram holds.
pub fn bucket_range(agg: Agg, index: u32) -> BucketRange {
    let last = buckets(agg).saturating_sub(1);
    let range = |from, to| BucketRange { from, to };
    match agg {
        Agg::Hist { .. } if index == 0 => range(None, Some(0)),
        Agg::Hist { bits } => {
            let start = |index| hist_start(bits, index);
            let to = (index < last).then(|| start(index + 1)).flatten();
            range(start(index), to)
        }
        Agg::Lhist { min, .. } if index == 0 => range(None, Some(min)),
        Agg::Lhist { max, .. } if index >= last => range(Some(max), None),
        Agg::Lhist { min, max, step } => {
            let from = min.saturating_add(step.saturating_mul(i64::from(index) - 1));
            range(Some(from), Some(from.saturating_add(step).min(max)))
        }
        _ => range(None, None),
    }
}

/// The first number of a bucket that is not the lowest.
fn hist_start(bits: u8, index: u32) -> Option<i64> {
    let bits = u32::from(bits.min(MAX_HIST_BITS));
    let index = index - 1;
    let part = i64::from(index & ((1 << bits) - 1));
    let power = index >> bits;
    if power == 0 {
        return Some(part);
    }
    ((1i64 << bits) + part).checked_mul(1i64.checked_shl(power - 1)?)
}

/// Returns a bucket's label as bpftrace prints it: `[0]`, `[4, 8)`, `[1K, 2K)`, `(..., 0)`, `[100, ...)`.
pub fn bucket_label(agg: Agg, index: u32) -> String {
    let range = bucket_range(agg, index);
    let number = |number: i64| match agg {
        Agg::Lhist { step, .. } => in_steps(number, step),
        _ => in_powers(number),
    };
    match (range.from, range.to) {
        (None, Some(to)) => format!("(..., {})", number(to)),
        (Some(from), None) if matches!(agg, Agg::Lhist { .. }) => format!("[{}, ...)", number(from)),
        (Some(from), Some(to)) if matches!(agg, Agg::Hist { .. }) && to - from == 1 => {
            format!("[{}]", number(from))
        }
        (Some(from), Some(to)) => format!("[{}, {})", number(from), number(to)),
        // The highest bucket of all ends where 64 bits do.
        (Some(from), None) => format!("[{}, 8E)", number(from)),
        (None, None) => String::new(),
    }
}

/// Writes whole multiples of 2^10, 2^20, ... with the letter of the largest.
fn in_powers(number: i64) -> String {
    let mut number = number;
    let mut letters = "KMGTPE".chars();
    let mut suffix = None;
    while number != 0 && number % 1024 == 0 {
        number /= 1024;
        suffix = letters.next();
    }
    match suffix {
        Some(letter) => format!("{number}{letter}"),
        None => number.to_string(),
    }
}

/// Writes a linear bucket's bound, in the unit of which the step is a multiple.
fn in_steps(number: i64, step: i64) -> String {
    match step {
        _ if step % (1 << 20) == 0 && number % (1 << 20) == 0 => format!("{}M", number >> 20),
        _ if step % (1 << 10) == 0 && number % (1 << 10) == 0 => format!("{}K", number >> 10),
        _ => number.to_string(),
    }
}

/// The state of one aggregation: a shard, or several merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggState {
    agg: Agg,
    words: Vec<u64>,
}

/// What an aggregation amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AggValue {
    /// Of count, and of an unsigned sum, minimum, maximum or average.
    Unsigned(u64),
    /// Of a signed sum, minimum, maximum or average.
    Signed(i64),
    Stats {
        count: u64,
        average: i64,
        total: i64,
        /// Whether average and total are signed, else they are the bits of a `u64`.
        signed: bool,
    },
    /// A count for each bucket.
    Buckets(Vec<u64>),
}

impl AggState {
    /// Makes the empty state.
    pub fn new(agg: Agg) -> AggState {
        AggState { agg, words: vec![0; word_count(agg)] }
    }

    /// Reads a value of a map; bytes that are missing count as zero, and more are not looked at.
    pub fn from_bytes(agg: Agg, bytes: &[u8]) -> AggState {
        let mut state = AggState::new(agg);
        for (word, chunk) in state.words.iter_mut().zip(bytes.chunks(8)) {
            let mut whole = [0u8; 8];
            whole[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(whole);
        }
        state
    }

    /// Writes a value of a map.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|w| w.to_le_bytes()).collect()
    }

    /// Folds a number in; count does not look at it.
    pub fn add(&mut self, number: i64) {
        match (self.agg, self.words.as_mut_slice()) {
            (Agg::Count, [count]) => *count = count.wrapping_add(1),
            (Agg::Sum { .. }, [sum]) => *sum = sum.wrapping_add(number as u64),
            (Agg::Avg { .. } | Agg::Stats { .. }, [total, count]) => {
                *total = total.wrapping_add(number as u64);
                *count = count.wrapping_add(1);
            }
            (agg @ (Agg::Min { .. } | Agg::Max { .. }), [extreme, set]) => {
                fold_extreme(agg, extreme, set, number as u64);
            }
            (agg @ (Agg::Hist { .. } | Agg::Lhist { .. }), words) => {
                if let Some(count) = words.get_mut(bucket(agg, number) as usize) {
                    *count = count.wrapping_add(1);
                }
            }
            _ => {}
        }
    }

    /// Folds another shard in.
    pub fn merge(&mut self, other: &AggState) {
        match (self.agg, self.words.as_mut_slice(), other.words.as_slice()) {
            (agg @ (Agg::Min { .. } | Agg::Max { .. }), [extreme, set], &[number, has]) if has != 0 => {
                fold_extreme(agg, extreme, set, number);
            }
            (Agg::Min { .. } | Agg::Max { .. }, ..) => {}
            (_, words, others) => {
                for (word, other) in words.iter_mut().zip(others) {
                    *word = word.wrapping_add(*other);
                }
            }
        }
    }

    /// Tells whether nothing was folded in; a sum that came to 0 counts as nothing.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// Returns what the state amounts to. An empty minimum, maximum or average is 0.
    pub fn value(&self) -> AggValue {
        let number = |bits: u64, signed| match signed {
            true => AggValue::Signed(bits as i64),
            false => AggValue::Unsigned(bits),
        };
        match (self.agg, self.words.as_slice()) {
            (Agg::Count, [count]) => AggValue::Unsigned(*count),
            (Agg::Sum { signed }, [sum]) => number(*sum, signed),
            (Agg::Min { signed } | Agg::Max { signed }, [extreme, _]) => number(*extreme, signed),
            (Agg::Avg { signed }, [total, count]) => number(average(*total, *count, signed), signed),
            (Agg::Stats { signed }, [total, count]) => AggValue::Stats {
                count: *count,
                average: average(*total, *count, signed) as i64,
                total: *total as i64,
                signed,
            },
            (_, words) => AggValue::Buckets(words.to_vec()),
        }
    }
}

fn average(total: u64, count: u64, signed: bool) -> u64 {
    if count == 0 {
        return 0;
    }
    match signed {
        // A count is far below 2^63.
        true => (total as i64).wrapping_div(count as i64) as u64,
        false => total / count,
    }
}

fn fold_extreme(agg: Agg, extreme: &mut u64, set: &mut u64, number: u64) {
    let wins = match agg {
        Agg::Min { signed: true } => (number as i64) < *extreme as i64,
        Agg::Min { signed: false } => number < *extreme,
        Agg::Max { signed: true } => number as i64 > *extreme as i64,
        _ => number > *extreme,
    };
    if *set == 0 || wins {
        *extreme = number;
        *set = 1;
    }
}

/// Merges the shards of all CPUs, each as the kernel gave it.
pub fn merge<'a>(agg: Agg, shards: impl IntoIterator<Item = &'a [u8]>) -> AggValue {
    let mut all = AggState::new(agg);
    for shard in shards {
        all.merge(&AggState::from_bytes(agg, shard));
    }
    all.value()
}

/// Returns the rows of a histogram that are worth printing: from the first bucket that counted to the last, with labels.
pub fn rows(agg: Agg, counts: &[u64]) -> Vec<(String, u64)> {
    let first = counts.iter().position(|&count| count != 0);
    let last = counts.iter().rposition(|&count| count != 0);
    let (Some(first), Some(last)) = (first, last) else {
        return Vec::new();
    };
    (first..=last).map(|index| (bucket_label(agg, index as u32), counts[index])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINEAR: Agg = Agg::Lhist { min: 10, max: 30, step: 5 };

    #[test]
    fn every_number_lies_in_the_range_of_its_bucket() {
        let numbers = (0..63).flat_map(|power| [-1, 0, 1].map(|d| (1i64 << power) + d)).chain([
            0,
            -1,
            i64::MIN,
            i64::MAX,
            12,
            29,
            30,
            31,
        ]);
        let lengths = (0..=MAX_HIST_BITS).map(|bits| Agg::Hist { bits });
        for agg in lengths.chain([LINEAR]) {
            for number in numbers.clone() {
                let index = bucket(agg, number);
                assert!(index < buckets(agg), "{agg:?} {number}");
                let range = bucket_range(agg, index);
                let fits = range.from.is_none_or(|from| from <= number) && range.to.is_none_or(|to| number < to);
                assert!(fits, "{agg:?} {number} in {range:?}");
            }
        }
    }

    #[test]
    fn labels_are_those_of_bpftrace() {
        let label = |agg, number| bucket_label(agg, bucket(agg, number));
        let hist = Agg::Hist { bits: 0 };
        assert_eq!(label(hist, -5), "(..., 0)");
        assert_eq!(label(hist, 0), "[0]");
        assert_eq!(label(hist, 1), "[1]");
        assert_eq!(label(hist, 3), "[2, 4)");
        assert_eq!(label(hist, 600), "[512, 1K)");
        assert_eq!(label(hist, 1 << 20), "[1M, 2M)");
        assert_eq!(label(LINEAR, 0), "(..., 10)");
        assert_eq!(label(LINEAR, 17), "[15, 20)");
        assert_eq!(label(LINEAR, 99), "[30, ...)");
    }

    #[test]
    fn shards_merge() {
        let shard = |agg, numbers: &[i64]| {
            let mut state = AggState::new(agg);
            numbers.iter().for_each(|&n| state.add(n));
            state.to_bytes()
        };
        let merged = |agg| {
            let shards = [shard(agg, &[3, -7]), shard(agg, &[]), shard(agg, &[12])];
            merge(agg, shards.iter().map(Vec::as_slice))
        };
        assert_eq!(merged(Agg::Count), AggValue::Unsigned(3));
        assert_eq!(merged(Agg::Sum { signed: true }), AggValue::Signed(8));
        assert_eq!(merged(Agg::Min { signed: true }), AggValue::Signed(-7));
        assert_eq!(merged(Agg::Max { signed: true }), AggValue::Signed(12));
        assert_eq!(merged(Agg::Avg { signed: true }), AggValue::Signed(2));
        assert_eq!(
            merged(Agg::Stats { signed: true }),
            AggValue::Stats { count: 3, average: 2, total: 8, signed: true }
        );
        let AggValue::Buckets(counts) = merged(LINEAR) else { unreachable!() };
        assert_eq!(rows(LINEAR, &counts), [("(..., 10)".to_owned(), 2), ("[10, 15)".to_owned(), 1)]);
    }
}
