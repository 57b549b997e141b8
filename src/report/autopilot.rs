//! How the autopilot of a service stands.

use jiff::Timestamp;
use serde::Serialize;

/// How the autopilot of a service stands, while a canary is rolled out or held.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AutopilotReport {
    /// `on`, or `shadow` when it only reports.
    pub mode: &'static str,
    /// The weights of the ladder.
    pub steps: Vec<u8>,
    /// Whether the ladder begins with phase 1.
    pub headers: bool,
    /// The canary's weight by the values.
    pub weight: u8,
    /// What comes next: a weight, `finish`, or nothing where that is up to a person.
    pub next: Option<String>,
    /// Since when the canary has its weight.
    pub step_since: Option<Timestamp>,
    /// The least time of the step, in seconds.
    pub least_seconds: u64,
    /// When what comes next may come at the earliest.
    pub earliest: Option<Timestamp>,
    /// What was decided last: `hold`, `promote`, `finish` or `abort`.
    pub decision: &'static str,
    /// Why, in one sentence.
    pub sentence: String,
    /// What is waited for, each in words.
    pub waits: Vec<String>,
    /// What is measured.
    pub analyses: Vec<AnalysisReport>,
    /// Why the canary is held, if it is.
    pub held: Option<String>,
    /// Why something that was decided is not done, and what to do.
    pub problem: Option<String>,
    /// The pull request that waits for a person.
    pub pull_request: Option<String>,
}

/// What is measured of a rollout, in its present step.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisReport {
    /// Its name.
    pub name: String,
    /// The canary's answers.
    pub canary: Option<CountsReport>,
    /// The primary's answers.
    pub primary: Option<CountsReport>,
    /// The answers of the canary that the step needs.
    pub enough: u64,
    /// The way of the evidence to an abort, from 0 to 1.
    pub evidence: f64,
    /// For how many seconds it has not been measured.
    pub blind_seconds: Option<u64>,
    /// Why.
    pub blind_because: Option<String>,
}

/// Answers of one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CountsReport {
    /// All.
    pub total: u64,
    /// The bad ones.
    pub bad: u64,
}
