//! Carries out single steps: the one place that writes to the cluster.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tracing::Instrument;

use crate::cache::Cache;
use crate::cluster::{Cluster, ClusterError};
use crate::telemetry;
use coalmine_core::health::{self, Verdict};
use coalmine_core::labels::{self, APPLIED};
use coalmine_core::managed_fields::{counts_given_up, gives_up_counts, owned};
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::plan::PreviousRoutes;
use coalmine_core::render::emptied;

/// Writes objects, and enters the answers into the live state, so that the next decision knows them.
pub struct Executor<'a> {
    /// Where to.
    pub cluster: &'a Cluster,
    /// What is to know of it.
    pub cache: &'a Cache,
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
            self.hand_over(manifest).await?;
            let span = telemetry::apply(manifest.id());
            let stamped = self.stamped(manifest);
            let answer = self.cluster.apply(&stamped, false).instrument(span).await?;
            self.cache.record(&answer);
            stored.push(answer);
        }
        Ok(stored)
    }

    /// Hands over the numbers of pods that we own and the manifest leaves out, so that they keep their live value:
    /// without an owner they would fall to their default.
    async fn hand_over(&self, manifest: &Manifest) -> Result<(), ClusterError> {
        let id = manifest.id();
        let owned = self.cache.object(id).map(|facts| facts.counts).unwrap_or_default();
        if !gives_up_counts(&owned, manifest.object()) {
            return Ok(());
        }
        let Some(live) = self.cluster.get(id).await? else { return Ok(()) };
        let given_up = counts_given_up(&live, manifest.object());
        if given_up.is_empty() {
            return Ok(());
        }
        tracing::info!(object = %id, fields = %serde_json::Value::Object(given_up.clone()), "handed over");
        self.cluster.hand_over(manifest, given_up).await
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
            let facts = self.cache.object(id);
            let uid = facts.as_ref().map(|facts| facts.uid.to_string());
            let account = facts.and_then(|facts| facts.account);
            let user = id.namespace.as_deref().zip(account);
            let user = user.map(|(namespace, account)| labels::user(namespace, &account));
            self.cluster.delete(id, uid, user.as_deref()).await?;
            self.cache.record_deletion(id);
        }
        Ok(())
    }

    /// Writes an HTTPRoute that is to be deleted so that no request fits any of its rules; nothing of one that is gone.
    ///
    /// # Errors
    /// When the API server does not show it, or does not take it.
    pub async fn empty(&self, id: &ObjectId) -> Result<(), ClusterError> {
        let Some(live) = self.cluster.get(id).await? else { return Ok(()) };
        let rules = live.pointer("/spec/rules").and_then(Value::as_array);
        let rules = emptied(rules.map(Vec::as_slice).unwrap_or_default());
        let Some(mut object) = previous(&live).map(|manifest| manifest.object().clone()) else {
            return Ok(());
        };
        object["spec"]["rules"] = rules.into();
        let emptied = Manifest::new(object).into_iter().collect::<Vec<_>>();
        self.apply(&emptied).await.map(drop)
    }

    /// What is needed to put these routes back. Of those that are not known there is nothing to put
    /// back: they were tried, and a trial makes known what is there.
    ///
    /// # Errors
    /// When the API server does not show them.
    pub async fn previous(
        &self,
        manifests: &[Manifest],
        earlier: Option<&PreviousRoutes>,
    ) -> Result<PreviousRoutes, ClusterError> {
        let mut before = BTreeMap::new();
        for manifest in manifests {
            let id = manifest.id();
            let found = match self.cache.object(id) {
                Some(_) => self.cluster.get(id).await?,
                None => None,
            };
            let rollback = rollback(manifest, found.as_ref(), earlier, self.gloo_namespace);
            before.extend(rollback.map(|rollback| (id.clone(), rollback)));
        }
        Ok(PreviousRoutes { before })
    }

    /// Writes the routes of before again.
    ///
    /// # Errors
    /// At the first object that the API server does not take.
    pub async fn roll_back(&self, previous: &PreviousRoutes) -> Result<(), ClusterError> {
        for (id, before) in &previous.before {
            tracing::warn!(object = %id, "rolled back to the previous routes");
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
        if !manifest.id().has_gloo_status() {
            return stamped;
        }
        let state = Map::from_iter([(self.gloo_namespace.to_owned(), json!({"state": "Pending"}))]);
        let mut object = stamped.object().clone();
        object["status"] = json!({ "statuses": state });
        Manifest::new(object).expect("a manifest with a status is still a manifest")
    }
}

/// What to go back to from these routes: the live ones, unless an earlier rollback target is still needed
/// because Gloo has not judged those, or judged them worse. `None` when they are the previous routes themselves.
fn rollback(
    routes: &Manifest,
    live: Option<&Value>,
    earlier: Option<&PreviousRoutes>,
    gloo_namespace: &str,
) -> Option<Option<(Manifest, Verdict)>> {
    let verdict = live.and_then(|live| health::verdict(live, gloo_namespace));
    let is_needed = |known: &&PreviousRoutes| {
        verdict.as_ref().is_none_or(|verdict| known.is_worse(routes.id(), verdict))
    };
    let known = earlier.filter(is_needed).and_then(|known| known.before.get(routes.id()).cloned());
    let before = known.unwrap_or_else(|| {
        live.and_then(previous).map(|before| (before, verdict.unwrap_or(Verdict::Accepted)))
    });
    let leads_here = before.as_ref().is_some_and(|(before, _)| before.digest() == routes.digest());
    (!leads_here).then_some(before)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_restores_the_routes_that_gloo_accepted_last() {
        let table = |version: &str, state: &str| {
            json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
                "metadata": {"name": "echo-routes", "namespace": "echo"},
                "spec": {"routes": [version]},
                "status": {"statuses": {"gloo-system": {"state": state}}}})
        };
        let manifest = |version: &str| previous(&table(version, "")).expect("named");
        let before = |live: &Value, earlier: Option<&PreviousRoutes>| {
            let before = rollback(&manifest("v3"), Some(live), earlier, "gloo-system");
            before.expect("others").map(|(manifest, verdict)| {
                (manifest.object()["spec"]["routes"][0].clone(), verdict)
            })
        };
        let accepted = |version: &str| Some((json!(version), Verdict::Accepted));
        assert_eq!(before(&table("v1", "Accepted"), None), accepted("v1"));
        let v1 = manifest("v1");
        let id = v1.id().clone();
        let earlier =
            PreviousRoutes { before: [(id.clone(), Some((v1.clone(), Verdict::Accepted)))].into() };
        assert_eq!(before(&table("v2", "Pending"), Some(&earlier)), accepted("v1"));
        assert_eq!(before(&table("v2", "Rejected"), Some(&earlier)), accepted("v1"));
        assert_eq!(before(&table("v2", "Accepted"), Some(&earlier)), accepted("v2"));
        // The previous routes themselves need none.
        let pending = table("v2", "Pending");
        assert_eq!(rollback(&v1, Some(&pending), Some(&earlier), "gloo-system"), None);
        let nothing = PreviousRoutes { before: [(id, None)].into() };
        assert_eq!(before(&table("v2", "Pending"), Some(&nothing)), None);
        assert_eq!(before(&table("v2", "Accepted"), Some(&nothing)), accepted("v2"));
    }
}
