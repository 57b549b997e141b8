//! What holds for the objects of any service.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{owner, rendered, yaml};
use crate::labels::{INSTANCE, MANAGED_BY, REVISION, SERVICE};
use crate::render::{Rendered, render};
use crate::traffic::Traffic;
use crate::values::tests::properties::{reordered, valid_values};
use crate::values::tests::service;
use crate::values::{Service, Version};

fn objects(values: &Value) -> (Service, Rendered) {
    let service = service(&serde_yaml::to_string(values).unwrap());
    let rendered = render(&service, &Traffic::of(&service), &owner());
    (service, rendered)
}

fn routes(rendered: &Rendered) -> Vec<Value> {
    let object = rendered.routes[0].object();
    let spec = object.pointer("/spec/routes").or(object.pointer("/spec/virtualHost/routes"));
    spec.and_then(Value::as_array).expect("a list of routes").clone()
}

/// The destinations of a route.
fn destinations(route: &Value) -> Vec<&Value> {
    let action = &route["routeAction"];
    match action["multi"]["destinations"].as_array() {
        Some(weighted) => weighted.iter().map(|it| &it["destination"]).collect(),
        None => vec![&action["single"]],
    }
}

/// The version a destination leads to, read from the objects alone.
fn version_of(destination: &Value, rendered: &Rendered) -> Option<String> {
    if let Some(version) = destination["subset"]["values"]["version"].as_str() {
        let kube = rendered.upstreams.first()?.object().pointer("/spec/kube")?;
        return (kube["subsetSpec"]["selectors"][0]["keys"][0] == "version")
            .then(|| version.into());
    }
    let name = destination["upstream"]["name"].as_str()?;
    let upstream = rendered.upstreams.iter().find(|it| it.id().name == name)?;
    Some(upstream.object().pointer("/spec/kube/selector/version")?.as_str()?.to_owned())
}

/// The order in which Gloo puts these routes, named by their places, beside those of another table.
fn gloos_order(routes: &[Value]) -> Vec<usize> {
    let object = |kind: &str, name: &str, spec: Value| {
        json!({"apiVersion": "gateway.solo.io/v1", "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": "gloo-system", "labels": {"all": "true"}}})
    };
    let all = json!({"selector": {"labels": {"all": "true"}}});
    let other =
        json!([{"matchers": [{"prefix": "/other"}], "directResponseAction": {"status": 200}}]);
    let mut snapshot = gloo::Snapshot::new("gloo-system");
    for object in [
        object(
            "Gateway",
            "proxy",
            json!({"bindAddress": "::", "bindPort": 80, "httpGateway": {},
            "proxyNames": ["gateway-proxy"]}),
        ),
        object(
            "VirtualService",
            "app",
            json!({"virtualHost": {"domains": ["*"], "routes": [
            {"matchers": [{"prefix": "/"}], "delegateAction": all}]}}),
        ),
        object("RouteTable", "echo", json!({ "routes": routes })),
        object("RouteTable", "other", json!({ "routes": other })),
    ] {
        snapshot.upsert(&object);
    }
    let translation = gloo::translate(&snapshot, &gloo::Memory::default());
    let routes = translation.desired_hosts().flat_map(|host| &host.routes);
    let names = routes.filter(|route| route.holder.name == "echo").map(|route| &route.name);
    let place =
        |name: &String| name.split("_route:").last()?.split("-matcher").next()?.parse().ok();
    names.map(|name| place(name).expect("a place")).collect()
}

proptest! {
    #[test]
    fn the_same_values_give_the_same_text(values in valid_values()) {
        let text = serde_yaml::to_string(&values).unwrap();
        let other = serde_yaml::to_string(&reordered(&values)).unwrap();
        prop_assert_eq!(yaml(&rendered(&text)), yaml(&rendered(&other)));
    }

    #[test]
    fn every_destination_is_a_version_of_the_deployment(values in valid_values()) {
        let (service, rendered) = objects(&values);
        for route in routes(&rendered) {
            for destination in destinations(&route) {
                let external = destination["upstream"]["name"] == "vm";
                let version = version_of(destination, &rendered);
                let known = version.and_then(|version| Version::new(&version).ok());
                prop_assert!(
                    external || known.is_some_and(|known| service.versions.contains_key(&known)),
                    "{destination}"
                );
            }
        }
    }

    #[test]
    fn the_weights_of_a_route_are_a_hundred(values in valid_values()) {
        let (_, rendered) = objects(&values);
        for route in routes(&rendered) {
            if let Some(weighted) = route["routeAction"]["multi"]["destinations"].as_array() {
                let sum: u64 = weighted.iter().filter_map(|it| it["weight"].as_u64()).sum();
                prop_assert_eq!(sum, 100);
            }
        }
    }

    #[test]
    fn a_header_route_stands_right_before_the_route_it_is_an_exception_of(values in valid_values()) {
        let (service, rendered) = objects(&values);
        let routes = routes(&rendered);
        let matchers: Vec<_> = routes.iter().map(|route| route["matchers"][0].clone()).collect();
        let mut header_routes = 0;
        for (index, matcher) in matchers.iter().enumerate() {
            let mut path = matcher.clone();
            if path.as_object_mut().unwrap().shift_remove("headers").is_some() {
                header_routes += 1;
                prop_assert_eq!(Some(&path), matchers.get(index + 1));
            }
        }
        let tested = service.routes.canary.is_some_and(|canary| !canary.headers.is_empty());
        prop_assert_eq!(header_routes, if tested { service.routes.paths.len() } else { 0 });
    }

    #[test]
    fn routes_stand_as_gloo_sorts_them_beside_another_table(values in valid_values()) {
        let (_, rendered) = objects(&values);
        let named: Vec<Value> = routes(&rendered).into_iter().enumerate().map(|(index, mut route)| {
            route["name"] = index.to_string().into();
            route
        }).collect();
        prop_assert_eq!(gloos_order(&named), (0..named.len()).collect::<Vec<_>>());
    }

    #[test]
    fn every_object_is_marked_and_stands_once(values in valid_values()) {
        let (_, rendered) = objects(&values);
        let mut seen = BTreeSet::new();
        for manifest in rendered.iter() {
            let metadata = &manifest.object()["metadata"];
            prop_assert_eq!(&metadata["labels"][MANAGED_BY], "coalmine");
            prop_assert_eq!(&metadata["labels"][INSTANCE], "test");
            prop_assert_eq!(&metadata["labels"][SERVICE], "echo");
            prop_assert_eq!(&metadata["annotations"][REVISION], "abc123");
            prop_assert!(seen.insert(manifest.id().clone()), "{} twice", manifest.id());
        }
    }

    #[test]
    fn every_pod_is_marked_and_no_selector_holds_on_to_it(values in valid_values()) {
        let (_, rendered) = objects(&values);
        for manifest in &rendered.deployments {
            let spec = &manifest.object()["spec"];
            let labels = &spec["template"]["metadata"]["labels"];
            prop_assert_eq!(&labels[MANAGED_BY], "coalmine");
            prop_assert_eq!(&labels[INSTANCE], "test");
            prop_assert_eq!(&labels[SERVICE], "echo");
            let selector = spec["selector"]["matchLabels"].as_object().unwrap();
            prop_assert_eq!(selector.keys().collect::<Vec<_>>(), ["app", "version"]);
        }
    }

    #[test]
    fn every_upstream_that_a_route_names_is_rendered_or_external(values in valid_values()) {
        let (_, rendered) = objects(&values);
        let names: BTreeSet<_> = rendered.upstreams.iter().map(|it| it.id().name.as_str()).collect();
        for route in routes(&rendered) {
            let shadow = &route["options"]["shadowing"]["upstream"]["name"];
            let named = destinations(&route).into_iter().map(|it| &it["upstream"]["name"]);
            for name in named.chain([shadow]).filter_map(Value::as_str) {
                prop_assert!(name == "vm" || names.contains(name), "{name} of {names:?}");
            }
        }
    }
}
