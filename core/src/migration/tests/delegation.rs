//! RouteTables that are selected by label, with kgateway.

use serde_json::json;

use super::super::Kind;
use super::carried::TEAMS;
use super::{kinds, migrated, object};
use crate::values::Profile;

#[test]
fn a_table_that_is_selected_by_one_label_becomes_a_child_of_kgateways_delegation() {
    let migration = migrated(TEAMS, Profile::Kgateway);
    let parent = object(&migration, "HTTPRoute", "app");
    assert_eq!(parent["spec"]["hostnames"], json!(["app.example.com"]));
    assert_eq!(
        parent["spec"]["rules"],
        json!([{
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "backendRefs": [
                {"group": "delegation.kgateway.dev", "kind": "label", "name": "example", "namespace": "all"},
            ],
        }])
    );
    let child = object(&migration, "HTTPRoute", "echo-routes");
    assert_eq!(child["metadata"]["labels"], json!({"delegation.kgateway.dev/label": "example"}));
    assert_eq!(child["spec"]["hostnames"], json!(null));
    assert_eq!(child["spec"]["parentRefs"], json!(null));
    // The one that is named stays with its own hosts.
    let named = object(&migration, "HTTPRoute", "foxtrot");
    assert_eq!(named["spec"]["hostnames"], json!(["app.example.com"]));
    let expected =
        [Kind::PrefixByElement, Kind::MissingPods, Kind::Port, Kind::Slashes, Kind::Path];
    assert_eq!(kinds(&migration), expected, "{:#?}", migration.differences);
}

/// What kgateway's one label cannot tell apart is written with the hosts instead, and means the same.
#[test]
fn tables_that_are_selected_otherwise_attach_to_the_gateway_themselves() {
    let selector = "{labels: {apiGroup: example}, namespaces: ['*']}";
    for other in [
        "{labels: {apiGroup: example, team: a}, namespaces: ['*']}",
        "{expressions: [{key: apiGroup, operator: Equals, values: [example]}], namespaces: ['*']}",
    ] {
        let text = TEAMS.replace(selector, other);
        let text =
            text.replace("labels: {apiGroup: example}}", "labels: {apiGroup: example, team: a}}");
        let migration = migrated(&text, Profile::Kgateway);
        let route = object(&migration, "HTTPRoute", "echo-routes");
        assert_eq!(route["spec"]["hostnames"], json!(["app.example.com"]), "{other}");
        assert!(
            !kinds(&migration).contains(&Kind::Answer),
            "{other}: {:#?}",
            migration.differences
        );
    }
}

#[test]
fn a_table_that_two_hosts_select_has_routes_for_both() {
    let other = "
---
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: other, namespace: gloo-system}
spec:
  virtualHost:
    domains: [other.example.com]
    routes:
    - matchers: [{prefix: /}]
      delegateAction: {selector: {labels: {apiGroup: example}, namespaces: ['*']}}
";
    let migration = migrated(&format!("{TEAMS}{other}"), Profile::Kgateway);
    let hosts = |name: &str| object(&migration, "HTTPRoute", name)["spec"]["hostnames"].clone();
    assert_eq!(hosts("echo-routes"), json!(["app.example.com"]));
    assert_eq!(hosts("echo-routes-other"), json!(["other.example.com"]));
    assert!(!kinds(&migration).contains(&Kind::Answer), "{:#?}", migration.differences);
}
