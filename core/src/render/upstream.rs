//! The Upstreams: one with a subset per version, or one per version.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::values::{Canary, Fallback, Service, Split, Version, Weight, Workload};

pub(super) fn render(service: &Service) -> Vec<Value> {
    let of_their_own = versions_with_upstream(service);
    let shared = (service.routes.split == Split::Subset).then(|| shared(service));
    let own = of_their_own.iter().map(|version| of_version(service, version));
    shared.into_iter().chain(own).collect()
}

/// A shadow takes an upstream and no subset (gloo-conformance case 13-shadowing), so a shadowed
/// version has one of its own even where the others are subsets.
fn versions_with_upstream(service: &Service) -> BTreeSet<&Version> {
    let shadowed = shadowed(service);
    service
        .versions
        .iter()
        .filter(|(_, workload)| !matches!(workload, Workload::Upstream(_)))
        .map(|(version, _)| version)
        .filter(|version| service.routes.split == Split::Upstream || shadowed == Some(version))
        .collect()
}

/// The version that gets copies of the primary's requests.
pub(super) fn shadowed(service: &Service) -> Option<&Version> {
    let canary = service.routes.canary.as_ref();
    canary.filter(|Canary { shadow, .. }| *shadow > Weight::ZERO).map(|canary| &canary.version)
}

/// The subset key stands there from the first apply on: a route with a subset is refused while
/// its Upstream has none (gloo-conformance case 06-no-subset-spec).
fn shared(service: &Service) -> Value {
    let name = service.name.as_str();
    let mut subset_spec = json!({"selectors": [{"keys": ["version"]}]});
    // Gloo's default lets any pod answer for an empty subset. Without it a route that names no
    // subset gets 503 too, but every route of ours names one (case 06-fallback-policies).
    if service.routes.fallback == Fallback::None {
        subset_spec["fallbackPolicy"] = "NO_FALLBACK".into();
    }
    let mut upstream = upstream(service, name, json!({"app": name}));
    upstream["spec"]["kube"]["subsetSpec"] = subset_spec;
    upstream
}

fn of_version(service: &Service, version: &Version) -> Value {
    let selector = json!({"app": service.name.as_str(), "version": version.as_str()});
    upstream(service, &service.version_name(version), selector)
}

/// The port is the Service's and not the container's: Gloo finds no endpoints otherwise
/// (gloo-conformance case 05-service-port-mismatch).
fn upstream(service: &Service, name: &str, selector: Value) -> Value {
    let mut spec = service.upstream.clone();
    let kube = json!({
        "selector": selector,
        "serviceName": service.name.as_str(),
        "serviceNamespace": service.namespace,
        "servicePort": service.port,
    });
    spec.insert("kube".into(), kube);
    json!({
        "apiVersion": "gloo.solo.io/v1",
        "kind": "Upstream",
        "metadata": {"name": name, "namespace": service.namespace},
        "spec": spec,
    })
}
