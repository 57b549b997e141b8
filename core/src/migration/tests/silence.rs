//! Nothing is left out in silence: what the routes name and what stands deep in them.

use serde_json::json;

use super::super::{Cause, Kind, Migration, NotCarried};
use super::carried::TEAMS;
use super::options::{of, route, with};
use super::{migrated, object};
use crate::values::Profile;

fn found<'a>(migration: &'a Migration, words: &str) -> &'a NotCarried {
    let mut all = migration.not_carried.iter();
    let has = |it: &&NotCarried| it.field.contains(words) || it.object.contains(words);
    all.find(has).unwrap_or_else(|| panic!("no {words} in {:#?}", migration.not_carried))
}

fn several(options: &str) -> String {
    let destination = |version: &str, options: &str| {
        format!(
            "          - {{weight: 1, destination: {{upstream: {{name: echo, namespace: gloo-system}}, \
             subset: {{values: {{version: {version}}}}}}}{options}}}\n"
        )
    };
    format!(
        "    - matchers: [{{prefix: /}}]\n      routeAction:\n        multi:\n          destinations:\n{}{}",
        destination("v1", ""),
        destination("v2", options)
    )
}

#[test]
fn options_of_one_of_several_destinations_are_named_and_keep_their_object_out() {
    for option in ["extauth: {configRef: {name: a}}", "csrf: {}", "unheardOf: 1"] {
        let routes = several(&format!(", options: {{{option}}}"));
        let migration = migrated(&with(&routes, "", ""), Profile::Kgateway);
        let key = option.split(':').next().unwrap();
        found(&migration, key);
        assert!(migration.objects.iter().all(|it| it["kind"] != "HTTPRoute"), "{option}");
    }
}

#[test]
fn options_that_are_named_and_not_read_are_named() {
    let reference =
        "optionsConfigRefs: {delegateOptions: [{name: shared, namespace: gloo-system}]}";
    let text = route("{prefix: /}", "{}").replace("options: {}", reference);
    let migration = migrated(&with(&text, "", ""), Profile::Kgateway);
    let lack = found(&migration, "spec.virtualHost.routes[0].optionsConfigRefs.delegateOptions[0]");
    assert_eq!(lack.code, Cause::Guard);
    assert!(lack.why.starts_with("RouteOption gloo-system/shared is not"), "{}", lack.why);
    assert!(migration.objects.iter().all(|it| it["kind"] != "HTTPRoute"));
    let host = format!("    {reference}");
    let migration = migrated(&with(&route("{prefix: /}", "{}"), &host, ""), Profile::Kgateway);
    let lack = found(&migration, "spec.virtualHost.optionsConfigRefs.delegateOptions[0]");
    assert!(lack.why.starts_with("VirtualHostOption gloo-system/shared is not"), "{}", lack.why);
    assert!(migration.objects.iter().all(|it| it["kind"] != "HTTPRoute"));
    let option = "---
apiVersion: gateway.solo.io/v1
kind: RouteOption
metadata: {name: shared, namespace: gloo-system}
spec: {options: {timeout: 3s}}
";
    let migration = migrated(&with(&text, "", option), Profile::Kgateway);
    assert_eq!(migration.not_carried, []);
}

#[test]
fn a_table_that_is_named_and_not_read_is_named() {
    let start = TEAMS.rfind("---\n").unwrap();
    let migration = migrated(&TEAMS[..start], Profile::Kgateway);
    let lack = found(&migration, "spec.virtualHost.routes[0].delegateAction");
    assert!(lack.why.starts_with("RouteTable foxtrot/foxtrot is not among"), "{}", lack.why);
    object(&migration, "HTTPRoute", "echo-routes");
}

#[test]
fn a_host_that_another_gateway_alone_serves_is_named() {
    let gateway = |name: &str, port: u16, label: &str| {
        format!(
            "---
apiVersion: gateway.solo.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: gloo-system}}
spec:
  bindAddress: '::'
  bindPort: {port}
  httpGateway: {{virtualServiceSelector: {{for: {label}}}}}
"
        )
    };
    let labelled = |label: &str, name: &str, host: &str| {
        with(&route("{prefix: /}", "{}"), "", "")
            .replace(
                "name: app, namespace",
                &format!("name: {name}, labels: {{for: {label}}}, namespace"),
            )
            .replace("app.example.com", host)
    };
    let inner = labelled("inner", "inner", "inner.example.com");
    let inner = inner.replace(super::articles::SERVICE, "---\n");
    let text = format!(
        "{}{inner}{}{}",
        labelled("all", "app", "app.example.com"),
        gateway("a", 8080, "all"),
        gateway("b", 8081, "inner")
    );
    let migration = migrated(&text, Profile::Kgateway);
    object(&migration, "HTTPRoute", "app");
    assert_eq!(found(&migration, "VirtualService gloo-system/inner").code, Cause::Route);
}

#[test]
fn headers_for_clients_are_compared_too() {
    let host = |edits: &str| format!("    options: {{headerManipulation: {{{edits}}}}}");
    let text = |of_route: &str, of_host: &str| {
        let options = format!("{{headerManipulation: {{{of_route}}}}}");
        with(&route("{prefix: /}", &options), &host(of_host), "")
    };
    let add = "responseHeadersToAdd: [{header: {key: a, value: '1'}}]";
    let set = "responseHeadersToAdd: [{header: {key: A, value: '2'}, append: false}]";
    let replaced = json!({"set": [{"name": "A", "value": "2"}]});
    for (of_route, of_host, expected) in [
        (add, "responseHeadersToRemove: [a]", json!({"remove": ["a"]})),
        (set, "responseHeadersToRemove: [a]", json!({"remove": ["a"]})),
        (add, set, replaced.clone()),
        ("responseHeadersToRemove: [a]", set, {
            let mut both = replaced;
            both["remove"] = json!(["a"]);
            both
        }),
        (
            set,
            add,
            json!({"set": [{"name": "A", "value": "2"}], "add": [{"name": "a", "value": "1"}]}),
        ),
    ] {
        for profile in [Profile::Kgateway, Profile::EnvoyGateway] {
            let migration = migrated(&text(of_route, of_host), profile);
            assert_eq!(migration.not_carried, [], "{of_route} {of_host}");
            let filter = &object(&migration, "HTTPRoute", "app")["spec"]["rules"][0]["filters"][0];
            assert_eq!(filter["responseHeaderModifier"], expected, "{of_route} {of_host}");
            let shown = migration.differences.iter().find(|it| it.kind == Kind::ResponseHeaders);
            // Envoy Gateway makes one change of each header.
            let is_one = filter["responseHeaderModifier"]["add"].is_array()
                && profile == Profile::EnvoyGateway;
            assert_eq!(shown.is_some(), is_one, "{profile}: {shown:?}");
            if let Some(shown) = shown {
                assert_eq!(
                    (shown.before.as_str(), shown.after.as_str()),
                    ("a: 1, a: 2", "a: 1, a: as the pod says")
                );
            }
        }
    }
}

#[test]
fn two_changes_of_one_header_that_no_filter_can_have_are_named() {
    let options = "{headerManipulation: {responseHeadersToAdd: [{header: {key: a, value: '1'}}, {header: {key: A, value: '2'}}]}}";
    let migration = of("{prefix: /}", options);
    let lack = found(&migration, "spec.virtualHost.routes[0]");
    assert!(lack.why.starts_with("two changes of the header A"), "{}", lack.why);
}

#[test]
fn a_preflight_request_of_another_origin_is_asked() {
    let cors = "{cors: {allowOrigin: ['https://a.example'], allowMethods: [GET]}}";
    for profile in [Profile::Kgateway, Profile::EnvoyGateway] {
        let migration = migrated(&with(&route("{prefix: /}", cors), "", ""), profile);
        let shown = migration.differences.iter().find(|it| it.kind == Kind::Preflight).unwrap();
        assert!(shown.request.contains("'origin: https://elsewhere.example'"), "{shown:#?}");
        assert_eq!(
            (shown.before.as_str(), shown.after.as_str()),
            ("Service echo/echo version=v1", "200")
        );
    }
    let migration = of("{prefix: /}", "{cors: {allowOrigin: ['https://*.example.com']}}");
    let lack = found(&migration, "spec.virtualHost.routes[0]");
    assert!(lack.why.starts_with("the origin https://*.example.com"), "{}", lack.why);
}

#[test]
fn a_field_that_nobody_knows_is_named_however_deep_it_stands() {
    let table = "RouteTable echo/echo-routes";
    for (from, to, object, field) in [
        (
            "headers: [{name: stage, value: canary}]",
            "header: [{name: stage, value: canary}]",
            table,
            "spec.routes[0].matchers[0].header",
        ),
        (
            "{name: stage, value: canary}",
            "{name: stage, valu: canary}",
            table,
            "spec.routes[0].matchers[0].headers[0].valu",
        ),
        (
            "subset: {values: {version: v2}}",
            "subset: {value: {version: v2}}",
            table,
            "spec.routes[0].routeAction.single.subset.value",
        ),
        (
            "subset: {values: {version: v2}}",
            "subsets: {values: {version: v2}}",
            table,
            "spec.routes[0].routeAction.single.subsets",
        ),
        (
            "selector: {labels: {apiGroup: example}",
            "selector: {matchLabels: {apiGroup: example}",
            "VirtualService gloo-system/app",
            "spec.virtualHost.routes[1].delegateAction.selector.matchLabels",
        ),
    ] {
        let text = TEAMS.replacen(from, to, 1);
        assert_ne!(text, TEAMS);
        let migration = migrated(&text, Profile::Kgateway);
        let lack = found(&migration, field);
        assert_eq!((lack.object.as_str(), lack.code), (object, Cause::Guard), "{to}");
        let is_of_it = |it: &serde_json::Value| it["metadata"]["name"] == "echo-routes";
        assert!(!migration.objects.iter().any(is_of_it), "{to}");
    }
}

#[test]
fn a_header_with_a_secret_is_named_whether_the_secret_is_read_or_not() {
    let secret = "---
apiVersion: v1
kind: Secret
metadata: {name: h, namespace: gloo-system}
stringData: {authorization: b}
";
    let options = "{headerManipulation: {requestHeadersToAdd: [{headerSecretRef: {name: h, namespace: gloo-system}}]}}";
    for more in ["", secret] {
        let text = with(&route("{prefix: /}", options), "", more);
        let migration = migrated(&text, Profile::Kgateway);
        assert_eq!(found(&migration, "headerSecretRef").code, Cause::Guard);
        assert!(migration.objects.iter().all(|it| it["kind"] != "HTTPRoute"));
    }
}

#[test]
fn options_of_an_upstream_groups_destination_are_named() {
    let group = "---
apiVersion: gloo.solo.io/v1
kind: UpstreamGroup
metadata: {name: group, namespace: gloo-system}
spec:
  destinations:
  - {weight: 1, destination: {upstream: {name: echo, namespace: gloo-system}}, options: {extauth: {disable: false}}}
";
    let routes = "    - matchers: [{prefix: /}]
      routeAction: {upstreamGroup: {name: group, namespace: gloo-system}}
";
    let migration = migrated(&with(routes, "", group), Profile::Kgateway);
    let lack = found(&migration, "spec.destinations[0].options.extauth");
    assert_eq!(lack.object, "UpstreamGroup gloo-system/group");
}
