use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::{Duration, FallbackPolicy, Open, ResourceRef, SslConfig, SubsetSelector};
use crate::secret::Secret;

/// The cluster that serves routes that lead nowhere, where Settings ask for it.
pub const CLUSTER_FALLBACK: &str = "fallback_cluster_for_invalid_routes";

/// A set of endpoints.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// `<name>_<namespace>` of the Upstream.
    pub name: String,
    /// How endpoints are found.
    pub discovery: Discovery,
    /// How endpoints are divided; `None` if they are not.
    pub subsets: Option<SubsetSettings>,
    /// How an endpoint is picked; `None` is Envoy's round robin.
    pub load_balancing: Option<LoadBalancing>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// Requests before a connection is closed.
    pub max_requests_per_connection: Option<u32>,
    /// Limits on the number of connections and requests.
    pub thresholds: Option<Thresholds>,
    /// When an endpoint that fails gets no more requests for a while, in Envoy's own fields.
    pub outlier_detection: Option<Open>,
    /// Speak HTTP/2.
    pub http2: bool,
    /// Begin each connection with the PROXY protocol.
    pub proxy_protocol: bool,
    /// Go through a tunnel to this host.
    pub tunnel: Option<String>,
    /// Speak TLS.
    pub tls: Option<ClusterTls>,
    /// Gloo may know more of it than this crate: what its endpoints answer, and which it has, is not
    /// known.
    pub opaque: bool,
    /// Envoy finds no endpoint by their localities.
    pub without_locality: bool,
    /// How names are resolved, in Envoy's own fields.
    pub resolution: Vec<(&'static str, Value)>,
    /// Further fields of load balancing, in Envoy's own names.
    pub balancing: Vec<(&'static str, Value)>,
    /// How Envoy sees whether endpoints are well, in Envoy's own fields.
    pub health_checks: Vec<Value>,
    /// The endpoints, by address and port.
    pub endpoints: Vec<Endpoint>,
}

/// TLS to the endpoints of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterTls {
    /// As written.
    pub config: SslConfig,
    /// The Secret with the certificate, where it is one and is known.
    pub secret: Option<Secret>,
}

/// How Envoy finds the endpoints of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// It is told.
    Eds,
    /// They are fixed addresses.
    Static,
    /// They are names that Envoy resolves.
    Dns,
}

/// How an endpoint is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of Envoy's policies")]
pub enum LoadBalancing {
    RoundRobin,
    LeastRequest,
    Random,
    RingHash,
    Maglev,
}

/// How endpoints are divided into subsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubsetSettings {
    /// What serves a subset without endpoints, and routes without a subset.
    pub fallback: FallbackPolicy,
    /// For `DEFAULT_SUBSET`; `None` is all endpoints.
    pub default: Option<BTreeMap<String, String>>,
    /// Label sets that make subsets.
    pub selectors: Vec<SubsetSelector>,
}

/// Limits on the number of connections and requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of Envoy's thresholds")]
pub struct Thresholds {
    pub max_connections: Option<u32>,
    pub max_pending_requests: Option<u32>,
    pub max_requests: Option<u32>,
    pub max_retries: Option<u32>,
}

/// An address that serves requests. Gloo passes on ready addresses only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// IP address, or name of a [`Discovery::Dns`] cluster.
    pub address: String,
    /// Port.
    pub port: u16,
    /// The pod behind it, where the Endpoints or an address say so.
    pub pod: Option<ResourceRef>,
    /// The pod's labels.
    pub labels: BTreeMap<String, String>,
    /// Share of the load.
    pub weight: u32,
    /// The name that a fixed address is asked for with TLS; `None` is its address.
    pub server_name: Option<String>,
}
