use std::collections::BTreeSet;

use super::denial::Denial;
use super::hint::Hinted;
use crate::object::{ObjectId, listed};

/// Why the API server did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// No answer at all, or an answer that asks to come back later.
    #[error("cannot reach the API server: {0}")]
    Unreachable(String),
    /// The API server answers, and has too much to do.
    #[error("{id}: the API server asks to come back later: {message}")]
    Busy {
        /// The object.
        id: ObjectId,
        /// The API server's words.
        message: String,
    },
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
    /// Objects in no namespace that the daemon watches. Nothing was asked of the API server.
    #[error("{}: outside the namespaces that the daemon watches ({})", listed(objects), watched.join(", "))]
    NotWatched {
        /// The objects.
        objects: Vec<ObjectId>,
        /// The namespaces that are watched.
        watched: Vec<String>,
    },
    /// The API server does not know who asks.
    #[error("{id}: the API server does not accept the daemon's credentials: {message}")]
    Unauthenticated {
        /// The object.
        id: ObjectId,
        /// The API server's words.
        message: String,
    },
    /// The API server does not allow it, or somebody whom it asks does not.
    #[error("{id}: {}: {message}", verb(by))]
    Denied {
        /// The object.
        id: ObjectId,
        /// Who does not allow it.
        by: Denial,
        /// The API server's words.
        message: String,
    },
    /// The API server answered that it failed.
    #[error("{id}: the API server failed: {message}")]
    Failed {
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

/// How an answer is introduced.
fn verb(by: &Denial) -> String {
    match by {
        Denial::Permission | Denial::Quota { .. } => "not allowed".to_owned(),
        Denial::Account(refused) => refused.verb(),
        Denial::WebhookFailed { webhook, .. } => {
            format!("the webhook {webhook} cannot be called")
        }
        _ => "refused by the API server".to_owned(),
    }
}

impl ClusterError {
    /// Whether the reason is likely to pass by itself.
    pub fn passes(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Busy { .. }
            | Self::NamespaceMissing { .. }
            | Self::Unauthenticated { .. }
            | Self::Failed { .. } => true,
            Self::Denied { by, .. } => by.passes(),
            Self::KindNotServed { .. } | Self::Refused { .. } | Self::NotWatched { .. } => false,
        }
    }

    /// Whether what was asked for may have been done all the same.
    pub fn is_unconfirmed(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Failed { .. })
    }
}

/// What to do about objects in namespaces that are not watched, or in none.
fn not_watched_hint(objects: &[ObjectId]) -> String {
    let namespaces: BTreeSet<&str> =
        objects.iter().filter_map(|id| id.namespace.as_deref()).collect();
    let mut hints = Vec::new();
    if objects.iter().any(|id| id.namespace.is_none()) {
        hints.push(
            "what belongs to no namespace has to be applied by somebody with rights in the whole cluster, and \
             leave platform/"
                .to_owned(),
        );
    }
    if !namespaces.is_empty() {
        let names: Vec<&str> = namespaces.iter().copied().collect();
        let grants = names.iter().map(|it| format!("`{}`", grant(it)));
        hints.push(format!(
            "move it into a namespace that is watched, or add {} to --watch-namespaces, where {} gives the daemon its \
             rights",
            names.join(", "),
            grants.collect::<Vec<_>>().join(", ")
        ));
    }
    hints.join("; ")
}

/// The command that gives the daemon its rights in a namespace that it watches.
pub fn grant(namespace: &str) -> String {
    format!("kubectl apply -n {namespace} -k deploy/overlays/namespaced/watched")
}

/// The command that lets the daemon read what Gloo has in its own namespace, where that is not watched.
pub fn grant_reading(namespace: &str) -> String {
    format!("kubectl apply -n {namespace} -k deploy/overlays/namespaced/gloo")
}

/// What to do about an object that the API server refuses, where its words do not say it.
fn refusal_hint(id: &ObjectId, message: &str) -> Option<String> {
    let has = |words: &str| message.contains(words);
    if has("field is immutable") {
        return Some(format!(
            "such a field cannot change while the object is there: give what is new another name, or, if its \
             requests may get no answer for a while, delete it, and it is made anew: `kubectl delete {}`",
            id.for_kubectl()
        ));
    }
    // apiserver/pkg/registry/generic/registry: it is being deleted, or somebody wrote at the same moment.
    if has("object is being deleted") || has("the object has been modified") {
        return Some("the next attempt follows by itself".to_owned());
    }
    is_too_large(message).then(|| {
        "an object has at most about 1 MB: make it smaller, or divide it into several".to_owned()
    })
}

/// Whether it is said that the object is too large: by the API server or by etcd behind it
/// (apiserver/pkg/util/responsewriter, etcd's `--max-request-bytes`).
pub fn is_too_large(message: &str) -> bool {
    let signs =
        ["request is too large", "trying to send message larger than max", "entity too large"];
    let lowered = message.to_lowercase();
    signs.iter().any(|sign| lowered.contains(sign))
}

impl Hinted for ClusterError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable(_) => {
                "check KUBECONFIG and that the cluster is up, the next attempt follows by itself"
            }
            Self::KindNotServed { api_version, .. } if api_version.contains(".solo.io/") => {
                "install the CustomResourceDefinitions of Gloo (its Helm chart brings them), then the next \
                 attempt succeeds"
            }
            Self::KindNotServed { .. } => {
                "install its CustomResourceDefinition or correct the apiVersion, then the next attempt \
                 succeeds; `kubectl api-resources` lists what there is"
            }
            Self::NamespaceMissing { .. } => "add a Namespace to platform/ or create it",
            Self::NotWatched { objects, .. } => return Some(not_watched_hint(objects)),
            Self::Unauthenticated { .. } => {
                "renew the token or certificate in KUBECONFIG, or of the daemon's ServiceAccount"
            }
            Self::Denied { id, by, .. } => return Some(by.hint(id.namespace.as_deref())),
            Self::Failed { .. } => {
                "the next attempt follows by itself, and the API server's own log says more"
            }
            Self::Busy { .. } => {
                "the next attempt follows by itself; if that goes on, `kubectl get flowschemas` shows how the API \
                 server shares itself out"
            }
            Self::Refused { id, message } => return refusal_hint(id, message),
        };
        Some(hint.to_owned())
    }
}
