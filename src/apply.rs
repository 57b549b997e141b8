//! Carries out single steps: the one place that writes to the cluster.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tracing::Instrument;

use crate::cluster::{Cluster, ClusterError};
use crate::health::Verdict;
use crate::inventory::{APPLIED, Manifest, ObjectId};
use crate::live::{Live, owned};
use crate::plan::{Undo, is_judged_by_gloo};
use crate::telemetry;

/// Writes objects, and enters the answers into the live state, so that the next decision knows them.
pub struct Executor<'a> {
    /// Where to.
    pub cluster: &'a Cluster,
    /// What is to know of it.
    pub live: &'a Live,
    /// The namespace Gloo runs in and under which it writes its status.
    pub gloo_namespace: &'a str,
}

impl Executor<'_> {
    /// Writes the objects one after the other; returns them as stored.
    ///
    /// # Errors
    /// At the first object that the API server does not take. What was written stays.
    pub async fn apply(&self, manifests: &[Manifest]) -> Result<Vec<Value>, ClusterError> {
        let mut stored = Vec::new();
        for manifest in manifests {
            tracing::info!(object = %manifest.id(), "apply");
            let span = telemetry::apply(manifest.id());
            let stamped = self.stamped(manifest);
            let answer = self.cluster.apply(&stamped, false).instrument(span).await?;
            self.live.note(&answer);
            stored.push(answer);
        }
        Ok(stored)
    }

    /// Deletes the objects, each only if it is still the one that was seen.
    ///
    /// # Errors
    /// At the first object that the API server does not delete.
    pub async fn delete<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a ObjectId>,
    ) -> Result<(), ClusterError> {
        for id in ids {
            tracing::info!(object = %id, "delete");
            let uid = self.live.object(id).map(|facts| facts.uid.to_string());
            self.cluster.delete(id, uid).await?;
            self.live.note_deletion(id);
        }
        Ok(())
    }

    /// What is needed to put these routes back as they are now. What `earlier` says of one wins: it
    /// is the state that Gloo judged last. Of those that are not known there is nothing to put back:
    /// they were tried, and a trial makes known what is there.
    ///
    /// # Errors
    /// When the API server does not show them.
    pub async fn undo(
        &self,
        manifests: &[Manifest],
        earlier: Option<&Undo>,
    ) -> Result<Undo, ClusterError> {
        let mut before = BTreeMap::new();
        for manifest in manifests {
            let id = manifest.id();
            if let Some(known) = earlier.and_then(|undo| undo.before.get(id)) {
                before.insert(id.clone(), known.clone());
                continue;
            }
            let found = match self.live.object(id) {
                Some(facts) => {
                    let verdict = facts.verdict().cloned().unwrap_or(Verdict::Accepted);
                    let found = self.cluster.get(id).await?;
                    found.as_ref().and_then(previous).map(|manifest| (manifest, verdict))
                }
                None => None,
            };
            before.insert(id.clone(), found);
        }
        Ok(Undo { before })
    }

    /// Writes the routes of before again.
    ///
    /// # Errors
    /// At the first object that the API server does not take.
    pub async fn put_back(&self, undo: &Undo) -> Result<(), ClusterError> {
        for (id, before) in &undo.before {
            tracing::warn!(object = %id, "put back the previous routes");
            match before {
                Some((manifest, _)) => drop(self.apply(std::slice::from_ref(manifest)).await?),
                None => self.delete([id]).await?,
            }
        }
        Ok(())
    }

    /// The manifest with its own digest, and for Gloo's kinds with the status Pending, so that the
    /// next verdict is about this very spec (gloo.md, "Verdict freshness": Gloo's status carries no
    /// generation).
    fn stamped(&self, manifest: &Manifest) -> Manifest {
        let mut stamped = manifest.clone();
        stamped.annotate(APPLIED, &manifest.digest().to_string());
        if !is_judged_by_gloo(manifest.id()) {
            return stamped;
        }
        let state = Map::from_iter([(self.gloo_namespace.to_owned(), json!({"state": "Pending"}))]);
        let mut object = stamped.object().clone();
        object["status"] = json!({ "statuses": state });
        Manifest::new(object).expect("a manifest with a status is still a manifest")
    }
}

/// A live object as a manifest that restores what we own of it, or of one that we do not own yet its
/// labels, annotations and spec.
fn previous(live: &Value) -> Option<Manifest> {
    let mut object = match owned(live) {
        Value::Object(fields) => Value::Object(fields),
        _ => {
            let fields = ["labels", "annotations"].into_iter();
            let fields = fields
                .filter_map(|field| Some((field.to_owned(), live["metadata"].get(field)?.clone())));
            json!({"metadata": fields.collect::<Map<_, _>>(), "spec": live["spec"]})
        }
    };
    object.as_object_mut()?.remove("status");
    for field in ["apiVersion", "kind"] {
        object[field] = live[field].clone();
    }
    for field in ["name", "namespace"] {
        object["metadata"][field] = live["metadata"][field].clone();
    }
    Manifest::new(object)
}
