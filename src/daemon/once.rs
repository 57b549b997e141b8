//! One pass over the newest revision, for scripts and pipelines.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Daemon, Manner};
use crate::cluster::Cluster;
use crate::election::Leadership;
use crate::reconcile::{Retry, Standing};
use crate::report::{Shown, State};
use crate::source::{Source, SourceConfig};
use coalmine_core::reason::Hinted;

/// How often it is looked whether all is done.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two attempts at a service.
const SCHEDULE: Duration = Duration::from_secs(10);

/// How one service came out.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The service, or `platform`.
    pub service: String,
    /// What is wrong; `None` when everything is applied and healthy.
    pub trouble: Option<String>,
}

/// Fetches, applies everything, waits until it is healthy or its deadline has passed, and tells how
/// each service came out, ordered by name.
///
/// # Errors
/// When nothing could be applied at all: no source, no API server, a broken `coalmine.yaml`.
pub async fn once(
    source: SourceConfig,
    instance: &str,
    manner: Manner,
) -> anyhow::Result<Vec<Outcome>> {
    let source = Source::new(source)?;
    let revision = source.fetch().await?;
    let (shown, stop) = (Shown::default(), CancellationToken::new());
    let board = shown.board.clone();
    let cluster = Cluster::connect(&shown.metrics.requests()).await?;
    let leadership = Leadership::unopposed();
    let (mut daemon, touched, mut ended) =
        Daemon::new(cluster, instance, SCHEDULE, manner, shown, stop.clone(), leadership);
    let deadline = daemon.accept_revision(&source, &revision).await?;
    source.accept(&revision)?;
    let services = daemon.services.clone();
    let passes = tokio::spawn(async move { services.run(touched).await });
    let outcomes = tokio::select! {
        outcomes = outcomes(&daemon, deadline) => outcomes,
        task = ended.any() => bail!("internal error: {task}"),
    };
    stop.cancel();
    passes.await?;
    if outcomes.is_empty() && board.summary().services.is_empty() {
        bail!("revision {} asks for nothing", revision.short());
    }
    let invalid = board.summary().services.into_iter().chain(board.summary().platform);
    let invalid = invalid.filter(|report| report.state == State::Invalid);
    let invalid = invalid.map(|report| (report.service, Some(report.reason)));
    let mut all: Vec<Outcome> = outcomes
        .into_iter()
        .chain(invalid)
        .map(|(service, trouble)| Outcome { service, trouble })
        .collect();
    all.sort_by(|a, b| a.service.cmp(&b.service));
    Ok(all)
}

/// Waits until every service stands where it will stay, or the patience is at its end.
async fn outcomes(daemon: &Daemon, patience: Duration) -> Vec<(String, Option<String>)> {
    let end = Instant::now() + patience;
    // A service that went is not among the standings any more, and came out well.
    let names = daemon.services.names();
    loop {
        let standings = daemon.services.standings();
        let is_over = Instant::now() >= end;
        if is_over || standings.values().all(|standing| is_final(standing.as_ref())) {
            let trouble = |name: &Arc<str>| trouble(standings.get(name)?.as_ref());
            return names.iter().map(|name| (name.to_string(), trouble(name))).collect();
        }
        sleep(PAUSE).await;
    }
}

fn is_final(standing: Option<&Standing>) -> bool {
    match standing {
        Some(Standing::Ready | Standing::Drifted { .. }) => true,
        Some(Standing::Stalled { retry, .. }) => *retry != Retry::Soon,
        Some(Standing::Waiting { .. } | Standing::Superseded) | None => false,
    }
}

fn trouble(standing: Option<&Standing>) -> Option<String> {
    match standing {
        Some(Standing::Ready | Standing::Drifted { .. }) => None,
        Some(Standing::Stalled { reason, .. }) => Some(reason.line()),
        Some(Standing::Waiting { reason, .. }) => Some(reason.to_string()),
        Some(Standing::Superseded) | None => Some("was not looked at in time".into()),
    }
}
