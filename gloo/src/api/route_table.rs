use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Route;

/// `spec` of a RouteTable: routes that a VirtualService or another table delegates to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RouteTableSpec {
    /// The first route that matches takes the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// Order among the tables of one selector: lower first, absent is 0. Tables of one weight are
    /// merged and sorted (gloo-conformance cases 10-*).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
}
