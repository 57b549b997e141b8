//! Translations of small snapshots, for what no recording shows.

use serde_json::{Value, json};

use super::{Memory, Translation, translate};
use crate::config::{Action, Target};
use crate::{Code, Environment, ObjectRef, Profile, Snapshot, Validation};

const KGATEWAY: Profile = Profile::Kgateway(Validation::Standard);
const STRICT: Profile = Profile::Kgateway(Validation::Strict);

fn gateway() -> Value {
    let listener = json!({
        "name": "http",
        "port": 8000,
        "protocol": "HTTP",
        "allowedRoutes": { "namespaces": { "from": "All" } },
    });
    json!({
        "kind": "Gateway",
        "metadata": { "namespace": "infra", "name": "edge", "generation": 1 },
        "spec": { "gatewayClassName": "edge", "listeners": [listener] },
    })
}

fn route(name: &str, rules: &Value) -> Value {
    json!({
        "kind": "HTTPRoute",
        "metadata": { "namespace": "echo", "name": name, "generation": 1 },
        "spec": {
            "parentRefs": [{ "namespace": "infra", "name": "edge" }],
            "hostnames": ["example.com"],
            "rules": rules,
        },
    })
}

fn service(name: &str) -> [Value; 2] {
    [
        json!({
            "kind": "Service",
            "metadata": { "namespace": "echo", "name": name },
            "spec": { "ports": [{ "port": 80 }] },
        }),
        json!({
            "kind": "EndpointSlice",
            "metadata": {
                "namespace": "echo",
                "name": name,
                "labels": { "kubernetes.io/service-name": name },
            },
            "endpoints": [{ "addresses": [name], "conditions": { "ready": true } }],
            "ports": [{ "name": "", "port": 8090 }],
        }),
    ]
}

fn snapshot(profile: Profile, objects: &[Value]) -> Snapshot {
    let environment = Environment { profile, complete: true, ..Environment::default() };
    let mut snapshot = Snapshot::new(environment);
    let services = ["a", "b"].map(service);
    for object in services.iter().flatten().chain([&gateway()]).chain(objects) {
        assert!(snapshot.upsert(object), "{object}");
    }
    snapshot
}

fn translated(profile: Profile, objects: &[Value]) -> Translation {
    translate(&snapshot(profile, objects), &Memory::default())
}

fn codes(translation: &Translation) -> Vec<Code> {
    translation.findings.iter().map(|finding| finding.code).collect()
}

fn prefix(path: &str, service: &str) -> Value {
    json!({
        "matches": [{ "path": { "type": "PathPrefix", "value": path } }],
        "backendRefs": [{ "name": service, "port": 80 }],
    })
}

fn bad(path: &str) -> Value {
    json!({
        "matches": [{ "path": { "type": "RegularExpression", "value": path } }],
        "backendRefs": [{ "name": "a", "port": 80 }],
    })
}

/// A route that Envoy refuses, and whether the change of another arrives.
#[test]
fn what_envoy_refuses_freezes_everybody_until_envoy_restarts() {
    let good = |service| route("good", &json!([prefix("/", service)]));
    let first = translated(KGATEWAY, &[good("a")]);
    let frozen = snapshot(KGATEWAY, &[good("b"), route("bad", &json!([bad("[")]))]);
    let second = translate(&frozen, &first.memory);
    assert_eq!(second.refused.len(), 1);
    assert!(codes(&second).contains(&Code::InvalidExpression));
    assert_eq!(second.routes, first.routes, "Envoy goes on with what it has");
    let third = translate(&frozen, &second.memory.clone().envoys_restarted());
    assert!(third.routes.is_empty(), "a new Envoy has nothing");
    let healed = translate(&snapshot(KGATEWAY, &[good("b")]), &third.memory);
    assert!(healed.refused.is_empty());
    assert_ne!(healed.routes, first.routes);
}

#[test]
fn strict_validation_and_envoy_gateway_drop_the_rule_alone() {
    for profile in [STRICT, Profile::EnvoyGateway] {
        let objects = [route("both", &json!([bad("["), prefix("/", "b")]))];
        let translation = translated(profile, &objects);
        assert!(translation.refused.is_empty(), "{profile:?}");
        assert!(codes(&translation).contains(&Code::InvalidExpression), "{profile:?}");
        let routes: usize = translation.served_hosts().map(|host| host.routes.len()).sum();
        assert_eq!(routes, 1, "{profile:?}");
    }
}

#[test]
fn a_route_of_another_gateway_class_has_no_status() {
    let class = json!({
        "kind": "GatewayClass",
        "metadata": { "name": "edge" },
        "spec": { "controllerName": "example.com/other" },
    });
    let translation = translated(KGATEWAY, &[class, route("r", &json!([prefix("/", "a")]))]);
    assert!(translation.statuses.is_empty() && translation.listeners.is_empty());
}

#[test]
fn weights_that_are_all_0_answer_500() {
    let rule = json!({ "backendRefs": [
        { "name": "a", "port": 80, "weight": 0 },
        { "name": "b", "port": 80, "weight": 0 },
    ]});
    for profile in [KGATEWAY, STRICT, Profile::EnvoyGateway] {
        let translation = translated(profile, &[route("r", &json!([rule]))]);
        assert!(codes(&translation).contains(&Code::NoTotalWeight), "{profile:?}");
        let host = translation.served_hosts().next().expect("a virtual host");
        let action = &host.routes[0].action;
        assert!(matches!(action, Action::DirectResponse { status: 500, .. }), "{action:?}");
    }
}

#[test]
fn a_backend_elsewhere_needs_a_grant() {
    let rule = json!({ "backendRefs": [{ "name": "x", "namespace": "other", "port": 80 }] });
    let service = json!({
        "kind": "Service",
        "metadata": { "namespace": "other", "name": "x" },
        "spec": { "ports": [{ "port": 80 }] },
    });
    let grant = json!({
        "kind": "ReferenceGrant",
        "metadata": { "namespace": "other", "name": "echo" },
        "spec": {
            "from": [{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "echo" }],
            "to": [{ "group": "", "kind": "Service" }],
        },
    });
    for profile in [KGATEWAY, Profile::EnvoyGateway] {
        let objects = [route("r", &json!([rule])), service.clone(), grant.clone()];
        assert!(codes(&translated(profile, &objects[..2])).contains(&Code::NoGrant));
        assert!(!codes(&translated(profile, &objects)).contains(&Code::NoGrant));
    }
}

#[test]
fn what_was_not_read_is_noted_and_not_judged() {
    let filter = json!({ "type": "ExtensionRef", "extensionRef": {
        "group": "gateway.kgateway.dev", "kind": "DirectResponse", "name": "teapot",
    }});
    let rule = json!({ "filters": [filter] });
    let objects = [route("r", &json!([rule]))];
    let complete = translated(KGATEWAY, &objects);
    assert!(codes(&complete).contains(&Code::MissingExtension));
    let environment = Environment { profile: KGATEWAY, ..Environment::default() };
    let some = snapshot(KGATEWAY, &objects).within(environment);
    let translation = translate(&some, &Memory::default());
    let unread = ObjectRef::new("DirectResponse", "echo", "teapot");
    let mut notes = translation.notes.iter();
    assert!(notes.any(|note| note.unread.as_deref() == Some(&unread)), "{:?}", translation.notes);
    assert!(!codes(&translation).contains(&Code::MissingExtension));
}

#[test]
fn rules_that_implementations_order_differently_are_found() {
    let header = |headers: &Value, path: &str| {
        json!({
            "matches": [{ "path": { "type": "RegularExpression", "value": path }, "headers": headers }],
            "backendRefs": [{ "name": "a", "port": 80 }],
        })
    };
    let one = json!([{ "name": "x", "value": "1" }]);
    let rules = json!([header(&one, "/a.*"), header(&json!([]), "/a.*longer|/a.*")]);
    let translation = translated(Profile::Portable, &[route("r", &rules)]);
    assert_eq!(codes(&translation), [Code::ImplementationsDiffer]);
    let rules = json!([prefix("/a", "a"), prefix("/b", "b")]);
    assert!(translated(Profile::Portable, &[route("r", &rules)]).findings.is_empty());
}

#[test]
fn the_older_route_takes_what_both_want() {
    let mut old = route("z", &json!([prefix("/", "a")]));
    let mut young = route("a", &json!([prefix("/", "b")]));
    old["metadata"]["creationTimestamp"] = json!("2020-01-01T00:00:00Z");
    young["metadata"]["creationTimestamp"] = json!("2021-01-01T00:00:00Z");
    for profile in [KGATEWAY, Profile::EnvoyGateway] {
        let translation = translated(profile, &[young.clone(), old.clone()]);
        let host = translation.served_hosts().next().expect("a virtual host");
        assert_eq!(host.routes[0].holder.name, "z", "{profile:?}");
        let Action::Forward(forward) = &host.routes[0].action else { panic!("no backend") };
        assert!(matches!(forward.target, Target::Cluster(_)));
    }
}

/// Envoy Gateway leaves what it wrote below a parent that a route has left, on the same object.
#[test]
fn a_route_that_came_back_has_lost_its_old_status() {
    let mut elsewhere = gateway();
    elsewhere["metadata"]["name"] = json!("edge2");
    let made = |parent: &str, created: &str| {
        let mut route = route("r", &json!([prefix("/", "a")]));
        route["metadata"]["creationTimestamp"] = json!(created);
        route["spec"]["parentRefs"][0]["name"] = json!(parent);
        [elsewhere.clone(), route]
    };
    let first = translated(Profile::EnvoyGateway, &made("edge", "2020"));
    let name = ObjectRef::new("HTTPRoute", "echo", "r");
    let parents = |created: &str| {
        let snapshot = snapshot(Profile::EnvoyGateway, &made("edge2", created));
        translate(&snapshot, &first.memory).statuses[&name].parents.len()
    };
    assert_eq!((parents("2020"), parents("2021")), (2, 1));
}
