use std::sync::Arc;

use gloo::config::PathRewrite;

use super::{HeaderEdits, Match};
use crate::ObjectRef;
use crate::api::Cors;

/// One route: what it takes and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The HTTPRoute it is written in; Envoy is not told.
    pub holder: Arc<ObjectRef>,
    /// The number of its rule there, from 0.
    pub rule: usize,
    /// As the implementation names it.
    pub name: String,
    /// Which requests it takes.
    pub matcher: Match,
    /// What it does.
    pub action: Action,
    /// Changes of headers of the request.
    pub request_headers: HeaderEdits,
    /// Changes of headers of the answer.
    pub response_headers: HeaderEdits,
    /// Cross-origin rules.
    pub cors: Option<CorsPolicy>,
    /// How a client stays with its pod.
    pub session: Option<Session>,
    /// Which token is needed.
    pub jwt: Option<Arc<JwtRequirement>>,
    /// Something about it is not modelled, so that nobody knows what it answers.
    pub opaque: bool,
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
        status: u16,
        /// The body.
        body: Option<String>,
    },
}

/// Sending a request on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forward {
    /// Where to.
    pub target: Target,
    /// The status where there is no such cluster; `None` is Envoy's 503.
    pub not_found: Option<u16>,
    /// How the path changes.
    pub path_rewrite: Option<PathRewrite>,
    /// The new host.
    pub host_rewrite: Option<String>,
    /// Keep the old host in `x-forwarded-host`.
    pub append_x_forwarded_host: bool,
    /// For the whole answer, in milliseconds; `None` is Envoy's 15 s, 0 is none.
    pub timeout: Option<u64>,
    /// The longest silence, in milliseconds.
    pub idle_timeout: Option<u64>,
    /// When to try again.
    pub retry: Option<Retry>,
    /// Who gets a copy.
    pub mirrors: Vec<Mirror>,
}

/// Where a request is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One cluster.
    Cluster(String),
    /// Several, by weight.
    Weighted(Vec<WeightedCluster>),
}

impl Default for Target {
    fn default() -> Self {
        Self::Cluster(String::new())
    }
}

/// A cluster and its share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeightedCluster {
    /// Its name.
    pub name: String,
    /// Its share of the sum.
    pub weight: u32,
    /// The new host.
    pub host_rewrite: Option<String>,
    /// Changes of headers of the request, before those of the route.
    pub request_headers: HeaderEdits,
    /// Changes of headers of the answer, before those of the route.
    pub response_headers: HeaderEdits,
}

/// When and how often Envoy tries again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Envoy's conditions, separated by commas.
    pub on: String,
    /// How often at most.
    pub count: u32,
    /// For one attempt, in milliseconds.
    pub per_try_timeout: Option<u64>,
    /// The shortest pause, in milliseconds.
    pub base_interval: Option<u64>,
    /// Statuses that are tried again.
    pub statuses: Vec<u16>,
    /// Other hosts are preferred.
    pub avoids_previous_hosts: bool,
}

/// Who gets a copy of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The cluster.
    pub cluster: String,
    /// How many of a million requests; `None` is all.
    pub per_million: Option<u32>,
    /// Of how many Envoy is told: 100, 10,000 or 1,000,000.
    pub denominator: u32,
    /// Do not append `-shadow` to the host.
    pub keep_host: bool,
}

/// A redirect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirect {
    /// The new scheme.
    pub scheme: Option<String>,
    /// The new host.
    pub host: Option<String>,
    /// The new path.
    pub path: Option<String>,
    /// How the path changes otherwise.
    pub rewrite: Option<PathRewrite>,
    /// The new port.
    pub port: Option<u16>,
    /// The status.
    pub code: u16,
}

/// Cross-origin rules as Envoy is told them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsPolicy {
    /// As written.
    pub rules: Cors,
}

/// How a client stays with its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    /// By a cookie.
    Cookie {
        /// Its name.
        name: String,
        /// Its life, in seconds.
        ttl: Option<u64>,
        /// The paths that it is for.
        path: String,
    },
    /// By a header.
    Header(String),
}

/// Which token is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JwtRequirement {
    /// The filter of Envoy that asks for it. Of several requirements of one filter the nearest counts; those of others
    /// count beside it.
    pub filter: String,
    /// The policy that says so, where Envoy has all policies in one filter.
    pub policy: Option<Arc<ObjectRef>>,
    /// One of these has to have issued it.
    pub providers: Vec<JwtProvider>,
    /// A request without a token is taken, too.
    pub allow_missing: bool,
}

/// Who issues tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JwtProvider {
    /// The name.
    pub name: String,
    /// Who has to be named in the token; empty is anybody.
    pub issuer: String,
    /// One of these has to be named in the token; none is no condition.
    pub audiences: Vec<String>,
    /// Which claims become headers: claim, header.
    pub claims: Vec<(String, String)>,
    /// Pick the route again with the new headers.
    pub recompute_route: bool,
    /// There is a key that can be used. Envoy refuses a filter without one.
    pub has_keys: bool,
}
