use serde_json::{Value, json};

use super::*;

/// Each kind that counts, with two objects that differ in what routing looks at.
fn kinds() -> [(&'static str, Value, Value); 12] {
    let spec = |spec: Value| json!({ "spec": spec });
    let labelled = |name: &str, address: &str| json!({ "metadata": { "labels": { "app": name } }, "status": { "podIP": address } });
    let endpoints = |ip: &str| json!({ "subsets": [{ "addresses": [{ "ip": ip }] }] });
    let upstream =
        |addr: &str| spec(json!({ "static": { "hosts": [{ "addr": addr, "port": 80 }] } }));
    let domains = |domain: &str| spec(json!({ "virtualHost": { "domains": [domain] } }));
    let weight = |weight: u32| spec(json!({ "destinations": [{ "weight": weight }] }));
    let prefix = |prefix: &str| spec(json!({ "routes": [{ "matchers": [{ "prefix": prefix }] }] }));
    let disabled =
        |disable: bool| spec(json!({ "gateway": { "validation": { "alwaysAccept": disable } } }));
    let port = |port: u16| spec(json!({ "bindPort": port, "httpGateway": {} }));
    let service = |port: u16| spec(json!({ "ports": [{ "port": port }] }));
    let timeout = |timeout: &str| spec(json!({ "options": { "timeout": timeout } }));
    let attempts =
        |count: bool| spec(json!({ "options": { "includeRequestAttemptCount": count } }));
    let named = |name: &str| json!({ "virtualServices": [{ "name": name, "namespace": "x" }] });
    let matchable = |name: &str| spec(json!({ "httpGateway": named(name) }));
    [
        ("Upstream", upstream("10.0.0.1"), upstream("10.0.0.2")),
        ("UpstreamGroup", weight(1), weight(2)),
        ("VirtualService", domains("a.example"), domains("b.example")),
        ("RouteTable", prefix("/a"), prefix("/b")),
        ("Settings", disabled(true), disabled(false)),
        ("Gateway", port(8080), port(8081)),
        ("RouteOption", timeout("1s"), timeout("2s")),
        ("VirtualHostOption", attempts(true), attempts(false)),
        ("MatchableHttpGateway", matchable("a"), matchable("b")),
        ("Service", service(80), service(81)),
        ("Endpoints", endpoints("10.0.0.1"), endpoints("10.0.0.2")),
        ("Pod", labelled("a", "10.0.0.1"), labelled("a", "10.0.0.2")),
    ]
}

/// The object `name` of this kind in `gloo-system`.
fn named(kind: &str, name: &str, object: &Value) -> Value {
    let mut object = object.clone();
    object["kind"] = kind.into();
    object["metadata"]["namespace"] = "gloo-system".into();
    object["metadata"]["name"] = name.into();
    object
}

fn of(objects: &[Value]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for object in objects {
        assert!(snapshot.upsert(object), "{object} counts");
    }
    snapshot
}

fn reference(kind: &str, name: &str) -> ObjectRef {
    ObjectRef::new(kind, "gloo-system", name)
}

/// An object of this kind that Gloo cannot decode; `None` for Kubernetes' own kinds, which are read as far as they
/// can be.
fn undecodable(kind: &str, name: &str) -> Option<Value> {
    let undecodable = named(kind, name, &json!({ "spec": "nothing that Gloo knows" }));
    (!matches!(kind, "Service" | "Endpoints" | "Pod")).then_some(undecodable)
}

fn routing(kind: &str) -> bool {
    let mut kinds = Snapshot::ROUTING.iter().chain(Snapshot::FURTHER);
    kinds.any(|it| it.kind == kind)
}

#[test]
fn a_copy_holds_the_very_same_objects_until_something_else_is_put_in() {
    for (kind, one, other) in kinds() {
        let snapshot = of(&[named(kind, "echo", &one)]);
        let mut copy = snapshot.clone();
        assert!(copy.is(&snapshot), "{kind}");
        copy.upsert(&named(kind, "echo", &one));
        assert!(copy.is(&snapshot), "{kind}: what is equal changes nothing");
        copy.remove(kind, "gloo-system", "golf");
        assert!(copy.is(&snapshot), "{kind}: what is not there cannot be taken out");
        copy.upsert(&named(kind, "echo", &other));
        assert!(!copy.is(&snapshot), "{kind}");
        let mut copy = snapshot.clone();
        if let Some(undecodable) = undecodable(kind, "echo") {
            copy.upsert(&undecodable);
            assert!(!copy.is(&snapshot), "{kind}: Gloo cannot decode it any more");
        }
    }
}

#[test]
fn an_object_is_there_from_its_being_put_in_until_its_being_taken_out() {
    for (kind, one, _) in kinds() {
        let broken = undecodable(kind, "echo");
        for object in [Some(named(kind, "echo", &one)), broken].into_iter().flatten() {
            let mut snapshot = of(&[object]);
            assert!(snapshot.contains(&reference(kind, "echo")), "{kind}");
            assert!(!snapshot.contains(&reference(kind, "golf")), "{kind}");
            assert!(!snapshot.remove(kind, "gloo-system", "golf"), "{kind}");
            assert!(snapshot.remove(kind, "gloo-system", "echo"), "{kind}");
            assert!(!snapshot.contains(&reference(kind, "echo")), "{kind}");
            assert!(!snapshot.remove(kind, "gloo-system", "echo"), "{kind}: it is gone already");
        }
    }
    let config_map = json!({ "kind": "ConfigMap", "metadata": { "name": "echo" } });
    let mut snapshot = Snapshot::default();
    assert!(!snapshot.upsert(&config_map), "its kind does not count");
    assert!(!snapshot.upsert(&json!({})), "it has no kind");
    assert!(!snapshot.contains(&ObjectRef::new("ConfigMap", "", "echo")));
    assert!(!snapshot.remove("ConfigMap", "", "echo"));
}

#[test]
fn two_snapshots_agree_on_objects_that_both_have_alike() {
    for (kind, one, other) in kinds() {
        let echo = reference(kind, "echo");
        let (snapshot, same) = (of(&[named(kind, "echo", &one)]), of(&[named(kind, "echo", &one)]));
        assert!(snapshot.agrees(&same, &echo), "{kind}: equal, if not the very same");
        assert!(Snapshot::default().agrees(&Snapshot::default(), &echo), "{kind}: neither has it");
        let otherwise = of(&[named(kind, "echo", &other)]);
        assert!(!snapshot.agrees(&otherwise, &echo), "{kind}: it is another");
        assert!(!snapshot.agrees(&Snapshot::default(), &echo), "{kind}: only one has it");
        assert!(!Snapshot::default().agrees(&snapshot, &echo), "{kind}: only the other has it");
        if let Some(undecodable) = undecodable(kind, "echo") {
            let mut broken = snapshot.clone();
            broken.upsert(&undecodable);
            assert!(!snapshot.agrees(&broken, &echo), "{kind}: Gloo cannot decode the other");
            assert!(broken.agrees(&broken.clone(), &echo), "{kind}: neither can be decoded");
        }
    }
}

#[test]
fn the_objects_that_two_snapshots_have_otherwise_are_named() {
    for (kind, one, other) in kinds() {
        let objects = |names: &[&str], object: &Value| -> Vec<Value> {
            names.iter().map(|name| named(kind, name, object)).collect()
        };
        let here = of(&objects(&["alpha", "echo", "golf"], &one));
        let there = [objects(&["bravo", "golf"], &one), objects(&["echo"], &other)].concat();
        let there = of(&there);
        let expected = ["alpha", "bravo", "echo"].map(|name| reference(kind, name));
        let expected = if routing(kind) { BTreeSet::from(expected) } else { BTreeSet::new() };
        assert_eq!(here.differing(&there), expected, "{kind}");
        assert_eq!(there.differing(&here), expected, "{kind}");
        assert_eq!(here.differing(&here.clone()), BTreeSet::new(), "{kind}");
        let mut changed = here.clone();
        changed.upsert(&named(kind, "golf", &other));
        let golf = if routing(kind) { vec![reference(kind, "golf")] } else { vec![] };
        assert_eq!(here.differing(&changed), BTreeSet::from_iter(golf), "{kind}");
    }
}

#[test]
fn an_undecodable_object_is_named_until_somebody_repairs_it() {
    for (kind, one, other) in kinds() {
        let Some(undecodable) = undecodable(kind, "echo") else { continue };
        let mut snapshot = of(&[named(kind, "echo", &one), undecodable.clone()]);
        let named_here: Vec<_> = snapshot.undecodable().into_iter().map(|(it, _)| it).collect();
        assert_eq!(named_here, [reference(kind, "echo")]);
        assert!(!snapshot.repaired().agrees(&snapshot, &reference(kind, "echo")), "{kind}");
        let before = of(&[named(kind, "echo", &one)]);
        let repaired = snapshot.repaired();
        assert!(repaired.agrees(&before, &reference(kind, "echo")), "{kind}: as it last was");
        assert_eq!(repaired.undecodable(), [], "{kind}");
        snapshot.upsert(&named(kind, "echo", &other));
        assert_eq!(snapshot.undecodable(), [], "{kind}");
        let never = of(&[undecodable]).repaired();
        assert!(!never.contains(&reference(kind, "echo")), "{kind}: it never could be decoded");
    }
}

#[test]
fn what_another_snapshot_has_is_put_in_as_if_object_by_object() {
    for (kind, one, other) in kinds() {
        let mut snapshot = of(&[named(kind, "echo", &one), named(kind, "alpha", &one)]);
        let further = of(&[named(kind, "echo", &other), named(kind, "golf", &one)]);
        let together = of(&[
            named(kind, "alpha", &one),
            named(kind, "echo", &other),
            named(kind, "golf", &one),
        ]);
        let routes = matches!(kind, "VirtualService" | "RouteTable");
        let before = snapshot.clone();
        if routes {
            snapshot.extend_backends(&further);
            assert!(snapshot.is(&before), "{kind} is no backend");
            snapshot.extend_routes(&further);
        } else {
            snapshot.extend_routes(&further);
            assert!(snapshot.is(&before), "{kind} is no route");
            snapshot.extend_backends(&further);
        }
        for name in ["alpha", "echo", "golf"] {
            assert!(snapshot.agrees(&together, &reference(kind, name)), "{kind} {name}");
        }
        let Some(undecodable) = undecodable(kind, "golf") else { continue };
        let mut broken = of(&[undecodable]);
        if routes {
            broken.extend_routes(&further)
        } else {
            broken.extend_backends(&further)
        }
        assert_eq!(broken.undecodable(), [], "{kind}: a version that can be decoded came later");
    }
}

#[test]
fn the_same_objects_may_be_those_of_a_gloo_elsewhere() {
    let objects = kinds().map(|(kind, one, _)| named(kind, "echo", &one));
    let moved = of(&objects).of_gloo_in("elsewhere");
    assert_eq!(
        (moved.gloo_namespace(), Snapshot::default().gloo_namespace()),
        ("elsewhere", "gloo-system")
    );
    for (kind, ..) in kinds() {
        assert!(moved.contains(&reference(kind, "echo")), "{kind}");
    }
}

#[test]
fn an_object_is_read_as_it_was_put_in() {
    let mut table = named("RouteTable", "echo", &json!({ "spec": { "weight": 3 } }));
    table["metadata"]["labels"] = json!({ "group": "a", "odd": 1 });
    let host = named(
        "VirtualService",
        "echo",
        &json!({ "spec": { "virtualHost": { "domains": ["a.example"] } } }),
    );
    let kube = json!({ "serviceName": "echo", "serviceNamespace": "shop", "servicePort": 80 });
    let upstream = named("Upstream", "echo", &json!({ "spec": { "kube": kube } }));
    let service =
        named("Service", "echo", &json!({ "spec": { "ports": [{ "name": "http", "port": 80 }] } }));
    let snapshot = of(&[table, host, upstream, service]);
    let (echo, golf) =
        (ResourceRef::new("gloo-system", "echo"), ResourceRef::new("gloo-system", "golf"));
    let (labels, table) = snapshot.route_table(&echo).expect("a table");
    assert!(labels.iter().eq([(&"group".to_owned(), &"a".to_owned())]), "{labels:?}");
    assert_eq!(table.weight, Some(3));
    let host = snapshot.virtual_service(&echo).and_then(|it| it.virtual_host.as_ref());
    assert_eq!(host.expect("a host").domains, ["a.example"]);
    let kube = snapshot.upstream(&echo).and_then(|it| it.kube.as_ref()).expect("of a Service");
    assert_eq!((kube.service_name.as_str(), kube.service_namespace.as_str()), ("echo", "shop"));
    let all: Vec<_> =
        snapshot.upstreams().map(|(it, spec)| (it.clone(), spec.kube.is_some())).collect();
    assert_eq!(all, [(echo.clone(), true)]);
    let port = NamedPort { name: "http".into(), port: 80 };
    assert_eq!(snapshot.service(&echo).expect("a Service").ports, [port]);
    assert!(snapshot.route_table(&golf).is_none() && snapshot.virtual_service(&golf).is_none());
    assert!(snapshot.upstream(&golf).is_none() && snapshot.service(&golf).is_none());
}
