//! From Upstreams to clusters.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::endpoints;
use super::findings::{Finding, Remark, Severity};
use super::mistake::Mistake;
use super::options::enterprise_only;
use super::refusal::{self, ClusterFault};
use super::reports::Reports;
use super::tls::{self, Fault};
use super::unmodelled;
use super::view::{Presence, View};
use crate::api::{
    CircuitBreakers, Duration, HealthCheck, LoadBalancerConfig, ObjectRef, ResourceRef,
    SettingsSpec, StaticUpstream, SubsetSpec, UpstreamSpec,
};
use crate::code::Code;
use crate::config::{
    Cluster, ClusterTls, Discovery, Endpoint, LoadBalancing, SubsetSettings, Thresholds,
};
use crate::environment::Edition;
use crate::snapshot::Snapshot;

const CONNECT_TIMEOUT: Duration = Duration::from_millis(5_000);

/// The least that HTTP/2 allows for bytes under way.
const SMALLEST_WINDOW: u32 = 65_535;

/// The clusters of all Upstreams, and what Envoy refuses of them.
#[derive(Default)]
pub(super) struct Clusters {
    pub(super) clusters: Vec<Cluster>,
    pub(super) refused: Vec<(String, ClusterFault, Finding)>,
    /// Some Upstream has functions of AWS Lambda.
    pub(super) functions: bool,
}

/// What is wrong with an Upstream.
#[derive(Default)]
struct Faults {
    errors: Vec<Mistake>,
    warnings: Vec<Mistake>,
    notes: Vec<Remark>,
}

/// The clusters of all Upstreams. One in error has none: it is reported as a warning, and routes to it
/// answer 503 (gloo-conformance case 05-missing-service).
pub(super) fn translate(
    view: &View,
    snapshot: &Snapshot,
    settings: &SettingsSpec,
    reports: &mut Reports,
) -> Clusters {
    let mut out = Clusters::default();
    for (reference, upstream) in view.upstreams.iter() {
        let object = ObjectRef::new("Upstream", &reference.namespace, &reference.name);
        reports.accept(object.clone());
        let spec = &upstream.spec;
        out.functions |= spec.aws.is_some();
        let mut faults = Faults::default();
        let mut cluster = cluster(reference, spec, view, snapshot, settings, &mut faults);
        let limits = spec.circuit_breakers.or(settings.circuit_breakers());
        cluster.thresholds = limits.map(thresholds);
        let notes = spec.unmodelled().into_iter().filter(|name| {
            // An open-source Gloo says what is wrong with these.
            let judged = ["gcp", "failover"].contains(&name.as_str());
            !(judged && view.environment.edition == Edition::OpenSource)
        });
        let notes = notes.map(|name| Remark::from(unmodelled::note(&name)));
        for remark in notes.chain(faults.notes) {
            reports.note(&object, remark);
        }
        for warning in faults.warnings {
            reports.warning(&object, warning);
        }
        let Some(code) = faults.errors.first().map(|first| first.code) else {
            let discovered = cluster.discovery == Discovery::Eds;
            if let Some((fault, mistake)) = refusal::of_cluster(spec, discovered, view.environment)
            {
                let object = Arc::new(object);
                let finding = Finding::new(&object, Severity::ClustersRefused, mistake);
                out.refused.push((cluster.name.clone(), fault, finding));
            }
            out.clusters.push(cluster);
            continue;
        };
        let words: Vec<String> = faults.errors.into_iter().map(|error| error.words).collect();
        reports.warning(&object, Mistake::new(code, super::reports::list(&words)));
    }
    out
}

fn cluster(
    reference: &ResourceRef,
    spec: &UpstreamSpec,
    view: &View,
    snapshot: &Snapshot,
    settings: &SettingsSpec,
    faults: &mut Faults,
) -> Cluster {
    let mut cluster = empty(reference.cluster(), spec);
    let errors = &mut faults.errors;
    if let Some(outlier) = &spec.outlier_detection
        && !outlier.0.contains_key("interval")
    {
        let words = "The field OutlierDetection.HealthChecker.Interval cannot be nil";
        errors.push(Mistake::new(Code::InvalidOutlierDetection, words));
    }
    health_checks(&spec.health_checks, errors);
    transport(spec, errors);
    if view.environment.edition == Edition::OpenSource {
        enterprise(spec, errors);
    }
    if let Some(aws) = &spec.aws {
        functions(aws, view, errors);
    }
    if let Some(config) = &spec.ssl_config {
        let mut certificate = || {
            let none = config.secret_ref.is_none() && config.ssl_files.is_none();
            if none && config.sds.is_none() {
                tls::check_names(config, false)?;
                return Ok(None);
            }
            match (&config.secret_ref, &config.ssl_files) {
                // Envoy reads these itself.
                (None, Some(files)) => {
                    tls::check_names(config, !files.root_ca.is_empty())?;
                    Ok(None)
                }
                _ => tls::certificate(config, view, &mut faults.notes),
            }
        };
        let tls = |secret: Option<(ResourceRef, crate::secret::Secret)>| ClusterTls {
            config: (**config).clone(),
            secret: secret.map(|(_, secret)| secret),
        };
        match certificate() {
            Ok(secret) => cluster.tls = Some(tls(secret)),
            // It is built in plain text then.
            Err(Fault::Missing(mistake)) if settings.warns_of_missing_secrets() => {
                faults.warnings.push(mistake);
            }
            Err(Fault::Missing(mistake) | Fault::Error(mistake)) => faults.errors.push(mistake),
        }
    }
    let errors = &mut faults.errors;
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
    improper(spec, &mut cluster, errors);
    cluster
}

/// What Gloo finds in the finished cluster.
fn improper(spec: &UpstreamSpec, cluster: &mut Cluster, errors: &mut Vec<Mistake>) {
    let mut invalid = |code, words: &str| {
        let words = format!("cluster was configured improperly by one or more plugins: {words}");
        errors.push(Mistake::new(code, words));
    };
    if let Some(rate) = spec.dns_refresh_rate.filter(|rate| *rate > Duration::default()) {
        let kind = match cluster.discovery {
            Discovery::Eds => Some("EDS"),
            Discovery::Static => Some("STATIC"),
            Discovery::Dns => None,
        };
        match kind {
            None => cluster.resolution.push(("dns_refresh_rate", json!(rate))),
            Some(kind) => invalid(
                Code::InvalidDnsRefresh,
                &format!(
                    "DnsRefreshRate is only valid with STRICT_DNS or LOGICAL_DNS cluster type, found \
                     {kind}"
                ),
            ),
        }
    }
    if spec.respect_dns_ttl == Some(true) {
        cluster.resolution.push(("respect_dns_ttl", json!(true)));
    }
    let nowhere = cluster.discovery == Discovery::Static && cluster.endpoints.is_empty();
    if nowhere && !cluster.opaque {
        let words = "cluster type STATIC specified but LoadAssignment was empty";
        invalid(Code::NoAddresses, words);
    }
}

fn empty(name: String, spec: &UpstreamSpec) -> Cluster {
    let connection = spec.connection_config.clone().unwrap_or_default();
    let requests = connection.max_requests_per_connection;
    let balancing = spec.load_balancer_config.as_ref();
    let locality = balancing.is_some_and(|it| it.locality_weighted_lb_config.is_some());
    Cluster {
        name,
        discovery: Discovery::Static,
        subsets: spec.subset_spec().map(subsets),
        load_balancing: balancing.and_then(load_balancing),
        connect_timeout: connection.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
        max_requests_per_connection: (requests > 0).then_some(requests),
        thresholds: None,
        outlier_detection: spec.outlier_detection.as_deref().cloned(),
        http2: spec.speaks_http2(),
        proxy_protocol: spec.proxy_protocol_version.is_some(),
        tunnel: spec.http_proxy_hostname.clone(),
        tls: None,
        opaque: spec.is_opaque(),
        without_locality: locality,
        resolution: Vec::new(),
        balancing: balancing.map(details).unwrap_or_default(),
        health_checks: spec.health_checks.iter().map(health_check).collect(),
        endpoints: Vec::new(),
    }
}

/// What Gloo asks of health checks (gloo-conformance case 20-health-checks).
fn health_checks(checks: &[HealthCheck], errors: &mut Vec<Mistake>) {
    let missing = checks.iter().enumerate().find_map(|(index, check)| {
        let fields = [
            ("HealthyThreshold", check.healthy_threshold.is_some()),
            ("UnhealthyThreshold", check.unhealthy_threshold.is_some()),
            ("HealthChecker", check.has_checker()),
        ];
        let (field, _) = fields.into_iter().find(|(_, there)| !there)?;
        Some(format!("The field HealthCheck[{index}].{field} cannot be nil"))
    });
    errors.extend(missing.map(|words| Mistake::new(Code::InvalidHealthCheck, words)));
}

fn health_check(check: &HealthCheck) -> Value {
    snake(&serde_json::to_value(check).unwrap_or_default())
}

/// What Gloo asks of connections.
fn transport(spec: &UpstreamSpec, errors: &mut Vec<Mistake>) {
    let version = spec.proxy_protocol_version.as_deref();
    if version.is_some_and(|version| !["V1", "V2"].contains(&version)) {
        let words = "proxy protocol version is not supported";
        errors.push(Mistake::new(Code::InvalidProxyProtocol, words));
    }
    let windows = [
        ("Stream", spec.initial_stream_window_size),
        ("Connection", spec.initial_connection_window_size),
    ];
    for (what, size) in windows {
        if let Some(size) = size.filter(|size| *size < SMALLEST_WINDOW) {
            let words = format!("Invalid Initial {what} Window Size: {size}");
            errors.push(Mistake::new(Code::InvalidWindow, words));
        }
    }
    if let Some(policy) = &spec.preconnect_policy {
        let ratios = [policy.per_upstream_preconnect_ratio, policy.predictive_preconnect_ratio];
        if ratios.into_iter().flatten().any(|ratio| !(1.0..=3.0).contains(&ratio)) {
            let words = "preconnect ratios must be from 1 to 3";
            errors.push(Mistake::new(Code::InvalidPreconnect, words));
        }
    }
}

/// What only Gloo Enterprise has (gloo-conformance cases 20-failover, 20-static-options step 3).
fn enterprise(spec: &UpstreamSpec, errors: &mut Vec<Mistake>) {
    let hosts = spec.fixed.iter().flat_map(|fixed| &fixed.hosts);
    let mut checks = hosts.filter_map(|host| host.health_check_config.as_ref());
    let advanced = checks.any(|check| !check.path.is_empty() || !check.method.is_empty());
    let features = [
        ("failover", spec.failover.is_some()),
        ("gcp", spec.gcp.is_some()),
        ("advanced_http", advanced),
    ];
    let used: Vec<&str> =
        features.into_iter().filter_map(|(name, used)| used.then_some(name)).collect();
    if !used.is_empty() {
        errors.push(Mistake::new(Code::EnterpriseOption, enterprise_only(&used)));
    }
}

/// The Secret with the account of AWS (gloo-conformance case 20-aws).
fn functions(aws: &crate::api::Open, view: &View, errors: &mut Vec<Mistake>) {
    let reference = aws.0.get("secretRef").cloned();
    let reference: Option<ResourceRef> = reference.and_then(|it| serde_json::from_value(it).ok());
    if let Some(reference) = reference.filter(|it| view.secret(it) == Presence::Absent) {
        let key = reference.key();
        let words = format!("retrieving aws secret: list did not find secret {key}");
        errors.push(Mistake::new(Code::MissingSecret, words));
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
        (config.maglev.is_some(), LoadBalancing::Maglev),
        (config.ring_hash.is_some(), LoadBalancing::RingHash),
        (config.random.is_some(), LoadBalancing::Random),
        (config.least_request.is_some(), LoadBalancing::LeastRequest),
        (config.round_robin.is_some(), LoadBalancing::RoundRobin),
    ];
    policies.into_iter().find_map(|(given, policy)| given.then_some(policy))
}

/// The fields of load balancing beside the policy, in Envoy's names.
fn details(config: &LoadBalancerConfig) -> Vec<(&'static str, Value)> {
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

/// Fixed addresses; a name among them makes Envoy resolve all (gloo-conformance case
/// 16-static-upstream), and port 443 means TLS (20-static-options).
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
        if fixed.use_tls.unwrap_or(host.port == 443) && cluster.tls.is_none() {
            cluster.tls = Some(ClusterTls::default());
        }
        let port = u16::try_from(host.port)
            .map_err(|_| invalid(format!("port {} of host {} is none", host.port, host.addr)))?;
        if host.addr.parse::<IpAddr>().is_err() {
            cluster.discovery = Discovery::Dns;
        }
        let server_name = Some(&host.sni_addr).filter(|name| !name.is_empty()).cloned();
        cluster.endpoints.push(Endpoint {
            address: host.addr.clone(),
            port,
            pod: None,
            labels: BTreeMap::new(),
            weight: host.load_balancing_weight.unwrap_or(1),
            server_name,
        });
    }
    Ok(())
}
