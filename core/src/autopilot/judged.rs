//! The rules of the values in the terms of the judge.

use std::time::Duration;

use judge::{Analysis, Bound, Number, Policy, Rate};

use crate::values::{self, AnalysisRule, Autopilot};

/// For how many looks slow answers can have one cause: Envoy brings its histograms up to date every five seconds, so
/// that what is slow for a moment can stand in two looks so far apart.
const SLOW_CELL: u32 = 10;
/// The same for counters of a PromQL server, which are scraped every fifteen seconds as a rule.
const COUNTED_CELL: u32 = 30;

/// What a rollout is judged by.
pub fn policy(autopilot: &Autopilot) -> Policy {
    let analyses = autopilot.analyses.iter();
    let analyses = analyses.map(|(name, rule)| (name.clone(), analysis(name, rule))).collect();
    let ladder = &autopilot.ladder;
    let steps = ladder.steps.len() + usize::from(ladder.headers);
    Policy {
        analyses,
        false_alarm: autopilot.false_alarm,
        steps: u32::try_from(steps).unwrap_or(u32::MAX).max(1),
        enough: autopilot.enough,
    }
}

fn analysis(name: &str, rule: &AnalysisRule) -> Analysis {
    let rate = |comparison: &values::Comparison, cell, words: String| {
        let values::Comparison { worse, above } = *comparison;
        Analysis::Rate(Rate { worse, above, cell, brake: false, words })
    };
    match rule {
        AnalysisRule::Errors(comparison) => {
            Analysis::Rate(Rate::errors(comparison.worse, comparison.above))
        }
        AnalysisRule::Slow { over, comparison } => {
            rate(comparison, SLOW_CELL, format!("slower than {}", time(*over)))
        }
        AnalysisRule::Counters { comparison, .. } => {
            rate(comparison, COUNTED_CELL, format!("badly by `{name}`"))
        }
        AnalysisRule::Number { bound, lasting, .. } => Analysis::Number(Number {
            bound: match *bound {
                values::Bound::Max(bound) => Bound::Max(bound),
                values::Bound::Min(bound) => Bound::Min(bound),
            },
            lasting: *lasting,
        }),
    }
}

fn time(time: Duration) -> String {
    match time.as_millis() {
        whole if whole.is_multiple_of(1000) => format!("{} s", whole / 1000),
        milliseconds => format!("{milliseconds} ms"),
    }
}
