use std::sync::Arc;

use super::mistake::Mistake;
use crate::api::ObjectRef;
use crate::code::Code;

/// How grave a mistake is, by what it does to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something leads nowhere; nobody else is touched.
    Warning,
    /// A route is not served as written, which no object's status shows (gloo-conformance case
    /// 06-subset-keys).
    RouteError,
    /// A virtual host stays as it was, and with a Gateway all of them (cases 12-last-good,
    /// 12-domains-duplicate).
    Rejected,
    /// Envoy takes no route configuration any more, of anybody (case 08-weights).
    Refused,
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
}

impl Finding {
    pub(super) fn new(object: &Arc<ObjectRef>, severity: Severity, mistake: Mistake) -> Self {
        let Mistake { code, words } = mistake;
        Self { object: Arc::clone(object), severity, words, code }
    }
}
