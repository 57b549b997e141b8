//! Whether something that is measured again and again stays as it is. No clock, no network.

use serde::Serialize;

/// The part of a run that does not count: caches fill, and connections are made.
const WARM_UP: f64 = 0.2;
/// The fewest measurements that say anything.
const FEWEST: usize = 15;

/// By how much the end may lie above the beginning: by the larger of the two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Margin {
    /// In the unit of what is measured.
    pub(super) absolute: f64,
    /// Relative to the beginning.
    pub(super) relative: f64,
}

/// Where something stood at the beginning of a run, after the warm-up, and at its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Level {
    /// The median of the first third, the warm-up apart.
    pub first: f64,
    /// The median of the last third.
    pub last: f64,
    /// The most that `last` may be.
    pub bound: f64,
}

impl Level {
    /// Compares the last third of measurements with the first one after the warm-up, a fifth of the run. `None` when
    /// there are too few.
    pub(super) fn of(measured: &[f64], margin: Margin) -> Option<Self> {
        let warm = (measured.len() as f64 * WARM_UP).ceil() as usize;
        let measured = &measured[warm.min(measured.len())..];
        if measured.len() < FEWEST {
            return None;
        }
        let third = measured.len() / 3;
        let first = median(&measured[..third]);
        let last = median(&measured[measured.len() - third..]);
        let bound = first + margin.absolute.max(first * margin.relative);
        Some(Self { first, last, bound })
    }

    /// Whether it did not grow. What shrinks is no leak.
    pub fn is_flat(&self) -> bool {
        self.last <= self.bound
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::super::{COUNT, MEMORY};
    use super::*;

    const RECONCILES: f64 = 100_000.0;

    /// Measurements of a run: of how much there is after so many reconciles.
    fn run(amount: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..500).map(|n| amount(f64::from(n) / 500.0 * RECONCILES)).collect()
    }

    /// Something between -1 and 1 that repeats nowhere near.
    fn noise(at: f64) -> f64 {
        (at * 12.9898).sin()
    }

    fn is_flat(measured: &[f64], margin: Margin) -> bool {
        Level::of(measured, margin).expect("enough").is_flat()
    }

    #[test]
    fn what_goes_up_and_down_or_only_grows_in_the_beginning_is_flat() {
        assert!(is_flat(&run(|at| 40.0 + 4.0 * noise(at)), MEMORY));
        assert!(is_flat(&run(|at| if at < 0.15 * RECONCILES { at / 1000.0 } else { 15.0 }), COUNT));
        assert!(
            is_flat(&run(|at| 40.0 + 2.0 * (at / 5000.0).fract()), MEMORY),
            "and is given back"
        );
        assert!(is_flat(&run(|at| 60.0 - at / 10_000.0), MEMORY));
    }

    #[test]
    fn an_object_that_each_reconcile_leaves_behind_is_seen() {
        // 100 bytes, below noise of some MiB.
        let leak = |at: f64| at * 100.0 / f64::from(1 << 20);
        assert!(!is_flat(&run(|at| 40.0 + leak(at) + noise(at)), MEMORY));
        assert!(!is_flat(&run(|at| 40.0 + leak(at)), MEMORY));
    }

    #[test]
    fn a_descriptor_or_a_task_that_one_reconcile_of_a_thousand_leaves_behind_is_seen() {
        assert!(!is_flat(&run(|at| 30.0 + (at / 1000.0).floor() + noise(at).round()), COUNT));
        assert!(is_flat(&run(|at| 30.0 + 2.0 * noise(at).round()), COUNT));
    }

    #[test]
    fn a_leak_in_the_second_half_alone_is_seen() {
        let late = |at: f64| (at - RECONCILES / 2.0).max(0.0) / 1000.0;
        assert!(!is_flat(&run(|at| 30.0 + late(at)), COUNT));
    }

    #[test]
    fn too_few_measurements_say_nothing() {
        assert_eq!(Level::of(&[], COUNT), None);
        assert_eq!(Level::of(&[1.0; 18], COUNT), None);
        assert!(Level::of(&[1.0; 19], COUNT).is_some_and(|level| level.is_flat()));
    }
}
