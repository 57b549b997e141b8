//! What Gloo leaves out in silence, to the harm of whoever relies on it.

use super::*;

/// Options of Gloo Enterprise on a route and on a virtual host of a Gloo of this edition: the gravest of what is wrong,
/// and what is noted.
fn judged(
    edition: Edition,
    option: &str,
    value: &Value,
    on_host: bool,
) -> (Option<Severity>, Vec<String>) {
    let mut route = direct();
    if !on_host {
        route["options"] = json!({ option: value });
    }
    let mut app = host(&route);
    if on_host {
        app["virtualHost"]["options"] = json!({ option: value });
    }
    let environment = Environment { edition, ..Environment::default() };
    let snapshot = snapshot(&[("VirtualService", "app", app)]).within(environment);
    let translation = translate(&snapshot, &Memory::default());
    let severities = translation.findings.iter().map(|it| {
        assert_eq!(it.code, Code::EnterpriseOption, "{option}: {it:?}");
        it.severity
    });
    (severities.max(), notes(&translation))
}

#[test]
fn an_open_source_gloo_that_drops_protection_is_an_error_and_an_unknown_one_a_note() {
    let limits = json!({ "refs": [{ "name": "it", "namespace": "x" }] });
    let configured = json!({ "configRef": { "name": "it", "namespace": "x" } });
    let rejects = [
        ("jwt", json!({ "disable": true })),
        ("jwtStaged", json!({ "beforeExtAuth": { "disable": true } })),
        ("rbac", json!({ "disable": true })),
        ("waf", json!({ "disabled": true })),
        ("extProc", json!({ "disabled": true })),
    ];
    let drops = [
        ("ratelimitBasic", json!({})),
        ("rateLimitConfigs", limits.clone()),
        ("ratelimitEarly", json!({})),
        ("rateLimitEarlyConfigs", limits.clone()),
        ("ratelimitRegular", json!({})),
        ("rateLimitRegularConfigs", limits),
        ("extauth", configured),
        ("dlp", json!({ "actions": [{ "actionType": "SSN" }] })),
        ("extensions", json!({ "configs": { "x": {} } })),
    ];
    let all = rejects.iter().map(|it| (it, true)).chain(drops.iter().map(|it| (it, false)));
    for ((option, value), rejects_host) in all {
        for on_host in [false, true] {
            let place = if on_host { "virtualHost.options" } else { "options" };
            let grave =
                if on_host && rejects_host { Severity::Rejected } else { Severity::RouteError };
            let open = judged(Edition::OpenSource, option, value, on_host);
            assert_eq!(open, (Some(grave), vec![]), "{place}.{option}");
            let (wrong, noted) = judged(Edition::Unknown, option, value, on_host);
            assert_eq!((wrong, noted.len()), (None, 1), "{place}.{option}: {noted:?}");
            for words in
                [&format!(": {place}.{option} is of Gloo Enterprise"), "nobody has said which"]
            {
                assert!(noted[0].contains(words), "{noted:?}");
            }
            let (wrong, noted) = judged(Edition::Enterprise, option, value, on_host);
            assert_eq!((wrong, noted.len()), (None, 1), "{place}.{option}: {noted:?}");
            assert!(noted[0].contains(&format!("{place}.{option} is not modelled")), "{noted:?}");
        }
    }
}

#[test]
fn what_both_editions_have_is_noted_and_good_in_each() {
    for (option, value) in [
        ("csrf", json!({ "filterEnabled": {} })),
        ("bufferPerRoute", json!({ "disabled": true })),
        ("ratelimit", json!({ "rateLimits": [] })),
        ("extauth", json!({ "customAuth": { "name": "it" } })),
        ("stagedTransformations", json!({ "regular": {} })),
        ("extProcEarly", json!({ "disabled": true })),
    ] {
        for edition in [Edition::OpenSource, Edition::Enterprise, Edition::Unknown] {
            for on_host in [false, true] {
                let (wrong, noted) = judged(edition, option, &value, on_host);
                assert_eq!((wrong, noted.len()), (None, 1), "{edition:?} {option}: {noted:?}");
            }
        }
    }
}

/// The mistake of an option that Gloo leaves out: on a route the route alone is not as written, on a virtual host the
/// VirtualService is rejected.
fn left_out(options: &Value, missing: &[ObjectRef]) -> [Vec<(Code, Severity)>; 2] {
    [false, true].map(|on_host| {
        let mut route = json!({ "routeAction": { "single": { "upstream": { "name": "x", "namespace": "gloo-system" } } } });
        if !on_host {
            route["options"] = options.clone();
        }
        let mut app = host(&route);
        if on_host {
            app["virtualHost"]["options"] = options.clone();
        }
        let fixed = json!({ "static": { "hosts": [{ "addr": "10.0.0.1", "port": 80 }] } });
        let mut snapshot = snapshot(&[("VirtualService", "app", app), ("Upstream", "x", fixed)]);
        missing.iter().for_each(|object| snapshot.miss(object.clone()));
        let found = translate(&snapshot, &Memory::default()).findings;
        let found: BTreeSet<_> = found.iter().map(|it| (it.code, it.severity)).collect();
        found.into_iter().collect()
    })
}

#[test]
fn an_option_in_error_is_left_out_of_a_route_and_rejects_a_virtual_host() {
    let token = ObjectRef::new("Secret", "x", "token");
    let secret = json!({ "headerManipulation": { "requestHeadersToAdd":
        [{ "headerSecretRef": { "name": "token", "namespace": "x" } }] } });
    let both = |code| [vec![(code, Severity::RouteError)], vec![(code, Severity::Rejected)]];
    assert_eq!(left_out(&secret, &[token]), both(Code::MissingSecret));
    assert_eq!(left_out(&secret, &[]), [vec![], vec![]], "nobody has looked for it");
    let cors = json!({ "cors": { "allowOriginRegex": ["("] } });
    assert_eq!(left_out(&cors, &[]), both(Code::InvalidExpression));
}

#[test]
fn an_upstream_whose_secret_is_missing_has_no_cluster_or_speaks_plain_text() {
    let secured = json!({ "static": { "hosts": [{ "addr": "10.0.0.1", "port": 80 }] },
        "sslConfig": { "secretRef": { "name": "ca", "namespace": "x" } } });
    let warns = json!({ "gateway": { "validation": { "warnMissingTlsSecret": true } } });
    for (settings, clusters) in [(json!({}), 0), (warns, 1)] {
        let mut snapshot = snapshot(&[
            ("VirtualService", "app", host(&direct())),
            ("Upstream", "x", secured.clone()),
            ("Settings", "default", settings),
        ]);
        let unknown = translate(&snapshot, &Memory::default());
        assert_eq!(unknown.findings, []);
        assert!(notes(&unknown)[0].contains("Upstream gloo-system/x: Secret x/ca was not read"));
        snapshot.miss(ObjectRef::new("Secret", "x", "ca"));
        let missing = translate(&snapshot, &Memory::default());
        let found: Vec<_> = missing.findings.iter().map(|it| (it.code, it.severity)).collect();
        assert_eq!(found, [(Code::MissingSecret, Severity::Warning)]);
        assert_eq!(missing.clusters.len(), clusters);
        assert!(missing.clusters.iter().all(|cluster| cluster.tls.is_none()), "in plain text");
    }
}
