//! The Envoy of a bed, and its admin interface.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::{client::legacy, rt::TokioExecutor};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use serde_json::{Value, json};

use super::gloo_system::{GATEWAY, NAMESPACE};

use crate::{
    build::Artifacts,
    process::{Process, Program},
    wait::{self, Seen},
};

/// Envoy's admin interface: in the namespace of a local bed, or in its pod.
pub(crate) const ADMIN_PORT: u16 = 19000;

/// Starts Envoy with `bootstrap`, to which the admin interface is added, and waits until it
/// runs.
pub(super) async fn start(
    artifacts: &Artifacts,
    mut bootstrap: Value,
    directory: &Path,
    logs: &Path,
) -> Result<Process> {
    bootstrap["admin"] = admin("127.0.0.1");
    let config = directory.join("envoy.json");
    fs::write(&config, format!("{bootstrap:#}"))?;
    let program = Program::new("envoy", &artifacts.envoy, logs)
        .arg("--config-path")
        .arg(&config)
        .arg("--disable-hot-restart")
        // One worker: the bed shares its processors with a whole control plane and the load.
        .args(["--concurrency", "1", "--drain-time-s", "1", "--log-level", "info"]);
    let process = Process::start(&program)?;
    // Not until it is ready: that may wait for a first configuration, which comes later.
    let running = wait::until("Envoy to run", Duration::from_secs(60), || async {
        Seen::from_result(Admin::local().get("/server_info").await.map(drop))
    });
    process.alive(running).await?;
    Ok(process)
}

/// The part of a bootstrap that opens the admin interface on an address.
pub(crate) fn admin(address: &str) -> Value {
    let address = json!({"address": address, "port_value": ADMIN_PORT});
    json!({"address": {"socket_address": address}})
}

/// Envoy's admin interface, or the part of it that its bed lets be read.
#[derive(Clone)]
pub struct Admin(Way);

#[derive(Clone)]
enum Way {
    /// On loopback.
    Here,
    /// In the gateway's pod, through the API server.
    Pod { client: Client, port: u16 },
}

impl Admin {
    /// The one in our own network namespace.
    pub(crate) fn local() -> Self {
        Self(Way::Here)
    }

    /// The one at this port of the gateway's pods, of which it takes the first.
    pub(super) fn of_pod(client: Client, port: u16) -> Self {
        Self(Way::Pod { client, port })
    }

    /// The answer to a GET of `path`.
    ///
    /// # Errors
    /// No connection, no pod, or a status other than 200.
    pub async fn get(&self, path: &str) -> Result<String> {
        match &self.0 {
            Way::Here => get(&format!("http://127.0.0.1:{ADMIN_PORT}{path}")).await,
            Way::Pod { client, port } => get_through(client, *port, path).await,
        }
    }
}

async fn get(url: &str) -> Result<String> {
    let client = legacy::Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(url.parse()?).await.with_context(|| format!("cannot get {url}"))?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    anyhow::ensure!(status.is_success(), "{url} answers {status}: {body}");
    Ok(body)
}

async fn get_through(client: &Client, port: u16, path: &str) -> Result<String> {
    let pods = Api::<Pod>::namespaced(client.clone(), NAMESPACE);
    let gateways = ListParams::default().labels(&format!("gloo={GATEWAY}"));
    let pods = pods.list_metadata(&gateways).await?.items;
    let pod = pods.iter().find(|pod| pod.metadata.deletion_timestamp.is_none());
    let pod = pod.with_context(|| format!("no pod of {NAMESPACE}/{GATEWAY}"))?.name_any();
    let url = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}:{port}/proxy{path}");
    let request = hyper::Request::get(&url).body(Vec::new())?;
    client.request_text(request).await.with_context(|| format!("cannot get {url}"))
}
