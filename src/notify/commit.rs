//! What is to be said of a commit: whether it is applied.

use crate::report::{State, Summary};

/// The longest description that every forge takes, in characters.
const LONGEST: usize = 140;

/// What is said of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommitNews {
    pub(super) revision: String,
    pub(super) state: CommitState,
    pub(super) description: String,
}

/// How a commit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitState {
    Pending,
    Success,
    Failure,
}

impl CommitNews {
    /// What the status store says of the newest commit; nothing while there is none.
    pub(super) fn of(summary: &Summary) -> Option<Self> {
        let revision = summary.source.last_attempted_revision.clone()?;
        let refused = summary.source.error.as_ref();
        let refused =
            refused.filter(|_| summary.source.accepted_revision.as_ref() != Some(&revision));
        if let Some(error) = refused {
            return Some(Self::new(revision, CommitState::Failure, error));
        }
        let all: Vec<_> = summary.platform.iter().chain(&summary.services).collect();
        let is_bad = |state: State| matches!(state, State::Stalled | State::Invalid);
        let bad: Vec<_> = all.iter().filter(|service| is_bad(service.state)).collect();
        let ready = all.iter().filter(|service| service.state == State::Ready).count();
        let count = format!("{ready} of {} services are as it says", all.len());
        Some(match bad.first() {
            Some(worst) => {
                let words = format!("{}: {}; {count}", worst.service, worst.reason);
                Self::new(revision, CommitState::Failure, &words)
            }
            None if ready < all.len() => Self::new(revision, CommitState::Pending, &count),
            None => Self::new(revision, CommitState::Success, &count),
        })
    }

    pub(super) fn new(revision: String, state: CommitState, description: &str) -> Self {
        let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut description: String = line.chars().take(LONGEST).collect();
        if description.len() < line.len() {
            description.pop();
            description.push('…');
        }
        Self { revision, state, description }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ServiceReport;

    fn summary(states: &[(&str, State, &str)]) -> Summary {
        let services = states.iter().map(|(name, state, reason)| ServiceReport {
            service: (*name).into(),
            state: *state,
            reason: (*reason).into(),
            ..ServiceReport::default()
        });
        let revision = Some("c0ffee".to_owned());
        let mut summary = Summary::default();
        summary.source.last_attempted_revision = revision.clone();
        summary.source.accepted_revision = revision;
        summary.services = services.collect();
        summary
    }

    fn reported(summary: &Summary) -> (CommitState, String) {
        let news = CommitNews::of(summary).expect("news");
        (news.state, news.description)
    }

    #[test]
    fn a_commit_is_as_good_as_its_worst_service() {
        use CommitState::{Failure, Pending, Success};
        let all = summary(&[("echo", State::Ready, ""), ("golf", State::Ready, "")]);
        assert_eq!(reported(&all), (Success, "2 of 2 services are as it says".into()));
        let some = summary(&[("echo", State::Ready, ""), ("golf", State::Progressing, "waits")]);
        assert_eq!(reported(&some), (Pending, "1 of 2 services are as it says".into()));
        let bad = summary(&[("echo", State::Ready, ""), ("golf", State::Stalled, "no\npods")]);
        assert_eq!(
            reported(&bad),
            (Failure, "golf: no pods; 1 of 2 services are as it says".into())
        );
        assert_eq!(CommitNews::of(&Summary::default()), None);
    }

    #[test]
    fn a_commit_that_was_refused_as_a_whole_failed() {
        let mut refused = summary(&[("echo", State::Ready, "")]);
        refused.source.last_attempted_revision = Some("badbad".into());
        refused.source.error = Some("x".repeat(500));
        let (state, words) = reported(&refused);
        assert_eq!((state, words.chars().count()), (CommitState::Failure, LONGEST));
        // A fetch that fails says nothing about the commit that is applied.
        refused.source.last_attempted_revision = Some("c0ffee".into());
        assert_eq!(reported(&refused).0, CommitState::Success);
    }
}
