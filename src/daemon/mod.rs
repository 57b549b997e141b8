//! The loop around everything: fetch, take up a new revision, keep one worker per service.

mod once;
mod take_up;
mod work;
mod worker;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use once::once;

use crate::cluster::Cluster;
use crate::reconcile::Reconciler;
use crate::report::{self, Shown};
use crate::source::{Revision, Source, SourceConfig, SourceError, Trigger, next_poll};
use crate::values::Service;
use crate::webhook::{self, SecretFile};
use worker::Worker;

/// How far polls spread around the interval, as a fraction of it.
const JITTER: f64 = 0.1;
/// The loop that is to come round, for whoever watches over the daemon.
const SOURCE_LOOP: &str = "source";
/// More than it takes to take up a revision: some lists of an API server that is busy.
const TAKING_UP: Duration = Duration::from_secs(600);
/// How long workers get to finish a write in flight when the daemon stops.
const FAREWELL: Duration = Duration::from_secs(10);

/// What the command line says.
pub struct Options {
    /// The repository and how to get it.
    pub source: SourceConfig,
    /// Pause between two polls of the repository; spread by 10 %.
    pub interval: Duration,
    /// Pause between two looks at a service in which nothing changed.
    pub schedule: Duration,
    /// Where the status endpoint listens.
    pub listen: Option<std::net::SocketAddr>,
    /// What authenticates webhooks; without it there are none.
    pub webhook: Option<SecretFile>,
    /// The value of the instance label.
    pub instance: String,
}

/// The running daemon's parts.
struct Daemon {
    reconciler: Reconciler,
    shown: Shown,
    schedule: Duration,
    workers: BTreeMap<String, Worker>,
    /// The newest valid values of each service.
    values: BTreeMap<String, Service>,
    stop: CancellationToken,
}

/// Runs until `stop` resolves.
///
/// # Errors
/// Only for what no waiting mends: an impossible configuration, an address that is taken. A source
/// or an API server that does not answer is reported and tried again.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    // A round is a pause and a fetch, and now and then a revision to take up.
    let round = options.interval.mul_f64(1.0 + JITTER) + options.source.longest_fetch();
    let trigger = Trigger::default();
    let hooks = match options.webhook {
        Some(secret) => webhook::routes(secret, options.source.branch.clone(), trigger.clone()),
        None => axum::Router::new(),
    };
    let source = Source::new(options.source)?;
    let shown = Shown::default();
    let token = CancellationToken::new();
    let endpoint = match options.listen {
        Some(address) => {
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}; choose another --listen"))?;
            tracing::info!(address = %listener.local_addr()?, "status at /api/services");
            let stop = token.clone().cancelled_owned();
            let serving = report::serve(listener, shown.clone(), hooks, stop);
            Some(tokio::spawn(serving))
        }
        None => None,
    };
    shown.health.expect(SOURCE_LOOP, round + TAKING_UP);
    let cluster = Cluster::connect(&shown.metrics.requests()).await?;
    let mut daemon = Daemon {
        reconciler: Reconciler { cluster, instance: options.instance.into() },
        shown,
        schedule: options.schedule,
        workers: BTreeMap::new(),
        values: BTreeMap::new(),
        stop: token.clone(),
    };

    tokio::select! {
        () = stop => {}
        () = daemon.follow(&source, options.interval, trigger) => {}
    }
    tracing::info!("stopping");
    token.cancel();
    let leaving = async {
        for (_, worker) in daemon.workers {
            worker.ended().await;
        }
        if let Some(endpoint) = endpoint {
            endpoint.await??;
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(FAREWELL, leaving).await {
        Ok(result) => result,
        Err(_) => anyhow::bail!("not everything had ended after {} s", FAREWELL.as_secs()),
    }
}

impl Daemon {
    /// Fetches whenever it is time or the trigger is pulled, for ever, and hands every new revision to
    /// the workers.
    async fn follow(&mut self, source: &Source, interval: Duration, trigger: Trigger) {
        let mut taken: Option<Revision> = None;
        let mut random = fastrand::Rng::new();
        let health = self.shown.health.clone();
        loop {
            health.beat(SOURCE_LOOP);
            let begun = Instant::now();
            let fetched = source.fetch().await;
            self.shown.metrics.fetched(begun.elapsed(), fetched.is_ok());
            match fetched {
                Ok(revision) if taken.as_ref().is_some_and(|old| old.id == revision.id) => {
                    self.in_force(&revision.id);
                }
                Ok(revision) => match self.accept(source, &revision).await {
                    Ok(()) => {
                        health.taken_up();
                        taken = Some(revision);
                    }
                    Err(error) => self.complain(Some(&revision.id), &format!("{error:#}")),
                },
                Err(error) => {
                    if taken.is_none() && !matches!(error, SourceError::Busy { .. }) {
                        taken = self.resume(source).await;
                    }
                    self.complain(error.refused_revision(), &error.to_string());
                }
            }
            tokio::select! {
                () = tokio::time::sleep(next_poll(interval, JITTER, &mut random)) => {}
                () = trigger.pulled() => {}
            }
        }
    }

    /// Takes up a revision and remembers it as the one that the branch has to descend from.
    async fn accept(&mut self, source: &Source, revision: &Revision) -> anyhow::Result<()> {
        self.take_up(source, revision).await?;
        source.accept(revision)?;
        Ok(())
    }

    /// After a start without anything new: goes on with what was accepted before it.
    async fn resume(&mut self, source: &Source) -> Option<Revision> {
        let accepted = source.accepted()?;
        match self.take_up(source, &accepted).await {
            Ok(()) => {
                self.shown.health.taken_up();
                Some(accepted)
            }
            Err(error) => {
                tracing::warn!("cannot go on with revision {}: {error:#}", accepted.short());
                None
            }
        }
    }

    /// An error that stands is logged once.
    fn complain(&self, refused: Option<&str>, message: &str) {
        self.shown.board.source(|source| {
            if source.not_taken_up(refused, message) {
                tracing::error!("{message}");
            }
        });
    }
}
