use std::collections::BTreeMap;

use super::outcome::Outcome;
use crate::api::FallbackPolicy;
use crate::config::{CLUSTER_FALLBACK, Cluster, Endpoint};
use crate::translate::Translation;

/// Which endpoint of a cluster answers. All are equally likely but for their weights: over many
/// requests that is what Envoy's policies come to, a hash policy apart.
pub(super) fn pick(
    translation: &Translation,
    name: &str,
    subset: &BTreeMap<String, String>,
) -> Vec<(Outcome, f64)> {
    if let Some(replacement) = translation.replacement.as_ref().filter(|_| name == CLUSTER_FALLBACK)
    {
        return vec![(Outcome::status(replacement.status, &replacement.body), 1.0)];
    }
    let Some(cluster) = translation.clusters.iter().find(|cluster| cluster.name == name) else {
        // A Service that Gloo makes an Upstream of by itself.
        let unseen = name.starts_with("kube-svc:") || name.starts_with("consul-svc");
        let outcome = if unseen { Outcome::Unknown } else { Outcome::status(503, "") };
        return vec![(outcome, 1.0)];
    };
    if cluster.opaque {
        return vec![(Outcome::Unknown, 1.0)];
    }
    let endpoints = eligible(cluster, subset);
    let sum: f64 = endpoints.iter().map(|endpoint| f64::from(endpoint.weight)).sum();
    if endpoints.is_empty() || sum == 0.0 || cluster.without_locality {
        return vec![(Outcome::status(503, "no healthy upstream"), 1.0)];
    }
    let outcome = |endpoint: &&Endpoint| {
        let outcome = Outcome::Endpoint {
            cluster: name.to_owned(),
            pod: endpoint.pod.clone(),
            address: endpoint.address.clone(),
            port: endpoint.port,
        };
        (outcome, f64::from(endpoint.weight) / sum)
    };
    endpoints.iter().map(outcome).collect()
}

/// Endpoints of the subset; if there are none, or the keys are not exactly those of a selector, or the
/// route has no subset, what the fallback policy says (gloo-conformance case 06-fallback-policies).
/// A cluster without selectors has no subsets at all (case 06-no-subset-spec).
fn eligible<'a>(cluster: &'a Cluster, subset: &BTreeMap<String, String>) -> Vec<&'a Endpoint> {
    let all = || cluster.endpoints.iter().collect::<Vec<_>>();
    let Some(settings) = cluster.subsets.as_ref().filter(|s| !s.selectors.is_empty()) else {
        return all();
    };
    let carrying = |labels: &BTreeMap<String, String>| {
        let has = |endpoint: &&Endpoint| {
            labels.iter().all(|(key, value)| endpoint.labels.get(key) == Some(value))
        };
        cluster.endpoints.iter().filter(has).collect::<Vec<_>>()
    };
    let selectable = settings.selectors.iter().any(|selector| {
        selector.keys.iter().all(|key| subset.contains_key(key))
            && subset.keys().all(|key| selector.keys.contains(key))
    });
    if selectable && !subset.is_empty() {
        let found = carrying(subset);
        if !found.is_empty() {
            return found;
        }
    }
    match settings.fallback {
        FallbackPolicy::AnyEndpoint => all(),
        FallbackPolicy::NoFallback => Vec::new(),
        FallbackPolicy::DefaultSubset => carrying(&settings.default.clone().unwrap_or_default()),
    }
}
