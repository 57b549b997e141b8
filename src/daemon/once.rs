//! One pass over the newest revision, for scripts and pipelines.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Daemon, DaemonOptions};
use crate::cluster::{Cluster, Namespaces};
use crate::election::Leadership;
use crate::reconcile::{ReconcileOutcome, Retry};
use crate::report::{Reports, State};
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
    namespaces: Namespaces,
    options: DaemonOptions,
) -> anyhow::Result<Vec<Outcome>> {
    let source = Source::new(source)?;
    let revision = source.fetch().await?;
    let (reports, stop) = (Reports::default(), CancellationToken::new());
    let status_store = reports.status_store.clone();
    let cluster = Cluster::connect(&reports.metrics.requests()).await?.within(namespaces);
    let leadership = Leadership::unopposed();
    let (mut daemon, touched, mut ended) =
        Daemon::new(cluster, instance, SCHEDULE, options, reports, stop.clone(), leadership)?;
    let before = source.accepted().map(|before| before.id);
    let deadline = daemon.accept_revision(&source, &revision, before.as_deref()).await?;
    source.accept(&revision)?;
    let services = daemon.services.clone();
    let passes = tokio::spawn(async move { services.run(touched).await });
    let outcomes = tokio::select! {
        outcomes = outcomes(&daemon, deadline) => outcomes,
        task = ended.any() => bail!("internal error: {task}"),
    };
    stop.cancel();
    passes.await?;
    if outcomes.is_empty() && status_store.summary().services.is_empty() {
        bail!("revision {} asks for nothing", revision.short());
    }
    let invalid =
        status_store.summary().services.into_iter().chain(status_store.summary().platform);
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
        let outcomes = daemon.services.outcomes();
        let is_over = Instant::now() >= end;
        if is_over || outcomes.values().all(|outcome| is_final(outcome.as_ref())) {
            let trouble = |name: &Arc<str>| trouble(outcomes.get(name)?.as_ref());
            return names.iter().map(|name| (name.to_string(), trouble(name))).collect();
        }
        sleep(PAUSE).await;
    }
}

fn is_final(outcome: Option<&ReconcileOutcome>) -> bool {
    match outcome {
        Some(ReconcileOutcome::Ready | ReconcileOutcome::Drifted { .. }) => true,
        Some(ReconcileOutcome::Stalled { retry, .. }) => *retry != Retry::Soon,
        Some(ReconcileOutcome::Waiting { .. } | ReconcileOutcome::Superseded) | None => false,
    }
}

fn trouble(outcome: Option<&ReconcileOutcome>) -> Option<String> {
    match outcome {
        Some(ReconcileOutcome::Ready | ReconcileOutcome::Drifted { .. }) => None,
        Some(ReconcileOutcome::Stalled { reason, .. }) => Some(reason.line()),
        Some(ReconcileOutcome::Waiting { reason, .. }) => Some(reason.to_string()),
        Some(ReconcileOutcome::Superseded) | None => Some("was not looked at in time".into()),
    }
}
