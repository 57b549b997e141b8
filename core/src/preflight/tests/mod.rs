//! A small cluster, and changes of its services.

mod batch;
mod broken;
mod gateways;
mod group;
pub(super) mod http_routes;
mod http_routes_following;
pub(super) mod http_routes_policies;
mod judgement;
mod mistakes;
mod properties;

use serde_json::{Value, json};

use super::*;
use crate::object::Manifest;
use crate::plan::Desired;

fn settings() -> Vec<Value> {
    vec![
        json!({"apiVersion": "gloo.solo.io/v1", "kind": "Settings",
            "metadata": {"name": "default", "namespace": "gloo-system"}, "spec": {}}),
        json!({"apiVersion": "gateway.solo.io/v1", "kind": "Gateway",
            "metadata": {"name": "gateway-proxy", "namespace": "gloo-system"},
            "spec": {"bindAddress": "127.0.0.1", "bindPort": 8080, "httpGateway": {},
                "proxyNames": ["gateway-proxy"]}}),
    ]
}

fn app() -> Value {
    json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
        "metadata": {"name": "app", "namespace": "gloo-system"},
        "spec": {"virtualHost": {"domains": ["*"], "routes": [{
            "matchers": [{"prefix": "/"}],
            "delegateAction": {"selector": {"labels": {"apiGroup": "example"}, "namespaces": ["*"]}}}]}}})
}

fn service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": name},
        "spec": {"ports": [{"port": 80, "targetPort": 8080}], "selector": {"app": name}}})
}

fn upstream(name: &str) -> Value {
    json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream",
        "metadata": {"name": name, "namespace": name},
        "spec": {"kube": {"serviceName": name, "serviceNamespace": name, "servicePort": 80,
            "subsetSpec": {"selectors": [{"keys": ["version"]}]}}}})
}

fn destination(name: &str) -> Value {
    json!({"upstream": {"name": name, "namespace": name}, "subset": {"values": {"version": "v1"}}})
}

fn table(name: &str, path: &str, action: Value) -> Value {
    json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
        "metadata": {"name": format!("{name}-routes"), "namespace": name,
            "labels": {"apiGroup": "example"}},
        "spec": {"routes": [{"matchers": [{"prefix": path}], "routeAction": action}]}})
}

fn single(name: &str) -> Value {
    json!({"single": destination(name)})
}

fn manifest(object: Value) -> Manifest {
    Manifest::new(object).expect("complete")
}

/// A change with what it is made of.
#[derive(Clone, Debug, Default)]
struct ProposedChange {
    service: String,
    desired: Desired,
    to_prune: BTreeSet<ObjectId>,
}

impl ProposedChange {
    fn change(&self) -> Arc<Change> {
        Arc::new(Change::new(&self.service, &self.desired, &self.to_prune))
    }

    fn without(mut self, objects: &[Value]) -> Self {
        self.to_prune.extend(objects.iter().map(|object| manifest(object.clone()).id().clone()));
        self
    }
}

/// A service with these routes.
fn wish(name: &str, routes: Value) -> ProposedChange {
    let desired = Desired {
        workloads: vec![manifest(service(name))],
        upstreams: vec![manifest(upstream(name))],
        routes: vec![manifest(routes)],
        ..Desired::default()
    };
    ProposedChange { service: name.into(), desired, ..ProposedChange::default() }
}

/// echo with these routes.
fn echo(routes: Value) -> ProposedChange {
    wish("echo", routes)
}

/// The platform with these routes.
fn platform(routes: Value) -> ProposedChange {
    let routes = vec![manifest(routes)];
    let desired = Desired { routes, tolerates_warnings: true, ..Desired::default() };
    ProposedChange { service: "platform".into(), desired, ..ProposedChange::default() }
}

fn cluster(objects: &[Value]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    objects.iter().for_each(|object| assert!(snapshot.upsert(object), "{object}"));
    snapshot
}

fn judge(objects: &[Value], wish: &ProposedChange) -> Result<Prediction, Refusal> {
    let mut verdicts = Baseline::new(cluster(objects)).check(&[wish.change()]);
    verdicts.pop().expect("one verdict")
}

fn refused(objects: &[Value], wish: &ProposedChange) -> Refusal {
    judge(objects, wish).expect_err("harmful")
}

fn cluster_with_foxtrot() -> Vec<Value> {
    let foxtrot =
        [service("foxtrot"), upstream("foxtrot"), table("foxtrot", "/foxtrot", single("foxtrot"))];
    settings().into_iter().chain([app()]).chain(foxtrot).collect()
}
