//! What is measured, and what of it is a regression.

use std::collections::BTreeMap;
use std::time::Duration;

/// What a rollout is judged by.
///
/// A changed policy asks another question: begin a new [`crate::Judge`] with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// What is measured, by name.
    pub analyses: BTreeMap<String, Analysis>,
    /// The chance that the watch withdraws a healthy canary, over the whole rollout and all analyses: above 0, below 1.
    pub false_alarm: f64,
    /// The steps that the rollout is planned to have. More are judged as well, by less of the chance.
    pub steps: u32,
    /// The answers that a step needs; 300 in an hour unless somebody says otherwise.
    pub enough: Enough,
}

impl Policy {
    /// The evidence at which one of the rates is a regression: each of them has its part of the chance of a false
    /// alarm (Bonferroni).
    pub(crate) fn threshold(&self) -> f64 {
        let rates = self.analyses.values().filter(|analysis| matches!(analysis, Analysis::Rate(_)));
        rates.count().max(1) as f64 / self.false_alarm.clamp(1e-12, 1.0)
    }
}

/// One thing that is measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Analysis {
    /// How many answers of each version were bad.
    Rate(Rate),
    /// A number that has a bound.
    Number(Number),
}

/// When a share of bad answers is a regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// How many times the primary's odds of a bad answer are permitted; at least 1, and less counts as 1.
    pub worse: f64,
    /// The share of bad answers that is permitted even if the primary has less, from 0 to 1.
    pub above: Option<f64>,
    /// For how many looks bad answers can have one cause, so that they are counted once; at least 1.
    pub cell: u32,
    /// Whether a plain disaster in this measure withdraws the canary at once. Not for what is bad for some seconds
    /// after a start, as times of answers are.
    pub brake: bool,
    /// How the bad answers were answered: `badly`, `slower than 500 ms`.
    pub words: String,
}

impl Rate {
    /// The looks of a cell that suits answers that fail: a burst of less than a second touches two looks of a second.
    pub const CELL: u32 = 2;

    /// Failed answers, with cell and brake.
    pub fn errors(worse: f64, above: Option<f64>) -> Self {
        Self { worse, above, cell: Self::CELL, brake: true, words: "badly".into() }
    }

    /// The permitted odds ratio.
    pub(crate) fn odds(&self) -> f64 {
        if self.worse.is_finite() { self.worse.max(1.0) } else { 1.0 }
    }

    /// The share that is permitted in any case, where a likelihood ratio can be made of it.
    pub(crate) fn permitted(&self) -> Option<f64> {
        self.above.map(|above| above.clamp(1e-9, 0.999))
    }

    /// For how many looks a cell lasts.
    pub(crate) fn looks(&self) -> u32 {
        self.cell.max(1)
    }
}

/// When a number is a regression: it is beyond its bound for some time. No statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// The bound.
    pub bound: Bound,
    /// How long the number is beyond it before that is a regression.
    pub lasting: Duration,
}

/// The bound of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// More is too much.
    Max(f64),
    /// Less is too little.
    Min(f64),
}

impl Bound {
    /// Whether a number is beyond the bound.
    pub fn is_crossed_by(self, value: f64) -> bool {
        match self {
            Self::Max(bound) => value > bound,
            Self::Min(bound) => value < bound,
        }
    }
}

/// The answers that a step needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enough {
    /// Answers of the canary, in each rate.
    pub requests: u64,
    /// The time for that, since the step's begin.
    pub within: Duration,
    /// What happens when that time is over.
    pub otherwise: Shortage,
}

impl Default for Enough {
    fn default() -> Self {
        let within = Duration::from_secs(3600);
        Self { requests: 300, within, otherwise: Shortage::Hold }
    }
}

/// What happens to a step whose canary got too few requests in its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shortage {
    /// It waits on.
    #[default]
    Hold,
    /// The canary is withdrawn.
    Abort,
    /// The next step comes, if nothing else is waited for.
    Promote,
}
