//! How a service is doing, in the words and with the weight that it has for people.

use jiff::Timestamp;

use super::moment::Moment;
use super::readable;
use crate::report::{ConditionKind, ServiceReport, State};
use coalmine_core::phase::Phase;

/// What a service wants of people, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Somebody has to do something.
    Attention,
    /// A rollout is under way.
    Rollout,
    /// Nothing.
    Healthy,
}

/// How a service is doing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Appearance {
    pub(super) urgency: Urgency,
    /// How it looks: `bad`, `warn`, `busy` or `good`.
    pub(super) tone: &'static str,
    /// In one word.
    pub(super) word: &'static str,
    /// What it waits for, or what is wrong; empty when there is nothing to say.
    pub(super) reason: String,
    pub(super) since: Moment,
}

impl Appearance {
    pub(super) fn of(report: &ServiceReport, now: Timestamp) -> Self {
        let turned = |kind| {
            let condition = report.conditions.iter().find(|condition| condition.r#type == kind);
            condition.map_or(report.since, |condition| condition.last_transition_time)
        };
        let (tone, word, reason, since) =
            match (report.state, &report.fight, &report.remaining_drift) {
                (State::Invalid, ..) => ("bad", "Invalid", Some(&report.reason), report.since),
                (State::Stalled, ..) => ("bad", "Stalled", Some(&report.reason), report.since),
                (State::Progressing, ..) => {
                    ("busy", "Progressing", Some(&report.reason), report.since)
                }
                (State::Ready, Some(fight), _) => {
                    ("warn", "Fighting", Some(fight), turned(ConditionKind::Fighting))
                }
                (State::Ready, None, Some(drift)) => {
                    ("warn", "Drifted", Some(drift), turned(ConditionKind::Drifted))
                }
                (State::Ready, None, None) => ("good", "Ready", None, report.since),
            };
        let urgency = match tone {
            "bad" | "warn" => Urgency::Attention,
            "busy" => Urgency::Rollout,
            _ if is_at_rest(report) => Urgency::Healthy,
            _ => Urgency::Rollout,
        };
        let reason = reason.map(|reason| readable(reason)).unwrap_or_default();
        Self { urgency, tone, word, reason, since: Moment::of(since, now) }
    }
}

/// Whether no rollout is under way. `platform/` has none.
fn is_at_rest(report: &ServiceReport) -> bool {
    report.phase.is_empty() || report.phase == Phase::Stable.name()
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_core::reason::Code;

    fn appearance(change: impl FnOnce(&mut ServiceReport)) -> Appearance {
        let mut report = ServiceReport { phase: "Stable".into(), ..ServiceReport::default() };
        report.ready("a");
        change(&mut report);
        Appearance::of(&report, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_is_stuck_invalid_or_changed_by_others_needs_a_person() {
        let stalled =
            appearance(|report| report.stalled(Code::WaitingForPods, "no\u{202e} pod\nsee it"));
        assert_eq!((stalled.urgency, stalled.word), (Urgency::Attention, "Stalled"));
        assert_eq!(stalled.reason, "no\\u{202e} pod\nsee it");
        let invalid = appearance(|report| report.state = State::Invalid);
        assert_eq!((invalid.urgency, invalid.word), (Urgency::Attention, "Invalid"));
        let drifted = appearance(|report| report.remaining_drift = Some("3 instead of 1".into()));
        assert_eq!((drifted.urgency, drifted.word), (Urgency::Attention, "Drifted"));
        let fighting = appearance(|report| report.fight = Some("kubectl".into()));
        assert_eq!((fighting.word, fighting.reason.as_str()), ("Fighting", "kubectl"));
    }

    #[test]
    fn a_rollout_is_under_way_until_there_is_one_version() {
        assert_eq!(appearance(|_| ()).urgency, Urgency::Healthy);
        assert_eq!(appearance(|report| report.phase = "Shifting".into()).urgency, Urgency::Rollout);
        assert_eq!(appearance(|report| report.progressing(None, "")).urgency, Urgency::Rollout);
        assert_eq!(
            appearance(|report| report.phase.clear()).urgency,
            Urgency::Healthy,
            "platform/"
        );
    }
}
