//! A service's state in the form that Kubernetes' tools know: conditions with the time at which each
//! last turned. `Ready`, `Reconciling` and `Stalled` mean what kstatus means by them.

use jiff::Timestamp;
use serde::Serialize;

use super::service::{ServiceReport, State};

/// One condition, like those in the status of a Kubernetes object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    pub r#type: Kind,
    /// `True` or `False`.
    pub status: Status,
    /// Why, in one word.
    pub reason: &'static str,
    /// Why, for a person.
    pub message: String,
    /// When `status` last changed.
    pub last_transition_time: Timestamp,
}

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// As desired and healthy.
    Ready,
    /// On its way there.
    Reconciling,
    /// Not on its way there: somebody has to do something.
    Stalled,
    /// Somebody changed what the values say, and it is left so.
    Drifted,
    /// Somebody keeps changing what is repaired, so that repairs wait.
    Fighting,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Status {
    /// It does.
    True,
    /// It does not.
    False,
}

impl Kind {
    const ALL: [Self; 5] =
        [Self::Ready, Self::Reconciling, Self::Stalled, Self::Drifted, Self::Fighting];

    fn holds(self, report: &ServiceReport, state: State) -> bool {
        match self {
            Self::Ready => state == State::Ready,
            Self::Reconciling => state == State::Progressing,
            Self::Stalled => matches!(state, State::Stalled | State::Invalid),
            Self::Drifted => report.standing_drift.is_some(),
            Self::Fighting => report.fight.is_some(),
        }
    }

    fn reason(self, holds: bool, state: State) -> &'static str {
        match (self, holds) {
            (Self::Ready | Self::Reconciling | Self::Stalled, _) => state.name(),
            (Self::Drifted, true) => "ReportedOnly",
            (Self::Drifted, false) => "AsDesired",
            (Self::Fighting, true) => "BackingOff",
            (Self::Fighting, false) => "NoFight",
        }
    }

    fn message(self, report: &ServiceReport) -> String {
        let words = match self {
            Self::Ready | Self::Reconciling | Self::Stalled => Some(&report.reason),
            Self::Drifted => report.standing_drift.as_ref(),
            Self::Fighting => report.fight.as_ref(),
        };
        words.cloned().unwrap_or_default()
    }
}

/// Which conditions hold, and since when each has been as it is.
pub(super) struct Turns([(bool, Timestamp); Kind::ALL.len()]);

impl Turns {
    /// Nothing holds yet.
    pub(super) fn new(now: Timestamp) -> Self {
        Self([(false, now); Kind::ALL.len()])
    }

    /// Notes the time for those that turn now.
    pub(super) fn follow(&mut self, report: &ServiceReport, state: State, now: Timestamp) {
        for (kind, turn) in Kind::ALL.into_iter().zip(&mut self.0) {
            let holds = kind.holds(report, state);
            if turn.0 != holds {
                *turn = (holds, now);
            }
        }
    }

    /// The conditions of the report that was followed last.
    pub(super) fn conditions(&self, report: &ServiceReport) -> Vec<Condition> {
        let condition = |(kind, (holds, at)): (Kind, (bool, Timestamp))| Condition {
            r#type: kind,
            status: if holds { Status::True } else { Status::False },
            reason: kind.reason(holds, report.state),
            message: kind.message(report),
            last_transition_time: at,
        };
        Kind::ALL.into_iter().zip(self.0).map(condition).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn a_condition_keeps_the_time_of_its_last_turn() {
        let mut report = ServiceReport::default();
        let mut turns = Turns::new(at(1));
        report.ready("a");
        turns.follow(&report, report.state, at(2));
        turns.follow(&report, report.state, at(3));
        report.fight = Some("kubectl keeps changing spec.replicas".into());
        turns.follow(&report, report.state, at(4));
        let told = turns.conditions(&report).into_iter();
        let told: Vec<_> =
            told.map(|c| (c.r#type, c.status, c.last_transition_time.as_second())).collect();
        assert_eq!(
            told,
            [
                (Kind::Ready, Status::True, 2),
                (Kind::Reconciling, Status::False, 1),
                (Kind::Stalled, Status::False, 1),
                (Kind::Drifted, Status::False, 1),
                (Kind::Fighting, Status::True, 4),
            ]
        );
    }

    #[test]
    fn values_with_errors_are_stalled_in_kubernetes_terms_and_say_invalid() {
        let report = ServiceReport {
            state: State::Invalid,
            reason: "services/echo.yaml:1:1: no".into(),
            ..ServiceReport::default()
        };
        let mut turns = Turns::new(at(1));
        turns.follow(&report, report.state, at(2));
        let stalled = &turns.conditions(&report)[2];
        assert_eq!(
            (stalled.status, stalled.reason, stalled.message.as_str()),
            (Status::True, "Invalid", "services/echo.yaml:1:1: no")
        );
    }
}
