//! Following the source: fetch, and accept what is new.

use std::time::{Duration, Instant};

use super::Daemon;
use crate::election::Leadership;
use crate::hint;
use crate::source::{Revision, Source, SourceError, Trigger, next_poll};
use coalmine_core::reason::Hinted;

/// How far polls spread around the interval, as a fraction of it.
pub(super) const JITTER: f64 = 0.1;
/// The loop that is to come round, for whoever watches over the daemon.
pub(super) const SOURCE_LOOP: &str = "source";
/// How long a start without the source waits to hear what the replica before was at; then it is asked again
/// at the next poll.
const KNOWN_SOON: Duration = Duration::from_secs(10);
/// How soon a revision that could not be accepted is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Fetches. Where signatures are asked for, the first fetch of an empty state directory goes by what the
/// Lease says was accepted last, and nothing is accepted while that is not known.
async fn fetch(source: &Source, leadership: &Leadership) -> Result<Revision, SourceError> {
    if source.needs_last_accepted() {
        match tokio::time::timeout(KNOWN_SOON, leadership.last_accepted()).await {
            Ok(Some(commit)) => source.accepted_elsewhere(&commit),
            Ok(None) => {}
            Err(_) => return Err(SourceError::LastUnknown),
        }
    }
    source.fetch().await
}

impl Daemon {
    /// Fetches whenever it is time or the trigger is pulled, for ever, and accepts every new revision.
    /// Forwards triggers to the replica that leads.
    pub(super) async fn follow(
        &mut self,
        source: &Source,
        interval: Duration,
        trigger: Trigger,
        leadership: &Leadership,
    ) {
        let mut accepted: Option<Revision> = None;
        let mut random = fastrand::Rng::new();
        let mut retry = RETRY.0;
        let mut has_orphans = false;
        let health = self.reports.health.clone();
        loop {
            health.beat(SOURCE_LOOP);
            let mut pause = next_poll(interval, JITTER, &mut random);
            let begun = Instant::now();
            let fetched = fetch(source, leadership).await;
            self.reports.metrics.fetched(begun.elapsed(), fetched.is_ok());
            match fetched {
                Ok(revision) if accepted.as_ref().is_some_and(|old| old.id == revision.id) => {
                    self.is_accepted(&revision.id);
                    if std::mem::take(&mut has_orphans)
                        && let Err(error) = self.remove_orphans(source, &revision)
                    {
                        tracing::error!("orphaned objects are not removed: {}", hint::line(&error));
                    }
                }
                Ok(revision) => match self.accept(source, &revision, leadership).await {
                    Ok(()) => {
                        leadership.took_up(&revision.id);
                        accepted = Some(revision);
                        retry = RETRY.0;
                    }
                    Err(error) => {
                        self.complain(Some(&revision.id), &hint::line(&error));
                        pause = pause.min(retry);
                        retry = (retry * 2).min(RETRY.1);
                    }
                },
                Err(error) => {
                    if accepted.is_none() && !matches!(error, SourceError::Busy { .. }) {
                        accepted = self.resume(source, leadership).await;
                    }
                    self.complain(error.refused_revision(), &error.line());
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = trigger.pulled() => leadership.call(),
                () = leadership.called() => {}
                () = self.services.orphaned() => has_orphans = true,
            }
        }
    }

    /// Accepts a revision and remembers it as the one that the branch has to descend from.
    async fn accept(
        &mut self,
        source: &Source,
        revision: &Revision,
        leadership: &Leadership,
    ) -> anyhow::Result<()> {
        let before = match source.accepted() {
            Some(before) => Some(before.id),
            // An empty state directory: the Lease has it, if there is one.
            None => {
                let last = tokio::time::timeout(KNOWN_SOON, leadership.last_accepted()).await;
                last.ok().flatten()
            }
        };
        self.accept_revision(source, revision, before.as_deref()).await?;
        self.reports.health.accepted();
        source.accept(revision)?;
        Ok(())
    }

    /// After a start without anything new: goes on with what was accepted before it, unless another
    /// replica has accepted something else meanwhile: what we know may be older.
    async fn resume(&mut self, source: &Source, leadership: &Leadership) -> Option<Revision> {
        let accepted = source.accepted()?;
        let last = tokio::time::timeout(KNOWN_SOON, leadership.last_accepted()).await.ok()?;
        if let Some(last) = last.filter(|last| *last != accepted.id) {
            tracing::warn!(
                "not going on with revision {}: the replica that led last was at {last}; waiting for the source",
                accepted.short()
            );
            return None;
        }
        match self.accept_revision(source, &accepted, None).await {
            Ok(_) => {
                self.reports.health.accepted();
                Some(accepted)
            }
            Err(error) => {
                tracing::warn!("cannot go on with revision {}: {error:#}", accepted.short());
                None
            }
        }
    }

    /// The branch is at the commit that was accepted last.
    pub(super) fn is_accepted(&self, revision: &str) {
        self.reports.status_store.source(|source| {
            if source.accepted(revision) {
                tracing::info!("source recovered");
            }
        });
    }

    /// An error that stands is logged once.
    fn complain(&self, refused: Option<&str>, message: &str) {
        self.reports.status_store.source(|source| {
            if source.not_accepted(refused, message) {
                tracing::error!("{message}");
            }
        });
    }
}
