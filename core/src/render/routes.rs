//! The RouteTable or VirtualService: which requests go to which version.

use serde_json::{Map, Value, json};

use super::upstream::shadowed;
use crate::values::{
    Binding, Canary, HeaderMatch, PathMatch, Service, Split, ValueMatch, Version, Weight, Workload,
};

pub(super) fn render(service: &Service) -> Value {
    let routes = routes(service);
    let (name, namespace) = (service.name.as_str(), service.namespace.as_str());
    match &service.routes.binding {
        Binding::ApiGroup(group) => json!({
            "apiVersion": "gateway.solo.io/v1",
            "kind": "RouteTable",
            "metadata": {
                "name": format!("{name}-routes"),
                "namespace": namespace,
                "labels": {"apiGroup": group},
            },
            "spec": {"routes": routes},
        }),
        Binding::Domains(domains) => json!({
            "apiVersion": "gateway.solo.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"virtualHost": {"domains": domains, "routes": routes}},
        }),
    }
}

/// Per path the header route, then the route for everybody else: Gloo takes the first that fits,
/// and does not look at headers where it sorts (gloo-conformance case 10-order-in-one-table).
fn routes(service: &Service) -> Vec<Value> {
    let mut routes = Vec::new();
    for path in &service.routes.paths {
        if let Some(canary) = &service.routes.canary
            && !canary.headers.is_empty()
        {
            routes.push(header_route(service, path, canary));
        }
        routes.push(main_route(service, path));
    }
    routes
}

fn header_route(service: &Service, path: &PathMatch, canary: &Canary) -> Value {
    let headers: Vec<Value> =
        canary.headers.iter().map(|(name, header)| header_matcher(name, header)).collect();
    let mut matcher = Map::from_iter([("headers".to_owned(), headers.into())]);
    matcher.extend(path_matcher(path));
    let action = json!({"single": destination(service, path, &canary.version)});
    route(matcher, action, options(service, path))
}

fn main_route(service: &Service, path: &PathMatch) -> Value {
    let routes = &service.routes;
    let action = match &routes.canary {
        None => json!({"single": destination(service, path, &routes.primary)}),
        // Both destinations stand there even while one has no share, so that the first shift
        // changes two numbers and nothing else.
        Some(canary) => {
            let weighted = |version, weight: Weight| json!({"destination": destination(service, path, version), "weight": weight.percent()});
            json!({"multi": {"destinations": [
                weighted(&routes.primary, canary.weight.rest()),
                weighted(&canary.version, canary.weight),
            ]}})
        }
    };
    let mut options = options(service, path);
    if let (Some(version), Some(canary)) = (shadowed(service), &routes.canary) {
        let shadowing = json!({"upstream": upstream_of(service, version), "percentage": canary.shadow.percent()});
        options.insert("shadowing".into(), shadowing);
    }
    route(path_matcher(path), action, options)
}

fn route(matcher: Map<String, Value>, action: Value, options: Map<String, Value>) -> Value {
    let mut route = json!({"matchers": [matcher], "routeAction": action});
    if !options.is_empty() {
        route["options"] = options.into();
    }
    route
}

/// The service's route options with the path's over them, key by key.
fn options(service: &Service, path: &PathMatch) -> Map<String, Value> {
    let mut options = service.routes.options.clone();
    options.extend(path.options.clone());
    options
}

fn path_matcher(path: &PathMatch) -> Map<String, Value> {
    let mut matcher =
        Map::from_iter([(path.path.kind().to_owned(), path.path.text().to_owned().into())]);
    if !path.methods.is_empty() {
        matcher.insert("methods".into(), json!(path.methods));
    }
    if !path.query_parameters.is_empty() {
        let parameters: Vec<Value> =
            path.query_parameters.iter().map(|(name, value)| value_matcher(name, value)).collect();
        matcher.insert("queryParameters".into(), parameters.into());
    }
    matcher
}

/// No value means that the header or parameter is there (gloo-conformance cases
/// 09-matcher-headers and 09-matcher-query).
fn value_matcher(name: &str, value: &ValueMatch) -> Value {
    match value {
        ValueMatch::Exact(text) => json!({"name": name, "value": text}),
        ValueMatch::Regex(text) => json!({"name": name, "value": text, "regex": true}),
        ValueMatch::Present => json!({"name": name}),
    }
}

fn header_matcher(name: &str, header: &HeaderMatch) -> Value {
    let mut matcher = value_matcher(name, &header.value);
    if header.invert {
        matcher["invertMatch"] = true.into();
    }
    matcher
}

fn destination(service: &Service, path: &PathMatch, version: &Version) -> Value {
    let mut destination = match service.routes.split {
        Split::Upstream => json!({"upstream": upstream_of(service, version)}),
        Split::Subset => json!({
            "upstream": {"name": service.name.as_str(), "namespace": service.namespace},
            "subset": {"values": {"version": version.as_str()}},
        }),
    };
    if let Some(rest) = &path.rest {
        destination["destinationSpec"] = json!({"rest": rest});
    }
    destination
}

/// The Upstream that holds this version alone.
fn upstream_of(service: &Service, version: &Version) -> Value {
    match service.versions.get(version) {
        Some(Workload::Upstream(upstream)) => {
            json!({"name": upstream.name, "namespace": upstream.namespace})
        }
        _ => json!({"name": service.version_name(version), "namespace": service.namespace}),
    }
}
