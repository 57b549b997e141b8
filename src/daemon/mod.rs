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
use crate::source::{Revision, Source, SourceConfig, next_poll};
use crate::values::Service;
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
    let round = options.interval.mul_f64(1.0 + JITTER) + options.source.deadline;
    let source = Source::new(options.source)?;
    let shown = Shown::default();
    let token = CancellationToken::new();
    let endpoint = match options.listen {
        Some(address) => {
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}; choose another --listen"))?;
            tracing::info!(address = %listener.local_addr()?, "status at /api/services");
            let serving = report::serve(listener, shown.clone(), token.clone().cancelled_owned());
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
        () = daemon.follow(&source, options.interval) => {}
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
    /// Polls the source for ever and hands every new revision to the workers.
    async fn follow(&mut self, source: &Source, interval: Duration) {
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
                    self.source_is_fine();
                }
                Ok(revision) => match self.take_up(source, &revision).await {
                    Ok(()) => {
                        health.taken_up();
                        taken = Some(revision);
                    }
                    Err(error) => self.complain(&format!("{error:#}")),
                },
                Err(error) => self.complain(&error.to_string()),
            }
            tokio::time::sleep(next_poll(interval, JITTER, &mut random)).await;
        }
    }

    /// An error that stands is logged once.
    fn complain(&self, message: &str) {
        self.shown.board.source(|source| {
            if source.error.as_deref() != Some(message) {
                tracing::error!("{message}");
                source.error = Some(message.to_owned());
            }
        });
    }
}
