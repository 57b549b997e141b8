use std::collections::BTreeMap;
use std::sync::Arc;

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
    #[serde(default, skip_serializing_if = "is_empty", with = "shared")]
    pub subresource_statuses: Arc<BTreeMap<String, Status>>,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reported_by: String,
}

fn is_empty(statuses: &Arc<BTreeMap<String, Status>>) -> bool {
    statuses.is_empty()
}

/// One value for many objects, written out on each.
mod shared {
    use super::{Arc, BTreeMap, Deserialize, Status};

    pub(super) fn serialize<S: serde::Serializer>(
        statuses: &Arc<BTreeMap<String, Status>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(statuses.iter())
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<BTreeMap<String, Status>>, D::Error> {
        BTreeMap::deserialize(deserializer).map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_is_read_as_it_is_written() {
        let text = json!({ "state": "Warning", "reason": "hm", "reportedBy": "gloo",
            "subresourceStatuses": { "proxy": { "state": "Accepted" } } });
        let status: Status = serde_json::from_value(text.clone()).expect("a status");
        assert_eq!((status.state, status.reason.as_str()), (State::Warning, "hm"));
        assert_eq!(status.subresource_statuses["proxy"].state, State::Accepted);
        assert_eq!(serde_json::to_value(&status).expect("JSON"), text);
        let plain = serde_json::to_value(Status::default()).expect("JSON");
        assert_eq!(plain, json!({ "state": "Pending" }), "what is empty is left out");
    }
}
