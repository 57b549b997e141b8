//! What is written is what Gloo reads: every value comes back as it was, in Gloo's own form.

mod generated;
mod recorded;

use gloo::api::{
    Destination, KubeUpstream, Matcher, Route, RouteAction, RouteOptions, RouteTableSpec,
    Shadowing, SubsetSelector, SubsetSpec, UpstreamSpec, VirtualHost, VirtualServiceSpec,
    WeightedDestination,
};
use gloo::{ResourceRef, api};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The value as it is written, and as it is read again from that.
fn there_and_back<T: Serialize + DeserializeOwned>(value: &T) -> (Value, T) {
    let written = serde_json::to_value(value).expect("a value that can be written");
    let text = serde_json::to_string(value).expect("a value that can be written");
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), written);
    let read = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    (written, read)
}

fn echo() -> ResourceRef {
    ResourceRef::new("echo", "echo")
}

fn version(version: &str) -> Destination {
    Destination::subset(echo(), [("version".to_owned(), version.to_owned())].into())
}

fn weighted(destination: Destination, weight: u32) -> WeightedDestination {
    WeightedDestination { destination: Some(destination), weight: Some(weight), options: None }
}

/// The order of the fields counts too: it is the one in which people and renderers have long written them.
#[track_caller]
fn assert_written(value: &impl Serialize, expected: &Value) {
    let written = serde_json::to_string_pretty(value).expect("a value that can be written");
    assert_eq!(written, serde_json::to_string_pretty(expected).expect("JSON"));
}

#[test]
fn a_route_table_is_written_as_somebody_would_write_it() {
    let header = api::HeaderMatcher {
        name: "stage".into(),
        value: "canary".into(),
        ..api::HeaderMatcher::default()
    };
    let canary = Route {
        matchers: vec![Matcher { headers: vec![header], ..Matcher::prefix("/echo") }],
        route_action: Some(Box::new(RouteAction::single(version("v2")))),
        ..Route::default()
    };
    let shift = RouteAction::multi(vec![weighted(version("v1"), 100), weighted(version("v2"), 0)]);
    let main = Route {
        matchers: vec![Matcher::prefix("/echo")],
        route_action: Some(Box::new(shift)),
        ..Route::default()
    };
    let to = |version: &str| {
        json!({
            "upstream": { "name": "echo", "namespace": "echo" },
            "subset": { "values": { "version": version } },
        })
    };
    assert_written(
        &RouteTableSpec { routes: vec![canary, main], weight: None },
        &json!({ "routes": [
            {
                "matchers": [
                    { "headers": [{ "name": "stage", "value": "canary" }], "prefix": "/echo" },
                ],
                "routeAction": { "single": to("v2") },
            },
            {
                "matchers": [{ "prefix": "/echo" }],
                "routeAction": { "multi": { "destinations": [
                    { "destination": to("v1"), "weight": 100 },
                    { "destination": to("v2"), "weight": 0 },
                ] } },
            },
        ] }),
    );
}

#[test]
fn a_virtual_service_is_written_without_what_is_empty() {
    let host = VirtualHost { domains: vec!["a.example".into()], ..VirtualHost::default() };
    let spec = VirtualServiceSpec { virtual_host: Some(host), ..VirtualServiceSpec::default() };
    assert_written(&spec, &json!({ "virtualHost": { "domains": ["a.example"] } }));
    assert_written(&VirtualServiceSpec::default(), &json!({}));
    assert_written(&RouteTableSpec::default(), &json!({}));
}

#[test]
fn an_upstream_is_written_with_further_fields_as_they_are() {
    let kube = KubeUpstream {
        service_name: "echo".into(),
        service_namespace: "echo".into(),
        service_port: 80,
        selector: [("app".to_owned(), "echo".to_owned())].into(),
        subset_spec: Some(SubsetSpec {
            selectors: vec![SubsetSelector { keys: vec!["version".into()], ..Default::default() }],
            fallback_policy: api::FallbackPolicy::NoFallback,
            default_subset: None,
        }),
        ..KubeUpstream::default()
    };
    let further = json!({ "connectionConfig": { "connectTimeout": "1000ms" }, "loadBalancer": {} });
    let extra = further.as_object().cloned().unwrap_or_default();
    let spec = UpstreamSpec { kube: Some(kube), extra, ..UpstreamSpec::default() };
    assert_written(
        &spec,
        &json!({
            "connectionConfig": { "connectTimeout": "1000ms" },
            "loadBalancer": {},
            "kube": {
                "selector": { "app": "echo" },
                "serviceName": "echo",
                "serviceNamespace": "echo",
                "servicePort": 80,
                "subsetSpec": {
                    "selectors": [{ "keys": ["version"] }],
                    "fallbackPolicy": "NO_FALLBACK",
                },
            },
        }),
    );
    let read: UpstreamSpec = serde_json::from_value(further).expect("an Upstream");
    assert!(read.connection_config.is_some() && read.extra.is_empty(), "{read:?}");
}

/// Options that this crate does not know, or that nobody has read, keep their order and their form.
#[test]
fn options_are_passed_on_as_they_are() {
    let given = json!({ "zeta": { "b": 1, "a": null }, "timeout": "5000ms", "alpha": [] });
    let given: Map<String, Value> = given.as_object().cloned().unwrap_or_default();
    let unread = RouteOptions::from(given.clone());
    assert_written(&unread, &json!(given));
    let shadowing = Shadowing { upstream: Some(echo()), percentage: 25.0, ..Shadowing::default() };
    let options = RouteOptions { shadowing: Some(shadowing), ..unread };
    let written = serde_json::to_value(&options).expect("options");
    let upstream = json!({ "name": "echo", "namespace": "echo" });
    assert_eq!(written["shadowing"], json!({ "upstream": upstream, "percentage": 25 }));
    let read: RouteOptions = serde_json::from_value(written).expect("options");
    assert_eq!(read.timeout, Some(api::Duration::from_millis(5_000)));
    assert_eq!(Vec::from_iter(read.unsupported.keys()), ["zeta", "alpha"]);
}

#[test]
fn a_percentage_is_written_with_the_digits_it_was_read_with() {
    for number in ["0.1", "25", "33.3", "100", "16777216", "1e-7"] {
        let text = format!("{{\"percentage\":{number}}}");
        let read: Shadowing = serde_json::from_str(&text).expect("a shadowing");
        let written = serde_json::to_value(read).expect("a shadowing");
        let expected: Value = serde_json::from_str(number).expect("a number");
        assert_eq!(written["percentage"], expected, "{number}");
    }
}
