//! Clusters that Envoys were told of a moment ago, and that are to have requests.
//!
//! A controller tells an Envoy of a cluster, and of its endpoints when it asks for them. While it asks for those of
//! one, another cluster may come: then kgateway and Envoy Gateway do not answer, because the request does not name
//! all there are (go-control-plane, `superset` in pkg/cache/v3/simple.go), and the Envoy is told of no further
//! cluster until it stops to wait for the first. Whatever leads to one of the two is answered with 500 or 503 until
//! then. The controllers' statuses do not show it.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::backend::{Backend, Pods};
use super::desired::Desired;
use super::observation::Observation;
use super::route_times::after;
use super::route_writes::live_rules;
use super::step::Step;
use crate::kind::{Kind, RouteApi};
use crate::object::{Manifest, ObjectId};

/// How long after its beginning a cluster may be without endpoints: Envoy's default of `initial_fetch_timeout`, 15 s
/// (Envoy's documentation, `config.core.v3.ConfigSource`), and the fraction of a second that Kubernetes cuts off.
const PATIENCE: Duration = Duration::from_secs(16);

/// Clusters that requests are about to be led to, and of which it is not known whether every proxy has their endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomers {
    /// By kgateway's names: `kube_<namespace>_<service>_<port>` (gateway-conformance, `config_dump`).
    pub of_services: BTreeSet<String>,
    /// By Envoy Gateway's names: `httproute/<namespace>/<route>/rule/<index>`.
    pub of_rules: BTreeSet<String>,
    /// The Gateways that the routes name, each `<namespace>/<name>`.
    pub gateways: BTreeSet<String>,
    /// When no proxy waits for endpoints any more, so that nobody needs to look.
    pub until: Timestamp,
}

/// The newcomers that have to be known before this step is taken, or before the service is ready where none is left.
/// Versions without ready pods have no endpoints to wait for. A service without routes has no requests to lose, unless it
/// takes over those of another.
pub fn newcomers(desired: &Desired, seen: &Observation, step: Option<&Step>) -> Option<Newcomers> {
    let is_concerned = match step {
        None => true,
        Some(Step::Route(routes)) => {
            routes.iter().any(is_http_route) && (seen.takes_over || seen.applied_routes().is_some())
        }
        Some(_) => false,
    };
    if !is_concerned {
        return None;
    }
    let answering = answering(desired, seen);
    let (mut of_services, mut of_rules) = (BTreeSet::new(), BTreeSet::new());
    let (mut gateways, mut until) = (BTreeSet::new(), Timestamp::MIN);
    for manifest in desired.routes.iter().filter(|it| is_http_route(it)) {
        let namespace = manifest.id().namespace.as_deref().unwrap_or_default();
        gateways.extend(parents(manifest, namespace));
        for backend in rules(manifest).flat_map(backends) {
            let (id, port) = service(backend, namespace);
            let made =
                seen.object(&id).filter(|_| answering.contains(&id)).and_then(|it| it.changed_at);
            let Some(known) = made.map(|made| after(made, PATIENCE)).filter(|it| *it > seen.now)
            else {
                continue;
            };
            until = until.max(known);
            let of = id.namespace.as_deref().unwrap_or_default();
            of_services.insert(format!("kube_{of}_{}_{port}", id.name));
        }
        let known = after(seen.route_times.changed_at, PATIENCE);
        for (index, rule) in live_rules(manifest.id(), seen).unwrap_or_default().iter().enumerate()
        {
            let mut ids = backends(rule).map(|backend| service(backend, namespace).0);
            if known > seen.now && ids.any(|id| answering.contains(&id)) {
                until = until.max(known);
                of_rules
                    .insert(format!("httproute/{namespace}/{}/rule/{index}", manifest.id().name));
            }
        }
    }
    (until > seen.now).then_some(Newcomers { of_services, of_rules, gateways, until })
}

/// The Services of versions that have ready pods.
fn answering(desired: &Desired, seen: &Observation) -> BTreeSet<ObjectId> {
    let is_ready = |pods: &&Pods| !pods.parked && seen.pods.ready_and_reachable(pods).0 > 0;
    let pods = desired.routed.iter().filter_map(|backend| match backend {
        Backend::Pods(pods) => Some(pods),
        Backend::Upstream(_) => None,
    });
    pods.filter(is_ready).flat_map(|pods| pods.endpoints.iter().cloned()).collect()
}

fn is_http_route(manifest: &Manifest) -> bool {
    manifest.id().route_api() == Some(RouteApi::GatewayApi)
}

fn parents<'a>(manifest: &'a Manifest, namespace: &'a str) -> impl Iterator<Item = String> {
    let parents = manifest.object().pointer("/spec/parentRefs").and_then(Value::as_array);
    parents.into_iter().flatten().filter_map(move |parent| {
        let of = parent["namespace"].as_str().unwrap_or(namespace);
        Some(format!("{of}/{}", parent["name"].as_str()?))
    })
}

fn rules(manifest: &Manifest) -> impl Iterator<Item = &Value> {
    manifest.object().pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten()
}

fn backends(rule: &Value) -> impl Iterator<Item = &Value> {
    rule["backendRefs"].as_array().into_iter().flatten()
}

/// The Service that a backend names, and its port.
fn service(backend: &Value, namespace: &str) -> (ObjectId, u64) {
    let of = backend["namespace"].as_str().unwrap_or(namespace);
    let name = backend["name"].as_str().unwrap_or_default();
    (ObjectId::of(Kind::Service, Some(of), name), backend["port"].as_u64().unwrap_or_default())
}
