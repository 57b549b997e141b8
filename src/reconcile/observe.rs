//! From the live state to what the plan decides by.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::memory::Memory;
use super::{Conduct, Ended, Job, Reconciler, objection};
use crate::inventory::{Manifest, ObjectId};
use crate::live::{Addresses, Claim, Digest, Facts, PodFacts};
use crate::plan::{Backend, Observation, Pods, is_route};
use crate::values::{Drift, PLATFORM};

/// What is seen of a service, and what of it is drift.
pub(super) struct Sight {
    pub(super) seen: Observation,
    /// Changed objects that the repository did not change, and that are to be repaired now.
    pub(super) drifted: BTreeSet<ObjectId>,
    /// Those that are left as they are, and until when.
    pub(super) left: BTreeMap<ObjectId, Option<Timestamp>>,
}

impl Reconciler {
    /// Looks at one service. Only pods that somebody else deploys are asked for; all else is known.
    pub(super) async fn look(
        &self,
        job: &Job,
        conduct: &Conduct,
        memory: &mut Memory,
        now: Timestamp,
    ) -> Result<Sight, Ended> {
        if let Some(trouble) = self.live.unlisted(job.desired.manifests().map(Manifest::id)) {
            return Err(Ended::Stalled(trouble));
        }
        let mut objects = self.live.of_service(&job.service);
        let mut changed = BTreeSet::new();
        let (mut drifted, mut left) = (BTreeSet::new(), BTreeMap::new());
        for manifest in job.desired.manifests() {
            let id = manifest.id();
            let facts = self.live.object(id);
            if let Some(facts) = &facts {
                if let Some(reason) = objection(job, id, &facts.claim) {
                    return Err(Ended::Stalled(reason));
                }
                objects.insert(id.clone(), facts.clone());
            }
            let digest = manifest.digest();
            if in_sync(facts.as_ref(), memory.expected(id, digest)) {
                continue;
            }
            if is_drift(job, memory, facts.as_ref(), digest) {
                let due = memory.repair_due(id).filter(|due| *due > now);
                match (job.drift.unwrap_or(conduct.drift), due) {
                    (Drift::Repair, None) => drifted.insert(id.clone()),
                    (Drift::Repair, due) => {
                        left.insert(id.clone(), due);
                        continue;
                    }
                    (Drift::Report, _) => {
                        left.insert(id.clone(), None);
                        continue;
                    }
                    (Drift::Ignore, _) => continue,
                };
            }
            changed.insert(id.clone());
        }
        let desired: BTreeSet<&ObjectId> = job.desired.manifests().map(Manifest::id).collect();
        let is_surplus = |(id, facts): &(&ObjectId, &Facts)| {
            !(desired.contains(id) || facts.terminating || job.respects_keep() && facts.kept)
        };
        let surplus: Vec<_> = objects.iter().filter(is_surplus).collect();
        let surplus: BTreeSet<ObjectId> = surplus.into_iter().map(|(id, _)| id.clone()).collect();
        let (pods, addresses) = self.pods(job, &mut objects).await?;
        memory.note_routes(&objects, now);
        let refused =
            memory.refused.as_ref().filter(|refused| refused.routes == job.routes_digest());
        let seen = Observation {
            changed,
            surplus,
            objects,
            pods,
            addresses,
            judged_upstreams: memory.judged_upstreams.clone(),
            routes_changed_at: memory.routes_changed_at,
            routes_judged_at: memory.routes_judged_at,
            undo: memory.undo.clone(),
            refused_routes: refused.map(|refused| refused.reason.clone()),
            blocked_by: memory.blocked_by.clone(),
            overdue: overdue(memory, conduct, now),
            gloo_namespace: conduct.gloo_namespace.as_str().into(),
            settle: conduct.timing.settle,
            now,
        };
        Ok(Sight { seen, drifted, left })
    }

    /// The pods of every version, by selector, and which of them can be reached.
    async fn pods(
        &self,
        job: &Job,
        objects: &mut BTreeMap<ObjectId, Facts>,
    ) -> Result<(BTreeMap<String, Vec<PodFacts>>, Addresses), Ended> {
        let mut by_selector = BTreeMap::new();
        let mut addresses = Addresses::new();
        if job.service == PLATFORM {
            return Ok((by_selector, addresses));
        }
        let ours = self.live.pods(&job.service);
        let mut versions: Vec<&Pods> = job.desired.unrouted.iter().collect();
        for backend in &job.desired.routed {
            match backend {
                Backend::Pods(pods) => versions.push(pods),
                Backend::Upstream(id) => {
                    objects.extend(self.live.object(id).map(|facts| (id.clone(), facts)));
                }
            }
        }
        for pods in versions {
            let namespace = pods.service.namespace.as_deref().unwrap_or_default();
            let found = if pods.ours {
                let of_version = ours.iter().filter(|pod| *pod.version == *pods.version);
                of_version.cloned().collect()
            } else {
                let listed =
                    self.cluster.list("v1", "Pod", Some(namespace), &pods.selector).await?;
                listed.iter().map(|(_, pod)| PodFacts::of(pod)).collect()
            };
            by_selector.insert(pods.selector.clone(), found);
            addresses.extend(self.live.ready_addresses(namespace, &pods.service.name));
        }
        Ok((by_selector, addresses))
    }
}

fn in_sync(facts: Option<&Facts>, expected: Digest) -> bool {
    facts.is_some_and(|facts| {
        matches!(facts.claim, Claim::Ours(_)) && !facts.terminating && facts.owned == expected
    })
}

/// Whether somebody else made the difference: the very manifest was applied before, or the object was
/// there when all of this was in force.
fn is_drift(job: &Job, memory: &Memory, facts: Option<&Facts>, manifest: Digest) -> bool {
    let applied = facts.and_then(|facts| facts.applied.as_deref());
    applied == Some(manifest.to_string().as_str())
        || facts.is_none() && memory.in_force == Some(job.digest())
}

fn overdue(memory: &Memory, conduct: &Conduct, now: Timestamp) -> Option<String> {
    let (on, since) = memory.waiting.as_ref()?;
    let waited = std::time::Duration::try_from(now.duration_since(*since)).unwrap_or_default();
    (waited >= conduct.timing.deadline).then(|| on.clone())
}

/// The first object that is being deleted although it is desired: it can only be made anew once it
/// is gone.
pub(super) fn in_the_way<'a>(job: &'a Job, seen: &Observation) -> Option<&'a ObjectId> {
    let mut ids = job.desired.manifests().map(Manifest::id);
    ids.find(|id| seen.objects.get(id).is_some_and(|facts| facts.terminating))
}

/// Whether Gloo has judged the routes that are there, and likes them no less than those of before.
pub(super) fn is_accepted(job: &Job, seen: &Observation) -> bool {
    let undo = seen.undo.as_ref();
    let mut routes = job.desired.routes.iter().map(Manifest::id).filter(|id| is_route(id));
    routes.all(|id| {
        let verdict = seen.objects.get(id).and_then(|facts| facts.verdict());
        !seen.changed.contains(id)
            && verdict.is_some_and(|v| !undo.is_some_and(|undo| undo.is_worse(id, v)))
    })
}
