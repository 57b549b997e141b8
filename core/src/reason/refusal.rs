use std::fmt;
use std::sync::Arc;

use gloo::{ObjectRef, State};

use super::hint::Hinted;

/// Why a change is not made. Every reason names an object of the cluster or of the change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// One such object keeps Gloo from taking up any change of its kind (case 13-undecodable).
    #[error("{object}: Gloo cannot decode it ({reason}) and would accept no change of any {} any more", object.kind)]
    Undecodable {
        /// The object, ours.
        object: Arc<ObjectRef>,
        /// What is wrong with it.
        reason: String,
    },
    /// The API server would not take an object of the Gateway API, such as one with 17 rules (case 07-too-many-rules).
    #[error("{object}: the API server would refuse it: {reason}")]
    NotAdmitted {
        /// The object, ours.
        object: Arc<ObjectRef>,
        /// What is wrong with it.
        reason: String,
    },
    /// A rule of an HTTPRoute would not be served as it is written (cases 01-port-mismatch, 04-weights).
    #[error("{object}: a rule would not be served as written: {reason}")]
    HttpRouteRule {
        /// The HTTPRoute, ours or another owner's.
        object: Arc<ObjectRef>,
        /// The words of the implementation.
        reason: String,
    },
    /// A policy would be for an HTTPRoute, or a rule of one, that is not there: what was meant would go without it, and
    /// kgateway says so nowhere (case 07-policy-invalid).
    #[error("{object}: what it is for would not be there: {reason}")]
    Target {
        /// The policy, ours or another owner's.
        object: Arc<ObjectRef>,
        /// What is missing.
        reason: String,
    },
    /// A rule whose policy requires a token would be served without it for a moment (case 09-jwt-without-recompute).
    #[error(
        "{object}: its rule for {path} on {host} would be served for a moment without the policy by which it requires a token"
    )]
    Unguarded {
        /// The HTTPRoute, ours.
        object: Arc<ObjectRef>,
        /// The rule's path.
        path: String,
        /// The virtual host.
        host: String,
    },
    /// An HTTPRoute, or a listener of a Gateway, would not be served at all (case 07-allowed-routes).
    #[error("{object}: it would not be served: {reason}")]
    NotServed {
        /// The HTTPRoute or Gateway, ours or another owner's.
        object: Arc<ObjectRef>,
        /// The words of the implementation.
        reason: String,
    },
    /// No Gateway would serve an HTTPRoute, and no status would say so (case 06-no-child).
    #[error("{object}: no Gateway would serve it{}, and its requests would get 404", without(missing.as_deref()))]
    Unattached {
        /// The HTTPRoute, ours or another owner's.
        object: Arc<ObjectRef>,
        /// The Gateway that it names and that is not there.
        missing: Option<Arc<ObjectRef>>,
    },
    /// Envoy would keep what it has, for every team that the Gateway serves (cases 08-weights,
    /// 18-sni-overlap).
    #[error(
        "{object}: Envoy would refuse the whole route configuration{}, and no team's change would reach it any more: {reason}", on(gateway.as_deref())
    )]
    WholeConfiguration {
        /// The object with the route, or the VirtualService with the domain.
        object: Arc<ObjectRef>,
        /// The Gateway whose routes they are.
        gateway: Option<Arc<ObjectRef>>,
        /// Envoy's words.
        reason: String,
    },
    /// Envoy would take no cluster and no endpoint any more, for every team (case
    /// 20-envoy-refuses-new-cluster).
    #[error(
        "{object}: Envoy would refuse its cluster, and new Upstreams and pods of every team would get no requests any more: {reason}"
    )]
    Clusters {
        /// The Upstream.
        object: Arc<ObjectRef>,
        /// Envoy's words.
        reason: String,
    },
    /// Nobody would get any change (case 17-tcp-host-crash).
    #[error(
        "{object}: Gloo would die of it, and no team's change would reach Envoy any more: {reason}"
    )]
    Crash {
        /// The Gateway.
        object: Arc<ObjectRef>,
        /// What it dies of.
        reason: String,
    },
    /// An object would be judged worse than now, or than it has to be.
    #[error("{object}: Gloo would say {state:?}: {reason}")]
    Verdict {
        /// The object, ours or another owner's.
        object: Arc<ObjectRef>,
        /// Warning or Rejected.
        state: State,
        /// Gloo's words.
        reason: String,
    },
    /// A route would not work, which no object's status would show (case 06-subset-keys).
    #[error(
        "{object}: Gloo would leave it Accepted and yet not serve a route as written: {reason}"
    )]
    Route {
        /// The object with the route.
        object: Arc<ObjectRef>,
        /// Gloo's words.
        reason: String,
    },
    /// Routes would be there and reach nobody (case 11-nothing-selected).
    #[error("{0} would be selected by no VirtualService any more, and its requests would get 404")]
    Unserved(Arc<ObjectRef>),
    /// Another owner's route would go or be answered otherwise.
    #[error(
        "{object}: a route for {path} would be lost or answered otherwise (virtual host {host}), and it is not this service's"
    )]
    RouteChanged {
        /// The object with the route.
        object: Arc<ObjectRef>,
        /// The path of the route.
        path: String,
        /// The virtual host.
        host: String,
    },
    /// Routes of others would change places (case 10-order-two-tables-same-weight).
    #[error(
        "{object}: its route for {path} would come before the one for {behind} of {other} and take its requests, since Gloo sorts the routes of several tables (virtual host {host})"
    )]
    Reordered {
        /// The object whose route would come first.
        object: Arc<ObjectRef>,
        /// Its path.
        path: String,
        /// The object whose route came first.
        other: Arc<ObjectRef>,
        /// Its path.
        behind: String,
        /// The virtual host.
        host: String,
    },
    /// Two claim the same requests.
    #[error(transparent)]
    Conflict(Conflict),
    /// A more specific domain takes requests from a wildcard (case 12-domains).
    #[error("{object}: the domain {domain} would take requests from {wildcard} of {owner}")]
    Domain {
        /// Our VirtualService.
        object: Arc<ObjectRef>,
        /// Our domain.
        domain: String,
        /// The wildcard that covers it.
        wildcard: String,
        /// The VirtualService with the wildcard.
        owner: Arc<ObjectRef>,
    },
    /// A route of ours that no request would reach.
    #[error(
        "{object}: no request would reach a route for {path}, because {before} comes before it and takes them all"
    )]
    Shadowed {
        /// The object with the route.
        object: Arc<ObjectRef>,
        /// Its path.
        path: String,
        /// The path of the route before it.
        before: String,
    },
    /// What somebody else uses would become something else.
    #[error(
        "{object}: {user} uses it, and its requests would be answered otherwise: {what} would change"
    )]
    Shared {
        /// The Upstream or Service.
        object: Arc<ObjectRef>,
        /// Who uses it.
        user: Arc<ObjectRef>,
        /// The part in question.
        what: &'static str,
    },
    /// An Upstream without endpoints although everything is Accepted (case 05-service-port-mismatch).
    #[error("{object}: {service} has no port {port}, and its requests would get 503")]
    Port {
        /// The Upstream.
        object: Arc<ObjectRef>,
        /// The Service.
        service: Arc<ObjectRef>,
        /// What the Upstream says.
        port: u32,
    },
    /// Another change that is under way has the same object.
    #[error("{object}: the service {service} is about to write it")]
    Claimed {
        /// The object.
        object: Arc<ObjectRef>,
        /// The other service.
        service: String,
    },
    /// A route to what another service is about to delete.
    #[error("{object}: it needs {used}, which the service {service} is about to delete")]
    Leaving {
        /// The object with the route.
        object: Arc<ObjectRef>,
        /// What goes.
        used: Arc<ObjectRef>,
        /// The other service.
        service: String,
    },
}

fn is_http_route(object: &ObjectRef) -> bool {
    object.kind == "HTTPRoute"
}

/// ` of Gateway <namespace>/<name>`; nothing where it is of none.
fn on(gateway: Option<&ObjectRef>) -> String {
    gateway.map(|gateway| format!(" of {gateway}")).unwrap_or_default()
}

/// `: Gateway <namespace>/<name> is not there`; nothing where none is missing.
fn without(gateway: Option<&ObjectRef>) -> String {
    gateway.map(|gateway| format!(": {gateway} is not there")).unwrap_or_default()
}

impl Refusal {
    /// The path of ours that the reason is about, where it is about one.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Conflict(conflict) => Some(&conflict.ours),
            Self::Shadowed { path, .. } | Self::Unguarded { path, .. } => Some(path),
            _ => None,
        }
    }

    /// What the gateway or the API server would say, where it would say something.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::NotAdmitted { reason, .. }
            | Self::HttpRouteRule { reason, .. }
            | Self::Target { reason, .. }
            | Self::NotServed { reason, .. }
            | Self::WholeConfiguration { reason, .. }
            | Self::Verdict { reason, .. }
            | Self::Route { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// The object that the reason is about.
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Undecodable { object, .. }
            | Self::NotAdmitted { object, .. }
            | Self::HttpRouteRule { object, .. }
            | Self::Target { object, .. }
            | Self::Unguarded { object, .. }
            | Self::NotServed { object, .. }
            | Self::Unattached { object, .. }
            | Self::WholeConfiguration { object, .. }
            | Self::Clusters { object, .. }
            | Self::Crash { object, .. }
            | Self::Verdict { object, .. }
            | Self::Route { object, .. }
            | Self::Unserved(object)
            | Self::RouteChanged { object, .. }
            | Self::Reordered { object, .. }
            | Self::Domain { object, .. }
            | Self::Shadowed { object, .. }
            | Self::Shared { object, .. }
            | Self::Port { object, .. }
            | Self::Claimed { object, .. }
            | Self::Leaving { object, .. } => object,
            Self::Conflict(conflict) => &conflict.owner,
        }
    }
}

impl Hinted for Refusal {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Undecodable { .. } => "correct it",
            Self::NotAdmitted { .. } | Self::HttpRouteRule { .. } => {
                "correct it, and try it with `coalmine validate`"
            }
            Self::Target { object, .. } => {
                return Some(format!(
                    "write into its targetRefs the name of an HTTPRoute and of a rule that are there, or take the \
                     policy away first: `kubectl get httproutes -n {} -o yaml` shows the names",
                    object.namespace
                ));
            }
            Self::Unguarded { .. } => {
                "take the rule away with one commit, and its policy with the next"
            }
            Self::NotServed { .. } | Self::Unattached { .. } => {
                return Some(
                    "are apiGroup, gateways and domains right, and does a parent or listener take them? \
                     `kubectl get gateways,httproutes -A` shows what there is"
                        .to_owned(),
                );
            }
            Self::WholeConfiguration { object, .. } if is_http_route(object) => {
                "correct it, and try it with `coalmine validate`"
            }
            Self::Conflict(conflict) if is_http_route(&conflict.owner) => {
                return Some(format!(
                    "choose another path, or agree with its owner: `kubectl get httproute -n {} {} -o yaml` shows it",
                    conflict.owner.namespace, conflict.owner.name
                ));
            }
            Self::Unserved(_) => "are the apiGroup and the labels right?",
            Self::Reordered { .. } => "give the tables different weights",
            Self::Conflict(_) => "choose another path, or agree with its owner",
            Self::Domain { .. } => "agree with its owner",
            Self::Port { .. } => "servicePort is the Service's port, not the container's",
            Self::Claimed { .. } => "give one of the two another name",
            Self::Leaving { .. } => "push it again when that is gone, with another destination",
            Self::WholeConfiguration { .. }
            | Self::Clusters { .. }
            | Self::Crash { .. }
            | Self::Verdict { .. }
            | Self::Route { .. }
            | Self::RouteChanged { .. }
            | Self::Shadowed { .. }
            | Self::Shared { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

/// Why the preflight does not admit a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreflightError {
    /// The change would harm somebody.
    #[error("{}{refusal}", at(place.as_deref()))]
    Refused {
        /// Why.
        refusal: Refusal,
        /// The place in the service's file that it is about, `<file>:<line>:<column>`, as far as that is known.
        place: Option<String>,
    },
    /// The preflight itself failed.
    #[error("the preflight failed")]
    Failed,
}

impl PreflightError {
    /// Whether no Gateway would serve an HTTPRoute.
    pub fn is_unattached(&self) -> bool {
        matches!(self, Self::Refused { refusal: Refusal::Unattached { .. }, .. })
    }
}

impl From<Refusal> for PreflightError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { refusal, place: None }
    }
}

/// The place and a colon; nothing where it is not known.
fn at(place: Option<&str>) -> String {
    place.map(|place| format!("{place}: ")).unwrap_or_default()
}

impl Hinted for PreflightError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { refusal, .. } => refusal.hint(),
            Self::Failed => Some("the log says why".to_owned()),
        }
    }
}

/// A route of ours and another's that take the same requests, one before the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The virtual host, as `<namespace>_<name>` of its VirtualService.
    pub host: String,
    /// The path of our route.
    pub ours: String,
    /// The path of the other route.
    pub theirs: String,
    /// Whether ours comes first and takes the other's requests.
    pub ours_is_first: bool,
    /// The object that holds the other route.
    pub owner: Arc<ObjectRef>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, ours, theirs, ours_is_first, owner } = self;
        if *ours_is_first {
            write!(
                f,
                "the path {ours} would take the requests of {theirs} in {owner} (virtual host {host})"
            )
        } else {
            write!(
                f,
                "the path {ours} is taken already by {theirs} in {owner} (virtual host {host})"
            )
        }
    }
}

impl std::error::Error for Conflict {}
