//! Options that shape traffic: mirroring, hashing, upgrades, faults, cross-origin rules.

use serde::{Deserialize, Serialize};

use super::written::{is_default, whole_or_decimal};
use super::{Duration, ResourceRef};

/// Mirrors requests to another Upstream, whose answers are thrown away.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Shadowing {
    /// The Upstream. A mirror takes no subset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<ResourceRef>,
    /// 0 to 100; absent means 0.
    #[serde(skip_serializing_if = "is_default", serialize_with = "whole_or_decimal")]
    pub percentage: f32,
    /// Do not append `-shadow` to the host.
    #[serde(skip_serializing_if = "is_default")]
    pub disable_shadow_host_suffix_append: bool,
    /// The host the mirror gets.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host_rewrite_literal: String,
}

/// What a hashing load balancer hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LbHash {
    /// In this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hash_policies: Vec<HashPolicy>,
}

/// One ingredient of the hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HashPolicy {
    /// A header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// A cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<HashCookie>,
    /// The caller's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<bool>,
    /// Stop here if there is a hash.
    #[serde(skip_serializing_if = "is_default")]
    pub terminal: bool,
}

/// A cookie that is hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HashCookie {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its life, if Envoy is to make it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// Its path.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
}

/// A protocol upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Upgrade {
    /// WebSocket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub websocket: Option<UpgradeSpec>,
    /// CONNECT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<UpgradeSpec>,
    /// CONNECT that ends here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_terminate: Option<UpgradeSpec>,
}

/// Whether an upgrade is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpgradeSpec {
    /// Absent leaves it to Envoy, which allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Limits on the life of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MaxStreamDuration {
    /// The longest life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stream_duration: Option<Duration>,
    /// The most a gRPC caller may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_timeout_header_max: Option<Duration>,
    /// Taken off what a gRPC caller asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_timeout_header_offset: Option<Duration>,
}

/// Answers and delays made up by Envoy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Faults {
    /// Made-up answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort: Option<AbortFault>,
    /// Made-up delays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<DelayFault>,
}

/// A made-up answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AbortFault {
    /// 0 to 100.
    #[serde(skip_serializing_if = "is_default", serialize_with = "whole_or_decimal")]
    pub percentage: f32,
    /// The status.
    #[serde(skip_serializing_if = "is_default")]
    pub http_status: u32,
}

/// A made-up delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DelayFault {
    /// 0 to 100.
    #[serde(skip_serializing_if = "is_default", serialize_with = "whole_or_decimal")]
    pub percentage: f32,
    /// Gloo looks at whole seconds only and refuses less than one (gloo-conformance case 13-faults-cors).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_delay: Option<Duration>,
}

/// Cross-origin rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Cors {
    /// Origins that may ask.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_origin: Vec<String>,
    /// The same as expressions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_origin_regex: Vec<String>,
    /// Methods they may use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_methods: Vec<String>,
    /// Headers they may send.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_headers: Vec<String>,
    /// Headers they may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expose_headers: Vec<String>,
    /// How long a browser may remember this, in seconds.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub max_age: String,
    /// Whether they may send credentials.
    #[serde(skip_serializing_if = "is_default")]
    pub allow_credentials: bool,
    /// No rules on this route.
    #[serde(skip_serializing_if = "is_default")]
    pub disable_for_route: bool,
}
