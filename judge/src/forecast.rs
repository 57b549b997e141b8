//! How long a step takes at some traffic, and what regression can be found in it at all.

use std::time::Duration;

use crate::absolute::FEW;
use crate::grid::{self, SIZE};
use crate::policy::{Policy, Rate};
use crate::starts;

/// The traffic that a service has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    /// Requests per second, of both versions together.
    pub requests: f64,
    /// The canary's share of them, from 0 to 1.
    pub share: f64,
    /// The share of bad answers of a healthy version, from 0 to 1.
    pub base: f64,
}

/// What is to be expected of a step in which nothing goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// How long it takes at least; `None` if the canary gets no requests.
    pub step: Option<Duration>,
    /// The smallest share of bad answers of a canary that is withdrawn within this time in half of the rollouts; `None`
    /// if not even one is that answers nothing well.
    pub detectable: Option<f64>,
}

/// Up to so many bad answers in a cell their distribution is summed; the share of more is its mean.
const MANY: f64 = 60.0;

/// What is to be expected of a step with this least time, by one look each second.
pub fn forecast(policy: &Policy, rate: &Rate, traffic: Traffic, least: Duration) -> Forecast {
    let canary = traffic.requests * traffic.share;
    let requests = policy.enough.requests.max(1) as f64 / canary;
    let Ok(requests) = Duration::try_from_secs_f64(requests) else {
        return Forecast { step: None, detectable: None };
    };
    let step = least.max(requests);
    // From 0.1 % on, each a tenth more than the one before.
    let mut shares = (0..73).map(|index| (0.001 * 1.1_f64.powi(index)).min(1.0));
    let detectable = shares
        .find(|bad| time_to_find(policy, rate, traffic, *bad).is_some_and(|time| time <= step));
    Forecast { step: Some(step), detectable }
}

/// How long it takes to find a canary with this share of bad answers from the first step's begin on, in about half of
/// the rollouts, by one look each second; `None` if it is never found. The brake is left out.
pub fn time_to_find(policy: &Policy, rate: &Rate, traffic: Traffic, bad: f64) -> Option<Duration> {
    let stake = starts::of_step(policy.steps, 1) / SIZE as f64;
    let needed = (policy.threshold() / stake).ln();
    let canary = traffic.requests * traffic.share;
    let growth = if traffic.share >= 1.0 {
        let beside = grid::tilt(traffic.base, rate.odds());
        absolute_growth(rate, beside.max(rate.permitted().unwrap_or(0.0)), canary, bad)
    } else {
        let relative = relative_growth(rate, traffic, bad);
        match rate.permitted() {
            Some(bound) => relative.min(absolute_growth(rate, bound, canary, bad)),
            None => relative,
        }
    };
    if growth > 0.0 { Duration::try_from_secs_f64(needed / growth).ok() } else { None }
}

/// By how much the logarithm of the best alternative's stake grows in a look.
fn relative_growth(rate: &Rate, traffic: Traffic, bad: f64) -> f64 {
    let looks = f64::from(rate.looks());
    let canary = traffic.requests * traffic.share * bad;
    let primary = traffic.requests * (1.0 - traffic.share) * traffic.base;
    let is_opened = 1.0 - (-(canary + primary)).exp();
    if is_opened <= 0.0 {
        return 0.0;
    }
    let cycle = looks + (1.0 - is_opened) / is_opened;
    let null = grid::tilt(traffic.share, rate.odds());
    let growths = grid::alternatives(rate.odds()).map(|odds| {
        let alternative = grid::tilt(traffic.share, odds);
        let growth = |share: f64| grid::factor(share, alternative, null).ln();
        if looks * (canary + primary) > MANY {
            return growth(canary / (canary + primary));
        }
        let mut sum = 0.0;
        let mut all = 0.0;
        let of_primary = probabilities(looks * primary);
        for (one, first) in probabilities(looks * canary).iter().enumerate() {
            for (other, second) in of_primary.iter().enumerate() {
                let probability = first * second;
                if one + other > 0 && probability > 0.0 {
                    sum += probability * growth(one as f64 / (one + other) as f64);
                    all += probability;
                }
            }
        }
        sum / all
    });
    growths.into_iter().fold(0.0, f64::max) / cycle
}

/// The same for the process against a bound.
fn absolute_growth(rate: &Rate, bound: f64, requests: f64, bad: f64) -> f64 {
    let any = |share: f64| 1.0 - (-requests * share).exp();
    let is_any = any(bad);
    let growths = grid::alternatives(1.0).map(|odds| {
        let alternative = grid::tilt(bound, odds);
        if requests * bound > FEW {
            return grid::factor(bad, alternative, bound).ln();
        }
        let growth = |share: f64| grid::factor(share, any(alternative), any(bound)).ln();
        let without = if is_any < 1.0 { (1.0 - is_any) * growth(0.0) } else { 0.0 };
        is_any * growth(1.0) + without
    });
    let looks = 1.0 + is_any * f64::from(rate.looks() - 1);
    growths.into_iter().fold(0.0, f64::max) / looks
}

/// The probabilities of 0, 1, 2 and more events, as far as they matter.
fn probabilities(mean: f64) -> Vec<f64> {
    let most = (mean + 6.0 * mean.sqrt() + 10.0) as u32;
    let mut probability = (-mean).exp();
    let mut all = Vec::new();
    for events in 0..most {
        all.push(probability);
        probability *= mean / f64::from(events + 1);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Analysis, Enough};

    fn policy(rate: &Rate) -> Policy {
        Policy {
            analyses: [("errors".to_owned(), Analysis::Rate(rate.clone()))].into(),
            false_alarm: 0.001,
            steps: 5,
            enough: Enough::default(),
        }
    }

    const LEAST: Duration = Duration::from_secs(300);

    fn of(requests: f64, share: f64, base: f64) -> Forecast {
        let rate = Rate::errors(1.5, Some(0.002));
        forecast(&policy(&rate), &rate, Traffic { requests, share, base }, LEAST)
    }

    #[test]
    fn a_step_lasts_until_the_canary_has_its_requests() {
        assert_eq!(of(50.0, 0.1, 0.01).step, Some(LEAST));
        assert_eq!(of(5.0, 0.05, 0.01).step, Some(Duration::from_secs(1200)));
        assert_eq!(of(5.0, 0.0, 0.01), Forecast { step: None, detectable: None });
        assert_eq!(of(0.0, 0.5, 0.01).step, None);
    }

    #[test]
    fn more_traffic_finds_smaller_regressions_and_nothing_permitted_is_one() {
        let all = [5.0, 50.0, 500.0].map(|requests| of(requests, 0.1, 0.01).detectable);
        let [few, some, many] = all.map(|it| it.expect("some is found"));
        assert!(few > some && some > many && many > 0.015, "{few} {some} {many}");
        let rate = Rate::errors(1.5, Some(0.002));
        let traffic = Traffic { requests: 500.0, share: 0.1, base: 0.01 };
        assert_eq!(time_to_find(&policy(&rate), &rate, traffic, 0.014), None);
        assert!(time_to_find(&policy(&rate), &rate, traffic, 0.05).is_some());
    }

    #[test]
    fn without_a_primary_the_bound_is_judged() {
        assert!(of(50.0, 1.0, 0.0).detectable.is_some_and(|it| it > 0.002 && it < 0.02));
    }
}
