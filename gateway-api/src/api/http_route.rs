use serde::Deserialize;

use super::{BackendRef, Filter, HttpMatch};

/// An HTTPRoute.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpRouteSpec {
    /// The Gateways, or with kgateway the routes, that it belongs to.
    pub parent_refs: Vec<ParentRef>,
    /// The hosts; none is all of the listener.
    pub hostnames: Vec<String>,
    /// The rules; the default is one that takes everything and leads nowhere.
    #[serde(default = "one_rule")]
    pub rules: Vec<RuleSpec>,
}

impl Default for HttpRouteSpec {
    fn default() -> Self {
        Self { parent_refs: Vec::new(), hostnames: Vec::new(), rules: one_rule() }
    }
}

fn one_rule() -> Vec<RuleSpec> {
    vec![RuleSpec::default()]
}

/// A reference to what a route belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ParentRef {
    /// The API group.
    pub group: String,
    /// The kind; `Gateway` unless said.
    pub kind: String,
    /// The namespace; that of the route unless said.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
    /// One listener.
    pub section_name: Option<String>,
    /// The listeners of one port.
    pub port: Option<u16>,
}

impl Default for ParentRef {
    fn default() -> Self {
        Self {
            group: super::GROUP.into(),
            kind: "Gateway".into(),
            namespace: None,
            name: String::new(),
            section_name: None,
            port: None,
        }
    }
}

/// A rule: which requests it takes and what it does with them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RuleSpec {
    /// A name by which policies select it.
    pub name: Option<String>,
    /// Any of these has to fit; the default takes everything.
    #[serde(default = "any_request")]
    pub matches: Vec<HttpMatch>,
    /// What changes.
    pub filters: Vec<Filter>,
    /// Where requests go.
    pub backend_refs: Vec<BackendRef>,
    /// How long an answer may take.
    pub timeouts: Option<Timeouts>,
    /// When to try again; only in the experimental CustomResourceDefinition.
    pub retry: Option<RetrySpec>,
    /// Whether a client stays with its pod; only in the experimental CustomResourceDefinition.
    pub session_persistence: Option<SessionPersistence>,
}

impl Default for RuleSpec {
    fn default() -> Self {
        Self {
            name: None,
            matches: any_request(),
            filters: Vec::new(),
            backend_refs: Vec::new(),
            timeouts: None,
            retry: None,
            session_persistence: None,
        }
    }
}

fn any_request() -> Vec<HttpMatch> {
    vec![HttpMatch::default()]
}

/// How long an answer may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Timeouts {
    /// From the request to the end of the answer.
    pub request: Option<String>,
    /// For one attempt.
    pub backend_request: Option<String>,
}

/// When to try again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RetrySpec {
    /// Statuses that are tried again.
    pub codes: Vec<u16>,
    /// How often at most.
    pub attempts: Option<u32>,
    /// The shortest pause.
    pub backoff: Option<String>,
}

/// Whether a client stays with its pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionPersistence {
    /// The cookie or header.
    pub session_name: Option<String>,
    /// `Cookie` or `Header`; `Cookie` unless said.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// How long it lasts.
    pub absolute_timeout: Option<String>,
    /// More about the cookie.
    pub cookie_config: Option<CookieConfig>,
}

/// More about a cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CookieConfig {
    /// `Session` or `Permanent`.
    pub lifetime_type: Option<String>,
}
