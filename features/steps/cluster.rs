//! What is in the cluster, and what people do to it by hand.

use anyhow::{Context, Result};
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use harness::wait::Seen;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};

use crate::wait;
use crate::world::{World, bed};

#[then(regex = r"^the Deployment (\S+)/(\S+) is available$")]
pub(super) async fn is_available(_: &mut World, namespace: String, name: String) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(bed().client(), &namespace);
    wait::until(&format!("Deployment {namespace}/{name}"), async || {
        match deployments.get_opt(&name).await {
            Ok(Some(deployment)) => {
                let available = deployment.status.and_then(|status| status.available_replicas);
                Seen::when(available > Some(0), "no pod of it is available")
            }
            Ok(None) => Seen::NotYet("it does not exist".into()),
            Err(error) => Seen::NotYet(error.to_string()),
        }
    })
    .await
}

#[then(regex = r"^the (Deployment|Upstream) (\S+)/(\S+) is gone$")]
async fn is_gone(_: &mut World, kind: String, namespace: String, name: String) -> Result<()> {
    if kind == "Upstream" && bed().gateway_kind().is_of_gateway_api() {
        // No cluster without Gloo has any.
        return Ok(());
    }
    let api = objects_of(&kind, &namespace)?;
    wait::until(&format!("no {kind} {namespace}/{name}"), async || match api.get_opt(&name).await {
        Ok(found) => Seen::when(found.is_none(), "it exists"),
        Err(error) => Seen::NotYet(error.to_string()),
    })
    .await
}

/// Pods that are ending count until they are gone.
#[then(regex = r"^(no|\d+) pods? of (\S+)/(\S+) (?:is|are) left$")]
async fn pods_are_left(
    _: &mut World,
    count: String,
    namespace: String,
    deployment: String,
) -> Result<()> {
    let wanted = if count == "no" { 0 } else { count.parse()? };
    let pods: Api<Pod> = Api::namespaced(bed().client(), &namespace);
    let of_deployment = format!("{deployment}-");
    wait::until(&format!("{count} pods of {namespace}/{deployment}"), async || {
        match pods.list_metadata(&ListParams::default()).await {
            Ok(list) => {
                let names = list.items.iter().map(ResourceExt::name_any);
                let left = names.filter(|name| name.starts_with(&of_deployment)).count();
                Seen::when(left == wanted, format!("{left} are left"))
            }
            Err(error) => Seen::NotYet(error.to_string()),
        }
    })
    .await
}

#[given(regex = r"^somebody of the \w+ team applies by hand:$")]
#[when(regex = r"^somebody of the \w+ team applies by hand:$")]
async fn applies_by_hand(_: &mut World, step: &Step) -> Result<()> {
    let text = step.docstring.as_deref().context("the step needs an object")?;
    let object: DynamicObject = serde_yaml::from_str(text.trim_start())?;
    let kind = object.types.clone().context("the object needs apiVersion and kind")?;
    let namespace = object.metadata.namespace.clone().context("the object needs a namespace")?;
    let name = object.metadata.name.clone().context("the object needs a name")?;
    let parameters = PatchParams::apply("kubectl").force();
    let api = objects(&kind.api_version, &kind.kind, &namespace)?;
    // Somebody may be quicker than the daemon is with the namespace.
    wait::until(&format!("{} {namespace}/{name} applied", kind.kind), async || {
        Seen::from_result(api.patch(&name, &parameters, &Patch::Apply(&object)).await)
    })
    .await?;
    Ok(())
}

/// The objects of one of the kinds that services consist of, in one namespace.
pub(super) fn objects_of(kind: &str, namespace: &str) -> Result<Api<DynamicObject>> {
    let api_version = match kind {
        "Deployment" => "apps/v1",
        "Upstream" => "gloo.solo.io/v1",
        "RouteTable" | "VirtualService" => "gateway.solo.io/v1",
        "HTTPRoute" => "gateway.networking.k8s.io/v1",
        _ => "v1",
    };
    objects(api_version, kind, namespace)
}

/// The objects of one kind in one namespace.
pub(super) fn objects(
    api_version: &str,
    kind: &str,
    namespace: &str,
) -> Result<Api<DynamicObject>> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = GroupVersionKind::gvk(group, version, kind);
    // The one plural here that is no longer than its singular.
    let resource = match kind.kind.as_str() {
        "Settings" => ApiResource::from_gvk_with_plural(&kind, "settings"),
        _ => ApiResource::from_gvk(&kind),
    };
    Ok(Api::namespaced_with(bed().client(), namespace, &resource))
}
