//! What the measures mean, with the reason.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::look::Counts;
use crate::watch::Evidence;

/// What to do with the canary. [`Decision::by`] puts it into a sentence.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It gets no more requests.
    Abort(Regression),
    /// It stays as it is; all reasons.
    Hold(Vec<Wait>),
    /// It gets the next step; what that rests on.
    Promote(Vec<Reading>),
}

/// Why a canary is withdrawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Regression {
    /// It has more bad answers than the primary, or than is permitted, and that is no chance.
    Worse(Reading),
    /// Its answers are mostly bad, look after look.
    Disaster {
        /// What was measured in these looks.
        reading: Reading,
        /// How many looks these are.
        looks: u32,
    },
    /// One of its pods restarts again and again.
    Crashes {
        /// How often, in this step.
        restarts: u32,
    },
    /// None of its pods is ready any more.
    Gone {
        /// For how long.
        lasting: Duration,
    },
    /// A number is beyond its bound.
    Beyond {
        /// The analysis.
        analysis: String,
        /// The number.
        value: f64,
        /// The bound.
        bound: f64,
        /// For how long.
        lasting: Duration,
    },
    /// It got too few requests in the time for them, and the policy says so.
    Shortage {
        /// The analysis that has too few.
        analysis: String,
        /// How many it has.
        requests: u64,
        /// How many it needs.
        enough: u64,
    },
}

/// What was measured of one rate, in this step unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The analysis.
    pub analysis: String,
    /// How bad answers are answered: [`crate::Rate::words`].
    pub words: String,
    /// Whether there is a primary to compare with.
    pub has_primary: bool,
    /// The primary's answers.
    pub primary: Counts,
    /// The canary's answers.
    pub canary: Counts,
    /// The evidence of a regression.
    pub evidence: Evidence,
}

/// Why a canary stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    /// The step lasts longer.
    Time {
        /// What is left of it.
        left: Duration,
    },
    /// There are too few answers.
    Requests {
        /// The analysis.
        analysis: String,
        /// How many the canary has.
        requests: u64,
        /// How many it needs.
        enough: u64,
    },
    /// An analysis cannot be measured.
    Blind {
        /// The analysis.
        analysis: String,
        /// For how long, by now.
        lasting: Duration,
    },
    /// A number has not been measured for long enough.
    Unmeasured {
        /// The analysis.
        analysis: String,
    },
    /// A number is beyond its bound, not long enough to be a regression.
    Beyond {
        /// The analysis.
        analysis: String,
        /// The number.
        value: f64,
        /// The bound.
        bound: f64,
    },
    /// The canary has more bad answers than is permitted, which may still be chance.
    Worse(Reading),
    /// There is no primary to compare with, and no bound.
    NoComparison {
        /// The analysis.
        analysis: String,
    },
    /// Nothing is measured at all.
    NoAnalysis,
}
