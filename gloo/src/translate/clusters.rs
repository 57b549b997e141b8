//! From Upstreams to clusters.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::endpoints;
use super::mistake::Mistake;
use super::reports::Reports;
use super::unsupported;
use super::view::View;
use crate::api::{
    CircuitBreakers, Duration, LoadBalancerConfig, ObjectRef, ResourceRef, StaticUpstream,
    SubsetSpec, UpstreamSpec,
};
use crate::code::Code;
use crate::config::{Cluster, Discovery, Endpoint, LoadBalancing, SubsetSettings, Thresholds};
use crate::snapshot::Snapshot;

const CONNECT_TIMEOUT: Duration = Duration::from_millis(5_000);

/// The clusters of all Upstreams. One in error has none: it is reported as a warning, and routes to it
/// answer 503 (gloo-conformance case 05-missing-service).
pub(super) fn translate(
    view: &View,
    snapshot: &Snapshot,
    limits: Option<CircuitBreakers>,
    reports: &mut Reports,
) -> Vec<Cluster> {
    let mut clusters = Vec::new();
    for (reference, upstream) in view.upstreams.iter() {
        let object = ObjectRef::new("Upstream", &reference.namespace, &reference.name);
        reports.accept(object.clone());
        let (mut cluster, errors) = cluster(reference, &upstream.spec, snapshot);
        let limits = upstream.spec.circuit_breakers.or(limits);
        cluster.thresholds = limits.map(thresholds);
        match errors.first().map(|first| first.code) {
            None => clusters.push(cluster),
            Some(code) => {
                let words: Vec<String> = errors.into_iter().map(|error| error.words).collect();
                reports.warning(&object, Mistake::new(code, super::reports::list(&words)));
            }
        }
    }
    clusters
}

fn cluster(
    reference: &ResourceRef,
    spec: &UpstreamSpec,
    snapshot: &Snapshot,
) -> (Cluster, Vec<Mistake>) {
    let mut cluster = empty(reference.cluster(), spec);
    let mut errors = Vec::new();
    if let Some(outlier) = &spec.outlier_detection
        && !outlier.0.contains_key("interval")
    {
        let words = "The field OutlierDetection.HealthChecker.Interval cannot be nil";
        errors.push(Mistake::new(Code::InvalidOutlierDetection, words));
    }
    errors.extend(spec.unsupported().iter().map(|name| unsupported::field(name)));
    if let Some(fixed) = &spec.fixed
        && let Err(mistake) = static_hosts(fixed, &mut cluster)
    {
        errors.push(mistake);
    }
    if let Some(kube) = &spec.kube {
        let service = ResourceRef::new(&kube.service_namespace, &kube.service_name);
        cluster.endpoints = endpoints::of_service(kube, snapshot);
        if snapshot.services.contains_key(&service) || !cluster.endpoints.is_empty() {
            cluster.discovery = Discovery::Eds;
        }
        if !snapshot.services.contains_key(&service) {
            let words = format!(
                "Upstream name:{:?} namespace:{:?} references the service '{}' which does not \
                 exist in namespace '{}'",
                reference.name, reference.namespace, service.name, service.namespace
            );
            errors.push(Mistake::new(Code::MissingService, words));
        }
    }
    if cluster.discovery == Discovery::Static && cluster.endpoints.is_empty() {
        let words = "cluster was configured improperly by one or more plugins: cluster type STATIC \
                     specified but LoadAssignment was empty";
        errors.push(Mistake::new(Code::NoAddresses, words));
    }
    (cluster, errors)
}

fn empty(name: String, spec: &UpstreamSpec) -> Cluster {
    let connection = spec.connection_config.clone().unwrap_or_default();
    let requests = connection.max_requests_per_connection;
    Cluster {
        name,
        discovery: Discovery::Static,
        subsets: spec.subset_spec().map(subsets),
        load_balancing: spec.load_balancer_config.as_ref().and_then(load_balancing),
        connect_timeout: connection.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
        max_requests_per_connection: (requests > 0).then_some(requests),
        thresholds: None,
        outlier_detection: spec.outlier_detection.as_deref().cloned(),
        http2: spec.use_http2.unwrap_or_default(),
        endpoints: Vec::new(),
    }
}

fn thresholds(limits: CircuitBreakers) -> Thresholds {
    Thresholds {
        max_connections: limits.max_connections,
        max_pending_requests: limits.max_pending_requests,
        max_requests: limits.max_requests,
        max_retries: limits.max_retries,
    }
}

fn subsets(spec: &SubsetSpec) -> SubsetSettings {
    SubsetSettings {
        fallback: spec.fallback_policy,
        default: spec.default_subset.clone().map(|subset| subset.values),
        selectors: spec.selectors.clone(),
    }
}

/// Of several policies the one declared last in Gloo's API counts.
fn load_balancing(config: &LoadBalancerConfig) -> Option<LoadBalancing> {
    let policies = [
        (&config.maglev, LoadBalancing::Maglev),
        (&config.ring_hash, LoadBalancing::RingHash),
        (&config.random, LoadBalancing::Random),
        (&config.least_request, LoadBalancing::LeastRequest),
        (&config.round_robin, LoadBalancing::RoundRobin),
    ];
    policies.into_iter().find_map(|(given, policy)| given.as_ref().map(|_| policy))
}

/// Fixed addresses; a name among them makes Envoy resolve all (gloo-conformance case
/// 16-static-upstream).
fn static_hosts(fixed: &StaticUpstream, cluster: &mut Cluster) -> Result<(), Mistake> {
    let invalid = |words: String| Mistake::new(Code::InvalidHost, words);
    cluster.discovery = Discovery::Static;
    for host in &fixed.hosts {
        if host.addr.is_empty() {
            return Err(invalid("addr cannot be empty for host".into()));
        }
        if host.port == 0 {
            return Err(invalid("port cannot be empty for host".into()));
        }
        if fixed.use_tls.unwrap_or(host.port == 443) {
            return Err(unsupported::field("TLS to a static host"));
        }
        let port = u16::try_from(host.port)
            .map_err(|_| invalid(format!("port {} of host {} is none", host.port, host.addr)))?;
        if host.addr.parse::<IpAddr>().is_err() {
            cluster.discovery = Discovery::Dns;
        }
        cluster.endpoints.push(Endpoint {
            address: host.addr.clone(),
            port,
            pod: None,
            labels: BTreeMap::new(),
            weight: host.load_balancing_weight.unwrap_or(1),
        });
    }
    Ok(())
}
