//! What other tools for canaries with HTTPRoutes are known to have trouble with (docs/comparison.md), over every step of
//! a rollout.

use ::gateway_api::{
    Channel, Entry, Environment, Memory, Outcome, Profile, Request, Snapshot, Validation, admit,
    answer, translate,
};
use serde_json::Value;

use super::*;
use crate::object_state::HttpRoute;
use crate::render::{Owner, render};
use crate::traffic::{Traffic, is_warming};
use crate::values::Service;
use crate::values::tests::service as values;

/// A service with everything that a rule can have, at this share of the canary; without a canary for `None`.
fn at_share(profile: &str, share: Option<u8>) -> Service {
    let canary = share.map(|share| {
        format!(
            "canary: {{version: v2, weight: {share}, shadow: 5, headers: {{stage: canary}}}}\n  "
        )
    });
    values(&format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\nroutes:\n  domains: [example.com]\n  primary: {{version: v1}}\n  \
         gateway: {{api: gateway-api, profile: {profile}, gateways: [{{name: edge, namespace: infra}}]}}\n  {}\
         paths: [{{prefix: /a}}, {{prefix: /b, methods: [GET, POST]}}, {{exact: /c}}]\n  options:\n    timeout: 5s\n    \
         prefixRewrite: /x\n    hostRewrite: b.example\n    cors: {{allowOrigin: ['*'], allowMethods: [GET]}}\n    \
         headerManipulation: {{requestHeadersToAdd: [{{header: {{key: a, value: b}}, append: false}}], \
         responseHeadersToRemove: [c]}}\n",
        canary.unwrap_or_default()
    ))
}

const PROFILES: [&str; 2] = ["kgateway", "envoy-gateway"];

/// The shares of a rollout forward and back; `None` before it and after it.
fn shares_of_a_rollout() -> Vec<Option<u8>> {
    let forward = [None, Some(0), Some(1), Some(25), Some(50), Some(99), Some(100)];
    forward.into_iter().chain(forward.into_iter().rev()).collect()
}

fn route(service: &Service) -> Manifest {
    let owner = Owner { instance: "default".into(), revision: "r".into() };
    let rendered = render(service, &Traffic::of(service), &owner);
    assert_eq!(rendered.routes.len(), 1);
    rendered.routes[0].clone()
}

fn rules(route: &Manifest) -> Vec<Value> {
    route.object()["spec"]["rules"].as_array().cloned().expect("rules")
}

/// Everything that is written of the HTTPRoute in a rollout, staged writes too, in its order.
fn writes(profile: &str) -> Vec<Manifest> {
    let mut writes = vec![route(&at_share(profile, None))];
    for share in shares_of_a_rollout() {
        let service = at_share(profile, share);
        let owner = Owner { instance: "default".into(), revision: "r".into() };
        let desired = Job::for_service(&service, &owner).desired;
        let id = desired.routes[0].id().clone();
        for _ in 0..4 {
            let live = writes.last().expect("one is there");
            let mut seen = healthy(&["v1", "v2"], None);
            let kept = HttpRoute { rules: rules(live), ..HttpRoute::default() };
            let facts = Facts {
                http_route: Some(kept.into()),
                ..routes(&[("v1", 100)], Some(Verdict::Accepted))
            };
            seen.objects.insert(id.clone(), facts);
            seen.changed = changed(&[&id]);
            let next = plan(&desired, &seen).into_iter().find_map(|step| match step {
                Step::Route(routes) => Some(routes[0].clone()),
                _ => None,
            });
            let next = next.expect("a write");
            if next.object()["spec"] == live.object()["spec"] {
                break;
            }
            writes.push(next);
        }
        assert_eq!(writes.last().map(rules), Some(rules(&desired.routes[0])), "it ends: {share:?}");
    }
    writes
}

fn is_of_canary(rule: &Value) -> bool {
    rule["matches"][0]["headers"].is_array() && !is_warming(rule)
}

/// argoproj-labs/rollouts-plugin-trafficrouter-gatewayapi#158, #115.
#[test]
fn a_header_rule_leads_to_the_canary_alone_whatever_its_share_is() {
    for profile in PROFILES {
        let mut seen = 0;
        for write in writes(profile) {
            for rule in rules(&write).iter().filter(|rule| is_of_canary(rule)) {
                let backends = &rule["backendRefs"];
                assert_eq!(backends.as_array().map(Vec::len), Some(1), "{rule}");
                assert_eq!(
                    (&backends[0]["name"], &backends[0]["weight"]),
                    (&json!("echo-v2"), &json!(1)),
                    "{rule}"
                );
                seen += 1;
            }
        }
        assert!(seen > 20, "{seen}");
    }
}

/// argoproj-labs/rollouts-plugin-trafficrouter-gatewayapi#207.
#[test]
fn every_path_has_a_header_rule_with_the_same_conditions_besides() {
    for share in [0, 50, 100] {
        let rules = rules(&route(&at_share("kgateway", Some(share))));
        let without_headers = |rule: &Value| {
            let mut matches = rule["matches"].clone();
            let all = matches.as_array_mut().expect("matches");
            all.iter_mut()
                .filter_map(Value::as_object_mut)
                .for_each(|it| drop(it.remove("headers")));
            matches
        };
        let (canary, main): (Vec<&Value>, Vec<&Value>) =
            rules.iter().partition(|rule| is_of_canary(rule));
        let [canary, main] =
            [canary, main].map(|all| all.into_iter().map(without_headers).collect::<Vec<_>>());
        assert_eq!((canary.len(), &canary), (4, &main));
    }
}

/// fluxcd/flagger#1857, #1888; argoproj-labs/rollouts-plugin-trafficrouter-gatewayapi#87.
#[test]
fn a_step_changes_weights_and_no_filter() {
    let parts = |rule: &Value, kinds: &[&str]| -> Vec<Value> {
        let filters = rule["filters"].as_array().cloned().unwrap_or_default();
        let kept = filters.into_iter().filter(|it| !kinds.iter().any(|kind| it["type"] == *kind));
        kept.chain([rule["timeouts"].clone(), rule["retry"].clone()]).collect()
    };
    for profile in PROFILES {
        let before = rules(&route(&at_share(profile, None)));
        let at = |share| rules(&route(&at_share(profile, Some(share))));
        let first = at(0);
        for rule in &first[..4] {
            let kinds: Vec<&Value> =
                rule["filters"].as_array().expect("filters").iter().map(|it| &it["type"]).collect();
            assert_eq!(
                kinds,
                [
                    "URLRewrite",
                    "RequestHeaderModifier",
                    "ResponseHeaderModifier",
                    "CORS",
                    "RequestMirror"
                ]
            );
        }
        for share in 0..=100 {
            for (index, rule) in at(share).iter().enumerate() {
                let mut same = rule.clone();
                same["backendRefs"] = first[index]["backendRefs"].clone();
                assert_eq!(same, first[index], "{profile} {share} %");
                let mirrors: &[&str] = &["RequestMirror"];
                assert_eq!(
                    parts(rule, mirrors),
                    parts(&before[index % 4], mirrors),
                    "{profile} {share} %"
                );
            }
        }
    }
}

/// The spec of an HTTPRoute with the defaults that its CustomResourceDefinition fills in (Gateway API 1.6).
fn stored(spec: &Value) -> Value {
    fn fill(object: &mut Value, defaults: &[(&str, Value)]) {
        let Some(object) = object.as_object_mut() else { return };
        for (key, value) in defaults {
            object.entry(*key).or_insert_with(|| value.clone());
        }
    }
    fn each<'a>(value: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
        value.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
    }
    let backend = [("group", json!("")), ("kind", json!("Service"))];
    let exact = [("type", json!("Exact"))];
    let mut spec = spec.clone();
    each(&mut spec, "parentRefs").for_each(|parent| {
        fill(parent, &[("group", json!("gateway.networking.k8s.io")), ("kind", json!("Gateway"))]);
    });
    fill(&mut spec, &[("rules", json!([{}]))]);
    for rule in each(&mut spec, "rules") {
        fill(rule, &[("matches", json!([{"path": {"type": "PathPrefix", "value": "/"}}]))]);
        for matcher in each(rule, "matches") {
            fill(matcher, &[("path", json!({}))]);
            fill(&mut matcher["path"], &[("type", json!("PathPrefix")), ("value", json!("/"))]);
            each(matcher, "headers").for_each(|header| fill(header, &exact));
            each(matcher, "queryParams").for_each(|parameter| fill(parameter, &exact));
        }
        for filter in each(rule, "filters") {
            if let Some(mirror) = filter.pointer_mut("/requestMirror/backendRef") {
                fill(mirror, &backend);
            }
            if let Some(cors) = filter.get_mut("cors") {
                fill(cors, &[("maxAge", json!(5))]);
            }
        }
        for it in each(rule, "backendRefs") {
            fill(it, &backend);
            fill(it, &[("weight", json!(1))]);
        }
    }
    spec
}

/// argoproj-labs/rollouts-plugin-trafficrouter-gatewayapi#208; argoproj/argo-helm#3538.
#[test]
fn what_is_stored_is_what_was_written_and_nothing_is_written_again() {
    for profile in PROFILES {
        for share in shares_of_a_rollout() {
            let service = at_share(profile, share);
            let owner = Owner { instance: "default".into(), revision: "r".into() };
            let desired = Job::for_service(&service, &owner).desired;
            let written = desired.routes[0].object();
            admit(written, Channel::Standard, true).expect("the API server takes it");
            assert_eq!(stored(&written["spec"]), written["spec"], "no default is filled in");
            // What goes with the object is the same at every share.
            let mut metadata = written["metadata"].clone();
            metadata["annotations"].take();
            let mut first = route(&at_share(profile, None)).object()["metadata"].clone();
            first["annotations"].take();
            assert_eq!(metadata, first);
            let mut seen = healthy(&["v1", "v2"], None);
            let kept = HttpRoute { rules: rules(&desired.routes[0]), ..HttpRoute::default() };
            let live = [
                ("v1", u64::from(100 - share.unwrap_or(0))),
                ("v2", u64::from(share.unwrap_or(0))),
            ];
            let facts =
                Facts { http_route: Some(kept.into()), ..routes(&live, Some(Verdict::Accepted)) };
            seen.objects.insert(desired.routes[0].id().clone(), facts);
            assert_eq!(plan(&desired, &seen), [], "{profile} {share:?}");
        }
    }
}

/// fluxcd/flagger, docs/gitbook/tutorials/gatewayapi-progressive-delivery.md: an A/B test or weights.
#[test]
fn headers_and_weights_hold_at_the_same_time() {
    for profile in [Profile::Kgateway(Validation::Standard), Profile::EnvoyGateway] {
        let name = if profile == Profile::EnvoyGateway { "envoy-gateway" } else { "kgateway" };
        let mut snapshot =
            Snapshot::new(Environment { profile, complete: true, ..Environment::default() });
        snapshot.upsert(&json!({"kind": "Gateway", "metadata": {"namespace": "infra", "name": "edge"},
            "spec": {"gatewayClassName": "edge", "listeners": [{"name": "http", "port": 8000, "protocol": "HTTP",
                "allowedRoutes": {"namespaces": {"from": "All"}}}]}}));
        for version in ["v1", "v2"] {
            let name = format!("echo-{version}");
            snapshot.upsert(
                &json!({"kind": "Service", "metadata": {"namespace": "echo", "name": name},
                "spec": {"ports": [{"port": 80}]}}),
            );
            snapshot.upsert(&json!({"kind": "EndpointSlice", "metadata": {"namespace": "echo", "name": name,
                "labels": {"kubernetes.io/service-name": name}}, "ports": [{"name": "", "port": 8090}],
                "endpoints": [{"addresses": [version], "conditions": {"ready": true}}]}));
        }
        snapshot.upsert(route(&at_share(name, Some(10))).object());
        let translation = translate(&snapshot, &Memory::default());
        let shares = |headers: &[(&str, &str)]| -> BTreeMap<String, u32> {
            let headers =
                headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let request = Request {
                method: "GET".into(),
                host: "example.com".into(),
                path: "/a".into(),
                headers: headers.collect(),
            };
            let answered = answer(&translation, &Entry::http("infra", "edge", 8000), &request);
            let share = |(outcome, share): (Outcome, f64)| match outcome {
                Outcome::Endpoint { address, .. } => (address, (share * 100.0).round() as u32),
                other => (format!("{other:?}"), 100),
            };
            answered.outcomes.into_iter().map(share).collect()
        };
        assert_eq!(shares(&[]), BTreeMap::from([("v1".into(), 90), ("v2".into(), 10)]), "{name}");
        assert_eq!(shares(&[("stage", "canary")]), BTreeMap::from([("v2".into(), 100)]), "{name}");
    }
}

/// argoproj-labs/rollouts-plugin-trafficrouter-gatewayapi#151, #191: rules that are left over, and rules that do not come
/// again after a restart.
#[test]
fn whatever_rules_are_live_those_of_the_values_are_left_in_the_end() {
    for profile in PROFILES {
        let service = at_share(profile, Some(10));
        let wanted = route(&service);
        let of = rules(&wanted);
        let canary = &of[4..];
        let lives = [
            of[..4].to_vec(),
            [&of[..], canary, canary].concat(),
            [canary, &of[..4]].concat(),
            vec![of[0].clone(); 9],
        ];
        let owner = Owner { instance: "default".into(), revision: "r".into() };
        let desired = Job::for_service(&service, &owner).desired;
        for mut live in lives {
            for _ in 0..6 {
                let mut seen = healthy(&["v1", "v2"], None);
                let kept = HttpRoute { rules: live.clone(), ..HttpRoute::default() };
                let facts = Facts {
                    http_route: Some(kept.into()),
                    ..routes(&[("v1", 100)], Some(Verdict::Accepted))
                };
                seen.objects.insert(wanted.id().clone(), facts);
                seen.changed = changed(&[wanted.id()]);
                let written = plan(&desired, &seen).into_iter().find_map(|step| match step {
                    Step::Route(routes) => Some(rules(&routes[0])),
                    _ => None,
                });
                live = written.expect("a write");
            }
            assert_eq!(live, of, "{profile}");
        }
    }
}
