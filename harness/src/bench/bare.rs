//! The requests of a cold sync without a tool: every object is tried, and then written.
//!
//! Nothing is decided or waited for, so this is what the API server and those who watch it take of the
//! time of whoever does both.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures::{TryStreamExt as _, stream};
use hyper::{Method, Request, header};
use kube::Client;
use serde_json::Value;

use super::{cold, figures::Figures, fleet, stage::Stage};
use crate::{
    api_proxy::{ApiProxy, Mark},
    bed,
};

/// As many requests at the same time as coalmine makes.
const AT_ONCE: usize = 32;
/// In this order objects are written, those of one kind at the same time.
const ORDER: [&str; 6] =
    ["Namespace", "Deployment", "Service", "Upstream", "VirtualService", "RouteTable"];

/// Tries and writes everything.
pub(super) async fn measure(stage: &Stage, services: u16, limit: Duration) -> Result<Figures> {
    let content = stage.content(services)?;
    let (expected, rendered) = stage.rendered(&content)?;
    let mut objects = fleet::documents(&fleet::platform(services))?;
    objects.retain(|object| object["kind"] == "Namespace");
    objects.extend(fleet::documents(&rendered)?);
    let kubeconfig = stage.folder.join("administrator");
    let proxy = ApiProxy::start(stage.bed.kubeconfig(), &kubeconfig).await?;

    let begun = Instant::now();
    send(&kubeconfig, &objects).await?;
    let cold = cold::measure(stage, &proxy, &expected, begun, Mark::default(), limit).await?;
    let tool = "the bare requests".to_owned();
    Ok(Figures { tool, services, cold: Some(cold), ..Figures::default() })
}

async fn send(kubeconfig: &Path, objects: &[Value]) -> Result<()> {
    let client = bed::client(kubeconfig).await?;
    let of_kind = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
    let [first, others @ ..] = ORDER;
    all(&client, of_kind(first).map(written)).await?;
    all(&client, others.into_iter().flat_map(of_kind).map(tried)).await?;
    for kind in others {
        all(&client, of_kind(kind).map(written)).await?;
    }
    Ok(())
}

async fn all(
    client: &Client,
    requests: impl Iterator<Item = Result<Request<Vec<u8>>>>,
) -> Result<()> {
    let send = async |request: Request<Vec<u8>>| {
        let target = request.uri().to_string();
        let answer = client.request_text(request).await;
        answer.map(drop).with_context(|| format!("the API server refuses {target}"))
    };
    stream::iter(requests).try_for_each_concurrent(AT_ONCE, send).await
}

/// A dry run of its creation, as coalmine tries what is new.
fn tried(object: &Value) -> Result<Request<Vec<u8>>> {
    let target = format!("{}?dryRun=All&fieldManager=bench&fieldValidation=Strict", place(object)?);
    request(Method::POST, &target, "application/json", object)
}

/// A server-side apply, as coalmine writes what was tried.
fn written(object: &Value) -> Result<Request<Vec<u8>>> {
    let name = object["metadata"]["name"].as_str().context("an object without a name")?;
    let place = place(object)?;
    let target = format!("{place}/{name}?fieldManager=bench&force=true&fieldValidation=Ignore");
    request(Method::PATCH, &target, "application/apply-patch+yaml", object)
}

fn request(method: Method, target: &str, of: &str, object: &Value) -> Result<Request<Vec<u8>>> {
    let request = Request::builder().method(method).uri(target).header(header::CONTENT_TYPE, of);
    Ok(request.body(object.to_string().into_bytes())?)
}

/// Where objects of its kind and namespace are.
fn place(object: &Value) -> Result<String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let version = text("/apiVersion").context("an object without an apiVersion")?;
    let kind = text("/kind").context("an object without a kind")?;
    let group = if version.contains('/') { "apis" } else { "api" };
    let namespace = text("/metadata/namespace").map(|name| format!("/namespaces/{name}"));
    let namespace = namespace.unwrap_or_default();
    Ok(format!("/{group}/{version}{namespace}/{}s", kind.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_tried_where_its_kind_is_and_written_under_its_name() {
        let table = json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
            "metadata": {"name": "echo-routes", "namespace": "echo"}});
        let place = "/apis/gateway.solo.io/v1/namespaces/echo/routetables";
        let tried = tried(&table).unwrap();
        assert_eq!((tried.method(), tried.uri().path()), (&Method::POST, place));
        let written = written(&table).unwrap();
        let target = format!("{place}/echo-routes");
        assert_eq!((written.method(), written.uri().path()), (&Method::PATCH, &*target));
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "echo"}});
        assert_eq!(super::place(&namespace).unwrap(), "/api/v1/namespaces");
    }
}
