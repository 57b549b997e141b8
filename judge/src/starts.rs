//! When the watch begins again, and what part of the chance of a false alarm each begin has.
//!
//! A canary may become worse at any moment, and what was staked before is lost by then. So something is staked at the
//! begin of each step, and again each minute. All stakes of a rollout together are at most 1.

/// The part that belongs to the planned steps; the rest is for those that nobody planned. The first step has most, the
/// second half of that, the third a third: most regressions are there from the begin on, and with a greater share of
/// the traffic the same evidence takes less time.
const PLANNED: f64 = 0.9;
/// The part of a step that is staked at its begin; the rest is staked minute by minute.
const BEGIN: f64 = 0.8;
/// More steps than these are not planned.
const MOST: u32 = 100;

/// The stake at the begin of a step, the first of which is 1.
pub(crate) fn of_step(planned: u32, number: u32) -> f64 {
    BEGIN * of(planned, number)
}

/// The stakes of the minutes of a step that have ended, if `before` had by the look before.
pub(crate) fn of_minutes(planned: u32, number: u32, before: u64, ended: u64) -> f64 {
    // The sum of 1/(k(k+1)) is a difference.
    let sum = 1.0 / (before as f64 + 1.0) - 1.0 / (ended as f64 + 1.0);
    (1.0 - BEGIN) * of(planned, number) * sum.max(0.0)
}

fn of(planned: u32, number: u32) -> f64 {
    let planned = planned.clamp(1, MOST);
    if number <= planned {
        let harmonic: f64 = (1..=planned).map(|step| 1.0 / f64::from(step)).sum();
        PLANNED / harmonic / f64::from(number)
    } else {
        (1.0 - PLANNED) * telescope(f64::from(number - planned))
    }
}

/// Of 1, 2, 3 and so on without end, together 1.
fn telescope(number: f64) -> f64 {
    1.0 / (number * (number + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_stakes_together_are_at_most_one() {
        for planned in [0, 1, 5, 20] {
            let stakes: f64 = (1..=2_000)
                .map(|step| {
                    let minutes = (0..500).map(|it| of_minutes(planned, step, it, it + 1));
                    of_step(planned, step) + minutes.sum::<f64>()
                })
                .sum();
            assert!((0.99..=1.0).contains(&stakes), "{planned} steps: {stakes}");
        }
    }
}
