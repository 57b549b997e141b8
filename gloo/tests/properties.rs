//! What holds for any objects.

mod routes;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use gloo::{Entry, Memory, Request, Snapshot, answer, translate};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use routes::route;

/// Words that mean something somewhere in Gloo's API, so that arbitrary objects get below the surface.
const WORDS: &[&str] = &[
    "spec",
    "metadata",
    "name",
    "namespace",
    "labels",
    "virtualHost",
    "domains",
    "routes",
    "matchers",
    "prefix",
    "exact",
    "regex",
    "headers",
    "value",
    "delegateAction",
    "ref",
    "selector",
    "expressions",
    "operator",
    "values",
    "routeAction",
    "single",
    "multi",
    "destinations",
    "destination",
    "upstream",
    "subset",
    "weight",
    "options",
    "timeout",
    "retries",
    "shadowing",
    "percentage",
    "kube",
    "serviceName",
    "servicePort",
    "subsetSpec",
    "selectors",
    "keys",
    "httpGateway",
    "tcpGateway",
    "tcpHosts",
    "hybridGateway",
    "matchedGateways",
    "matcher",
    "ssl",
    "sslConfig",
    "secretRef",
    "sniDomains",
    "bindPort",
    "proxyNames",
    "optionsConfigRefs",
    "delegateOptions",
    "subsets",
    "addresses",
    "ip",
    "targetRef",
    "ports",
    "port",
    "directResponseAction",
    "status",
    "body",
    "*",
    "gloo-system",
    "a",
    "/",
    "Equals",
    "gloo",
    "invalidConfigPolicy",
    "replaceInvalidRoutes",
    "(",
];

const KINDS: &[&str] = &[
    "Upstream",
    "UpstreamGroup",
    "VirtualService",
    "RouteTable",
    "Settings",
    "Gateway",
    "Service",
    "Endpoints",
    "Pod",
    "Secret",
    "RouteOption",
    "VirtualHostOption",
];

fn anything() -> impl Strategy<Value = Value> {
    let word = || select(WORDS).prop_map(Value::from);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        word(),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 96, 6, |inner| {
        let fields = prop::collection::vec((select(WORDS), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            fields.prop_map(|fields| {
                let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value));
                Value::Object(fields.collect::<Map<_, _>>())
            }),
        ]
    })
}

fn objects() -> impl Strategy<Value = Vec<Value>> {
    let object = (select(KINDS), select(&["a", "b"][..]), anything(), anything());
    let object = object.prop_map(|(kind, name, spec, rest)| {
        let mut object = if rest.is_object() { rest } else { json!({}) };
        object["kind"] = json!(kind);
        object["metadata"] = json!({ "namespace": "gloo-system", "name": name });
        object["spec"] = spec;
        object
    });
    prop::collection::vec(object, 0..8)
}

/// The objects of the recordings.
fn recorded() -> &'static [Value] {
    static RECORDED: OnceLock<Vec<Value>> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/cases");
        let folders =
            fs::read_dir(cases).expect("the recordings").map(|e| e.expect("a case").path());
        let files = folders.flat_map(|case| fs::read_dir(case).expect("a case"));
        let files = files.map(|file| file.expect("a file").path());
        let mut objects = Vec::new();
        for file in files.filter(|f| f.extension().is_some_and(|e| e == "yaml")) {
            let text = fs::read_to_string(file).expect("a file of a case");
            let parsed = text.split("\n---\n").filter_map(|part| serde_yaml::from_str(part).ok());
            objects.extend(parsed.filter(|object: &Value| object.get("kind").is_some()));
        }
        assert!(objects.len() > 100, "the recordings are not where they should be");
        objects
    })
}

/// Recorded objects, each with something in it replaced by anything.
fn damaged() -> impl Strategy<Value = Vec<Value>> {
    let way = prop::collection::vec(any::<prop::sample::Index>(), 2..12);
    let object = (any::<prop::sample::Index>(), way, anything());
    let object = object.prop_map(|(index, way, new)| {
        let mut object = index.get(recorded()).clone();
        let metadata = object["metadata"].clone();
        let mut pointer = String::from("/spec");
        for step in way {
            let part = match object.pointer(&pointer) {
                Some(Value::Object(fields)) if !fields.is_empty() => {
                    fields.keys().nth(step.index(fields.len())).cloned()
                }
                Some(Value::Array(items)) if !items.is_empty() => {
                    Some(step.index(items.len()).to_string())
                }
                _ => None,
            };
            let Some(part) = part else { break };
            pointer.push_str(&format!("/{}", part.replace('~', "~0").replace('/', "~1")));
        }
        if let Some(at) = object.pointer_mut(&pointer) {
            *at = new;
        }
        object["metadata"] = metadata;
        object
    });
    prop::collection::vec(object, 1..12)
}

/// Two versions of one service behind an Upstream, and a gateway.
fn platform(policy: &str) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let mut put = |kind: &str, name: &str, spec: Value| {
        let metadata = json!({ "namespace": "gloo-system", "name": name });
        snapshot.upsert(&json!({ "kind": kind, "metadata": metadata, "spec": spec }));
    };
    put("Gateway", "gateway-proxy", json!({ "httpGateway": {} }));
    put("Service", "echo", json!({ "ports": [{ "port": 80 }] }));
    let subsets = json!({ "selectors": [{ "keys": ["version"] }], "fallbackPolicy": policy });
    let kube = json!({
        "serviceName": "echo",
        "serviceNamespace": "gloo-system",
        "servicePort": 80,
        "subsetSpec": subsets,
    });
    put("Upstream", "echo", json!({ "kube": kube }));
    let mut addresses = Vec::new();
    for (ip, version) in [("10.0.0.1", "v1"), ("10.0.0.2", "v1"), ("10.0.0.3", "v2")] {
        snapshot.upsert(&json!({
            "kind": "Pod",
            "metadata": { "namespace": "gloo-system", "name": ip, "labels": { "version": version } },
            "status": { "podIP": ip },
        }));
        addresses.push(json!({ "ip": ip }));
    }
    snapshot.upsert(&json!({
        "kind": "Endpoints",
        "metadata": { "namespace": "gloo-system", "name": "echo" },
        "subsets": [{ "addresses": addresses, "ports": [{ "port": 8080 }] }],
    }));
    snapshot
}

fn service(routes: &[Value]) -> Value {
    json!({
        "kind": "VirtualService",
        "metadata": { "namespace": "gloo-system", "name": "app" },
        "spec": { "virtualHost": { "domains": ["*"], "routes": routes } },
    })
}

fn request() -> impl Strategy<Value = Request> {
    let header = (select(&["x", "y", "z"][..]), select(&["", "a", "b"][..]));
    (select(&["/", "/a", "/a/b/../c", "/é?q=1"][..]), prop::collection::vec(header, 0..3)).prop_map(
        |(path, headers)| Request {
            method: "GET".into(),
            host: "example.com".into(),
            path: path.into(),
            headers: headers.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_object_makes_a_translation_fail(first in objects(), second in objects()) {
        let mut snapshot = Snapshot::default();
        let mut memory = Memory::default();
        for object in first.iter().chain(&second) {
            snapshot.upsert(object);
            memory = translate(&snapshot, &memory).memory;
        }
        let translation = translate(&snapshot, &memory);
        gloo::envoy::clusters(&translation, "/eds");
        translation.routes.iter().for_each(|routes| drop(gloo::envoy::routes(routes)));
        let request = Request { path: "/".into(), ..Request::default() };
        prop_assert!(!answer(&translation, &Entry::http(0), &request).outcomes.is_empty());
    }

    #[test]
    fn no_damaged_object_makes_a_translation_fail(objects in damaged(), path in "/.{0,8}") {
        let mut snapshot = platform("ANY_ENDPOINT");
        let mut memory = Memory::default();
        for object in &objects {
            snapshot.upsert(object);
            let translation = translate(&snapshot, &memory);
            gloo::envoy::clusters(&translation, "/eds");
            gloo::envoy::listeners(&translation, "gateway-proxy", "/rds");
            translation.routes.iter().for_each(|routes| drop(gloo::envoy::routes(routes)));
            let host = "a.example".to_owned();
            let request = Request { path: path.clone(), host, ..Request::default() };
            prop_assert!(!answer(&translation, &Entry::http(0), &request).outcomes.is_empty());
            memory = translation.memory;
        }
    }

    #[test]
    fn the_same_objects_translate_to_the_same(objects in objects()) {
        let (mut one, mut other) = (Snapshot::default(), Snapshot::default());
        for object in &objects {
            one.upsert(object);
        }
        // In another order: the last of each name wins in both.
        let mut last: Vec<&Value> = Vec::new();
        for object in objects.iter().rev() {
            if !last.iter().any(|o| o["kind"] == object["kind"] && o["metadata"] == object["metadata"]) {
                last.push(object);
            }
        }
        for object in last {
            other.upsert(object);
        }
        prop_assert_eq!(
            translate(&one, &Memory::default()),
            translate(&other, &Memory::default())
        );
    }

    #[test]
    fn what_was_decoded_before_is_as_if_it_were_put_in(
        first in damaged(),
        second in damaged(),
    ) {
        let (mut one, mut decoded) = (platform("ANY_ENDPOINT"), Snapshot::default());
        for object in &first {
            one.upsert(object);
        }
        let mut other = one.clone();
        for object in &second {
            one.upsert(object);
            decoded.upsert(object);
        }
        other.extend_backends(&decoded);
        other.extend_routes(&decoded);
        prop_assert!(one.differing(&other).is_empty());
        prop_assert_eq!(one.undecodable(), other.undecodable());
        prop_assert_eq!(
            translate(&one, &Memory::default()),
            translate(&other, &Memory::default())
        );
    }

    #[test]
    fn translating_again_changes_nothing(
        routes in prop::collection::vec(route(0.5), 0..5),
        policy in select(&["ANY_ENDPOINT", "NO_FALLBACK", "DEFAULT_SUBSET"][..]),
    ) {
        let mut snapshot = platform(policy);
        snapshot.upsert(&service(&routes));
        let first = translate(&snapshot, &Memory::default());
        let second = translate(&snapshot, &first.memory);
        prop_assert_eq!(first, second);
    }

    #[test]
    fn probabilities_sum_to_one(
        routes in prop::collection::vec(route(0.5), 0..5),
        policy in select(&["ANY_ENDPOINT", "NO_FALLBACK", "DEFAULT_SUBSET"][..]),
        request in request(),
    ) {
        let mut snapshot = platform(policy);
        snapshot.upsert(&service(&routes));
        let translation = translate(&snapshot, &Memory::default());
        let answer = answer(&translation, &Entry::http(0), &request);
        let sum: f64 = answer.outcomes.iter().map(|(_, probability)| probability).sum();
        prop_assert!((sum - 1.0).abs() < 1e-9, "{sum}: {answer:?}");
        prop_assert!(answer.outcomes.iter().all(|(_, probability)| *probability > 0.0));
    }

    #[test]
    fn a_bad_route_of_one_host_freezes_what_envoy_took_before(
        good in prop::collection::vec(route(0.5), 1..4),
        bad in prop::collection::vec(route(0.5), 1..4),
    ) {
        let mut snapshot = platform("ANY_ENDPOINT");
        snapshot.upsert(&service(&good));
        let before = translate(&snapshot, &Memory::default());
        snapshot.upsert(&service(&bad));
        let after = translate(&snapshot, &before.memory);
        if !after.refused.is_empty() {
            prop_assert_eq!(after.routes, before.routes);
        }
    }
}
