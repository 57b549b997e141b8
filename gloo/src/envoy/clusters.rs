use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json::{compact, response, typed};
use super::listener::replacement_cluster;
use super::tls::common_tls;
use crate::api::{FallbackPolicy, SubsetSelector};
use crate::config::{
    Cluster, ClusterTls, Discovery, Endpoint, LoadBalancing, SubsetSettings, Thresholds,
};
use crate::translate::Translation;

/// The CDS file. Endpoints are read from files in the directory `endpoints`, see [`endpoints`].
pub fn clusters(translation: &Translation, endpoints: &str) -> Value {
    let directory = endpoints.trim_end_matches('/');
    let mut resources: Vec<Value> = translation
        .clusters
        .iter()
        .map(|from| {
            let mut resource = cluster(from);
            if from.discovery == Discovery::Eds {
                resource["eds_cluster_config"] = json!({ "eds_config": {
                    "path_config_source": { "path": format!("{directory}/{}.json", from.name) },
                    "resource_api_version": "V3",
                } });
            }
            typed("config.cluster.v3.Cluster", resource)
        })
        .collect();
    if translation.replacement.is_some() {
        resources.push(typed("config.cluster.v3.Cluster", replacement_cluster()));
    }
    response(resources)
}

/// The EDS files by name, one per cluster that has its endpoints from Kubernetes.
pub fn endpoints(translation: &Translation) -> BTreeMap<String, Value> {
    let clusters = translation.clusters.iter().filter(|c| c.discovery == Discovery::Eds);
    let file = |cluster: &Cluster| {
        let kind = "config.endpoint.v3.ClusterLoadAssignment";
        let assignment = typed(kind, load_assignment(cluster));
        (format!("{}.json", cluster.name), response(vec![assignment]))
    };
    clusters.map(file).collect()
}

/// One cluster, without its source of endpoints.
pub fn cluster(from: &Cluster) -> Value {
    let mut resource = compact(json!({
        "name": from.name,
        "type": match from.discovery {
            Discovery::Eds => "EDS",
            Discovery::Static => "STATIC",
            Discovery::Dns => "STRICT_DNS",
        },
        "connect_timeout": from.connect_timeout.to_string(),
        "dns_lookup_family": (from.discovery == Discovery::Dns).then_some("V4_ONLY"),
        "lb_policy": from.load_balancing.and_then(policy),
        "lb_subset_config": from.subsets.as_ref().map(subsets),
        "max_requests_per_connection": from.max_requests_per_connection,
        "circuit_breakers": from.thresholds.map(thresholds),
        "outlier_detection": from.outlier_detection,
        "health_checks": from.health_checks,
        "transport_socket": transport_socket(from),
        "transport_socket_matches": socket_matches(from),
    }));
    if from.http2 {
        resource["http2_protocol_options"] = json!({});
    }
    for (name, value) in from.resolution.iter().chain(&from.balancing) {
        resource[*name] = value.clone();
    }
    if from.discovery != Discovery::Eds {
        resource["load_assignment"] = load_assignment(from);
    }
    resource
}

/// The endpoints of a cluster. A pod's labels become the metadata that subsets select by.
pub fn load_assignment(from: &Cluster) -> Value {
    let endpoints: Vec<Value> =
        from.endpoints.iter().map(|e| endpoint(e, from.discovery)).collect();
    let groups =
        if endpoints.is_empty() { json!([]) } else { json!([{ "lb_endpoints": endpoints }]) };
    json!({ "cluster_name": from.name, "endpoints": groups })
}

fn endpoint(from: &Endpoint, discovery: Discovery) -> Value {
    let Endpoint { address, port, labels, weight, .. } = from;
    let metadata = if discovery == Discovery::Eds {
        let labels = (!labels.is_empty()).then(|| json!({ "envoy.lb": labels }));
        labels.map(|labels| json!({ "filter_metadata": labels }))
    } else {
        let name = socket_name(from);
        Some(json!({ "filter_metadata": { "envoy.transport_socket_match": { name: true } } }))
    };
    let hostname = (discovery != Discovery::Eds).then_some(address);
    compact(json!({
        "endpoint": compact(json!({
            "hostname": hostname,
            "address": { "socket_address": { "address": address, "port_value": port } },
        })),
        "metadata": metadata,
        "load_balancing_weight": (*weight != 1).then_some(weight),
    }))
}

/// What the TLS of a fixed address goes by.
fn socket_name(from: &Endpoint) -> String {
    let Endpoint { address, port, server_name, .. } = from;
    format!("{};{address}:{port}", server_name.as_deref().unwrap_or(address))
}

fn transport_socket(from: &Cluster) -> Value {
    if from.proxy_protocol {
        let raw = "extensions.transport_sockets.raw_buffer.v3.RawBuffer";
        let kind = "extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport";
        let raw = json!({
            "name": "envoy.transport_sockets.raw_buffer",
            "typed_config": typed(raw, json!({})),
        });
        return json!({
            "name": "envoy.transport_sockets.upstream_proxy_protocol",
            "typed_config": typed(kind, json!({ "config": {}, "transport_socket": raw })),
        });
    }
    from.tls.as_ref().map(|tls| upstream_tls(tls, &tls.config.sni)).unwrap_or_default()
}

/// Each fixed address has a server name of its own.
fn socket_matches(from: &Cluster) -> Vec<Value> {
    let Some(tls) = from.tls.as_ref().filter(|_| from.discovery != Discovery::Eds) else {
        return Vec::new();
    };
    let each = from.endpoints.iter().map(|endpoint| {
        let name = socket_name(endpoint);
        let server = endpoint.server_name.as_ref().unwrap_or(&endpoint.address);
        json!({ "name": name, "match": { &name: true }, "transport_socket": upstream_tls(tls, server) })
    });
    each.collect()
}

fn upstream_tls(tls: &ClusterTls, server_name: &str) -> Value {
    let kind = "extensions.transport_sockets.tls.v3.UpstreamTlsContext";
    let mut context = json!({ "common_tls_context": common_tls(&tls.config, tls.secret.as_ref()) });
    if !server_name.is_empty() {
        context["sni"] = json!(server_name);
    }
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": typed(kind, context) })
}

fn policy(policy: LoadBalancing) -> Option<&'static str> {
    match policy {
        LoadBalancing::RoundRobin => None,
        LoadBalancing::LeastRequest => Some("LEAST_REQUEST"),
        LoadBalancing::Random => Some("RANDOM"),
        LoadBalancing::RingHash => Some("RING_HASH"),
        LoadBalancing::Maglev => Some("MAGLEV"),
    }
}

fn subsets(settings: &SubsetSettings) -> Value {
    let selector = |selector: &SubsetSelector| {
        compact(json!({
            "keys": selector.keys,
            "single_host_per_subset": selector.single_host_per_subset,
        }))
    };
    compact(json!({
        "fallback_policy": match settings.fallback {
            FallbackPolicy::AnyEndpoint => Some("ANY_ENDPOINT"),
            FallbackPolicy::DefaultSubset => Some("DEFAULT_SUBSET"),
            FallbackPolicy::NoFallback => None,
        },
        "default_subset": settings.default,
        "subset_selectors": settings.selectors.iter().map(selector).collect::<Vec<_>>(),
    }))
}

fn thresholds(limits: Thresholds) -> Value {
    json!({ "thresholds": [compact(json!({
        "max_connections": limits.max_connections,
        "max_pending_requests": limits.max_pending_requests,
        "max_requests": limits.max_requests,
        "max_retries": limits.max_retries,
    }))] })
}
