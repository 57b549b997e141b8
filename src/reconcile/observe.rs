//! From the live state to what the plan decides by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gloo::Snapshot;
use jiff::Timestamp;

use super::memory::Memory;
use super::{PassError, Reconciler, RolloutSettings, check_owner};
use coalmine_core::kind::Kind;
use coalmine_core::managed_fields::Digest;
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::object_state::{Addresses, Claim, Facts, PodFacts};
use coalmine_core::plan::{Backend, Job, LivePods, Observation, Pods, has_same_domain};
use coalmine_core::proposal::reference;
use coalmine_core::reason::Reason;
use coalmine_core::values::{Drift, PLATFORM};

/// What is seen of a service, and what of it is drift.
pub(super) struct Comparison {
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
        rollout_settings: &RolloutSettings,
        memory: &mut Memory,
        now: Timestamp,
    ) -> Result<Comparison, PassError> {
        let (own, others): (Vec<&ObjectId>, Vec<&ObjectId>) =
            job.desired.manifests().map(Manifest::id).partition(|id| job.defines(id));
        match self.cache.unlisted(others.into_iter()) {
            Some(reason @ Reason::BeingListed(_)) => {
                return Err(PassError::Waiting(Box::new(reason)));
            }
            Some(reason) => return Err(reason.into()),
            None => {}
        }
        if let Some(reason) = self.cache.unlisted(own.into_iter()) {
            // Its definition is served since a moment ago.
            return Err(PassError::Waiting(Box::new(reason)));
        }
        let mut objects = self.cache.of_service(&job.service);
        let mut changed = BTreeSet::new();
        let (mut drifted, mut left) = (BTreeSet::new(), BTreeMap::new());
        let mut ignored = BTreeSet::new();
        for manifest in job.desired.manifests() {
            let id = manifest.id();
            let facts = self.cache.object(id);
            if let Some(facts) = &facts {
                check_owner(job, id, &facts.claim)?;
                objects.insert(id.clone(), facts.clone());
            }
            let digest = manifest.digest();
            if in_sync(facts.as_ref(), memory.stored.expected(id, digest)) {
                continue;
            }
            if is_drift(job, memory, facts.as_ref(), digest) {
                let due = memory.repairs.due(id).filter(|due| *due > now);
                match (job.drift.unwrap_or(rollout_settings.drift), due) {
                    (Drift::Repair, None) => drifted.insert(id.clone()),
                    (Drift::Repair, due) => {
                        left.insert(id.clone(), due);
                        continue;
                    }
                    (Drift::Report, _) => {
                        left.insert(id.clone(), None);
                        continue;
                    }
                    (Drift::Ignore, _) => {
                        ignored.insert(id.clone());
                        continue;
                    }
                };
            }
            changed.insert(id.clone());
        }
        let to_prune = to_prune(job, &objects);
        let pods = self.pods(job, &mut objects).await?;
        memory.routes.observe(&objects, now);
        if memory.routes.all_judged() {
            memory.rollback.gloo_answers();
        }
        let RolloutSettings { timing, gloo_namespace, .. } = rollout_settings;
        let in_place = self.in_place(job, &to_prune);
        let seen = Observation::new(objects, gloo_namespace, timing.settle, now)
            .with_differences(changed, to_prune)
            .with_drift_left(left.keys().cloned().chain(ignored).collect())
            .with_routes_in_place(in_place)
            .with_requests_of_others(job.takes_over)
            .with_pods(pods)
            .with_route_times(memory.routes.times())
            .with_judged_upstreams(memory.clearance.judged_upstreams().clone())
            .with_blocker(memory.clearance.blocked_by().cloned())
            .with_previous_routes(memory.rollback.previous().cloned())
            .with_refused_routes(memory.rollback.refusal(job.routes_digest()).cloned())
            .with_overdue(memory.waiting.overdue(timing.deadline, now));
        Ok(Comparison { seen, drifted, left })
    }

    /// VirtualServices that go, with this service or another one, and have a domain of the desired routes still.
    fn in_place(&self, job: &Job, to_prune: &BTreeSet<ObjectId>) -> BTreeSet<ObjectId> {
        let is_host = |id: &&ObjectId| id.is(Kind::VirtualService);
        let goes: Vec<&ObjectId> = to_prune.iter().chain(&job.departing).filter(is_host).collect();
        let desired = job.desired.routes.iter().filter(|routes| is_host(&routes.id()));
        let mut wanted = Snapshot::default();
        let mut names = Vec::new();
        for routes in desired {
            wanted.upsert(routes.object());
            names.push(reference(routes.id()).resource());
        }
        if goes.is_empty() || names.is_empty() {
            return BTreeSet::new();
        }
        let (live, _) = self.cache.gloo();
        let meets = |id: &&ObjectId| {
            let mut wanted = names.iter().filter_map(|name| wanted.virtual_service(name));
            wanted.any(|wanted| has_same_domain(wanted, &reference(id), &live))
        };
        goes.into_iter().filter(meets).cloned().collect()
    }

    /// The ready pods that are in the Endpoints of every Service that the gateway reads, and since when in all of them.
    fn reachable(&self, pods: &Pods, namespace: &str) -> Addresses {
        let services = pods.endpoints.iter();
        let ready = services.map(|it| self.cache.ready_addresses(namespace, &it.name));
        let in_both = |known: Addresses, other: Addresses| {
            let later = |(pod, since): (Arc<str>, Option<Timestamp>)| {
                let other = *other.get(&pod)?;
                Some((pod, since.max(other)))
            };
            known.into_iter().filter_map(later).collect()
        };
        ready.reduce(in_both).unwrap_or_default()
    }

    /// The pods of every version, which of them can be reached, and who has a ready one.
    async fn pods(
        &self,
        job: &Job,
        objects: &mut BTreeMap<ObjectId, Facts>,
    ) -> Result<LivePods, PassError> {
        let mut live = LivePods::default();
        if job.service == PLATFORM {
            return Ok(live);
        }
        let ours = self.cache.pods(&job.service);
        let mut versions: Vec<&Pods> = job.desired.unrouted.iter().collect();
        for backend in &job.desired.routed {
            match backend {
                Backend::Pods(pods) => versions.push(pods),
                Backend::Upstream(id) => {
                    objects.extend(self.cache.object(id).map(|facts| (id.clone(), facts)));
                }
            }
        }
        for pods in versions {
            let namespace = pods.service.namespace.as_deref().unwrap_or_default();
            let found = if pods.ours {
                // Those of a namespace that the service leaves have the same labels.
                let mut there = self.cache.pods_in(&job.service, namespace);
                there.retain(|pod| *pod.version == *pods.version);
                there
            } else {
                let listed =
                    self.cluster.list_known(Kind::Pod, Some(namespace), &pods.selector).await?;
                listed.iter().map(|(_, pod)| PodFacts::of(pod)).collect()
            };
            live.insert(&pods.selector, found);
            live.insert_addresses(self.reachable(pods, namespace));
        }
        for pod in ours.iter().filter(|pod| pod.ready_since.is_some()) {
            live.insert_answering(Some(pod.version.clone()));
        }
        if live.addresses().keys().any(|name| ours.iter().all(|pod| pod.name != *name)) {
            live.insert_answering(None);
        }
        Ok(live)
    }
}

/// Whether a service that is gone has objects that are to go too.
pub fn leaves(objects: &BTreeMap<ObjectId, Facts>) -> bool {
    !to_prune(&Job::removal(""), objects).is_empty()
}

/// What nothing desires any more. Of a service that goes, what is marked to be kept keeps all that it
/// needs: marks differ only where a change of them was under way.
pub fn to_prune(job: &Job, objects: &BTreeMap<ObjectId, Facts>) -> BTreeSet<ObjectId> {
    if job.is_part {
        return BTreeSet::new();
    }
    let desired: BTreeSet<&ObjectId> = job.desired.manifests().map(Manifest::id).collect();
    let rank = |id: &ObjectId| (id.is_route(), id.has_gloo_status());
    let kept = objects.iter().filter(|(_, facts)| facts.keep == Some(true) && job.is_removal);
    let highest = kept.map(|(id, _)| rank(id)).max();
    let left = objects.iter().filter(|(id, facts)| {
        let is_kept = job.retains(id, facts.keep).is_some() || highest > Some(rank(id));
        let stays = desired.contains(id) || job.handed_over.contains(id);
        !(stays || facts.terminating || is_kept)
    });
    left.map(|(id, _)| id.clone()).collect()
}

fn in_sync(facts: Option<&Facts>, expected: Digest) -> bool {
    facts.is_some_and(|facts| {
        matches!(facts.claim, Claim::Ours(_)) && !facts.terminating && facts.owned == expected
    })
}

/// Whether somebody else made the difference: the very manifest was applied before, or the object was
/// there when all of this was applied.
fn is_drift(job: &Job, memory: &Memory, facts: Option<&Facts>, manifest: Digest) -> bool {
    let applied = facts.and_then(|facts| facts.applied.as_deref());
    applied == Some(manifest.to_string().as_str())
        || facts.is_none() && memory.applied == Some(job.digest())
}

/// The first object that is being deleted although it is desired: it can only be made anew once it
/// is gone.
pub(super) fn in_the_way<'a>(job: &'a Job, seen: &Observation) -> Option<&'a ObjectId> {
    let mut ids = job.desired.manifests().map(Manifest::id);
    ids.find(|id| seen.object(id).is_some_and(|facts| facts.terminating))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use coalmine_core::labels::{INSTANCE, KEEP, SERVICE};
    use coalmine_core::object_state::identify;

    fn objects(kept: &[&str]) -> BTreeMap<ObjectId, Facts> {
        let kinds = [Kind::Deployment, Kind::Upstream, Kind::RouteTable];
        let objects = kinds.map(|kind| -> Value {
            json!({"apiVersion": kind.api_version(), "kind": kind, "metadata": {"name": "echo",
                "namespace": "echo", "labels": {INSTANCE: "default", SERVICE: "echo"},
                "annotations": {KEEP: kept.contains(&kind.as_str()).to_string()}}})
        });
        let of = |object: &Value| {
            let text = |field: &str| object[field].as_str().unwrap_or_default();
            let id = identify(object, text("apiVersion"), text("kind"));
            (id, Facts::of(object, "default", "gloo-system"))
        };
        objects.iter().map(of).collect()
    }

    #[test]
    fn what_another_job_takes_over_is_not_pruned() {
        let objects = objects(&[]);
        let mut job = Job::removal("echo");
        let upstream = objects.keys().find(|id| id.is(Kind::Upstream)).expect("there");
        job.handed_over = [upstream.clone()].into();
        let goes = to_prune(&job, &objects);
        assert!(goes.len() == 2 && !goes.contains(upstream), "{goes:?}");
    }

    #[test]
    fn what_is_kept_keeps_what_it_needs() {
        let goes = |kept: &[&str]| to_prune(&Job::removal("echo"), &objects(kept)).len();
        assert_eq!(goes(&[]), 3);
        assert_eq!(goes(&["Deployment"]), 2);
        assert_eq!(goes(&["Upstream"]), 1);
        assert_eq!(goes(&["RouteTable"]), 0);
    }
}
