//! The versions of a service that routes name.

use crate::object::ObjectId;

/// A version as the steps see it: what must be ready before a route may name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Pods behind the service's Service.
    Pods(Pods),
    /// An Upstream that somebody else keeps.
    Upstream(ObjectId),
}

/// The pods of one version, labelled `app` and `version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pods {
    /// The value of their label `version`.
    pub version: String,
    /// The label selector that finds them.
    pub selector: String,
    /// The Service of all versions.
    pub service: ObjectId,
    /// The Services whose Endpoints the gateway reads: each of them has to have the ready pods.
    pub endpoints: Vec<ObjectId>,
    /// The Deployment they have, or would have if somebody else did not deploy them.
    pub deployment: ObjectId,
    /// Whether that Deployment is ours.
    pub ours: bool,
    /// Whether the values ask for no pod at all (`replicas: 0`).
    pub parked: bool,
}

/// What must hold of a version.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need<'a> {
    /// Its rollout is complete, and all its ready pods can be reached.
    Everything(&'a Backend),
    /// Its rollout is complete.
    Rollout(&'a Pods),
    /// At least one pod of it can be reached.
    Answers(&'a Pods),
}
