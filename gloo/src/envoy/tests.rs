use serde_json::{Value, json};

use super::*;
use crate::{Memory, Snapshot, Translation, translate};

/// A Service with a pod, a static Upstream, and a VirtualService with a route to each of them and one to an Upstream that
/// is not there. `options` has those of its last `route` and of the whole `host`.
fn translation(settings: &Value, options: &Value) -> Translation {
    let mut snapshot = Snapshot::default();
    let mut put = |kind: &str, name: &str, rest: Value| {
        let mut object = rest;
        object["kind"] = kind.into();
        object["metadata"]["namespace"] = "gloo-system".into();
        object["metadata"]["name"] = name.into();
        snapshot.upsert(&object);
    };
    put("Settings", "default", json!({ "spec": settings }));
    let address = json!({ "bindAddress": "127.0.0.1", "bindPort": 8080, "httpGateway": {} });
    put("Gateway", "gateway-proxy", json!({ "spec": address }));
    let kube = json!({ "serviceName": "echo", "serviceNamespace": "gloo-system", "servicePort": 80,
        "subsetSpec": { "selectors": [{ "keys": ["version"] }], "fallbackPolicy": "NO_FALLBACK" } });
    let breakers =
        json!({ "maxConnections": 5, "maxPendingRequests": 6, "maxRequests": 7, "maxRetries": 8 });
    put("Upstream", "echo", json!({ "spec": { "kube": kube, "circuitBreakers": breakers } }));
    put("Service", "echo", json!({ "spec": { "ports": [{ "name": "http", "port": 80 }] } }));
    let target = json!({ "kind": "Pod", "namespace": "gloo-system", "name": "echo-1" });
    let subset = json!({ "addresses": [{ "ip": "10.0.0.1", "targetRef": target }],
        "ports": [{ "name": "http", "port": 8080 }] });
    put("Endpoints", "echo", json!({ "subsets": [subset] }));
    let labels = json!({ "labels": { "version": "v1" } });
    put("Pod", "echo-1", json!({ "metadata": labels, "status": { "podIP": "10.0.0.1" } }));
    let hosts = json!([{ "addr": "10.0.0.9", "port": 90 }]);
    put("Upstream", "vm", json!({ "spec": { "static": { "hosts": hosts } } }));
    let to = |prefix: &str, name: &str| {
        json!({ "matchers": [{ "prefix": prefix }],
            "routeAction": { "single": { "upstream": { "name": name } } } })
    };
    let mut echo = to("/", "echo");
    echo["options"] = options["route"].clone();
    let routes = [to("/vm", "vm"), to("/lost", "lost"), echo];
    let host = json!({ "domains": ["app.example"], "routes": routes, "options": options["host"] });
    put("VirtualService", "app", json!({ "spec": { "virtualHost": host } }));
    translate(&snapshot, &Memory::default())
}

/// The resources of a file, by name.
fn named<'a>(file: &'a Value, name: &str) -> &'a Value {
    let resources = file["resources"].as_array().expect("resources");
    let found = resources.iter().find(|it| it["name"] == name || it["cluster_name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {file}"))
}

const MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// The HTTP connection manager of a listener.
fn manager(listener: &Value) -> &Value {
    let filter = &listener["filter_chains"][0]["filters"][0];
    assert_eq!(filter["name"], "envoy.filters.network.http_connection_manager");
    assert_eq!(filter["typed_config"]["@type"], MANAGER);
    &filter["typed_config"]
}

/// An HTTP filter without settings.
fn filter(name: &str, kind: &str) -> Value {
    let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{name}.v3.{kind}");
    json!({ "name": format!("envoy.filters.http.{name}"), "typed_config": { "@type": kind } })
}

#[test]
fn the_listener_reads_its_routes_from_a_file() {
    let all = translation(&json!({}), &json!({}));
    let file = listeners(&all, "gateway-proxy", "/etc/routes/");
    assert_eq!(file["resources"].as_array().map(Vec::len), Some(1));
    let listener = named(&file, "listener-127.0.0.1-8080");
    assert_eq!(listener["@type"], "type.googleapis.com/envoy.config.listener.v3.Listener");
    let address = json!({ "address": "127.0.0.1", "port_value": 8080 });
    assert_eq!(listener["address"]["socket_address"], address);
    let manager = manager(listener);
    let source = json!({ "path_config_source": { "path": "/etc/routes/listener-127.0.0.1-8080-routes.json" }, "resource_api_version": "V3" });
    let rds =
        json!({ "route_config_name": "listener-127.0.0.1-8080-routes", "config_source": source });
    assert_eq!((&manager["rds"], &manager["normalize_path"]), (&rds, &json!(true)));
    assert_eq!(manager["http_filters"], json!([filter("router", "Router")]));
    let served = routes(&all.routes[0]);
    let configuration = named(&served, "listener-127.0.0.1-8080-routes");
    let kind = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
    assert_eq!(configuration["@type"], kind);
    assert_eq!(configuration["virtual_hosts"][0]["name"], "gloo-system_app");
    let nothing = translate(&Snapshot::default(), &Memory::default());
    let empty = json!({ "resources": [] });
    assert_eq!(listeners(&nothing, "gateway-proxy", "/etc/routes"), empty);
    assert_eq!((clusters(&nothing, "/etc"), nothing.routes), (empty, Vec::new()));
}

#[test]
fn only_filters_that_a_route_or_a_virtual_host_needs_are_there() {
    let filters = |options: Value| {
        let file = listeners(&translation(&json!({}), &options), "gateway-proxy", "/etc/routes");
        manager(named(&file, "listener-127.0.0.1-8080"))["http_filters"].clone()
    };
    let (router, fault, cors) =
        (filter("router", "Router"), filter("fault", "HTTPFault"), filter("cors", "Cors"));
    let abort = json!({ "faults": { "abort": { "percentage": 10, "httpStatus": 503 } } });
    let origins = json!({ "cors": { "allowOrigin": ["*"] } });
    assert_eq!(filters(json!({ "route": abort })), json!([fault, router]));
    assert_eq!(filters(json!({ "route": origins })), json!([cors, router]));
    assert_eq!(filters(json!({ "host": origins })), json!([cors, router]));
    assert_eq!(filters(json!({ "host": origins, "route": abort })), json!([fault, cors, router]));
}

#[test]
fn a_cluster_of_a_service_has_its_endpoints_in_a_file_of_its_own() {
    let all = translation(&json!({}), &json!({}));
    for directory in ["/etc/endpoints", "/etc/endpoints/"] {
        let file = clusters(&all, directory);
        let source = json!({ "path": "/etc/endpoints/echo_gloo-system.json" });
        let source = json!({ "path_config_source": source, "resource_api_version": "V3" });
        let limits = json!({ "max_connections": 5, "max_pending_requests": 6, "max_requests": 7, "max_retries": 8 });
        let expected = json!({
            "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            "name": "echo_gloo-system",
            "type": "EDS",
            "connect_timeout": "5s",
            "lb_subset_config": { "subset_selectors": [{ "keys": ["version"] }] },
            "circuit_breakers": { "thresholds": [limits] },
            "eds_cluster_config": { "eds_config": source },
        });
        assert_eq!(named(&file, "echo_gloo-system"), &expected);
    }
    let files = endpoints(&all);
    assert!(files.keys().eq(["echo_gloo-system.json"]), "{files:?}");
    let address = json!({ "address": "10.0.0.1", "port_value": 8080 });
    let endpoint = json!({
        "endpoint": { "address": { "socket_address": address } },
        "metadata": { "filter_metadata": { "envoy.lb": { "version": "v1" } } },
    });
    let expected = json!({
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": "echo_gloo-system",
        "endpoints": [{ "lb_endpoints": [endpoint] }],
    });
    assert_eq!(named(&files["echo_gloo-system.json"], "echo_gloo-system"), &expected);
}

#[test]
fn a_static_cluster_has_its_endpoints_in_itself() {
    let file = clusters(&translation(&json!({}), &json!({})), "/etc");
    let cluster = named(&file, "vm_gloo-system");
    assert_eq!((&cluster["type"], cluster.get("eds_cluster_config")), (&json!("STATIC"), None));
    let assignment = &cluster["load_assignment"];
    assert_eq!(assignment["cluster_name"], "vm_gloo-system");
    let endpoint = &assignment["endpoints"][0]["lb_endpoints"][0]["endpoint"];
    let address = json!({ "address": "10.0.0.9", "port_value": 90 });
    let expected = json!({ "hostname": "10.0.0.9", "address": { "socket_address": address } });
    assert_eq!(endpoint, &expected);
    let clusters = file["resources"].as_array().map(Vec::len);
    assert_eq!(clusters, Some(2), "nothing stands in for invalid routes");
}

#[test]
fn replaced_routes_lead_to_a_listener_that_answers_for_them() {
    let policy = json!({ "replaceInvalidRoutes": true, "invalidRouteResponseCode": 404,
        "invalidRouteResponseBody": "gone" });
    let all = translation(&json!({ "gloo": { "invalidConfigPolicy": policy } }), &json!({}));
    let served = routes(&all.routes[0]);
    let lost = &served["resources"][0]["virtual_hosts"][0]["routes"][1];
    assert_eq!(lost["match"]["prefix"], "/lost");
    assert_eq!(lost["route"]["cluster"], "fallback_cluster_for_invalid_routes");
    let file = clusters(&all, "/etc");
    let cluster = named(&file, "fallback_cluster_for_invalid_routes");
    assert_eq!(cluster["@type"], "type.googleapis.com/envoy.config.cluster.v3.Cluster");
    let endpoint = &cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
    let pipe = json!({ "pipe": { "path": "@fallback_listener_for_invalid_routes" } });
    assert_eq!(endpoint["address"], pipe);
    let file = listeners(&all, "gateway-proxy", "/etc/routes/");
    let listener = named(&file, "fallback_listener_for_invalid_routes");
    assert_eq!(listener["address"], pipe);
    let manager = manager(listener);
    assert_eq!(manager["http_filters"], json!([filter("router", "Router")]));
    let answer = json!({ "status": 404, "body": { "inline_string": "gone" } });
    let host = &manager["route_config"]["virtual_hosts"][0];
    assert_eq!(host["domains"], json!(["*"]));
    assert_eq!(host["routes"], json!([{ "match": { "prefix": "/" }, "direct_response": answer }]));
}
