use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::written::is_default;
use super::{Expression, Open, ResourceRef};

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
    /// Serve the VirtualServices that have an `sslConfig`; outside this crate's scope.
    #[serde(skip_serializing_if = "is_default")]
    pub ssl: bool,
    /// Which VirtualServices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_gateway: Option<HttpGateway>,
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_gateway: Option<Box<Open>>,
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hybrid_gateway: Option<Box<Open>>,
    /// The proxies that serve it; none means `gateway-proxy`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxy_names: Vec<String>,
    /// Expect the PROXY protocol; outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_proxy_proto: Option<bool>,
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_options: Option<Box<Open>>,
    /// Outside this crate's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Box<Open>>,
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
    /// Outside this crate's scope.
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
