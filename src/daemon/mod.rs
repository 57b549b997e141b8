//! The loop around everything: fetch, take up a new revision, look at what changed.

mod once;
mod past;
mod queue;
mod services;
mod strays;
mod take_up;
mod tell;
mod wanted;
mod work;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use once::once;

use crate::cluster::Cluster;
use crate::cluster::WatchedKind;
use crate::election::{self, Leadership, LeaseName};
use crate::live::{Live, Notice, Touched, Watching};
use crate::notify::{Notifier, Place, Receivers};
use crate::page;
use crate::reconcile::{Admission, Reconciler};
use crate::report::{self, Access, Endpoint, Events, Shown};
use crate::secret::SecretFile;
use crate::shard::Shard;
use crate::source::{Revision, Source, SourceConfig, SourceError, Trigger, next_poll};
use crate::webhook;
use coalmine_core::values::{Drift, Reader, Service};
use services::Services;
use tell::Tellers;

/// How far polls spread around the interval, as a fraction of it.
const JITTER: f64 = 0.1;
/// The loop that is to come round, for whoever watches over the daemon.
const SOURCE_LOOP: &str = "source";
/// More than it takes to take up a revision: some lists of an API server that is busy.
const TAKING_UP: Duration = Duration::from_secs(600);
/// How long passes get to finish a write in flight when the daemon stops.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long a start without the source waits to hear what the replica before was at; then it is asked again
/// at the next poll.
const KNOWN_SOON: Duration = Duration::from_secs(10);
/// How soon a revision that could not be taken up is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

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
    /// What authenticates webhooks; without it there are none.
    pub webhook: Option<SecretFile>,
    /// Who is told about rollouts.
    pub receivers: Receivers,
    /// The value of the instance label.
    pub instance: String,
    /// How the cluster is written to.
    pub conduct: Manner,
    /// The Lease to hold while writing; without one this daemon is taken to be alone.
    pub lease: Option<LeaseName>,
}

/// How the cluster is written to, as far as the command line says it.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// What is done about other people's changes, where the repository does not say it.
    pub drift: Drift,
    /// Whether a revision may delete everything.
    pub prune_all: bool,
    /// Which of all services this daemon looks after.
    pub shard: Shard,
}

/// The running daemon's parts.
struct Daemon {
    services: Services,
    live: Live,
    reconciler: Reconciler,
    shown: Shown,
    manner: Manner,
    schedule: Duration,
    /// The tasks that watch the cluster, and the one that sends Events.
    watches: JoinSet<()>,
    /// Reads revisions, and knows what of the last one is still true.
    reader: Reader,
    /// The newest valid values of each service.
    values: BTreeMap<String, Arc<Service>>,
    /// Whether kinds that only an earlier revision had in `platform/` were looked for.
    swept: bool,
}

impl Daemon {
    /// Begins to watch the cluster.
    fn new(
        cluster: Cluster,
        instance: &str,
        schedule: Duration,
        manner: Manner,
        shown: Shown,
        stop: CancellationToken,
        leadership: Leadership,
    ) -> (Self, mpsc::UnboundedReceiver<Touched>) {
        let (live, touched) = Live::new(instance, notice(&shown));
        let admission = Admission::new(live.clone());
        let mut watches = live.follow(&cluster, schedule);
        let reconciler = Reconciler {
            cluster: cluster.clone(),
            live: live.clone(),
            admission,
            instance: instance.into(),
            clock: Timestamp::now,
        };
        let (events, sending) =
            Events::new(cluster.client(), &election::identity(), shown.metrics.clone());
        watches.spawn(sending);
        let tellers = Tellers { shown: shown.clone(), events, live: live.clone() };
        let services = Services::new(reconciler.clone(), tellers, schedule, stop, leadership);
        let values = BTreeMap::new();
        let daemon = Self {
            services,
            live,
            reconciler,
            shown,
            manner,
            schedule,
            watches,
            reader: Reader::default(),
            values,
            swept: false,
        };
        (daemon, touched)
    }

    /// Fetches whenever it is time or the trigger is pulled, for ever, and takes up every new revision. What
    /// this daemon is told the one that leads is told too.
    async fn follow(
        &mut self,
        source: &Source,
        interval: Duration,
        trigger: Trigger,
        leadership: &Leadership,
    ) {
        let mut taken: Option<Revision> = None;
        let mut random = fastrand::Rng::new();
        let mut retry = RETRY.0;
        let mut has_strays = false;
        let health = self.shown.health.clone();
        loop {
            health.beat(SOURCE_LOOP);
            let mut pause = next_poll(interval, JITTER, &mut random);
            let begun = Instant::now();
            let fetched = source.fetch().await;
            self.shown.metrics.fetched(begun.elapsed(), fetched.is_ok());
            match fetched {
                Ok(revision) if taken.as_ref().is_some_and(|old| old.id == revision.id) => {
                    self.in_force(&revision.id);
                    if std::mem::take(&mut has_strays)
                        && let Err(error) = self.take_strays(source, &revision)
                    {
                        tracing::error!("what is left of services that are gone stays: {error:#}");
                    }
                }
                Ok(revision) => match self.accept(source, &revision).await {
                    Ok(()) => {
                        leadership.took_up(&revision.id);
                        taken = Some(revision);
                        retry = RETRY.0;
                    }
                    Err(error) => {
                        self.complain(Some(&revision.id), &format!("{error:#}"));
                        pause = pause.min(retry);
                        retry = (retry * 2).min(RETRY.1);
                    }
                },
                Err(error) => {
                    if taken.is_none() && !matches!(error, SourceError::Busy { .. }) {
                        taken = self.resume(source, leadership).await;
                    }
                    self.complain(error.refused_revision(), &error.to_string());
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = trigger.pulled() => leadership.call(),
                () = leadership.called() => {}
                () = self.services.strays().came() => has_strays = true,
            }
        }
    }

    /// Takes up a revision and remembers it as the one that the branch has to descend from.
    async fn accept(&mut self, source: &Source, revision: &Revision) -> anyhow::Result<()> {
        self.take_up(source, revision).await?;
        self.shown.health.taken_up();
        source.accept(revision)?;
        Ok(())
    }

    /// After a start without anything new: goes on with what was accepted before it, unless another
    /// replica has taken up something else meanwhile: what we know may be older.
    async fn resume(&mut self, source: &Source, leadership: &Leadership) -> Option<Revision> {
        let accepted = source.accepted()?;
        let last = tokio::time::timeout(KNOWN_SOON, leadership.last_taken_up()).await.ok()?;
        if let Some(last) = last.filter(|last| *last != accepted.id) {
            tracing::warn!(
                "not going on with revision {}: the replica that led last was at {last}; waiting for the source",
                accepted.short()
            );
            return None;
        }
        match self.take_up(source, &accepted).await {
            Ok(_) => {
                self.shown.health.taken_up();
                Some(accepted)
            }
            Err(error) => {
                tracing::warn!("cannot go on with revision {}: {error:#}", accepted.short());
                None
            }
        }
    }

    /// The branch is at the commit that was taken up last.
    fn in_force(&self, revision: &str) {
        self.shown.board.source(|source| {
            if source.taken_up(revision) {
                tracing::info!("the source is fine again");
            }
        });
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

/// Shows how the watches go.
fn notice(shown: &Shown) -> Notice {
    let (health, metrics) = (shown.health.clone(), shown.metrics.clone());
    Arc::new(move |kind, watching| match watching {
        // What only platform/ has is no reason to be unready for everybody.
        Watching::Begun => {
            health.watch(&kind.kind, !WatchedKind::of_services().any(|it| it == *kind))
        }
        Watching::Synced => health.watch(&kind.kind, true),
        Watching::Broken => metrics.watch_restarted(&kind.kind),
    })
}

/// Shows for ever whether this daemon is the one that writes.
async fn show(leadership: Leadership, shown: &Shown) {
    loop {
        let tenure = match leadership.tenure() {
            Some(tenure) => tenure,
            None => {
                shown.metrics.leads(false);
                shown.health.standing_by();
                shown.board.stands_by(true);
                let leader = leadership.other_leader().unwrap_or_else(|| "nobody yet".into());
                tracing::info!(leader, "standing by");
                leadership.acquired().await
            }
        };
        shown.metrics.leads(true);
        shown.board.stands_by(false);
        tracing::info!("leading: this daemon is the one that writes");
        tenure.lost().await;
    }
}

/// Tells people elsewhere, for ever, while this daemon is the one that writes.
fn notifying(
    receivers: Receivers,
    shown: &Shown,
    place: Place,
    leadership: Leadership,
) -> anyhow::Result<impl Future<Output = ()>> {
    let nobody = receivers.is_empty();
    let notifier = Notifier::new(receivers, shown.board.clone(), place)?;
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
    let directory = options.source.directory.clone();
    let source = Source::new(options.source)?;
    let shown = Shown::default();
    let token = CancellationToken::new();
    let endpoint = match options.listen {
        Some(address) => {
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}; choose another --listen"))?;
            tracing::info!(address = %listener.local_addr()?, "status at / and /api/services");
            let pages = page::routes(shown.board.clone());
            let endpoint = Endpoint { shown: shown.clone(), access: options.access, pages, hooks };
            Some(tokio::spawn(report::serve(listener, endpoint, token.clone())))
        }
        None => None,
    };
    shown.health.expect(SOURCE_LOOP, round + TAKING_UP);
    let cluster = Cluster::connect(&shown.metrics.requests()).await?;
    let place = match &options.lease {
        Some(lease) => Place::beside(lease, cluster.client()),
        None => Place::file(&directory),
    };
    let campaign = options.lease.map(|lease| {
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
    let notifying = notifying(options.receivers, &shown, place, leadership.clone())?;
    let (mut daemon, mut touched) = Daemon::new(
        cluster,
        &options.instance,
        options.schedule,
        options.conduct,
        shown.clone(),
        token.clone(),
        leadership.clone(),
    );
    let services = daemon.services.clone();
    let passes = tokio::spawn(async move { services.run(&mut touched).await });

    tokio::select! {
        () = stop => {}
        () = daemon.follow(&source, options.interval, trigger, &leadership) => {}
        () = show(leadership.clone(), &shown) => {}
        () = notifying => {}
    }
    tracing::info!("stopping");
    token.cancel();
    let leaving = async {
        passes.await?;
        if let Some(campaign) = campaign {
            campaign.resign().await;
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
