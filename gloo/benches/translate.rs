//! How long a whole cluster takes to translate, in time of the processor, and what a snapshot of it
//! weighs: `cargo bench -p gloo`.

use std::fs;
use std::hint::black_box;
use std::time::Duration;

use gloo::{Memory, Snapshot, translate};
use serde_json::{Value, json};

const ROUNDS: u32 = 100;

fn main() {
    println!(
        "{:>9} {:>12} {:>12} {:>12} {:>10}",
        "services", "translate", "again", "copy+put", "memory"
    );
    for services in [1, 100, 1000, 3000] {
        let before = resident();
        let mut snapshot = Snapshot::default();
        let objects = platform().into_iter().chain((0..services).flat_map(service));
        objects.for_each(|object| assert!(snapshot.upsert(&object)));
        let weight = resident().saturating_sub(before);
        let first = mean(|| drop(black_box(translate(&snapshot, &Memory::default()))));
        let memory = translate(&snapshot, &Memory::default()).memory;
        let again = mean(|| drop(black_box(translate(&snapshot, &memory))));
        let changed = &service(0)[2];
        let copy = mean(|| {
            let mut copy = snapshot.clone();
            let mut changed = changed.clone();
            changed["metadata"]["labels"]["x"] = "y".into();
            copy.upsert(&changed);
            drop(black_box(copy));
        });
        println!(
            "{services:>9} {:>9} µs {:>9} µs {:>9} µs {:>6} KiB",
            first.as_micros(),
            again.as_micros(),
            copy.as_micros(),
            weight / 1024
        );
    }
}

/// What one round takes on the processor; whatever else the machine does is not counted.
fn mean(mut run: impl FnMut()) -> Duration {
    let start = processor();
    (0..ROUNDS).for_each(|_| run());
    (processor() - start) / ROUNDS
}

/// How long this thread has been on a processor.
fn processor() -> Duration {
    let times = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let times = times.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(times.unwrap_or_default())
}

/// Bytes of memory in use by this process.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<usize>().ok());
    pages.unwrap_or_default() * 4096
}

fn object(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({"namespace": namespace, "name": name, "labels": {"apiGroup": "example"}});
    json!({"kind": kind, "metadata": metadata, "spec": spec})
}

/// A gateway, and a VirtualService that selects every table.
fn platform() -> [Value; 2] {
    let selector = json!({"labels": {"apiGroup": "example"}, "namespaces": ["*"]});
    let route = json!({"matchers": [{"prefix": "/"}], "delegateAction": {"selector": selector}});
    [
        object("Gateway", "gloo-system", "gateway-proxy", json!({"httpGateway": {}})),
        object(
            "VirtualService",
            "gloo-system",
            "app",
            json!({"virtualHost": {"domains": ["*"], "routes": [route]}}),
        ),
    ]
}

/// Service, Upstream and a table with a header route and a weighted route.
fn service(number: usize) -> [Value; 3] {
    let name = format!("service-{number}");
    let to = |version: &str| {
        let upstream = json!({"name": name, "namespace": name});
        json!({"upstream": upstream, "subset": {"values": {"version": version}}})
    };
    let path = format!("/{name}");
    let header = json!({
        "matchers": [{"prefix": path, "headers": [{"name": "stage", "value": "canary"}]}],
        "routeAction": {"single": to("v2")},
    });
    let weighted = json!({
        "matchers": [{"prefix": path}],
        "routeAction": {"multi": {"destinations": [
            {"destination": to("v1"), "weight": 50}, {"destination": to("v2"), "weight": 50}]}},
    });
    let kube = json!({"serviceName": name, "serviceNamespace": name, "servicePort": 80,
        "subsetSpec": {"selectors": [{"keys": ["version"]}]}});
    [
        object(
            "Service",
            &name,
            &name,
            json!({"ports": [{"port": 80, "targetPort": 8080}], "selector": {"app": name}}),
        ),
        object("Upstream", &name, &name, json!({"kube": kube})),
        object(
            "RouteTable",
            &name,
            &format!("{name}-routes"),
            json!({"routes": [header, weighted]}),
        ),
    ]
}
