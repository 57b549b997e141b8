//! How far a watch is.

use std::collections::BTreeSet;

use coalmine_core::object::ObjectId;

/// Why a kind cannot be watched.
pub(super) struct Trouble {
    /// What is wrong and what to do about it.
    pub(super) line: String,
    /// Whether it does not pass by itself.
    pub(super) lasts: bool,
    /// The API server's words, if it does not allow it.
    pub(super) forbidden: Option<String>,
}

impl Trouble {
    /// One that passes.
    pub(super) fn passing(line: String) -> Self {
        Self { line, lasts: false, forbidden: None }
    }
}

/// How far the watch of a kind is.
#[derive(Default)]
pub(super) struct Following {
    pub(super) listed: bool,
    pub(super) trouble: Option<String>,
    /// The API server's words, if it did not allow to list the kind the last time.
    pub(super) forbidden: Option<String>,
    /// Whether a revision is accepted without this list: the watch of one namespace, which the API server does not allow
    /// or does not answer. Who has objects there waits.
    pub(super) left_out: bool,
    /// The trouble that the log has said last, while no change was shown after it.
    pub(super) logged: Option<String>,
    /// While a list comes in: what it held so far, and what was entered meanwhile.
    pub(super) seen: Option<BTreeSet<ObjectId>>,
    /// What the API server answered to requests of ours since the list began, which may be newer than it.
    pub(super) answered: BTreeSet<ObjectId>,
}
