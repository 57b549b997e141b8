//! Transitions that no order of steps makes safe, so they are not begun while there is traffic.

use serde_json::Value;

use super::backend::{Backend, Pods};
use super::desired::Desired;
use super::observation::Observation;
use crate::object::{Manifest, ObjectId};
use crate::object_state::Detail;
use crate::reason::UnsafeChange;
use crate::traffic::Shares;
use crate::values::object_name;

/// Why going from what is seen to what is desired would drop requests.
pub fn objection(desired: &Desired, seen: &Observation) -> Option<UnsafeChange> {
    let applied = seen.applied_routes()?;
    let mut pods = desired.routed.iter().filter_map(|backend| match backend {
        Backend::Pods(pods) => Some(pods),
        Backend::Upstream(_) => None,
    });
    pods.find_map(|pods| handed_over(pods, seen).or_else(|| parked(pods, desired, &applied, seen)))
        .or_else(|| desired.workloads.iter().find_map(|manifest| port_change(manifest, seen)))
}

fn handed_over(pods: &Pods, seen: &Observation) -> Option<UnsafeChange> {
    let deployment = &pods.deployment;
    let goes = !pods.ours && seen.to_prune.contains(deployment);
    goes.then(|| UnsafeChange::HandedOver(deployment.clone()))
}

/// Nobody answers in place of a version without pods. Where no version has any, nothing is lost: not
/// those of the new routes, nor those that have the requests now.
fn parked(
    pods: &Pods,
    desired: &Desired,
    applied: &Shares,
    seen: &Observation,
) -> Option<UnsafeChange> {
    let version = &pods.version;
    let asks_for_pods = |id: &ObjectId| {
        let detail = seen.objects.get(id).map(|facts| &facts.detail);
        matches!(detail, Some(Detail::Deployment { replicas, .. }) if *replicas > 0)
    };
    let has_pods = |other: &str| {
        let id = deployment_of(other, pods);
        // What is not ours to count may well have some.
        !seen.objects.contains_key(&id) || asks_for_pods(&id)
    };
    // Whoever is in the Endpoints may answer, also pods that somebody else runs.
    let stops = applied.leads_elsewhere()
        || !seen.pods.addresses().is_empty()
        || applied.used().any(has_pods);
    let others_answer = desired.routed.iter().any(|backend| match backend {
        Backend::Pods(other) => other.version != *version && asks_for_pods(&other.deployment),
        Backend::Upstream(_) => true,
    });
    let is_unsafe = pods.parked && desired.shares.uses(version) && (stops || others_answer);
    is_unsafe.then(|| UnsafeChange::WithoutPods(version.clone()))
}

/// The Deployment that another version of the same service has, if it is ours.
fn deployment_of(version: &str, pods: &Pods) -> ObjectId {
    let known = &pods.deployment;
    let name = object_name(&pods.service.name, version);
    ObjectId::new(&known.api_version, &known.kind, known.namespace.as_deref(), &name)
}

/// Gloo finds endpoints by the Service's port: between the change of the Service and the one of the
/// Upstream there are none (gloo-conformance case 05-service-port-mismatch).
fn port_change(manifest: &Manifest, seen: &Observation) -> Option<UnsafeChange> {
    let service = manifest.id();
    let Some(Detail::Service { port: Some(from) }) = seen.detail(service) else { return None };
    let to = manifest.object().pointer("/spec/ports/0/port").and_then(Value::as_u64)?;
    let service = service.clone();
    (*from != to).then_some(UnsafeChange::ServicePort { service, from: *from, to })
}

#[cfg(test)]
mod tests;
