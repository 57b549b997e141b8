//! Evidence that the canary's share of bad answers is above a bound.

use serde::{Deserialize, Serialize};

use crate::grid::{self, Wealth};
use crate::look::Counts;

/// A process that bets on bad answers of the canary, against a bound.
///
/// A look is one bet. Where few bad answers are permitted in a look, the bet is whether there is any; where many are,
/// it is on their share. Either way it does not matter how the bad answers of one look depend on each other. The looks
/// after one with a bad answer, up to the length of a cell, are left out, because they may have the same cause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Absolute {
    wealth: Wealth,
    /// Looks that are left out.
    skipped: u32,
}

/// Up to so many bad answers that are permitted in a look, whether there is any says more than their share.
pub(crate) const FEW: f64 = 0.5;

impl Absolute {
    /// Adds a stake.
    pub(crate) fn start(&mut self, amount: f64) {
        grid::stake(&mut self.wealth, amount);
    }

    /// Takes one look.
    pub(crate) fn look(&mut self, bound: f64, cell: u32, canary: Counts) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        let Some(share) = canary.share() else { return };
        let alternatives = grid::alternatives(1.0).map(|odds| grid::tilt(bound, odds));
        let total = canary.total as f64;
        if total * bound <= FEW {
            let any = |rate: f64| 1.0 - (1.0 - rate).powf(total);
            let is_any = if canary.bad > 0 { 1.0 } else { 0.0 };
            let null = any(bound);
            grid::multiply(&mut self.wealth, |index| {
                grid::factor(is_any, any(alternatives[index]), null)
            });
        } else {
            grid::multiply(&mut self.wealth, |index| {
                grid::factor(share, alternatives[index], bound)
            });
        }
        if canary.bad > 0 {
            self.skipped = cell.saturating_sub(1);
        }
    }

    /// The evidence so far.
    pub(crate) fn value(&self) -> f64 {
        self.wealth.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn process() -> Absolute {
        let mut process = Absolute::default();
        process.start(1.0);
        process
    }

    /// The probability of each number of bad answers.
    fn binomial(total: u64, rate: f64) -> Vec<f64> {
        let mut probability = (1.0 - rate).powf(total as f64);
        let mut all = vec![probability];
        for bad in 0..total {
            probability *= (total - bad) as f64 / (bad + 1) as f64 * rate / (1.0 - rate);
            all.push(probability);
        }
        all
    }

    proptest! {
        /// Exact, by all outcomes of two looks: what would make it an alarm by chance is in no look.
        #[test]
        fn the_mean_is_at_most_one_while_the_rate_is_permitted(
            bound in 0.0005..0.3_f64,
            part in 0.0..=1.0_f64,
            totals in [1..40_u64, 1..40_u64],
        ) {
            let [first, second] = totals.map(|total| binomial(total, bound * part));
            let mut mean = 0.0;
            for (one, probability) in first.iter().enumerate() {
                for (other, more) in second.iter().enumerate() {
                    let mut process = process();
                    process.look(bound, 1, Counts::new(totals[0], one as u64));
                    process.look(bound, 1, Counts::new(totals[1], other as u64));
                    mean += probability * more * process.value();
                }
            }
            prop_assert!(mean <= 1.0 + 1e-9, "{mean}");
        }

        #[test]
        fn more_bad_answers_are_no_less_evidence(
            bound in 0.0005..0.3_f64, total in 1..500_u64, part in 0.0..1.0_f64,
        ) {
            let bad = (total as f64 * part) as u64;
            let value = |bad| {
                let mut process = process();
                process.look(bound, 2, Counts::new(total, bad));
                process.value()
            };
            prop_assert!(value(bad + 1) >= value(bad) - 1e-12);
        }

        #[test]
        fn a_clean_look_in_two_parts_is_the_same(parts in [0..100_u64, 0..100_u64]) {
            let (mut whole, mut divided) = (process(), process());
            whole.look(0.002, 2, Counts::new(parts[0] + parts[1], 0));
            for part in parts {
                divided.look(0.002, 2, Counts::new(part, 0));
            }
            prop_assert!((whole.value() - divided.value()).abs() < 1e-9);
        }
    }

    #[test]
    fn a_burst_over_two_looks_counts_once() {
        let (mut one, mut two) = (process(), process());
        one.look(0.002, 2, Counts::new(10, 10));
        one.look(0.002, 2, Counts::default());
        two.look(0.002, 2, Counts::new(10, 5));
        two.look(0.002, 2, Counts::new(10, 5));
        assert_eq!(one, two);
    }
}
