//! Gateways, where no recorded case shows it.

use super::*;

fn know(mut snapshot: Snapshot, kinds: &[&str]) -> Snapshot {
    kinds.iter().for_each(|kind| snapshot.know(kind));
    snapshot
}

fn states(translation: &Translation) -> Vec<(String, State)> {
    let gateways = translation.statuses.iter().filter(|(object, _)| object.kind == "Gateway");
    gateways.map(|(object, status)| (object.name.clone(), status.state)).collect()
}

/// The Gateways that have a listener.
fn listening(translation: &Translation) -> Vec<&str> {
    translation.listeners.iter().map(|listener| listener.gateway.name.as_str()).collect()
}

/// Gloo keeps what a Gateway in error had, as long as its proxy has another listener.
#[test]
fn a_gateway_that_loses_its_type_beside_a_good_one_keeps_its_listener() {
    let other = |spec: Value| ("Gateway", "other", spec);
    let app = ("VirtualService", "app", host(&direct()));
    let before = snapshot(&[app.clone(), other(json!({ "httpGateway": {}, "bindPort": 81 }))]);
    let before = translate(&before, &Memory::default());
    let after = snapshot(&[app, other(json!({ "bindPort": 81 }))]);
    let from_start = translate(&after, &Memory::default());
    assert_eq!(listening(&from_start), ["gateway-proxy"]);
    let after = translate(&after, &before.memory);
    assert_eq!(states(&after)[1], ("other".to_owned(), State::Rejected));
    assert_eq!(listening(&after), ["gateway-proxy", "other"]);
}

#[test]
fn without_having_served_any_a_gateway_with_an_invalid_expression_serves_none() {
    let expression = json!({ "key": "team", "operator": "In" });
    let http = json!({ "virtualServiceExpressions": { "expressions": [expression] } });
    let mut snapshot = snapshot(&[
        ("Gateway", "other", json!({ "httpGateway": http, "bindPort": 81 })),
        ("VirtualService", "app", host(&direct())),
    ]);
    let translation = translate(&snapshot, &Memory::default());
    assert_eq!(states(&translation)[1], ("other".to_owned(), State::Rejected));
    assert_eq!(listening(&translation), ["gateway-proxy"]);
    let meant = translation.desired_hosts().filter(|host| host.gateway.name == "other");
    assert_eq!(meant.count(), 1, "it may be meant for it, so that the mistake is its own as well");
    snapshot.remove("Gateway", "gloo-system", "gateway-proxy");
    assert_eq!(listening(&translate(&snapshot, &Memory::default())), [""; 0]);
}

/// Gloo starts again with its Settings, and with it goes what it kept in memory.
#[test]
fn settings_that_change_make_gloo_forget_what_was_good() {
    let mut snapshot = snapshot(&[("VirtualService", "app", host(&direct()))]);
    let before = translate(&snapshot, &Memory::default());
    snapshot.upsert(&object("VirtualService", "app", host(&json!({}))));
    let kept = translate(&snapshot, &before.memory);
    assert_eq!(kept.served_hosts().count(), 1);
    let settings = object("Settings", "default", json!({ "watchNamespaces": ["gloo-system"] }));
    snapshot.upsert(&settings);
    assert_eq!(translate(&snapshot, &kept.memory).served_hosts().count(), 0);
}

fn delegating(selection: Value) -> (&'static str, &'static str, Value) {
    let hybrid = json!({ "hybridGateway": { "delegatedHttpGateways": selection } });
    ("Gateway", "hybrid", hybrid)
}

#[test]
fn a_hybrid_gateway_serves_the_matchable_gateways_that_it_selects() {
    let app = ("VirtualService", "app", host(&direct()));
    let matchable = |name: &str, labels: Value| {
        let mut it = object("MatchableHttpGateway", name, json!({ "httpGateway": {} }));
        it["metadata"]["labels"] = labels;
        it
    };
    let of = |selection: Value, matchables: &[Value]| {
        let mut snapshot = snapshot(&[app.clone(), delegating(selection)]);
        snapshot.remove("Gateway", "gloo-system", "gateway-proxy");
        matchables.iter().for_each(|it| assert!(snapshot.upsert(it)));
        translate(&know(snapshot, &["MatchableHttpGateway"]), &Memory::default())
    };
    let both = [matchable("one", json!({ "team": "a" })), matchable("two", json!({}))];
    for (selection, chains) in [
        (json!({ "selector": { "labels": { "team": "a" } } }), 1),
        (json!({ "selector": { "namespaces": ["elsewhere"] } }), 0),
        (json!({ "selector": { "expressions": [{ "key": "team", "operator": "Exists" }] } }), 1),
        (json!({ "ref": { "name": "two", "namespace": "gloo-system" } }), 1),
        (json!({ "ref": { "name": "three", "namespace": "gloo-system" } }), 0),
        (json!({ "sslConfig": {} }), 0),
    ] {
        let translation = of(selection.clone(), &both);
        let found: usize = translation.listeners.iter().map(|it| it.chains.len()).sum();
        assert_eq!(found, chains, "{selection}");
        assert_eq!(notes(&translation), [""; 0], "{selection}");
        let expected = if chains == 0 { State::Warning } else { State::Accepted };
        assert_eq!(states(&translation), [("hybrid".to_owned(), expected)], "{selection}");
    }
    let nothing =
        of(json!({ "selector": { "expressions": [{ "key": "x", "operator": "In" }] } }), &both);
    assert_eq!(states(&nothing), [("hybrid".to_owned(), State::Rejected)]);
}

#[test]
fn matched_gateways_win_over_those_of_their_own() {
    let hybrid = json!({ "matchedGateways": [{ "httpGateway": {} }], "delegatedHttpGateways": {} });
    let gateway = ("Gateway", "hybrid", json!({ "hybridGateway": hybrid, "bindPort": 81 }));
    let translation = translate(
        &snapshot(&[("VirtualService", "app", host(&direct())), gateway]),
        &Memory::default(),
    );
    assert_eq!((notes(&translation), translation.findings), (vec![], vec![]));
    assert!(!translation.listeners[1].opaque);
}

#[test]
fn of_what_a_hybrid_gateway_has_beside_nothing_is_concluded() {
    let tcp = json!({ "hybridGateway": { "delegatedTcpGateways": {} } });
    let ciphers = json!({ "passthroughCipherSuites": ["x"] });
    let matched = |matcher: Value| json!({ "hybridGateway": { "matchedGateways": [{ "matcher": matcher, "httpGateway": {} }] } });
    let named = json!({ "ref": { "name": "it", "namespace": "far" } });
    for (spec, words) in [
        (
            delegating(json!({})).2,
            "MatchableHttpGateways hybridGateway.delegatedHttpGateways selects",
        ),
        (delegating(named).2, "MatchableHttpGateway far/it was not read"),
        (tcp, "hybridGateway.delegatedTcpGateways is not modelled"),
        (matched(ciphers), "a matcher of hybridGateway.matchedGateways is not modelled"),
        (matched(json!({ "sslConfig": { "oneWayTls": true } })), "a matcher of hybridGateway"),
    ] {
        let snapshot = snapshot(&[
            ("VirtualService", "app", host(&direct())),
            ("Gateway", "gateway-proxy", spec),
        ]);
        let translation = translate(&snapshot, &Memory::default());
        assert_eq!(translation.findings, [], "{words}");
        let noted = notes(&translation);
        assert!(noted.len() == 1 && noted[0].contains(words), "{noted:?}");
        assert!(translation.listeners[0].opaque, "{words}: it may take any connection");
    }
}

#[test]
fn namespaces_that_are_chosen_by_labels_are_noted() {
    let mut snapshot = snapshot(&[("VirtualService", "app", host(&direct()))]);
    let settings = |spec: Value| object("Settings", "default", spec);
    let selectors = json!([{ "matchLabels": { "team": "a" } }]);
    snapshot.upsert(&settings(json!({ "watchNamespaceSelectors": selectors })));
    assert!(!snapshot.surely_sees("far") && snapshot.surely_sees("gloo-system"));
    let translation = translate(&snapshot, &Memory::default());
    assert!(notes(&translation)[0].contains("watchNamespaceSelectors is not modelled"));
    assert_eq!(translation.served_hosts().count(), 1);
    let both = json!({ "watchNamespaceSelectors": selectors, "watchNamespaces": ["far"] });
    snapshot.upsert(&settings(both));
    assert!(snapshot.surely_sees("far") && !snapshot.surely_sees("near"));
    assert_eq!(notes(&translate(&snapshot, &Memory::default())), [""; 0], "the names win");
}

#[test]
fn what_cannot_be_decoded_where_gloo_does_not_look_stops_nobody() {
    let mut snapshot = snapshot(&[("VirtualService", "app", host(&direct()))]);
    let settings = object("Settings", "default", json!({ "watchNamespaces": ["near"] }));
    snapshot.upsert(&settings);
    let before = translate(&snapshot, &Memory::default());
    let mut bad = object("VirtualService", "bad", json!("nothing that Gloo knows"));
    bad["metadata"]["namespace"] = "far".into();
    snapshot.upsert(&bad);
    snapshot.remove("VirtualService", "gloo-system", "app");
    assert_eq!(translate(&snapshot, &before.memory).served_hosts().count(), 0);
}

#[test]
fn an_annotation_of_a_gateway_wins_over_settings_about_isolation() {
    let names = |annotation: &str| {
        let spec = json!({ "httpGateway": {}, "ssl": true, "bindPort": 8443 });
        let mut gateway = object("Gateway", "ssl", spec);
        gateway["metadata"]["annotations"] = json!({ "gateway.solo.io/isolate_vhost": annotation });
        let secured = |domain: &str| {
            json!({ "sslConfig": { "secretRef": { "name": domain, "namespace": "x" }, "sniDomains": [domain] },
                "virtualHost": { "domains": [domain], "routes": [direct()] } })
        };
        let isolates = json!({ "gateway": { "isolateVirtualHostsBySslConfig": true } });
        let mut snapshot = snapshot(&[
            ("VirtualService", "one", secured("a")),
            ("VirtualService", "other", secured("b")),
            ("Settings", "default", isolates),
        ]);
        snapshot.upsert(&gateway);
        translate(&snapshot, &Memory::default()).routes.len()
    };
    assert_eq!((names("false"), names("true"), names("hm")), (1, 2, 2));
}

#[test]
fn a_hybrid_gateway_that_names_a_missing_virtual_service_is_rejected() {
    let http = json!({ "virtualServices": [{ "name": "gone", "namespace": "gloo-system" }] });
    let hybrid = json!({ "hybridGateway": { "matchedGateways": [{ "httpGateway": http }] } });
    let objects =
        [("VirtualService", "app", host(&direct())), ("Gateway", "gateway-proxy", hybrid)];
    let translation = translate(&snapshot(&objects), &Memory::default());
    assert_eq!(translation.findings[0].code, Code::MissingVirtualService);
}

#[test]
fn who_reads_what_was_not_read_learns_which_object_it_is() {
    let config = json!({ "secretRef": { "namespace": "far", "name": "cert" } });
    let app =
        json!({ "sslConfig": config, "virtualHost": { "domains": ["a"], "routes": [direct()] } });
    let ssl = json!({ "httpGateway": {}, "ssl": true, "bindPort": 8443 });
    let mut snapshot = snapshot(&[("Gateway", "ssl", ssl), ("VirtualService", "app", app)]);
    let translation = translate(&snapshot, &Memory::default());
    assert_eq!(
        notes(&translation),
        ["VirtualService gloo-system/app: Secret far/cert was not read: \
                                     what comes of it is not judged"]
    );
    let secret = ObjectRef::new("Secret", "far", "cert");
    assert_eq!(translation.notes[0].unread.as_deref(), Some(&secret));
    snapshot.miss(secret);
    let missing = translate(&snapshot, &Memory::default());
    assert_eq!((missing.notes, missing.findings[0].code), (vec![], Code::MissingSecret));
}
