mod tuning;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::tuning::{
    HealthCheck, HealthCheckConfig, LoadBalancerConfig, RingHash, RingHashConfig,
};
use super::written::is_default;
use super::{Duration, Open, SslConfig, Subset, WeightedDestination};

/// `spec` of an Upstream: a set of endpoints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct UpstreamSpec {
    /// Further fields, written before the others as they are, in their order. Nothing is read into them.
    #[serde(flatten, skip_deserializing)]
    #[schemars(skip)]
    pub extra: Map<String, Value>,
    /// The endpoints of a Kubernetes Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube: Option<KubeUpstream>,
    /// Fixed addresses.
    #[serde(rename = "static", skip_serializing_if = "Option::is_none")]
    pub fixed: Option<StaticUpstream>,
    /// A socket of the host; not modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipe: Option<Box<Open>>,
    /// Functions of AWS Lambda; not modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws: Option<Box<Open>>,
    /// Functions of Azure; not modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure: Option<Box<Open>>,
    /// A service of Consul; not modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consul: Option<Box<Open>>,
    /// Machines of AWS; not modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_ec2: Option<Box<Open>>,
    /// A service of Google; not modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcp: Option<Box<Open>>,
    /// A language model; not modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ai: Option<Box<Open>>,
    /// How connections are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_config: Option<ConnectionConfig>,
    /// Limits on the number of connections and requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breakers: Option<CircuitBreakers>,
    /// How an endpoint is picked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_config: Option<LoadBalancerConfig>,
    /// Without `interval` the Upstream is in error (gloo-conformance case 13-more-options).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<Box<Open>>,
    /// Requests that Envoy makes itself to see whether an endpoint is well. Without thresholds or a
    /// checker the Upstream is in error (gloo-conformance case 20-health-checks).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Open>")]
    pub health_checks: Vec<HealthCheck>,
    /// Speak TLS to the endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Open>")]
    pub ssl_config: Option<Box<SslConfig>>,
    /// Endpoints elsewhere, of Gloo Enterprise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover: Option<Box<Open>>,
    /// Begin each connection with the PROXY protocol: `V1` or `V2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_protocol_version: Option<String>,
    /// Go through a tunnel to this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_proxy_hostname: Option<String>,
    /// How often names are resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_refresh_rate: Option<Duration>,
    /// Resolve names as often as their answers say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub respect_dns_ttl: Option<bool>,
    /// Bytes of a stream under way, at least 65535.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_stream_window_size: Option<u32>,
    /// Bytes of a connection under way, at least 65535.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_connection_window_size: Option<u32>,
    /// Connections that are made before they are needed; ratios from 1 to 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preconnect_policy: Option<PreconnectPolicy>,
    /// Speak HTTP/2 to the endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_http2: Option<bool>,
    /// What Gloo's discovery notes; no meaning for traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_metadata: Option<Box<Open>>,
    /// Everything else; not modelled.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

impl UpstreamSpec {
    /// Names of the fields in use of which this crate does not know what comes.
    pub(crate) fn unmodelled(&self) -> Vec<String> {
        let service = self.kube.as_ref().and_then(|kube| kube.service_spec.as_ref());
        let transcodes =
            service.is_some_and(|service| service.0.contains_key("grpcJsonTranscoder"));
        let fields = [
            ("pipe", self.pipe.is_some()),
            ("aws", self.aws.is_some()),
            ("azure", self.azure.is_some()),
            ("consul", self.consul.is_some()),
            ("awsEc2", self.aws_ec2.is_some()),
            ("gcp", self.gcp.is_some()),
            ("ai", self.ai.is_some()),
            ("failover", self.failover.is_some()),
            ("httpProxyHostname", self.http_proxy_hostname.is_some()),
            ("kube.serviceSpec.grpcJsonTranscoder", transcodes),
        ];
        let used = fields.into_iter().filter(|(_, used)| *used).map(|(name, _)| name.to_owned());
        used.chain(self.rest.keys().cloned()).collect()
    }

    /// Whether its endpoints come from somewhere that is not modelled.
    pub(crate) fn is_opaque(&self) -> bool {
        let kinds = [
            &self.pipe,
            &self.aws,
            &self.azure,
            &self.consul,
            &self.aws_ec2,
            &self.gcp,
            &self.ai,
            &self.failover,
        ];
        kinds.into_iter().any(Option::is_some) || self.http_proxy_hostname.is_some()
    }

    /// Whether it speaks HTTP/2: because it says so, or because it is a service of gRPC
    /// (gloo-conformance case 20-http2-grpc).
    pub(crate) fn speaks_http2(&self) -> bool {
        let service = self.kube.as_ref().and_then(|kube| kube.service_spec.as_ref());
        let is_grpc = service.is_some_and(|service| service.0.contains_key("grpc"));
        self.use_http2.unwrap_or(is_grpc)
    }

    /// The subset settings; only Kubernetes upstreams have any in scope.
    pub fn subset_spec(&self) -> Option<&SubsetSpec> {
        self.kube.as_ref()?.subset_spec.as_ref()
    }
}

/// The endpoints of a Kubernetes Service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct KubeUpstream {
    /// Only endpoints whose pods carry these labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub selector: BTreeMap<String, String>,
    /// Name of the Service.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_name: String,
    /// Namespace of the Service.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_namespace: String,
    /// The *Service's* port, not the container's (gloo-conformance case 05-service-port-mismatch).
    #[serde(skip_serializing_if = "is_default")]
    pub service_port: u32,
    /// Functions; they need an Envoy with Solo's extensions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_spec: Option<Box<Open>>,
    /// How the endpoints are divided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset_spec: Option<SubsetSpec>,
}

/// How the endpoints are divided into subsets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SubsetSpec {
    /// Sets of pod labels that routes may select by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub selectors: Vec<SubsetSelector>,
    /// What serves a subset without endpoints, and routes without a subset.
    #[schemars(with = "String")]
    #[serde(skip_serializing_if = "is_default")]
    pub fallback_policy: FallbackPolicy,
    /// For `DEFAULT_SUBSET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_subset: Option<Subset>,
}

/// Labels that together make a subset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SubsetSelector {
    /// The labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Each subset has one endpoint.
    #[serde(skip_serializing_if = "is_default")]
    pub single_host_per_subset: bool,
}

/// What serves a subset without endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FallbackPolicy {
    /// Every endpoint.
    #[default]
    AnyEndpoint,
    /// The default subset.
    DefaultSubset,
    /// None: 503.
    NoFallback,
}

/// Fixed addresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct StaticUpstream {
    /// The addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<StaticHost>,
    /// Speak TLS to them; if absent where the port is 443 (gloo-conformance case 20-static-options).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_tls: Option<bool>,
}

/// A fixed address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct StaticHost {
    /// An IP address or a name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub addr: String,
    /// The port.
    #[serde(skip_serializing_if = "is_default")]
    pub port: u32,
    /// The name for TLS.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sni_addr: String,
    /// Share of the load; absent means 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancing_weight: Option<u32>,
    /// How Envoy sees whether it is well; `path` and `method` need Gloo Enterprise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_config: Option<HealthCheckConfig>,
    /// No meaning for traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Open>,
}

/// Connections that are made before they are needed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PreconnectPolicy {
    /// For each endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_upstream_preconnect_ratio: Option<f64>,
    /// Ahead of which endpoint is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predictive_preconnect_ratio: Option<f64>,
}

/// How connections are made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConnectionConfig {
    /// How long a connection may take; 5 s if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Duration>,
    /// Requests before a connection is closed; 0 means any number.
    #[serde(skip_serializing_if = "is_default")]
    pub max_requests_per_connection: u32,
}

/// Limits on the number of connections and requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct CircuitBreakers {
    /// Connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u32>,
    /// Waiting requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pending_requests: Option<u32>,
    /// Requests at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_requests: Option<u32>,
    /// Retries at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
}

/// `spec` of an UpstreamGroup: the destinations of a multi destination in an object of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamGroupSpec {
    /// The destinations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<WeightedDestination>,
}
