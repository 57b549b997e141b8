//! A service's state in the form that Kubernetes' tools know: conditions with the time at which each
//! last turned. `Ready`, `Reconciling` and `Stalled` mean what kstatus means by them.

use jiff::Timestamp;
use serde::Serialize;

/// One condition, like those in the status of a Kubernetes object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    pub r#type: Kind,
    /// `True` or `False`.
    pub status: Status,
    /// Why, in one word: a [`Code`](coalmine_core::reason::Code), or where there is none the state.
    pub reason: &'static str,
    /// Why, for a person.
    pub message: String,
    /// When `status` last changed.
    pub last_transition_time: Timestamp,
}

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// As desired and healthy.
    Ready,
    /// On its way there.
    Reconciling,
    /// Not progressing: a person has to act.
    Stalled,
    /// Somebody changed what the values say, and it is left so.
    Drifted,
    /// Somebody keeps changing what is repaired, so that repairs wait.
    Fighting,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Status {
    /// It does.
    True,
    /// It does not.
    False,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Ready, Self::Reconciling, Self::Stalled, Self::Drifted, Self::Fighting];
}
