//! How long the preflight of one change takes, in time of the processor, beside 1,000 services of the Gateway API and
//! beside the same 1,000 of Gloo's: `cargo bench -p coalmine-core --bench http_routes`.
//!
//! Each service has a path of its own and a canary with a header, all on one host. The change gives one of them another
//! weight. The last column is the time as a multiple of Gloo's.

mod processor;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use coalmine_core::object::Manifest;
use coalmine_core::plan::Desired;
use coalmine_core::preflight::{Baseline, Change, http_route_snapshot};
use gloo::Snapshot;
use serde_json::{Value, json};

use processor::time;

const SERVICES: usize = 1_000;
/// Of so many measurements the shortest counts: what else the machine does only adds.
const TIMES: usize = 7;
const OLD: &str = "2026-01-01T00:00:00Z";

/// A way to write a service.
struct Way {
    words: &'static str,
    platform: fn() -> Vec<Value>,
    /// Its objects, by its number and the weight of its canary.
    service: fn(usize, u32) -> Vec<Value>,
    is_gloo: bool,
}

const WAYS: [Way; 4] = [
    Way { words: "Gloo", platform: of_gloo, service: gloo_service, is_gloo: true },
    Way {
        words: "kgateway, at the Gateway",
        platform: || gateway("kgateway.dev/kgateway"),
        service: |number, weight| http_service(number, weight, false),
        is_gloo: false,
    },
    Way {
        words: "kgateway, by label",
        platform: || {
            let mut all = gateway("kgateway.dev/kgateway");
            all.push(parent());
            all
        },
        service: |number, weight| http_service(number, weight, true),
        is_gloo: false,
    },
    Way {
        words: "Envoy Gateway",
        platform: || gateway("gateway.envoyproxy.io/gatewayclass-controller"),
        service: |number, weight| http_service(number, weight, false),
        is_gloo: false,
    },
];

fn main() {
    println!("{:<28} {:>12} {:>12} {:>8}", "1,000 services", "one change", "all changes", "times");
    let mut of_gloo = None;
    for way in &WAYS {
        let live: Vec<Value> = (way.platform)()
            .into_iter()
            .chain((0..SERVICES).flat_map(|number| (way.service)(number, 5)))
            .collect();
        let full = baseline(way, &live);
        let one = shortest(|| {
            let change = change(way, 500, 6);
            time(|| assert!(black_box(full.check(&[change])).iter().all(Result::is_ok)))
        });
        let empty = baseline(way, &(way.platform)());
        let many: Vec<Arc<Change>> = (0..SERVICES).map(|number| change(way, number, 5)).collect();
        let all = time(|| assert!(black_box(empty.check(&many)).iter().all(Result::is_ok)));
        let gloo = *of_gloo.get_or_insert(one);
        println!(
            "{:<28} {:>9.1} ms {:>9.1} ms {:>8.2}",
            way.words,
            one.as_secs_f64() * 1e3,
            all.as_secs_f64() * 1e3,
            one.as_secs_f64() / gloo.as_secs_f64()
        );
    }
}

fn baseline(way: &Way, live: &[Value]) -> Baseline {
    if way.is_gloo {
        let mut snapshot = Snapshot::default();
        live.iter().for_each(|object| assert!(snapshot.upsert(object), "{object}"));
        return Baseline::new(snapshot);
    }
    let mut snapshot = http_route_snapshot();
    for object in live {
        let mut object = object.clone();
        object["metadata"]["creationTimestamp"] = json!(OLD);
        assert!(snapshot.upsert(&object), "{object}");
    }
    Baseline::new(Snapshot::default()).beside(snapshot, None)
}

fn change(way: &Way, number: usize, weight: u32) -> Arc<Change> {
    let mut desired = Desired::default();
    for object in (way.service)(number, weight) {
        let manifest = Manifest::new(object).expect("complete");
        match manifest.object()["kind"].as_str() {
            Some("Service") => desired.workloads.push(manifest),
            Some("Upstream") => desired.upstreams.push(manifest),
            _ => desired.routes.push(manifest),
        }
    }
    Arc::new(Change::new(&name(number), &desired, &BTreeSet::new()))
}

fn name(number: usize) -> String {
    format!("s{number}")
}

fn shortest(mut measure: impl FnMut() -> Duration) -> Duration {
    (0..TIMES).map(|_| measure()).min().expect("measured")
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "namespace": "teams", "labels": {"apiGroup": "example"}})
}

/// A gateway, and a VirtualService that selects every table.
fn of_gloo() -> Vec<Value> {
    let selector = json!({"labels": {"apiGroup": "example"}, "namespaces": ["*"]});
    let routes = json!([{"matchers": [{"prefix": "/"}], "delegateAction": {"selector": selector}}]);
    vec![
        json!({"apiVersion": "gateway.solo.io/v1", "kind": "Gateway",
            "metadata": {"name": "gateway-proxy", "namespace": "gloo-system"},
            "spec": {"bindAddress": "127.0.0.1", "bindPort": 8080, "httpGateway": {}}}),
        json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
            "metadata": {"name": "app", "namespace": "gloo-system"},
            "spec": {"virtualHost": {"domains": ["*"], "routes": routes}}}),
    ]
}

fn gloo_service(number: usize, weight: u32) -> Vec<Value> {
    let name = name(number);
    let upstream = json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": metadata(&name),
        "spec": {"kube": {"serviceName": name, "serviceNamespace": "teams", "servicePort": 80,
            "subsetSpec": {"selectors": [{"keys": ["version"]}]}}}});
    let to = |version: &str| {
        json!({"upstream": {"name": name, "namespace": "teams"},
            "subset": {"values": {"version": version}}})
    };
    let shares = |canary: u32| {
        json!({"multi": {"destinations": [
            {"destination": to("v1"), "weight": 100 - canary},
            {"destination": to("v2"), "weight": canary}]}})
    };
    let prefix = format!("/s{number}/");
    let headers = json!([{"name": "stage", "value": "canary"}]);
    let routes = json!([
        {"matchers": [{"prefix": prefix, "headers": headers}], "routeAction": {"single": to("v2")}},
        {"matchers": [{"prefix": prefix}], "routeAction": shares(weight)},
    ]);
    let table = json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
        "metadata": metadata(&format!("{name}-routes")), "spec": {"routes": routes}});
    vec![service(&name), upstream, table]
}

fn service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(name),
        "spec": {"ports": [{"port": 80, "targetPort": 8080}], "selector": {"app": name}}})
}

/// A GatewayClass of the implementation, and a Gateway that takes routes of every namespace.
fn gateway(controller: &str) -> Vec<Value> {
    vec![
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
            "metadata": {"name": "class"}, "spec": {"controllerName": controller}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "edge", "namespace": "infra"},
            "spec": {"gatewayClassName": "class", "listeners": [{"name": "http", "port": 80,
                "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}]}}),
    ]
}

/// An HTTPRoute that selects those of every service.
fn parent() -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "parent", "namespace": "infra"},
        "spec": {"parentRefs": [{"name": "edge"}], "rules": [{
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "backendRefs": [{"group": "delegation.kgateway.dev", "kind": "label", "name": "example",
                "namespace": "all"}]}]}})
}

fn http_service(number: usize, weight: u32, is_child: bool) -> Vec<Value> {
    let name = name(number);
    let versions = ["v1", "v2"].map(|version| format!("{name}-{version}"));
    let [first, second] = &versions;
    let backend = |name: &str, weight: u32| json!({"name": name, "port": 80, "weight": weight});
    let path = json!({"type": "PathPrefix", "value": format!("/s{number}")});
    let headers = json!([{"type": "Exact", "name": "stage", "value": "canary"}]);
    let rules = json!([
        {"matches": [{"path": path}],
            "backendRefs": [backend(first, 100 - weight), backend(second, weight)]},
        {"matches": [{"path": path, "headers": headers}], "backendRefs": [backend(second, 1)]},
    ]);
    let mut route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": metadata(&format!("{name}-routes")), "spec": {"rules": rules}});
    if is_child {
        route["metadata"]["labels"] = json!({"delegation.kgateway.dev/label": "example"});
    } else {
        route["spec"]["parentRefs"] = json!([{"name": "edge", "namespace": "infra"}]);
    }
    versions.iter().map(|name| service(name)).chain([route]).collect()
}
