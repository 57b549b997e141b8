//! Envoy's admin interface.

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::{client::legacy, rt::TokioExecutor};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use serde_json::{Value, json};

/// Its port: in the namespace of a local bed, or in its pod.
pub const PORT: u16 = 19000;

/// That of the second Envoy of a local bed.
pub(crate) const SECOND_PORT: u16 = 19010;

/// The part of a bootstrap that opens the admin interface on an address.
pub fn bootstrap(address: &str, port: u16) -> Value {
    let address = json!({"address": address, "port_value": port});
    json!({"address": {"socket_address": address}})
}

/// The one endpoint of a cluster, as its `load_assignment`.
pub(crate) fn endpoint(cluster: &str, (address, port): (&str, u16)) -> Value {
    let address = json!({"socket_address": {"address": address, "port_value": port}});
    json!({
        "cluster_name": cluster,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
    })
}

/// Envoy's admin interface, or the part of it that its bed lets be read.
#[derive(Clone)]
pub struct Admin(Access);

#[derive(Clone)]
enum Access {
    /// On loopback, at this port.
    Loopback(u16),
    /// In a pod, through the API server.
    Pods(Pods),
}

/// The pods with some labels, and the port that is theirs.
#[derive(Clone)]
struct Pods {
    client: Client,
    namespace: String,
    labels: String,
    port: u16,
}

impl Admin {
    /// The one in our own network namespace.
    pub fn local() -> Self {
        Self::at(PORT)
    }

    /// The one at this port there.
    pub(crate) fn at(port: u16) -> Self {
        Self(Access::Loopback(port))
    }

    /// The one at this port of the pods with these labels, of which it takes the first.
    pub fn of_pods(client: Client, namespace: &str, labels: &str, port: u16) -> Self {
        let (namespace, labels) = (namespace.to_owned(), labels.to_owned());
        Self(Access::Pods(Pods { client, namespace, labels, port }))
    }

    /// The URL of a path, where it is on loopback.
    pub fn url(&self, path: &str) -> Option<String> {
        match self.0 {
            Access::Loopback(port) => Some(format!("http://127.0.0.1:{port}{path}")),
            Access::Pods(_) => None,
        }
    }

    /// The answer to a GET of `path`.
    ///
    /// # Errors
    /// No connection, no pod, or a status other than 200.
    pub async fn get(&self, path: &str) -> Result<String> {
        match &self.0 {
            Access::Loopback(port) => get(&format!("http://127.0.0.1:{port}{path}")).await,
            Access::Pods(pods) => pods.get(path).await,
        }
    }
}

/// The answer to a GET of a URL.
pub(crate) async fn get(url: &str) -> Result<String> {
    let client = legacy::Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(url.parse()?).await.with_context(|| format!("cannot get {url}"))?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    anyhow::ensure!(status.is_success(), "{url} answers {status}: {body}");
    Ok(body)
}

impl Pods {
    async fn get(&self, path: &str) -> Result<String> {
        let Self { client, namespace, labels, port } = self;
        let pods = Api::<Pod>::namespaced(client.clone(), namespace);
        let pods = pods.list_metadata(&ListParams::default().labels(labels)).await?.items;
        let pod = pods.iter().find(|pod| pod.metadata.deletion_timestamp.is_none());
        let pod = pod.with_context(|| format!("no pod {labels} in {namespace}"))?.name_any();
        let url = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}");
        let request = hyper::Request::get(&url).body(Vec::new())?;
        client.request_text(request).await.with_context(|| format!("cannot get {url}"))
    }
}
