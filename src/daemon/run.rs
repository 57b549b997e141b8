//! The daemon from its start to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::source_loop::{JITTER, SOURCE_LOOP};
use super::{Daemon, Options};
use crate::autopilot::{Autopilot, Parts};
use crate::cluster::Cluster;
use crate::election::{self, Campaign, Leadership};
use crate::hint::{Advise, advised};
use crate::measure::Measuring;
use crate::notify::{Notifier, Place, Receivers};
use crate::page;
use crate::report::{self, Endpoint, Reports};
use crate::source::{Source, Trigger};
use crate::webhook;

/// More than it takes to accept a revision: some lists of an API server that is busy.
const ACCEPTING: Duration = Duration::from_secs(600);
/// How long passes get to finish a write in flight when the daemon stops.
const SHUTDOWN: Duration = Duration::from_secs(10);

type Serving = JoinHandle<()>;

/// Runs until `stop` resolves.
///
/// # Errors
/// Only for what no waiting mends: an impossible configuration, an address that is taken, a task of the
/// daemon that has ended by a fault of ours. A source or an API server that does not answer is reported and
/// tried again.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    // A round is a pause and a fetch, and now and then a revision to accept.
    let round = options.interval.mul_f64(1.0 + JITTER) + options.source.longest_fetch();
    let trigger = Trigger::default();
    let hooks = match options.webhook {
        Some(secret) => webhook::routes(secret, options.source.branch.clone(), trigger.clone()),
        None => axum::Router::new(),
    };
    let directory = options.source.directory.clone();
    let branch = options.source.branch.clone();
    let source = Arc::new(Source::new(options.source)?);
    let reports = Reports::default();
    let token = CancellationToken::new();
    let pages = page::routes(reports.status_store.clone());
    let (access, hosts, tls) = (options.access, options.hosts, options.tls);
    let endpoint = Endpoint { reports: reports.clone(), access, pages, hooks, hosts, tls };
    let endpoint = serve(options.listen, endpoint, token.clone()).await?;
    reports.health.expect(SOURCE_LOOP, round + ACCEPTING);
    let cluster = Cluster::connect(&reports.metrics.requests()).await?.within(options.namespaces);
    let place = match &options.lease {
        Some(lease) => Place::beside(lease, cluster.client()),
        None => Place::file(&directory),
    };
    let mut campaign = options.lease.map(|lease| {
        election::campaign(
            cluster.client(),
            lease,
            election::identity(),
            election::Timing::default(),
        )
    });
    let leadership = match &campaign {
        Some(campaign) => campaign.leadership(),
        None => Leadership::unopposed(),
    };
    let notifying = notifying(options.receivers, &reports, place, leadership.clone())?;
    let (mut daemon, touched, mut ended) = Daemon::new(
        cluster.clone(),
        &options.instance,
        options.schedule,
        options.daemon,
        reports.clone(),
        token.clone(),
        leadership.clone(),
    )?;
    let gloo_namespace = daemon.gloo_namespace.subscribe();
    let status_store = reports.status_store.clone();
    let reader = daemon.proxies.clone();
    let measuring = Measuring::new(reader.clone(), status_store, gloo_namespace.clone());
    let measuring = measured(measuring, leadership.clone());
    let services = daemon.services.clone();
    let parts = Parts {
        source: source.clone(),
        publisher: options.publisher,
        pull_requests: options.pull_requests,
        promql: options.promql,
        branch,
        instance: options.instance.clone(),
        rollouts: services.rollouts().clone(),
        status_store: reports.status_store.clone(),
        cache: daemon.cache.clone(),
        trigger: trigger.clone(),
        tell: {
            let services = services.clone();
            Box::new(move |name, reason, message| services.record(name, reason, message))
        },
    };
    let piloting = piloted(Autopilot::new(parts, reader, gloo_namespace), leadership.clone());
    let mut passes = tokio::spawn(async move { services.run(touched).await });

    let campaigning = async {
        match &mut campaign {
            Some(campaign) => campaign.ended().await,
            None => std::future::pending().await,
        }
    };
    let fault = tokio::select! {
        () = stop => None,
        () = daemon.follow(&source, options.interval, trigger, &leadership) => None,
        () = show(leadership.clone(), &reports) => None,
        () = notifying => None,
        () = measuring => None,
        () = piloting => None,
        task = ended.any() => Some(task),
        end = campaigning => Some(end),
        result = &mut passes => Some(match result {
            Ok(()) => "the loop over the passes has ended".to_owned(),
            Err(error) => format!("the loop over the passes: {error}"),
        }),
    };
    tracing::info!("stopping");
    token.cancel();
    let left = tokio::time::timeout(SHUTDOWN, leave(passes, campaign, endpoint)).await;
    match (fault, left) {
        (Some(fault), _) => {
            let wrong = format!("internal error: {fault}");
            Err(advised(wrong, "the daemon ends, so that it starts anew"))
        }
        (None, Ok(result)) => result,
        (None, Err(_)) => {
            anyhow::bail!("not everything had ended after {} s", SHUTDOWN.as_secs())
        }
    }
}

/// Starts the status endpoint, if there is to be one, which ends with `stop`.
async fn serve(
    address: Option<SocketAddr>,
    endpoint: Endpoint,
    stop: CancellationToken,
) -> anyhow::Result<Option<Serving>> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address)
        .await
        .advise(|| (format!("cannot listen on {address}"), "choose another --listen"))?;
    tracing::info!(address = %listener.local_addr()?, "status at / and /api/services");
    Ok(Some(tokio::spawn(report::serve(listener, endpoint, stop))))
}

/// Lets passes finish a write in flight, and gives the Lease back.
async fn leave(
    passes: JoinHandle<()>,
    campaign: Option<Campaign>,
    endpoint: Option<Serving>,
) -> anyhow::Result<()> {
    if !passes.is_finished() {
        passes.await?;
    }
    if let Some(campaign) = campaign {
        campaign.resign().await;
    }
    if let Some(endpoint) = endpoint {
        endpoint.await?;
    }
    Ok(())
}

/// Shows for ever whether this daemon is the one that writes.
async fn show(leadership: Leadership, reports: &Reports) {
    loop {
        let tenure = match leadership.tenure() {
            Some(tenure) => tenure,
            None => {
                reports.metrics.leads(false);
                reports.health.standby();
                reports.status_store.set_standby(true);
                let leader = leadership.other_leader().unwrap_or_else(|| "nobody yet".into());
                tracing::info!(leader, "standing by");
                leadership.acquired().await
            }
        };
        reports.metrics.leads(true);
        reports.status_store.set_standby(false);
        tracing::info!("leading: this daemon is the one that writes");
        tenure.lost().await;
    }
}

/// Measures by which gateway requests come, for ever, while this daemon is the one that writes.
async fn measured(mut measuring: Measuring, leadership: Leadership) {
    loop {
        let tenure = leadership.acquired().await;
        tokio::select! {
            () = measuring.measure() => {}
            () = tenure.lost() => {}
        }
    }
}

/// Takes canaries through their rollouts, for ever, while this daemon is the one that writes.
async fn piloted(mut autopilot: Autopilot, leadership: Leadership) {
    loop {
        let tenure = leadership.acquired().await;
        tokio::select! {
            () = autopilot.run() => {}
            () = tenure.lost() => autopilot.stop(),
        }
    }
}

/// Tells people elsewhere, for ever, while this daemon is the one that writes.
fn notifying(
    receivers: Receivers,
    reports: &Reports,
    place: Place,
    leadership: Leadership,
) -> anyhow::Result<impl Future<Output = ()>> {
    let nobody = receivers.is_empty();
    let notifier = Notifier::new(receivers, reports.status_store.clone(), place)?;
    Ok(async move {
        loop {
            if nobody {
                std::future::pending::<()>().await;
            }
            let tenure = leadership.acquired().await;
            tokio::select! {
                () = notifier.notify() => {}
                () = tenure.lost() => {}
            }
        }
    })
}
