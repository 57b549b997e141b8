use serde_json::{Value, json};

use super::json::{TYPE, compact, response, typed};
use super::tls;
use crate::config::{CLUSTER_FALLBACK, Chain, Listener, Serves, VirtualHost};
use crate::translate::{Replacement, Translation};

const FALLBACK: &str = "fallback_listener_for_invalid_routes";

/// The LDS file of a proxy: its listeners, which read their routes from files in the directory `routes`,
/// one for each route configuration; and, where routes were replaced, the one that answers for them.
pub fn listeners(translation: &Translation, proxy: &str, routes: &str) -> Value {
    let own = translation.listeners.iter().filter(|listener| listener.proxy == proxy);
    let mut resources: Vec<Value> =
        own.map(|listener| of_listener(translation, listener, routes)).collect();
    resources.extend(translation.replacement.as_ref().map(replacement));
    response(resources)
}

fn of_listener(translation: &Translation, listener: &Listener, routes: &str) -> Value {
    let chains = listener.chains.iter().map(|from| chain(translation, listener, from, routes));
    let chains: Vec<Value> = chains.collect();
    let looks_at_tls =
        listener.chains.iter().any(|it| it.tls.is_some() || !it.server_names.is_empty());
    let mut filters = Vec::new();
    if listener.proxy_protocol {
        filters.push(listener_filter("proxy_protocol", "ProxyProtocol"));
    }
    if looks_at_tls {
        filters.push(listener_filter("tls_inspector", "TlsInspector"));
    }
    let fields = compact(json!({
        "name": listener.name,
        "address": {
            "socket_address": { "address": listener.address, "port_value": listener.port },
        },
        "listener_filters": filters,
        "filter_chains": chains,
    }));
    typed("config.listener.v3.Listener", fields)
}

fn listener_filter(name: &str, kind: &str) -> Value {
    let config = json!({ "@type": format!("{TYPE}.extensions.filters.listener.{name}.v3.{kind}") });
    json!({ "name": format!("envoy.filters.listener.{name}"), "typed_config": config })
}

fn chain(translation: &Translation, listener: &Listener, from: &Chain, routes: &str) -> Value {
    let filter = match &from.serves {
        Serves::Routes(name) => {
            let mut hosts = translation.routes.iter();
            let hosts = hosts.find(|it| it.proxy == listener.proxy && it.name == *name);
            let hosts = hosts.map(|it| it.virtual_hosts.as_slice()).unwrap_or_default();
            let directory = routes.trim_end_matches('/');
            connection_manager(json!({
                "stat_prefix": "http",
                "normalize_path": true,
                "upgrade_configs": [{ "upgrade_type": "websocket" }],
                "rds": {
                    "route_config_name": name,
                    "config_source": {
                        "path_config_source": { "path": format!("{directory}/{name}.json") },
                        "resource_api_version": "V3",
                    },
                },
                "http_filters": filters(listener, hosts),
            }))
        }
        Serves::Clusters(clusters) => tcp_proxy(clusters),
    };
    let ranges: Vec<Value> = from
        .sources
        .iter()
        .map(|range| json!({ "address_prefix": range.address_prefix, "prefix_len": range.prefix_len }))
        .collect();
    let fits =
        compact(json!({ "server_names": from.server_names, "source_prefix_ranges": ranges }));
    compact(json!({
        "filter_chain_match": fits,
        "filters": [filter],
        "transport_socket": from.tls.as_ref().map(tls::downstream),
    }))
}

fn tcp_proxy(clusters: &[(String, u32)]) -> Value {
    let weighted = clusters.iter();
    let weighted: Vec<Value> =
        weighted.map(|(name, weight)| json!({ "name": name, "weight": weight })).collect();
    let destination = match clusters {
        [(name, _)] => json!({ "stat_prefix": "tcp", "cluster": name }),
        _ => json!({ "stat_prefix": "tcp", "weighted_clusters": { "clusters": weighted } }),
    };
    let kind = "extensions.filters.network.tcp_proxy.v3.TcpProxy";
    json!({ "name": "envoy.filters.network.tcp_proxy", "typed_config": typed(kind, destination) })
}

fn connection_manager(manager: Value) -> Value {
    let kind = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": typed(kind, manager),
    })
}

/// The filters that some route needs, and the router.
fn filters(listener: &Listener, hosts: &[std::sync::Arc<VirtualHost>]) -> Vec<Value> {
    let mut routes = hosts.iter().flat_map(|host| &host.routes);
    let fault = routes.clone().any(|route| route.fault.is_some());
    let cors = hosts.iter().any(|host| host.cors.is_some()) || routes.any(|r| r.cors.is_some());
    let used = [("fault", "HTTPFault", fault), ("cors", "Cors", cors), ("router", "Router", true)];
    let used = used.into_iter().filter(|(.., used)| *used);
    let check = listener.health_check_path.as_deref().map(health_check);
    check.into_iter().chain(used.map(|(name, kind, _)| filter(name, kind))).collect()
}

/// Answers requests to one path itself.
fn health_check(path: &str) -> Value {
    let mut filter = filter("health_check", "HealthCheck");
    filter["typed_config"]["pass_through_mode"] = json!(false);
    filter["typed_config"]["headers"] =
        json!([{ "name": ":path", "string_match": { "exact": path } }]);
    filter
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
            "filter_chains": [{ "filters": [connection_manager(manager)] }],
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
