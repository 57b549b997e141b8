//! One pass over the newest revision, for scripts and pipelines.

use std::pin::pin;

use futures::StreamExt;
use futures::stream;
use tokio_util::sync::CancellationToken;

use super::work::{Work, joined};
use crate::cluster::Cluster;
use crate::reconcile::{Job, Reconciler};
use crate::source::{Source, SourceConfig};
use crate::values::{PLATFORM, Repository};

/// How many services are brought forward at the same time.
const AT_ONCE: usize = 16;

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
pub async fn once(source: SourceConfig, instance: &str) -> anyhow::Result<Vec<Outcome>> {
    let source = Source::new(source)?;
    let revision = source.fetch().await?;
    let repository = Repository::parse(&source.tree(&revision)?);
    let reconciler =
        Reconciler { cluster: Cluster::connect().await?, instance: instance.to_owned().into() };
    let work = Work::of(&repository, &reconciler, &revision.id).await?;

    let never = CancellationToken::new();
    let attempt = async |job: &Job| {
        let name = &job.service;
        let progress = |reason: &str| tracing::info!(service = name, "waiting: {reason}");
        let ended = reconciler.reconcile(job, &work.conduct, &never, &progress).await;
        Outcome { service: name.clone(), trouble: ended.err().map(|ended| ended.to_string()) }
    };
    // The platform's VirtualService comes before the routes that it selects.
    let (platform, services): (Vec<_>, Vec<_>) =
        work.jobs.iter().partition(|job| job.service == PLATFORM);
    let mut outcomes = Vec::new();
    for job in platform {
        outcomes.push(attempt(job).await);
    }
    let mut running = pin!(stream::iter(services).map(attempt).buffer_unordered(AT_ONCE));
    while let Some(outcome) = running.next().await {
        outcomes.push(outcome);
    }
    outcomes.extend(work.invalid.iter().map(|(service, problems)| Outcome {
        service: service.clone(),
        trouble: Some(joined(problems)),
    }));
    outcomes.sort_by(|a, b| a.service.cmp(&b.service));
    Ok(outcomes)
}
