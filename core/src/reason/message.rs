//! The words of a [`Reason`].

use std::fmt;

use super::definition::Reason;
use super::hint::Hinted;
use super::subject::Subject;
use crate::kind::Kind;
use crate::object::{ObjectId, listed};

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PodsNotReady(pods) => pods.fmt(f),
            Self::NotInEndpoints { endpoints, version, missing: None, .. } => {
                write!(f, "{endpoints}: {version}: no pod of it is ready")
            }
            Self::NotInEndpoints { endpoints, version, missing: Some(missing), .. } => write!(
                f,
                "{endpoints}: {version}: {missing} of its ready pods are not in the Endpoints yet"
            ),
            Self::UpstreamMissing(id) => write!(f, "{id}: it does not exist"),
            Self::NoVerdict { object, is_overdue: false, .. } => {
                write!(f, "{object}: {} has given no verdict on it yet", judge(object))
            }
            Self::NoVerdict { object, is_overdue: true, .. } => {
                write!(f, "{object}: {} gave no verdict in time", judge(object))
            }
            Self::Verdict { object, verdict, unanswered } => {
                write!(f, "{object}: {} says {verdict}", judge(object))?;
                match unanswered {
                    Some(version) => write!(
                        f,
                        "; by the previous routes {version} would get more requests, and none of its pods \
                         is ready"
                    ),
                    None => Ok(()),
                }
            }
            Self::Blocked(blocker) => write!(f, "{}: {blocker}", Subject::Gloo),
            Self::ProxiesLearn => write!(
                f,
                "{}: every proxy is given time to learn of new pods, Upstreams and rules",
                Subject::Proxies
            ),
            Self::ProxyLacks { proxy, cluster } => {
                write!(f, "proxy {proxy} has no endpoints of {cluster} yet")
            }
            Self::RoutesSettle => {
                write!(f, "{}: they settle before anything old is taken away", Subject::Routes)
            }
            Self::Leaving(id) => write!(f, "{id}: it is being deleted and not gone yet"),
            Self::Recreated(id) => {
                write!(f, "{id} is being deleted, and is made anew when it is gone")
            }
            Self::PlatformComes(refusal) => {
                write!(f, "waiting until platform/ is as the commit says: {refusal}")
            }
            Self::NamespaceComes(id) => write!(f, "{id}: waiting for the namespace from platform/"),
            Self::BeingListed(id) => write!(f, "{id}: waiting for the first list of its kind"),
            Self::SuccessorComes { service, is_invalid: false } => write!(
                f,
                "waiting until the service {service} is ready, which takes over its requests"
            ),
            Self::SuccessorComes { service, is_invalid: true } => write!(
                f,
                "waiting until the values of {service} have no errors, because it may take over its requests"
            ),
            Self::PredecessorGoes(id) => {
                write!(f, "{id}: it has a domain of the new routes, and goes before they come")
            }
            Self::NotEstablished { object, refused: None } => {
                write!(f, "{object}: the API server does not serve it yet")
            }
            Self::NotEstablished { object, refused: Some(words) } => {
                write!(f, "{object}: the API server does not accept its names: {words}")
            }
            Self::NotListed(words) => f.write_str(words),
            Self::PassPanicked(message) => {
                write!(f, "internal error: the pass over this service panicked: {message}")
            }
            Self::PassTimedOut(seconds) => {
                write!(
                    f,
                    "the pass over this service was given up after {seconds} s, and is tried again"
                )
            }
            Self::RolledBack(reason) => reason.fmt(f),
            Self::RollbackRefused { cause, error } => {
                write!(f, "{cause}; the previous routes are not restored: {error}")
            }
            Self::AheadOfGit { canary, reason, trouble } => write!(
                f,
                "{canary} gets no requests although git says so: {reason}; the commit has not arrived: {trouble}"
            ),
            Self::Policy(violation) => write!(f, "nothing was changed: {violation}"),
            Self::Unsafe(change) => write!(f, "nothing was changed: {change}"),
            Self::Preflight(error) => write!(f, "no route was changed: {error}"),
            Self::Foreign(foreign) => foreign.fmt(f),
            Self::NotKept(id) => write!(f, "{id} does not keep what is applied"),
            Self::Cluster(error) => error.fmt(f),
            Self::Overdue { reason, seconds } => write!(f, "{reason} (waited {seconds} s)"),
            Self::DriftReported(ids) => {
                write!(f, "{} differs from the repository", listed(ids))
            }
            Self::DriftBackingOff(ids) => write!(
                f,
                "{} is changed by somebody else again and again, and is repaired ever more rarely",
                listed(ids)
            ),
        }
    }
}

impl Hinted for Reason {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::PodsNotReady(pods) => return pods.hint(),
            Self::NotInEndpoints { endpoints, selector, .. } => {
                let namespace = endpoints.namespace.as_deref().unwrap_or("default");
                return Some(format!(
                    "the routes stay as they were; are there ready pods with the labels {selector}, and does \
                     the Service select them? `kubectl get pods -n {namespace} -l {selector}` shows them"
                ));
            }
            Self::UpstreamMissing(_) => "the routes stay as they were; create it, or name another",
            Self::NoVerdict { object, .. } if object.is_policy() => {
                return Some(format!(
                    "does the HTTPRoute that it names exist, does a Gateway serve it, and does its controller run? \
                     `kubectl get {} -o yaml` shows its status",
                    object.for_kubectl()
                ));
            }
            Self::NoVerdict { object, .. } if object.is(Kind::HttpRoute) => {
                return Some(format!(
                    "does the Gateway exist, or a parent HTTPRoute that selects this one, and does its controller run? \
                     `kubectl get {} -o yaml` shows its status",
                    object.for_kubectl()
                ));
            }
            Self::NoVerdict { gloo_namespace, .. } => {
                return Some(format!(
                    "does Gloo run in namespace {gloo_namespace}, and what does its log say? \
                     `kubectl logs -n {gloo_namespace} deployment/gloo` shows it"
                ));
            }
            Self::Verdict { .. } => "correct what it names",
            Self::Blocked(_) => "no route is changed and nothing deleted until that is repaired",
            Self::Leaving(id) | Self::Recreated(id) => {
                return Some(format!(
                    "if it stays, somebody has to take away its finalizers: `kubectl get {} -o \
                     jsonpath='{{.metadata.finalizers}}'` shows them",
                    id.for_kubectl()
                ));
            }
            Self::RolledBack(_) => {
                "the previous routes are applied, correct the values and push again"
            }
            Self::RollbackRefused { error, .. } | Self::Preflight(error) => return error.hint(),
            Self::AheadOfGit { .. } => {
                "the commit is pushed until it arrives; any commit to the file of the service ends this"
            }
            Self::Policy(violation) => return violation.hint(),
            Self::Unsafe(change) => return change.hint(),
            Self::Foreign(foreign) => return foreign.hint(),
            Self::NotKept(_) => "is there a webhook that changes it?",
            Self::Cluster(error) => return error.hint(),
            Self::Overdue { reason, .. } => return reason.hint(),
            Self::PassPanicked(_) => {
                "nothing else is affected, and it is tried again; please report this with the daemon's log"
            }
            Self::PassTimedOut(_) => "check whether the API server answers",
            Self::DriftReported(_) => "--drift=repair would undo that",
            Self::DriftBackingOff(_) => {
                "find out who does it (the log and the Events name the field manager)"
            }
            Self::SuccessorComes { service, .. } => {
                return Some(format!("`coalmine status {service}` says what that waits for"));
            }
            Self::NotEstablished { refused: Some(_), .. } => {
                "another CustomResourceDefinition has them; rename one of the two"
            }
            Self::NotEstablished { refused: None, .. }
            | Self::ProxiesLearn
            | Self::ProxyLacks { .. }
            | Self::RoutesSettle
            | Self::PredecessorGoes(_)
            | Self::NamespaceComes(_)
            | Self::BeingListed(_)
            | Self::NotListed(_) => return None,
            Self::PlatformComes(_) => "`coalmine status platform` says what that waits for",
        };
        Some(hint.to_owned())
    }
}

/// Who gives a verdict on the object.
fn judge(object: &ObjectId) -> &'static str {
    if object.has_gateway_status() { "the gateway" } else { "Gloo" }
}
