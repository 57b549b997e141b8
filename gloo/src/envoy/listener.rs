use serde_json::{Value, json};

use super::json::{TYPE, response, typed};
use super::routes;
use crate::config::CLUSTER_FALLBACK;
use crate::translate::{Replacement, Translation};

const FALLBACK: &str = "fallback_listener_for_invalid_routes";

/// The LDS file: the Gateway's listener on `address` and `port`, which reads its routes from the file
/// `routes`; and, where routes were replaced, the one that answers for them. Empty if nothing is
/// served.
pub fn listeners(translation: &Translation, address: &str, port: u16, routes: &str) -> Value {
    let mut resources = Vec::new();
    if let Some(listener) = &translation.listener {
        let manager = json!({
            "stat_prefix": "http",
            "normalize_path": true,
            "upgrade_configs": [{ "upgrade_type": "websocket" }],
            "rds": {
                "route_config_name": routes::name(listener),
                "config_source": {
                    "path_config_source": { "path": routes },
                    "resource_api_version": "V3",
                },
            },
            "http_filters": filters(translation),
        });
        resources.push(typed(
            "config.listener.v3.Listener",
            json!({
                "name": listener.name,
                "address": {
                    "socket_address": { "address": address, "port_value": port },
                },
                "filter_chains": [chain(manager)],
            }),
        ));
    }
    resources.extend(translation.replacement.as_ref().map(replacement));
    response(resources)
}

fn chain(manager: Value) -> Value {
    let kind = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    json!({ "filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": typed(kind, manager),
    }] })
}

/// The filters that some route needs, and the router.
fn filters(translation: &Translation) -> Vec<Value> {
    let hosts = &translation.virtual_hosts;
    let mut routes = hosts.iter().flat_map(|host| &host.routes);
    let fault = routes.clone().any(|route| route.fault.is_some());
    let cors = hosts.iter().any(|host| host.cors.is_some()) || routes.any(|r| r.cors.is_some());
    let used = [("fault", "HTTPFault", fault), ("cors", "Cors", cors), ("router", "Router", true)];
    let used = used.into_iter().filter(|(.., used)| *used);
    used.map(|(name, kind, _)| filter(name, kind)).collect()
}

fn filter(name: &str, kind: &str) -> Value {
    json!({
        "name": format!("envoy.filters.http.{name}"),
        "typed_config": { "@type": format!("{TYPE}.extensions.filters.http.{name}.v3.{kind}") },
    })
}

/// Where the fallback cluster and its listener meet: an abstract socket.
pub(super) fn replacement_address() -> Value {
    json!({ "pipe": { "path": format!("@{FALLBACK}") } })
}

fn replacement(replacement: &Replacement) -> Value {
    let manager = json!({
        "stat_prefix": FALLBACK,
        "route_config": {
            "name": "fallback_routes",
            "virtual_hosts": [{
                "name": "fallback_virtualhost",
                "domains": ["*"],
                "routes": [{
                    "match": { "prefix": "/" },
                    "direct_response": {
                        "status": replacement.status,
                        "body": { "inline_string": replacement.body },
                    },
                }],
            }],
        },
        "http_filters": [filter("router", "Router")],
    });
    typed(
        "config.listener.v3.Listener",
        json!({
            "name": FALLBACK,
            "address": replacement_address(),
            "filter_chains": [chain(manager)],
        }),
    )
}

/// The cluster that leads to it.
pub(super) fn replacement_cluster() -> Value {
    json!({
        "name": CLUSTER_FALLBACK,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": CLUSTER_FALLBACK,
            "endpoints": [{ "lb_endpoints": [{
                "endpoint": { "address": replacement_address() },
            }] }],
        },
    })
}
