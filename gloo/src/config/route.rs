use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{HeaderEdits, Match};
use crate::api::{Duration, ObjectRef, RedirectCode};

/// One route: what it takes and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The VirtualService or RouteTable it is written in; Envoy is not told.
    pub holder: Arc<ObjectRef>,
    /// `<virtual host>-route-<index>-matcher-<index>`.
    pub name: String,
    /// Which requests it takes.
    pub matcher: Match,
    /// What it does.
    pub action: Action,
    /// Header changes.
    pub headers: HeaderEdits,
    /// Metadata for Envoy's filters.
    pub metadata: BTreeMap<String, Map<String, Value>>,
    /// Made-up answers and delays.
    pub fault: Option<Fault>,
    /// Cross-origin rules.
    pub cors: Option<CorsPolicy>,
    /// It changes requests or answers by a filter that a plain Envoy does not have.
    pub transforms: bool,
}

/// What a route does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send the request on.
    Forward(Box<Forward>),
    /// Answer with a redirect.
    Redirect(Redirect),
    /// Answer directly.
    DirectResponse {
        /// HTTP status.
        status: u32,
        /// The body.
        body: String,
    },
}

/// Sending a request on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forward {
    /// Where to.
    pub target: Target,
    /// How the path changes.
    pub path_rewrites: Vec<PathRewrite>,
    /// How the host changes.
    pub host_rewrite: Option<HostRewrite>,
    /// Keep the old host in `x-forwarded-host`.
    pub append_x_forwarded_host: bool,
    /// For the whole answer; `None` is Envoy's 15 s, 0 is none.
    pub timeout: Option<Duration>,
    /// The longest silence.
    pub idle_timeout: Option<Duration>,
    /// The longest life of the stream.
    pub max_stream_duration: Option<crate::api::MaxStreamDuration>,
    /// When to try again.
    pub retry: Option<Retry>,
    /// Who gets a copy.
    pub mirrors: Vec<Mirror>,
    /// What a hashing load balancer hashes.
    pub hash: Vec<HashKey>,
    /// Protocol upgrades.
    pub upgrades: Vec<UpgradeConfig>,
    /// The route needs Envoy's filter of this name, which a plain Envoy does not have.
    pub missing_filter: Option<String>,
}

/// Where a request is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Nowhere is said; Envoy refuses that.
    #[default]
    Missing,
    /// One cluster.
    Cluster {
        /// Its name.
        name: String,
        /// Pod labels that narrow it down.
        subset: BTreeMap<String, String>,
    },
    /// Several, by weight.
    Weighted {
        /// The clusters.
        clusters: Vec<WeightedCluster>,
        /// The sum as Gloo states it; `None` where a failed destination cut the list short.
        total: Option<u32>,
    },
    /// The cluster that this header names.
    Header(String),
    /// What is not in the snapshot.
    Unknown,
    /// The request's own host. Without the filter on the Gateway there is no such cluster
    /// (gloo-conformance case 19-route-actions).
    Dynamic {
        /// Whether the Gateway has the filter.
        filter: bool,
    },
}

/// A cluster and its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightedCluster {
    /// Its name.
    pub name: String,
    /// Pod labels that narrow it down.
    pub subset: BTreeMap<String, String>,
    /// Its share of the sum.
    pub weight: u32,
    /// Header changes before those of the route.
    pub headers: HeaderEdits,
}

/// How the path changes. Envoy takes at most one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathRewrite {
    /// Replaces the matched prefix.
    Prefix(String),
    /// Replaces what the expression matches.
    Regex {
        /// The expression.
        pattern: String,
        /// The replacement.
        substitution: String,
    },
}

/// How the host changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostRewrite {
    /// To this.
    Literal(String),
    /// To the name of the chosen endpoint.
    Auto(bool),
    /// To the value of this header.
    Header(String),
    /// To what the expression makes of the path.
    PathRegex {
        /// The expression.
        pattern: String,
        /// The replacement.
        substitution: String,
    },
}

/// When and how often Envoy tries again.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Envoy's conditions, separated by commas; none means never.
    pub on: String,
    /// How often at most.
    pub count: u32,
    /// For one attempt.
    pub per_try_timeout: Option<Duration>,
    /// First and longest pause.
    pub back_off: Option<(Option<Duration>, Option<Duration>)>,
    /// Further statuses that are tried again.
    pub statuses: Vec<u32>,
}

/// Who gets a copy of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The cluster.
    pub cluster: String,
    /// How many of a million requests.
    pub per_million: u32,
    /// Do not append `-shadow` to the host.
    pub keep_host: bool,
    /// The host of the copy.
    pub host: String,
}

/// One ingredient of a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashKey {
    /// Where it comes from.
    pub source: Option<HashSource>,
    /// Stop here if there is a hash.
    pub terminal: bool,
}

/// Where an ingredient of a hash comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashSource {
    /// A header.
    Header(String),
    /// A cookie.
    Cookie {
        /// Its name.
        name: String,
        /// Its life, if Envoy is to make it.
        ttl: Option<Duration>,
        /// Its path.
        path: String,
    },
    /// The caller's address.
    SourceIp(bool),
}

/// A protocol upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeConfig {
    /// `websocket` or `CONNECT`.
    pub protocol: String,
    /// `None` leaves it to Envoy, which allows it.
    pub enabled: Option<bool>,
    /// A CONNECT ends here.
    pub terminate: bool,
}

/// A redirect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirect {
    /// The new host; empty keeps it.
    pub host: String,
    /// The new path, prefix or expression.
    pub path: Option<RedirectPath>,
    /// The status.
    pub code: RedirectCode,
    /// Change the scheme to https.
    pub https: bool,
    /// Drop the query.
    pub strip_query: bool,
    /// The new port.
    pub port: Option<u32>,
}

/// How a redirect changes the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectPath {
    /// To this.
    Path(String),
    /// Replaces the matched prefix.
    Prefix(String),
    /// Replaces what the expression matches.
    Regex {
        /// The expression.
        pattern: String,
        /// The replacement.
        substitution: String,
    },
}

/// Made-up answers and delays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// Made-up answers.
    pub abort: Option<Abort>,
    /// Made-up delays.
    pub delay: Option<Delay>,
}

/// A made-up answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort {
    /// The status.
    pub status: u32,
    /// How many of a million requests.
    pub per_million: u32,
}

/// A made-up delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// How long.
    pub fixed: Duration,
    /// How many of a million requests.
    pub per_million: u32,
}

/// Cross-origin rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsPolicy {
    /// As written.
    pub rules: crate::api::Cors,
    /// No rules here.
    pub disabled: bool,
}
