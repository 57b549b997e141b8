//! What Gloo needs in a cluster before it starts: its kinds, its namespace and three objects. The
//! embedded gateway reads the same.

use std::{env, net::SocketAddr, path::Path};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use kube::Client;
use serde_json::{Value, json};

use super::{definitions, objects};
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
        Some(folder) => definitions::read(Path::new(&folder)).context("COALMINE_GLOO_CRDS")?,
        None => definitions::parse(gloo::CRDS.iter().copied()).context("our own definitions")?,
    };
    definitions::install(client, &definitions).await?;
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
