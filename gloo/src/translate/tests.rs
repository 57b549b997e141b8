mod details;

use serde_json::{Value, json};

use super::*;
use crate::Code;
use crate::api::State;

fn object(kind: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({ "namespace": "gloo-system", "name": name });
    json!({ "kind": kind, "metadata": metadata, "spec": spec })
}

fn snapshot(objects: &[(&str, &str, Value)]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let gateway = object("Gateway", "gateway-proxy", json!({ "httpGateway": {} }));
    snapshot.upsert(&gateway);
    for (kind, name, spec) in objects {
        snapshot.upsert(&object(kind, name, spec.clone()));
    }
    snapshot
}

fn host(route: &Value) -> Value {
    json!({ "virtualHost": { "domains": ["*"], "routes": [route] } })
}

fn verdict(translation: &Translation, kind: &str, name: &str) -> (State, String) {
    let status = &translation.statuses[&ObjectRef::new(kind, "gloo-system", name)];
    (status.state, status.reason.clone())
}

fn direct() -> Value {
    json!({ "directResponseAction": { "status": 200, "body": "here" } })
}

#[test]
fn what_is_not_covered_is_named_in_the_status() {
    let mut route = direct();
    route["options"] = json!({ "extauth": { "disable": true } });
    let snapshot = snapshot(&[("VirtualService", "app", host(&route))]);
    let (state, reason) =
        verdict(&translate(&snapshot, &Memory::default()), "VirtualService", "app");
    assert_eq!(state, State::Warning);
    assert!(reason.contains("options.extauth is not supported"), "{reason}");
}

#[test]
fn an_upstream_of_a_kind_that_is_not_covered_has_no_cluster() {
    let snapshot = snapshot(&[
        ("VirtualService", "app", host(&direct())),
        ("Upstream", "lambda", json!({ "aws": {} })),
    ]);
    let translation = translate(&snapshot, &Memory::default());
    let (state, reason) = verdict(&translation, "Upstream", "lambda");
    assert_eq!(state, State::Warning);
    assert!(reason.contains("aws is not supported"), "{reason}");
    assert_eq!(translation.clusters, []);
}

#[test]
fn the_first_http_gateway_is_served_and_others_are_rejected() {
    let snapshot = snapshot(&[
        ("VirtualService", "app", host(&direct())),
        ("Gateway", "other", json!({ "httpGateway": {}, "bindPort": 81 })),
        ("Gateway", "raw", json!({ "tcpGateway": {} })),
        ("Gateway", "tls", json!({ "httpGateway": {}, "ssl": true })),
    ]);
    let translation = translate(&snapshot, &Memory::default());
    let state = |name: &str| verdict(&translation, "Gateway", name).0;
    assert_eq!(state("gateway-proxy"), State::Accepted);
    assert_eq!(state("other"), State::Rejected);
    assert_eq!(state("raw"), State::Rejected);
    assert_eq!(state("tls"), State::Accepted, "there is nothing with TLS to serve");
    assert_eq!(translation.listener.map(|listener| listener.port), Some(0));
}

#[test]
fn an_error_in_the_options_of_a_virtual_host_rejects_it() {
    let mut spec = host(&direct());
    let bad = json!({ "requestHeadersToAdd": [{ "header": { "key": "host", "value": "x" } }] });
    spec["virtualHost"]["options"] = json!({ "headerManipulation": bad });
    let snapshot = snapshot(&[("VirtualService", "app", spec)]);
    let translation = translate(&snapshot, &Memory::default());
    let (state, reason) = verdict(&translation, "VirtualService", "app");
    assert_eq!(state, State::Rejected);
    assert!(reason.contains("while processing plugin headers"), "{reason}");
    assert_eq!(translation.listener, None);
}

#[test]
fn limits_of_the_settings_hold_for_upstreams_without_their_own() {
    let hosts = json!({ "hosts": [{ "addr": "10.0.0.1", "port": 80 }] });
    let own = json!({ "static": hosts, "circuitBreakers": { "maxRequests": 5 } });
    let snapshot = snapshot(&[
        ("VirtualService", "app", host(&direct())),
        ("Settings", "default", json!({ "gloo": { "circuitBreakers": { "maxRetries": 7 } } })),
        ("Upstream", "own", own),
        ("Upstream", "plain", json!({ "static": hosts })),
    ]);
    let translation = translate(&snapshot, &Memory::default());
    let limits: Vec<_> = translation.clusters.iter().map(|c| c.thresholds.unwrap()).collect();
    assert_eq!((limits[0].max_requests, limits[0].max_retries), (Some(5), None));
    assert_eq!((limits[1].max_requests, limits[1].max_retries), (None, Some(7)));
}

#[test]
fn one_object_that_cannot_be_decoded_hides_every_change_of_its_kind() {
    let mut snapshot = snapshot(&[("VirtualService", "app", host(&direct()))]);
    let before = translate(&snapshot, &Memory::default());
    let mut bad = direct();
    bad["options"] = json!({ "timeout": "soon" });
    snapshot.upsert(&object("VirtualService", "bad", host(&bad)));
    snapshot.upsert(&object(
        "VirtualService",
        "app",
        json!({ "virtualHost": { "domains": ["b"] } }),
    ));
    let after = translate(&snapshot, &before.memory);
    assert_eq!(after.virtual_hosts, before.virtual_hosts);
    let bad = ObjectRef::new("VirtualService", "gloo-system", "bad");
    assert_eq!(snapshot.undecodable(), [(bad.clone(), "invalid duration \"soon\"")]);
    assert!(!after.statuses.contains_key(&bad));
}

#[test]
fn an_object_that_is_gone_has_no_status() {
    let mut snapshot = snapshot(&[("VirtualService", "app", host(&direct()))]);
    let before = translate(&snapshot, &Memory::default());
    snapshot.remove("VirtualService", "gloo-system", "app");
    let after = translate(&snapshot, &before.memory);
    let app = ObjectRef::new("VirtualService", "gloo-system", "app");
    assert!(before.statuses.contains_key(&app) && !after.statuses.contains_key(&app));
}

/// The codes of what is wrong with a VirtualService of one route and these further objects.
fn codes(route: &Value, others: &[(&str, &str, Value)]) -> Vec<Code> {
    let mut objects = vec![("VirtualService", "app", host(route))];
    objects.extend_from_slice(others);
    let findings = translate(&snapshot(&objects), &Memory::default()).findings;
    findings.iter().map(|finding| finding.code).collect()
}

/// Circumstances that no recorded case shows.
#[test]
fn every_code_without_a_recorded_case_comes_of_some_object() {
    let to_x = || json!({ "routeAction": { "single": { "upstream": { "name": "x" } } } });
    let with = |options: Value| {
        let mut route = to_x();
        route["options"] = options;
        route
    };
    let fixed = |host: Value| ("Upstream", "x", json!({ "static": { "hosts": [host] } }));
    let secret = json!({ "requestHeadersToAdd": [{ "headerSecretRef": { "name": "x" } }] });
    let gateway = |spec: Value| ("Gateway", "a-first", spec);
    let circumstances = [
        (Code::NotModelled, with(json!({ "extauth": {} })), vec![]),
        (Code::NotModelled, to_x(), vec![("Upstream", "x", json!({ "aws": {} }))]),
        (Code::NotModelled, direct(), vec![gateway(json!({ "tcpGateway": {} }))]),
        (Code::InvalidGateway, direct(), vec![gateway(json!({}))]),
        (
            Code::MissingVirtualService,
            direct(),
            vec![gateway(json!({ "httpGateway": { "virtualServices": [{ "name": "x" }] } }))],
        ),
        (Code::MissingSecret, with(json!({ "headerManipulation": secret })), vec![]),
        (Code::InvalidDuration, with(json!({ "timeout": "-1s" })), vec![]),
        (Code::InvalidRedirect, json!({ "redirectAction": { "pathRedirect": "/a\n" } }), vec![]),
        (Code::InvalidUpgrade, with(json!({ "upgrades": [{}] })), vec![]),
        (Code::InvalidHash, with(json!({ "lbHash": { "hashPolicies": [{}] } })), vec![]),
        (Code::InvalidHost, to_x(), vec![fixed(json!({ "addr": "10.0.0.1" }))]),
    ];
    for (code, route, others) in &circumstances {
        let found = codes(route, others);
        assert!(found.contains(code), "{code} of {route} and {others:?}: {found:?}");
    }
    let shown = |code: &Code| circumstances.iter().any(|(shown, ..)| shown == code);
    let all = Code::ALL.iter().filter(|code| code.case().is_none());
    assert_eq!(all.filter(|code| !shown(code)).collect::<Vec<_>>(), Vec::<&Code>::new());
}

#[test]
fn what_is_wrong_with_a_table_is_reported_by_the_services_that_use_it() {
    let to_table = |name: &str| json!({ "delegateAction": { "ref": { "namespace": "gloo-system", "name": name } } });
    let on = |domain: &str, table: &str| json!({ "virtualHost": { "domains": [domain], "routes": [to_table(table)] } });
    let snapshot = snapshot(&[
        ("VirtualService", "one", on("one", "bad")),
        ("VirtualService", "other", on("other", "bad")),
        ("VirtualService", "third", on("third", "as-bad")),
        ("RouteTable", "bad", json!({ "routes": [{}] })),
        ("RouteTable", "as-bad", json!({ "routes": [{}] })),
    ]);
    let translation = translate(&snapshot, &Memory::default());
    let bad = ObjectRef::new("RouteTable", "gloo-system", "bad");
    let finding = translation.findings.iter().find(|finding| *finding.object == bad).unwrap();
    assert_eq!((finding.code, finding.severity), (Code::NoAction, Severity::Rejected));
    let names: Vec<&str> = translation.reported_on(finding).map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["bad", "one", "other"]);
    let third = ObjectRef::new("VirtualService", "gloo-system", "third");
    assert_eq!(translation.reported[&third].len(), 1);
    assert_eq!(translation.reported[&third][0].object.name, "as-bad");
}

#[test]
fn a_code_says_what_it_means_and_where_it_was_seen() {
    assert_eq!(Code::UnknownSubset.to_string(), "UnknownSubset");
    assert_eq!(json!(Code::UnknownSubset), json!("UnknownSubset"));
    assert_eq!(Code::UnknownSubset.case(), Some("06-subset-keys"));
    assert!(Code::ALL.iter().all(|code| code.meaning().ends_with('.')));
    let cycle = "RouteTables delegate to each other in a circle.";
    assert_eq!(Code::DelegationCycle.meaning(), cycle);
}
