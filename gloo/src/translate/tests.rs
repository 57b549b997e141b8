mod details;
mod gateways;
mod protection;
mod unread;

use serde_json::{Value, json};

use super::*;
use crate::api::State;
use crate::{Code, Edition, Environment};

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

/// What could not be judged.
fn notes(translation: &Translation) -> Vec<String> {
    translation.notes.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_not_modelled_is_noted_and_its_route_takes_its_requests() {
    let mut route = direct();
    route["options"] = json!({ "extauth": { "disable": true } });
    let snapshot = snapshot(&[("VirtualService", "app", host(&route))]);
    let translation = translate(&snapshot, &Memory::default());
    assert_eq!(verdict(&translation, "VirtualService", "app"), (State::Accepted, String::new()));
    assert_eq!(translation.findings, []);
    let noted = notes(&translation);
    assert!(noted[0].contains("gloo-system/app: options.extauth is not modelled"), "{noted:?}");
    assert_eq!(translation.served_hosts().count(), 1);
}

#[test]
fn an_upstream_of_a_kind_that_is_not_modelled_is_there_and_nobody_knows_what_it_answers() {
    let snapshot = snapshot(&[
        ("VirtualService", "app", host(&direct())),
        ("Upstream", "lambda", json!({ "aws": {} })),
    ]);
    let translation = translate(&snapshot, &Memory::default());
    assert_eq!(verdict(&translation, "Upstream", "lambda"), (State::Accepted, String::new()));
    let noted = notes(&translation);
    assert!(noted[0].contains("Upstream gloo-system/lambda: aws is not modelled"), "{noted:?}");
    assert!(translation.clusters[0].opaque);
}

#[test]
fn every_gateway_has_a_listener_of_its_own() {
    let snapshot = snapshot(&[
        ("VirtualService", "app", host(&direct())),
        ("Gateway", "other", json!({ "httpGateway": {}, "bindPort": 81 })),
        ("Gateway", "raw", json!({ "tcpGateway": {}, "bindPort": 82 })),
        ("Gateway", "tls", json!({ "httpGateway": {}, "ssl": true, "bindPort": 83 })),
    ]);
    let translation = translate(&snapshot, &Memory::default());
    let state = |name: &str| verdict(&translation, "Gateway", name).0;
    assert_eq!(state("gateway-proxy"), State::Accepted);
    assert_eq!(state("other"), State::Accepted);
    assert_eq!(state("raw"), State::Accepted);
    assert_eq!(state("tls"), State::Accepted, "there is nothing with TLS to serve");
    let ports: Vec<u32> = translation.listeners.iter().map(|listener| listener.port).collect();
    assert_eq!(ports, [0, 81], "a tcpGateway without hosts, too, listens nowhere");
    let gateways: Vec<&str> =
        translation.desired.iter().map(|desired| desired.gateway.name.as_str()).collect();
    assert_eq!(gateways, ["gateway-proxy", "other", "tls"]);
}

#[test]
fn a_mistake_belongs_to_the_gateway_that_serves_it() {
    let twice = json!({ "virtualHost": { "domains": ["a"], "routes": [direct()] } });
    let labelled = |name: &str| {
        let mut object = object("VirtualService", name, twice.clone());
        object["metadata"]["labels"] = json!({ "gw": "private" });
        object
    };
    let selector = json!({ "virtualServiceSelector": { "gw": "private" } });
    let mut snapshot =
        snapshot(&[("Gateway", "private", json!({ "httpGateway": selector, "bindPort": 81 }))]);
    snapshot.upsert(&object(
        "Gateway",
        "gateway-proxy",
        json!({ "httpGateway":
        { "virtualServiceSelector": { "gw": "public" } } }),
    ));
    snapshot.upsert(&labelled("one"));
    snapshot.upsert(&labelled("other"));
    let findings = translate(&snapshot, &Memory::default()).findings;
    let gateways: BTreeSet<_> =
        findings.iter().map(|it| it.gateway.as_ref().map(|it| it.name.as_str())).collect();
    assert_eq!(gateways, BTreeSet::from([Some("private")]));
}

#[test]
fn an_enterprise_option_is_an_error_to_the_open_source_gloo_alone() {
    let mut route = direct();
    route["options"] = json!({ "jwt": {} });
    let snapshot = snapshot(&[("VirtualService", "app", host(&route))]);
    let of = |edition| {
        let environment = Environment { edition, ..Environment::default() };
        translate(&snapshot.clone().within(environment), &Memory::default())
    };
    let open = of(Edition::OpenSource);
    let found = open.findings.iter().map(|it| (it.code, it.severity)).collect::<BTreeSet<_>>();
    assert_eq!(found, BTreeSet::from([(Code::EnterpriseOption, Severity::RouteError)]));
    let enterprise = of(Edition::Enterprise);
    assert!(enterprise.findings.is_empty() && notes(&enterprise)[0].contains("not modelled"));
    let unknown = of(Edition::Unknown);
    assert!(unknown.findings.is_empty());
    assert!(notes(&unknown)[0].contains("an open-source Gloo serves without it"));
}

#[test]
fn of_secrets_that_nobody_has_read_nothing_is_concluded() {
    let config = json!({ "secretRef": { "namespace": "gloo-system", "name": "cert" } });
    let app =
        json!({ "sslConfig": config, "virtualHost": { "domains": ["a"], "routes": [direct()] } });
    let ssl = json!({ "httpGateway": {}, "ssl": true, "bindPort": 8443 });
    let mut snapshot = snapshot(&[("Gateway", "ssl", ssl), ("VirtualService", "app", app)]);
    let unread = translate(&snapshot, &Memory::default());
    assert_eq!(unread.findings, []);
    assert!(notes(&unread)[0].contains("Secret gloo-system/cert was not read"));
    assert_eq!(unread.listeners.len(), 1);
    snapshot.know("Secret");
    let codes = translate(&snapshot, &Memory::default()).findings;
    assert_eq!(codes.iter().map(|it| it.code).collect::<Vec<_>>(), [Code::MissingSecret]);
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
    assert_eq!(translation.listeners, []);
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
    assert_eq!(after.routes, before.routes);
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
    let mut snapshot = snapshot(&objects);
    snapshot.know("MatchableHttpGateway");
    let findings = translate(&snapshot, &Memory::default()).findings;
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
    let upstream = |spec: Value| ("Upstream", "x", spec);
    let circumstances = [
        (Code::InvalidWindow, to_x(), vec![upstream(json!({ "initialStreamWindowSize": 1 }))]),
        (
            Code::InvalidPreconnect,
            to_x(),
            vec![upstream(json!({ "preconnectPolicy": { "perUpstreamPreconnectRatio": 9 } }))],
        ),
        (
            Code::EmptyHybridGateway,
            direct(),
            vec![("Gateway", "it", json!({ "hybridGateway": { "delegatedHttpGateways": {} } }))],
        ),
        (Code::InvalidDuration, with(json!({ "timeout": "-1s" })), vec![]),
        (Code::InvalidRedirect, json!({ "redirectAction": { "pathRedirect": "/a\n" } }), vec![]),
        (Code::InvalidUpgrade, with(json!({ "upgrades": [{}] })), vec![]),
        (Code::InvalidHash, with(json!({ "lbHash": { "hashPolicies": [{}] } })), vec![]),
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
