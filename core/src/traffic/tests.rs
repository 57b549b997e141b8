use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::render::{Owner, render};
use crate::values::tests::properties::valid_values;
use crate::values::tests::service;

/// Two versions, v1 primary, and more keys below `routes`.
fn traffic(more: &str) -> Traffic {
    Traffic::of(&service(&format!(
        "deployment: {{v1: {{}}, v2: {{}}, v3: {{}}}}\n\
         routes:\n  apiGroup: a\n  primary: {{version: v1}}\n  {more}\n"
    )))
}

/// Of each rule its path, `with headers` if it asks for any, and who gets how much.
fn rules(traffic: &Traffic) -> Vec<String> {
    let destination = |it: &Destination| format!("{} {}", it.version, it.weight.percent());
    let rule = |rule: &Rule| {
        let Matches { path, headers, .. } = &rule.matches;
        let with_headers = if headers.is_empty() { "" } else { " with headers" };
        let destinations: Vec<_> = rule.destinations.iter().map(destination).collect();
        format!("{}{with_headers}: {}", path.text(), destinations.join(", "))
    };
    traffic.rules().iter().map(rule).collect()
}

#[test]
fn each_path_has_its_header_rule_before_the_rule_for_everybody_else() {
    let traffic = traffic(
        "canary: {version: v2, weight: 10, headers: {stage: canary}}\n  \
         paths: [{prefix: /a}, {prefix: /b}]",
    );
    let expected = [
        "/b with headers: v2 100",
        "/b: v1 90, v2 10",
        "/a with headers: v2 100",
        "/a: v1 90, v2 10",
    ];
    assert_eq!(rules(&traffic), expected);
    assert_eq!(traffic.headers().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["stage"]);
}

#[test]
fn every_version_has_a_weight_and_only_routed_ones_a_share() {
    let traffic = traffic("canary: {version: v2, weight: 30}");
    let weights: Vec<_> = traffic.weights().map(|(it, w)| (it.as_str(), w.percent())).collect();
    assert_eq!(weights, [("v1", 70), ("v2", 30), ("v3", 0)]);
    assert_eq!(traffic.versions().map(Version::as_str).collect::<Vec<_>>(), ["v1", "v2"]);
    let shares = traffic.shares();
    assert_eq!(shares.iter().collect::<Vec<_>>(), [("v1", 70), ("v2", 30)]);
    assert_eq!((shares.primary(), shares.is_header_target("v2")), (Some("v1"), false));
    assert_eq!(traffic.headers().count(), 0);
}

#[test]
fn a_shadow_copies_the_requests_of_everybody_else_only() {
    let traffic = traffic("canary: {version: v2, shadow: 25, headers: {stage: canary}}");
    let shadows: Vec<_> = traffic
        .rules()
        .iter()
        .map(|rule| rule.shadow.as_ref().map(|it| it.weight.percent()))
        .collect();
    assert_eq!(shadows, [None, Some(25)]);
    assert_eq!(traffic.shadowed().map(Version::as_str), Some("v2"));
    assert_eq!(self::traffic("canary: {version: v2}").shadowed(), None);
}

#[test]
fn the_options_of_a_path_come_over_those_of_all_routes() {
    let traffic = traffic(
        "options: {timeout: 5s, prefixRewrite: /}\n  paths: [{prefix: /a, options: {timeout: 1s}}]",
    );
    let options = Value::from(traffic.rules()[0].options.clone());
    assert_eq!(options, json!({"timeout": "1s", "prefixRewrite": "/"}));
}

/// What it is called by the values does not show in the routes.
#[test]
fn an_upstream_of_somebody_elses_counts_by_its_name() {
    let of = |name: &str| {
        Traffic::of(&service(&format!(
            "deployment: {{v1: {{external: {{upstream: {{name: {name}}}}}}}}}\n\
             routes: {{apiGroup: a, split: upstream, primary: {{version: v1}}}}\n"
        )))
    };
    let (foreign, like_ours) = (of("vm"), of("echo-v7"));
    assert!(foreign.shares().leads_elsewhere() && foreign.shares().iter().next().is_none());
    assert_eq!(like_ours.shares().iter().collect::<Vec<_>>(), [("v7", 100)]);
    assert_eq!(foreign.weights().map(|(_, weight)| weight).collect::<Vec<_>>(), [Weight::FULL]);
}

proptest! {
    /// So that nothing that the values ask for ever looks like a change once it is live.
    #[test]
    fn live_routes_are_read_as_the_values_meant_them(values in valid_values()) {
        let service = service(&serde_yaml::to_string(&values).unwrap());
        let owner = Owner { instance: "test".into(), revision: "abc123".into() };
        let traffic = Traffic::of(&service);
        let rendered = render(&service, &traffic, &owner);
        let live = Shares::read(service.name.as_str(), rendered.routes[0].object());
        prop_assert_eq!(&live, traffic.shares());
        prop_assert_eq!(live.gains(traffic.shares()).count(), 0);
    }

    #[test]
    fn the_weights_of_every_rule_are_a_hundred(values in valid_values()) {
        let traffic = Traffic::of(&service(&serde_yaml::to_string(&values).unwrap()));
        for rule in traffic.rules() {
            let sum: u32 = rule.destinations.iter().map(|it| u32::from(it.weight.percent())).sum();
            prop_assert_eq!(sum, 100);
        }
    }
}
