use serde_json::{Value, json};

use super::*;

fn route(spec: Value) -> Value {
    json!({ "kind": "HTTPRoute", "metadata": { "namespace": "echo", "name": "echo" }, "spec": spec })
}

fn refused(object: &Value) -> Vec<String> {
    match admit(object, Channel::Standard, true) {
        Ok(_) => Vec::new(),
        Err(violations) => violations.into_iter().map(|it| it.path).collect(),
    }
}

fn rules(count: usize, matches: usize) -> Value {
    let matches: Vec<Value> =
        (0..matches).map(|n| json!({ "path": { "value": format!("/{n}") } })).collect();
    let rule = json!({ "matches": matches, "backendRefs": [{ "name": "v1", "port": 80 }] });
    route(json!({ "rules": vec![rule; count] }))
}

#[test]
fn a_route_has_at_most_16_rules_64_matches_each_and_128_together() {
    assert!(refused(&rules(16, 1)).is_empty());
    assert_eq!(refused(&rules(17, 1)), ["spec.rules"]);
    assert!(refused(&rules(1, 64)).is_empty());
    assert_eq!(refused(&rules(1, 65)), ["spec.rules[0].matches"]);
    assert!(refused(&rules(2, 64)).is_empty(), "128 pass");
    assert_eq!(refused(&rules(3, 43)), ["spec.rules"]);
}

#[test]
fn a_field_that_is_not_known_is_refused_or_lost() {
    let object = route(json!({ "rules": [{ "retry": { "attempts": 2 }, "matches": [] }] }));
    let strict = admit(&object, Channel::Standard, true);
    let paths: Vec<String> = strict.unwrap_err().into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["spec.rules[0].retry"]);
    let lenient = admit(&object, Channel::Standard, false).expect("stored");
    assert_eq!(lenient.lost, ["spec.rules[0].retry"]);
    assert_eq!(lenient.object["spec"]["rules"][0], json!({ "matches": [] }));
    let experimental = admit(&object, Channel::Experimental, true).expect("stored");
    assert_eq!(experimental.object, object);
}

#[test]
fn values_are_within_their_limits() {
    let backend = |weight: i64| {
        route(
            json!({ "rules": [{ "backendRefs": [{ "name": "v1", "port": 80, "weight": weight }] }] }),
        )
    };
    assert!(refused(&backend(0)).is_empty() && refused(&backend(1_000_000)).is_empty());
    assert_eq!(refused(&backend(-1)), ["spec.rules[0].backendRefs[0].weight"]);
    assert_eq!(refused(&backend(1_000_001)), ["spec.rules[0].backendRefs[0].weight"]);
    let path =
        |value: &str| route(json!({ "rules": [{ "matches": [{ "path": { "value": value } }] }] }));
    for fine in ["/", "/a/b.c", "/%41", "/a(b"] {
        assert!(refused(&path(fine)).is_empty(), "{fine}");
    }
    for wrong in ["a", "//", "/a/./b", "/a/..", "/%2f", "/a#b", "/a b", "/%4", "/ä"] {
        assert_eq!(refused(&path(wrong)), ["spec.rules[0].matches[0].path"], "{wrong}");
    }
}

#[test]
fn parents_are_told_apart_by_their_listeners() {
    let parents = |refs: Value| refused(&route(json!({ "parentRefs": refs })));
    assert!(parents(json!([{ "name": "a" }, { "name": "b" }])).is_empty());
    assert!(
        parents(json!([{ "name": "a", "sectionName": "x" }, { "name": "a", "sectionName": "y" }]))
            .is_empty()
    );
    assert_eq!(parents(json!([{ "name": "a" }, { "name": "a" }])), ["spec.parentRefs[1]"]);
    assert_eq!(
        parents(json!([{ "name": "a", "sectionName": "x" }, { "name": "a" }])),
        ["spec.parentRefs[1]"]
    );
}

#[test]
fn two_listeners_of_a_gateway_differ() {
    let gateway = |listeners: Value| {
        let spec = json!({ "gatewayClassName": "edge", "listeners": listeners });
        refused(&json!({ "kind": "Gateway", "spec": spec }))
    };
    let http = |name: &str, host: &str| json!({ "name": name, "port": 80, "protocol": "HTTP", "hostname": host });
    assert!(gateway(json!([http("a", "a.test"), http("b", "b.test")])).is_empty());
    assert_eq!(gateway(json!([http("a", "a.test"), http("b", "a.test")])), ["spec.listeners[1]"]);
    assert_eq!(gateway(json!([http("a", "a.test"), http("a", "b.test")])), ["spec.listeners[1]"]);
    assert_eq!(gateway(json!([])), ["spec.listeners"]);
}

#[test]
fn filters_that_exclude_each_other_are_refused() {
    let redirect = json!({ "type": "RequestRedirect", "requestRedirect": { "scheme": "https" } });
    let rewrite = json!({ "type": "URLRewrite", "urlRewrite": { "hostname": "a.test" } });
    let with = |filters: Value, backends: Value| {
        refused(&route(json!({ "rules": [{ "filters": filters, "backendRefs": backends }] })))
    };
    assert!(with(json!([redirect]), json!([])).is_empty());
    assert_eq!(with(json!([redirect]), json!([{ "name": "v1", "port": 80 }])), ["spec.rules[0]"]);
    assert_eq!(with(json!([redirect, rewrite]), json!([])), ["spec.rules[0].filters"]);
    assert_eq!(with(json!([rewrite, rewrite]), json!([])), ["spec.rules[0].filters"]);
    assert_eq!(with(json!([]), json!([{ "name": "v1" }])), ["spec.rules[0].backendRefs[0]"]);
}
