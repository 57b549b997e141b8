use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::written::is_default;
use super::{Duration, Open, Subset, WeightedDestination};

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
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipe: Option<Box<Open>>,
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws: Option<Box<Open>>,
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure: Option<Box<Open>>,
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consul: Option<Box<Open>>,
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_ec2: Option<Box<Open>>,
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcp: Option<Box<Open>>,
    /// Outside this crate's scope.
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
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<Open>,
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_config: Option<Box<Open>>,
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover: Option<Box<Open>>,
    /// Speak HTTP/2 to the endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_http2: Option<bool>,
    /// What Gloo's discovery notes; no meaning for traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_metadata: Option<Box<Open>>,
}

impl UpstreamSpec {
    /// Names of the fields in use that this crate does not translate.
    pub(crate) fn unsupported(&self) -> Vec<&'static str> {
        let fields = [
            ("pipe", self.pipe.is_some()),
            ("aws", self.aws.is_some()),
            ("azure", self.azure.is_some()),
            ("consul", self.consul.is_some()),
            ("awsEc2", self.aws_ec2.is_some()),
            ("gcp", self.gcp.is_some()),
            ("ai", self.ai.is_some()),
            ("healthChecks", !self.health_checks.is_empty()),
            ("sslConfig", self.ssl_config.is_some()),
            ("failover", self.failover.is_some()),
        ];
        fields.into_iter().filter_map(|(name, used)| used.then_some(name)).collect()
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
    /// Speak TLS to them; outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_tls: Option<bool>,
}

/// A fixed address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// How an endpoint is picked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LoadBalancerConfig {
    /// In turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_robin: Option<Box<Open>>,
    /// The one with the fewest requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_request: Option<Box<Open>>,
    /// Any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random: Option<Box<Open>>,
    /// By a hash of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring_hash: Option<Box<Open>>,
    /// By a hash of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maglev: Option<Box<Open>>,
}

/// `spec` of an UpstreamGroup: the destinations of a multi destination in an object of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamGroupSpec {
    /// The destinations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<WeightedDestination>,
}
