//! What is to be expected of a rollout in which nothing goes wrong: how long each step takes at some traffic, and what
//! harm can be found in it at all.

use std::time::Duration;

use judge::{Analysis, Traffic, forecast, time_to_find};

use super::{Next, Position, judged, least, next};
use crate::values::{Autopilot, Weight};

/// What is to be expected of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// The step.
    pub position: Position,
    /// How long it takes at least; `None` if the canary gets too few requests for it ever to end.
    pub lasts: Option<Duration>,
    /// The smallest share of errors with which a canary loses its share within that time in half of the rollouts.
    pub detectable: Option<f64>,
    /// How long a canary that answers half of its requests badly keeps its share.
    pub found: Option<Duration>,
    /// Whether a person has to say yes before what comes next.
    pub gate: bool,
}

/// What is to be expected from a position on, at so many requests per second of which a healthy version answers the share
/// `base` badly. It is by the analysis `errors`; without that one only the least times are known.
pub fn outlook(autopilot: &Autopilot, from: Position, requests: f64, base: f64) -> Vec<Expected> {
    let policy = judged(autopilot);
    let errors = policy.analyses.get("errors").and_then(|analysis| match analysis {
        Analysis::Rate(rate) => Some(rate.clone()),
        Analysis::Number(_) => None,
    });
    let (mut position, mut all) = (from, Vec::new());
    loop {
        let next = next(autopilot, position);
        let least = least(autopilot, position, next);
        let weight = position.weight();
        let share = f64::from(weight.percent()) / 100.0;
        let traffic = Traffic { requests, share, base };
        let judged = errors.as_ref().filter(|_| weight > Weight::ZERO);
        let (lasts, detectable) = match judged {
            Some(rate) => {
                let forecast = forecast(&policy, rate, traffic, least);
                (forecast.step, forecast.detectable)
            }
            None => (Some(least), None),
        };
        let gate = matches!(next, Next::Weight(weight) if autopilot.ladder.gates.contains(&weight));
        let found = judged.and_then(|rate| time_to_find(&policy, rate, traffic, 0.5));
        all.push(Expected { position, lasts, detectable, found, gate });
        match next {
            Next::Weight(weight) => position = Position::Step(weight),
            Next::Finish | Next::Person => return all,
        }
    }
}
