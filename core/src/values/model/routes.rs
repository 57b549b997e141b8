//! Who gets a service's requests.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::binding::Binding;
use super::gateway::Gateway;
use super::jwt::Jwt;
use super::matching::{HeaderMatch, PathMatch};
use crate::values::names::{Version, Weight};

/// What stands below `routes`.
#[derive(Clone, Debug, PartialEq)]
pub struct Routes {
    /// What puts the routes into the gateway.
    pub binding: Binding,
    /// The paths, at least one, in the order of their routes.
    pub paths: Vec<PathMatch>,
    /// Gloo route options for every route.
    pub options: Map<String, Value>,
    /// The version that gets what the canary does not.
    pub primary: Version,
    /// The version that is being tried.
    pub canary: Option<Canary>,
    /// How a route tells the versions apart.
    pub split: Split,
    /// Whether services of other folders may take requests by paths or domains within these.
    pub allow_carve_out: bool,
    /// What happens to a version's share while it has no ready pod. It matters to
    /// [`Split::Subset`] only: an Upstream of its own without pods answers 503.
    pub fallback: Fallback,
    /// Which API the routes are written in.
    pub gateway: Gateway,
}

/// The version that is being tried, and how much of the traffic it gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    /// The version, another one than the primary.
    pub version: Version,
    /// Requests that carry all of these go to the canary; none do when empty.
    pub headers: BTreeMap<String, HeaderMatch>,
    /// Requests whose token fits go to the canary, of those with its headers where it has both.
    pub jwt: Option<Jwt>,
    /// The canary's share of the other requests.
    pub weight: Weight,
    /// The share of the primary's requests that the canary gets a copy of.
    pub shadow: Weight,
    /// Why the autopilot leaves the canary as it is; it goes on when absent.
    pub held: Option<String>,
}

impl Canary {
    /// Whether some requests go to the canary for what they carry: its headers, a token, or both.
    pub fn is_tested(&self) -> bool {
        !self.headers.is_empty() || self.jwt.is_some()
    }
}

/// How a route tells a service's versions apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// One Upstream; a version is its subset by the pod label `version`.
    #[default]
    Subset,
    /// An Upstream per version.
    Upstream,
}

/// What happens to a version's share while it has no ready pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// Any other pod of the service answers.
    #[default]
    Any,
    /// The gateway answers 503.
    None,
}
