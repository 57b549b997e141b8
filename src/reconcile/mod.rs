//! One service from what is seen to what is desired: the only place where the pure decisions and the
//! cluster meet.
//!
//! A [pass](Reconciler::pass) takes the steps that can be taken now and ends; it never sleeps. What it
//! waits for shows in the live state, and whoever calls it calls again then.

mod dry_run;
mod event;
mod memory;
mod observe;
mod preflight_service;
mod review;
mod survey;
mod unconfirmed;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

pub use event::{DriftDetails, ReconcileEvent};
pub use memory::Memory;
pub use observe::{leaves, to_prune};
pub use preflight_service::PreflightService;
pub use review::Review;

use crate::apply::Executor;
use crate::cache::Cache;
use crate::cluster::{Cluster, ClusterError};
use crate::measure::Proxies;
use coalmine_core::managed_fields::Digest;
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::object_state::Claim;
use coalmine_core::plan::{Job, Observation, Step, Wait, newcomers, plan, transition};
use coalmine_core::policy;
use coalmine_core::preflight::Prediction;
use coalmine_core::reason::{ForeignObject, Hinted, PreflightError, Reason};
use coalmine_core::values::{Drift, PLATFORM, Policy, Timing};
use dry_run::DryRun;
use memory::Effect;
use observe::{Comparison, in_the_way};

/// What all services of one daemon share.
#[derive(Clone)]
pub struct Reconciler {
    /// Where to.
    pub cluster: Cluster,
    /// What is known of it.
    pub cache: Cache,
    /// Who says whether a change harms anybody.
    pub preflight: PreflightService,
    /// Who knows which clusters have endpoints; `None`: nobody is asked.
    pub proxies: Option<Proxies>,
    /// The daemon's instance, the value of the instance label.
    pub instance: Arc<str>,
    /// The present moment.
    pub clock: fn() -> Timestamp,
}

/// What the repository says about how rollouts are carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutSettings {
    /// Deadline and settle time.
    pub timing: Timing,
    /// The namespace of Gloo itself.
    pub gloo_namespace: String,
    /// Which Gloo it is.
    pub edition: gloo::Edition,
    /// Which implementation serves Gateways that nobody may read; `None` where that cannot be told.
    pub gateway_api: Option<gateway_api::Profile>,
    /// What one commit may do.
    pub policy: Policy,
    /// What is done about changes of others, where a service's values do not say it.
    pub drift: Drift,
}

/// Why a pass could not go on.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// Something else is wanted by now, or somebody else writes.
    #[error("superseded")]
    Superseded,
    /// Something that comes by itself.
    #[error("{0}")]
    Waiting(Box<Reason>),
    /// Something that this pass cannot mend.
    #[error("{0}")]
    Stalled(Box<Reason>),
    /// The API server did not do what we asked.
    #[error(transparent)]
    Cluster(Box<ClusterError>),
}

impl From<ClusterError> for PassError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(Box::new(error))
    }
}

impl From<Reason> for PassError {
    fn from(reason: Reason) -> Self {
        Self::Stalled(Box::new(reason))
    }
}

impl Hinted for PassError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Superseded => None,
            Self::Waiting(reason) | Self::Stalled(reason) => reason.hint(),
            Self::Cluster(error) => error.hint(),
        }
    }
}

/// Where a service stands after a pass.
#[derive(Clone, Debug, PartialEq)]
pub enum ReconcileOutcome {
    /// As desired and healthy.
    Ready,
    /// As desired and healthy, but for what somebody else changed and is left as it is.
    Drifted {
        /// What and why.
        reason: Reason,
        /// When it is repaired after all, if it is.
        until: Option<Timestamp>,
    },
    /// On its way, and waiting.
    Waiting {
        /// For what.
        reason: Reason,
        /// When the wait is over by itself, or has to be looked at again.
        until: Option<Timestamp>,
    },
    /// Not progressing. A change in the cluster or in the repository can bring it forward.
    Stalled {
        /// Why.
        reason: Reason,
        /// Whether it is worth trying again without such a change.
        retry: Retry,
    },
    /// Something else is wanted by now.
    Superseded,
}

/// Whether what failed is worth trying again although nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The reason passes by itself: the API server is away, a namespace is being created.
    Soon,
    /// The reason is somebody's decision, which may be another one by then.
    Later,
    /// Only a change can help, and it will be seen.
    Never,
}

/// How soon a wait for what no watch shows is looked at again.
const RECHECK: std::time::Duration = std::time::Duration::from_secs(2);

/// How soon proxies that lacked something are read again.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(250);

impl Reconciler {
    /// Takes the steps that can be taken now, and says where the service stands.
    ///
    /// `is_superseded` is asked before every write; a write under way is finished first. Each thing
    /// done is told to `tell`.
    pub async fn pass(
        &self,
        job: &Job,
        rollout_settings: &RolloutSettings,
        memory: &mut Memory,
        is_superseded: &(dyn Fn() -> bool + Sync),
        tell: &(dyn Fn(ReconcileEvent) + Sync),
    ) -> ReconcileOutcome {
        self.preflight.surroundings(rollout_settings);
        if let Some(outcome) = self.out_of_sight(job, &rollout_settings.gloo_namespace) {
            return outcome;
        }
        // An object of a kind that is not served yet, or in a namespace that is not there, cannot even be tried.
        if let Some(first) = job.foundation(|id| self.cache.object(id)) {
            let outcome = self.follow(&first, rollout_settings, memory, is_superseded, tell).await;
            if !matches!(outcome, ReconcileOutcome::Ready | ReconcileOutcome::Drifted { .. }) {
                return outcome;
            }
        }
        self.follow(job, rollout_settings, memory, is_superseded, tell).await
    }

    /// Where the job stands if some of it is in no namespace that is watched, or in one that is not known: nothing of it
    /// is written then. Of Gloo's own namespace Upstreams are read.
    fn out_of_sight(&self, job: &Job, gloo: &str) -> Option<ReconcileOutcome> {
        let namespaces = self.cluster.namespaces();
        namespaces.names()?;
        let desired = || job.desired.manifests().map(Manifest::id);
        let elsewhere =
            job.upstreams_of_others().filter(|id| id.namespace.as_deref() != Some(gloo));
        if let Err(error) = namespaces.check(desired().chain(elsewhere)) {
            let reason = Reason::Cluster(error);
            return Some(ReconcileOutcome::Stalled { reason, retry: Retry::Later });
        }
        let known = self.cache.of_service(&job.service);
        let places = desired().chain(known.keys()).filter_map(|id| id.namespace.as_deref());
        let reason = self.cache.unknown(&places.collect());
        let reason = reason.or_else(|| self.cache.unlisted(job.upstreams_of_others()));
        Some(match reason? {
            reason @ Reason::BeingListed(_) => ReconcileOutcome::Waiting { reason, until: None },
            reason => ReconcileOutcome::Stalled { reason, retry: Retry::Later },
        })
    }

    /// Takes the steps of one job that can be taken now.
    async fn follow(
        &self,
        job: &Job,
        rollout_settings: &RolloutSettings,
        memory: &mut Memory,
        is_superseded: &(dyn Fn() -> bool + Sync),
        tell: &(dyn Fn(ReconcileEvent) + Sync),
    ) -> ReconcileOutcome {
        let written = BTreeSet::new();
        let mut pass =
            Pass { reconciler: self, job, rollout_settings, memory, is_superseded, tell, written };
        loop {
            match pass.step().await {
                Ok(None) => {}
                Ok(Some(outcome)) => return outcome,
                Err(PassError::Superseded) => return ReconcileOutcome::Superseded,
                Err(PassError::Waiting(reason)) => {
                    let wait = Wait { reason: *reason, until: None, interrupted_at: None };
                    return pass.waiting(&wait, (self.clock)());
                }
                Err(PassError::Stalled(reason)) => {
                    return ReconcileOutcome::Stalled { reason: *reason, retry: Retry::Later };
                }
                Err(PassError::Cluster(error)) => {
                    let retry = if error.passes() { Retry::Soon } else { Retry::Later };
                    return ReconcileOutcome::Stalled { reason: Reason::Cluster(*error), retry };
                }
            }
        }
    }

    /// Makes the namespaces among the job's objects that do not exist. Services need them before they
    /// can even be tried; whatever else the job says of them is done with the rest of it.
    ///
    /// # Errors
    /// When the API server does not do what we ask.
    pub async fn make_namespaces(&self, job: &Job) -> Result<(), ClusterError> {
        if self.cluster.namespaces().names().is_some() {
            // The pass says that the daemon makes none.
            return Ok(());
        }
        for manifest in job.namespaces() {
            if self.cache.object(manifest.id()).is_none()
                && self.cluster.get(manifest.id()).await?.is_none()
            {
                tracing::info!(object = %manifest.id(), "apply");
                self.cluster.apply(manifest, false).await?;
            }
        }
        Ok(())
    }
}

/// One pass over one service.
struct Pass<'a> {
    reconciler: &'a Reconciler,
    job: &'a Job,
    rollout_settings: &'a RolloutSettings,
    memory: &'a mut Memory,
    is_superseded: &'a (dyn Fn() -> bool + Sync),
    tell: &'a (dyn Fn(ReconcileEvent) + Sync),
    /// What this pass has written already.
    written: BTreeSet<ObjectId>,
}

impl Pass<'_> {
    /// Looks, and takes the first step of the plan. `None` when there may be more to do.
    async fn step(&mut self) -> Result<Option<ReconcileOutcome>, PassError> {
        self.clear_doubts().await?;
        let now = (self.reconciler.clock)();
        self.release_outdated_job();
        let surroundings = self.surroundings();
        self.memory.clearance.enter(surroundings);
        let comparison =
            self.reconciler.look(self.job, self.rollout_settings, self.memory, now).await?;
        self.memory.rollback.settle(comparison.seen.changed(), comparison.seen.objects());
        if let Some(id) = in_the_way(self.job, &comparison.seen) {
            let reason = Reason::Recreated(id.clone());
            return Ok(Some(ReconcileOutcome::Waiting { reason, until: None }));
        }
        let steps = plan(&self.job.desired, &comparison.seen);
        if let Some(wait) = self.lacking(&comparison.seen, steps.first(), now).await {
            return Ok(Some(self.waiting(&wait, now)));
        }
        if !steps.iter().any(|step| matches!(step, Step::Apply(_) | Step::Route(_))) {
            self.memory.applied = Some(self.job.digest());
        }
        let Some(step) = steps.first() else {
            self.memory.waiting.end();
            self.memory.dry_runs.clear();
            if self.memory.clearance.end() {
                self.reconciler.preflight.release(&self.job.service);
            }
            return Ok(Some(self.settled(&comparison).await?));
        };
        if let Step::Await(wait) = step {
            return Ok(Some(self.waiting(wait, now)));
        }
        self.still_wanted()?;
        if let Step::Repeat(_) = step {
            // It is no other route: nobody is asked, and the wait for the status goes on.
            self.memory.routes.repeated(now);
            self.attempt(step, &comparison).await?;
            return Ok(None);
        }
        let admitted = match step {
            Step::RollBack(reason) => self.may_go_back(reason).await?,
            _ => self.admitted(&comparison).await?,
        };
        if !admitted {
            return Ok(None);
        }
        self.memory.waiting.end();
        self.attempt(step, &comparison).await?;
        Ok(None)
    }

    /// The wait for a proxy that has no endpoints yet of a cluster that this step leads requests to.
    async fn lacking(
        &self,
        seen: &Observation,
        step: Option<&Step>,
        now: Timestamp,
    ) -> Option<Wait> {
        let proxies = self.reconciler.proxies.as_ref()?;
        let newcomers = newcomers(&self.job.desired, seen, step)?;
        let reason = proxies.lacking(&newcomers).await?;
        let again = now.checked_add(LOOK_AGAIN).ok()?;
        Some(Wait { reason, until: Some(again.min(newcomers.until)), interrupted_at: None })
    }

    /// Drops the reservation of an outdated job, since this one may wait for long before it is checked.
    fn release_outdated_job(&mut self) {
        if self.memory.clearance.end_unless(self.job.digest()) {
            self.reconciler.preflight.release(&self.job.service);
        }
    }

    /// What the admission's answer rests on.
    fn surroundings(&self) -> (Digest, u64) {
        (self.job.digest(), self.reconciler.cache.gloo_without(&self.job.service))
    }

    /// To be asked right before every write.
    fn still_wanted(&self) -> Result<(), PassError> {
        if (self.is_superseded)() { Err(PassError::Superseded) } else { Ok(()) }
    }

    /// All steps are done; reports the drift that remains.
    async fn settled(&mut self, comparison: &Comparison) -> Result<ReconcileOutcome, PassError> {
        if comparison.left.is_empty() {
            self.memory.reported.clear();
            return Ok(ReconcileOutcome::Ready);
        }
        self.report_drift(comparison).await?;
        let ids = comparison.left.keys().cloned().collect();
        let until = comparison.left.values().flatten().min().copied();
        let reason = match until {
            Some(_) => Reason::DriftBackingOff(ids),
            None => Reason::DriftReported(ids),
        };
        Ok(ReconcileOutcome::Drifted { reason, until })
    }

    /// Names what was changed and is left, once.
    async fn report_drift(&mut self, comparison: &Comparison) -> Result<(), PassError> {
        for manifest in self.job.desired.manifests() {
            let id = manifest.id();
            let Some(due) = comparison.left.get(id) else { continue };
            let owned = comparison.seen.object(id).map(|facts| facts.owned);
            if due.is_some() || self.memory.reported.has(id, owned) {
                continue;
            }
            let dry_run = self.reconciler.dry_run_all(self.job, &[manifest]).await?;
            let fields = dry_run.iter().flatten().flat_map(DryRun::changes).collect();
            self.memory.reported.record(id, owned);
            (self.tell)(ReconcileEvent::Drift(DriftDetails {
                object: id.clone(),
                fields,
                repaired: false,
            }));
        }
        Ok(())
    }

    fn waiting(&mut self, wait: &Wait, now: Timestamp) -> ReconcileOutcome {
        let Wait { reason, until, interrupted_at } = wait;
        let waited = self.memory.waiting.follow(reason.subject(), now);
        let deadline = self.rollout_settings.timing.deadline;
        let reason = reason.clone();
        if reason.is_lasting() {
            return ReconcileOutcome::Stalled { reason, retry: Retry::Never };
        }
        if waited >= deadline && until.is_none() {
            let (reason, seconds) = (Box::new(reason), waited.as_secs());
            let reason = Reason::Overdue { reason, seconds };
            return ReconcileOutcome::Stalled { reason, retry: Retry::Never };
        }
        let needs_recheck = self.job.desired.uses_foreign_pods();
        let end = jiff::SignedDuration::try_from(deadline.saturating_sub(waited)).ok();
        let end = end.and_then(|rest| now.checked_add(rest).ok());
        let end = [end, *interrupted_at].into_iter().flatten().min();
        let until = until.or(if needs_recheck { self.recheck() } else { end });
        ReconcileOutcome::Waiting { reason, until }
    }

    /// When a wait for what no watch shows is looked at again.
    fn recheck(&self) -> Option<Timestamp> {
        (self.reconciler.clock)().checked_add(RECHECK).ok()
    }

    /// Whether what is about to be written is accepted by the API server, by the policy and by
    /// everybody else. False when something is known now that changes the plan.
    async fn admitted(&mut self, comparison: &Comparison) -> Result<bool, PassError> {
        let seen = &comparison.seen;
        let objection = self
            .objection_of_policy(comparison)
            .or_else(|| transition::objection(&self.job.desired, seen).map(Reason::Unsafe));
        if let Some(reason) = objection {
            return Err(reason.into());
        }
        if !self.dry_run(comparison).await? {
            return Ok(false);
        }
        let surroundings = self.surroundings();
        if self.memory.clearance.holds(surroundings) {
            return Ok(true);
        }
        let asked =
            self.reconciler.preflight.admit(self.job, seen.to_prune(), self.rollout_settings);
        let prediction = match asked.await {
            Err(refusal) if self.job.platform_comes && refusal.is_unattached() => {
                return Err(PassError::Waiting(Box::new(Reason::PlatformComes(refusal))));
            }
            asked => self.told(asked).map_err(Reason::Preflight)?,
        };
        let effect = self.memory.clearance.admit(surroundings, prediction);
        if effect == Effect::Unblocked {
            // What is there reaches Envoy only now.
            self.memory.routes.restart(seen.now());
        }
        Ok(effect == Effect::None)
    }

    /// Asks the preflight, and tells of a refusal.
    async fn ask(
        &self,
        job: &Job,
        to_prune: &BTreeSet<ObjectId>,
    ) -> Result<Prediction, PreflightError> {
        let preflight = &self.reconciler.preflight;
        self.told(preflight.admit(job, to_prune, self.rollout_settings).await)
    }

    /// Tells of a refusal.
    fn told<T>(&self, asked: Result<T, PreflightError>) -> Result<T, PreflightError> {
        asked.inspect_err(|error| (self.tell)(ReconcileEvent::Refused(error.clone())))
    }

    /// Whether the routes of before harm nobody. What they had and the new ones have not, somebody else
    /// may have been given meanwhile.
    async fn may_go_back(&mut self, reason: &Reason) -> Result<bool, PassError> {
        let Some(previous) = self.memory.rollback.previous().cloned() else { return Ok(false) };
        let (rollback, to_prune) = self.job.rollback(&previous);
        // Reserved until it is written; it is no job of this service.
        self.memory.clearance.admit_rollback(rollback.digest());
        let asked = self.ask(&rollback, &to_prune).await;
        let cause = || Box::new(reason.clone());
        asked.map_err(|error| Reason::RollbackRefused { cause: cause(), error })?;
        Ok(true)
    }

    /// Tries the changed objects that were not tried on their present state. Every object is tried
    /// before the first is written, so that a service is not left half written.
    async fn dry_run(&mut self, comparison: &Comparison) -> Result<bool, PassError> {
        let seen = &comparison.seen;
        let version = |id: &ObjectId| seen.object(id).map_or(0, |facts| facts.version);
        let is_new = |manifest: &&Manifest| {
            let (id, digest) = (manifest.id(), manifest.digest());
            seen.changed().contains(id) && !self.memory.dry_runs.accepted(id, digest, version(id))
        };
        let manifests: Vec<&Manifest> = self.job.desired.manifests().filter(is_new).collect();
        if manifests.is_empty() {
            return Ok(true);
        }
        let results = self.reconciler.dry_run_all(self.job, &manifests).await?;
        let mut as_expected = true;
        for (manifest, dry_run) in manifests.iter().zip(results) {
            let (id, digest) = (manifest.id(), manifest.digest());
            let changes = dry_run.as_ref().map(DryRun::changes).unwrap_or_default();
            if let Some(dry_run) = &dry_run
                && let Some(facts) = seen.object(id)
                && changes.is_empty()
                && facts.owned == Digest::of_live(&dry_run.stored)
            {
                // The API server stores it in other words than we apply it.
                self.memory.stored.record(id, digest, facts.owned);
                as_expected = false;
                continue;
            }
            if comparison.drifted.contains(id) {
                self.memory.repairs.record(id, seen.now());
                let deviation =
                    DriftDetails { object: id.clone(), fields: changes, repaired: true };
                (self.tell)(ReconcileEvent::Drift(deviation));
            }
            self.memory.dry_runs.record(id, digest, version(id));
        }
        Ok(as_expected)
    }

    fn objection_of_policy(&self, comparison: &Comparison) -> Option<Reason> {
        let changes_routes = comparison.seen.changed().iter().any(ObjectId::is_route);
        if self.job.service == PLATFORM || !changes_routes || self.job.desired.routes.is_empty() {
            return None;
        }
        let is_drift = comparison.drifted.iter().any(ObjectId::is_route);
        if is_drift {
            return None;
        }
        let live = comparison.seen.applied_routes();
        let policy = &self.rollout_settings.policy;
        policy::objection(live.as_ref(), &self.job.desired.shares, policy).map(Reason::Policy)
    }

    async fn take(&mut self, step: &Step, comparison: &Comparison) -> Result<(), PassError> {
        let reconciler = self.reconciler;
        let executor = Executor {
            cluster: &reconciler.cluster,
            cache: &reconciler.cache,
            gloo_namespace: &self.rollout_settings.gloo_namespace,
        };
        match step {
            Step::Apply(manifests) => self.write(&executor, manifests, comparison).await?,
            Step::Route(manifests) => {
                let known = self.memory.rollback.previous().map(AsRef::as_ref);
                let previous = executor.previous(manifests, known).await?;
                self.memory.rollback.remember(previous);
                self.write(&executor, manifests, comparison).await?;
            }
            Step::Repeat(manifests) => {
                for manifest in manifests {
                    tracing::info!(object = %manifest.id(), "written again, because it has no status");
                    for object in executor.apply(std::slice::from_ref(manifest)).await? {
                        let owned = Digest::of_live(&object);
                        self.memory.stored.record(manifest.id(), manifest.digest(), owned);
                    }
                }
            }
            Step::RollBack(reason) => {
                if let Some(previous) = self.memory.rollback.previous().cloned() {
                    self.still_wanted()?;
                    self.memory.rollback.refuse(self.job.routes_digest(), reason.clone());
                    executor.roll_back(&previous).await?;
                    self.memory.rollback.is_done();
                    (self.tell)(ReconcileEvent::RolledBack(reason.clone()));
                }
            }
            Step::Empty(ids) => {
                for id in ids {
                    self.still_wanted()?;
                    executor.empty(id).await?;
                }
            }
            Step::Delete(ids) => {
                for id in ids {
                    self.still_wanted()?;
                    executor.delete([id]).await?;
                }
                (self.tell)(ReconcileEvent::Pruned(ids.clone()));
            }
            Step::Await(_) => {}
        }
        Ok(())
    }

    async fn write(
        &mut self,
        executor: &Executor<'_>,
        manifests: &[Manifest],
        comparison: &Comparison,
    ) -> Result<(), PassError> {
        for manifest in manifests {
            let id = manifest.id();
            if !self.written.insert(id.clone()) {
                return Err(Reason::NotKept(id.clone()).into());
            }
            self.still_wanted()?;
            let stored = executor.apply(std::slice::from_ref(manifest)).await?;
            let digest = manifest.digest();
            for object in &stored {
                self.memory.stored.record(id, digest, Digest::of_live(object));
            }
        }
        let mut applied =
            manifests.iter().map(|manifest| manifest.id().clone()).collect::<Vec<_>>();
        applied.retain(|id| !comparison.drifted.contains(id));
        if !applied.is_empty() {
            (self.tell)(ReconcileEvent::Applied(applied));
        }
        Ok(())
    }
}

/// # Errors
/// An object that may not be written: one without our labels is somebody else's, and stays theirs.
fn check_owner(job: &Job, id: &ObjectId, claim: &Claim) -> Result<(), PassError> {
    let object = id.clone();
    let foreign = match claim {
        Claim::Ours(service) if **service == *job.service => return Ok(()),
        Claim::Ours(_) if job.inherited.contains(id) => return Ok(()),
        Claim::Lapsed => return Ok(()),
        Claim::Nobody if job.adopts(id) => return Ok(()),
        Claim::Ours(service) => ForeignObject::OfService { object, service: service.to_string() },
        Claim::Instance(instance) => {
            ForeignObject::OfInstance { object, instance: instance.to_string() }
        }
        Claim::Nobody => ForeignObject::NotManaged { object, of_platform: job.service == PLATFORM },
    };
    Err(Reason::Foreign(foreign).into())
}

#[cfg(test)]
mod tests;
