//! Load balancing and health checks in Envoy's names.

use serde_json::{Map, Value, json};

use crate::api::{HealthCheck, LoadBalancerConfig};
use crate::config::LoadBalancing;

pub(super) fn health_check(check: &HealthCheck) -> Value {
    snake(&serde_json::to_value(check).unwrap_or_default())
}

/// Of several policies the one declared last in Gloo's API counts.
pub(super) fn load_balancing(config: &LoadBalancerConfig) -> Option<LoadBalancing> {
    let policies = [
        (config.maglev.is_some(), LoadBalancing::Maglev),
        (config.ring_hash.is_some(), LoadBalancing::RingHash),
        (config.random.is_some(), LoadBalancing::Random),
        (config.least_request.is_some(), LoadBalancing::LeastRequest),
        (config.round_robin.is_some(), LoadBalancing::RoundRobin),
    ];
    policies.into_iter().find_map(|(given, policy)| given.then_some(policy))
}

/// The fields of load balancing beside the policy, in Envoy's names.
pub(super) fn details(config: &LoadBalancerConfig) -> Vec<(&'static str, Value)> {
    let mut common = Map::new();
    if let Some(share) = config.healthy_panic_threshold {
        common.insert("healthy_panic_threshold".into(), json!({ "value": number(share) }));
    }
    for name in ["updateMergeWindow", "closeConnectionsOnHostSetChange"] {
        if let Some(value) = config.rest.get(name) {
            common.insert(snake_name(name), value.clone());
        }
    }
    if config.locality_weighted_lb_config.is_some() {
        common.insert("locality_weighted_lb_config".into(), json!({}));
    }
    let mut details = Vec::new();
    if !common.is_empty() {
        details.push(("common_lb_config", Value::Object(common)));
    }
    let size = config.ring_hash.as_ref().map(|it| it.ring_hash_config.clone().unwrap_or_default());
    if let Some(size) = size {
        let limits = [
            ("minimum_ring_size", size.minimum_ring_size),
            ("maximum_ring_size", size.maximum_ring_size),
        ];
        let limits = limits.into_iter().filter(|(_, limit)| *limit > 0);
        let limits = limits.map(|(name, limit)| (name.to_owned(), json!(limit.to_string())));
        details.push(("ring_hash_lb_config", Value::Object(limits.collect())));
    }
    let open = [
        ("least_request_lb_config", &config.least_request),
        ("round_robin_lb_config", &config.round_robin),
    ];
    for (name, open) in open {
        let open = open.as_ref().filter(|open| !open.0.is_empty());
        details.extend(open.map(|open| (name, snake(&Value::Object(open.0.clone())))));
    }
    details
}

/// A whole number is written as one.
fn number(value: f64) -> Value {
    let whole = value as i64;
    if whole as f64 == value { json!(whole) } else { json!(value) }
}

/// Fields of Gloo in Envoy's spelling, where the two have the same fields.
fn snake(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (snake_name(name), snake(value))).collect()
        }
        Value::Array(items) => items.iter().map(snake).collect(),
        other => other.clone(),
    }
}

fn snake_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
