use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::written::is_default;
use super::{
    Cors, Duration, Faults, LbHash, MaxStreamDuration, Open, ResourceRef, Shadowing, Upgrade,
};

/// Options of a route. What this crate does not know stays in `unsupported` and is reported.
///
/// Options that are only to be written need not be read: made from a map, all of them stand in
/// `unsupported` and are written as they are, in their order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RouteOptions {
    /// Everything else; written before what is read.
    #[serde(flatten)]
    pub unsupported: Map<String, Value>,
    /// Answers and delays made up by Envoy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<Faults>,
    /// Replaces the matched prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_rewrite: Option<String>,
    /// For the whole answer; Envoy's default is 15 s, `0s` is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// When to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<RetryPolicy>,
    /// Mirror requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadowing: Option<Shadowing>,
    /// Add and remove headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_manipulation: Option<HeaderManipulation>,
    /// The new host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_rewrite: Option<String>,
    /// The host of the chosen endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_host_rewrite: Option<bool>,
    /// The host made from the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_rewrite_path_regex: Option<RegexRewrite>,
    /// The host taken from a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_rewrite_header: Option<String>,
    /// Keep the old host in `x-forwarded-host`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub append_x_forwarded_host: Option<bool>,
    /// Cross-origin rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// What a hashing load balancer hashes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lb_hash: Option<LbHash>,
    /// Protocol upgrades.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub upgrades: Vec<Upgrade>,
    /// Rewrites the path by an expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex_rewrite: Option<RegexRewrite>,
    /// The longest life of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_stream_duration: Option<MaxStreamDuration>,
    /// The longest silence on a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Duration>,
    /// Metadata for Envoy's filters.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub envoy_metadata: BTreeMap<String, Open>,
}

/// How the host is rewritten.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum HostRewrite<'a> {
    /// The new host.
    Literal(&'a str),
    /// The host of the chosen endpoint.
    Auto(bool),
    /// The host made from the path.
    PathRegex(&'a RegexRewrite),
    /// The host taken from a header.
    Header(&'a str),
}

impl From<Map<String, Value>> for RouteOptions {
    fn from(options: Map<String, Value>) -> Self {
        Self { unsupported: options, ..Self::default() }
    }
}

impl RouteOptions {
    /// How the host is rewritten. Of several the last one in the order of [`HostRewrite`] counts.
    pub(crate) fn host_rewrite(&self) -> Option<HostRewrite<'_>> {
        let header = self.host_rewrite_header.as_deref().map(HostRewrite::Header);
        let regex = self.host_rewrite_path_regex.as_ref().map(HostRewrite::PathRegex);
        let auto = self.auto_host_rewrite.map(HostRewrite::Auto);
        let literal = self.host_rewrite.as_deref().map(HostRewrite::Literal);
        header.or(regex).or(auto).or(literal)
    }

    /// Fills the gaps with the options of the parent route, field by field; a field is never mixed
    /// from both (gloo-conformance case 11-inherited-options).
    pub(crate) fn inherit(&mut self, parent: &Self) {
        if self.host_rewrite().is_none() {
            self.host_rewrite.clone_from(&parent.host_rewrite);
            self.auto_host_rewrite = parent.auto_host_rewrite;
            self.host_rewrite_path_regex.clone_from(&parent.host_rewrite_path_regex);
            self.host_rewrite_header.clone_from(&parent.host_rewrite_header);
        }
        fill(&mut self.faults, &parent.faults);
        fill(&mut self.prefix_rewrite, &parent.prefix_rewrite);
        fill(&mut self.timeout, &parent.timeout);
        fill(&mut self.retries, &parent.retries);
        fill(&mut self.shadowing, &parent.shadowing);
        fill(&mut self.header_manipulation, &parent.header_manipulation);
        fill(&mut self.append_x_forwarded_host, &parent.append_x_forwarded_host);
        fill(&mut self.cors, &parent.cors);
        fill(&mut self.lb_hash, &parent.lb_hash);
        fill(&mut self.regex_rewrite, &parent.regex_rewrite);
        fill(&mut self.max_stream_duration, &parent.max_stream_duration);
        fill(&mut self.idle_timeout, &parent.idle_timeout);
        if self.upgrades.is_empty() {
            self.upgrades.clone_from(&parent.upgrades);
        }
        if self.envoy_metadata.is_empty() {
            self.envoy_metadata.clone_from(&parent.envoy_metadata);
        }
        fill_unknown(&mut self.unsupported, &parent.unsupported);
    }
}

fn fill_unknown(own: &mut Map<String, Value>, parent: &Map<String, Value>) {
    for (name, value) in parent {
        if !own.contains_key(name) {
            own.insert(name.clone(), value.clone());
        }
    }
}

fn fill<T: Clone>(own: &mut Option<T>, parent: &Option<T>) {
    if own.is_none() {
        own.clone_from(parent);
    }
}

/// Options of a virtual host. What this crate does not know stays in `unsupported` and is reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VirtualHostOptions {
    /// When to try again, for routes that do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<RetryPolicy>,
    /// Add and remove headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_manipulation: Option<HeaderManipulation>,
    /// Cross-origin rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// Tell the backend how often the request was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_request_attempt_count: Option<bool>,
    /// Tell the caller how often the request was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_attempt_count_in_response: Option<bool>,
    /// Everything else.
    #[serde(flatten)]
    pub unsupported: Map<String, Value>,
}

impl VirtualHostOptions {
    /// Fills the gaps with other options, field by field; a field is never mixed from both
    /// (gloo-conformance case 21-virtual-host-option).
    pub(crate) fn inherit(&mut self, other: &Self) {
        fill(&mut self.retries, &other.retries);
        fill(&mut self.header_manipulation, &other.header_manipulation);
        fill(&mut self.cors, &other.cors);
        fill(&mut self.include_request_attempt_count, &other.include_request_attempt_count);
        fill(&mut self.include_attempt_count_in_response, &other.include_attempt_count_in_response);
        fill_unknown(&mut self.unsupported, &other.unsupported);
    }
}

/// Options of one destination of several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WeightedDestinationOptions {
    /// Add and remove headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_manipulation: Option<HeaderManipulation>,
    /// Everything else.
    #[serde(flatten)]
    pub unsupported: Map<String, Value>,
}

/// A rewrite by an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RegexRewrite {
    /// What is replaced.
    #[serde(skip_serializing_if = "is_default")]
    pub pattern: RegexPattern,
    /// By what; `\1` is the first group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub substitution: String,
}

/// An RE2 expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RegexPattern {
    /// The expression.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub regex: String,
}

/// When and how often Envoy tries again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RetryPolicy {
    /// Envoy's conditions, separated by commas; none means never.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub retry_on: String,
    /// How often at most; 0 counts as 1.
    #[serde(skip_serializing_if = "is_default")]
    pub num_retries: u32,
    /// For one attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_try_timeout: Option<Duration>,
    /// The pause between attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_back_off: Option<RetryBackOff>,
    /// Further statuses that are tried again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retriable_status_codes: Vec<u32>,
    /// Everything else.
    #[serde(flatten)]
    pub unsupported: Map<String, Value>,
}

/// The pause between attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RetryBackOff {
    /// The first pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_interval: Option<Duration>,
    /// The longest pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_interval: Option<Duration>,
}

/// Headers to add and to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HeaderManipulation {
    /// Headers the backend gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_headers_to_add: Vec<HeaderValueOption>,
    /// Headers the backend does not get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_headers_to_remove: Vec<String>,
    /// Headers the caller gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_headers_to_add: Vec<HeaderValueOption>,
    /// Headers the caller does not get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_headers_to_remove: Vec<String>,
}

/// A header to add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HeaderValueOption {
    /// The header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderValue>,
    /// A Secret with headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_secret_ref: Option<ResourceRef>,
    /// Add another value; `false` overwrites. Absent means add.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub append: Option<bool>,
}

/// Name and value of a header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeaderValue {
    /// The name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The value; Envoy fills in `%...%`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
}
