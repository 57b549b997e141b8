//! What a job would change, by server-side dry runs alone; for people who ask before they push.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{PassError, check_owner};
use crate::cluster::{Cluster, ClusterError};
use coalmine_core::diff;
use coalmine_core::labels;
use coalmine_core::managed_fields::counts_given_up;
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::object_state::Claim;
use coalmine_core::plan::Job;

/// A service's state in the cluster against its desired state.
pub struct Review {
    /// Everything that exists of the service.
    pub live: BTreeMap<ObjectId, Value>,
    /// Desired objects as the API server would store them.
    pub stored: BTreeMap<ObjectId, Value>,
    /// Desired objects that are missing or differ.
    pub changed: BTreeSet<ObjectId>,
    /// Objects of the service that nothing desires any more.
    pub to_prune: BTreeSet<ObjectId>,
}

impl Review {
    /// Compares by a server-side dry run; changes nothing.
    ///
    /// `coming` holds the namespaces that are yet to be made, and accepts those that this job would
    /// make: the API server cannot try an object in a namespace that is not there.
    ///
    /// # Errors
    /// [`PassError::Stalled`] when an object belongs to somebody else, [`PassError::Cluster`] when the API
    /// server refuses an object.
    pub async fn of(
        job: &Job,
        cluster: &Cluster,
        instance: &str,
        coming: &mut BTreeSet<String>,
    ) -> Result<Self, PassError> {
        let mut live = cluster.inventory(instance, Some(&job.service)).await?;
        for manifest in job.desired.manifests() {
            let id = manifest.id();
            if !live.contains_key(id)
                && let Some(object) = find(job, cluster, id).await?
            {
                let claim = Claim::on(&object, instance);
                check_owner(job, id, &claim)?;
                live.insert(id.clone(), object);
            }
        }
        let desired: BTreeSet<&ObjectId> = job.desired.manifests().map(Manifest::id).collect();
        let is_to_prune = |(id, object): &(&ObjectId, &Value)| {
            !(desired.contains(id) || job.retains(id, labels::keep(object)).is_some())
        };
        let to_prune = live.iter().filter(is_to_prune).map(|(id, _)| id.clone()).collect();
        let missing = job.namespaces().map(Manifest::id).filter(|id| !live.contains_key(id));
        coming.extend(missing.map(|id| id.name.clone()));
        let mut changed = BTreeSet::new();
        let mut stored = BTreeMap::new();
        for manifest in job.desired.manifests() {
            let id = manifest.id();
            let result = if id.namespace.as_ref().is_some_and(|name| coming.contains(name)) {
                manifest.object().clone()
            } else {
                dry_run(job, cluster, manifest, live.get(id)).await?
            };
            if diff::changes(live.get(id), &result) {
                changed.insert(id.clone());
            }
            stored.insert(id.clone(), result);
        }
        Ok(Self { live, stored, changed, to_prune })
    }
}

/// The object as it is; `None` also while its kind is not served that the job defines.
async fn find(job: &Job, cluster: &Cluster, id: &ObjectId) -> Result<Option<Value>, ClusterError> {
    match cluster.get(id).await {
        Err(ClusterError::KindNotServed { .. }) if job.defines(id) => Ok(None),
        found => found,
    }
}

/// The object as it would be once it is applied.
async fn dry_run(
    job: &Job,
    cluster: &Cluster,
    manifest: &Manifest,
    live: Option<&Value>,
) -> Result<Value, ClusterError> {
    let mut stored = match cluster.apply(manifest, true).await {
        Err(ClusterError::KindNotServed { .. }) if job.defines(manifest.id()) => {
            return Ok(manifest.object().clone());
        }
        stored => stored?,
    };
    // These are handed over before the manifest is applied.
    for (field, value) in
        live.map(|live| counts_given_up(live, manifest.object())).into_iter().flatten()
    {
        stored["spec"][field] = value;
    }
    Ok(stored)
}
