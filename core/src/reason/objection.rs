//! What forbids a change before Gloo's rules are asked: the policy, traffic that would be lost, and the owner
//! of an object.

use std::fmt;

use super::hint::Hinted;
use crate::labels::ADOPT;
use crate::object::ObjectId;

/// A rule of `policy` in coalmine.yaml that a change breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyViolation {
    /// `policy.maxStep`: a version would get too many additional requests.
    MaxStep {
        /// The version.
        version: String,
        /// Its share now, in percent.
        from: u64,
        /// Its share by the new values, in percent.
        to: u64,
        /// What one commit may add, in percent.
        most: u64,
    },
    /// `policy.requireHeaderPhase`: a version would get a share without a header phase before.
    HeaderPhase {
        /// The version.
        version: String,
        /// Its share by the new values, in percent.
        to: u64,
    },
}

impl fmt::Display for PolicyViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxStep { version, from, to, most } => write!(
                f,
                "policy.maxStep: {version} would go from {from} to {to} percent in one commit, at most \
                 {most} more are allowed"
            ),
            Self::HeaderPhase { version, to } => write!(
                f,
                "policy.requireHeaderPhase: {version} would get {to} percent without having been tried by \
                 header"
            ),
        }
    }
}

impl Hinted for PolicyViolation {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::MaxStep { from, most, .. } => format!("push a weight of {} first", from + most),
            Self::HeaderPhase { version, .. } => {
                format!("push `canary: {{version: {version}, headers: ...}}` with weight 0 first")
            }
        })
    }
}

/// A change that no order of steps makes safe while there is traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnsafeChange {
    /// A version with requests becomes `external`, and its Deployment would be deleted.
    HandedOver(ObjectId),
    /// A version with `replicas: 0` would get requests.
    WithoutPods(String),
    /// The port of a Service would change.
    ServicePort {
        /// The Service.
        service: ObjectId,
        /// Its port now.
        from: u64,
        /// Its port by the new values.
        to: u64,
    },
}

impl fmt::Display for UnsafeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HandedOver(deployment) => write!(
                f,
                "the version of {deployment} is `external` now, and its pods would go with that Deployment"
            ),
            Self::WithoutPods(version) => {
                write!(f, "{version} has `replicas: 0` and would get requests")
            }
            Self::ServicePort { service, from, to } => write!(
                f,
                "{service}: service.port would change from {from} to {to}, and until Gloo has followed every \
                 request would get 503"
            ),
        }
    }
}

impl Hinted for UnsafeChange {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::HandedOver(_) => {
                "route to another version first, then hand this one over".to_owned()
            }
            Self::WithoutPods(_) => "give it replicas, or take it out of the routes".to_owned(),
            Self::ServicePort { from, .. } => {
                format!("keep {from}, or bring the service out anew under another name")
            }
        })
    }
}

/// An object that a service may not write, because it belongs to another owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignObject {
    /// To another service of this instance.
    OfService {
        /// The object.
        object: ObjectId,
        /// Its service.
        service: String,
    },
    /// To another instance of coalmine.
    OfInstance {
        /// The object.
        object: ObjectId,
        /// Its instance.
        instance: String,
    },
    /// To somebody else, or to nobody.
    NotManaged {
        /// The object.
        object: ObjectId,
        /// Whether it is one of `platform/`, which each say for themselves that they are adopted.
        of_platform: bool,
    },
}

impl fmt::Display for ForeignObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfService { object, service } => {
                write!(f, "{object} belongs to the service {service}")
            }
            Self::OfInstance { object, instance } => {
                write!(f, "{object} belongs to the coalmine instance {instance}")
            }
            Self::NotManaged { object, .. } => {
                write!(f, "{object} exists and was not made by coalmine")
            }
        }
    }
}

impl Hinted for ForeignObject {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::OfService { .. } => "give one of the two another name".to_owned(),
            Self::OfInstance { .. } => "remove it there first".to_owned(),
            Self::NotManaged { of_platform: true, .. } => format!(
                "delete it, or give it the annotation `{ADOPT}: \"true\"` in platform/ to take it over"
            ),
            Self::NotManaged { of_platform: false, .. } => {
                "delete it, or say `adopt: true` in the service's values to take it over".to_owned()
            }
        })
    }
}
