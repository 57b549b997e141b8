use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json::{compact, response, typed};
use super::listener::replacement_cluster;
use crate::api::{FallbackPolicy, SubsetSelector};
use crate::config::{Cluster, Discovery, Endpoint, LoadBalancing, SubsetSettings, Thresholds};
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
        "http2_protocol_options": from.http2.then(|| json!({ "allow_connect": true })),
    }));
    if from.load_balancing == Some(LoadBalancing::RingHash) {
        resource["ring_hash_lb_config"] = json!({});
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
        let name = format!("{address};{address}:{port}");
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
