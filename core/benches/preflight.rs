//! How long the preflight takes, in time of the processor, where teams have very many routes:
//! `cargo bench -p coalmine-core`.
//!
//! 48 services with 500 matchers each are live, all in one virtual host. Beside a change of one small service, and
//! of all of them at once, the table shows what the shape of their matchers costs.

mod processor;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;

use coalmine_core::object::Manifest;
use coalmine_core::plan::Desired;
use coalmine_core::preflight::{Baseline, Change};
use gloo::Snapshot;
use serde_json::{Value, json};

use processor::time;

const SERVICES: usize = 48;
const PATHS: usize = 500;

/// The matchers of a service, by its number and that of the matcher.
type Shape = fn(usize, usize) -> Value;

const SHAPES: [(&str, Shape); 6] = [
    ("prefixes, apart", |service, at| json!({"prefix": format!("/s{service}/{at}/")})),
    ("exact paths", |service, at| json!({"exact": format!("/s{service}/{at}")})),
    ("regexes, apart", |service, at| json!({"regex": format!("/s{service}/{at}/[a-z]+")})),
    (
        "regexes, hidden beginning",
        |service, at| json!({"regex": format!("/(s{service}x{at}|s{service}y{at})")}),
    ),
    (
        "one prefix by header",
        |service, at| json!({"prefix": "/shared", "headers": [{"name": "tenant", "value": format!("t{service}-{at}")}]}),
    ),
    (
        "nested prefixes by header",
        |service, at| json!({"prefix": format!("/{}", "a/".repeat(at)), "headers": [{"name": "tenant", "value": format!("t{service}")}]}),
    ),
];

fn main() {
    println!("{:<28} {:>14} {:>14}", "matchers", "one change", "all changes");
    for (words, shape) in SHAPES {
        let many: Vec<Arc<Change>> = (0..SERVICES).map(|at| change(at, PATHS, shape).0).collect();
        let mut live = Snapshot::default();
        platform().iter().for_each(|object| assert!(live.upsert(object)));
        let empty = Baseline::new(live.clone());
        let all = time(|| drop(black_box(empty.check(&many))));
        for at in 0..SERVICES {
            change(at, PATHS, shape).1.iter().for_each(|object| assert!(live.upsert(object)));
        }
        let full = Baseline::new(live);
        let small = [change(SERVICES, 2, |_, at| json!({"prefix": format!("/small/{at}")})).0];
        let one = time(|| drop(black_box(full.check(&small))));
        println!("{words:<28} {:>11} ms {:>11} ms", one.as_millis(), all.as_millis());
    }
}

/// A gateway, and a VirtualService that selects every table.
fn platform() -> [Value; 2] {
    let selector = json!({"labels": {"apiGroup": "example"}, "namespaces": ["*"]});
    let routes = json!([{"matchers": [{"prefix": "/"}], "delegateAction": {"selector": selector}}]);
    [
        json!({"apiVersion": "gateway.solo.io/v1", "kind": "Gateway",
            "metadata": {"name": "gateway-proxy", "namespace": "gloo-system"},
            "spec": {"bindAddress": "127.0.0.1", "bindPort": 8080, "httpGateway": {}}}),
        json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
            "metadata": {"name": "app", "namespace": "gloo-system"},
            "spec": {"virtualHost": {"domains": ["*"], "routes": routes}}}),
    ]
}

/// A service with this many matchers on routes of its own, and its objects.
fn change(number: usize, paths: usize, shape: Shape) -> (Arc<Change>, [Value; 3]) {
    let name = format!("s{number}");
    let metadata =
        |name: &str| json!({"name": name, "namespace": "teams", "labels": {"apiGroup": "example"}});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(&name),
        "spec": {"ports": [{"port": 80, "targetPort": 8080}], "selector": {"app": name}}});
    let upstream = json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": metadata(&name),
        "spec": {"kube": {"serviceName": name, "serviceNamespace": "teams", "servicePort": 80}}});
    let single = json!({"single": {"upstream": {"name": name, "namespace": "teams"}}});
    let routes: Vec<Value> = (0..paths)
        .map(|at| json!({"matchers": [shape(number, at)], "routeAction": single}))
        .collect();
    let table = json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
        "metadata": metadata(&format!("{name}-routes")), "spec": {"routes": routes}});
    let manifest = |object: &Value| Manifest::new(object.clone()).expect("complete");
    let desired = Desired {
        workloads: vec![manifest(&service)],
        upstreams: vec![manifest(&upstream)],
        routes: vec![manifest(&table)],
        ..Desired::default()
    };
    (Arc::new(Change::new(&name, &desired, &BTreeSet::new())), [service, upstream, table])
}
