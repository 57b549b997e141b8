//! Telling people elsewhere: the status of a commit at its forge, and one message per rollout that grows
//! with it.
//!
//! Whatever goes wrong here is tried again and logged; no rollout waits for it.

mod back_off;
mod commit;
mod forge;
mod memory;
mod receivers;
mod rollout;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Client;
use tokio::time::{Instant, sleep, sleep_until};

pub use forge::CommitStatus;
pub use memory::Place;
pub use receivers::{Slack, Webhook};

pub use crate::forge::Forge;
use crate::forge::same_server;
use crate::report::{StatusStore, Summary};
use back_off::{BackOff, Failure};
use commit::CommitNews;
use memory::Memory;
use rollout::{Channel, Rollout, Told};

/// How long news are collected before they are told: what changes within it is told once.
const PAUSE: Duration = Duration::from_secs(1);
/// How long one receiver may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest pause between two tries to find out what was told before.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Who is told.
#[derive(Clone, Debug, Default)]
pub struct Receivers {
    /// The forge that shows the status of commits.
    pub commit_status: Option<CommitStatus>,
    /// A Slack channel.
    pub slack: Option<Slack>,
    /// An address.
    pub webhook: Option<Webhook>,
}

impl Receivers {
    /// Whether nobody is told anything.
    pub fn is_empty(&self) -> bool {
        self.commit_status.is_none() && self.slack.is_none() && self.webhook.is_none()
    }

    /// Who of them gets messages of rollouts.
    fn channels(&self) -> BTreeSet<Channel> {
        let slack = self.slack.is_some().then_some(Channel::Slack);
        slack.into_iter().chain(self.webhook.is_some().then_some(Channel::Webhook)).collect()
    }
}

/// Tells the receivers what the status store shows.
pub struct Notifier {
    receivers: Receivers,
    status_store: Arc<StatusStore>,
    place: Place,
    http: Client,
}

impl Notifier {
    /// What was told is remembered in `place`, so that whoever goes on with the work goes on with the
    /// messages.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn new(
        receivers: Receivers,
        status_store: Arc<StatusStore>,
        place: Place,
    ) -> anyhow::Result<Self> {
        let http = Client::builder()
            .timeout(DEADLINE)
            .user_agent("coalmine")
            .redirect(same_server())
            .build()?;
        Ok(Self { receivers, status_store, place, http })
    }

    /// Tells whatever is new, for ever.
    pub async fn notify(&self) {
        let mut pause = PAUSE;
        let mut memory = loop {
            match Memory::load(self.place.clone()).await {
                Ok(memory) => break memory,
                Err(error) => {
                    tracing::warn!("nobody is told anything, it is tried again: {error:#}")
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        let mut changes = self.status_store.changes();
        let mut back_offs = BackOffs::default();
        loop {
            let summary = self.status_store.summary();
            self.report(&summary, &mut memory, &mut back_offs, Instant::now()).await;
            // The status store lives as long as this does.
            match back_offs.next() {
                Some(next) => tokio::select! {
                    _ = changes.changed() => sleep(PAUSE).await,
                    () = sleep_until(next) => {}
                },
                None => {
                    let _ = changes.changed().await;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Tells what is new to each receiver that is due, all at the same time; true when somebody could not be
    /// told.
    async fn report(
        &self,
        summary: &Summary,
        memory: &mut Memory,
        back_offs: &mut BackOffs,
        now: Instant,
    ) -> bool {
        let channels = self.receivers.channels();
        let is_known = summary.source.accepted_revision.is_some() && !channels.is_empty();
        if is_known {
            let news = memory.rollouts.follow(summary, Timestamp::now());
            memory.rollouts.remember_unsent(&news);
            // Before anybody hears of it: if this daemon dies in between, the next one goes on with the
            // message.
            memory.save().await;
        }
        let untold = |channel| if is_known { memory.rollouts.untold(channel) } else { Vec::new() };
        let BackOffs { commit, slack, webhook } = back_offs;
        let (told_commit, told_slack, told_webhook) = tokio::join!(
            commit.when_due(now, self.report_commit(summary, memory.commit.as_ref())),
            slack.when_due(now, self.report_to_slack(untold(Channel::Slack))),
            webhook.when_due(now, self.report_to_webhook(untold(Channel::Webhook))),
        );
        if let Some((news, failure)) = told_commit {
            memory.commit = news.or(memory.commit.take());
            commit.note("the commit's status", failure, now);
        }
        if let Some((rollouts, failure)) = told_slack {
            memory.rollouts.accept(Channel::Slack, rollouts, &channels);
            slack.note("a rollout's message in Slack", failure, now);
        }
        if let Some((rollouts, failure)) = told_webhook {
            memory.rollouts.accept(Channel::Webhook, rollouts, &channels);
            webhook.note("a rollout's message as JSON", failure, now);
        }
        if is_known {
            memory.save().await;
        }
        back_offs.next().is_some()
    }

    /// Tells what is new of the commit; returns it if it was told.
    async fn report_commit(
        &self,
        summary: &Summary,
        last: Option<&CommitNews>,
    ) -> (Option<CommitNews>, Option<Failure>) {
        let Some(forge) = &self.receivers.commit_status else { return (None, None) };
        let news = CommitNews::of(summary).filter(|news| forge.is_news(last, news));
        let Some(news) = news else { return (None, None) };
        match forge.report(&self.http, &news).await {
            Ok(()) => (Some(news), None),
            Err(failure) => (None, Some(failure)),
        }
    }

    async fn report_to_slack(&self, rollouts: Vec<Rollout>) -> (Vec<Told>, Option<Failure>) {
        let Some(slack) = &self.receivers.slack else { return (Vec::new(), None) };
        let mut round = Round::default();
        for mut rollout in rollouts {
            let told = slack.report(&self.http, &mut rollout).await;
            if round.ends_with(rollout, told) {
                break;
            }
        }
        (round.told, round.failure)
    }

    async fn report_to_webhook(&self, rollouts: Vec<Rollout>) -> (Vec<Told>, Option<Failure>) {
        let Some(webhook) = &self.receivers.webhook else { return (Vec::new(), None) };
        let mut round = Round::default();
        for rollout in rollouts {
            let told = webhook.report(&self.http, &rollout).await;
            if round.ends_with(rollout, told) {
                break;
            }
        }
        (round.told, round.failure)
    }
}

/// When each receiver is tried again: none waits for another.
#[derive(Debug, Default)]
struct BackOffs {
    commit: BackOff,
    slack: BackOff,
    webhook: BackOff,
}

impl BackOffs {
    /// When the first of those that failed is to be tried again.
    fn next(&self) -> Option<Instant> {
        [&self.commit, &self.slack, &self.webhook].into_iter().filter_map(BackOff::next).min()
    }
}

/// The messages that one receiver was sent.
#[derive(Default)]
struct Round {
    told: Vec<Told>,
    /// The last one.
    failure: Option<Failure>,
}

impl Round {
    /// Notes how a message fared; true when the others need not be tried now.
    fn ends_with(&mut self, rollout: Rollout, result: Result<(), Failure>) -> bool {
        self.told.push(Told { rollout, is_told: result.is_ok() });
        let Err(failure) = result else { return false };
        let ends = failure.concerns_all();
        self.failure = Some(failure);
        ends
    }
}
