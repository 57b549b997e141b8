use super::hint::Hinted;
use crate::object::ObjectId;

/// Why the API server did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// No answer at all, or an answer that asks to come back later.
    #[error("cannot reach the API server: {0}")]
    Unreachable(String),
    /// The kind is not installed.
    #[error("the cluster does not serve {api_version} {kind}")]
    KindNotServed {
        /// For example `gateway.solo.io/v1`.
        api_version: String,
        /// For example `RouteTable`.
        kind: String,
    },
    /// The object's namespace is missing.
    #[error("{id}: namespace {namespace} does not exist")]
    NamespaceMissing {
        /// The object that was to be written.
        id: ObjectId,
        /// The missing namespace.
        namespace: String,
    },
    /// RBAC says no.
    #[error("{id}: not allowed: {message}")]
    Forbidden {
        /// The object.
        id: ObjectId,
        /// The API server's words.
        message: String,
    },
    /// A ResourceQuota says no.
    #[error("{id}: not allowed: {message}")]
    QuotaExceeded {
        /// The object.
        id: ObjectId,
        /// The API server's words.
        message: String,
    },
    /// The API server refused the object's content.
    #[error("{id}: refused by the API server: {message}")]
    Refused {
        /// The object.
        id: ObjectId,
        /// The API server's words.
        message: String,
    },
}

impl ClusterError {
    /// Whether the reason is likely to pass by itself.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::NamespaceMissing { .. })
    }
}

impl Hinted for ClusterError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable(_) => {
                "check KUBECONFIG and that the cluster is up, the next attempt follows by itself"
            }
            Self::KindNotServed { .. } => {
                "install the CustomResourceDefinitions of Gloo (its Helm chart brings them), then the next \
                 attempt succeeds"
            }
            Self::NamespaceMissing { .. } => "add a Namespace to platform/ or create it",
            Self::Forbidden { .. } => "extend the daemon's Role",
            Self::QuotaExceeded { .. } => "raise the quota of the namespace, or ask for less",
            Self::Refused { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
