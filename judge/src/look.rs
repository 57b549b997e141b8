//! What was seen at one look.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What was seen at one look, usually of one second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// The time since the look before.
    pub length: Duration,
    /// What was measured, by the name of the analysis. An analysis that is missing here is [`Measure::Blind`].
    pub measures: BTreeMap<String, Measure>,
    /// The canary's pods; `None` if nothing is known of them.
    pub pods: Option<Pods>,
}

/// What was measured for one analysis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Measure {
    /// It could not be measured, or not wholly: nothing is known, which is neither good nor bad.
    #[default]
    Blind,
    /// The answers since the look before, of all proxies together.
    Counts {
        /// Those of the primary.
        primary: Counts,
        /// Those of the canary.
        canary: Counts,
    },
    /// A number as it is now. One that is not finite is [`Measure::Blind`].
    Value(f64),
}

/// How many answers there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub total: u64,
    /// The bad ones among them.
    pub bad: u64,
}

impl Counts {
    /// Counts whose total is at least what is bad: two counters are not read at the same moment.
    pub fn new(total: u64, bad: u64) -> Self {
        Self { total: total.max(bad), bad }
    }

    /// The share of bad ones; `None` without an answer.
    pub fn share(self) -> Option<f64> {
        (self.total > 0).then(|| self.bad as f64 / self.total.max(self.bad) as f64)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.total = self.total.saturating_add(more.total);
        self.bad = self.bad.saturating_add(more.bad);
    }
}

/// The canary's pods at one look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    /// How many are desired.
    pub desired: u32,
    /// How many are ready.
    pub ready: u32,
    /// How often that pod has restarted since the step's begin which has restarted most.
    pub restarts: u32,
}
