//! What Gloo needs in a cluster before it starts: its kinds, its namespace and three objects. The
//! embedded gateway reads the same.

use std::{env, fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use serde_json::{Value, json};

use super::objects;
#[cfg(feature = "containers")]
use crate::envoy_admin::Admin;

/// Gloo's own namespace.
pub(super) const NAMESPACE: &str = "gloo-system";
/// The name of the Gateway, and of the proxy it is for.
pub(super) const GATEWAY: &str = "gateway-proxy";

/// Where a real Gloo serves Envoy's configuration.
pub(super) const XDS_PORT: u16 = 9977;

#[cfg(feature = "containers")]
/// Envoy's admin interface at this port of the gateway's pods.
pub(super) fn envoy_admin(client: Client, port: u16) -> Admin {
    Admin::of_pods(client, NAMESPACE, &format!("gloo={GATEWAY}"), port)
}

/// Installs everything, with Envoy listening at `listener`, and returns when the kinds can be used.
pub(super) async fn install(client: &Client, listener: SocketAddr) -> Result<()> {
    let definitions = match env::var_os("COALMINE_GLOO_CRDS") {
        Some(folder) => read_definitions(Path::new(&folder))?,
        None => parse_definitions(gloo::CRDS.iter().copied()).context("our own definitions")?,
    };
    try_join_all(definitions.iter().map(|definition| objects::apply(client, definition))).await?;
    try_join_all(definitions.iter().map(|definition| established(client, definition))).await?;
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
    });
    objects::apply(client, &namespace).await?;
    try_join_all(
        [service(), settings(), gateway(listener)].iter().map(|o| objects::apply(client, o)),
    )
    .await?;
    Ok(())
}

async fn established(client: &Client, definition: &Value) -> Result<()> {
    let name = definition.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    let established = await_condition(api, name, is_crd_established());
    let waited = tokio::time::timeout(Duration::from_secs(180), established).await;
    waited.with_context(|| format!("CustomResourceDefinition {name} is not Established"))??;
    Ok(())
}

/// Every CustomResourceDefinition of a folder's YAML files.
fn read_definitions(folder: &Path) -> Result<Vec<Value>> {
    let mut definitions = Vec::new();
    let list = fs::read_dir(folder)
        .with_context(|| format!("cannot read COALMINE_GLOO_CRDS={}", folder.display()))?;
    for entry in list {
        let path = entry?.path();
        if !path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let found = parse_definitions([text.as_str()]);
        definitions.extend(found.with_context(|| format!("cannot read {}", path.display()))?);
    }
    anyhow::ensure!(
        !definitions.is_empty(),
        "COALMINE_GLOO_CRDS={}: no CustomResourceDefinition in any *.yaml",
        folder.display()
    );
    Ok(definitions)
}

fn parse_definitions<'a>(files: impl IntoIterator<Item = &'a str>) -> Result<Vec<Value>> {
    let mut definitions = Vec::new();
    for text in files {
        let documents: Vec<Value> = serde_yaml::from_multiple(text)?;
        definitions.extend(
            documents.into_iter().filter(|object| object["kind"] == "CustomResourceDefinition"),
        );
    }
    Ok(definitions)
}

/// Gloo looks for the port of this Service before anything else and gives up without it.
fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "gloo", "namespace": NAMESPACE, "labels": {"gloo": "gloo"}},
        "spec": {"ports": [{"name": "grpc-xds", "port": XDS_PORT}]},
    })
}

fn settings() -> Value {
    json!({
        "apiVersion": "gloo.solo.io/v1",
        "kind": "Settings",
        "metadata": {"name": "default", "namespace": NAMESPACE},
        "spec": {
            "discoveryNamespace": NAMESPACE,
            "kubernetesConfigSource": {},
            "kubernetesSecretSource": {},
            "kubernetesArtifactSource": {},
            "refreshRate": "60s",
            "gloo": {
                "xdsBindAddr": format!("127.0.0.1:{XDS_PORT}"),
                "restXdsBindAddr": "127.0.0.1:9976",
                "validationBindAddr": "127.0.0.1:9988",
                "proxyDebugBindAddr": "127.0.0.1:9966",
                "disableKubernetesDestinations": true,
                // Its own filters are not in a plain Envoy.
                "removeUnusedFilters": true,
                "enableRestEds": false,
                "invalidConfigPolicy": {"replaceInvalidRoutes": false},
            },
            "gateway": {"validation": {"serverEnabled": false, "allowWarnings": true}},
        },
    })
}

fn gateway(listener: SocketAddr) -> Value {
    json!({
        "apiVersion": "gateway.solo.io/v1",
        "kind": "Gateway",
        "metadata": {"name": GATEWAY, "namespace": NAMESPACE},
        "spec": {
            "bindAddress": listener.ip(),
            "bindPort": listener.port(),
            "httpGateway": {},
            "proxyNames": [GATEWAY],
        },
    })
}
