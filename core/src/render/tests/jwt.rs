//! Canaries by tokens: what is rendered, and who gets in on every step of the way, by the model of the gateways.

use std::collections::BTreeMap;

use ::gateway_api::{
    Entry, Environment, Outcome, Profile, Request, Snapshot, Token, Tokens, Validation, Verdict,
    answer_with, translate,
};
use serde_json::{Value, json};

use super::{owner, yaml};
use crate::object::{Manifest, ObjectId};
use crate::render::gateway_api::{first_rules, next_rules};
use crate::render::{Rendered, render};
use crate::traffic::{Traffic, claim_header, is_guarded, is_warming};
use crate::values::Service;
use crate::values::tests::service;

const PROFILES: [(&str, Profile); 2] = [
    ("kgateway", Profile::Kgateway(Validation::Standard)),
    ("envoy-gateway", Profile::EnvoyGateway),
];

/// A service with this canary, or without one, and more keys below `routes`.
fn values(profile: &str, canary: &str, more: &str) -> Service {
    let canary = if canary.is_empty() {
        String::new()
    } else {
        format!("canary: {{version: v2, {canary}}}")
    };
    service(&format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\nroutes:\n  domains: [example.com]\n  primary: {{version: v1}}\n  gateway: \
         {{api: gateway-api, profile: {profile}, gateways: [{{name: edge, namespace: infra}}]}}\n  {canary}\n  {more}\n"
    ))
}

/// The key `jwt` with these claims.
fn jwt(claims: &str) -> String {
    format!(
        "jwt: {{issuer: me, jwks: {{keys: [{{kty: OKP, crv: Ed25519, kid: k, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}}]}}, claims: {claims}}}"
    )
}

fn rendered(service: &Service) -> Rendered {
    render(service, &Traffic::of(service), &owner())
}

fn rules(route: &Manifest) -> Vec<Value> {
    route.object()["spec"]["rules"].as_array().cloned().expect("rules")
}

/// The tokens of the tests, by the text behind `Bearer`.
fn tokens() -> Tokens {
    let token = |issuer: &str, claims: &[(&str, &str)], verdict| Token {
        issuer: issuer.into(),
        audiences: Vec::new(),
        claims: claims
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        verdict,
    };
    let canary = [("stage", "canary")];
    let all = [
        ("a.valid.canary", token("me", &canary, Verdict::Valid)),
        ("a.valid.gold", token("me", &[("stage", "gold"), ("tier", "gold")], Verdict::Valid)),
        ("a.valid.none", token("me", &[], Verdict::Valid)),
        ("an.expired.canary", token("me", &canary, Verdict::Expired)),
        ("a.forged.canary", token("me", &canary, Verdict::Forged)),
        ("a.strange.canary", token("you", &canary, Verdict::Valid)),
    ];
    all.into_iter().map(|(text, token)| (text.to_owned(), token)).collect()
}

/// What is in the cluster.
struct World {
    profile: Profile,
    policies: BTreeMap<ObjectId, Value>,
    route: Value,
}

impl World {
    /// Who answers a request: `v1`, `v2` or a status.
    fn answer(&self, path: &str, token: Option<&str>, headers: &[(&str, &str)]) -> String {
        let mut snapshot = Snapshot::new(Environment {
            profile: self.profile,
            complete: true,
            ..Environment::default()
        });
        let listener = json!({"name": "http", "port": 8000, "protocol": "HTTP",
            "allowedRoutes": {"namespaces": {"from": "All"}}});
        snapshot.upsert(&json!({"kind": "GatewayClass", "metadata": {"name": "edge"},
            "spec": {"controllerName": self.profile.controller()}}));
        snapshot
            .upsert(&json!({"kind": "Gateway", "metadata": {"namespace": "infra", "name": "edge"},
            "spec": {"gatewayClassName": "edge", "listeners": [listener]}}));
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
        for object in self.policies.values().chain([&self.route]) {
            assert!(snapshot.upsert(object), "{object}");
        }
        let bearer = token.map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let request = Request {
            method: "GET".into(),
            host: "example.com".into(),
            path: path.into(),
            headers: headers.chain(bearer).collect(),
        };
        let translation = translate(&snapshot, &::gateway_api::Memory::default());
        let answer =
            answer_with(&translation, &Entry::http("infra", "edge", 8000), &request, &tokens());
        let outcomes: Vec<String> = answer
            .outcomes
            .iter()
            .map(|(outcome, _)| match outcome {
                Outcome::Endpoint { address, .. } => address.clone(),
                Outcome::Status { status, .. } => status.to_string(),
                other => format!("{other:?}"),
            })
            .collect();
        outcomes.join(" or ")
    }
}

/// The world in which a service is as desired.
fn settled(profile: Profile, rendered: &Rendered) -> World {
    let policies = rendered.policies.iter();
    World {
        profile,
        policies: policies.map(|it| (it.id().clone(), it.object().clone())).collect(),
        route: rendered.routes[0].object().clone(),
    }
}

/// Every state on the way from one to the other: policies that come are written first, those that go are deleted last,
/// and in between the rules change in stages.
fn way(profile: Profile, from: Option<&Rendered>, to: &Rendered) -> Vec<World> {
    let policies = |rendered: Option<&Rendered>| -> BTreeMap<ObjectId, Value> {
        let all = rendered.into_iter().flat_map(|it| &it.policies);
        all.map(|it| (it.id().clone(), it.object().clone())).collect()
    };
    let mut both = policies(from);
    both.extend(policies(Some(to)));
    let wanted = rules(&to.routes[0]);
    let world = |policies: &BTreeMap<_, _>, rules: &[Value]| {
        let mut route = to.routes[0].object().clone();
        route["spec"]["rules"] = rules.into();
        World { profile, policies: policies.clone(), route }
    };
    let mut live = from.map(|it| rules(&it.routes[0]));
    let mut worlds: Vec<World> = live.iter().map(|live| world(&both, live)).collect();
    for _ in 0..8 {
        let next = match &live {
            Some(live) => next_rules(live, &wanted),
            None => first_rules(&wanted),
        };
        worlds.push(world(&both, &next));
        live = Some(next);
    }
    assert_eq!(live.as_deref(), Some(&*wanted), "it ends");
    worlds.push(world(&policies(Some(to)), &wanted));
    worlds
}

#[test]
fn the_safe_pair_of_each_implementation() {
    for (profile, _) in PROFILES {
        let rendered = rendered(&values(profile, &jwt("{stage: canary}"), ""));
        insta::assert_snapshot!(profile, yaml(&rendered));
    }
}

#[test]
fn only_a_valid_token_with_the_claims_leads_to_the_canary() {
    for (name, profile) in PROFILES {
        let service = values(name, &jwt("{stage: canary}"), "");
        let world = settled(profile, &rendered(&service));
        let header = claim_header(&service, "stage");
        let by_hand = [(&*header, "canary")];
        for (token, expected, with_header) in [
            (None, "v1", "401"),
            (Some("a.valid.canary"), "v2", "v2"),
            (Some("a.valid.gold"), "v1", "v1"),
            (Some("a.valid.none"), "v1", "v1"),
            (Some("an.expired.canary"), "401", "401"),
            (Some("a.forged.canary"), "401", "401"),
            (Some("a.strange.canary"), "401", "401"),
            (Some("nonsense"), "401", "401"),
        ] {
            assert_eq!(world.answer("/echo", token, &[]), expected, "{name} {token:?}");
            assert_eq!(
                world.answer("/echo", token, &by_hand),
                with_header,
                "{name} {token:?} by hand"
            );
        }
    }
}

#[test]
fn one_policy_for_all_rules_would_let_a_header_in() {
    for (name, profile) in PROFILES {
        let service = values(name, &jwt("{stage: canary}"), "");
        let mut world = settled(profile, &rendered(&service));
        world
            .policies
            .retain(|id, _| id.kind == "GatewayExtension" || id.name.ends_with("-jwt-optional"));
        for policy in world.policies.values_mut().filter(|it| it["kind"] != "GatewayExtension") {
            policy["spec"]["targetRefs"][0]
                .as_object_mut()
                .expect("a target")
                .remove("sectionName");
        }
        let header = claim_header(&service, "stage");
        assert_eq!(world.answer("/echo", None, &[(&header, "canary")]), "v2", "{name}");
    }
}

#[test]
fn headers_and_claims_are_both_needed_where_both_are_said() {
    for (name, profile) in PROFILES {
        let canary = format!("{}, headers: {{user: bot}}", jwt("{stage: canary}"));
        let service = values(name, &canary, "");
        let world = settled(profile, &rendered(&service));
        let header = claim_header(&service, "stage");
        let token = Some("a.valid.canary");
        assert_eq!(world.answer("/echo", token, &[("user", "bot")]), "v2");
        assert_eq!(world.answer("/echo", token, &[]), "v1");
        assert_eq!(world.answer("/echo", None, &[("user", "bot")]), "v1");
        assert_eq!(world.answer("/echo", None, &[("user", "bot"), (&header, "canary")]), "401");
        assert_eq!(
            world.answer("/echo", Some("a.valid.gold"), &[("user", "bot"), (&header, "canary")]),
            "v1"
        );
    }
}

#[test]
fn nobody_gets_in_without_a_token_on_any_step_of_the_way() {
    let two_paths = "paths: [{prefix: /echo}, {exact: /other, methods: [GET, POST]}]";
    let stage = jwt("{stage: canary}");
    let tier = jwt("{tier: gold}");
    let both = format!("{stage}, headers: {{user: bot}}");
    let states: [(&str, &str); 7] = [
        ("", ""),
        ("headers: {user: bot}", ""),
        (&stage, ""),
        (&tier, ""),
        (&both, ""),
        (&stage, two_paths),
        ("", two_paths),
    ];
    for (name, profile) in PROFILES {
        let services = states.map(|(canary, more)| values(name, canary, more));
        let headers = ["stage", "tier"].map(|claim| claim_header(&services[0], claim));
        let all = services.each_ref().map(rendered);
        for (to, target) in all.iter().enumerate() {
            let origins = std::iter::once(None).chain(all.iter().enumerate().map(Some));
            for origin in origins {
                let worlds = way(profile, origin.map(|(_, it)| it), target);
                let from = origin.map(|(index, _)| index);
                for (step, world) in worlds.iter().enumerate() {
                    let at = format!("{name}: {from:?} to {to}, step {step}");
                    assert_eq!(world.answer("/echo", None, &[]), "v1", "{at}: everybody");
                    for token in [
                        None,
                        Some("a.valid.none"),
                        Some("an.expired.canary"),
                        Some("a.strange.canary"),
                    ] {
                        let by_hand = [(&*headers[0], "canary"), (&*headers[1], "gold")];
                        let answer = world.answer("/echo", token, &by_hand);
                        assert_ne!(answer, "v2", "{at}: {token:?}");
                    }
                    // A token for the one canary is none for the other.
                    for (token, header) in
                        [("a.valid.gold", &headers[0]), ("a.valid.canary", &headers[1])]
                    {
                        let value = if header == &headers[0] { "canary" } else { "gold" };
                        let had = |canary: &str| {
                            canary.contains(if token == "a.valid.gold" { "tier" } else { "stage" })
                        };
                        let is_for =
                            had(states[to].0) || from.is_some_and(|from| had(states[from].0));
                        let answer = world.answer("/echo", Some(token), &[(header, value)]);
                        assert!(is_for || answer != "v2", "{at}: {token} by hand");
                    }
                }
            }
        }
    }
}

#[test]
fn a_rule_is_guarded_under_its_own_name_before_it_can_be_reached() {
    let service = values("kgateway", &jwt("{stage: canary}"), "");
    let rendered = rendered(&service);
    let wanted = rules(&rendered.routes[0]);
    let (guarded, open): (Vec<Value>, Vec<Value>) = wanted.iter().cloned().partition(is_guarded);
    assert_eq!((guarded.len(), open.len()), (1, 1));
    for first in [next_rules(&open, &wanted), first_rules(&wanted)] {
        assert!(first.len() == 2 && is_warming(&first[1]) && !is_guarded(&first[1]), "{first:?}");
        assert_eq!(first[1]["name"], guarded[0]["name"]);
        assert_eq!(next_rules(&first, &wanted), wanted);
    }
    let target =
        |policy: &Manifest| policy.object()["spec"]["targetRefs"][0]["sectionName"].clone();
    let policies: Vec<Value> =
        rendered.policies.iter().filter(|it| it.id().kind == "TrafficPolicy").map(target).collect();
    assert_eq!(policies, [open[0]["name"].clone(), guarded[0]["name"].clone()]);
}

#[test]
fn each_route_of_many_paths_has_its_own_policies() {
    let paths: Vec<String> = (0..20).map(|index| format!("{{prefix: /p{index}}}")).collect();
    for (name, _) in PROFILES {
        let service =
            values(name, &jwt("{stage: canary}"), &format!("paths: [{}]", paths.join(", ")));
        let rendered = rendered(&service);
        let mut guarded: Vec<(String, String, bool)> = Vec::new();
        for policy in rendered.policies.iter().filter(|it| it.id().kind != "GatewayExtension") {
            let targets =
                policy.object()["spec"]["targetRefs"].as_array().cloned().expect("targets");
            assert!((1..=16).contains(&targets.len()));
            let is_required = !policy.id().name.ends_with("-jwt-optional");
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            guarded.extend(
                targets.iter().map(|it| (text(&it["name"]), text(&it["sectionName"]), is_required)),
            );
        }
        let mut rules: Vec<(String, String, bool)> = Vec::new();
        for route in &rendered.routes {
            let of_route = route.object()["spec"]["rules"].as_array().cloned().expect("rules");
            let of_rule = |it: &Value| {
                (
                    route.id().name.clone(),
                    it["name"].as_str().expect("a name").to_owned(),
                    is_guarded(it),
                )
            };
            rules.extend(of_route.iter().map(of_rule));
        }
        guarded.sort();
        rules.sort();
        assert_eq!(guarded, rules, "each rule has one policy");
        assert_eq!(rules.len(), 40);
    }
}
