use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Gloo's verdict on an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// Not looked at yet.
    #[default]
    Pending,
    /// In use.
    Accepted,
    /// In use, but part of it leads nowhere.
    Warning,
    /// Not in use; the last good version may be.
    Rejected,
}

/// What Gloo writes to `.status.statuses["<its namespace>"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The verdict.
    pub state: State,
    /// Why; empty when accepted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The verdict on the proxy that the object became part of. Real Gloo leaves these stale at times.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subresource_statuses: BTreeMap<String, Status>,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reported_by: String,
}
