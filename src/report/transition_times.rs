//! Which conditions a report means, and since when each has been as it is.

use jiff::Timestamp;

use super::condition::{Condition, Kind, Status};
use super::service::{ServiceReport, State};
use coalmine_core::reason::Code;

/// Whether the condition holds of a service in this state.
fn holds(kind: Kind, report: &ServiceReport, state: State) -> bool {
    match kind {
        Kind::Ready => state == State::Ready,
        Kind::Reconciling => state == State::Progressing,
        Kind::Stalled => matches!(state, State::Stalled | State::Invalid),
        Kind::Drifted => report.remaining_drift.is_some(),
        Kind::Fighting => report.fight.is_some(),
    }
}

/// The code of what is said about the condition; where there is none, the state.
fn reason(kind: Kind, holds: bool, report: &ServiceReport) -> &'static str {
    match (kind, holds) {
        (Kind::Ready | Kind::Reconciling | Kind::Stalled, _) => {
            report.reason_code.map_or(report.state.name(), Code::as_str)
        }
        (Kind::Drifted, true) => Code::DriftReported.as_str(),
        (Kind::Drifted, false) => "AsDesired",
        (Kind::Fighting, true) => Code::DriftBackingOff.as_str(),
        (Kind::Fighting, false) => "NoFight",
    }
}

fn message(kind: Kind, report: &ServiceReport) -> String {
    let message = match kind {
        Kind::Ready | Kind::Reconciling | Kind::Stalled => Some(&report.reason),
        Kind::Drifted => report.remaining_drift.as_ref(),
        Kind::Fighting => report.fight.as_ref(),
    };
    message.cloned().unwrap_or_default()
}

/// Which conditions hold, and since when each has been as it is.
pub(super) struct TransitionTimes([(bool, Timestamp); Kind::ALL.len()]);

impl TransitionTimes {
    /// Nothing holds yet.
    pub(super) fn new(now: Timestamp) -> Self {
        Self([(false, now); Kind::ALL.len()])
    }

    /// Notes the time for those that turn now.
    pub(super) fn follow(&mut self, report: &ServiceReport, state: State, now: Timestamp) {
        for (kind, turn) in Kind::ALL.into_iter().zip(&mut self.0) {
            let now_holds = holds(kind, report, state);
            if turn.0 != now_holds {
                *turn = (now_holds, now);
            }
        }
    }

    /// The conditions of the report that was followed last.
    pub(super) fn conditions(&self, report: &ServiceReport) -> Vec<Condition> {
        let condition = |(kind, (holds, at)): (Kind, (bool, Timestamp))| Condition {
            r#type: kind,
            status: if holds { Status::True } else { Status::False },
            reason: reason(kind, holds, report),
            message: message(kind, report),
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
        let mut turns = TransitionTimes::new(at(1));
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
    fn the_reason_of_a_condition_is_the_code_while_there_is_one_and_else_the_state() {
        let mut report = ServiceReport::default();
        let turns = TransitionTimes::new(at(1));
        let told = |report: &ServiceReport| {
            turns.conditions(report).iter().map(|it| it.reason).collect::<Vec<_>>()
        };
        report.stalled(Code::GlooRejected, "RouteTable echo/echo: no");
        let code = "GlooRejected";
        assert_eq!(told(&report), [code, code, code, "AsDesired", "NoFight"]);
        report.ready("a");
        assert_eq!(told(&report), ["Ready", "Ready", "Ready", "AsDesired", "NoFight"]);
        report.progressing(None, "");
        assert_eq!(told(&report)[0], "Progressing");
    }

    #[test]
    fn values_with_errors_are_stalled_in_kubernetes_terms_and_say_invalid() {
        let report = ServiceReport {
            state: State::Invalid,
            reason_code: Some(Code::Invalid),
            reason: "services/echo.yaml:1:1: no".into(),
            ..ServiceReport::default()
        };
        let mut turns = TransitionTimes::new(at(1));
        turns.follow(&report, report.state, at(2));
        let stalled = &turns.conditions(&report)[2];
        assert_eq!(
            (stalled.status, stalled.reason, stalled.message.as_str()),
            (Status::True, "Invalid", "services/echo.yaml:1:1: no")
        );
    }
}
