//! Does a sample show the shares that a route promises?
//!
//! Shares of 0 and 100 percent are exact: one wrong answer fails. Anything between is decided by an
//! exact two-sided binomial test per version, so that a correct split fails about once in a million
//! checks and nobody needs a second try.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::sample::Sample;

/// The chance at which a correct split is called wrong, per version checked.
pub const ALPHA: f64 = 1e-6;

/// Shares per version in percent, 100 together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected(BTreeMap<String, u8>);

/// Shares that do not make 100 percent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected shares make {0} percent, not 100")]
pub struct NotWhole(u32);

impl Expected {
    /// The shares, each in percent.
    ///
    /// # Errors
    /// [`NotWhole`] when they do not make 100.
    pub fn new<V: Into<String>>(
        shares: impl IntoIterator<Item = (V, u8)>,
    ) -> Result<Self, NotWhole> {
        let shares: BTreeMap<_, _> =
            shares.into_iter().map(|(version, share)| (version.into(), share)).collect();
        match shares.values().map(|share| u32::from(*share)).sum() {
            100 => Ok(Self(shares)),
            sum => Err(NotWhole(sum)),
        }
    }

    /// Every answer from one version.
    pub fn only(version: impl Into<String>) -> Self {
        Self(BTreeMap::from([(version.into(), 100)]))
    }

    /// The shares in percent, in the order of the versions.
    pub fn shares(&self) -> &BTreeMap<String, u8> {
        &self.0
    }

    /// The versions that answer at all.
    pub fn versions(&self) -> BTreeSet<String> {
        self.0.iter().filter(|(_, share)| **share > 0).map(|(version, _)| version.clone()).collect()
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the sample fits and no request failed.
    pub passed: bool,
    /// Per version what was expected and what came, and whatever is wrong.
    pub message: String,
}

/// Checks a sample against the expected shares.
pub fn check(expected: &Expected, sample: &Sample) -> Verdict {
    let mut passed = true;
    let mut parts = Vec::new();
    let mut note = |fits: bool, part: String| {
        passed &= fits;
        parts.push(if fits { part } else { format!("WRONG {part}") });
    };
    let answers: u64 = sample.by_version.values().sum();
    if answers == 0 {
        note(false, "no request was answered".to_owned());
    }
    for (version, share) in expected.shares() {
        let observed = sample.by_version.get(version).copied().unwrap_or_default();
        let percent = 100.0 * observed as f64 / (answers.max(1)) as f64;
        let text = format!(
            "{version}: expected {share} %, observed {observed} of {answers} ({percent:.1} %)"
        );
        match share {
            0 => note(observed == 0, text),
            100 => note(observed == answers, text),
            _ => {
                let p = two_sided(answers, observed, f64::from(*share) / 100.0);
                let p_value = if p < 0.001 { format!("{p:.1e}") } else { format!("{p:.3}") };
                let accepted = accepted(answers, f64::from(*share) / 100.0);
                let (least, most) = (accepted.start(), accepted.end());
                note(p >= ALPHA, format!("{text}, accepted {least} to {most}, p = {p_value}"));
            }
        }
    }
    for (version, count) in &sample.by_version {
        if !expected.shares().contains_key(version) {
            note(false, format!("{version}: expected none, observed {count} of {answers}"));
        }
    }
    if let Some(first) = sample.failed.first() {
        let (failed, requests) = (sample.failed.len(), sample.requests);
        note(false, format!("{failed} of {requests} requests failed, the first: {first}"));
    }
    Verdict { passed, message: parts.join("; ") }
}

/// The exact two-sided p-value of `k` successes in `n` trials at probability `p`: the chance of all
/// outcomes that are no likelier than `k` (the method of R's `binom.test`).
fn two_sided(n: u64, k: u64, p: f64) -> f64 {
    let chances = log_chances(n, p);
    let Some(limit) = usize::try_from(k).ok().and_then(|k| chances.get(k)) else { return 0.0 };
    // Outcomes as likely as `k` on the other side must not be lost to rounding.
    let limit = limit + 1e-7;
    chances
        .iter()
        .filter(|chance| **chance <= limit)
        .map(|chance| chance.exp())
        .sum::<f64>()
        .min(1.0)
}

/// The numbers of successes in `n` trials at probability `p` that are not called wrong.
fn accepted(n: u64, p: f64) -> RangeInclusive<u64> {
    let likeliest = (n as f64 * p) as u64;
    let is_wrong = |k: &u64| two_sided(n, *k, p) < ALPHA;
    let below: Vec<u64> = (0..=likeliest).collect();
    let above: Vec<u64> = (likeliest..=n).collect();
    let least = below.partition_point(is_wrong) as u64;
    let beyond = likeliest + above.partition_point(|k| !is_wrong(k)) as u64;
    least..=beyond.saturating_sub(1)
}

/// The logarithm of the chance of 0, 1, ... `n` successes.
fn log_chances(n: u64, p: f64) -> Vec<f64> {
    let mut factorials = vec![0.0];
    let mut sum = 0.0;
    for number in 1..=n {
        sum += (number as f64).ln();
        factorials.push(sum);
    }
    let (success, failure) = (p.ln(), (-p).ln_1p());
    factorials
        .iter()
        .zip(factorials.iter().rev())
        .enumerate()
        .map(|(k, (k_factorial, rest_factorial))| {
            let rest = n as f64 - k as f64;
            sum - k_factorial - rest_factorial + k as f64 * success + rest * failure
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::sample::Failure;

    fn sample(by_version: &[(&str, u64)]) -> Sample {
        let by_version: BTreeMap<_, _> =
            by_version.iter().map(|(version, count)| ((*version).to_owned(), *count)).collect();
        Sample { requests: by_version.values().sum(), failed: Vec::new(), by_version }
    }

    fn shares(shares: &[(&str, u8)]) -> Expected {
        Expected::new(shares.iter().copied()).unwrap()
    }

    /// Values from exact rational arithmetic.
    #[test]
    fn p_values_are_those_of_exact_arithmetic() {
        for (n, k, p, expected) in [
            (10, 9, 0.5, 0.021_484_375),
            (10, 0, 0.5, 0.001_953_125),
            (20, 7, 0.5, 0.263_175_964_355_468_75),
            (925, 682, 0.75, 0.3824915595748517),
            (2000, 1000, 0.5, 1.0),
            // Rounding makes one of these two equally likely outcomes look likelier.
            (11, 9, 0.5, 0.0654296875),
            (2000, 1109, 0.5, 1.1927087961181102e-06),
            (2000, 60, 0.05, 1.5264268928038673e-05),
        ] {
            let actual = two_sided(n, k, p);
            assert!((actual / expected - 1.0).abs() < 1e-9, "{n} {k} {p}: {actual} {expected}");
        }
    }

    /// Bounds from exact rational arithmetic.
    #[test]
    fn what_is_accepted_is_a_range_around_the_share() {
        for (n, p, least, most) in [
            (20, 0.5, 0, 20),
            (200, 0.5, 66, 134),
            (200, 0.1, 3, 43),
            (2000, 0.5, 891, 1109),
            (2000, 0.1, 138, 268),
            (2000, 0.01, 3, 45),
        ] {
            assert_eq!(accepted(n, p), least..=most, "{n} {p}");
        }
    }

    /// The chance that the test rejects when the true share is `truth`: exact, no sampling.
    fn rejected(n: u64, claimed: f64, truth: f64) -> f64 {
        let chances = log_chances(n, truth);
        (0..=n)
            .zip(chances)
            .filter(|(k, _)| two_sided(n, *k, claimed) < ALPHA)
            .map(|(_, chance)| chance.exp())
            .sum()
    }

    #[test]
    fn a_correct_split_is_rejected_no_more_than_once_in_a_million() {
        for share in [0.01, 0.05, 0.1, 0.5, 0.9] {
            let chance = rejected(2000, share, share);
            assert!(chance <= ALPHA && chance > ALPHA / 50.0, "{share}: {chance}");
        }
    }

    #[test]
    fn a_split_that_is_ten_points_off_is_all_but_certainly_rejected() {
        for (claimed, truth) in [(0.5, 0.4), (0.5, 0.6), (0.1, 0.2), (0.9, 0.8)] {
            let chance = rejected(2000, claimed, truth);
            assert!(chance > 0.9999, "{claimed} {truth}: {chance}");
        }
    }

    #[test]
    fn drawn_answers_pass_for_their_own_share_and_fail_for_a_distant_one() {
        let drawn = (5u8..=95, proptest::collection::vec(0u8..100, 2000));
        let mut runner = TestRunner::deterministic();
        let outcome = runner.run(&drawn, |(share, draws)| {
            let second = draws.iter().filter(|draw| **draw < share).count() as u64;
            let sample = sample(&[("v1", 2000 - second), ("v2", second)]);
            let verdict = check(&shares(&[("v1", 100 - share), ("v2", share)]), &sample);
            prop_assert!(verdict.passed, "{}", verdict.message);
            let other = if share < 50 { share + 15 } else { share - 15 };
            let verdict = check(&shares(&[("v1", 100 - other), ("v2", other)]), &sample);
            prop_assert!(!verdict.passed, "{}", verdict.message);
            Ok(())
        });
        outcome.unwrap();
    }

    #[test]
    fn one_wrong_answer_fails_where_everything_or_nothing_is_expected() {
        let all = sample(&[("v1", 2000)]);
        assert!(check(&Expected::only("v1"), &all).passed);
        assert!(check(&shares(&[("v1", 100), ("v2", 0)]), &all).passed);
        let one_off = sample(&[("v1", 1999), ("v2", 1)]);
        for expected in [Expected::only("v1"), shares(&[("v1", 100), ("v2", 0)])] {
            let verdict = check(&expected, &one_off);
            assert!(!verdict.passed);
            assert!(verdict.message.contains("WRONG v2: expected"), "{}", verdict.message);
        }
    }

    #[test]
    fn the_message_shows_expected_observed_accepted_and_p() {
        let verdict =
            check(&shares(&[("v1", 50), ("v2", 50)]), &sample(&[("v1", 800), ("v2", 1200)]));
        assert!(!verdict.passed);
        let expected =
            "WRONG v1: expected 50 %, observed 800 of 2000 (40.0 %), accepted 891 to 1109, p = ";
        assert!(verdict.message.starts_with(expected), "{}", verdict.message);
    }

    #[test]
    fn a_failed_request_or_no_answer_at_all_never_passes() {
        let mut one_failed = sample(&[("v1", 1999)]);
        one_failed.requests = 2000;
        one_failed.failed.push(Failure::now(Some(503), "no healthy upstream"));
        let verdict = check(&Expected::only("v1"), &one_failed);
        assert!(!verdict.passed);
        assert!(
            verdict.message.contains("WRONG 1 of 2000 requests failed, the first: ")
                && verdict.message.ends_with("status 503: no healthy upstream"),
            "{}",
            verdict.message
        );
        let nothing = check(&shares(&[("v1", 50), ("v2", 50)]), &sample(&[]));
        assert!(!nothing.passed);
        assert!(
            nothing.message.starts_with("WRONG no request was answered"),
            "{}",
            nothing.message
        );
    }

    #[test]
    fn shares_that_do_not_make_a_whole_are_refused() {
        assert_eq!(Expected::new([("v1", 50), ("v2", 49)]), Err(NotWhole(99)));
    }
}
