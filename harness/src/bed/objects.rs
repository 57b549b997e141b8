//! Objects of any kind, as JSON.

use anyhow::{Context as _, Result};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use serde_json::Value;

/// Who the bed is to the API server's field management.
const FIELD_MANAGER: &str = "bed";

/// A kind of which only the names are known.
pub(super) fn kind(group: &str, version: &str, kind: &str) -> ApiResource {
    let names = GroupVersionKind::gvk(group, version, kind);
    match kind {
        // Plurals that no rule of English gives.
        "Settings" => ApiResource::from_gvk_with_plural(&names, "settings"),
        "GatewayParameters" => ApiResource::from_gvk_with_plural(&names, "gatewayparameters"),
        _ => ApiResource::from_gvk(&names),
    }
}

/// The API of one kind, in one namespace or cluster-wide.
pub(super) fn api(
    client: &Client,
    kind: &ApiResource,
    namespace: Option<&str>,
) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, kind),
        None => Api::all_with(client.clone(), kind),
    }
}

/// Creates or updates one object.
pub(super) async fn apply(client: &Client, object: &Value) -> Result<()> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind").context("an object without a kind")?;
    let name = text("/metadata/name").context("an object without a name")?;
    let version = text("/apiVersion").context("an object without an apiVersion")?;
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = self::kind(group, version, kind);
    let patch = PatchParams::apply(FIELD_MANAGER).force();
    api(client, &resource, text("/metadata/namespace"))
        .patch(name, &patch, &Patch::Apply(object))
        .await
        .with_context(|| format!("cannot apply {kind} {name}"))?;
    Ok(())
}

/// Whether there is no such object, or the API server knows no such kind: then it answers with a line of text,
/// which the client does not take for a "not found".
pub(super) fn is_unknown(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
