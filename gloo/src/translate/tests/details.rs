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
        translate(&snapshot, &Memory::default()).served_hosts().next().is_some()
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
fn options_of_a_gateway_that_are_not_modelled_are_noted() {
    let translated = |spec: Value| {
        let mut snapshot = snapshot(&[("VirtualService", "app", host(&direct()))]);
        snapshot.upsert(&object("Gateway", "gateway-proxy", spec));
        translate(&snapshot, &Memory::default())
    };
    let named = |spec: Value| {
        let translation = translated(spec);
        assert_eq!(translation.findings, [], "it is not wrong");
        let of_gateway = translation.notes.iter().filter(|note| note.object.kind == "Gateway");
        of_gateway.map(|note| note.words.clone()).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(named(json!({ "httpGateway": {}, "options": {}, "useProxyProto": false })), "");
    for (field, spec) in [
        ("options.a", json!({ "httpGateway": {}, "options": { "a": 1 } })),
        ("routeOptions.a", json!({ "httpGateway": {}, "routeOptions": { "a": 1 } })),
        ("httpGateway.options.a", json!({ "httpGateway": { "options": { "a": 1 } } })),
    ] {
        let found = named(spec);
        assert!(found.starts_with(field), "{field}: {found}");
    }
    let proxied = translated(json!({ "httpGateway": {}, "useProxyProto": true }));
    assert!(proxied.listeners[0].proxy_protocol, "this is modelled");
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

#[test]
fn the_intervals_between_retries_are_positive_and_the_longest_is_the_longer() {
    let refused = |back_off: Value| {
        let mut route = json!({ "routeAction": { "single": { "upstream": { "name": "x" } } } });
        route["options"] = json!({ "retries": { "retryOn": "5xx", "retryBackOff": back_off } });
        let found = faults(&route).into_iter().find(|(code, _)| *code == Code::InvalidRetries);
        found.map(|(_, words)| words).unwrap_or_default()
    };
    let both = |base: &str, max: &str| json!({ "baseInterval": base, "maxInterval": max });
    for right in [both("1s", "2s"), both("1s", "1s"), json!({ "baseInterval": "1s" })] {
        assert_eq!(refused(right.clone()), "", "{right}");
    }
    for (wrong, words) in [
        (both("2s", "1s"), "base interval: 2000 is > max interval: 1000"),
        (both("0s", "1s"), "base interval for retry backoff was <= than 0"),
        (both("-2s", "-1s"), "base interval for retry backoff was <= than 0"),
        (json!({ "baseInterval": "0s" }), "base interval for retry backoff was <= than 0"),
        (json!({ "maxInterval": "1s" }), "max interval was defined, but the base interval was not"),
    ] {
        assert!(refused(wrong.clone()).contains(words), "{wrong}: {}", refused(wrong.clone()));
    }
}

#[test]
fn a_direct_answer_carries_its_cross_origin_headers_itself() {
    let translated = |cors: Value| {
        let mut route = direct();
        route["options"] = json!({ "cors": cors });
        let snapshot = snapshot(&[("VirtualService", "app", host(&route))]);
        let translation = translate(&snapshot, &Memory::default());
        let host = translation.served_hosts().next().expect("a virtual host");
        assert_eq!(*host.holder, ObjectRef::new("VirtualService", "gloo-system", "app"));
        let added = host.routes[0].headers.response_add.iter();
        let added: Vec<String> = added.map(|it| format!("{}: {}", it.name, it.value)).collect();
        let codes: Vec<Code> = translation.findings.iter().map(|finding| finding.code).collect();
        (added, codes)
    };
    let cors = |disable: bool| {
        json!({ "allowOrigin": ["https://a.example", "https://a.example"], "allowOriginRegex": ["b.*"],
            "allowMethods": ["GET", "PUT"], "maxAge": "60", "disableForRoute": disable })
    };
    let expected = [
        "Access-Control-Allow-Origin: https://a.example,b.*",
        "Access-Control-Allow-Methods: GET,PUT",
        "Access-Control-Allow-Headers: ",
        "Access-Control-Expose-Headers: ",
        "Access-Control-Max-Age: 60",
        "Access-Control-Allow-Credentials: false",
    ];
    assert_eq!(translated(cors(false)), (expected.map(str::to_owned).into(), vec![]));
    let (added, codes) = translated(cors(true));
    assert_eq!(added, [""; 0]);
    assert!(codes.contains(&Code::OptionNotApplicable), "{codes:?}");
}

#[test]
fn a_delay_of_less_than_a_second_is_named_in_protobufs_text() {
    let mut route = json!({ "routeAction": { "single": { "upstream": { "name": "x" } } } });
    let mut named = |delay: Value| {
        route["options"] = json!({ "faults": { "delay": delay } });
        let found = faults(&route).into_iter().find(|(code, _)| *code == Code::InvalidFaults);
        found.map(|(_, words)| words).unwrap_or_default()
    };
    let half = named(json!({ "fixedDelay": "0.5s", "percentage": 10 }));
    assert!(half.contains("invalid delay duration 'nanos:500000000', must"), "{half}");
    let past = named(json!({ "fixedDelay": "-1.5s", "percentage": 10 }));
    assert!(past.contains("'seconds:-1 nanos:-500000000'"), "{past}");
    assert!(named(json!({ "percentage": 10 })).contains("'<nil>'"));
    assert_eq!(named(json!({ "fixedDelay": "1s", "percentage": 10 })), "");
}

#[test]
fn options_of_a_virtual_host_that_are_not_modelled_are_noted() {
    let named = |field: &str, value: Value| {
        let mut host = host(&direct());
        host["virtualHost"][field] = value;
        let snapshot = snapshot(&[("VirtualService", "app", host)]);
        let translation = translate(&snapshot, &Memory::default());
        assert_eq!(translation.findings, [], "it is not wrong");
        translation.notes.into_iter().map(|note| note.words).collect::<Vec<_>>()
    };
    assert_eq!(named("options", json!({})), [""; 0]);
    let shared = json!({ "delegateOptions": [{ "name": "shared", "namespace": "x" }] });
    for (field, value, expected) in [
        ("options", json!({ "extauth": {} }), "virtualHost.options.extauth is not modelled"),
        ("optionsConfigRefs", shared, "VirtualHostOption x/shared was not read"),
    ] {
        let found = named(field, value);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
    }
}
