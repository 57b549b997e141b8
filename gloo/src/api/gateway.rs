use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::written::is_default;
use super::{Destination, Expression, MultiDestination, Open, ResourceRef, SslConfig};

/// `spec` of a Gateway: an address that VirtualServices are served on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct GatewaySpec {
    /// The address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bind_address: String,
    /// The port.
    #[serde(skip_serializing_if = "is_default")]
    pub bind_port: u32,
    /// Serve the VirtualServices that have an `sslConfig`, and no others.
    #[serde(skip_serializing_if = "is_default")]
    pub ssl: bool,
    /// Which VirtualServices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_gateway: Option<HttpGateway>,
    /// Connections are passed on as they come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Open>")]
    pub tcp_gateway: Option<TcpGateway>,
    /// Several of these behind one port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Open>")]
    pub hybrid_gateway: Option<HybridGateway>,
    /// The proxies that serve it; none means `gateway-proxy`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxy_names: Vec<String>,
    /// Expect the PROXY protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_proxy_proto: Option<bool>,
    /// Settings of the route configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Open>")]
    pub route_options: Option<RouteConfigurationOptions>,
    /// Not modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Box<Open>>,
    /// Whether VirtualServices with different `sslConfig`s have route configurations of their own; as
    /// Settings have it if absent. It stands in an annotation.
    #[serde(skip)]
    #[schemars(skip)]
    pub isolated: Option<bool>,
}

impl GatewaySpec {
    /// The proxies that serve it.
    pub fn proxies(&self) -> Vec<&str> {
        match self.proxy_names.as_slice() {
            [] => vec!["gateway-proxy"],
            names => names.iter().map(String::as_str).collect(),
        }
    }
}

/// Settings of a route configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RouteConfigurationOptions {
    /// The longest body of a direct answer that Envoy takes, in bytes; 4096 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_direct_response_body_size_bytes: Option<u32>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Which VirtualServices a gateway serves: by expressions, else by labels, else by name, else all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpGateway {
    /// These.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub virtual_services: Vec<ResourceRef>,
    /// Those with these labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub virtual_service_selector: BTreeMap<String, String>,
    /// Those whose labels fulfil all of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_service_expressions: Option<VirtualServiceExpressions>,
    /// Of these namespaces, `*` for all; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub virtual_service_namespaces: Vec<String>,
    /// Settings of the listener; `healthCheck` is modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Box<Open>>,
}

/// Conditions on labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct VirtualServiceExpressions {
    /// All must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<Expression>,
}

/// Several gateways behind one port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HybridGateway {
    /// Each with the connections it takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matched_gateways: Vec<MatchedGateway>,
    /// Where there are none: those that are MatchableHttpGateways.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegated_http_gateways: Option<Box<DelegatedHttpGateway>>,
    /// Not modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegated_tcp_gateways: Option<Box<Open>>,
}

/// Which MatchableHttpGateways are behind a port: the named one, or those that are selected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DelegatedHttpGateway {
    /// This one.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<ResourceRef>,
    /// These; it wins over `ref`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<GatewaySelector>,
    /// Only those whose matcher has an `sslConfig`; without it only those that have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_config: Option<SslConfig>,
    /// Not modelled.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Conditions on objects; all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewaySelector {
    /// These labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Conditions on labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<Expression>,
    /// Of these namespaces, `*` for all; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
}

/// `spec` of a MatchableHttpGateway: one of several gateways behind a port of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MatchableHttpGatewaySpec {
    /// The connections it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matcher: Option<GatewayMatcher>,
    /// Which VirtualServices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_gateway: Option<HttpGateway>,
}

/// One of several gateways behind one port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MatchedGateway {
    /// The connections it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matcher: Option<GatewayMatcher>,
    /// Which VirtualServices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_gateway: Option<HttpGateway>,
    /// Connections are passed on as they come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_gateway: Option<TcpGateway>,
}

/// Which connections a gateway takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GatewayMatcher {
    /// Those with TLS; the VirtualServices are then those with an `sslConfig`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_config: Option<SslConfig>,
    /// Those from these addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_prefix_ranges: Vec<AddressRange>,
    /// Not modelled.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A range of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AddressRange {
    /// An address of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address_prefix: String,
    /// How many bits count; none means 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_len: Option<u32>,
}

/// Connections are passed on as they come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TcpGateway {
    /// Where to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tcp_hosts: Vec<TcpHost>,
    /// Not modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Box<Open>>,
}

/// Where connections go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TcpHost {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// TLS that ends here, or server names that pick the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_config: Option<SslConfig>,
    /// Without one Gloo dies (gloo-conformance case 17-tcp-host-crash).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<TcpAction>,
}

/// The destination of a [`TcpHost`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TcpAction {
    /// One destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single: Option<Destination>,
    /// Several, by weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi: Option<MultiDestination>,
    /// The destinations of an UpstreamGroup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_group: Option<ResourceRef>,
    /// Not modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_sni_cluster_name: Option<Box<Open>>,
}
