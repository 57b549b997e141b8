//! Conditions that recorded cases show from one side only.

use super::*;

/// The codes and words of what is wrong with a VirtualService of one route.
fn faults(route: &Value) -> Vec<(Code, String)> {
    let snapshot = snapshot(&[("VirtualService", "app", host(route))]);
    let findings = translate(&snapshot, &Memory::default()).findings;
    findings.iter().map(|finding| (finding.code, finding.words.clone())).collect()
}

fn by_header(header: &str) -> Value {
    json!({ "routeAction": { "clusterHeader": header } })
}

#[test]
fn a_header_that_names_clusters_is_the_name_of_a_header() {
    assert_eq!(faults(&by_header("x-cluster")), []);
    for header in [":path", "x:y", "x-clüster"] {
        let found = faults(&by_header(header));
        let is_named = |(code, words): &(Code, String)| {
            *code == Code::InvalidHeader && words.contains(&format!("{header} is an invalid"))
        };
        assert!(found.iter().any(is_named), "{header}: {found:?}");
    }
}

#[test]
fn a_path_has_escapes_of_two_digits_and_no_other_signs() {
    let is_valid = |prefix: &str| {
        let mut route = direct();
        route["matchers"] = json!([{ "prefix": prefix }]);
        !faults(&route).iter().any(|(code, _)| *code == Code::InvalidPath)
    };
    for path in ["/a", "/%41", "/a%4f", "/A.b_c~d!$&'()*+,=:@-;9"] {
        assert!(is_valid(path), "{path}");
    }
    for path in [
        "/a b", "/a\"", "/%4", "/%", "/%4g", "/%g4", "/ä", "/a[", "/a//b", "/a/./b", "/a/..",
        "/a%2Fb",
    ] {
        assert!(!is_valid(path), "{path}");
    }
}

#[test]
fn a_query_parameter_may_be_named_by_1024_bytes() {
    let is_refused = |length: usize| {
        let mut route = direct();
        let query = json!([{ "name": "x".repeat(length), "value": "1" }]);
        route["matchers"] = json!([{ "prefix": "/", "queryParameters": query }]);
        faults(&route).iter().any(|(code, _)| *code == Code::InvalidMatcher)
    };
    assert_eq!([1, 1023, 1024, 1025].map(is_refused), [false, false, false, true]);
}

#[test]
fn a_gateway_serves_virtual_services_that_it_selects_in_the_namespaces_it_names() {
    let is_served = |http: Value| {
        let mut app = object("VirtualService", "app", host(&direct()));
        app["metadata"]["labels"] = json!({ "team": "a" });
        let mut snapshot = Snapshot::default();
        snapshot.upsert(&object("Gateway", "gateway-proxy", json!({ "httpGateway": http })));
        snapshot.upsert(&app);
        !translate(&snapshot, &Memory::default()).virtual_hosts.is_empty()
    };
    let expression = |value: &str| json!({ "expressions": [{ "key": "team", "operator": "Equals", "values": [value] }] });
    let here = || json!(["gloo-system"]);
    assert!(is_served(json!({})));
    assert!(is_served(json!({ "virtualServiceNamespaces": here() })));
    assert!(is_served(json!({ "virtualServiceNamespaces": ["*"] })));
    assert!(is_served(json!({ "virtualServiceNamespaces": ["other", "gloo-system"] })));
    assert!(!is_served(json!({ "virtualServiceNamespaces": ["other"] })));
    for (labels, expected) in [(json!({ "team": "a" }), true), (json!({ "team": "b" }), false)] {
        assert_eq!(is_served(json!({ "virtualServiceSelector": labels })), expected);
        let elsewhere =
            json!({ "virtualServiceSelector": labels, "virtualServiceNamespaces": ["other"] });
        assert!(!is_served(elsewhere));
    }
    for (team, expected) in [("a", true), ("b", false)] {
        assert_eq!(is_served(json!({ "virtualServiceExpressions": expression(team) })), expected);
        let elsewhere = json!({ "virtualServiceExpressions": expression(team),
            "virtualServiceNamespaces": ["other"] });
        assert!(!is_served(elsewhere));
    }
    let named =
        |name: &str| json!({ "virtualServices": [{ "namespace": "gloo-system", "name": name }] });
    assert!(is_served(named("app")) && !is_served(named("other")));
}

#[test]
fn what_is_wrong_with_options_of_a_virtual_host_names_the_host() {
    let mut host = host(&direct());
    host["virtualHost"]["options"] = json!({ "cors": {} });
    let snapshot = snapshot(&[("VirtualService", "app.v1", host)]);
    let findings = translate(&snapshot, &Memory::default()).findings;
    let words: Vec<&str> = findings.iter().map(|finding| finding.words.as_str()).collect();
    let expected = "invalid virtual host [gloo-system_app_v1] while processing plugin cors";
    assert!(words.iter().any(|words| words.contains(expected)), "{words:?}");
}

#[test]
fn a_connection_takes_as_many_requests_as_the_upstream_says() {
    let most = |requests: u32| {
        let hosts = json!({ "hosts": [{ "addr": "10.0.0.1", "port": 80 }] });
        let config = json!({ "maxRequestsPerConnection": requests });
        let upstream = json!({ "static": hosts, "connectionConfig": config });
        let snapshot =
            snapshot(&[("VirtualService", "app", host(&direct())), ("Upstream", "x", upstream)]);
        translate(&snapshot, &Memory::default()).clusters[0].max_requests_per_connection
    };
    assert_eq!((most(0), most(1), most(5)), (None, Some(1), Some(5)));
}

#[test]
fn options_of_a_gateway_that_are_not_covered_are_named() {
    let named = |spec: Value| {
        let mut snapshot = snapshot(&[("VirtualService", "app", host(&direct()))]);
        snapshot.upsert(&object("Gateway", "gateway-proxy", spec));
        let findings = translate(&snapshot, &Memory::default()).findings;
        let of_gateway = findings.iter().filter(|finding| finding.object.kind == "Gateway");
        of_gateway.map(|finding| finding.words.clone()).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(named(json!({ "httpGateway": {}, "options": {}, "useProxyProto": false })), "");
    for (field, spec) in [
        ("options", json!({ "httpGateway": {}, "options": { "a": 1 } })),
        ("routeOptions", json!({ "httpGateway": {}, "routeOptions": {} })),
        ("useProxyProto", json!({ "httpGateway": {}, "useProxyProto": true })),
        ("httpGateway.options", json!({ "httpGateway": { "options": { "a": 1 } } })),
    ] {
        let found = named(spec);
        assert!(found.starts_with(field), "{field}: {found}");
    }
}

#[test]
fn an_error_of_a_route_is_told_with_its_route_in_the_status_of_the_proxy() {
    let mut route = direct();
    route["matchers"] = json!([{ "prefix": "/a b" }]);
    let snapshot = snapshot(&[("VirtualService", "app", host(&route))]);
    let translation = translate(&snapshot, &Memory::default());
    let status = &translation.statuses[&ObjectRef::new("VirtualService", "gloo-system", "app")];
    assert_eq!(status.reported_by, "gloo");
    let proxy = status.subresource_statuses.values().next().expect("that of the proxy");
    let found = translation.findings.iter().find(|it| it.code == Code::InvalidPath);
    let words = &found.expect("an invalid path").words;
    assert!(words.starts_with("Route Error: ProcessingError. Reason: "), "{words}");
    let expected = format!("{words}. Route Name: gloo-system_app-route-0-matcher-0");
    assert!(proxy.reason.contains(&expected), "{}", proxy.reason);
}
