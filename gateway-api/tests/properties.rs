//! What holds for any objects: no panic, the same result in any order, probabilities that sum to 1.

use gateway_api::{
    Channel, Entry, Environment, Memory, Profile, Request, Snapshot, Validation, admit, answer,
    translate,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const PROFILES: [Profile; 4] = [
    Profile::Kgateway(Validation::Standard),
    Profile::Kgateway(Validation::Strict),
    Profile::EnvoyGateway,
    Profile::Portable,
];

fn name() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "b", "c", "missing"])
}

fn namespace() -> impl Strategy<Value = &'static str> {
    select(vec!["echo", "other"])
}

fn path() -> impl Strategy<Value = Value> {
    let kinds = vec!["PathPrefix", "Exact", "RegularExpression"];
    let values = vec!["/", "/a", "/a/", "/a/b", "/a.*", "/[", "(?=a)", "//", "/%"];
    (select(kinds), select(values))
        .prop_map(|(kind, value)| json!({ "type": kind, "value": value }))
}

fn one_match() -> impl Strategy<Value = Value> {
    let header = select(vec!["x", "X-Long", "host"]);
    let headers = proptest::collection::vec((header, select(vec!["1", "canary"])), 0..3);
    (path(), headers, select(vec![None, Some("GET"), Some("POST")])).prop_map(
        |(path, headers, method)| {
            let headers: Vec<Value> = headers
                .iter()
                .map(|(name, value)| json!({ "name": name, "value": value }))
                .collect();
            let mut one = json!({ "path": path, "headers": headers });
            if let Some(method) = method {
                one["method"] = json!(method);
            }
            one
        },
    )
}

fn backend() -> impl Strategy<Value = Value> {
    let kinds = select(vec![
        ("", "Service"),
        ("gateway.networking.k8s.io", "HTTPRoute"),
        ("delegation.kgateway.dev", "label"),
        ("gateway.kgateway.dev", "Backend"),
        ("example.com", "Thing"),
    ]);
    let weight = select(vec![0, 1, 50, 1_000_000]);
    (kinds, name(), namespace(), select(vec![80, 81]), weight).prop_map(
        |((group, kind), name, namespace, port, weight)| {
            json!({
                "group": group,
                "kind": kind,
                "name": name,
                "namespace": namespace,
                "port": port,
                "weight": weight,
            })
        },
    )
}

fn filter() -> impl Strategy<Value = Value> {
    let edit = |name: &str, value: &str| json!({ "set": [{ "name": name, "value": value }] });
    let edits = vec![edit("x-a", "1"), edit("host", "a.test"), edit("x-a", "100%"), edit("x", "")];
    let edits = select(edits);
    let path = select(vec![
        json!({ "type": "ReplaceFullPath", "replaceFullPath": "/new" }),
        json!({ "type": "ReplacePrefixMatch", "replacePrefixMatch": "/" }),
        json!({ "type": "ReplacePrefixMatch", "replacePrefixMatch": "" }),
    ]);
    prop_oneof![
        edits.clone().prop_map(|it| {
            json!({ "type": "RequestHeaderModifier", "requestHeaderModifier": it })
        }),
        edits.prop_map(|it| {
            json!({ "type": "ResponseHeaderModifier", "responseHeaderModifier": it })
        }),
        path.clone().prop_map(|it| json!({ "type": "URLRewrite", "urlRewrite": { "path": it } })),
        path.prop_map(|it| json!({ "type": "RequestRedirect", "requestRedirect": { "path": it } })),
        backend().prop_map(|it| {
            json!({ "type": "RequestMirror", "requestMirror": { "backendRef": it } })
        }),
        Just(json!({ "type": "Unheard" })),
    ]
}

fn rule() -> impl Strategy<Value = Value> {
    let matches = proptest::collection::vec(one_match(), 0..3);
    let filters = proptest::collection::vec(filter(), 0..2);
    let backends = proptest::collection::vec(backend(), 0..4);
    (matches, filters, backends).prop_map(|(matches, filters, backends)| {
        json!({ "matches": matches, "filters": filters, "backendRefs": backends })
    })
}

fn route() -> impl Strategy<Value = Value> {
    let rules = proptest::collection::vec(rule(), 0..3);
    let hosts = select(vec![json!([]), json!(["a.test"]), json!(["*.test", "b.test"])]);
    let section = select(vec![json!({}), json!({ "sectionName": "http" }), json!({ "port": 1 })]);
    let parented = any::<bool>();
    (name(), namespace(), rules, hosts, section, parented, 0..3_u8).prop_map(
        |(name, namespace, rules, hosts, section, parented, age)| {
            let mut parent = section;
            parent["name"] = json!("edge");
            parent["namespace"] = json!("infra");
            let parents = if parented { json!([parent]) } else { json!([]) };
            json!({
                "kind": "HTTPRoute",
                "metadata": {
                    "namespace": namespace,
                    "name": name,
                    "generation": 1,
                    "creationTimestamp": format!("202{age}-01-01T00:00:00Z"),
                    "labels": { "delegation.kgateway.dev/label": "a" },
                },
                "spec": { "parentRefs": parents, "hostnames": hosts, "rules": rules },
            })
        },
    )
}

fn others() -> Vec<Value> {
    let listener = |name: &str, protocol: &str, port: u16| {
        json!({
            "name": name,
            "port": port,
            "protocol": protocol,
            "allowedRoutes": { "namespaces": { "from": "All" } },
        })
    };
    let mut objects = vec![json!({
        "kind": "Gateway",
        "metadata": { "namespace": "infra", "name": "edge", "generation": 1 },
        "spec": {
            "gatewayClassName": "edge",
            "listeners": [listener("http", "HTTP", 8000), listener("https", "HTTPS", 8443)],
        },
    })];
    for name in ["a", "b", "c"] {
        objects.push(json!({
            "kind": "Service",
            "metadata": { "namespace": "echo", "name": name },
            "spec": { "ports": [{ "port": 80 }] },
        }));
    }
    for (name, ready) in [("a", true), ("b", false)] {
        objects.push(json!({
            "kind": "EndpointSlice",
            "metadata": {
                "namespace": "echo",
                "name": name,
                "labels": { "kubernetes.io/service-name": name },
            },
            "endpoints": [{ "addresses": [name], "conditions": { "ready": ready } }],
            "ports": [{ "name": "", "port": 8090 }],
        }));
    }
    objects
}

/// Routes with different names.
fn routes() -> impl Strategy<Value = Vec<Value>> {
    proptest::collection::vec(route(), 0..5).prop_map(|mut all| {
        all.sort_by_key(|it| it["metadata"].to_string());
        let key =
            |it: &Value| (it["metadata"]["namespace"].clone(), it["metadata"]["name"].clone());
        all.dedup_by(|a, b| key(a) == key(b));
        let mut seen = Vec::new();
        all.retain(|it| {
            let new = !seen.contains(&key(it));
            seen.push(key(it));
            new
        });
        all
    })
}

fn snapshot(profile: Profile, routes: impl Iterator<Item = Value>) -> Snapshot {
    let environment = Environment { profile, complete: true, ..Environment::default() };
    let mut snapshot = Snapshot::new(environment);
    for object in others().into_iter().chain(routes) {
        snapshot.upsert(&object);
    }
    snapshot
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_objects_does_not_matter(routes in routes(), profile in select(PROFILES.to_vec())) {
        let memory = Memory::default();
        let one = translate(&snapshot(profile, routes.iter().cloned()), &memory);
        let other = translate(&snapshot(profile, routes.iter().rev().cloned()), &memory);
        prop_assert_eq!(&one, &other);
        // With what it remembers of that, nothing changes.
        let again = translate(&snapshot(profile, routes.into_iter()), &one.memory);
        prop_assert_eq!(&one.listeners, &again.listeners);
        prop_assert_eq!(&one.routes, &again.routes);
        prop_assert_eq!(&one.statuses, &again.statuses);
    }

    #[test]
    fn everybody_gets_an_answer(
        routes in routes(),
        profile in select(PROFILES.to_vec()),
        host in select(vec!["a.test", "b.test:8000", "c.example"]),
        path in select(vec!["/", "/a", "/a/b?x=1", "/../a", "//a", "/%61"]),
        canary in any::<bool>(),
    ) {
        let snapshot = snapshot(profile, routes.into_iter());
        let translation = translate(&snapshot, &Memory::default());
        let headers = if canary { vec![("X".into(), "canary".into())] } else { Vec::new() };
        let (method, host, path) = ("GET".into(), host.into(), path.into());
        let request = Request { method, host, path, headers };
        let answer = answer(&translation, &Entry::http("infra", "edge", 8000), &request);
        let total: f64 = answer.outcomes.iter().map(|(_, probability)| probability).sum();
        prop_assert!((total - 1.0).abs() < 1e-9, "{:?}", answer);
    }

    #[test]
    fn a_route_whose_fault_is_its_own_harms_nobody_with_strict_validation(routes in routes()) {
        let profile = Profile::Kgateway(Validation::Strict);
        let translation = translate(&snapshot(profile, routes.into_iter()), &Memory::default());
        prop_assert!(translation.refused.is_empty(), "{:?}", translation.refused);
    }

    #[test]
    fn what_is_admitted_is_admitted_again(route in route(), strict in any::<bool>()) {
        if let Ok(admitted) = admit(&route, Channel::Standard, strict) {
            let again = admit(&admitted.object, Channel::Standard, true);
            prop_assert_eq!(again.map(|it| it.object), Ok(admitted.object));
        }
    }
}
