//! Evidence that the canary is worse than the primary beside it.

use serde::{Deserialize, Serialize};

use crate::grid::{self, SIZE, Wealth};
use crate::look::Counts;
use crate::policy::Rate;

/// A process that bets on the arm in which bad answers fall.
///
/// If both versions are equally good, a bad answer falls in the canary's arm as often as an answer does at all,
/// whatever the traffic and the common rate of errors do. Bad answers are counted in cells: a cell is opened by a look
/// with a bad answer and lasts for [`Rate::cell`] looks, and only the canary's share of all that is bad in it counts.
/// So ten bad answers of one cause weigh as much as one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Relative {
    wealth: Wealth,
    /// Stakes that count from the next cell on: what is in a cell already must not decide about a stake on it.
    waiting: f64,
    cell: Option<Cell>,
    /// Of the cells of this step that are over: the canary's shares of what was bad, summed.
    canary: f64,
    /// And those that are permitted.
    permitted: f64,
}

/// What has come in the cell so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cell {
    /// The looks that are to come.
    looks: u32,
    /// Bad answers of both versions.
    bad: f64,
    /// Those of the canary.
    canary: f64,
    /// How many of them the canary is expected to have if it is as much worse as is permitted.
    null: f64,
    /// How many by each of the alternatives.
    alternatives: [f64; SIZE],
}

impl Relative {
    /// Begins a step.
    pub(crate) fn begin(&mut self) {
        (self.canary, self.permitted) = (0.0, 0.0);
    }

    /// Adds a stake.
    pub(crate) fn start(&mut self, amount: f64) {
        self.waiting += amount;
    }

    /// Takes one look.
    pub(crate) fn look(&mut self, rate: &Rate, primary: Counts, canary: Counts) {
        let bad = primary.bad as f64 + canary.bad as f64;
        let mut cell = match self.cell.take() {
            Some(cell) => cell,
            None if bad == 0.0 => return,
            None => {
                grid::stake(&mut self.wealth, std::mem::take(&mut self.waiting));
                Cell { looks: rate.looks(), ..Cell::default() }
            }
        };
        if bad > 0.0 {
            let share = canary.total as f64 / (primary.total as f64 + canary.total as f64);
            let odds = grid::alternatives(rate.odds());
            cell.bad += bad;
            cell.canary += canary.bad as f64;
            cell.null += bad * grid::tilt(share, rate.odds());
            for (expected, odds) in cell.alternatives.iter_mut().zip(odds) {
                *expected += bad * grid::tilt(share, odds);
            }
        }
        cell.looks -= 1;
        if cell.looks > 0 {
            self.cell = Some(cell);
            return;
        }
        let (share, null) = (cell.canary / cell.bad, cell.null / cell.bad);
        self.canary += share;
        self.permitted += null;
        let alternatives = cell.alternatives.map(|expected| expected / cell.bad);
        grid::multiply(&mut self.wealth, |index| grid::factor(share, alternatives[index], null));
    }

    /// The evidence by the cells that are over.
    pub(crate) fn value(&self) -> f64 {
        self.waiting + self.wealth.iter().sum::<f64>()
    }

    /// Whether the canary has more than its permitted share of what was bad in this step, be it by chance. What is in a
    /// cell that is not over yet counts too: a step may be as short as that.
    pub(crate) fn looks_worse(&self) -> bool {
        let open = self.cell.as_ref().map(|cell| (cell.canary / cell.bad, cell.null / cell.bad));
        let (canary, permitted) = open.unwrap_or_default();
        self.canary + canary > self.permitted + permitted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn process() -> Relative {
        let mut process = Relative::default();
        process.start(1.0);
        process
    }

    fn rate(worse: f64) -> Rate {
        Rate::errors(worse, None)
    }

    /// The probability of each number of bad answers of the canary, if so many are bad in all and the odds ratio is
    /// this (Fisher's noncentral hypergeometric distribution).
    fn hypergeometric(primary: u64, canary: u64, bad: u64, odds: f64) -> Vec<(u64, f64)> {
        let choose =
            |n: u64, k: u64| (0..k).map(|it| ((n - it) as f64 / (it + 1) as f64).ln()).sum::<f64>();
        let least = bad.saturating_sub(primary);
        let weights: Vec<(u64, f64)> = (least..=bad.min(canary))
            .map(|it| {
                let weight = choose(canary, it) + choose(primary, bad - it) + it as f64 * odds.ln();
                (it, weight.exp())
            })
            .collect();
        let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
        weights.into_iter().map(|(it, weight)| (it, weight / all)).collect()
    }

    proptest! {
        /// Exact, by all outcomes of a cell of two looks, for any odds ratio up to what is permitted, and whatever the
        /// traffic, its division and the number of bad answers in each look.
        #[test]
        fn the_mean_is_at_most_one_while_the_canary_is_no_worse_than_permitted(
            worse in 1.0..4.0_f64,
            part in 0.05..=1.0_f64,
            looks in [(1..60_u64, 1..60_u64, 1..12_u64), (1..60_u64, 1..60_u64, 0..12_u64)],
        ) {
            let [first, second] = looks.map(|(primary, canary, bad)| {
                let bad = bad.min(primary + canary);
                (primary, canary, bad, hypergeometric(primary, canary, bad, worse * part))
            });
            let mut mean = 0.0;
            for (one, probability) in &first.3 {
                for (other, more) in &second.3 {
                    let mut process = process();
                    for ((primary, canary, bad, _), of_canary) in [(&first, one), (&second, other)] {
                        process.look(
                            &rate(worse),
                            Counts::new(*primary, bad - of_canary),
                            Counts::new(*canary, *of_canary),
                        );
                    }
                    mean += probability * more * process.value();
                }
            }
            prop_assert!(mean <= 1.0 + 1e-9, "{mean}");
        }

        /// Whole bursts fall in one arm or the other.
        #[test]
        fn bursts_of_any_size_leave_the_mean_at_most_one(
            worse in 1.0..4.0_f64, share in 0.01..0.99_f64, bursts in [1..30_u64, 0..30_u64, 0..30_u64],
        ) {
            let total = 1_000_000;
            let canary = (share * total as f64) as u64;
            let odds = worse * canary as f64 / (total - canary) as f64;
            let probability = odds / (1.0 + odds);
            let mut mean = 0.0;
            for outcome in 0..8_u32 {
                let mut counts = [Counts::new(total - canary, 0), Counts::new(canary, 0)];
                let mut chance = 1.0;
                for (index, size) in bursts.iter().enumerate() {
                    let is_canary = outcome >> index & 1 == 1;
                    counts[usize::from(is_canary)].bad += size;
                    chance *= if is_canary { probability } else { 1.0 - probability };
                }
                let mut process = process();
                process.look(&rate(worse), counts[0], counts[1]);
                process.look(&rate(worse), Counts::default(), Counts::default());
                mean += chance * process.value();
            }
            prop_assert!(mean <= 1.0 + 1e-9, "{mean}");
        }

        /// With the same division of the traffic in both looks.
        #[test]
        fn a_further_bad_answer_of_the_canary_is_no_less_evidence_and_one_of_the_primary_no_more(
            looks in [(0..20_u64, 0..20_u64), (0..20_u64, 0..20_u64)], at in 0..2_usize,
        ) {
            let value = |primary: u64, canary: u64| {
                let mut process = process();
                for (index, (of_primary, of_canary)) in looks.into_iter().enumerate() {
                    let more = |count| if index == at { count } else { 0 };
                    // The first look has a bad answer of each, so that the cell is the same one.
                    let first = u64::from(index == 0);
                    process.look(
                        &rate(1.5),
                        Counts::new(900, first + of_primary + more(primary)),
                        Counts::new(100, first + of_canary + more(canary)),
                    );
                }
                process.value()
            };
            prop_assert!(value(0, 1) >= value(0, 0) - 1e-12);
            prop_assert!(value(1, 0) <= value(0, 0) + 1e-12);
        }

        #[test]
        fn looks_without_a_bad_answer_change_nothing_outside_of_a_cell(
            totals in proptest::collection::vec((0..100_u64, 0..100_u64), 0..20),
        ) {
            let mut process = process();
            for (primary, canary) in totals {
                process.look(&rate(1.5), Counts::new(primary, 0), Counts::new(canary, 0));
            }
            prop_assert_eq!(process, self::process());
        }
    }

    fn cell(primary: [(u64, u64); 2], canary: [(u64, u64); 2]) -> f64 {
        let mut process = process();
        for (primary, canary) in primary.into_iter().zip(canary) {
            let [primary, canary] = [primary, canary].map(|(total, bad)| Counts::new(total, bad));
            process.look(&rate(1.5), primary, canary);
        }
        process.value()
    }

    #[test]
    fn a_burst_counts_as_one_bad_answer() {
        let one = cell([(90, 0), (90, 0)], [(10, 1), (10, 0)]);
        let ten = cell([(90, 0), (90, 0)], [(10, 6), (10, 4)]);
        assert!(one > 3.0 && (one - ten).abs() < 1e-9, "{one} {ten}");
    }

    #[test]
    fn bad_answers_of_the_primary_speak_for_the_canary() {
        assert!(cell([(90, 1), (90, 0)], [(10, 0), (10, 0)]) < 1.0);
    }

    #[test]
    fn where_only_one_version_answers_nothing_is_learned() {
        assert_eq!(cell([(0, 0), (0, 0)], [(10, 9), (10, 9)]), 1.0);
        assert_eq!(cell([(10, 9), (10, 9)], [(0, 0), (0, 0)]), 1.0);
    }

    #[test]
    fn a_stake_within_a_cell_waits_for_the_next() {
        let mut process = process();
        process.look(&rate(1.5), Counts::new(90, 0), Counts::new(10, 1));
        let before = process.value();
        process.start(1.0);
        process.look(&rate(1.5), Counts::new(90, 0), Counts::new(10, 1));
        let one = cell([(90, 0), (90, 0)], [(10, 1), (10, 1)]);
        assert!((before - 1.0).abs() < 1e-12 && (process.value() - one - 1.0).abs() < 1e-9);
    }
}
