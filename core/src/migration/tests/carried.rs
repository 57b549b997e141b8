//! What is carried over, and what is named because it is not.

use serde_json::json;

use super::super::{Kind, NotCarried};
use super::{kinds, migrated, object, sources};
use crate::values::Profile;

/// Two teams' RouteTables, the second article's: one by label, one by reference.
pub(super) const TEAMS: &str = "
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: echo}
spec: {ports: [{port: 80, targetPort: 8080}], selector: {app: echo}}
---
apiVersion: v1
kind: Service
metadata: {name: foxtrot, namespace: foxtrot}
spec: {ports: [{port: 80, targetPort: 8080}], selector: {app: foxtrot}}
---
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: echo, namespace: gloo-system}
spec: {kube: {serviceName: echo, serviceNamespace: echo, servicePort: 80, subsetSpec: {selectors: [{keys: [version]}]}}}
---
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: foxtrot, namespace: gloo-system}
spec: {kube: {serviceName: foxtrot, serviceNamespace: foxtrot, servicePort: 80, subsetSpec: {selectors: [{keys: [version]}]}}}
---
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    domains: [app.example.com]
    routes:
    - matchers: [{prefix: /foxtrot}]
      delegateAction: {ref: {name: foxtrot, namespace: foxtrot}}
    - matchers: [{prefix: /}]
      delegateAction: {selector: {labels: {apiGroup: example}, namespaces: ['*']}}
---
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {name: echo-routes, namespace: echo, labels: {apiGroup: example}}
spec:
  routes:
  - matchers: [{prefix: /echo, headers: [{name: stage, value: canary}]}]
    routeAction: {single: {upstream: {name: echo, namespace: gloo-system}, subset: {values: {version: v2}}}}
    options: {prefixRewrite: /}
  - matchers: [{prefix: /echo}]
    routeAction: {single: {upstream: {name: echo, namespace: gloo-system}, subset: {values: {version: v1}}}}
    options: {prefixRewrite: /, timeout: 5s}
---
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {name: foxtrot, namespace: foxtrot}
spec:
  routes:
  - matchers: [{prefix: /foxtrot}]
    routeAction: {single: {upstream: {name: foxtrot, namespace: gloo-system}, subset: {values: {version: v1}}}}
    options: {retries: {retryOn: 5xx, numRetries: 2}}
";

fn lack<'a>(all: &'a [NotCarried], field: &str) -> &'a NotCarried {
    all.iter().find(|it| it.field == field).unwrap_or_else(|| panic!("no {field} in {all:#?}"))
}

#[test]
fn route_tables_become_http_routes_of_their_own_with_the_hosts_of_who_delegates() {
    let migration = migrated(TEAMS, Profile::EnvoyGateway);
    let echo = object(&migration, "HTTPRoute", "echo-routes");
    assert_eq!(echo["metadata"]["namespace"], "echo");
    assert_eq!(echo["spec"]["hostnames"], json!(["app.example.com"]));
    assert_eq!(echo["spec"]["rules"][1]["timeouts"]["request"], "5s");
    object(&migration, "HTTPRoute", "foxtrot");
    let expected =
        [Kind::PrefixByElement, Kind::MissingPods, Kind::Port, Kind::Slashes, Kind::Path];
    assert_eq!(kinds(&migration), expected, "{:#?}", migration.differences);
}

#[test]
fn retries_are_named_with_their_line_and_the_route_is_written() {
    let migration = migrated(TEAMS, Profile::Kgateway);
    let lack = lack(&migration.not_carried, "spec.routes[0].options.retries");
    let line = TEAMS.lines().position(|line| line.contains("retries")).unwrap() + 1;
    assert_eq!(lack.at.as_deref(), Some(format!("gloo.yaml:{line}").as_str()));
    assert_eq!(lack.object, "RouteTable foxtrot/foxtrot");
    assert_eq!(migration.not_carried.len(), 1, "{:#?}", migration.not_carried);
}

#[test]
fn what_keeps_requests_out_is_never_left_away() {
    for option in
        ["jwt: {}", "extauth: {configRef: {name: a}}", "rbac: {disable: false}", "unheardOf: 1"]
    {
        let text = TEAMS.replace("{prefixRewrite: /, timeout: 5s}", &format!("{{{option}}}"));
        let key = option.split(':').next().unwrap();
        let migration = migrated(&text, Profile::Kgateway);
        lack(&migration.not_carried, &format!("spec.routes[1].options.{key}"));
        let written = migration.objects.iter().any(|it| it["metadata"]["name"] == "echo-routes");
        assert!(!written, "{option}");
        object(&migration, "HTTPRoute", "foxtrot");
    }
    let host = TEAMS.replace("    domains:", "    options: {waf: {disabled: false}}\n    domains:");
    let migration = migrated(&host, Profile::Kgateway);
    assert!(migration.objects.iter().all(|it| it["kind"] != "HTTPRoute"));
    lack(&migration.not_carried, "spec.virtualHost.options.waf");
}

#[test]
fn a_condition_that_no_http_route_has_is_named_and_who_gets_its_requests_then() {
    let text = TEAMS.replace("value: canary}", "value: canary, invertMatch: true}");
    let migration = migrated(&text, Profile::Kgateway);
    let lack = lack(&migration.not_carried, "spec.routes[0]");
    assert!(lack.why.starts_with("invertMatch of the header stage"), "{}", lack.why);
    let shown = migration.differences.iter().find(|it| it.kind == Kind::Answer).unwrap();
    assert_eq!(
        (shown.before.as_str(), shown.after.as_str()),
        ("Service echo/echo version=v2", "Service echo/echo version=v1")
    );
}

#[test]
fn a_canary_for_every_path_keeps_its_requests_from_longer_paths() {
    let text = TEAMS.replace(
        "  - matchers: [{prefix: /echo, headers: [{name: stage, value: canary}]}]",
        "  - matchers: [{prefix: /, headers: [{name: stage, value: canary}]}]",
    );
    let text = text.replace("    options: {prefixRewrite: /}\n", "");
    let text = text.replace("prefixRewrite: /, ", "");
    let migration = migrated(&text, Profile::EnvoyGateway);
    let answers = migration.differences.iter().filter(|it| it.kind == Kind::Answer);
    assert_eq!(answers.count(), 0, "{:#?}", migration.differences);
}

#[test]
fn an_upstream_of_a_port_that_its_service_lacks_is_named() {
    let text = TEAMS.replace(
        "serviceName: echo, serviceNamespace: echo, servicePort: 80",
        "serviceName: echo, serviceNamespace: echo, servicePort: 8080",
    );
    let migration = migrated(&text, Profile::Kgateway);
    let lack = lack(&migration.not_carried, "spec.kube.servicePort");
    assert_eq!(lack.next, "write one of the Service's ports: 80");
}

#[test]
fn an_object_that_stands_twice_is_a_mistake_with_both_places() {
    let files = [("a.yaml", TEAMS), ("b.yaml", TEAMS)];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    let problems = super::Sources::of_files(&files.into_iter().collect(), "default").unwrap_err();
    assert!(problems[0].to_string().starts_with("b.yaml:2:1: Service echo/echo stands twice"));
    assert!(sources(TEAMS).has_routes());
}
