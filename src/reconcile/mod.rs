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
use coalmine_core::labels::ADOPT;
use coalmine_core::managed_fields::Digest;
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::object_state::Claim;
use coalmine_core::plan::{Job, Observation, Step, plan, transition};
use coalmine_core::policy;
use coalmine_core::values::{Drift, PLATFORM, Policy, Timing};
use memory::Refused;
use observe::{Sight, in_the_way, is_accepted};
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
    Stalled(String),
    /// The API server did not do what we asked.
    #[error(transparent)]
    Cluster(Box<ClusterError>),
}

impl From<ClusterError> for Ended {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(Box::new(error))
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
        reason: String,
        /// When it is repaired after all, if it is.
        until: Option<Timestamp>,
    },
    /// On its way, and waiting.
    Waiting {
        /// For what.
        reason: String,
        /// When the wait is over by itself, or has to be looked at again.
        until: Option<Timestamp>,
    },
    /// Not on its way. A change in the cluster or in the repository can bring it forward.
    Stalled {
        /// Why, and what to do.
        reason: String,
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
                Err(ended) => {
                    let retry = match &ended {
                        Ended::Cluster(error) if error.passes() => Retry::Soon,
                        _ => Retry::Later,
                    };
                    return Standing::Stalled { reason: ended.to_string(), retry };
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
        if self.memory.admitted != Some(self.surroundings()) {
            // It may be repaired; the admission says so before anything is written.
            self.memory.was_blocked |= self.memory.blocked_by.take().is_some();
        }
        let sight = self.reconciler.look(self.job, self.conduct, self.memory, now).await?;
        let Observation { changed, objects, .. } = &sight.seen;
        if self.memory.undo.as_ref().is_some_and(|undo| is_accepted(undo, changed, objects)) {
            self.memory.undo = None;
        }
        if let Some(id) = in_the_way(self.job, &sight.seen) {
            let reason = format!("{id} is being deleted, and is made anew when it is gone");
            return Ok(Some(Standing::Waiting { reason, until: None }));
        }
        let steps = plan(&self.job.desired, &sight.seen);
        if !steps.iter().any(|step| matches!(step, Step::Apply(_) | Step::Route(_))) {
            self.memory.in_force = Some(self.job.digest());
        }
        let Some(step) = steps.first() else {
            self.memory.waiting = None;
            self.memory.tried.clear();
            if self.memory.admitted.take().is_some() {
                self.reconciler.admission.forget(&self.job.service);
            }
            return Ok(Some(self.settled(&sight).await?));
        };
        if let Step::Await(wait) = step {
            return Ok(Some(self.waiting(wait, now)));
        }
        self.still_wanted()?;
        let admitted = match step {
            Step::PutBack { reason, .. } => self.may_go_back(reason).await?,
            _ => self.admitted(&sight).await?,
        };
        if !admitted {
            return Ok(None);
        }
        self.memory.waiting = None;
        self.attempt(step, &sight).await?;
        Ok(None)
    }

    /// Nobody has to reckon any more with a change that was let through for another job: this one may
    /// wait or stall for long before it is asked for.
    fn forget_what_is_not_wanted(&mut self) {
        let job = self.job;
        if self.memory.admitted.take_if(|(admitted, _)| *admitted != job.digest()).is_some() {
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
            self.memory.told.clear();
            return Ok(Standing::Ready);
        }
        self.tell_of_drift(sight).await?;
        let names: Vec<String> = sight.left.keys().map(ToString::to_string).collect();
        let names = names.join(", ");
        let until = sight.left.values().flatten().min().copied();
        let reason = match until {
            Some(_) => format!(
                "{names} is changed by somebody else again and again, and is repaired ever more rarely; \
                 find out who does it (the log and the Events name the field manager)"
            ),
            None => format!("{names} differs from the repository; --drift=repair would undo that"),
        };
        Ok(Standing::Drifted { reason, until })
    }

    /// Names what was changed and is left, once.
    async fn tell_of_drift(&mut self, sight: &Sight) -> Result<(), Ended> {
        for manifest in self.job.desired.manifests() {
            let id = manifest.id();
            let Some(due) = sight.left.get(id) else { continue };
            let owned = sight.seen.objects.get(id).map(|facts| facts.owned);
            if due.is_some() || self.memory.told.get(id) == Some(&owned) {
                continue;
            }
            let tried = self.reconciler.try_out(self.job, &[manifest]).await?;
            let fields = tried.iter().flatten().flat_map(Tried::changes).collect();
            self.memory.told.insert(id.clone(), owned);
            (self.tell)(Deed::Drift(Deviation { object: id.clone(), fields, repaired: false }));
        }
        Ok(())
    }

    fn waiting(&mut self, wait: &coalmine_core::plan::Wait, now: Timestamp) -> Standing {
        let waited = self.memory.waited(&wait.on, now);
        let waited = std::time::Duration::try_from(waited).unwrap_or_default();
        let deadline = self.conduct.timing.deadline;
        let reason = format!("{}: {}", wait.on, wait.reason);
        if wait.lasting || waited >= deadline && wait.until.is_none() {
            let so_long = if wait.lasting {
                String::new()
            } else {
                format!(" (waited {} s)", waited.as_secs())
            };
            let reason = format!("{reason}{so_long}; {}", wait.advice);
            return Standing::Stalled { reason, retry: Retry::Never };
        }
        let recheck = now.checked_add(jiff::SignedDuration::try_from(RECHECK).unwrap_or_default());
        let needs_recheck = self.job.desired.uses_foreign_pods();
        let end = jiff::SignedDuration::try_from(deadline.saturating_sub(waited)).ok();
        let end = end.and_then(|rest| now.checked_add(rest).ok());
        let until = wait.until.or(if needs_recheck { recheck.ok() } else { end });
        Standing::Waiting { reason, until }
    }

    /// Whether what is about to be written is accepted by the API server, by the policy and by
    /// everybody else. False when something is known now that changes the plan.
    async fn admitted(&mut self, sight: &Sight) -> Result<bool, Ended> {
        let seen = &sight.seen;
        let objection = self
            .objection_of_policy(sight)
            .or_else(|| transition::objection(&self.job.desired, seen));
        if let Some(reason) = objection {
            return Err(Ended::Stalled(format!("nothing was changed: {reason}")));
        }
        if !self.tried(sight).await? {
            return Ok(false);
        }
        let reconciler = self.reconciler;
        let admitted = Some(self.surroundings());
        if self.memory.admitted == admitted {
            return Ok(true);
        }
        let admission = &reconciler.admission;
        let asked = admission.ask(self.job, &seen.surplus, &self.conduct.gloo_namespace).await;
        let prediction = asked.map_err(|refusal| {
            (self.tell)(Deed::Refused(refusal.clone()));
            Ended::Stalled(format!("no route was changed: {refusal}"))
        })?;
        self.memory.admitted = admitted;
        let is_free =
            prediction.blocked_by.is_none() && std::mem::take(&mut self.memory.was_blocked);
        if is_free {
            // What is there reaches Envoy only now.
            self.memory.routes_judged_at = seen.now;
        }
        let is_new = is_free
            || prediction.judged_upstreams != self.memory.judged_upstreams
            || prediction.blocked_by != self.memory.blocked_by;
        self.memory.judged_upstreams = prediction.judged_upstreams;
        self.memory.blocked_by = prediction.blocked_by;
        Ok(!is_new)
    }

    /// Whether the routes of before harm nobody. What they had and the new ones have not, somebody else
    /// may have been given meanwhile.
    async fn may_go_back(&mut self, reason: &str) -> Result<bool, Ended> {
        let Some(undo) = self.memory.undo.clone() else { return Ok(false) };
        let (way_back, surplus) = self.job.way_back(&undo);
        // It is reckoned with until it is written, and is what no job of this service is.
        self.memory.admitted = Some((way_back.digest(), 0));
        let admission = &self.reconciler.admission;
        let asked = admission.ask(&way_back, &surplus, &self.conduct.gloo_namespace).await;
        asked.map(|_| true).map_err(|refusal| {
            (self.tell)(Deed::Refused(refusal.clone()));
            Ended::Stalled(format!("{reason}; the previous routes are not put back: {refusal}"))
        })
    }

    /// Tries the changed objects that were not tried on their present state. Every object is tried
    /// before the first is written, so that a service is not left half written.
    async fn tried(&mut self, sight: &Sight) -> Result<bool, Ended> {
        let seen = &sight.seen;
        let version = |id: &ObjectId| seen.objects.get(id).map_or(0, |facts| facts.version);
        let is_new = |manifest: &&Manifest| {
            let (id, digest) = (manifest.id(), manifest.digest());
            seen.changed.contains(id) && self.memory.tried.get(id) != Some(&(digest, version(id)))
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
                && let Some(facts) = seen.objects.get(id)
                && changes.is_empty()
                && facts.owned == Digest::of_live(&tried.stored)
            {
                // The API server stores it in other words than we apply it.
                self.memory.note_stored(id, digest, facts.owned);
                as_expected = false;
                continue;
            }
            if sight.drifted.contains(id) {
                self.memory.note_repair(id, seen.now);
                let deviation = Deviation { object: id.clone(), fields: changes, repaired: true };
                (self.tell)(Deed::Drift(deviation));
            }
            self.memory.tried.insert(id.clone(), (digest, version(id)));
        }
        Ok(as_expected)
    }

    fn objection_of_policy(&self, sight: &Sight) -> Option<String> {
        let changes_routes = sight.seen.changed.iter().any(ObjectId::is_route);
        if self.job.service == PLATFORM || !changes_routes || self.job.desired.routes.is_empty() {
            return None;
        }
        let is_drift = sight.drifted.iter().any(ObjectId::is_route);
        if is_drift {
            return None;
        }
        let live = sight.seen.routes_in_force();
        policy::objection(live, &self.job.desired.shares, &self.conduct.policy)
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
                let undo = executor.undo(manifests, self.memory.undo.as_deref()).await?;
                self.memory.undo = Some(Arc::new(undo));
                self.write(&executor, manifests, sight).await?;
            }
            Step::PutBack { reason, is_judged } => {
                if let Some(undo) = self.memory.undo.clone() {
                    self.still_wanted()?;
                    self.memory.refused = Some(Refused {
                        routes: self.job.routes_digest(),
                        reason: reason.clone(),
                        is_judged: *is_judged,
                    });
                    executor.put_back(&undo).await?;
                    // Only now: what fails half-way is done again.
                    self.memory.undo = None;
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
                return Err(Ended::Stalled(format!(
                    "{id} does not keep what is applied; is there a webhook that changes it?"
                )));
            }
            self.still_wanted()?;
            let stored = executor.apply(std::slice::from_ref(manifest)).await?;
            let digest = manifest.digest();
            for object in &stored {
                self.memory.note_stored(id, digest, Digest::of_live(object));
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

/// Why the object may not be written: one without our labels is somebody else's, and stays theirs.
fn objection(job: &Job, id: &ObjectId, claim: &Claim) -> Option<String> {
    match claim {
        Claim::Ours(service) if **service == *job.service => None,
        Claim::Ours(service) => {
            Some(format!("{id} belongs to the service {service}; give one of the two another name"))
        }
        Claim::Instance(other) => {
            Some(format!("{id} belongs to the coalmine instance {other}; remove it there first"))
        }
        Claim::Lapsed => None,
        Claim::Nobody if job.adopts(id) => None,
        Claim::Nobody if job.service == PLATFORM => Some(format!(
            "{id} exists and was not made by coalmine; delete it, or give it the annotation `{ADOPT}: \"true\"` in platform/ to take it over"
        )),
        Claim::Nobody => Some(format!(
            "{id} exists and was not made by coalmine; delete it, or say `adopt: true` in the service's values to take it over"
        )),
    }
}

#[cfg(test)]
mod tests;
