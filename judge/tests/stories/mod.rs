//! Looks and policies of which stories are made.

use std::time::Duration;

use judge::{Analysis, Counts, Decision, Enough, Judge, Look, Measure, Names, Policy, Rate};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const LEAST: Duration = Duration::from_secs(300);
pub(crate) const NAMES: Names<'_> = Names { primary: "v1", canary: "v2" };

pub(crate) fn policy(analyses: &[(&str, Analysis)]) -> Policy {
    Policy {
        analyses: analyses.iter().map(|(name, it)| ((*name).to_owned(), it.clone())).collect(),
        false_alarm: 0.001,
        steps: 5,
        enough: Enough::default(),
    }
}

pub(crate) fn errors() -> Policy {
    policy(&[("errors", Analysis::Rate(Rate::errors(1.5, Some(0.002))))])
}

pub(crate) fn counts(primary: (u64, u64), canary: (u64, u64)) -> Measure {
    Measure::Counts {
        primary: Counts::new(primary.0, primary.1),
        canary: Counts::new(canary.0, canary.1),
    }
}

pub(crate) fn look(measures: &[(&str, Measure)]) -> Look {
    let measures = measures.iter().map(|(name, it)| ((*name).to_owned(), *it)).collect();
    Look { length: SECOND, measures, pods: None }
}

pub(crate) fn of_errors(primary: (u64, u64), canary: (u64, u64)) -> Look {
    look(&[("errors", counts(primary, canary))])
}

/// The decision after these looks, one each second from the step's begin on.
pub(crate) fn decide(policy: &Policy, looks: &[Look]) -> Decision {
    let mut judge = Judge::new(policy, true);
    looks.iter().for_each(|it| judge.look(policy, it));
    judge.decide(policy, LEAST, SECOND * u32::try_from(looks.len()).expect("few"))
}
