//! One service from what is seen to what is desired: the only place where the pure decisions and the
//! cluster meet.
//!
//! A [pass](Reconciler::pass) takes the steps that can be taken now and ends; it never sleeps. What it
//! waits for shows in the live state, and whoever calls it calls again then.

mod admission;
mod deed;
mod doubt;
mod memory;
mod observe;
mod review;
mod trial;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

pub use admission::Admission;
pub use deed::{Deed, Deviation};
pub use memory::Memory;
pub use observe::leaves;
pub use review::Review;

use crate::apply::Executor;
use crate::cluster::{Cluster, ClusterError};
use crate::live::Live;
use coalmine_core::managed_fields::Digest;
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::object_state::Claim;
use coalmine_core::plan::{Job, Step, Wait, plan, transition};
use coalmine_core::policy;
use coalmine_core::preflight::Prediction;
use coalmine_core::reason::{ForeignObject, Hinted, PreflightError, Reason};
use coalmine_core::values::{Drift, PLATFORM, Policy, Timing};
use memory::Effect;
use observe::{Sight, in_the_way};
use trial::Tried;

/// What all services of one daemon share.
#[derive(Clone)]
pub struct Reconciler {
    /// Where to.
    pub cluster: Cluster,
    /// What is known of it.
    pub live: Live,
    /// Who says whether a change harms anybody.
    pub admission: Admission,
    /// The daemon's instance, the value of the instance label.
    pub instance: Arc<str>,
    /// The present moment.
    pub clock: fn() -> Timestamp,
}

/// What the repository says about how rollouts are carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conduct {
    /// Deadline and settle time.
    pub timing: Timing,
    /// The namespace of Gloo itself.
    pub gloo_namespace: String,
    /// What one commit may do.
    pub policy: Policy,
    /// What is done about changes of others, where a service's values do not say it.
    pub drift: Drift,
}

/// Why a pass could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// Something else is wanted by now, or somebody else writes.
    #[error("superseded")]
    Superseded,
    /// Something that this pass cannot mend.
    #[error("{0}")]
    Stalled(Box<Reason>),
    /// The API server did not do what we asked.
    #[error(transparent)]
    Cluster(Box<ClusterError>),
}

impl From<ClusterError> for Ended {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(Box::new(error))
    }
}

impl From<Reason> for Ended {
    fn from(reason: Reason) -> Self {
        Self::Stalled(Box::new(reason))
    }
}

impl Hinted for Ended {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Superseded => None,
            Self::Stalled(reason) => reason.hint(),
            Self::Cluster(error) => error.hint(),
        }
    }
}

/// Where a service stands after a pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
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
    /// Not on its way. A change in the cluster or in the repository can bring it forward.
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
    /// The reason passes by itself: the API server is away, a namespace is on its way.
    Soon,
    /// The reason is somebody's decision, which may be another one by then.
    Later,
    /// Only a change can help, and it will be seen.
    Never,
}

/// How soon a wait for what no watch shows is looked at again.
const RECHECK: std::time::Duration = std::time::Duration::from_secs(2);

impl Reconciler {
    /// Takes the steps that can be taken now, and says where the service stands.
    ///
    /// `is_superseded` is asked before every write; a write under way is finished first. Each thing
    /// done is told to `tell`.
    pub async fn pass(
        &self,
        job: &Job,
        conduct: &Conduct,
        memory: &mut Memory,
        is_superseded: &(dyn Fn() -> bool + Sync),
        tell: &(dyn Fn(Deed) + Sync),
    ) -> Standing {
        let written = BTreeSet::new();
        let mut pass =
            Pass { reconciler: self, job, conduct, memory, is_superseded, tell, written };
        loop {
            match pass.step().await {
                Ok(None) => {}
                Ok(Some(standing)) => return standing,
                Err(Ended::Superseded) => return Standing::Superseded,
                Err(Ended::Stalled(reason)) => {
                    return Standing::Stalled { reason: *reason, retry: Retry::Later };
                }
                Err(Ended::Cluster(error)) => {
                    let retry = if error.passes() { Retry::Soon } else { Retry::Later };
                    return Standing::Stalled { reason: Reason::Cluster(*error), retry };
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
        for manifest in job.namespaces() {
            if self.live.object(manifest.id()).is_none()
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
    conduct: &'a Conduct,
    memory: &'a mut Memory,
    is_superseded: &'a (dyn Fn() -> bool + Sync),
    tell: &'a (dyn Fn(Deed) + Sync),
    /// What this pass has written already.
    written: BTreeSet<ObjectId>,
}

impl Pass<'_> {
    /// Looks, and takes the first step of the plan. `None` when there may be more to do.
    async fn step(&mut self) -> Result<Option<Standing>, Ended> {
        self.clear_doubts().await?;
        let now = (self.reconciler.clock)();
        self.forget_what_is_not_wanted();
        let surroundings = self.surroundings();
        self.memory.clearance.enter(surroundings);
        let sight = self.reconciler.look(self.job, self.conduct, self.memory, now).await?;
        self.memory.rollback.settle(sight.seen.changed(), sight.seen.objects());
        if let Some(id) = in_the_way(self.job, &sight.seen) {
            let reason = Reason::Recreated(id.clone());
            return Ok(Some(Standing::Waiting { reason, until: None }));
        }
        let steps = plan(&self.job.desired, &sight.seen);
        if !steps.iter().any(|step| matches!(step, Step::Apply(_) | Step::Route(_))) {
            self.memory.in_force = Some(self.job.digest());
        }
        let Some(step) = steps.first() else {
            self.memory.waiting.end();
            self.memory.dry_runs.clear();
            if self.memory.clearance.end() {
                self.reconciler.admission.forget(&self.job.service);
            }
            return Ok(Some(self.settled(&sight).await?));
        };
        if let Step::Await(wait) = step {
            return Ok(Some(self.waiting(wait, now)));
        }
        self.still_wanted()?;
        let admitted = match step {
            Step::PutBack(reason) => self.may_go_back(reason).await?,
            _ => self.admitted(&sight).await?,
        };
        if !admitted {
            return Ok(None);
        }
        self.memory.waiting.end();
        self.attempt(step, &sight).await?;
        Ok(None)
    }

    /// Nobody has to reckon any more with a change that was let through for another job: this one may
    /// wait or stall for long before it is asked for.
    fn forget_what_is_not_wanted(&mut self) {
        if self.memory.clearance.end_unless(self.job.digest()) {
            self.reconciler.admission.forget(&self.job.service);
        }
    }

    /// What the admission's answer rests on.
    fn surroundings(&self) -> (Digest, u64) {
        (self.job.digest(), self.reconciler.live.gloo_without(&self.job.service))
    }

    /// To be asked right before every write.
    fn still_wanted(&self) -> Result<(), Ended> {
        if (self.is_superseded)() { Err(Ended::Superseded) } else { Ok(()) }
    }

    /// Everything that is done is as desired; what is left to say is what is left undone.
    async fn settled(&mut self, sight: &Sight) -> Result<Standing, Ended> {
        if sight.left.is_empty() {
            self.memory.reported.clear();
            return Ok(Standing::Ready);
        }
        self.tell_of_drift(sight).await?;
        let ids = sight.left.keys().cloned().collect();
        let until = sight.left.values().flatten().min().copied();
        let reason = match until {
            Some(_) => Reason::DriftBackingOff(ids),
            None => Reason::DriftReported(ids),
        };
        Ok(Standing::Drifted { reason, until })
    }

    /// Names what was changed and is left, once.
    async fn tell_of_drift(&mut self, sight: &Sight) -> Result<(), Ended> {
        for manifest in self.job.desired.manifests() {
            let id = manifest.id();
            let Some(due) = sight.left.get(id) else { continue };
            let owned = sight.seen.object(id).map(|facts| facts.owned);
            if due.is_some() || self.memory.reported.has(id, owned) {
                continue;
            }
            let tried = self.reconciler.try_out(self.job, &[manifest]).await?;
            let fields = tried.iter().flatten().flat_map(Tried::changes).collect();
            self.memory.reported.record(id, owned);
            (self.tell)(Deed::Drift(Deviation { object: id.clone(), fields, repaired: false }));
        }
        Ok(())
    }

    fn waiting(&mut self, wait: &Wait, now: Timestamp) -> Standing {
        let Wait { reason, until } = wait;
        let waited = self.memory.waiting.follow(reason.subject(), now);
        let deadline = self.conduct.timing.deadline;
        let reason = reason.clone();
        if reason.is_lasting() {
            return Standing::Stalled { reason, retry: Retry::Never };
        }
        if waited >= deadline && until.is_none() {
            let (reason, seconds) = (Box::new(reason), waited.as_secs());
            let reason = Reason::Overdue { reason, seconds };
            return Standing::Stalled { reason, retry: Retry::Never };
        }
        let recheck = now.checked_add(jiff::SignedDuration::try_from(RECHECK).unwrap_or_default());
        let needs_recheck = self.job.desired.uses_foreign_pods();
        let end = jiff::SignedDuration::try_from(deadline.saturating_sub(waited)).ok();
        let end = end.and_then(|rest| now.checked_add(rest).ok());
        let until = until.or(if needs_recheck { recheck.ok() } else { end });
        Standing::Waiting { reason, until }
    }

    /// Whether what is about to be written is accepted by the API server, by the policy and by
    /// everybody else. False when something is known now that changes the plan.
    async fn admitted(&mut self, sight: &Sight) -> Result<bool, Ended> {
        let seen = &sight.seen;
        let objection = self
            .objection_of_policy(sight)
            .or_else(|| transition::objection(&self.job.desired, seen).map(Reason::Unsafe));
        if let Some(reason) = objection {
            return Err(reason.into());
        }
        if !self.tried(sight).await? {
            return Ok(false);
        }
        let surroundings = self.surroundings();
        if self.memory.clearance.holds(surroundings) {
            return Ok(true);
        }
        let prediction = self.ask(self.job, seen.surplus()).await.map_err(Reason::Preflight)?;
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
        surplus: &BTreeSet<ObjectId>,
    ) -> Result<Prediction, PreflightError> {
        let admission = &self.reconciler.admission;
        let asked = admission.ask(job, surplus, &self.conduct.gloo_namespace).await;
        asked.inspect_err(|error| (self.tell)(Deed::Refused(error.clone())))
    }

    /// Whether the routes of before harm nobody. What they had and the new ones have not, somebody else
    /// may have been given meanwhile.
    async fn may_go_back(&mut self, reason: &Reason) -> Result<bool, Ended> {
        let Some(undo) = self.memory.rollback.previous().cloned() else { return Ok(false) };
        let (way_back, surplus) = self.job.way_back(&undo);
        // It is reckoned with until it is written, and is what no job of this service is.
        self.memory.clearance.admit_rollback(way_back.digest());
        let asked = self.ask(&way_back, &surplus).await;
        let cause = || Box::new(reason.clone());
        asked.map_err(|error| Reason::RollbackRefused { cause: cause(), error })?;
        Ok(true)
    }

    /// Tries the changed objects that were not tried on their present state. Every object is tried
    /// before the first is written, so that a service is not left half written.
    async fn tried(&mut self, sight: &Sight) -> Result<bool, Ended> {
        let seen = &sight.seen;
        let version = |id: &ObjectId| seen.object(id).map_or(0, |facts| facts.version);
        let is_new = |manifest: &&Manifest| {
            let (id, digest) = (manifest.id(), manifest.digest());
            seen.changed().contains(id) && !self.memory.dry_runs.accepted(id, digest, version(id))
        };
        let manifests: Vec<&Manifest> = self.job.desired.manifests().filter(is_new).collect();
        if manifests.is_empty() {
            return Ok(true);
        }
        let results = self.reconciler.try_out(self.job, &manifests).await?;
        let mut as_expected = true;
        for (manifest, tried) in manifests.iter().zip(results) {
            let (id, digest) = (manifest.id(), manifest.digest());
            let changes = tried.as_ref().map(Tried::changes).unwrap_or_default();
            if let Some(tried) = &tried
                && let Some(facts) = seen.object(id)
                && changes.is_empty()
                && facts.owned == Digest::of_live(&tried.stored)
            {
                // The API server stores it in other words than we apply it.
                self.memory.stored.record(id, digest, facts.owned);
                as_expected = false;
                continue;
            }
            if sight.drifted.contains(id) {
                self.memory.repairs.record(id, seen.now());
                let deviation = Deviation { object: id.clone(), fields: changes, repaired: true };
                (self.tell)(Deed::Drift(deviation));
            }
            self.memory.dry_runs.record(id, digest, version(id));
        }
        Ok(as_expected)
    }

    fn objection_of_policy(&self, sight: &Sight) -> Option<Reason> {
        let changes_routes = sight.seen.changed().iter().any(ObjectId::is_route);
        if self.job.service == PLATFORM || !changes_routes || self.job.desired.routes.is_empty() {
            return None;
        }
        let is_drift = sight.drifted.iter().any(ObjectId::is_route);
        if is_drift {
            return None;
        }
        let live = sight.seen.routes_in_force();
        let policy = &self.conduct.policy;
        policy::objection(live, &self.job.desired.shares, policy).map(Reason::Policy)
    }

    async fn take(&mut self, step: &Step, sight: &Sight) -> Result<(), Ended> {
        let reconciler = self.reconciler;
        let executor = Executor {
            cluster: &reconciler.cluster,
            live: &reconciler.live,
            gloo_namespace: &self.conduct.gloo_namespace,
        };
        match step {
            Step::Apply(manifests) => self.write(&executor, manifests, sight).await?,
            Step::Route(manifests) => {
                let known = self.memory.rollback.previous().map(AsRef::as_ref);
                let undo = executor.undo(manifests, known).await?;
                self.memory.rollback.remember(undo);
                self.write(&executor, manifests, sight).await?;
            }
            Step::PutBack(reason) => {
                if let Some(undo) = self.memory.rollback.previous().cloned() {
                    self.still_wanted()?;
                    self.memory.rollback.refuse(self.job.routes_digest(), reason.clone());
                    executor.put_back(&undo).await?;
                    self.memory.rollback.is_done();
                    (self.tell)(Deed::PutBack(reason.clone()));
                }
            }
            Step::Delete(ids) => {
                for id in ids {
                    self.still_wanted()?;
                    executor.delete([id]).await?;
                }
                (self.tell)(Deed::Pruned(ids.clone()));
            }
            Step::Await(_) => {}
        }
        Ok(())
    }

    async fn write(
        &mut self,
        executor: &Executor<'_>,
        manifests: &[Manifest],
        sight: &Sight,
    ) -> Result<(), Ended> {
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
        applied.retain(|id| !sight.drifted.contains(id));
        if !applied.is_empty() {
            (self.tell)(Deed::Applied(applied));
        }
        Ok(())
    }
}

/// # Errors
/// An object that may not be written: one without our labels is somebody else's, and stays theirs.
fn check_owner(job: &Job, id: &ObjectId, claim: &Claim) -> Result<(), Ended> {
    let object = id.clone();
    let foreign = match claim {
        Claim::Ours(service) if **service == *job.service => return Ok(()),
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
