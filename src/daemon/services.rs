//! All services: what is requested of each, and the passes that bring them there.

mod departing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gloo::ObjectRef;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::reporter::Reporter;
use super::request::{DesiredState, ServiceRequest};
use crate::autopilot::{Rollouts, Withdrawal};
use crate::cache::Touched;
use crate::election::{Leadership, Tenure};
use crate::reconcile::{
    Memory, ReconcileEvent, ReconcileOutcome, Reconciler, Retry, leaves, to_prune,
};
use crate::report::{EventReason, Health};
use crate::scheduler::{
    self, Failure, KnownServices, Pass, PassResult, Passes, Queue, Request, Taken,
};
use crate::telemetry;
use coalmine_core::autopilot::{step_mark, withdrawn};
use coalmine_core::kind::Kind;
use coalmine_core::marks::Marks;
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::object_state::Claim;
use coalmine_core::plan::Job;
use coalmine_core::proposal::reference;
use coalmine_core::reason::Reason;
use coalmine_core::values::PLATFORM;
use departing::DepartingRoutes;

/// How soon a removal looks again whether the service that takes over its requests is ready.
const RECHECK: Duration = Duration::from_secs(1);

/// All services; cloning gives another handle.
#[derive(Clone)]
pub(super) struct Services {
    shared: Arc<Shared>,
}

struct Shared {
    reconciler: Reconciler,
    reporter: Reporter,
    stop: CancellationToken,
    /// Whether this daemon is the one that writes.
    leadership: Leadership,
    /// The namespaces that the platform asks for.
    namespaces: Mutex<BTreeSet<ObjectId>>,
    queue: Arc<Queue<ServiceRequest>>,
    /// What autopilots have to do with services.
    rollouts: Arc<Rollouts>,
    /// Objects of services that are gone have appeared.
    orphans: Notify,
    /// What passes leave behind. It lives as long as something is requested of the service.
    progress: Mutex<BTreeMap<Arc<str>, Arc<Progress>>>,
}

struct Progress {
    /// For one pass after the other.
    remembered: tokio::sync::Mutex<Remembered>,
    /// The last pass and how it ended.
    last: Mutex<Option<(Pass<ServiceRequest>, ReconcileOutcome)>>,
}

struct Remembered {
    memory: Memory,
    /// By what right the last pass wrote.
    tenure: Option<Tenure>,
}

impl Services {
    /// No services. One that failed is tried again within the longest pause.
    pub(super) fn new(
        reconciler: Reconciler,
        reporter: Reporter,
        longest_pause: Duration,
        stop: CancellationToken,
        leadership: Leadership,
    ) -> Self {
        let queue = Arc::new(Queue::new(longest_pause));
        let (namespaces, orphans, progress) = Default::default();
        let rollouts = Arc::new(Rollouts::new(reconciler.cache.clone()));
        let shared = Shared {
            reconciler,
            reporter,
            stop,
            leadership,
            namespaces,
            queue,
            rollouts,
            orphans,
            progress,
        };
        Self { shared: Arc::new(shared) }
    }

    /// What autopilots have to do with services.
    pub(super) fn rollouts(&self) -> &Arc<Rollouts> {
        &self.shared.rollouts
    }

    /// Sends an Event about a service.
    pub(super) fn record(&self, name: &str, reason: EventReason, message: &str) {
        self.shared.reporter.about_service(name, reason, message);
    }

    /// A revision was accepted: hands over what it requests, and what it requests of services that are gone.
    /// Each request is announced before it is reported, and after older passes can report no more.
    pub(super) fn accept(
        &self,
        known: KnownServices,
        requests: Vec<ServiceRequest>,
        orphans: impl IntoIterator<Item = Arc<str>>,
        removal: impl Fn(&Arc<str>) -> ServiceRequest,
        mut announce: impl FnMut(&ServiceRequest),
    ) {
        for request in &requests {
            if let DesiredState::Platform(platform) = &request.state {
                let ids = platform.manifests.iter().map(Manifest::id);
                let namespaces = ids.filter(|id| id.is(Kind::Namespace)).cloned().collect();
                *locked(&self.shared.namespaces) = namespaces;
            }
        }
        let requests = requests.into_iter().map(|request| (request.state.name(), request));
        self.shared.queue.change(|schedule, now| {
            let accepted = schedule.on_revision(known, requests, orphans, removal, now);
            for service in accepted {
                if let Some(request) = schedule.requested(&service.name) {
                    announce(request);
                    self.shared.reporter.requested(request, service.is_new);
                }
            }
        });
    }

    /// Requests that a service goes.
    pub(super) fn remove(&self, removal: ServiceRequest) {
        self.shared.queue.change(|schedule, now| {
            let is_new = schedule.request(&removal.state.name(), removal.clone(), now);
            self.shared.reporter.requested(&removal, is_new);
        });
    }

    /// Returns when objects of services that are gone have appeared.
    pub(super) async fn orphaned(&self) {
        self.shared.orphans.notified().await;
    }

    /// The names of all services of which something is requested, those that are to go among them.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.shared.queue.look(|schedule| schedule.names().cloned().collect())
    }

    /// Reconciles services when they are due, until the daemon stops; then waits for the passes under
    /// way. `touched` tells what changes in the cluster.
    pub(super) async fn run(&self, mut touched: mpsc::UnboundedReceiver<Touched>) {
        let Shared { queue, leadership, stop, reporter, .. } = &*self.shared;
        let health: &Arc<Health> = &reporter.reports.health;
        let changes = async {
            while let Some(touched) = touched.recv().await {
                self.on_change(&touched);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = scheduler::run(self.clone(), queue, leadership, health, stop) => {}
            () = changes => {}
        }
    }

    /// Where each service stands by what is requested of it now; `None` while no pass was made for that.
    pub(super) fn outcomes(&self) -> BTreeMap<Arc<str>, Option<ReconcileOutcome>> {
        self.shared.queue.look(|schedule| {
            let outcome = |name: &Arc<str>| {
                let progress = locked(&self.shared.progress).get(name).cloned()?;
                let last = locked(&progress.last);
                let (pass, outcome) = last.as_ref()?;
                schedule.current(pass).map(|_| outcome.clone())
            };
            schedule.names().map(|name| (name.clone(), outcome(name))).collect()
        })
    }

    fn on_change(&self, touched: &Touched) {
        let cache = &self.shared.reconciler.cache;
        let has_objects = |name: &str| leaves(&cache.of_service(name));
        let is_orphan =
            self.shared.queue.change(|schedule, now| schedule.on_change(touched, has_objects, now));
        if let Touched::Service(service) = touched
            && is_orphan
        {
            tracing::info!(%service, "orphaned objects have appeared");
            self.shared.orphans.notify_one();
        }
    }

    /// Takes the steps that can be taken now, and says where the service stands.
    async fn reconcile(&self, taken: &Taken<ServiceRequest>, tenure: &Tenure) -> ReconcileOutcome {
        let Pass { name, request, .. } = taken.pass();
        let shared = &self.shared;
        let progress = self.progress(name);
        let mut remembered = progress.remembered.lock().await;
        let Remembered { memory, tenure: last } = &mut *remembered;
        if last.replace(tenure.clone()).is_some_and(|tenure| !tenure.is_held()) {
            // Somebody else has written meanwhile.
            memory.forget(Timestamp::now());
        }
        let marks = self.marks(name);
        let withdrawal = self.withdrawal(request, marks.as_deref());
        let mut job = self.job(request, marks.as_deref(), withdrawal.as_deref());
        if let DesiredState::Service(service) = &request.state {
            job.departing = self.departing_routes();
            let departing = self.departing(&job.departing);
            job.takes_over = departing.is_some_and(|it| it.are_taken_over_by(service));
            job.platform_comes = shared.queue.look(|it| it.is_under_way(PLATFORM));
        }
        job.inherited = self.inherited(&job);
        job.handed_over = self.handed_over(&job);
        let is_superseded = || {
            !taken.is_current()
                || shared.stop.is_cancelled()
                || !tenure.is_held()
                || self.withdrawal(request, None).is_some() != withdrawal.is_some()
        };
        let tell = |event: ReconcileEvent| shared.reporter.event(name, &request.revision, event);
        if let Some(outcome) = self.prepare(&request.state, &job, &is_superseded).await {
            return outcome;
        }
        let settings = &request.rollout_settings;
        let outcome = shared.reconciler.pass(&job, settings, memory, &is_superseded, &tell).await;
        match withdrawal {
            Some(withdrawal) => ahead_of_git(outcome, request, &withdrawal),
            None => outcome,
        }
    }

    /// The job of a service, with what its routes are to say for its autopilot.
    fn job(
        &self,
        request: &ServiceRequest,
        marks: Option<&Marks>,
        withdrawal: Option<&Withdrawal>,
    ) -> Job {
        let reconciler = &self.shared.reconciler;
        let (DesiredState::Service(service), Some(file)) = (&request.state, &request.file) else {
            return request.job(&reconciler.instance);
        };
        let Some(Withdrawal { mark, .. }) = withdrawal else {
            let mut job = request.job(&reconciler.instance);
            let step = marks.and_then(|marks| marks.step.as_ref());
            let step = step_mark(service, file, step, (reconciler.clock)());
            job.mark_routes(step.as_ref(), None);
            return job;
        };
        let state = DesiredState::Service(Arc::new(withdrawn(service, &mark.reason)));
        let mut job = ServiceRequest { state, ..request.clone() }.job(&reconciler.instance);
        job.mark_routes(None, Some(mark));
        job
    }

    /// What stands on a service's routes for its autopilot.
    fn marks(&self, name: &str) -> Option<Arc<Marks>> {
        let objects = self.shared.reconciler.cache.of_service(name);
        objects.into_values().find_map(|facts| facts.marks)
    }

    /// Whether the canary of a service is aborted in the cluster before git says so.
    fn withdrawal(
        &self,
        request: &ServiceRequest,
        marks: Option<&Marks>,
    ) -> Option<Arc<Withdrawal>> {
        let (name, file) = (request.state.name(), request.file.as_deref()?);
        let live = marks.and_then(|marks| marks.ahead.as_ref());
        self.shared.rollouts.withdrawal(&name, file, live)
    }

    /// Namespaces come before everything else: no object can even be tried in one that is not there.
    async fn prepare(
        &self,
        state: &DesiredState,
        job: &Job,
        is_superseded: &(dyn Fn() -> bool + Sync),
    ) -> Option<ReconcileOutcome> {
        match state {
            DesiredState::Removal(name) => {
                let reason = self.successor(name)?;
                let until = Timestamp::now().checked_add(RECHECK).ok();
                Some(ReconcileOutcome::Waiting { reason, until })
            }
            DesiredState::Platform(_) if is_superseded() => Some(ReconcileOutcome::Superseded),
            DesiredState::Platform(_) => {
                let made = self.shared.reconciler.make_namespaces(job).await;
                let error = made.err()?;
                Some(ReconcileOutcome::Stalled {
                    reason: Reason::Cluster(error),
                    retry: Retry::Soon,
                })
            }
            DesiredState::Service(service) => {
                let cache = &self.shared.reconciler.cache;
                if self.shared.reconciler.cluster.namespaces().names().is_some() {
                    // Where single namespaces are watched, platform/ makes none.
                    return None;
                }
                let namespaces = locked(&self.shared.namespaces);
                let id = namespaces.iter().find(|id| id.name == service.namespace)?;
                let is_missing =
                    || cache.unlisted([id].into_iter()).is_none() && cache.object(id).is_none();
                let is_coming = cache.is_being_listed(id) || is_missing();
                let reason = Reason::NamespaceComes(id.clone());
                is_coming.then_some(ReconcileOutcome::Waiting { reason, until: None })
            }
        }
    }

    /// Desired objects that have the label of another service, which does not desire them any more: an object that moves
    /// from `platform/` to a service keeps its place.
    fn inherited(&self, job: &Job) -> BTreeSet<ObjectId> {
        let cache = &self.shared.reconciler.cache;
        let ids = job.desired.manifests().map(Manifest::id);
        let is_given_up = |id: &&ObjectId| match cache.object(id).map(|facts| facts.claim) {
            Some(Claim::Ours(owner)) if *owner != *job.service => {
                let desires = |request: &ServiceRequest| desires(request, id);
                self.shared.queue.look(|it| it.requested(&owner).is_some_and(|it| !desires(it)))
            }
            _ => false,
        };
        ids.filter(is_given_up).cloned().collect()
    }

    /// Objects of the job's service that it does not desire any more and another one does.
    fn handed_over(&self, job: &Job) -> BTreeSet<ObjectId> {
        let objects = self.shared.reconciler.cache.of_service(&job.service);
        let goes = to_prune(job, &objects);
        if goes.is_empty() {
            return goes;
        }
        self.shared.queue.look(|schedule| {
            let others: Vec<&ServiceRequest> = schedule
                .requests()
                .filter(|(name, ..)| ***name != *job.service)
                .map(|(_, request, _)| request)
                .collect();
            goes.into_iter().filter(|id| others.iter().any(|it| desires(it, id))).collect()
        })
    }

    /// The routes of services that are to go and do not yet.
    fn departing_routes(&self) -> BTreeSet<ObjectId> {
        let removals: Vec<Arc<str>> = self.shared.queue.look(|schedule| {
            let removals = schedule.requests().filter(|(_, request, _)| request.is_removal());
            removals.map(|(name, ..)| name.clone()).collect()
        });
        removals.iter().flat_map(|name| self.routes_to_prune(name)).collect()
    }

    fn departing(&self, ids: &BTreeSet<ObjectId>) -> Option<DepartingRoutes> {
        DepartingRoutes::read(ids, &self.shared.reconciler.cache)
    }

    /// The live routes of a service that go with it.
    fn routes_to_prune(&self, name: &str) -> BTreeSet<ObjectId> {
        let objects = self.shared.reconciler.cache.of_service(name);
        to_prune(&Job::removal(name), &objects).into_iter().filter(ObjectId::is_route).collect()
    }

    /// The wait for a service that is not ready yet and takes over requests of one that is to go: the file of a
    /// service was renamed. Until then nobody else would answer them. Of a new service whose values have errors
    /// nobody knows what it takes over.
    fn successor(&self, name: &str) -> Option<Reason> {
        let cache = &self.shared.reconciler.cache;
        let departing = self.departing(&self.routes_to_prune(name))?;
        self.shared.queue.look(|schedule| {
            let waits_for_room = |name: &Arc<str>| {
                let progress = locked(&self.shared.progress).get(name).cloned();
                let last = progress.as_ref().map(|progress| locked(&progress.last));
                let Some((pass, outcome)) = last.as_ref().and_then(|last| last.as_ref()) else {
                    return false;
                };
                schedule.current(pass).is_some() && waits_for(outcome, &departing.all)
            };
            let mut coming = schedule.requests().filter_map(|(name, request, is_ready)| {
                match (&request.state, is_ready) {
                    (DesiredState::Service(service), false) if !waits_for_room(name) => {
                        Some(service)
                    }
                    _ => None,
                }
            });
            let found = coming.find(|service| departing.are_taken_over_by(service));
            let valid = found.map(|service| (service.name.to_string(), false));
            let is_new = |name: &&str| cache.of_service(name).is_empty();
            let invalid =
                || schedule.without_request().find(is_new).map(|it| (it.to_owned(), true));
            let (service, is_invalid) = valid.or_else(invalid)?;
            Some(Reason::SuccessorComes { service, is_invalid })
        })
    }

    /// Reports how the pass ended, unless something else is requested by now or this daemon does not lead any
    /// more: then another pass follows. The service is forgotten when its removal is done.
    fn conclude(&self, taken: &Taken<ServiceRequest>, tenure: &Tenure, outcome: ReconcileOutcome) {
        let shared = &self.shared;
        let name = &taken.pass().name;
        let observed = shared.reporter.observe(name);
        let report = |current: Option<&ServiceRequest>| {
            let may_report = tenure.is_held() && !shared.stop.is_cancelled();
            let result = match current.filter(|_| may_report) {
                Some(_) if outcome == ReconcileOutcome::Superseded => PassResult::Unfinished,
                Some(request) => {
                    let is_removed = request.is_removal() && outcome == ReconcileOutcome::Ready;
                    if !is_removed {
                        shared.reporter.outcome(name, &outcome, &request.revision, &observed);
                    }
                    PassResult::of(&outcome, Timestamp::now())
                }
                None => PassResult::Unfinished,
            };
            *locked(&self.progress(name).last) = Some((taken.pass().clone(), outcome));
            result
        };
        let on_removal = || {
            tracing::info!(service = %name, "removed");
            shared.reporter.reports.status_store.remove(name);
            locked(&shared.progress).remove(name);
        };
        taken.finish(report, on_removal);
    }

    fn progress(&self, name: &Arc<str>) -> Arc<Progress> {
        let new = || {
            let remembered = Remembered { memory: Memory::new(Timestamp::now()), tenure: None };
            let remembered = tokio::sync::Mutex::new(remembered);
            Arc::new(Progress { remembered, last: Mutex::new(None) })
        };
        locked(&self.shared.progress).entry(name.clone()).or_insert_with(new).clone()
    }
}

/// How a pass ended by which a canary was aborted before git says so: nobody takes that for what the values say.
fn ahead_of_git(
    outcome: ReconcileOutcome,
    request: &ServiceRequest,
    withdrawal: &Withdrawal,
) -> ReconcileOutcome {
    let is_done = matches!(outcome, ReconcileOutcome::Ready | ReconcileOutcome::Drifted { .. });
    let DesiredState::Service(service) = &request.state else { return outcome };
    if !is_done {
        return outcome;
    }
    let canary = service.routes.canary.as_ref().map(|canary| canary.version.to_string());
    let (canary, reason) = (canary.unwrap_or_default(), withdrawal.mark.reason.clone());
    let is_landed = withdrawal.landed.is_some();
    let trouble = withdrawal.trouble.clone();
    let reason = Reason::AheadOfGit { canary, reason, trouble };
    match is_landed {
        // The branch says it; it only has to be fetched.
        true => ReconcileOutcome::Waiting { reason, until: None },
        false => ReconcileOutcome::Stalled { reason, retry: Retry::Never },
    }
}

/// Whether this object is among those that are requested.
fn desires(request: &ServiceRequest, id: &ObjectId) -> bool {
    match &request.state {
        DesiredState::Platform(platform) => platform.manifests.iter().any(|it| it.id() == id),
        DesiredState::Service(service) => {
            // What it becomes has its name, alone or before a `-`; to render it takes longer than to see that.
            let rest = id.name.strip_prefix(service.name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
                && id.namespace.as_deref() == Some(&service.namespace)
                && request.job("").desired.manifests().any(|it| it.id() == id)
        }
        DesiredState::Removal(_) => false,
    }
}

/// Whether all is done but the routes, which one of these is in the way of.
fn waits_for(outcome: &ReconcileOutcome, routes: &[ObjectRef]) -> bool {
    let reason = match outcome {
        ReconcileOutcome::Waiting { reason, .. } => reason,
        ReconcileOutcome::Stalled { reason: Reason::Overdue { reason, .. }, .. } => reason,
        _ => return false,
    };
    matches!(reason, Reason::PredecessorGoes(id) if routes.contains(&reference(id)))
}

impl Passes for Services {
    type Request = ServiceRequest;

    async fn carry_out(&self, taken: &Taken<ServiceRequest>, tenure: &Tenure) {
        let Pass { name, request, .. } = taken.pass();
        let begun = std::time::Instant::now();
        let span = telemetry::reconcile(name, &request.revision);
        let outcome = Box::pin(self.reconcile(taken, tenure)).instrument(span).await;
        self.shared.reporter.reports.metrics.reconciled(name, begun.elapsed());
        self.conclude(taken, tenure, outcome);
    }

    async fn failed(&self, taken: &Taken<ServiceRequest>, tenure: &Tenure, failure: &Failure) {
        let name = &taken.pass().name;
        if matches!(failure, Failure::Panicked(_)) {
            self.shared.reporter.reports.metrics.reconcile_panicked(name);
        }
        // Nobody knows how far it came with what it remembers.
        self.progress(name).remembered.lock().await.memory.forget(Timestamp::now());
        let reason = match failure {
            Failure::Panicked(message) => Reason::PassPanicked(message.clone()),
            Failure::TimedOut(limit) => Reason::PassTimedOut(limit.as_secs()),
        };
        self.conclude(taken, tenure, ReconcileOutcome::Stalled { reason, retry: Retry::Soon });
    }
}

/// What a thread that panicked left behind is as good as what it found.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
