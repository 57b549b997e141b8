//! What holds for any routes of the shape that the model of Gloo is tried with.

#[path = "../../../../gloo/tests/routes/mod.rs"]
mod routes;

use gloo::{ObjectRef, Request};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::super::pods::Pods;
use super::super::proof::{Both, Compared, hosts};
use super::super::{Form, Sources, Target, migrate};
use super::target;
use crate::values::Profile;

/// A route of the shared shape, in half of the cases with options that an HTTPRoute has.
fn route() -> impl Strategy<Value = Value> {
    let methods = prop::collection::vec(select(&["GET", "POST"][..]), 0..2);
    let options = prop_oneof![
        3 => Just(Value::Null),
        1 => Just(json!({"prefixRewrite": "/z"})),
        1 => Just(json!({"timeout": "3s"})),
        1 => Just(json!({"hostRewrite": "pods.example"})),
        1 => Just(json!({"headerManipulation": {
            "requestHeadersToAdd": [{"header": {"key": "added", "value": "1"}}],
            "requestHeadersToRemove": ["x"],
        }})),
        1 => Just(json!({"headerManipulation": {
            "responseHeadersToAdd": [{"header": {"key": "added", "value": "1"}, "append": false}],
            "responseHeadersToRemove": ["y"],
        }})),
        1 => Just(json!({"cors": {"allowOrigin": ["https://a.example"], "allowMethods": ["GET"]}})),
        1 => Just(json!({"retries": {"retryOn": "5xx", "numRetries": 2}})),
        1 => Just(json!({"jwt": {}})),
    ];
    let redirect = prop::option::weighted(
        0.1,
        prop_oneof![
            Just(json!({"hostRedirect": "other.example", "responseCode": "FOUND"})),
            Just(json!({"pathRedirect": "/elsewhere"})),
            Just(json!({"prefixRewrite": "/elsewhere", "httpsRedirect": true})),
        ],
    );
    (routes::route(0.1), methods, options, redirect).prop_map(
        |(mut route, methods, options, redirect)| {
            for matcher in route["matchers"].as_array_mut().into_iter().flatten() {
                matcher["methods"] = json!(methods);
            }
            if let Some(redirect) = redirect {
                let matchers = route["matchers"].take();
                route = json!({"matchers": matchers, "redirectAction": redirect});
            } else if !options.is_null() {
                route["options"] = options;
            }
            route
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let (name, value) = (select(&["x", "y", "z"][..]), select(&["", "a", "b", "c"][..]));
    let path =
        select(&["/", "/a", "/ab", "/a/", "/a/b", "/a/bc", "/a//b", "/a/b/../c", "/a?q=1"][..]);
    let headers = prop::collection::btree_map(name, value, 0..3);
    let origin = select(&["https://a.example", "https://b.example"][..]);
    let preflight = prop::option::weighted(0.2, origin);
    (path, select(&["GET", "POST"][..]), headers, preflight).prop_map(
        |(path, method, headers, preflight)| {
            let mut headers: Vec<(String, String)> =
                headers.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            if let Some(origin) = preflight {
                headers.push(("origin".into(), origin.into()));
                headers.push(("access-control-request-method".into(), "GET".into()));
            }
            let method = if preflight.is_some() { "OPTIONS" } else { method };
            let (method, host) = (method.into(), "anything.example".into());
            Request { method, host, path: path.into(), headers }
        },
    )
}

fn sources(routes: &[Value], policy: &str) -> Sources {
    let object = |version: &str, kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": version,
            "kind": kind,
            "metadata": {"namespace": "gloo-system", "name": name},
            "spec": spec,
        })
    };
    let kube = json!({
        "serviceName": "echo",
        "serviceNamespace": "gloo-system",
        "servicePort": 80,
        "subsetSpec": {"selectors": [{"keys": ["version"]}], "fallbackPolicy": policy},
    });
    Sources::of_objects([
        object(
            "v1",
            "Service",
            "echo",
            json!({"ports": [{"port": 80}], "selector": {"app": "echo"}}),
        ),
        object("gloo.solo.io/v1", "Upstream", "echo", json!({"kube": kube})),
        object(
            "gateway.solo.io/v1",
            "VirtualService",
            "app",
            json!({"virtualHost": {"domains": ["*"], "routes": routes}}),
        ),
    ])
}

/// Routes below a RouteTable, selected by label, and routes of the VirtualService itself.
fn delegated(routes: &[Value], table: &[Value], policy: &str) -> Sources {
    let table: Vec<Value> = table
        .iter()
        .filter(|route| !route["matchers"].as_array().is_none_or(Vec::is_empty))
        .cloned()
        .collect();
    let mut all = routes.to_vec();
    all.push(json!({
        "matchers": [{"prefix": "/"}],
        "delegateAction": {"selector": {"labels": {"apiGroup": "example"}, "namespaces": ["*"]}},
    }));
    let mut sources = sources(&all, policy);
    let table = Sources::of_objects([json!({
        "apiVersion": "gateway.solo.io/v1",
        "kind": "RouteTable",
        "metadata": {"namespace": "gloo-system", "name": "table", "labels": {"apiGroup": "example"}},
        "spec": {"routes": table},
    })]);
    sources.extend(table).unwrap();
    sources
}

/// As many as `PROPTEST_CASES` says, or a few.
fn cases() -> u32 {
    /// What proptest takes where the variable is not set.
    const UNSAID: u32 = 256;
    match ProptestConfig::default().cases {
        UNSAID => 60,
        asked => asked,
    }
}

/// Every request is answered alike in both models, or one like it is listed.
fn is_alike_or_listed(
    sources: &Sources,
    target: &Target,
    requests: &[Request],
) -> Result<(), TestCaseError> {
    let migration = migrate(sources, target);
    let pods = Pods::of(sources);
    let gateway = ObjectRef::new("Gateway", "infra", "edge");
    let new = (target.environment(), migration.objects.as_slice(), &gateway);
    let both = Both::new((sources, &pods, None), new, None);
    let hosts = hosts(sources, &pods);
    let Some(host) = hosts.first() else { return Ok(()) };
    for request in requests {
        let Compared::Differ(found) = both.compare(host, request) else { continue };
        let is_listed = migration.differences.iter().any(|it| {
            it.kind == found.kind && (found.kind.is_about_pods() || found.is_answered_like(it))
        });
        prop_assert!(is_listed, "{found:?} is not among {:#?}", migration.differences);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn a_request_is_answered_alike_or_one_like_it_is_listed(
        routes in prop::collection::vec(route(), 0..5),
        table in prop::option::of(prop::collection::vec(route(), 0..4)),
        policy in select(&["ANY_ENDPOINT", "NO_FALLBACK"][..]),
        profile in select(&[Profile::Kgateway, Profile::EnvoyGateway][..]),
        requests in prop::collection::vec(request(), 1..12),
    ) {
        let sources = match &table {
            None => sources(&routes, policy),
            Some(table) => delegated(&routes, table, policy),
        };
        let target = target(profile);
        is_alike_or_listed(&sources, &target, &requests)?;
    }

    #[test]
    fn values_render_what_is_answered_alike_or_listed(
        routes in prop::collection::vec(route(), 0..4),
        policy in select(&["ANY_ENDPOINT", "NO_FALLBACK"][..]),
        profile in select(&[Profile::Kgateway, Profile::EnvoyGateway][..]),
        requests in prop::collection::vec(request(), 1..12),
    ) {
        let sources = sources(&routes, policy);
        let target = Target { form: Form::Values, ..target(profile) };
        is_alike_or_listed(&sources, &target, &requests)?;
    }
}
