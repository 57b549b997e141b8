//! The evidence of one rate.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::absolute::Absolute;
use crate::look::Counts;
use crate::policy::Rate;
use crate::relative::Relative;

/// How far the evidence of one analysis is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// How many times better what was measured fits a regression than a healthy canary (an e-value).
    pub value: f64,
    /// The value that withdraws the canary.
    pub threshold: f64,
}

impl Evidence {
    /// The way to the threshold, from 0 to 1, in orders of magnitude.
    pub fn progress(self) -> f64 {
        (self.value.max(1.0).ln() / self.threshold.max(std::f64::consts::E).ln()).min(1.0)
    }

    /// Whether the canary is withdrawn.
    pub fn is_reached(self) -> bool {
        self.value >= self.threshold
    }
}

/// What is known of one rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watch {
    relative: Relative,
    absolute: Absolute,
    /// Against the bound that holds where there is no primary to compare with.
    alone: Absolute,
    /// That bound, since the begin of the step.
    bound: Option<f64>,
    /// The answers of the step.
    pub(crate) primary: Counts,
    pub(crate) canary: Counts,
    /// The primary's answers of all steps so far.
    earlier: Counts,
    /// For how long nothing could be measured, up to now.
    pub(crate) blind: Option<Duration>,
}

impl Watch {
    /// Begins a step, with its stake.
    pub(crate) fn begin(&mut self, rate: &Rate, has_primary: bool, stake: f64) {
        self.relative.begin();
        self.earlier += self.primary;
        (self.primary, self.canary) = (Counts::default(), Counts::default());
        self.bound = if has_primary { None } else { bound_alone(rate, self.earlier) };
        self.start(has_primary, stake);
    }

    /// Adds a stake to what is looked at in this step.
    pub(crate) fn start(&mut self, has_primary: bool, stake: f64) {
        if has_primary {
            self.relative.start(stake);
            self.absolute.start(stake);
        } else {
            self.alone.start(stake);
        }
    }

    /// Takes the answers of one look.
    pub(crate) fn look(&mut self, rate: &Rate, has_primary: bool, primary: Counts, canary: Counts) {
        self.blind = None;
        self.primary += primary;
        self.canary += canary;
        if has_primary {
            self.relative.look(rate, primary, canary);
            if let Some(bound) = rate.permitted() {
                self.absolute.look(bound, rate.looks(), canary);
            }
        } else if let Some(bound) = self.bound {
            self.alone.look(bound, rate.looks(), canary);
        }
    }

    /// A regression is worse than the primary *and* above what is permitted in any case: the less of the two counts.
    pub(crate) fn value(&self, rate: &Rate) -> f64 {
        let relative = self.relative.value();
        let beside = match rate.above {
            Some(_) => relative.min(self.absolute.value()),
            None => relative,
        };
        beside + self.alone.value()
    }

    /// Whether this step can be judged at all.
    pub(crate) fn can_judge(&self, has_primary: bool) -> bool {
        has_primary || self.bound.is_some()
    }

    /// Whether the canary has more bad answers in this step than is permitted, be it by chance.
    pub(crate) fn looks_worse(&self, rate: &Rate, has_primary: bool) -> bool {
        let Some(canary) = self.canary.share() else { return false };
        if !has_primary {
            return self.bound.is_some_and(|bound| canary > bound);
        }
        self.relative.looks_worse() && canary > rate.permitted().unwrap_or(0.0)
    }
}

/// What is permitted without a primary beside: what always is, and what would be permitted beside the worst primary
/// that fits what it answered before, by three standard deviations of a Poisson count.
fn bound_alone(rate: &Rate, primary: Counts) -> Option<f64> {
    let measured = (primary.total > 0).then(|| {
        let bad = primary.bad as f64;
        let most = (bad + 3.0 * bad.sqrt() + 5.0) / primary.total as f64;
        crate::grid::tilt(most.min(0.999), rate.odds())
    });
    let bound = measured.into_iter().chain(rate.permitted()).reduce(f64::max)?;
    Some(bound.clamp(1e-9, 0.999))
}
