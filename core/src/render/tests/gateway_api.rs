//! What services become in the Gateway API.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{owner, rendered, yaml};
use crate::labels::VERSIONS;
use crate::render::{Rendered, render};
use crate::traffic::{Shares, Traffic};
use crate::values::tests::properties::valid_values;
use crate::values::tests::service;

/// Both versions deployed, v1 primary, with this gateway and more keys below `routes`.
fn values(gateway: &str, more: &str) -> String {
    format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\n\
         routes:\n  gateway: {gateway}\n  primary: {{version: v1}}\n  {more}\n"
    )
}

const KGATEWAY: &str = "{api: gateway-api, profile: kgateway}";
const EDGE: &str =
    "{api: gateway-api, profile: envoy-gateway, gateways: [{name: edge, namespace: infra}]}";
const CANARY: &str = "canary: {version: v2, headers: {stage: canary}";

/// The six steps of the articles, with the profile kgateway.
fn steps() -> [String; 6] {
    let one = |version: &str| {
        format!(
            "deployment: {{{version}: {{}}}}\nroutes: {{apiGroup: example, gateway: {KGATEWAY}, \
             primary: {{version: {version}}}}}\n"
        )
    };
    let canary = |weight: u8| {
        values(KGATEWAY, &format!("apiGroup: example\n  {CANARY}, weight: {weight}}}"))
    };
    [
        one("v1"),
        values(KGATEWAY, "apiGroup: example"),
        canary(0),
        canary(50),
        canary(100),
        one("v2"),
    ]
}

fn spec(values: &str) -> Value {
    let rendered = rendered(values);
    assert_eq!(rendered.routes.len(), 1);
    rendered.routes[0].object()["spec"].clone()
}

fn rule(values: &str, index: usize) -> Value {
    spec(values)["rules"][index].clone()
}

fn names(rendered: &Rendered) -> Vec<String> {
    rendered.iter().map(|it| it.id().to_string()).collect()
}

#[test]
fn the_first_step_of_the_articles() {
    insta::assert_snapshot!(yaml(&rendered(&steps()[0])));
}

#[test]
fn the_steps_of_the_articles_change_weights_and_append_a_rule() {
    let rules = steps().map(|step| spec(&step)["rules"].clone());
    let backend = |version: &str, weight: u64| json!({"group": "", "kind": "Service", "name": format!("echo-{version}"), "port": 80, "weight": weight});
    let path = || json!({"type": "PathPrefix", "value": "/echo"});
    let primary = |backends: Value| json!({"name": "primary", "matches": [{"path": path()}], "backendRefs": backends});
    let header = json!([{"type": "Exact", "name": "stage", "value": "canary"}]);
    let canary = json!({"name": "canary", "matches": [{"path": path(), "headers": header}],
        "backendRefs": [backend("v2", 1)]});
    let shift =
        |v1: u64, v2: u64| json!([primary(json!([backend("v1", v1), backend("v2", v2)])), canary]);
    let alone = |version: &str| json!([primary(json!([backend(version, 1)]))]);
    let expected =
        [alone("v1"), alone("v1"), shift(100, 0), shift(50, 50), shift(0, 100), alone("v2")];
    assert_eq!(rules, expected);
}

#[test]
fn every_version_has_a_service_and_there_is_one_for_all() {
    assert_eq!(
        names(&rendered(&steps()[1])),
        [
            "Deployment echo/echo-v1",
            "Deployment echo/echo-v2",
            "Service echo/echo",
            "Service echo/echo-v1",
            "Service echo/echo-v2",
            "HTTPRoute echo/echo-routes",
        ]
    );
}

#[test]
fn what_is_written_in_both_apis_has_the_objects_of_both() {
    let both = values("{api: both, profile: kgateway}", "apiGroup: a");
    let names = names(&rendered(&both));
    let only = |more: &str| names.iter().filter(|it| it.starts_with(more)).count();
    assert_eq!(["Service", "Upstream", "RouteTable", "HTTPRoute"].map(only), [3, 1, 1, 1]);
}

#[test]
fn a_group_is_the_label_of_a_child_or_else_a_route_of_the_gateways() {
    let rendered = rendered(&values(KGATEWAY, "apiGroup: example"));
    let route = rendered.routes[0].object();
    assert_eq!(route["metadata"]["labels"]["delegation.kgateway.dev/label"], "example");
    assert_eq!((route["spec"].get("parentRefs"), route["spec"].get("hostnames")), (None, None));
    let spec = spec(&values(EDGE, "apiGroup: example"));
    let edge = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge", "namespace": "infra"}]);
    assert_eq!((&spec["parentRefs"], spec.get("hostnames")), (&edge, None));
}

#[test]
fn domains_are_hostnames_and_any_domain_is_none() {
    let hosts = |domains: &str| {
        spec(&values(EDGE, &format!("domains: {domains}"))).get("hostnames").cloned()
    };
    assert_eq!(
        hosts("[Echo.example, '*.b.example']"),
        Some(json!(["echo.example", "*.b.example"]))
    );
    assert_eq!(hosts("[echo.example, '*']"), None);
    let name = rendered(&values(EDGE, "domains: ['*']")).routes[0].id().to_string();
    assert_eq!(name, "HTTPRoute echo/echo");
}

#[test]
fn conditions_are_matches_and_each_method_is_one() {
    let values = values(
        KGATEWAY,
        "apiGroup: a\n  canary: {version: v2, headers: {a: {present: true}, b: {regex: x+}}}\n  \
         paths: [{exact: /p, methods: [POST, GET], queryParameters: {q: [1, 2]}}]",
    );
    let query = json!([{"type": "RegularExpression", "name": "q", "value": "1|2"}]);
    let of = |method: &str| json!({"path": {"type": "Exact", "value": "/p"}, "queryParams": query, "method": method});
    assert_eq!(rule(&values, 0)["matches"], json!([of("GET"), of("POST")]));
    let headers = json!([{"type": "RegularExpression", "name": "a", "value": ".*"},
        {"type": "RegularExpression", "name": "b", "value": "x+"}]);
    assert_eq!(rule(&values, 1)["matches"][0]["headers"], headers);
}

#[test]
fn options_are_filters_timeouts_and_retries() {
    let values = values(
        KGATEWAY,
        "apiGroup: a\n  canary: {version: v2, shadow: 5}\n  options:\n    timeout: 1.5s\n    hostRewrite: b.example\n    \
         prefixRewrite: /\n    retries: {retryOn: gateway-error, numRetries: 2, perTryTimeout: 0.5s}\n    \
         headerManipulation: {requestHeadersToAdd: [{header: {key: x, value: y}, append: false}]}\n    \
         cors: {allowOrigin: ['*'], allowMethods: [GET]}",
    );
    let rule = rule(&values, 0);
    let path = json!({"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"});
    let mirror = json!({"group": "", "kind": "Service", "name": "echo-v2", "port": 80});
    assert_eq!(
        rule["filters"],
        json!([
            {"type": "URLRewrite", "urlRewrite": {"hostname": "b.example", "path": path}},
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x", "value": "y"}]}},
            {"type": "CORS", "cors": {"allowOrigins": ["*"], "allowMethods": ["GET"], "maxAge": 5}},
            {"type": "RequestMirror", "requestMirror": {"backendRef": mirror, "percent": 5}},
        ])
    );
    assert_eq!(rule["timeouts"], json!({"request": "1s500ms", "backendRequest": "500ms"}));
    assert_eq!(rule["retry"], json!({"attempts": 2, "codes": [502, 503, 504]}));
}

#[test]
fn a_prefix_is_replaced_beside_a_single_match_only() {
    let paths = "apiGroup: a\n  paths: [{prefix: /a, methods: [GET, PUT], options: {prefixRewrite: /b}}, \
                 {exact: /c, methods: [GET, PUT], options: {prefixRewrite: /d}}]";
    let rules = spec(&values(KGATEWAY, paths))["rules"].clone();
    let names: Vec<_> = rules.as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["primary", "primary-2", "primary-3"]);
    let full = json!({"path": {"type": "ReplaceFullPath", "replaceFullPath": "/d"}});
    assert_eq!(rules[0]["filters"][0]["urlRewrite"], full, "the exact path comes first");
    assert_eq!([1, 2].map(|at| rules[at]["matches"].as_array().unwrap().len()), [1, 1]);
}

#[test]
fn many_paths_are_several_routes() {
    let paths: Vec<String> = (0..20).map(|index| format!("{{prefix: /p{index}}}")).collect();
    let values = values(KGATEWAY, &format!("apiGroup: a\n  paths: [{}]", paths.join(", ")));
    let names: Vec<_> = rendered(&values).routes.iter().map(|it| it.id().to_string()).collect();
    assert_eq!(names, ["HTTPRoute echo/echo-routes", "HTTPRoute echo/echo-routes-2"]);
}

#[test]
fn routes_say_which_version_a_name_stands_for() {
    let values = format!(
        "deployment: {{1.4.2: {{}}}}\nroutes: {{apiGroup: a, gateway: {KGATEWAY}, primary: {{version: 1.4.2}}}}\n"
    );
    let route = rendered(&values).routes[0].object().clone();
    assert_eq!(route["metadata"]["annotations"][VERSIONS], r#"{"echo-1-4-2":"1.4.2"}"#);
    assert_eq!(Shares::read("echo", &route).get("1.4.2"), Some(100));
}

/// The values in both APIs, as far as the Gateway API can say them.
fn in_gateway_api(mut values: Value) -> Option<Value> {
    let routes = values["routes"].as_object_mut()?;
    routes.insert(
        "gateway".into(),
        json!({"api": "both", "profile": "kgateway", "gateways": [{"name": "edge"}]}),
    );
    if let Some(canary) = routes.get_mut("canary").and_then(Value::as_object_mut) {
        let headers = canary.get_mut("headers").and_then(Value::as_object_mut);
        headers.into_iter().for_each(|headers| headers.retain(|_, it| it["invert"] != true));
    }
    let versions = values["deployment"].as_object()?;
    let is_upstream = |it: &Value| it.pointer("/external/upstream").is_some();
    (!versions.values().any(is_upstream)).then_some(values)
}

proptest! {
    #[test]
    fn both_apis_give_every_version_the_same(values in valid_values().prop_filter_map("an Upstream", in_gateway_api)) {
        let service = service(&serde_yaml::to_string(&values).unwrap());
        let traffic = Traffic::of(&service);
        let rendered = render(&service, &traffic, &owner());
        let services: Vec<_> = rendered.version_services.iter().map(|it| it.id().name.clone()).collect();
        for route in &rendered.routes {
            let of_one = Shares::read("echo", route.object());
            prop_assert!(!of_one.leads_elsewhere());
        }
        let live = rendered.routes.iter().filter(|it| it.id().kind == "HTTPRoute");
        let live = live.map(|it| Shares::read("echo", it.object())).reduce(Shares::joined);
        prop_assert_eq!(live.as_ref(), Some(traffic.shares()));
        for rule in rendered.routes.iter().filter(|it| it.id().kind == "HTTPRoute")
            .flat_map(|it| it.object()["spec"]["rules"].as_array().unwrap()) {
            prop_assert!(rule["matches"].as_array().is_some_and(|it| (1..=64).contains(&it.len())));
            let backends = rule["backendRefs"].as_array().unwrap();
            prop_assert!(backends.iter().all(|it| services.iter().any(|name| it["name"] == name.as_str())));
            prop_assert!(backends.iter().any(|it| it["weight"].as_u64() > Some(0)), "all weights 0 are 500");
        }
    }
}
