//! One worker per service: it brings the service to what is wanted, looks after it on a schedule,
//! and drops what it waits for when something newer is wanted.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::apply::Ended;
use crate::reconcile::{Conduct, Job, Reconciler};
use crate::report::{Shown, State};
use crate::telemetry;

/// Half of the first pause after a failed attempt; each further one is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(500);

/// What is wanted of a service, and since which revision.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) job: Arc<Job>,
    pub(super) conduct: Arc<Conduct>,
    pub(super) revision: String,
}

impl Wanted {
    /// True when only the revision differs.
    fn asks_the_same(&self, other: &Self) -> bool {
        self.conduct == other.conduct && self.job.asks_the_same(&other.job)
    }
}

/// A handle on a service's worker.
pub(super) struct Worker {
    wanted: watch::Sender<Wanted>,
    task: JoinHandle<()>,
}

/// What a worker works with.
pub(super) struct Surroundings {
    pub(super) reconciler: Reconciler,
    pub(super) shown: Shown,
    pub(super) schedule: Duration,
    pub(super) stop: CancellationToken,
}

impl Worker {
    pub(super) fn start(surroundings: Surroundings, wanted: Wanted) -> Self {
        let (sender, receiver) = watch::channel(wanted);
        Self { wanted: sender, task: tokio::spawn(surroundings.work(receiver)) }
    }

    /// Hands over what is wanted now.
    pub(super) fn want(&self, wanted: Wanted) {
        // The worker lives as long as this handle, so somebody is there to be told.
        self.wanted.send_replace(wanted);
    }

    /// True when this is not just a newer revision of the same.
    pub(super) fn wants_something_else_than(&self, wanted: &Wanted) -> bool {
        !self.wanted.borrow().asks_the_same(wanted)
    }

    /// True when the last that was wanted is that the service goes.
    pub(super) fn is_leaving(&self) -> bool {
        self.wanted.borrow().job.farewell
    }

    /// Waits for the task's end.
    pub(super) async fn ended(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a worker failed");
        }
    }
}

impl Surroundings {
    async fn work(self, mut wanted: watch::Receiver<Wanted>) {
        let mut retry = FIRST_RETRY;
        let mut last: Option<Wanted> = None;
        loop {
            let now = wanted.borrow_and_update().clone();
            let name = now.job.service.clone();
            if last.replace(now.clone()).is_none_or(|last| !last.asks_the_same(&now)) {
                retry = FIRST_RETRY;
            }
            let begun = Instant::now();
            let span = telemetry::reconcile(&name, &now.revision);
            let ended = self.attempt(&now, &mut wanted).instrument(span).await;
            self.shown.metrics.reconciled(&name, begun.elapsed());
            let pause = match ended {
                Err(Ended::Superseded) if self.stop.is_cancelled() => return,
                Err(Ended::Superseded) => continue,
                Ok(()) if now.job.farewell => {
                    tracing::info!(service = name, "gone");
                    self.shown.board.remove(&name);
                    None
                }
                Ok(()) => {
                    retry = FIRST_RETRY;
                    self.ready(&now, &wanted.borrow());
                    Some(self.schedule)
                }
                // Another try would put the same routes before the same traffic.
                Err(ended @ Ended::Worse(_)) => {
                    self.stalled(&name, &ended.to_string());
                    None
                }
                Err(ended) => {
                    self.stalled(&name, &ended.to_string());
                    retry = (retry * 2).min(self.schedule);
                    Some(retry)
                }
            };
            if !self.rest(pause, &mut wanted).await {
                return;
            }
        }
    }

    /// One attempt, cut short at its next wait when something else is wanted or the daemon stops.
    async fn attempt(
        &self,
        now: &Wanted,
        wanted: &mut watch::Receiver<Wanted>,
    ) -> Result<(), Ended> {
        let superseded = self.stop.child_token();
        let name = &now.job.service;
        let progress = |reason: &str| {
            self.shown.board.service(name, |report| {
                if report.reason != reason && report.state == State::Progressing {
                    tracing::info!(service = name, "waiting: {reason}");
                    report.reason = reason.to_owned();
                }
            });
        };
        let mut run =
            pin!(self.reconciler.reconcile(&now.job, &now.conduct, &superseded, &progress));
        loop {
            tokio::select! {
                ended = &mut run => {
                    // Whatever became of it, something else is wanted by now.
                    return if superseded.is_cancelled() { Err(Ended::Superseded) } else { ended };
                }
                Ok(()) = wanted.changed(), if !superseded.is_cancelled() => {
                    if !wanted.borrow_and_update().asks_the_same(now) {
                        superseded.cancel();
                    }
                }
            }
        }
    }

    /// Sleeps until it is time to look again, or without a `pause` until a new revision comes. Each
    /// revision is a reason to look, also at a service for which it changes nothing. False when the
    /// daemon stops.
    async fn rest(&self, pause: Option<Duration>, wanted: &mut watch::Receiver<Wanted>) -> bool {
        let pause = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = pause => true,
            changed = wanted.changed() => changed.is_ok(),
        }
    }

    /// `newest` may be a later revision that asks for the same.
    fn ready(&self, now: &Wanted, newest: &Wanted) {
        let revision = if newest.asks_the_same(now) { &newest.revision } else { &now.revision };
        self.shown.board.service(&now.job.service, |report| {
            if report.state != State::Ready || report.revision.as_ref() != Some(revision) {
                tracing::info!(service = now.job.service, revision, "ready");
            }
            report.ready(revision);
        });
    }

    fn stalled(&self, name: &str, reason: &str) {
        self.shown.board.service(name, |report| {
            if report.state != State::Stalled || report.reason != reason {
                tracing::warn!(service = name, "stalled: {reason}");
            }
            report.stalled(reason);
        });
    }
}
