//! One message per rollout, which grows with it: what it says, and when it is over.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::report::{ServiceReport, State, Summary};

/// How many steps a message shows.
const MOST_STEPS: usize = 20;

/// Who gets messages of rollouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Channel {
    Slack,
    Webhook,
}

/// A rollout that is under way, or has just ended, as it was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rollout {
    /// Tells it from other rollouts of the service: the commit that it began with.
    pub(super) id: String,
    /// The service.
    pub(super) service: String,
    /// What was reached, and when; the newest last.
    pub(super) steps: Vec<Step>,
    /// Whether the service is stable and well again.
    pub(super) finished: bool,
    /// Whether some receiver has yet to get the message as it is.
    #[serde(default)]
    pub(super) untold: bool,
    /// The receivers that have the message as it is, while others have yet to get it.
    #[serde(default)]
    pub(super) sent: BTreeSet<Channel>,
    /// How the receivers know the message, by receiver.
    #[serde(default)]
    pub(super) messages: BTreeMap<String, String>,
}

/// Something that was reached, or went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) at: Timestamp,
    pub(super) words: String,
    /// The commit, shortened. Another one that means the same for the service is no news.
    pub(super) commit: String,
}

impl Rollout {
    /// Accepts a step, unless it says the same as the last one; true if it is news.
    fn reached(&mut self, step: Step, finished: bool) -> bool {
        let is_news = self.steps.last().is_none_or(|last| last.words != step.words);
        if is_news {
            self.steps.push(step);
            let surplus = self.steps.len().saturating_sub(MOST_STEPS);
            self.steps.drain(..surplus);
            self.finished = finished;
        }
        is_news
    }

    /// The message.
    pub(super) fn text(&self) -> String {
        let steps = self.steps.iter().map(|step| {
            let at = step.at.strftime("%H:%M:%S");
            format!("{at} {} (commit {})", step.words, step.commit)
        });
        let end = if self.finished {
            ["done".to_owned()].into_iter()
        } else {
            [String::new()].into_iter()
        };
        let lines = [format!("Rollout of {}", self.service)].into_iter().chain(steps).chain(end);
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

/// A rollout's message that was sent to a receiver.
pub(super) struct Told {
    /// The rollout, and how the receiver knows its message now.
    pub(super) rollout: Rollout,
    /// Whether the receiver has it.
    pub(super) is_told: bool,
}

/// The rollouts that are under way, by service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rollouts(pub(super) BTreeMap<String, Rollout>);

impl Rollouts {
    /// Notes that the messages of these services have yet to be told.
    pub(super) fn remember_unsent(&mut self, services: &[String]) {
        for service in services {
            if let Some(rollout) = self.0.get_mut(service) {
                rollout.untold = true;
                rollout.sent.clear();
            }
        }
    }

    /// The rollouts whose message this receiver has yet to get.
    pub(super) fn untold(&self, channel: Channel) -> Vec<Rollout> {
        let untold = |rollout: &&Rollout| rollout.untold && !rollout.sent.contains(&channel);
        self.0.values().filter(untold).cloned().collect()
    }

    /// Notes what one of the receivers got.
    pub(super) fn accept(
        &mut self,
        channel: Channel,
        sent: Vec<Told>,
        receivers: &BTreeSet<Channel>,
    ) {
        for Told { rollout: Rollout { service, messages, .. }, is_told } in sent {
            let Some(rollout) = self.0.get_mut(&service) else { continue };
            if channel == Channel::Slack {
                rollout.messages = messages;
            }
            if is_told {
                rollout.sent.insert(channel);
            }
            if rollout.sent.is_superset(receivers) {
                self.reported(&service);
            }
        }
    }

    /// Notes that the message of this service was told to all; forgets a rollout whose end was.
    pub(super) fn reported(&mut self, service: &str) {
        let Some(rollout) = self.0.get_mut(service) else { return };
        rollout.untold = false;
        rollout.sent.clear();
        if rollout.finished {
            self.0.remove(service);
        }
    }

    /// Accepts what the status store says, and names the services of which there is something new to tell.
    ///
    /// A service is in a rollout from when it is anything but stable and well until it is so again.
    pub(super) fn follow(&mut self, summary: &Summary, now: Timestamp) -> Vec<String> {
        let mut news = Vec::new();
        for report in summary.services.iter().filter(|report| !is_new(report)) {
            let is_well = report.phase == "Stable" && report.state == State::Ready;
            let commit = report.last_attempted_revision.chars().take(7).collect();
            let step = Step { at: now, words: words(report), commit };
            let is_news = match self.0.get_mut(&report.service) {
                None if is_well => false,
                None => {
                    let rollout = Rollout {
                        id: report.last_attempted_revision.clone(),
                        service: report.service.clone(),
                        steps: vec![step],
                        finished: false,
                        untold: false,
                        sent: BTreeSet::new(),
                        messages: BTreeMap::new(),
                    };
                    self.0.insert(report.service.clone(), rollout);
                    true
                }
                Some(rollout) => rollout.reached(step, is_well),
            };
            news.extend(is_news.then(|| report.service.clone()));
        }
        let is_there = |name: &str| summary.services.iter().any(|it| it.service == name);
        let commit: String = summary
            .source
            .last_attempted_revision
            .iter()
            .flat_map(|it| it.chars())
            .take(7)
            .collect();
        for (name, rollout) in self.0.iter_mut().filter(|(name, _)| !is_there(name)) {
            let step =
                Step { at: now, words: "the service is gone".into(), commit: commit.clone() };
            news.extend(rollout.reached(step, true).then(|| name.clone()));
        }
        news
    }
}

/// A service of which nothing is applied yet is progressing without a message: a thousand of them may start at once.
fn is_new(report: &ServiceReport) -> bool {
    report.last_applied_revision.is_none() && report.state == State::Progressing
}

fn words(report: &ServiceReport) -> String {
    let shares: Vec<String> = report
        .weights
        .iter()
        .filter(|(_, share)| *share > 0)
        .map(|(version, share)| format!("{version} {share} %"))
        .collect();
    let ServiceReport { phase, reason, .. } = report;
    let stand = format!("{phase}, {}", shares.join(", "));
    match report.state {
        // What it waits for changes often, and is no news.
        State::Progressing => format!("progressing to {stand}"),
        State::Ready => stand,
        State::Stalled => format!("stalled: {reason}"),
        State::Invalid => format!("the values have mistakes: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_core::values::Version;

    fn report(phase: &str, state: State, revision: &str) -> ServiceReport {
        ServiceReport {
            service: "echo".into(),
            phase: phase.into(),
            state,
            last_attempted_revision: revision.into(),
            last_applied_revision: Some("0".into()),
            weights: [(&Version::new("v1").expect("a version"), 100)].into_iter().collect(),
            ..ServiceReport::default()
        }
    }

    fn follow(rollouts: &mut Rollouts, report: ServiceReport, second: i64) -> Vec<String> {
        let summary = Summary { services: vec![report], ..Summary::default() };
        rollouts.follow(&summary, Timestamp::from_second(second).expect("a time"))
    }

    #[test]
    fn a_rollout_is_one_message_that_grows_until_the_service_is_stable_again() {
        let mut rollouts = Rollouts::default();
        assert!(follow(&mut rollouts, report("Stable", State::Ready, "0"), 0).is_empty());
        for (second, phase, state, revision) in [
            (1, "CanaryTest", State::Progressing, "a"),
            (2, "CanaryTest", State::Ready, "a"),
            (3, "Shifted", State::Ready, "b"),
            (4, "Stable", State::Progressing, "c"),
            (5, "Stable", State::Ready, "c"),
        ] {
            let news = follow(&mut rollouts, report(phase, state, revision), second);
            assert_eq!(news, ["echo"], "{second}");
            assert_eq!(rollouts.0["echo"].id, "a");
        }
        insta::assert_snapshot!(rollouts.0["echo"].text(), @r"
        Rollout of echo
        00:00:01 progressing to CanaryTest, v1 100 % (commit a)
        00:00:02 CanaryTest, v1 100 % (commit a)
        00:00:03 Shifted, v1 100 % (commit b)
        00:00:04 progressing to Stable, v1 100 % (commit c)
        00:00:05 Stable, v1 100 % (commit c)
        done
        ");
        rollouts.reported("echo");
        assert!(follow(&mut rollouts, report("Stable", State::Ready, "c"), 6).is_empty());
        assert!(rollouts.0.is_empty());
    }

    #[test]
    fn the_same_is_told_once() {
        let mut rollouts = Rollouts::default();
        let stalled =
            ServiceReport { reason: "no pods".into(), ..report("Stable", State::Stalled, "a") };
        assert_eq!(follow(&mut rollouts, stalled.clone(), 1), ["echo"]);
        let other_commit = ServiceReport { last_attempted_revision: "b".into(), ..stalled };
        assert!(follow(&mut rollouts, other_commit, 2).is_empty());
    }

    #[test]
    fn a_daemon_that_starts_anew_goes_on_where_the_one_before_was() {
        let mut rollouts = Rollouts::default();
        assert_eq!(follow(&mut rollouts, report("Shifted", State::Ready, "a"), 1), ["echo"]);
        let known = rollouts.clone();
        let unknown = ServiceReport {
            last_applied_revision: None,
            ..report("Stable", State::Progressing, "b")
        };
        assert!(follow(&mut rollouts, unknown, 2).is_empty());
        assert_eq!(rollouts, known);
        assert_eq!(follow(&mut rollouts, report("Stable", State::Ready, "b"), 3), ["echo"]);
        assert!(rollouts.0["echo"].finished);
    }

    #[test]
    fn the_rollout_of_a_service_that_is_gone_is_over() {
        let mut rollouts = Rollouts::default();
        follow(&mut rollouts, report("Shifted", State::Ready, "a"), 1);
        let mut gone = Summary::default();
        gone.source.last_attempted_revision = Some("0123456789".into());
        assert_eq!(rollouts.follow(&gone, Timestamp::UNIX_EPOCH), ["echo"]);
        let text = rollouts.0["echo"].text();
        assert!(text.ends_with("the service is gone (commit 0123456)\ndone"), "{text}");
        assert!(rollouts.follow(&gone, Timestamp::UNIX_EPOCH).is_empty());
    }

    #[test]
    fn a_message_stays_short() {
        let mut rollouts = Rollouts::default();
        for second in 0..100 {
            let phase = if second % 2 == 0 { "Shifting" } else { "Shifted" };
            follow(&mut rollouts, report(phase, State::Ready, "a"), second);
        }
        assert_eq!(rollouts.0["echo"].steps.len(), MOST_STEPS);
    }
}
