//! Namespaces that nobody has read.

use super::*;

/// The objects, of which only those in Gloo's namespace were read.
fn partly(objects: &[(&str, &str, Value)]) -> Snapshot {
    let mut snapshot = snapshot(objects).of_namespaces();
    for kind in Snapshot::ROUTING.iter().chain(Snapshot::FURTHER) {
        snapshot.read(kind.kind, "gloo-system");
    }
    snapshot
}

fn codes(translation: &Translation) -> Vec<Code> {
    translation.findings.iter().map(|finding| finding.code).collect()
}

/// What leads to an object in this namespace, by each way that there is.
fn leading_to(namespace: &str) -> Vec<(&'static str, Snapshot, Code)> {
    let reference = json!({ "namespace": namespace, "name": "far" });
    let route = |action: Value| host(&action);
    let upstream = json!({ "upstream": reference });
    let subset = json!({ "upstream": reference, "subset": { "values": { "version": "v1" } } });
    let weighted = |it: &Value| json!({ "destinations": [{ "destination": it, "weight": 1 }] });
    let group = json!({ "destinations": [{ "destination": upstream, "weight": 1 }] });
    let app = |spec: Value| partly(&[("VirtualService", "app", spec)]);
    let kube = json!({ "kube": { "serviceName": "far", "serviceNamespace": namespace, "servicePort": 80 } });
    let named = json!({ "httpGateway": { "virtualServices": [reference] }, "bindPort": 81 });
    let tcp = json!({ "tcpGateway": { "tcpHosts": [{ "name": "a", "destination": { "single": upstream } }] },
        "bindPort": 82 });
    let single = |it: &Value| app(route(json!({ "routeAction": { "single": it } })));
    let by_name = json!({ "delegateAction": { "ref": reference } });
    let by_label = json!({ "delegateAction": { "selector": { "labels": { "a": "b" }, "namespaces": [namespace] } } });
    let of_group = json!({ "routeAction": { "upstreamGroup": { "namespace": "gloo-system", "name": "group" } } });
    let direct = || host(&direct());
    vec![
        ("single", single(&upstream), Code::MissingUpstream),
        ("subset", single(&subset), Code::MissingUpstream),
        (
            "multi",
            app(route(json!({ "routeAction": { "multi": weighted(&upstream) } }))),
            Code::MissingUpstream,
        ),
        (
            "group",
            partly(&[
                ("UpstreamGroup", "group", group),
                ("VirtualService", "app", route(of_group)),
            ]),
            Code::MissingUpstream,
        ),
        ("ref", app(route(by_name)), Code::MissingRouteTable),
        ("selector", app(route(by_label)), Code::NoRouteTableSelected),
        (
            "service",
            partly(&[("Upstream", "near", kube), ("VirtualService", "app", direct())]),
            Code::MissingService,
        ),
        ("gateway", partly(&[("Gateway", "named", named)]), Code::MissingVirtualService),
        (
            "tcp",
            partly(&[("Gateway", "tcp", tcp), ("VirtualService", "app", direct())]),
            Code::MissingUpstream,
        ),
    ]
}

#[test]
fn of_what_stands_in_a_namespace_that_nobody_has_read_nothing_is_concluded() {
    for (way, snapshot, _) in leading_to("far") {
        let translation = translate(&snapshot, &Memory::default());
        assert_eq!(codes(&translation), [], "{way}: {:?}", translation.findings);
        let is_said = notes(&translation).iter().any(|note| note.contains("not read"));
        assert!(is_said || matches!(way, "service" | "tcp"), "{way}: {:?}", notes(&translation));
    }
}

#[test]
fn what_is_missing_in_a_namespace_that_was_read_is_missing() {
    for (way, snapshot, code) in leading_to("gloo-system") {
        let translation = translate(&snapshot, &Memory::default());
        assert!(codes(&translation).contains(&code), "{way}: {:?}", translation.findings);
    }
}

#[test]
fn a_kind_that_need_not_be_served_is_known_where_it_was_read() {
    let refs = |namespace: &str| {
        let mut route = direct();
        route["optionsConfigRefs"] =
            json!({ "delegateOptions": [{ "namespace": namespace, "name": "far" }] });
        let mut snapshot = partly(&[("VirtualService", "app", host(&route))]);
        snapshot.know("RouteOption");
        translate(&snapshot, &Memory::default())
    };
    assert_eq!(codes(&refs("far")), []);
    assert_eq!(codes(&refs("gloo-system")), [Code::MissingOption]);
}
