//! All services: what is wanted of each, and the passes that bring them there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::queue::Queue;
use super::strays::Strays;
use super::tell::Tellers;
use super::wanted::{Content, Wanted};
use crate::election::{Leadership, Tenure};
use crate::live::Touched;
use crate::reconcile::{Deed, Memory, Reconciler, Retry, Standing};
use crate::telemetry;
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::plan::Job;
use coalmine_core::values::PLATFORM;

/// How many services are looked at at the same time. Most of them wait for their turn at the API
/// server or at the admission, which takes as many as there are at once.
const AT_ONCE: usize = 128;
/// The first pause after a failed pass; each further one is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(500);

/// All services; cloning gives another handle.
#[derive(Clone)]
pub(super) struct Services {
    shared: Arc<Shared>,
}

struct Shared {
    reconciler: Reconciler,
    tellers: Tellers,
    /// The longest pause between two attempts.
    schedule: Duration,
    stop: CancellationToken,
    /// Whether this daemon is the one that writes.
    leadership: Leadership,
    /// The namespaces that the platform asks for.
    namespaces: Mutex<BTreeSet<ObjectId>>,
    queue: Queue,
    strays: Strays,
    entries: Mutex<BTreeMap<Arc<str>, Arc<Entry>>>,
}

struct Entry {
    name: Arc<str>,
    wanted: Mutex<Wanted>,
    /// Counts what was wanted, so that a pass can see that something else is.
    generation: AtomicU64,
    progress: tokio::sync::Mutex<Progress>,
}

struct Progress {
    memory: Memory,
    failures: u32,
    /// What the last pass worked on.
    generation: u64,
    /// By what right the last pass wrote.
    tenure: Option<Tenure>,
    standing: Option<Standing>,
}

impl Services {
    pub(super) fn new(
        reconciler: Reconciler,
        tellers: Tellers,
        schedule: Duration,
        stop: CancellationToken,
        leadership: Leadership,
    ) -> Self {
        let (queue, strays, entries, namespaces) = Default::default();
        let shared = Shared {
            reconciler,
            tellers,
            schedule,
            stop,
            leadership,
            namespaces,
            queue,
            strays,
            entries,
        };
        Self { shared: Arc::new(shared) }
    }

    /// What there is of services of which nothing is wanted.
    pub(super) fn strays(&self) -> &Strays {
        &self.shared.strays
    }

    /// Hands over what is wanted of a service now. One that asks for nothing new is not looked at.
    pub(super) fn want(&self, wanted: Wanted) {
        let name = wanted.content.name();
        if let Content::Platform(platform) = &wanted.content {
            let ids = platform.manifests.iter().map(Manifest::id);
            let namespaces = ids.filter(|id| id.kind == "Namespace").cloned().collect();
            *locked(&self.shared.namespaces) = namespaces;
        }
        let mut entries = self.entries();
        let is_new = match entries.get(&name) {
            Some(entry) => {
                let mut known = entry.wanted();
                let is_new = !known.asks_the_same(&wanted);
                if is_new {
                    *known = wanted.clone();
                    entry.generation.fetch_add(1, Ordering::AcqRel);
                } else {
                    known.revision = wanted.revision.clone();
                }
                is_new
            }
            None => {
                let progress = Progress {
                    memory: Memory::new(Timestamp::now()),
                    failures: 0,
                    generation: 0,
                    tenure: None,
                    standing: None,
                };
                let entry = Entry {
                    name: name.clone(),
                    wanted: Mutex::new(wanted.clone()),
                    generation: AtomicU64::new(1),
                    progress: tokio::sync::Mutex::new(progress),
                };
                entries.insert(name.clone(), Arc::new(entry));
                true
            }
        };
        drop(entries);
        self.shared.tellers.asked(&wanted, is_new);
        if is_new {
            self.shared.queue.push(&name, Instant::now());
        }
    }

    /// The names of all services of which something is wanted, those that are to go among them.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.entries().keys().cloned().collect()
    }

    /// Looks at services when they are due, until the daemon stops; then waits for the passes under
    /// way. `touched` tells what changes in the cluster.
    pub(super) async fn run(&self, touched: &mut mpsc::UnboundedReceiver<Touched>) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut passes = JoinSet::new();
        loop {
            let next = async {
                let tenure = self.shared.leadership.acquired().await;
                // The semaphore is never closed.
                let place = places.clone().acquire_owned().await.ok();
                (tenure, place, self.shared.queue.take().await)
            };
            tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => break,
                Some(touched) = touched.recv() => self.touched(touched),
                Some(ended) = passes.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a pass failed");
                    }
                }
                (tenure, place, name) = next => {
                    let services = self.clone();
                    passes.spawn(async move {
                        let again = Box::pin(services.pass(&name, &tenure)).await;
                        if let Some(pause) = again {
                            services.shared.queue.push(&name, Instant::now() + pause);
                        }
                        services.shared.queue.done(&name);
                        drop(place);
                    });
                }
            }
        }
        while passes.join_next().await.is_some() {}
    }

    /// Where each service stands by its newest values; `None` while it was not looked at with them.
    pub(super) async fn standings(&self) -> BTreeMap<Arc<str>, Option<Standing>> {
        let entries: Vec<_> = self.entries().values().cloned().collect();
        let mut standings = BTreeMap::new();
        for entry in entries {
            let progress = entry.progress.lock().await;
            let is_current = progress.generation == entry.generation.load(Ordering::Acquire);
            let standing = progress.standing.clone().filter(|_| is_current);
            standings.insert(entry.name.clone(), standing);
        }
        standings
    }

    fn touched(&self, touched: Touched) {
        let now = Instant::now();
        match touched {
            Touched::Service(name) => {
                if *name == *PLATFORM {
                    // It may be the namespace that somebody waits for.
                    self.touched(Touched::Foreign);
                }
                if self.entries().contains_key(&name) {
                    self.shared.queue.push(&name, now);
                } else {
                    self.look_for_strays(&name);
                }
            }
            // It may be what somebody waits for, or what somebody was refused for.
            Touched::Foreign => {
                for name in self.names().into_iter().filter(|name| !self.is_ready(name)) {
                    self.shared.queue.push(&name, now);
                }
            }
        }
    }

    fn look_for_strays(&self, name: &str) {
        self.shared.strays.look(name, &self.shared.reconciler.live.of_service(name));
    }

    /// One pass over one service; says after what pause the next one is due in any case.
    async fn pass(&self, name: &Arc<str>, tenure: &Tenure) -> Option<Duration> {
        let entry = self.entries().get(name).cloned()?;
        let mut progress = entry.progress.lock().await;
        let generation = entry.generation.load(Ordering::Acquire);
        let wanted = entry.wanted().clone();
        if progress.generation != generation {
            (progress.generation, progress.failures) = (generation, 0);
        }
        if progress.tenure.replace(tenure.clone()).is_some_and(|tenure| !tenure.is_held()) {
            // Somebody else has written meanwhile.
            progress.memory.forget(Timestamp::now());
        }
        let shared = &self.shared;
        let job = wanted.job(&shared.reconciler.instance);
        let is_superseded = || {
            let is_old = entry.generation.load(Ordering::Acquire) != generation;
            is_old || shared.stop.is_cancelled() || !tenure.is_held()
        };
        let tell = |deed: Deed| shared.tellers.deed(name, &wanted.revision, deed);
        let memory = &mut progress.memory;
        let begun = std::time::Instant::now();
        let span = telemetry::reconcile(name, &wanted.revision);
        let pass = async {
            if let Some(standing) = self.prepare(&wanted.content, &job, &is_superseded).await {
                return standing;
            }
            shared.reconciler.pass(&job, &wanted.conduct, memory, &is_superseded, &tell).await
        };
        let standing = pass.instrument(span).await;
        shared.tellers.shown.metrics.reconciled(name, begun.elapsed());
        let pause = match &standing {
            Standing::Superseded => Some(Duration::ZERO),
            Standing::Ready if matches!(wanted.content, Content::Farewell(_)) => {
                self.remove(name, &entry);
                None
            }
            Standing::Ready => None,
            Standing::Drifted { until, .. } | Standing::Waiting { until, .. } => {
                until.map(remaining)
            }
            Standing::Stalled { retry: Retry::Never, .. } => None,
            Standing::Stalled { .. } => {
                progress.failures = progress.failures.saturating_add(1);
                let doubled = FIRST_RETRY.saturating_mul(1 << progress.failures.min(16));
                Some(doubled.min(shared.schedule))
            }
        };
        if matches!(standing, Standing::Ready | Standing::Waiting { .. }) {
            progress.failures = 0;
        }
        let current = || (!is_superseded()).then(|| entry.wanted().revision.clone());
        if self.entries().contains_key(name) {
            shared.tellers.standing(name, &standing, &current);
        }
        progress.standing = Some(standing);
        pause
    }

    /// Namespaces come before everything else: no object can even be tried in one that is not there.
    async fn prepare(
        &self,
        content: &Content,
        job: &Job,
        is_superseded: &(dyn Fn() -> bool + Sync),
    ) -> Option<Standing> {
        match content {
            Content::Farewell(_) => None,
            Content::Platform(_) if is_superseded() => Some(Standing::Superseded),
            Content::Platform(_) => {
                let made = self.shared.reconciler.make_namespaces(job).await;
                let error = made.err()?;
                Some(Standing::Stalled { reason: error.to_string(), retry: Retry::Soon })
            }
            Content::Service(service) => {
                let live = &self.shared.reconciler.live;
                let namespaces = locked(&self.shared.namespaces);
                let id = namespaces.iter().find(|id| id.name == service.namespace)?;
                let is_missing =
                    || live.unlisted([id].into_iter()).is_none() && live.object(id).is_none();
                let is_coming = live.is_being_listed(id) || is_missing();
                let reason = format!("{id}: it is on its way from platform/");
                is_coming.then_some(Standing::Waiting { reason, until: None })
            }
        }
    }

    /// The service is gone for good, unless it was wanted again meanwhile.
    fn remove(&self, name: &Arc<str>, entry: &Arc<Entry>) {
        let mut entries = self.entries();
        if matches!(entry.wanted().content, Content::Farewell(_)) {
            tracing::info!(service = %name, "gone");
            entries.remove(name);
            self.shared.queue.strike(name);
            self.shared.tellers.shown.board.remove(name);
            drop(entries);
            // Something may have come since the pass looked.
            self.look_for_strays(name);
        }
    }

    /// Whether a service still has something to wait for.
    fn is_ready(&self, name: &str) -> bool {
        let entry = self.entries().get(name).cloned();
        let progress = entry.as_ref().and_then(|entry| entry.progress.try_lock().ok());
        progress.is_some_and(|progress| matches!(progress.standing, Some(Standing::Ready)))
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Entry>>> {
        locked(&self.shared.entries)
    }
}

impl Entry {
    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        locked(&self.wanted)
    }
}

/// What a thread that panicked left behind is as good as what it found.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remaining(until: Timestamp) -> Duration {
    const MARGIN: Duration = Duration::from_millis(5);
    Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default() + MARGIN
}
