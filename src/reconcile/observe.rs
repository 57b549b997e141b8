//! From the live state to what the plan decides by.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::memory::Memory;
use super::{Conduct, Ended, Reconciler, objection};
use coalmine_core::kind::Kind;
use coalmine_core::managed_fields::Digest;
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::object_state::{Addresses, Claim, Facts, PodFacts};
use coalmine_core::plan::{Answering, Backend, Job, Observation, Pods, Undo};
use coalmine_core::values::{Drift, PLATFORM};

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
        let surplus = surplus(job, &objects);
        let (pods, addresses, answering) = self.pods(job, &mut objects).await?;
        memory.note_routes(&objects, now);
        let refused =
            memory.refused.as_ref().filter(|refused| refused.routes == job.routes_digest());
        let seen = Observation {
            changed,
            surplus,
            objects,
            pods,
            addresses,
            answering,
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

    /// The pods of every version, by selector, which of them can be reached, and who has a ready one.
    async fn pods(
        &self,
        job: &Job,
        objects: &mut BTreeMap<ObjectId, Facts>,
    ) -> Result<(BTreeMap<String, Vec<PodFacts>>, Addresses, Answering), Ended> {
        let mut by_selector = BTreeMap::new();
        let mut addresses = Addresses::new();
        if job.service == PLATFORM {
            return Ok((by_selector, addresses, Answering::new()));
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
                    self.cluster.list_known(Kind::Pod, Some(namespace), &pods.selector).await?;
                listed.iter().map(|(_, pod)| PodFacts::of(pod)).collect()
            };
            by_selector.insert(pods.selector.clone(), found);
            addresses.extend(self.live.ready_addresses(namespace, &pods.service.name));
        }
        let ready = ours.iter().filter(|pod| pod.ready_since.is_some());
        let mut answering: Answering = ready.map(|pod| Some(pod.version.clone())).collect();
        if addresses.keys().any(|name| ours.iter().all(|pod| pod.name != *name)) {
            answering.insert(None);
        }
        Ok((by_selector, addresses, answering))
    }
}

/// Whether a service that is gone has objects that are to go too.
pub fn leaves(objects: &BTreeMap<ObjectId, Facts>) -> bool {
    !surplus(&Job::farewell(""), objects).is_empty()
}

/// What nothing desires any more. Of a service that goes, what is marked to be kept keeps all that it
/// needs: marks differ only where a change of them was under way.
fn surplus(job: &Job, objects: &BTreeMap<ObjectId, Facts>) -> BTreeSet<ObjectId> {
    let desired: BTreeSet<&ObjectId> = job.desired.manifests().map(Manifest::id).collect();
    let rank = |id: &ObjectId| (id.is_route(), id.has_gloo_status());
    let kept = objects.iter().filter(|(_, facts)| facts.kept && job.farewell);
    let highest = kept.map(|(id, _)| rank(id)).max();
    let left = objects.iter().filter(|(id, facts)| {
        let is_kept = job.respects_keep() && facts.kept || highest > Some(rank(id));
        !(desired.contains(id) || facts.terminating || is_kept)
    });
    left.map(|(id, _)| id.clone()).collect()
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

/// Whether Gloo has judged the routes that are there, and likes them no less than those of before:
/// there is no need to go back any more, also if something else is desired by now. Routes that are
/// still those of before say nothing, unless they are desired.
pub(super) fn is_accepted(
    undo: &Undo,
    changed: &BTreeSet<ObjectId>,
    objects: &BTreeMap<ObjectId, Facts>,
) -> bool {
    undo.before.iter().all(|(id, before)| {
        let Some(facts) = objects.get(id) else { return false };
        let is_new = before.as_ref().is_none_or(|(routes, _)| facts.owned != routes.digest());
        (is_new || !changed.contains(id))
            && facts.verdict().is_some_and(|verdict| !undo.is_worse(id, verdict))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use coalmine_core::health::Verdict;
    use coalmine_core::labels::{FIELD_MANAGER, INSTANCE, KEEP, SERVICE};
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
    fn there_is_no_way_back_to_before_routes_that_gloo_has_accepted_since() {
        let table = |version: &str, state: &str| {
            let labels = json!({format!("f:{INSTANCE}"): {}});
            json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable", "spec": {"routes": [version]},
                "metadata": {"name": "echo", "namespace": "echo", "labels": {INSTANCE: "default"},
                    "managedFields": [{"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1":
                        {"f:metadata": {"f:labels": labels}, "f:spec": {"f:routes": {}}}}]},
                "status": {"statuses": {"gloo-system": {"state": state}}}})
        };
        let id = identify(&table("v1", ""), "gateway.solo.io/v1", "RouteTable");
        let accepted = |live: &Value, before: Option<&Value>| {
            let before = before.map(|routes| {
                let mut routes = routes.clone();
                routes["metadata"].as_object_mut().unwrap().remove("managedFields");
                (Manifest::new(routes).expect("named"), Verdict::Accepted)
            });
            let objects = [(id.clone(), Facts::of(live, "default", "gloo-system"))].into();
            let undo = Undo { before: [(id.clone(), before)].into() };
            is_accepted(&undo, &[id.clone()].into(), &objects)
        };
        let (old, new) = (table("v1", "Accepted"), table("v2", "Accepted"));
        assert!(accepted(&new, Some(&old)) && accepted(&new, None));
        assert!(!accepted(&table("v2", "Rejected"), Some(&old)));
        assert!(!accepted(&table("v2", "Pending"), None));
        // The new ones may have been written, and not be seen yet.
        assert!(!accepted(&old, Some(&old)));
    }

    #[test]
    fn what_is_kept_keeps_what_it_needs() {
        let goes = |kept: &[&str]| surplus(&Job::farewell("echo"), &objects(kept)).len();
        assert_eq!(goes(&[]), 3);
        assert_eq!(goes(&["Deployment"]), 2);
        assert_eq!(goes(&["Upstream"]), 1);
        assert_eq!(goes(&["RouteTable"]), 0);
    }
}
