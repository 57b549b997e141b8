//! One pass over the newest revision, for scripts and pipelines.

use std::pin::pin;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use futures::StreamExt;
use futures::stream;
use tokio_util::sync::CancellationToken;

use super::work::{Work, joined};
use crate::apply::Ended;
use crate::cluster::{Cluster, ClusterError};
use crate::reconcile::{Conduct, Job, Reconciler};
use crate::report::Requests;
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
    let reconciler = Reconciler {
        cluster: Cluster::connect(&Requests::default()).await?,
        instance: instance.to_owned().into(),
    };
    let work = Work::of(&repository, &reconciler, &revision.id).await?;
    source.accept(&revision)?;

    let attempt = async |job: &Job| Outcome {
        service: job.service.clone(),
        trouble: carry_out(&reconciler, job, &work.conduct).await.err().map(|e| e.to_string()),
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

/// Tries again what the API server could not do at once, as long as one wait may take: it may be busy,
/// or a namespace may be on its way.
async fn carry_out(reconciler: &Reconciler, job: &Job, conduct: &Conduct) -> Result<(), Ended> {
    let never = CancellationToken::new();
    let name = &job.service;
    let progress = |reason: &str| tracing::info!(service = name, "waiting: {reason}");
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(10))
        .with_total_delay(Some(conduct.timing.deadline))
        .without_max_times();
    let passes = |ended: &Ended| {
        use ClusterError::{NamespaceMissing, Unreachable};
        matches!(ended, Ended::Cluster(Unreachable(_) | NamespaceMissing { .. }))
    };
    (|| reconciler.reconcile(job, conduct, &never, &progress)).retry(pauses).when(passes).await
}
