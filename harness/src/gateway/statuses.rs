//! Verdicts, written to the objects as Gloo writes them: by a patch of the object itself (the kinds
//! have no status subresource), under the name of Gloo's namespace.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use gloo::{ObjectRef, Snapshot, Translation};
use kube::{
    Client, Resource as _,
    api::{DynamicObject, Patch, PatchParams},
    core::Request,
};
use serde_json::{Map, Value, json};

use super::kinds;

/// Who Gloo is to the API server's field management.
const FIELD_MANAGER: &str = "gloo";
/// Verdicts that are written at the same time; each takes a connection to the API server.
const AT_ONCE: usize = 16;

/// What is known about the statuses on the objects.
pub(super) struct Statuses {
    client: Client,
    seen: BTreeMap<ObjectRef, Seen>,
}

struct Seen {
    resource_version: Value,
    statuses: Value,
    /// The verdict that these statuses were found to show.
    shown: Option<gloo::Status>,
}

impl Statuses {
    pub(super) fn new(client: Client) -> Self {
        Self { client, seen: BTreeMap::new() }
    }

    /// An object as it is.
    pub(super) fn seen(&mut self, object: ObjectRef, value: &Value) {
        let resource_version = value["metadata"]["resourceVersion"].clone();
        let statuses = value["status"]["statuses"].clone();
        self.seen.insert(object, Seen { resource_version, statuses, shown: None });
    }

    /// An object that is no more.
    pub(super) fn gone(&mut self, object: &ObjectRef) {
        self.seen.remove(object);
    }

    /// The objects of a kind that are known but not among `there`.
    pub(super) fn others(&self, kind: &str, there: &BTreeSet<ObjectRef>) -> Vec<ObjectRef> {
        let kind = self.seen.keys().filter(|object| object.kind == kind);
        kind.filter(|object| !there.contains(object)).cloned().collect()
    }

    /// Writes every verdict that the object does not show yet: so also over a `Pending` that somebody
    /// applied together with a spec, which asks for a new verdict.
    pub(super) async fn write(&mut self, snapshot: &Snapshot, translation: &Translation) {
        let stuck: BTreeSet<String> =
            snapshot.undecodable().into_iter().map(|(object, _)| object.kind).collect();
        let verdicts = translation.statuses.iter().filter(|(object, _)| {
            // Gloo has no verdict on what it has not accepted (gloo-conformance case
            // 13-undecodable), nor on Upstreams while there is no proxy (15-delete-virtualservice).
            let idle = translation.proxies.is_empty() && object.kind.starts_with("Upstream");
            !stuck.contains(&object.kind) && !idle
        });
        let patches: Vec<_> = verdicts
            .filter_map(|(object, verdict)| {
                Some((object, self.patch(object, snapshot.gloo_namespace(), verdict)?))
            })
            .collect();
        let client = &self.client;
        let write = async |(object, patch)| write(client, object, patch).await;
        stream::iter(patches).for_each_concurrent(AT_ONCE, write).await;
    }

    /// The patch that makes the object show `verdict`; `None` when it does already.
    fn patch(
        &mut self,
        object: &ObjectRef,
        reporter: &str,
        verdict: &gloo::Status,
    ) -> Option<Value> {
        let seen = self.seen.get_mut(object)?;
        if seen.shown.as_ref() == Some(verdict) {
            return None;
        }
        let wanted = serde_json::to_value(verdict).ok()?;
        let Some(change) = overwrite(&seen.statuses[reporter], &wanted) else {
            seen.shown = Some(verdict.clone());
            return None;
        };
        Some(json!({
            // The verdict is about this very version: if the object has changed since, the API
            // server refuses it, and the change brings a new one.
            "metadata": {"resourceVersion": seen.resource_version},
            "status": {"statuses": {reporter: change}},
        }))
    }
}

async fn write(client: &Client, object: &ObjectRef, patch: Value) {
    let Some(resource) = kinds::resource(&object.kind) else { return };
    let place = DynamicObject::url_path(&resource, Some(&object.namespace));
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..Default::default() };
    let request = Request::new(place).patch(&object.name, &params, &Patch::Merge(patch));
    let answer = async { client.request_text(request.map_err(kube::Error::BuildRequest)?).await };
    match answer.await {
        // The object that it answers comes by the watch, too.
        Ok(_) => tracing::debug!(%object, "verdict written"),
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {}
        Err(error) => tracing::warn!(%object, %error, "cannot write the verdict"),
    }
}

/// The JSON merge patch that makes `wanted` of `old`; `None` when there is nothing to do.
fn overwrite(old: &Value, wanted: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(after)) = (old, wanted) else {
        return (old != wanted).then(|| wanted.clone());
    };
    let mut patch = Map::new();
    for (key, value) in after {
        let change = match before.get(key) {
            Some(before) => overwrite(before, value),
            None => Some(value.clone()),
        };
        patch.extend(change.map(|change| (key.clone(), change)));
    }
    let left = before.keys().filter(|key| !after.contains_key(*key));
    patch.extend(left.map(|key| (key.clone(), Value::Null)));
    (!patch.is_empty()).then_some(patch.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_says_only_what_is_different_and_removes_what_is_left_over() {
        let old = json!({"state": "Rejected", "reason": "x", "reportedBy": "g", "sub": {"a": 1}});
        let wanted = json!({"state": "Accepted", "reportedBy": "g", "sub": {"a": 1, "b": 2}});
        let patch = overwrite(&old, &wanted).unwrap();
        assert_eq!(patch, json!({"state": "Accepted", "sub": {"b": 2}, "reason": null}));
    }

    #[test]
    fn nothing_is_written_where_nothing_changes() {
        let status = json!({"state": "Accepted", "sub": {"a": {"state": "Accepted"}}});
        assert_eq!(overwrite(&status, &status), None);
        assert_eq!(overwrite(&Value::Null, &status), Some(status));
    }
}
