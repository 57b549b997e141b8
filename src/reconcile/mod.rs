//! One service from what is live to what is desired: the only place where the pure decisions and the
//! cluster meet.

mod job;
mod transition;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::apply::{Ended, Executor};
use crate::cluster::{Cluster, ClusterError};
use crate::diff;
use crate::inventory::{self, INSTANCE, Manifest, ObjectId, SERVICE};
use crate::plan::{Findings, Step, is_route, plan};
use crate::policy;
use crate::preflight::{Baseline, Change, Prediction};
use crate::values::{PLATFORM, Policy, Timing};

pub use job::{Job, gone};

/// What all services of one daemon share.
#[derive(Clone)]
pub struct Reconciler {
    /// Where to.
    pub cluster: Cluster,
    /// The daemon's instance, the value of the instance label.
    pub instance: Arc<str>,
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
}

/// A service's state in the cluster against its desired state.
pub struct Review {
    /// Everything that exists of the service.
    pub live: BTreeMap<ObjectId, Value>,
    /// Desired objects as the API server would store them.
    pub stored: BTreeMap<ObjectId, Value>,
    /// What has to be done.
    pub findings: Findings,
}

impl Reconciler {
    /// Brings one service to its desired state and waits until it is healthy there.
    ///
    /// # Errors
    /// [`Ended`]; whatever was done until then is safe to go on from with another call.
    pub async fn reconcile(
        &self,
        job: &Job,
        conduct: &Conduct,
        superseded: &CancellationToken,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<(), Ended> {
        let mut review = self.review(job, &mut BTreeSet::new()).await?;
        let reason = objection_of_policy(job, &review.live, &conduct.policy)
            .or_else(|| transition::objection(&job.desired, &review.live, &review.findings));
        if let Some(reason) = reason {
            return Err(Ended::Stalled(format!("nothing was changed: {reason}")));
        }
        let mut blocked_by = None;
        if !(review.findings.changed.is_empty() && review.findings.surplus.is_empty()) {
            let prediction = self.preflight(job, conduct, &review.findings).await?;
            review.findings.judged_upstreams = prediction.judged_upstreams;
            blocked_by = prediction.blocked_by;
        }
        let steps = plan(&job.desired, &review.findings);
        let executor = Executor {
            cluster: &self.cluster,
            gloo_namespace: &conduct.gloo_namespace,
            timing: conduct.timing,
            superseded,
            tolerates_warnings: job.service == PLATFORM,
            progress,
        };
        // Waiting for pods takes its time, and others do not wait for us: what was harmless then is
        // looked at once more when the routes are due.
        let due = |step: &Step| matches!(step, Step::Route(_) | Step::Settle | Step::Delete(_));
        let (before, due) = steps.split_at(steps.iter().position(due).unwrap_or(steps.len()));
        executor.run(before, &review.live).await?;
        if !(before.is_empty() || due.is_empty()) {
            blocked_by = self.preflight(job, conduct, &review.findings).await?.blocked_by;
        }
        if let Some(reason) = blocked_by.filter(|_| !due.is_empty()) {
            return Err(Ended::Stalled(format!("no route was changed: {reason}")));
        }
        executor.run(due, &review.live).await
    }

    /// Asks Gloo's own rules what the change would do to anybody.
    async fn preflight(
        &self,
        job: &Job,
        conduct: &Conduct,
        findings: &Findings,
    ) -> Result<Prediction, Ended> {
        let mut live = gloo::Snapshot::new(&conduct.gloo_namespace);
        for object in self.gloo_objects().await? {
            live.upsert(&object);
        }
        let change = Change {
            service: &job.service,
            desired: &job.desired,
            surplus: &findings.surplus,
            tolerates_warnings: job.service == PLATFORM,
        };
        let judged =
            Baseline::new(live).check(&[change]).into_iter().collect::<Result<Vec<_>, _>>();
        let mut predictions =
            judged.map_err(|it| Ended::Stalled(format!("no route was changed: {it}")))?;
        Ok(predictions.pop().unwrap_or_default())
    }

    /// Compares by a server-side dry run; changes nothing.
    ///
    /// `coming` holds the namespaces that are yet to be made, and takes up those that this job would
    /// make: the API server cannot try an object in a namespace that is not there.
    ///
    /// # Errors
    /// [`Ended::Stalled`] when an object belongs to somebody else, [`Ended::Cluster`] when the API
    /// server refuses an object: then nothing of the service may be written.
    pub async fn review(&self, job: &Job, coming: &mut BTreeSet<String>) -> Result<Review, Ended> {
        let mut live = self.cluster.inventory(&self.instance, Some(&job.service)).await?;
        for manifest in job.desired.manifests() {
            if !live.contains_key(manifest.id())
                && let Some(object) = self.cluster.get(manifest.id()).await?
            {
                if let Some(reason) = self.objection(job, manifest.id(), &object) {
                    return Err(Ended::Stalled(reason));
                }
                live.insert(manifest.id().clone(), object);
            }
        }
        let desired: BTreeSet<&ObjectId> = job.desired.manifests().map(Manifest::id).collect();
        let surplus = live.iter().filter(|(id, object)| {
            !(desired.contains(id) || job.farewell && inventory::is_kept(object))
        });
        let surplus = surplus.map(|(id, _)| id.clone()).collect();
        let missing = job.namespaces().map(Manifest::id).filter(|id| !live.contains_key(id));
        coming.extend(missing.map(|id| id.name.clone()));
        let has_routes = live.keys().any(is_route);
        let mut findings = Findings { surplus, has_routes, ..Findings::default() };
        let mut stored = BTreeMap::new();
        for manifest in job.desired.manifests() {
            let id = manifest.id();
            let result = if id.namespace.as_ref().is_some_and(|name| coming.contains(name)) {
                manifest.object().clone()
            } else {
                self.cluster.apply(manifest, true).await?
            };
            if diff::changes(live.get(id), &result) {
                findings.changed.insert(id.clone());
            }
            stored.insert(id.clone(), result);
        }
        Ok(Review { live, stored, findings })
    }

    /// Makes the namespaces among the job's objects that do not exist. Services need them before they
    /// can even be tried; whatever else the job says of them is done with the rest of it.
    pub async fn make_namespaces(&self, job: &Job) -> Result<(), ClusterError> {
        for manifest in job.namespaces() {
            if self.cluster.get(manifest.id()).await?.is_none() {
                tracing::info!(object = %manifest.id(), "apply");
                self.cluster.apply(manifest, false).await?;
            }
        }
        Ok(())
    }

    /// Every object that Gloo's routing rests on.
    async fn gloo_objects(&self) -> Result<Vec<Value>, ClusterError> {
        let mut objects = Vec::new();
        for gloo::Kind { api_version, kind } in gloo::Snapshot::ROUTING {
            let listed = self.cluster.list(api_version, kind, None, "").await?;
            objects.extend(listed.into_iter().map(|(_, object)| object));
        }
        Ok(objects)
    }

    /// Why the object may not be written: one without our labels is somebody else's, and stays theirs.
    fn objection(&self, job: &Job, id: &ObjectId, object: &Value) -> Option<String> {
        let label = |name: &str| object["metadata"]["labels"][name].as_str();
        match (label(INSTANCE), label(SERVICE)) {
            (Some(instance), Some(service)) if instance == &*self.instance => {
                (service != job.service).then(|| {
                    format!(
                        "{id} belongs to the service {service}; give one of the two another name"
                    )
                })
            }
            (Some(instance), _) => Some(format!(
                "{id} belongs to the coalmine instance {instance}; remove it there first"
            )),
            (None, _) if job.adopt || id.kind == "Namespace" => None,
            (None, _) if job.service == PLATFORM => Some(format!(
                "{id} exists and was not made by coalmine; to hand it over, label it: {INSTANCE}={},{SERVICE}={PLATFORM}",
                self.instance
            )),
            (None, _) => Some(format!(
                "{id} exists and was not made by coalmine; delete it, or say `adopt: true` in the service's values to take it over"
            )),
        }
    }
}

fn objection_of_policy(
    job: &Job,
    live: &BTreeMap<ObjectId, Value>,
    policy: &Policy,
) -> Option<String> {
    if job.service == PLATFORM {
        return None;
    }
    let live = live.iter().find(|(id, _)| is_route(id)).map(|(_, object)| object);
    let mut desired = job.desired.routes.iter().map(Manifest::object);
    desired.find_map(|desired| policy::objection(&job.service, live, desired, policy))
}
