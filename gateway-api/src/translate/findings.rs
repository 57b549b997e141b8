use std::fmt;
use std::sync::Arc;

use crate::ObjectRef;
use crate::code::Code;

/// How grave a mistake is, by what it does to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something leads nowhere or is not served as written; nobody else is touched.
    Warning,
    /// A rule is gone or answers an error; the other rules go on.
    RuleError,
    /// A route, or a listener, is not served at all.
    Rejected,
    /// Envoy takes no more changes of the routes of a port, of nobody (cases 07-bad-regex, 07-header-value-percent).
    Refused,
}

/// A mistake and the object it is written in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    /// The object.
    pub object: Arc<ObjectRef>,
    /// How grave it is.
    pub severity: Severity,
    /// The controller's words, or Envoy's.
    pub words: String,
    /// What is wrong.
    pub code: Code,
    /// The Gateway it is about, where it is about one.
    pub gateway: Option<Arc<ObjectRef>>,
}

/// What could not be judged, and where it stands. It is neither good nor bad.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Note {
    /// The object it is written in.
    pub object: Arc<ObjectRef>,
    /// What is not modelled, and what that leaves open.
    pub words: String,
    /// The Gateway it is about, where it is about one.
    pub gateway: Option<Arc<ObjectRef>>,
    /// The object that it names and that is not in the snapshot: who reads that knows more.
    pub unread: Option<Arc<ObjectRef>>,
}

impl fmt::Display for Finding {
    /// One line: the object, and what is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.words)
    }
}

impl fmt::Display for Note {
    /// One line: the object, and what is not modelled.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.words)
    }
}
