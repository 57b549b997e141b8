use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::kind::Kind;
use crate::labels::{INSTANCE, SERVICE};
use crate::object::ObjectId;
use crate::object_state::{Facts, identify};

fn object(kind: &str, name: &str, spec: Value) -> Value {
    let known = Kind::ALL.into_iter().find(|known| known.as_str() == kind).expect("a known kind");
    json!({"apiVersion": known.api_version(), "kind": kind, "metadata": {"name": name, "namespace": "echo",
        "labels": {INSTANCE: "default", SERVICE: "echo"}}, "spec": spec})
}

fn service(port: u16) -> Value {
    object("Service", "echo", json!({"ports": [{"port": port}]}))
}

fn id(kind: &str, name: &str) -> ObjectId {
    id_of(&object(kind, name, json!({})))
}

fn id_of(object: &Value) -> ObjectId {
    let text = |field: &str| object[field].as_str().expect("text");
    identify(object, text("apiVersion"), text("kind"))
}

fn pods(version: &str) -> Pods {
    Pods {
        version: version.into(),
        selector: format!("app=echo,version={version}"),
        service: id("Service", "echo"),
        endpoints: vec![id("Service", "echo")],
        deployment: id("Deployment", &format!("echo-{version}")),
        ours: true,
        parked: false,
    }
}

fn routed(shares: &[(&str, u64)]) -> Shares {
    shares.iter().copied().collect()
}

/// A cluster with these objects, in which v1 has all requests.
fn with_traffic(live: &[Value]) -> Observation {
    let mut objects: BTreeMap<ObjectId, Facts> = live
        .iter()
        .map(|object| {
            let id = id_of(object);
            (id, Facts::of(object, "default", "gloo-system"))
        })
        .collect();
    let table = object("RouteTable", "echo-routes", json!({}));
    let mut facts = Facts::of(&table, "default", "gloo-system");
    facts.detail = Detail::Routes { verdict: None, shares: routed(&[("v1", 100)]) };
    objects.insert(id("RouteTable", "echo-routes"), facts);
    Observation::new(objects, "gloo-system", std::time::Duration::ZERO, Timestamp::UNIX_EPOCH)
}

fn without_traffic(live: &[Value]) -> Observation {
    let mut seen = with_traffic(live);
    seen.objects.retain(|id, _| id.kind != "RouteTable");
    seen
}

fn wants(routed_versions: Vec<Pods>, shares: &[(&str, u64)]) -> Desired {
    let routed_versions = routed_versions.into_iter().map(Backend::Pods).collect();
    Desired { routed: routed_versions, shares: routed(shares), ..Desired::default() }
}

#[test]
fn another_service_port_is_refused_while_there_is_traffic() {
    let to = |port| {
        let service = Manifest::new(service(port)).expect("complete");
        Desired { workloads: vec![service], ..Desired::default() }
    };
    let reason = objection(&to(8080), &with_traffic(&[service(80)])).expect("refused");
    assert!(reason.to_string().contains("from 80 to 8080"), "{reason}");
    assert_eq!(objection(&to(80), &with_traffic(&[service(80)])), None);
    assert_eq!(objection(&to(8080), &without_traffic(&[service(80)])), None);
    assert_eq!(objection(&to(8080), &with_traffic(&[])), None);
}

#[test]
fn a_routed_version_is_not_handed_over_by_deleting_its_pods() {
    let external = Pods { ours: false, ..pods("v1") };
    let desired = wants(vec![external], &[("v1", 100)]);
    let mut seen = with_traffic(&[]);
    assert_eq!(objection(&desired, &seen), None);
    seen.to_prune.insert(pods("v1").deployment);
    let reason = objection(&desired, &seen).expect("refused");
    assert!(reason.to_string().contains("Deployment echo/echo-v1"), "{reason}");
}

fn deployment(version: &str, replicas: u64) -> Value {
    object("Deployment", &format!("echo-{version}"), json!({"replicas": replicas}))
}

#[test]
fn a_version_without_pods_gets_no_requests_that_somebody_else_could_answer() {
    let parked = |version| Pods { parked: true, ..pods(version) };
    let v2 = wants(vec![pods("v1"), parked("v2")], &[("v1", 90), ("v2", 10)]);
    let reason = objection(&v2, &with_traffic(&[deployment("v1", 1)])).expect("refused");
    assert!(reason.to_string().contains("v2 has `replicas: 0`"), "{reason}");
    // Where nothing runs, nothing is lost; nor is it where there are no requests yet.
    assert_eq!(objection(&v2, &with_traffic(&[deployment("v1", 0)])), None);
    assert_eq!(objection(&v2, &without_traffic(&[deployment("v1", 1)])), None);
    let stopped = wants(vec![parked("v1")], &[("v1", 100)]);
    assert!(objection(&stopped, &with_traffic(&[deployment("v1", 1)])).is_some());
    assert_eq!(objection(&stopped, &with_traffic(&[deployment("v1", 0)])), None);
    // Also where those that are to get no more are no part of the new routes.
    let moved = wants(vec![parked("v2")], &[("v2", 100)]);
    assert!(
        objection(&moved, &with_traffic(&[deployment("v1", 1), deployment("v2", 0)])).is_some()
    );
    let mut others = with_traffic(&[deployment("v1", 0), deployment("v2", 0)]);
    others.pods.addresses.insert("somebody-elses".into(), None);
    assert!(objection(&moved, &others).is_some());
    let mut foreign = with_traffic(&[deployment("v1", 0), deployment("v2", 0)]);
    assert_eq!(objection(&moved, &foreign), None);
    let elsewhere = Shares::default().with_elsewhere();
    let facts = foreign.objects.get_mut(&id("RouteTable", "echo-routes")).expect("there");
    facts.detail = Detail::Routes { verdict: None, shares: elsewhere };
    assert!(objection(&moved, &foreign).is_some());
    let unused = wants(vec![pods("v1"), parked("v2")], &[("v1", 100), ("v2", 0)]);
    assert_eq!(objection(&unused, &with_traffic(&[deployment("v1", 1)])), None);
}

#[test]
fn the_pods_of_a_version_are_known_whose_name_is_spelt_otherwise() {
    let parked = |version: &str| Pods {
        parked: true,
        deployment: id("Deployment", &object_name("echo", version)),
        ..pods(version)
    };
    let moved = wants(vec![parked("1.4.3")], &[("1.4.3", 100)]);
    let seen = |replicas| {
        let mut seen =
            with_traffic(&[deployment("1-4-2", replicas), deployment("1-4-3", replicas)]);
        let facts = seen.objects.get_mut(&id("RouteTable", "echo-routes")).expect("there");
        facts.detail = Detail::Routes { verdict: None, shares: routed(&[("1.4.2", 100)]) };
        seen
    };
    assert_eq!(objection(&moved, &seen(0)), None, "nobody has pods");
    assert!(objection(&moved, &seen(1)).is_some());
}
