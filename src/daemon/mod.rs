//! The loop around everything: fetch, accept a new revision, look at what changed.

mod history;
mod once;
mod orphans;
mod reporter;
mod request;
mod revision;
mod run;
mod services;
mod source_loop;
mod tasks;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use once::once;
pub use run::run;

use crate::autopilot::PromQl;
use crate::cache::{Cache, Notice, Touched, Watching, longest_silence};
use crate::cluster::{Cluster, Namespaces, WatchedKind};
use crate::election::{self, Leadership, LeaseName};
use crate::measure::{self, Proxies, ProxyMetrics};
use crate::notify::Receivers;
use crate::pull_request::PullRequests;
use crate::reconcile::{PreflightService, Reconciler};
use crate::report::{Access, Events, Hosts, Reports, TlsFiles};
use crate::secret::SecretFile;
use crate::shard::Shard;
use crate::source::{PublishError, Publisher, SourceConfig};
use coalmine_core::values::{Drift, Reader, Service};
use reporter::Reporter;
use services::Services;
use tasks::{Ended, Tasks};

/// What the command line says.
pub struct Options {
    /// The repository and how to get it.
    pub source: SourceConfig,
    /// Pause between two polls of the repository; spread by 10 %.
    pub interval: Duration,
    /// Pause between two complete lists of the cluster's objects, and the longest one between two
    /// attempts at a service that is stalled.
    pub schedule: Duration,
    /// Where the status endpoint listens.
    pub listen: Option<std::net::SocketAddr>,
    /// Who may see the status there.
    pub access: Access,
    /// By which names it may be asked for there.
    pub hosts: Hosts,
    /// The certificate shown there; without one there is no TLS.
    pub tls: Option<TlsFiles>,
    /// What authenticates webhooks; without it there are none.
    pub webhook: Option<SecretFile>,
    /// Who is told about rollouts.
    pub receivers: Receivers,
    /// What makes the daemon's own commits, or why it cannot make any.
    pub publisher: Result<Publisher, PublishError>,
    /// What answers the queries of analyses.
    pub promql: Option<PromQl>,
    /// What brings promotions as pull requests; without it they are pushed.
    pub pull_requests: Option<PullRequests>,
    /// The value of the instance label.
    pub instance: String,
    /// The namespaces that are watched.
    pub namespaces: Namespaces,
    /// How the cluster is written to.
    pub daemon: DaemonOptions,
    /// The Lease to hold while writing; without one this daemon is taken to be alone.
    pub lease: Option<LeaseName>,
}

/// How the cluster is written to, as far as the command line says it.
#[derive(Clone, Debug)]
pub struct DaemonOptions {
    /// What is done about other people's changes, where the repository does not say it.
    pub drift: Drift,
    /// Whether a revision may delete everything.
    pub prune_all: bool,
    /// Which of all services this daemon looks after.
    pub shard: Shard,
    /// Where the proxies of gateways are read instead of at the addresses of their pods.
    pub proxy_metrics: Vec<ProxyMetrics>,
}

/// The running daemon's parts.
struct Daemon {
    services: Services,
    cache: Cache,
    reconciler: Reconciler,
    reports: Reports,
    options: DaemonOptions,
    schedule: Duration,
    /// Those that watch the cluster, and the one that sends Events.
    tasks: Tasks,
    /// Reads revisions, and knows what of the last one is still true.
    reader: Reader,
    /// Reads the proxies of gateways.
    proxies: measure::Reader,
    /// The newest valid values of each service.
    values: BTreeMap<String, Arc<Service>>,
    /// The namespace that Gloo runs in, as the newest revision says it.
    gloo_namespace: watch::Sender<String>,
    /// Where kinds that only an earlier revision had in `platform/` were looked for; `None` is the whole cluster.
    swept: BTreeSet<Option<String>>,
}

impl Daemon {
    /// Begins to watch the cluster. Also returns what says which objects change, and which task has ended
    /// although it should not have.
    fn new(
        cluster: Cluster,
        instance: &str,
        schedule: Duration,
        options: DaemonOptions,
        reports: Reports,
        stop: CancellationToken,
        leadership: Leadership,
    ) -> anyhow::Result<(Self, mpsc::UnboundedReceiver<Touched>, Ended)> {
        let namespaces = cluster.namespaces().clone();
        let (cache, touched) = Cache::within(instance, namespaces, notice(&reports, schedule));
        let status_store = reports.status_store.clone();
        let preflight = PreflightService::surveying(cache.clone(), move |survey| {
            status_store.surveyed(&survey)
        });
        let proxies = measure::Reader::new(cluster.clone(), options.proxy_metrics.clone())?;
        let reconciler = Reconciler {
            cluster: cluster.clone(),
            cache: cache.clone(),
            preflight,
            proxies: Some(Proxies::new(proxies.clone())),
            instance: instance.into(),
            clock: Timestamp::now,
        };
        let (events, sending) =
            Events::new(cluster.client(), &election::identity(), reports.metrics.clone());
        let (mut tasks, ended) = Tasks::new();
        tasks.spawn("the task that sends Events".into(), sending);
        let reporter = Reporter { reports: reports.clone(), events, cache: cache.clone() };
        let services = Services::new(reconciler.clone(), reporter, schedule, stop, leadership);
        let mut daemon = Self {
            services,
            cache,
            reconciler,
            reports,
            options,
            schedule,
            tasks,
            reader: Reader::default(),
            proxies,
            values: BTreeMap::new(),
            gloo_namespace: watch::Sender::default(),
            swept: BTreeSet::new(),
        };
        WatchedKind::of_services()
            .chain(WatchedKind::further())
            .for_each(|kind| daemon.watch(kind));
        Ok((daemon, touched, ended))
    }

    /// Watches one more kind, if it is not watched yet: in the whole cluster, or in each namespace that is watched.
    fn watch(&mut self, kind: WatchedKind) {
        match self.reconciler.cluster.namespaces().clone().names() {
            None => self.begin(kind),
            // A daemon with Roles in single namespaces reads nothing that belongs to the cluster.
            Some(_) if kind.is_cluster_scoped() => {}
            Some(names) => names.iter().for_each(|name| self.begin(kind.clone().within(name))),
        }
    }

    /// Watches what Gloo has in its own namespace, for the preflight, if that is not watched anyway.
    fn watch_gloo(&mut self, namespace: &str) {
        if !self.reconciler.cluster.namespaces().has(Some(namespace)) {
            WatchedKind::of_gloo().for_each(|kind| self.begin(kind.within(namespace)));
        }
    }

    fn begin(&mut self, kind: WatchedKind) {
        let name = watch_of(&kind);
        if let Some(watch) = self.cache.watch(&self.reconciler.cluster, kind, self.schedule) {
            self.tasks.spawn(format!("the {name}"), watch);
        }
    }
}

/// How a watch is called in what people read.
fn watch_of(kind: &WatchedKind) -> String {
    format!("watch of {kind}")
}

/// How it is called where only its kind matters.
fn kind_of(kind: &WatchedKind) -> String {
    let namespace = kind.namespace.as_deref();
    namespace.map_or_else(|| kind.kind.clone(), |namespace| format!("{} in {namespace}", kind.kind))
}

/// Shows how the watches go.
fn notice(reports: &Reports, resync: Duration) -> Notice {
    let (health, metrics) = (reports.health.clone(), reports.metrics.clone());
    Arc::new(move |kind, watching| match watching {
        Watching::Begun => {
            health.expect(watch_of(kind), longest_silence(resync));
            // What only platform/ has is no reason to be unready for everybody.
            health.watch(&kind_of(kind), !kind.is_of_services());
        }
        Watching::Alive => health.beat(&watch_of(kind)),
        Watching::Synced => health.watch(&kind_of(kind), true),
        Watching::Broken => {
            metrics.watch_restarted(&kind.kind);
            // Nor is one namespace of several.
            if kind.namespace.is_some() {
                health.watch(&kind_of(kind), true);
            }
        }
    })
}
