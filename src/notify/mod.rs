//! Telling people elsewhere: the status of a commit at its forge, and one message per rollout that grows
//! with it.
//!
//! Whatever goes wrong here is tried again and logged; no rollout waits for it.

mod commit;
mod memory;
mod receivers;
mod rollout;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use reqwest::Client;
use tokio::time::sleep;

pub use commit::{CommitStatus, Forge};
pub use memory::Place;
pub use receivers::{Slack, Webhook};

use crate::report::{StatusStore, Summary};
use commit::CommitNews;
use memory::Memory;

/// How long news are collected before they are told: what changes within it is told once.
const PAUSE: Duration = Duration::from_secs(1);
/// How long one receiver may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest pause between two tries.
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
        let http = Client::builder().timeout(DEADLINE).user_agent("coalmine").build()?;
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
        loop {
            let untold = self.report(&self.status_store.summary(), &mut memory).await;
            pause = if untold { (pause * 2).min(LONGEST_PAUSE) } else { PAUSE };
            if !untold {
                // The status store lives as long as this does.
                let _ = changes.changed().await;
            }
            sleep(pause).await;
        }
    }

    /// Tells what is new; true when somebody could not be told.
    async fn report(&self, summary: &Summary, memory: &mut Memory) -> bool {
        let commit = self.report_commit(summary, memory).await.context("the commit's status");
        let rollouts = self.report_rollouts(summary, memory).await.context("a rollout's message");
        let mut untold = false;
        for trouble in [commit, rollouts].into_iter().filter_map(Result::err) {
            tracing::warn!("could not be told, it is tried again: {trouble:#}");
            untold = true;
        }
        untold
    }

    async fn report_commit(&self, summary: &Summary, memory: &mut Memory) -> anyhow::Result<()> {
        let Some(forge) = &self.receivers.commit_status else { return Ok(()) };
        let Some(news) = CommitNews::of(summary) else { return Ok(()) };
        if memory.commit.as_ref() != Some(&news) {
            forge.report(&self.http, &news).await?;
            memory.commit = Some(news);
        }
        Ok(())
    }

    async fn report_rollouts(&self, summary: &Summary, memory: &mut Memory) -> anyhow::Result<()> {
        let Receivers { slack, webhook, .. } = &self.receivers;
        let is_known = summary.source.accepted_revision.is_some();
        if !is_known || slack.is_none() && webhook.is_none() {
            return Ok(());
        }
        let news = memory.rollouts.follow(summary, Timestamp::now());
        memory.rollouts.remember_unsent(&news);
        // Before anybody hears of it: if this daemon dies in between, the next one goes on with the message.
        memory.save().await;
        let mut trouble = Ok(());
        for name in memory.rollouts.untold() {
            let Some(rollout) = memory.rollouts.0.get_mut(&name) else { continue };
            let mut told = Ok(());
            if let Some(slack) = slack {
                told = slack.report(&self.http, rollout).await;
            }
            if let Some(webhook) = webhook {
                told = told.and(webhook.report(&self.http, rollout).await);
            }
            match told {
                Ok(()) => memory.rollouts.reported(&name),
                Err(error) => trouble = Err(error),
            }
        }
        memory.save().await;
        trouble
    }
}
