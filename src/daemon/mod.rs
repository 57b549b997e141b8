//! The loop around everything: fetch, take up a new revision, keep one worker per service.

mod once;
mod take_up;
mod work;
mod worker;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use once::once;

use crate::cluster::Cluster;
use crate::reconcile::Reconciler;
use crate::report::{self, Board};
use crate::source::{Revision, Source, SourceConfig, next_poll};
use crate::values::Service;
use worker::Worker;

/// How far polls spread around the interval, as a fraction of it.
const JITTER: f64 = 0.1;
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
    board: Arc<Board>,
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
    let source = Source::new(options.source)?;
    let board = Arc::new(Board::default());
    let token = CancellationToken::new();
    let endpoint = match options.listen {
        Some(address) => {
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}; choose another --listen"))?;
            tracing::info!(address = %listener.local_addr()?, "status at /api/services");
            let serving = report::serve(listener, board.clone(), token.clone().cancelled_owned());
            Some(tokio::spawn(serving))
        }
        None => None,
    };
    let cluster = Cluster::connect().await?;
    let mut daemon = Daemon {
        reconciler: Reconciler { cluster, instance: options.instance.into() },
        board,
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
        loop {
            match source.fetch().await {
                Ok(revision) if taken.as_ref().is_some_and(|old| old.id == revision.id) => {
                    self.source_is_fine();
                }
                Ok(revision) => match self.take_up(source, &revision).await {
                    Ok(()) => taken = Some(revision),
                    Err(error) => self.complain(&format!("{error:#}")),
                },
                Err(error) => self.complain(&error.to_string()),
            }
            tokio::time::sleep(next_poll(interval, JITTER, &mut random)).await;
        }
    }

    /// An error that stands is logged once.
    fn complain(&self, message: &str) {
        self.board.source(|source| {
            if source.error.as_deref() != Some(message) {
                tracing::error!("{message}");
                source.error = Some(message.to_owned());
            }
        });
    }
}
