//! What stands on a service's routes for its autopilot, so that a restart loses nothing that matters.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::labels::{AHEAD_OF_GIT, STEP};

/// The annotations on a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// Since when the canary has its weight.
    pub step: Option<StepMark>,
    /// Why the canary has no weight although the values say one.
    pub ahead: Option<AheadMark>,
}

/// The step that routes give a canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepMark {
    /// The canary.
    pub canary: String,
    /// Its weight, in percent.
    pub weight: u8,
    /// The blob of the service's file that says so.
    pub file: String,
    /// Since when.
    pub since: Timestamp,
}

/// An abort that the cluster has and git has not yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AheadMark {
    /// The blob of the service's file that it was decided on. It holds as long as the file is this.
    pub file: String,
    /// The commit in which the file was read.
    pub revision: String,
    /// Why: one line.
    pub reason: String,
    /// The message of the commit, below its subject.
    pub body: String,
    /// What it was decided on.
    pub evidence: Value,
    /// The commit that began the rollout, and whose it is.
    pub started_by: String,
    /// When it was decided.
    pub at: Timestamp,
}

impl Marks {
    /// What stands on a route; `None` when nothing does. What cannot be read counts as nothing.
    pub fn of(route: &Value) -> Option<Self> {
        let annotations = &route["metadata"]["annotations"];
        let marks =
            Self { step: read(&annotations[STEP]), ahead: read(&annotations[AHEAD_OF_GIT]) };
        (marks != Self::default()).then_some(marks)
    }
}

fn read<T: DeserializeOwned>(annotation: &Value) -> Option<T> {
    serde_json::from_str(annotation.as_str()?).ok()
}

impl StepMark {
    /// The step of a canary with this weight, by a file that is this blob. One that `live` routes have already began when
    /// they say it did, any other one `now`.
    pub fn new(canary: &str, weight: u8, file: &str, live: Option<&Self>, now: Timestamp) -> Self {
        let new = Self { canary: canary.to_owned(), weight, file: file.to_owned(), since: now };
        let known = live.filter(|live| **live == Self { since: live.since, ..new.clone() });
        known.cloned().unwrap_or(new)
    }
}
