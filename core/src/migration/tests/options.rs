//! What routes do beside their destinations, and where they get it from.

use serde_json::{Value, json};

use super::super::{Cause, Kind, Migration};
use super::articles::SERVICE;
use super::{kinds, migrated, object};
use crate::values::Profile;

/// A VirtualService `app` with these routes and lines of its virtual host, and more objects.
pub(super) fn with(routes: &str, host: &str, more: &str) -> String {
    format!(
        "{SERVICE}
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {{name: app, namespace: gloo-system}}
spec:
  virtualHost:
    domains: [app.example.com]
{host}
    routes:
{routes}
{more}"
    )
}

/// A route to v1 with this matcher and these options.
pub(super) fn route(matcher: &str, options: &str) -> String {
    format!(
        "    - matchers: [{matcher}]
      routeAction: {{single: {{upstream: {{name: echo, namespace: gloo-system}}, subset: {{values: {{version: v1}}}}}}}}
      options: {options}
"
    )
}

pub(super) fn of(matcher: &str, options: &str) -> Migration {
    migrated(&with(&route(matcher, options), "", ""), Profile::Kgateway)
}

fn rule(migration: &Migration, index: usize) -> &Value {
    &object(migration, "HTTPRoute", "app")["spec"]["rules"][index]
}

#[test]
fn what_an_http_route_has_for_an_option_is_written() {
    for (options, pointer, expected) in [
        ("{timeout: 1.5s}", "/timeouts/request", json!("1s500ms")),
        ("{hostRewrite: pods.example}", "/filters/0/urlRewrite/hostname", json!("pods.example")),
        (
            "{prefixRewrite: /z}",
            "/filters/0/urlRewrite/path",
            json!({"type": "ReplacePrefixMatch", "replacePrefixMatch": "/z"}),
        ),
        (
            "{headerManipulation: {requestHeadersToAdd: [{header: {key: a, value: b}, append: false}]}}",
            "/filters/0/requestHeaderModifier",
            json!({"set": [{"name": "a", "value": "b"}]}),
        ),
        (
            "{headerManipulation: {responseHeadersToRemove: [server]}}",
            "/filters/0/responseHeaderModifier",
            json!({"remove": ["server"]}),
        ),
        (
            "{shadowing: {upstream: {name: echo, namespace: gloo-system}, percentage: 10}}",
            "/filters/0/requestMirror/percent",
            json!(10),
        ),
        (
            "{cors: {allowOrigin: ['https://a.example'], allowMethods: [GET], maxAge: '60'}}",
            "/filters/0/cors",
            json!({"allowOrigins": ["https://a.example"], "allowMethods": ["GET"], "maxAge": 60}),
        ),
    ] {
        let migration = of("{prefix: /a}", options);
        assert_eq!(migration.not_carried, [], "{options}");
        assert_eq!(rule(&migration, 0).pointer(pointer), Some(&expected), "{options}");
        assert!(
            !kinds(&migration).contains(&Kind::Answer),
            "{options}: {:#?}",
            migration.differences
        );
    }
}

#[test]
fn conditions_on_methods_parameters_and_expressions_are_written() {
    let migration =
        of("{exact: /a, methods: [GET, POST], queryParameters: [{name: q, value: '1'}]}", "{}");
    let matches = rule(&migration, 0)["matches"].as_array().unwrap();
    assert_eq!(matches.len(), 2);
    assert_eq!(matches[1]["method"], "POST");
    assert_eq!(matches[0]["queryParams"][0], json!({"type": "Exact", "name": "q", "value": "1"}));
    let migration =
        of("{regex: '/a/[0-9]+', headers: [{name: n, value: 'a.*', regex: true}]}", "{}");
    let path = &rule(&migration, 0)["matches"][0];
    assert_eq!(path["path"], json!({"type": "RegularExpression", "value": "/a/[0-9]+"}));
    assert_eq!(path["headers"][0]["type"], "RegularExpression");
    assert!(!kinds(&migration).contains(&Kind::Answer), "{:#?}", migration.differences);
}

#[test]
fn a_replaced_prefix_has_a_rule_for_each_method() {
    let migration = of("{prefix: /a, methods: [GET, POST]}", "{prefixRewrite: /z}");
    assert_eq!(migration.not_carried, []);
    assert_eq!(rule(&migration, 0)["matches"].as_array().map(Vec::len), Some(1));
    assert_eq!(rule(&migration, 1)["matches"][0]["method"], "POST");
}

#[test]
fn redirects_become_filters_and_a_location_that_differs_is_shown() {
    let redirect = |action: &str| {
        let routes =
            format!("    - matchers: [{{prefix: /old}}]\n      redirectAction: {action}\n");
        migrated(&with(&routes, "", ""), Profile::EnvoyGateway)
    };
    let migration = redirect("{hostRedirect: other.example.com, responseCode: FOUND}");
    assert_eq!(migration.not_carried, []);
    let filter = &rule(&migration, 0)["filters"][0];
    assert_eq!(
        filter["requestRedirect"],
        json!({"hostname": "other.example.com", "statusCode": 302})
    );
    let migration = redirect("{prefixRewrite: /new, responseCode: PERMANENT_REDIRECT}");
    let path = &rule(&migration, 0)["filters"][0]["requestRedirect"]["path"];
    assert_eq!(path["replacePrefixMatch"], "/new");
    let migration = redirect("{pathRedirect: /new, stripQuery: true}");
    assert_eq!(migration.not_carried[0].code, Cause::Route);
    assert!(migration.not_carried[0].why.starts_with("a redirect that drops the query"));
}

#[test]
fn what_no_rule_does_is_named_with_what_the_gateway_has_for_it() {
    let direct =
        "    - matchers: [{prefix: /a}]\n      directResponseAction: {status: 200, body: ok}\n";
    let migration = migrated(&with(direct, "", ""), Profile::Kgateway);
    let lack = &migration.not_carried[0];
    assert_eq!((lack.code, lack.field.as_str()), (Cause::Route, "spec.virtualHost.routes[0]"));
    assert!(lack.next.contains("DirectResponse"), "{}", lack.next);
    for options in [
        "{cors: {allowOriginRegex: ['.*']}}",
        "{faults: {abort: {percentage: 50, httpStatus: 503}}}",
        "{regexRewrite: {pattern: {regex: a}, substitution: b}}",
        "{headerManipulation: {requestHeadersToAdd: [{header: {key: a, value: '%REQ(host)%'}}]}}",
    ] {
        let migration = of("{prefix: /a}", options);
        assert_eq!(migration.not_carried[0].code, Cause::Route, "{options}");
        assert!(migration.objects.iter().all(|it| it["kind"] != "HTTPRoute"), "{options}");
    }
}

#[test]
fn what_is_inherited_is_carried_over_too() {
    let table = "---
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {name: table, namespace: gloo-system}
spec:
  routes:
  - matchers: [{prefix: /a/b}]
    inheritableMatchers: true
    routeAction: {single: {upstream: {name: echo, namespace: gloo-system}, subset: {values: {version: v1}}}}
";
    let routes = "    - matchers: [{prefix: /a, headers: [{name: x, value: '1'}], methods: [GET]}]
      options: {timeout: 7s}
      delegateAction: {ref: {name: table, namespace: gloo-system}}
";
    let text =
        with(routes, "    options: {headerManipulation: {requestHeadersToRemove: [y]}}", table);
    let migration = migrated(&text, Profile::Kgateway);
    assert_eq!(migration.not_carried, []);
    let rule = &object(&migration, "HTTPRoute", "table")["spec"]["rules"][0];
    assert_eq!(rule["timeouts"]["request"], "7s");
    assert_eq!(rule["matches"][0]["method"], "GET");
    assert_eq!(rule["matches"][0]["headers"][0]["name"], "x");
    assert_eq!(rule["filters"][0]["requestHeaderModifier"], json!({"remove": ["y"]}));
}

#[test]
fn an_upstream_group_becomes_weights() {
    let group = "---
apiVersion: gloo.solo.io/v1
kind: UpstreamGroup
metadata: {name: group, namespace: gloo-system}
spec:
  destinations:
  - {weight: 3, destination: {upstream: {name: echo, namespace: gloo-system}, subset: {values: {version: v1}}}}
  - {weight: 1, destination: {upstream: {name: echo, namespace: gloo-system}, subset: {values: {version: v2}}}}
";
    let routes = "    - matchers: [{prefix: /}]
      routeAction: {upstreamGroup: {name: group, namespace: gloo-system}}
";
    let migration = migrated(&with(routes, "", group), Profile::Kgateway);
    assert_eq!(migration.not_carried, []);
    let backends = &rule(&migration, 0)["backendRefs"];
    assert_eq!([&backends[0]["weight"], &backends[1]["weight"]], [3, 1]);
}

#[test]
fn several_virtual_services_keep_their_hosts() {
    let other = with(&route("{prefix: /}", "{}"), "", "").replace(SERVICE, "---");
    let other =
        other.replace("name: app", "name: other").replace("app.example.com", "'*.example.org'");
    let text = format!("{}{other}", with(&route("{prefix: /}", "{}"), "", ""));
    let migration = migrated(&text, Profile::EnvoyGateway);
    let hosts = |name: &str| object(&migration, "HTTPRoute", name)["spec"]["hostnames"].clone();
    assert_eq!(
        (hosts("app"), hosts("other")),
        (json!(["app.example.com"]), json!(["*.example.org"]))
    );
    assert!(!kinds(&migration).contains(&Kind::Answer), "{:#?}", migration.differences);
}

#[test]
fn routes_behind_tls_are_named_and_not_written_for_the_plain_port() {
    let text = with(&route("{prefix: /}", "{}"), "", "");
    let text = text.replace(
        "spec:\n  virtualHost",
        "spec:\n  sslConfig: {secretRef: {name: a, namespace: b}}\n  virtualHost",
    );
    let migration = migrated(&text, Profile::Kgateway);
    let lack = &migration.not_carried[0];
    assert_eq!((lack.code, lack.field.as_str()), (Cause::Tls, "spec.sslConfig"));
    assert!(migration.objects.iter().all(|it| it["kind"] != "HTTPRoute"));
}

#[test]
fn what_the_gateway_of_gloo_keeps_out_is_named() {
    let gateway = "---
apiVersion: gateway.solo.io/v1
kind: Gateway
metadata: {name: gateway-proxy, namespace: gloo-system}
spec:
  bindAddress: '::'
  bindPort: 8080
  useProxyProto: false
  httpGateway: {options: {waf: {disabled: false}}}
";
    let migration = migrated(&with(&route("{prefix: /}", "{}"), "", gateway), Profile::Kgateway);
    let fields: Vec<&str> = migration.not_carried.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, ["spec.httpGateway.options"]);
}
