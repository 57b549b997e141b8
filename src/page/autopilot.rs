//! How the autopilot of a service stands, on its page.

use jiff::Timestamp;

use super::moment::Moment;
use super::readable;
use crate::report::{AnalysisReport, AutopilotReport, CountsReport};

/// The autopilot of a service with a canary.
pub(super) struct AutopilotView {
    /// `on` or `shadow`.
    pub(super) mode: &'static str,
    /// What was decided last.
    pub(super) decision: &'static str,
    /// Why.
    pub(super) sentence: String,
    /// The steps, and where the canary stands on them.
    pub(super) steps: Vec<StepView>,
    /// Since when the canary has its weight.
    pub(super) since: Option<Moment>,
    pub(super) analyses: Vec<AnalysisRow>,
    pub(super) held: String,
    pub(super) problem: String,
    pub(super) pull_request: String,
}

/// A step of the ladder.
pub(super) struct StepView {
    pub(super) name: String,
    /// `done`, `now` or `next`.
    pub(super) place: &'static str,
}

/// What is measured.
pub(super) struct AnalysisRow {
    pub(super) name: String,
    pub(super) canary: String,
    pub(super) primary: String,
    /// Of the requests that the step needs, in percent.
    pub(super) enough: u64,
    /// The way to an abort, in percent.
    pub(super) harm: u64,
    /// Why it is not measured.
    pub(super) blind: String,
}

impl AutopilotView {
    pub(super) fn of(report: &AutopilotReport, now: Timestamp) -> Self {
        let weights = report.steps.iter().copied();
        let first = report.headers.then_some((0, "headers".to_owned()));
        let steps = first.into_iter().chain(weights.map(|weight| (weight, format!("{weight} %"))));
        let place = |weight: u8| match weight.cmp(&report.weight) {
            std::cmp::Ordering::Less => "done",
            std::cmp::Ordering::Equal => "now",
            std::cmp::Ordering::Greater => "next",
        };
        Self {
            mode: report.mode,
            decision: report.decision,
            sentence: readable(&report.sentence),
            steps: steps.map(|(weight, name)| StepView { name, place: place(weight) }).collect(),
            since: report.step_since.map(|since| Moment::of(since, now)),
            analyses: report.analyses.iter().map(AnalysisRow::of).collect(),
            held: readable(report.held.as_deref().unwrap_or_default()),
            problem: readable(report.problem.as_deref().unwrap_or_default()),
            pull_request: readable(report.pull_request.as_deref().unwrap_or_default()),
        }
    }
}

impl AnalysisRow {
    fn of(analysis: &AnalysisReport) -> Self {
        let words = |counts: Option<CountsReport>| {
            counts.map_or("–".to_owned(), |it| format!("{} of {} bad", it.bad, it.total))
        };
        let answered = analysis.canary.map_or(0, |counts| counts.total);
        Self {
            name: readable(&analysis.name),
            canary: words(analysis.canary),
            primary: words(analysis.primary),
            enough: answered.saturating_mul(100).checked_div(analysis.enough).unwrap_or(0).min(100),
            harm: (analysis.evidence.clamp(0.0, 1.0) * 100.0).round() as u64,
            blind: readable(analysis.blind_because.as_deref().unwrap_or_default()),
        }
    }
}
