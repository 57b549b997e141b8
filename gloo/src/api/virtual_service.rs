use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Open, OptionsConfigRefs, Route, SslConfig, VirtualHostOptions};

/// `spec` of a VirtualService: domains and their routes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct VirtualServiceSpec {
    /// Domains and routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_host: Option<VirtualHost>,
    /// TLS; such a VirtualService belongs to gateways with `ssl: true` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Open>")]
    pub ssl_config: Option<Box<SslConfig>>,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
}

/// Domains and their routes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct VirtualHost {
    /// `a.example`, `*.example`, `a.*` or `*`; none means `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// The first route that matches takes the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// Headers, retries and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Open>")]
    pub options: Option<VirtualHostOptions>,
    /// Options kept in objects of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options_config_refs: Option<OptionsConfigRefs>,
}
