use std::sync::Arc;

use super::blocker::Blocker;
use super::cluster::ClusterError;
use super::code::Code;
use super::objection::{ForeignObject, PolicyViolation, UnsafeChange};
use super::pods::PodsNotReady;
use super::refusal::PreflightError;
use super::subject::Subject;
use crate::health::Verdict;
use crate::labels::PLATFORM;
use crate::object::ObjectId;

/// Why a service waits or is stalled.
///
/// `Display` is the message; [`Hinted::line`] has the hint too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The rollout of a version is not complete.
    PodsNotReady(Box<PodsNotReady>),
    /// Ready pods of a version are not in the Endpoints.
    NotInEndpoints {
        /// The Endpoints, which is what the gateway reads.
        endpoints: ObjectId,
        /// The version.
        version: String,
        /// The label selector that finds its pods.
        selector: String,
        /// How many ready pods are missing; `None` when no pod is ready.
        missing: Option<usize>,
    },
    /// An Upstream that is not managed by coalmine does not exist.
    UpstreamMissing(ObjectId),
    /// The gateway has not written a status on an object.
    NoVerdict {
        /// The object.
        object: ObjectId,
        /// The namespace of Gloo.
        gloo_namespace: Arc<str>,
        /// Whether that took longer than the deadline.
        is_overdue: bool,
    },
    /// The gateway does not accept an object.
    Verdict {
        /// The object.
        object: ObjectId,
        /// The verdict, Warning or Rejected.
        verdict: Verdict,
        /// A version without ready pods, which would get more requests by the previous routes.
        unanswered: Option<String>,
    },
    /// A mistake of another owner keeps changes from Envoy.
    Blocked(Blocker),
    /// Proxies are given time to learn of new pods, Upstreams and rules.
    ProxiesLearn,
    /// A proxy has no endpoints yet of a cluster that is to get requests.
    ProxyLacks {
        /// Which.
        proxy: String,
        /// The cluster, by its name in Envoy.
        cluster: String,
    },
    /// Proxies are given time to follow new routes.
    RoutesSettle,
    /// Routes are being deleted, and are served until they are gone.
    Leaving(ObjectId),
    /// A desired object is being deleted, and is created again when it is gone.
    Recreated(ObjectId),
    /// A namespace of `platform/` does not exist yet.
    NamespaceComes(ObjectId),
    /// No Gateway would serve the routes, and `platform/`, which may bring what they rest on, is being carried out.
    PlatformComes(PreflightError),
    /// The objects of a kind are being listed for the first time, and this is one of them.
    BeingListed(ObjectId),
    /// A service takes over requests of one that is removed, and is not ready yet.
    SuccessorComes {
        /// The service that comes.
        service: String,
        /// Whether its values have errors, so that it is not known whether it takes over anything.
        is_invalid: bool,
    },
    /// All but the routes is ready, and a VirtualService of a service that is removed has a domain of theirs still.
    PredecessorGoes(ObjectId),
    /// The API server does not serve a CustomResourceDefinition of `platform/` yet.
    NotEstablished {
        /// The CustomResourceDefinition.
        object: ObjectId,
        /// Why the API server does not accept its names, if it does not.
        refused: Option<Arc<str>>,
    },
    /// The objects of a kind are not known, in the words of the watch.
    NotListed(String),
    /// The previous routes are applied, for this reason.
    RolledBack(Box<Reason>),
    /// The previous routes cannot be applied.
    RollbackRefused {
        /// Why they should be.
        cause: Box<Reason>,
        /// Why they are not.
        error: PreflightError,
    },
    /// A canary has no weight although git says one.
    AheadOfGit {
        /// The canary.
        canary: String,
        /// Why.
        reason: String,
        /// Why git is not told yet.
        trouble: String,
    },
    /// The policy forbids the change.
    Policy(PolicyViolation),
    /// The change would drop requests in whatever order it is done.
    Unsafe(UnsafeChange),
    /// The preflight does not admit the change.
    Preflight(PreflightError),
    /// An object belongs to another owner.
    Foreign(ForeignObject),
    /// An object does not keep what is applied.
    NotKept(ObjectId),
    /// The API server did not do what it was asked for.
    Cluster(ClusterError),
    /// Another reason, which was waited for longer than the deadline.
    Overdue {
        /// The reason.
        reason: Box<Reason>,
        /// How long, in seconds.
        seconds: u64,
    },
    /// A pass over the service panicked, with this message.
    PassPanicked(String),
    /// A pass over the service was given up after so many seconds.
    PassTimedOut(u64),
    /// Drift is reported and not repaired.
    DriftReported(Vec<ObjectId>),
    /// Drift comes back again and again, and its repair is delayed.
    DriftBackingOff(Vec<ObjectId>),
}

impl Reason {
    /// The stable name.
    pub fn code(&self) -> Code {
        match self {
            Self::PodsNotReady(pods) => pods.code(),
            Self::NotInEndpoints { missing: None, .. } => Code::WaitingForPods,
            Self::NotInEndpoints { missing: Some(_), .. } => Code::WaitingForEndpoints,
            Self::UpstreamMissing(_) => Code::UpstreamMissing,
            Self::NoVerdict { object, .. } => match object.has_gateway_status() {
                true => Code::WaitingForGateway,
                false => Code::WaitingForGloo,
            },
            Self::Verdict { object, verdict, .. } => {
                let is_rejected = matches!(verdict, Verdict::Rejected(_));
                match (object.has_gateway_status(), is_rejected) {
                    (false, true) => Code::GlooRejected,
                    (false, false) => Code::GlooWarning,
                    (true, true) => Code::GatewayRejected,
                    (true, false) => Code::GatewayWarning,
                }
            }
            Self::Blocked(_) => Code::GlooBlocked,
            Self::ProxiesLearn | Self::ProxyLacks { .. } => Code::WaitingForProxies,
            Self::RoutesSettle => Code::WaitingForRoutes,
            Self::Leaving(_) | Self::Recreated(_) => Code::WaitingForDeletion,
            Self::NamespaceComes(_) => Code::WaitingForNamespace,
            Self::PlatformComes(_) => Code::WaitingForPlatform,
            Self::SuccessorComes { .. } => Code::WaitingForSuccessor,
            Self::PredecessorGoes(_) => Code::WaitingForPredecessor,
            Self::NotEstablished { .. } => Code::WaitingForDefinition,
            Self::BeingListed(_) | Self::NotListed(_) => Code::WaitingForCache,
            Self::RolledBack(_) => Code::RolledBack,
            Self::RollbackRefused { .. } => Code::RollbackRefused,
            Self::AheadOfGit { .. } => Code::AheadOfGit,
            Self::Policy(PolicyViolation::MaxStep { .. }) => Code::MaxStepExceeded,
            Self::Policy(PolicyViolation::HeaderPhase { .. }) => Code::HeaderPhaseRequired,
            Self::Unsafe(UnsafeChange::HandedOver(_)) => Code::VersionHandedOver,
            Self::Unsafe(UnsafeChange::WithoutPods(_)) => Code::VersionWithoutPods,
            Self::Unsafe(UnsafeChange::ServicePort { .. }) => Code::ServicePortChanged,
            Self::Preflight(PreflightError::Refused { .. }) => Code::PreflightRefused,
            Self::Preflight(PreflightError::Failed) => Code::PreflightFailed,
            Self::Foreign(ForeignObject::OfService { .. }) => Code::ObjectOfOtherService,
            Self::Foreign(ForeignObject::OfInstance { .. }) => Code::ObjectOfOtherInstance,
            Self::Foreign(ForeignObject::NotManaged { .. }) => Code::ObjectNotManaged,
            Self::NotKept(_) => Code::ApplyNotKept,
            Self::Cluster(error) => match error {
                ClusterError::Unreachable(_) | ClusterError::Busy { .. } => {
                    Code::ApiServerUnreachable
                }
                ClusterError::KindNotServed { .. } => Code::KindNotServed,
                ClusterError::NamespaceMissing { .. } => Code::NamespaceMissing,
                ClusterError::NotWatched { .. } => Code::NamespaceNotWatched,
                ClusterError::Unauthenticated { .. } => Code::CredentialsRefused,
                ClusterError::Denied { by, .. } => by.code(),
                ClusterError::Failed { .. } => Code::ApiServerUnreachable,
                ClusterError::Refused { .. } => Code::ApiServerRefused,
            },
            Self::Overdue { reason, .. } => reason.code(),
            Self::PassPanicked(_) => Code::PassPanicked,
            Self::PassTimedOut(_) => Code::PassTimedOut,
            Self::DriftReported(_) => Code::DriftReported,
            Self::DriftBackingOff(_) => Code::DriftBackingOff,
        }
    }

    /// What is waited for. A wait for the same subject goes on, whatever else changes about it.
    pub fn subject(&self) -> Subject {
        match self {
            Self::PodsNotReady(pods) => Subject::Object(pods.deployment.clone()),
            Self::NotInEndpoints { endpoints: object, .. }
            | Self::UpstreamMissing(object)
            | Self::NoVerdict { object, .. }
            | Self::Verdict { object, .. }
            | Self::Leaving(object)
            | Self::Recreated(object)
            | Self::NamespaceComes(object)
            | Self::PredecessorGoes(object)
            | Self::NotEstablished { object, .. }
            | Self::NotKept(object) => Subject::Object(object.clone()),
            Self::Blocked(_) => Subject::Gloo,
            Self::SuccessorComes { service, .. } => Subject::Service(service.clone()),
            Self::PlatformComes(_) => Subject::Service(PLATFORM.into()),
            Self::ProxiesLearn | Self::ProxyLacks { .. } => Subject::Proxies,
            Self::RoutesSettle => Subject::Routes,
            Self::RolledBack(reason) | Self::Overdue { reason, .. } => reason.subject(),
            Self::RollbackRefused { .. }
            | Self::AheadOfGit { .. }
            | Self::Policy(_)
            | Self::Unsafe(_)
            | Self::Preflight(_)
            | Self::Foreign(_)
            | Self::PassPanicked(_)
            | Self::PassTimedOut(_)
            | Self::DriftReported(_)
            | Self::DriftBackingOff(_) => Subject::Person,
            Self::BeingListed(_) | Self::NotListed(_) | Self::Cluster(_) => Subject::ApiServer,
        }
    }

    /// The version that it is about, by its label; `None` when it is about no version in particular.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::PodsNotReady(pods) => Some(&pods.version),
            Self::NotInEndpoints { version, .. } => Some(version),
            Self::AheadOfGit { canary, .. } => Some(canary),
            Self::Unsafe(UnsafeChange::WithoutPods(version)) => Some(version),
            Self::RolledBack(reason) | Self::Overdue { reason, .. } => reason.version(),
            _ => None,
        }
    }

    /// Whether it is unlikely to end without somebody's help, so that waiting for the deadline is of no use.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::PodsNotReady(pods) => pods.is_lasting(),
            Self::Blocked(_) | Self::RolledBack(_) => true,
            Self::NotEstablished { refused, .. } => refused.is_some(),
            _ => false,
        }
    }

    /// Whether Gloo has written a status that is not good enough.
    pub fn is_verdict(&self) -> bool {
        matches!(self, Self::Verdict { .. })
    }
}
