use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ResourceRef, RouteOptions, VirtualHostOptions};

/// Options kept in objects of their own. Own options win field by field, then the first reference
/// (gloo-conformance case 21-virtual-host-option).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct OptionsConfigRefs {
    /// RouteOptions of a route, VirtualHostOptions of a virtual host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delegate_options: Vec<ResourceRef>,
}

/// `spec` of a RouteOption: options that routes refer to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteOptionSpec {
    /// The options.
    pub options: Box<RouteOptions>,
}

/// `spec` of a VirtualHostOption: options that virtual hosts refer to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VirtualHostOptionSpec {
    /// The options.
    pub options: Box<VirtualHostOptions>,
}
