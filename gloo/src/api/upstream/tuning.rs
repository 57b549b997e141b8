//! How Envoy picks an endpoint of an Upstream, and whether that is well.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::api::Duration;
use crate::api::Open;
use crate::api::written::is_default;

/// How Envoy sees whether a fixed address is well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HealthCheckConfig {
    /// The path; needs Gloo Enterprise.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The method; needs Gloo Enterprise.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
}

/// Requests that Envoy makes itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HealthCheck {
    /// How long an answer may take. Envoy refuses a cluster without (gloo-conformance case
    /// 20-envoy-refuses-constraint).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How often. Envoy refuses a cluster without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// After how many good answers an endpoint is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_threshold: Option<u32>,
    /// After how many bad ones it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_threshold: Option<u32>,
    /// A request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_health_check: Option<Open>,
    /// A connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_health_check: Option<Open>,
    /// A call of gRPC's health service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_health_check: Option<Open>,
    /// Another one that Envoy has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_health_check: Option<Open>,
    /// Everything else; not modelled.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl HealthCheck {
    /// Whether it says what to do at all.
    pub(crate) fn has_checker(&self) -> bool {
        let checkers = [
            &self.http_health_check,
            &self.tcp_health_check,
            &self.grpc_health_check,
            &self.custom_health_check,
        ];
        checkers.into_iter().any(Option::is_some)
    }
}

/// How an endpoint is picked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
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
    #[schemars(with = "Option<Open>")]
    pub ring_hash: Option<RingHash>,
    /// By a hash of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maglev: Option<Box<Open>>,
    /// Below this share of endpoints that are well, in percent, all are used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_panic_threshold: Option<f64>,
    /// Weigh localities. Endpoints of Gloo have none, so that none is found (gloo-conformance case
    /// 20-load-balancer).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality_weighted_lb_config: Option<Box<Open>>,
    /// Hash the names of endpoints, which those of a Service do not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_hostname_for_hashing: Option<bool>,
    /// Everything else; not modelled.
    #[serde(flatten)]
    #[schemars(skip)]
    pub rest: Map<String, Value>,
}

/// By a hash of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RingHash {
    /// The size of the ring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring_hash_config: Option<RingHashConfig>,
    /// Everything else; not modelled.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The size of a ring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RingHashConfig {
    /// At least; 0 leaves it to Envoy, which takes 1024.
    #[serde(skip_serializing_if = "is_default", deserialize_with = "whole")]
    pub minimum_ring_size: u64,
    /// At most; 0 leaves it to Envoy, which takes 8388608.
    #[serde(skip_serializing_if = "is_default", deserialize_with = "whole")]
    pub maximum_ring_size: u64,
}

/// A whole number of 64 bits, which protobuf also takes as text.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| de::Error::custom("a whole number is expected"))
}
