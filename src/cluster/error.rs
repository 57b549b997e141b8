//! What an answer of the API server, or none, means for an object.

use kube::runtime::watcher;

use coalmine_core::health::exceeds_quota;
use coalmine_core::object::ObjectId;
use coalmine_core::reason::ClusterError;

/// What an error of the client means for the object.
pub(super) fn translate(id: &ObjectId, error: kube::Error) -> ClusterError {
    let kube::Error::Api(status) = &error else {
        return ClusterError::Unreachable(describe(&error));
    };
    let message = status.message.clone();
    // Of what breaks the rules of server-side apply itself the API server says that it failed.
    if message.starts_with("failed to create typed patch object") {
        return ClusterError::Refused { id: id.clone(), message };
    }
    match status.code {
        403 if exceeds_quota(&message) => ClusterError::QuotaExceeded { id: id.clone(), message },
        401 | 403 => ClusterError::Forbidden { id: id.clone(), message },
        404 if status.details.as_ref().is_some_and(|details| details.kind == "namespaces") => {
            let namespace = id.namespace.clone().unwrap_or_default();
            ClusterError::NamespaceMissing { id: id.clone(), namespace }
        }
        429 | 500.. => ClusterError::Unreachable(message),
        _ => ClusterError::Refused { id: id.clone(), message },
    }
}

/// What an error of a watch means for the kind.
pub(super) fn watch_error(id: &ObjectId, error: watcher::Error) -> ClusterError {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => {
            translate(id, error)
        }
        WatchError(status) => translate(id, kube::Error::Api(status)),
        other => ClusterError::Unreachable(describe(&other)),
    }
}

/// The innermost cause says most: `connection refused` rather than `ServiceError`.
fn describe(error: &dyn std::error::Error) -> String {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !words.iter().any(|known| known.contains(&text)) {
            words.push(text);
        }
        source = cause.source();
    }
    words.last().cloned().unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use coalmine_core::reason::Hinted;

    /// A failure as the API server words it.
    pub(in crate::cluster) fn failure(code: u16, reason: &str, message: &str, kind: &str) -> Value {
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
            "reason": reason, "message": message, "details": {"name": "echo", "kind": kind}})
    }

    /// Some object of Gloo's.
    pub(in crate::cluster) fn table() -> ObjectId {
        ObjectId::new("gateway.solo.io/v1", "RouteTable", Some("echo"), "echo-routes")
    }

    #[test]
    fn each_refusal_of_the_api_server_names_the_object_and_what_to_do() {
        let told = |code, reason: &str, message: &str, kind: &str| {
            let status = serde_json::from_value(failure(code, reason, message, kind));
            translate(&table(), kube::Error::Api(Box::new(status.expect("a status")))).line()
        };
        assert_eq!(
            told(404, "NotFound", "namespaces \"echo\" not found", "namespaces"),
            "RouteTable echo/echo-routes: namespace echo does not exist; add a Namespace to \
             platform/ or create it"
        );
        assert_eq!(
            told(403, "Forbidden", "cannot patch", "routetables"),
            "RouteTable echo/echo-routes: not allowed: cannot patch; extend the daemon's Role"
        );
        let quota = "services \"echo\" is forbidden: exceeded quota: small, requested: services=1";
        assert_eq!(
            told(403, "Forbidden", quota, "services"),
            format!(
                "RouteTable echo/echo-routes: not allowed: {quota}; raise the quota of the namespace, or ask \
                 for less"
            )
        );
        assert_eq!(
            told(400, "BadRequest", "unknown field \"spec.x\"", "routetables"),
            "RouteTable echo/echo-routes: refused by the API server: unknown field \"spec.x\""
        );
        let twice = "failed to create typed patch object (echo/echo-v1; apps/v1, Kind=Deployment): \
            duplicate entries for key [name=\"COLOUR\"]";
        let twice = told(500, "", twice, "");
        assert!(twice.contains("refused by the API server: failed to create"), "{twice}");
        let busy = told(429, "TooManyRequests", "slow down", "");
        assert!(busy.contains("slow down") && busy.contains("next attempt"), "{busy}");
    }
}
