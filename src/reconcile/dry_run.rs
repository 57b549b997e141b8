//! Trying objects by server-side dry runs, and naming what differs and who changed it.

use futures::future::try_join_all;
use serde_json::Value;

use super::{PassError, Reconciler, check_owner};
use coalmine_core::diff::{self, Difference};
use coalmine_core::labels::FIELD_MANAGER;
use coalmine_core::managed_fields::holds;
use coalmine_core::object::Manifest;
use coalmine_core::object_state::Claim;

/// One object that the API server would take in place of another.
pub(super) struct DryRun {
    /// What it would store.
    pub(super) stored: Value,
    /// What is there.
    live: Value,
}

impl DryRun {
    /// The fields that would change, each with the manager who has it now.
    pub(super) fn changes(&self) -> Vec<(Difference, Option<String>)> {
        let differences = diff::differences(&self.live, &self.stored).into_iter();
        differences
            .map(|difference| (difference.clone(), manager(&self.live, &difference.field)))
            .collect()
    }
}

impl Reconciler {
    /// Tries the manifests, all at the same time; `None` stands for one that would be new. Nothing is
    /// changed.
    pub(super) async fn dry_run_all(
        &self,
        job: &coalmine_core::plan::Job,
        manifests: &[&Manifest],
    ) -> Result<Vec<Option<DryRun>>, PassError> {
        try_join_all(manifests.iter().map(|manifest| self.dry_run_one(job, manifest))).await
    }

    async fn dry_run_one(
        &self,
        job: &coalmine_core::plan::Job,
        manifest: &Manifest,
    ) -> Result<Option<DryRun>, PassError> {
        let id = manifest.id();
        let is_known = self.cache.object(id).is_some();
        if !is_known
            && has_distinct_entries(manifest)
            && self.cluster.could_create(manifest).await?
        {
            return Ok(None);
        }
        let dry_run = self.cluster.apply(manifest, true);
        let (stored, live) = if is_known {
            futures::try_join!(dry_run, self.cluster.get(id))?
        } else {
            let stored = dry_run.await?;
            // Of kinds that are watched by our label only, others' objects show in this way, and of
            // all kinds those that the watch has not shown yet.
            let live = if exists(&stored) { self.cluster.get(id).await? } else { None };
            (stored, live)
        };
        let Some(live) = live else { return Ok(None) };
        let claim = Claim::on(&live, &self.instance);
        check_owner(job, id, &claim)?;
        if !is_known && id.is_route() {
            // It can be rolled back.
            self.cache.record(&live);
        }
        Ok(Some(DryRun { stored, live }))
    }
}

/// Whether no list can have two entries with the same key, which cannot be applied and can be created.
/// The schemas of Gloo know no keys, and a Service may not have the same port twice in any case.
fn has_distinct_entries(manifest: &Manifest) -> bool {
    fn is_distinct(value: &Value) -> bool {
        match value {
            Value::Object(fields) => fields.values().all(is_distinct),
            Value::Array(items) => {
                let maps = items.iter().filter(|item| item.is_object());
                maps.count() < 2 && items.iter().all(is_distinct)
            }
            _ => true,
        }
    }
    manifest.id().is_routing() || is_distinct(manifest.object())
}

/// Whether an object that was tried is there already: the API server gives a version only to what it
/// stores.
fn exists(dry_run: &Value) -> bool {
    dry_run.pointer("/metadata/resourceVersion").is_some()
}

/// Who manages the field, the latest of them when there are several. Nobody does when it was taken
/// away: the API server notes what managers have, and not what they removed.
fn manager(live: &Value, field: &str) -> Option<String> {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    let others = entries.into_iter().flatten().filter(|entry| {
        entry["manager"] != FIELD_MANAGER && holds(&entry["fieldsV1"], live, field)
    });
    let found = others.max_by_key(|entry| entry["time"].as_str().unwrap_or_default())?;
    found["manager"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_where_no_list_can_say_a_thing_twice_is_an_object_tried_by_creating_it() {
        let dry_run = |api_version: &str, kind: &str, spec: Value| {
            let object = json!({"apiVersion": api_version, "kind": kind,
                "metadata": {"name": "echo", "namespace": "echo"}, "spec": spec});
            has_distinct_entries(&Manifest::new(object).expect("complete"))
        };
        let deployment = |env: Value| {
            let containers = json!([{"image": "echo", "args": ["a", "b"], "env": env}]);
            dry_run(
                "apps/v1",
                "Deployment",
                json!({"template": {"spec": {"containers": containers}}}),
            )
        };
        assert!(deployment(json!([{"name": "A", "value": "1"}])));
        assert!(!deployment(json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}])));
        let ports = json!({"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]});
        assert!(dry_run("v1", "Service", ports));
        let routes = json!({"routes": [{"name": "a"}, {"name": "a"}]});
        assert!(dry_run("gateway.solo.io/v1", "RouteTable", routes));
    }

    #[test]
    fn the_manager_of_a_field_is_named_as_far_as_the_object_tells() {
        let live = json!({"metadata": {"labels": {"a/b": "1"}, "managedFields": [
            {"manager": FIELD_MANAGER, "time": "2026-01-01T00:00:09Z",
                "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kubectl-edit", "time": "2026-01-01T00:00:01Z", "fieldsV1": {"f:spec": {
                "f:replicas": {}, "f:routes": {},
                "f:containers": {"k:{\"name\":\"b\"}": {"f:image": {}}}}}},
            {"manager": "kubectl-label", "time": "2026-01-01T00:00:02Z",
                "fieldsV1": {"f:metadata": {"f:labels": {"f:a/b": {}}}}}]},
            "spec": {"replicas": 1, "routes": [{"x": 1}],
                "containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}});
        assert_eq!(manager(&live, "/spec/replicas").as_deref(), Some("kubectl-edit"));
        assert_eq!(manager(&live, "/spec/routes/0/x").as_deref(), Some("kubectl-edit"));
        assert_eq!(manager(&live, "/spec/containers/1/image").as_deref(), Some("kubectl-edit"));
        assert_eq!(manager(&live, "/spec/containers/0/image"), None);
        assert_eq!(manager(&live, "/metadata/labels/a~1b").as_deref(), Some("kubectl-label"));
        assert_eq!(manager(&live, "/metadata/labels/c"), None);
    }
}
