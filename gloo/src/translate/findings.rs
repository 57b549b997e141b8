use std::fmt;
use std::sync::Arc;

use super::mistake::Mistake;
use crate::api::{ObjectRef, ResourceRef};
use crate::code::Code;

/// How grave a mistake is, by what it does to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something leads nowhere; nobody else is touched.
    Warning,
    /// A route is not served as written, which no object's status shows (gloo-conformance cases
    /// 06-subset-keys, 19-enterprise-routes).
    RouteError,
    /// A virtual host stays as it was; of a Gateway its whole listener (cases 12-last-good,
    /// 12-domains-duplicate).
    Rejected,
    /// Envoy takes no more changes of one route configuration, or of one listener (cases 08-weights,
    /// 18-sni-overlap).
    Refused,
    /// Envoy takes no more clusters and endpoints, of any listener (case 20-envoy-refuses-new-cluster).
    ClustersRefused,
    /// Gloo dies, and nobody gets any change (case 17-tcp-host-crash).
    Crash,
}

/// A mistake and the object it is written in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    /// The object.
    pub object: Arc<ObjectRef>,
    /// How grave it is.
    pub severity: Severity,
    /// Gloo's words, or Envoy's.
    pub words: String,
    /// What is wrong. Of an Upstream with several mistakes it is the first.
    pub code: Code,
    /// The Gateway whose listener has it. `None`: it belongs to no listener, like that of an Upstream.
    pub gateway: Option<Arc<ObjectRef>>,
}

impl Finding {
    pub(super) fn new(object: &Arc<ObjectRef>, severity: Severity, mistake: Mistake) -> Self {
        let Mistake { code, words } = mistake;
        Self { object: Arc::clone(object), severity, words, code, gateway: None }
    }
}

/// What could not be judged, and where it stands. It is neither good nor bad.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Note {
    /// The object it is written in.
    pub object: Arc<ObjectRef>,
    /// What is not modelled, and what that leaves open.
    pub words: String,
    /// The Gateway whose listener it is about, where it is about one.
    pub gateway: Option<Arc<ObjectRef>>,
    /// The object that it names and that is not in the snapshot: who reads that knows more.
    pub unread: Option<Arc<ObjectRef>>,
}

impl fmt::Display for Note {
    /// One line: the object, and what is not modelled.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.words)
    }
}

/// What is said of something that could not be judged, wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remark {
    pub(super) words: String,
    pub(super) unread: Option<Arc<ObjectRef>>,
}

impl Remark {
    /// A reference leads to an object that is not in the snapshot.
    pub(super) fn not_read(kind: &str, ResourceRef { namespace, name }: &ResourceRef) -> Self {
        let words =
            format!("{kind} {namespace}/{name} was not read: what comes of it is not judged");
        Self { words, unread: Some(Arc::new(ObjectRef::new(kind, namespace, name))) }
    }
}

impl From<String> for Remark {
    fn from(words: String) -> Self {
        Self { words, unread: None }
    }
}

impl From<&str> for Remark {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}
