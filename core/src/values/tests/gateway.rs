//! Which API a service is written in, and what that API cannot say.

use super::{listed, outcome, repository};
use crate::values::{Gateway, GatewayApi, GatewayRef, Profile};

/// The gateway of a service with this `gateway` below `routes`, beside this `coalmine.yaml`.
fn gateway(settings: &str, own: &str) -> Gateway {
    let values = format!(
        "deployment: {{v1: {{}}}}\nroutes: {{apiGroup: a, primary: {{version: v1}}{own}}}\n"
    );
    let files = [("coalmine.yaml", settings), ("services/echo.yaml", values.as_str())];
    let mut repository = repository(&files);
    assert_eq!(repository.problems, []);
    let service = repository.services.pop_first().expect("a service").1;
    service.unwrap_or_else(|problems| panic!("{problems:#?}")).routes.gateway.clone()
}

/// What is said of a service of the Gateway API with this profile.
fn said(profile: &str, deployment: &str, more: &str) -> Vec<String> {
    let values = format!(
        "deployment: {deployment}\nroutes:\n  \
         gateway: {{api: gateway-api, profile: {profile}, gateways: [{{name: edge}}]}}\n  \
         primary: {{version: v1}}\n  {more}\n"
    );
    outcome(values.as_str()).map_or_else(|problems| listed(&problems), |_| Vec::new())
}

const TWO: &str = "{v1: {}, v2: {}}";

#[test]
fn a_service_is_gloos_unless_somebody_says_otherwise() {
    assert_eq!(gateway("", ""), Gateway::Gloo);
    assert_eq!(gateway("gateway: {profile: kgateway}", ""), Gateway::Gloo);
    let api = GatewayApi { profile: Profile::Kgateway, gateways: Vec::new() };
    let settings = "gateway: {api: gateway-api, profile: kgateway}";
    assert_eq!(gateway(settings, ""), Gateway::GatewayApi(api.clone()));
    assert_eq!(gateway(settings, ", gateway: {api: gloo}"), Gateway::Gloo);
    assert_eq!(gateway(settings, ", gateway: {api: both}"), Gateway::Both(api));
}

#[test]
fn a_service_says_its_own_gateway_key_by_key_over_the_defaults_and_these_over_the_settings() {
    let settings = "gateway: {profile: envoy-gateway, gateways: [{name: edge, namespace: infra}]}\n\
                    defaults: {routes: {gateway: {api: gateway-api}}}";
    let edge = |name: &str, section: Option<&str>| GatewayRef {
        name: name.into(),
        namespace: Some("infra".into()),
        section_name: section.map(str::to_owned),
    };
    let api = GatewayApi { profile: Profile::EnvoyGateway, gateways: vec![edge("edge", None)] };
    assert_eq!(gateway(settings, ""), Gateway::GatewayApi(api.clone()));
    let own = ", gateway: {gateways: [{name: inner, namespace: infra, sectionName: http}]}";
    let api = GatewayApi { gateways: vec![edge("inner", Some("http"))], ..api };
    assert_eq!(gateway(settings, own), Gateway::GatewayApi(api));
}

#[test]
fn what_is_wrong_with_a_gateway_is_said() {
    let values = "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}, gateway: {api: nginx, \
                  profile: istio, gateways: [{namespace: infra}, {name: A}, {name: b}, {name: b}]}}";
    let problems = outcome(values).expect_err("mistakes");
    let places: Vec<_> = problems.iter().map(|it| (it.key.as_str(), it.message.as_str())).collect();
    assert_eq!(
        places,
        [
            ("routes.gateway.api", "expected gloo, gateway-api or both, found the text \"nginx\""),
            (
                "routes.gateway.profile",
                "expected kgateway, envoy-gateway or portable, found the text \"istio\""
            ),
            ("routes.gateway.gateways[0].name", "the key is required"),
            (
                "routes.gateway.gateways[1].name",
                "a Gateway's name is lower-case letters, digits, `-` and `.` between them, found \"A\""
            ),
            ("routes.gateway.gateways[3]", "the Gateway b is listed twice"),
        ]
    );
}

#[test]
fn routes_that_no_parent_selects_name_their_gateway() {
    let of = |gateway: &str, binding: &str| {
        outcome(format!(
            "deployment: {{v1: {{}}}}\nroutes: {{{binding}, primary: {{version: v1}}, gateway: {gateway}}}\n"
        ))
    };
    let kgateway = "{api: gateway-api, profile: kgateway}";
    assert!(of(kgateway, "apiGroup: a").is_ok());
    for (gateway, binding) in [
        (kgateway, "domains: [a.example]"),
        ("{api: gateway-api, profile: envoy-gateway}", "apiGroup: a"),
        ("{api: both}", "apiGroup: a"),
    ] {
        let problems = of(gateway, binding).expect_err("no Gateway");
        assert!(problems[0].message.starts_with("no Gateway is named"), "{problems:?}");
        assert_eq!(problems.len(), 1);
    }
    assert!(of("{profile: portable}", "apiGroup: a").is_ok(), "it is Gloo's");
}

#[test]
fn what_an_http_route_cannot_say_is_an_error_at_its_place() {
    for (deployment, more, expected) in [
        (
            TWO,
            "apiGroup: a\n  canary: {version: v2, headers: {a: {value: b, invert: true}}}",
            "6: routes.canary.headers.a: an HTTPRoute cannot invert a condition",
        ),
        (
            TWO,
            "apiGroup: a\n  canary: {version: v2, headers: {':method': GET}}",
            "6: routes.canary.headers.:method: an HTTPRoute has no condition on `:method`",
        ),
        (
            TWO,
            "apiGroup: a\n  options: {faults: {abort: {}}}",
            "6: routes.options.faults: an HTTPRoute has nothing for Gloo's option `faults`",
        ),
        (
            TWO,
            "apiGroup: a\n  options: {retries: {retryOn: cancelled}}",
            "6: routes.options.retries.retryOn: an HTTPRoute has nothing for \"cancelled\"",
        ),
        (
            TWO,
            "apiGroup: a\n  paths: [{prefix: /a}, {prefix: /b, options: {timeout: 5m}}]",
            "6: routes.paths[1].options.timeout: expected a time that an HTTPRoute takes",
        ),
        (
            TWO,
            "apiGroup: a\n  paths: [{regex: /a, options: {prefixRewrite: /}}]",
            "6: routes.paths[0].options.prefixRewrite: the path \"/a\" is an expression",
        ),
        (
            TWO,
            "apiGroup: a\n  paths: [{prefix: /a, rest: {functionName: f}}]",
            "6: routes.paths[0].rest: functions of a REST Upstream are Gloo's",
        ),
        (
            TWO,
            "apiGroup: a\n  paths: [{prefix: /a, methods: [PURGE]}]",
            "6: routes.paths[0].methods: an HTTPRoute has no method PURGE",
        ),
        (
            TWO,
            "domains: ['*.a.example', 'a.example:80']",
            "5: routes.domains[1]: \"a.example:80\" is no hostname of an HTTPRoute",
        ),
        (
            "{v1: {external: {upstream: {name: vm}}}}",
            "apiGroup: a\n  split: upstream",
            "1: deployment.v1.external.upstream: an Upstream is Gloo's",
        ),
        (TWO, "apiGroup: a\nupstream: {useHttp2: true}", "6: upstream: Upstreams are Gloo's"),
    ] {
        let said = said("kgateway", deployment, more);
        let placed = said.iter().map(|it| {
            let (line, rest) =
                it.strip_prefix("services/echo.yaml:").unwrap_or(it).split_once(':').unwrap();
            format!("{line}: {}", rest.split_once(": ").unwrap().1)
        });
        let placed: Vec<String> = placed.collect();
        assert!(placed.len() == 1 && placed[0].starts_with(expected), "{more}: {said:#?}");
    }
}

#[test]
fn what_implementations_decide_differently_depends_on_the_profile() {
    let two = "apiGroup: a\n  paths: [{regex: /b}, {regex: /abc}]";
    let fallback = |word: &str| format!("apiGroup: a\n  fallback: {word}");
    let counts = |more: &str| {
        ["kgateway", "envoy-gateway", "portable"].map(|profile| said(profile, TWO, more).len())
    };
    assert_eq!(counts(two), [0, 1, 1], "Gloo tries /b first, Envoy Gateway the longer one");
    assert_eq!(counts("apiGroup: a\n  paths: [{regex: /abc}, {prefix: /d}]"), [0, 0, 0]);
    assert_eq!(counts(&fallback("any")), [1, 0, 1]);
    assert_eq!(counts(&fallback("none")), [0, 1, 1]);
    assert_eq!(counts("apiGroup: a"), [0, 0, 0], "nobody has to say it");
}

#[test]
fn what_the_defaults_cannot_say_is_said_once_where_they_stand() {
    let settings = "gateway: {api: gateway-api, profile: kgateway}\n\
                    defaults: {routes: {apiGroup: a, options: {faults: {}}}}";
    let service = "deployment: {v1: {}}\nroutes: {primary: {version: v1}}\n";
    let files =
        [("coalmine.yaml", settings), ("services/a.yaml", service), ("services/b.yaml", service)];
    let repository = repository(&files);
    let said = listed(&repository.problems);
    assert!(said.len() == 1 && said[0].starts_with("coalmine.yaml:2:"), "{said:?}");
    assert!(repository.services.values().all(|it| it.as_ref().is_err_and(Vec::is_empty)));
}
