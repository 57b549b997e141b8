//! From Upstreams to clusters.

mod balancing;
mod checks;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;

use self::balancing::{details, health_check, load_balancing};
use self::checks::{enterprise, functions, health_checks, transport};
use super::endpoints;
use super::findings::{Finding, Remark, Severity};
use super::mistake::Mistake;
use super::refusal::{self, ClusterFault};
use super::reports::Reports;
use super::tls::{self, Fault};
use super::unmodelled;
use super::view::View;
use crate::api::{
    CircuitBreakers, Duration, ObjectRef, ResourceRef, SettingsSpec, StaticUpstream, SubsetSpec,
    UpstreamSpec,
};
use crate::code::Code;
use crate::config::{Cluster, ClusterTls, Discovery, Endpoint, SubsetSettings, Thresholds};
use crate::environment::Edition;
use crate::snapshot::Snapshot;

const CONNECT_TIMEOUT: Duration = Duration::from_millis(5_000);

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
        let is_read = snapshot.known.sees("Service", &service.namespace);
        let is_missing = is_read && !snapshot.services.contains_key(&service);
        if !is_missing || !cluster.endpoints.is_empty() {
            cluster.discovery = Discovery::Eds;
        }
        if is_missing {
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
