//! Requests that do not do what they should, and answers that show something else.

use harness::api_proxy::{Request, Verb};
use serde_json::Value;

use crate::flaw::Shown;

pub(super) fn deletes_a_deployment(request: &Request) -> bool {
    request.verb == Verb::Delete && request.is_about("deployments")
}

pub(super) fn writes_foxtrot_v2(request: &Request) -> bool {
    request.is_about("deployments") && is_named(request, "foxtrot-v2")
}

pub(super) fn writes_in_golf(request: &Request) -> bool {
    let resource = request.resource.as_ref();
    resource.and_then(|resource| resource.namespace.as_deref()) == Some("golf")
}

pub(super) fn writes_routes_of_echo(request: &Request) -> bool {
    request.is_about("routetables") && is_named(request, "echo-routes")
}

/// The pods of v2 are there, and nothing is known of their containers.
pub(super) fn no_container_of_v2(request: &Request, pod: &mut Value) -> Shown {
    if request.is_about("pods")
        && pod["metadata"]["labels"]["version"] == "v2"
        && let Some(status) = pod["status"].as_object_mut()
    {
        status.remove("containerStatuses");
    }
    Shown::Yes
}

/// A Deployment does not say why it has no pods.
pub(super) fn no_replica_failure(request: &Request, deployment: &mut Value) -> Shown {
    let conditions = deployment.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
    if request.is_about("deployments")
        && let Some(conditions) = conditions
    {
        conditions.retain(|condition| condition["type"] != "ReplicaFailure");
    }
    Shown::Yes
}

/// The table that somebody of the echo team has applied by hand is not seen.
pub(super) fn no_table_golf(request: &Request, table: &mut Value) -> Shown {
    let metadata = &table["metadata"];
    let is_golf = metadata["namespace"] == "echo" && metadata["name"] == "golf";
    if request.is_about("routetables") && is_golf { Shown::No } else { Shown::Yes }
}

/// Gloo's warning for the VirtualService, which is about another table, is taken for one about foxtrot's.
pub(super) fn warning_on_foxtrot_v2(request: &Request, table: &mut Value) -> Shown {
    let is_meant = request.is_about("routetables")
        && table["metadata"]["name"] == "foxtrot-routes"
        && table["spec"].to_string().contains(r#""v2""#);
    if is_meant
        && let Some(status) = table.pointer_mut("/status/statuses/gloo-system")
        && status["state"] == "Accepted"
    {
        status["state"] = "Warning".into();
        status["reason"] = "no Upstream gloo-system/echo-typo".into();
    }
    Shown::Yes
}

/// What Gloo says of Gateways is not seen.
pub(super) fn no_rejection_of_gateways(request: &Request, gateway: &mut Value) -> Shown {
    if request.is_about("gateways")
        && let Some(gateway) = gateway.as_object_mut()
    {
        gateway.remove("status");
    }
    Shown::Yes
}

fn is_named(request: &Request, name: &str) -> bool {
    request.resource.as_ref().and_then(|resource| resource.name.as_deref()) == Some(name)
}
