//! What an answer of the API server, or none, means for an object.

use kube::core::Status;
use kube::runtime::watcher;

use coalmine_core::hidden::repeats_a_value;
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::reason::{ClusterError, Denial, is_too_large};

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
    let id = id.clone();
    // Neither the code nor the reason says who denies it: a webhook that cannot be called is a 500, one that
    // denies chooses its code, and a quota, a policy and a missing permission are all 403.
    match (status.code, Denial::of(&message)) {
        (429, None) => ClusterError::Busy { id, message },
        (_, None) if is_too_large(&message) => ClusterError::Refused { id, message },
        (502..=504, None) => ClusterError::Unreachable(message),
        (404, _) if names_a_namespace(status) => {
            let namespace = id.namespace.clone().unwrap_or_default();
            ClusterError::NamespaceMissing { id, namespace }
        }
        (404, None) if names_nothing(status) => ClusterError::KindNotServed {
            api_version: id.api_version.clone(),
            kind: id.kind.clone(),
        },
        (_, Some(by)) => ClusterError::Denied { id, by, message },
        (401, None) => ClusterError::Unauthenticated { id, message },
        (403, None) => ClusterError::Denied { id, by: Denial::Plugin, message },
        (500.., None) => ClusterError::Failed { id, message },
        (_, None) => ClusterError::Refused { id, message },
    }
}

/// The same of a request that was made as this user, or as the daemon itself.
pub(super) fn translate_as(user: Option<&str>, id: &ObjectId, error: kube::Error) -> ClusterError {
    match (translate(id, error), user) {
        (ClusterError::Denied { id, by, message }, Some(user)) => {
            ClusterError::Denied { id, by: by.to_user(user, &message), message }
        }
        (error, _) => error,
    }
}

/// The error without words that repeat a value of the Secret that was to be written: what the API server
/// or a webhook says of a field may quote it.
pub(super) fn without_values(manifest: &Manifest, mut error: kube::Error) -> kube::Error {
    if let kube::Error::Api(status) = &mut error
        && repeats_a_value(manifest.object(), &status.message)
    {
        status.message = format!(
            "what it says ({}) repeats a value of the Secret and is not shown; `kubectl apply --dry-run=server` \
             of the manifest shows it",
            status.reason
        );
    }
    error
}

/// Whether it is a namespace that was not found.
fn names_a_namespace(status: &Status) -> bool {
    status.details.as_ref().is_some_and(|details| details.kind == "namespaces")
}

/// Whether the API server has no resource of that path, rather than no object.
fn names_nothing(status: &Status) -> bool {
    status.details.as_ref().is_none_or(|details| details.name.is_empty())
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
    // The library's word for an error that came from beneath it.
    let said = words.pop().unwrap_or_default();
    said.strip_prefix("ServiceError: ").map_or(said.clone(), str::to_owned)
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

    /// What is told of an error of the client about some object.
    pub(in crate::cluster) fn told(error: kube::Error) -> String {
        translate(&table(), error).to_string()
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
        let user = "system:serviceaccount:coalmine:coalmine";
        let permission = format!(
            "routetables.gateway.solo.io \"echo-routes\" is forbidden: User \"{user}\" cannot patch resource \
             \"routetables\" in API group \"gateway.solo.io\" in the namespace \"echo\""
        );
        assert_eq!(
            told(403, "Forbidden", &permission, "routetables"),
            format!(
                "RouteTable echo/echo-routes: not allowed: {permission}; extend the daemon's Role; `coalmine \
                 doctor` lists all that is missing"
            )
        );
        let quota = "services \"echo\" is forbidden: exceeded quota: small, requested: services=1";
        assert_eq!(
            told(403, "Forbidden", quota, "services"),
            format!(
                "RouteTable echo/echo-routes: not allowed: {quota}; raise the quota of the namespace, or ask \
                 for less; `kubectl describe resourcequota -n echo` shows what is used"
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

    #[test]
    fn a_refusal_that_repeats_a_value_of_the_secret_is_not_shown() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
            "stringData": {"password": "hunter2"}});
        let secret = Manifest::new(secret).expect("named");
        let told = |message: &str| {
            let status = serde_json::from_value(failure(422, "Invalid", message, "secrets"));
            let error = kube::Error::Api(Box::new(status.expect("a status")));
            translate(secret.id(), without_values(&secret, error)).line()
        };
        for message in ["data: expected map, got &{aHVudGVyMg==}", "admission denied \"hunter2\""] {
            let line = told(message);
            assert!(!line.contains("hunter2") && !line.contains("aHVudGVyMg"), "{line}");
            assert!(line.contains("Secret s") && line.contains("(Invalid)"), "{line}");
        }
        assert!(told("metadata.name: too long").contains("too long"));
    }

    #[test]
    fn only_a_missing_permission_is_answered_by_the_role() {
        let denied = |code, reason: &str, message: &str| {
            let status = serde_json::from_value(failure(code, reason, message, "deployments"));
            translate(&table(), kube::Error::Api(Box::new(status.expect("a status"))))
        };
        let name = "deployments.apps \"echo-v1\" is forbidden";
        let terminating = format!(
            "{name}: unable to create new content in namespace echo because it is being terminated"
        );
        let error = denied(403, "Forbidden", &terminating);
        assert!(error.passes() && error.line().contains("once the namespace is gone"), "{error}");
        let policy = format!(
            "{name}: ValidatingAdmissionPolicy 'replicas' with binding 'all' denied request: at most five"
        );
        for (code, reason) in [(422, "Invalid"), (403, "Forbidden"), (401, "Unauthorized")] {
            let error = denied(code, reason, &policy);
            assert!(!error.passes(), "{error}");
            let line = error.line();
            assert!(
                line.contains("`kubectl get validatingadmissionpolicy replicas -o yaml`"),
                "{line}"
            );
        }
        let plugin = format!("{name}: something of a plugin");
        for message in [plugin.as_str(), "<html>no</html>"] {
            let line = denied(403, "Forbidden", message).line();
            assert!(line.contains("refused by the API server") && !line.contains("Role"), "{line}");
        }
        let error = denied(401, "Unauthorized", "Unauthorized");
        assert!(error.passes() && error.line().contains("credentials"), "{error}");
    }

    #[test]
    fn a_webhook_that_denies_or_cannot_be_called_is_named_with_the_object() {
        let answered = |code, message: &str| {
            let status = serde_json::from_value(failure(code, "InternalError", message, ""));
            translate(&table(), kube::Error::Api(Box::new(status.expect("a status"))))
        };
        let down = "Internal error occurred: failed calling webhook \"gate.example.com\": failed to call webhook: \
            Post \"https://gate.security.svc:443/?timeout=10s\": dial tcp 10.0.0.7:443: connect: connection refused";
        let error = answered(500, down);
        assert_eq!(
            error.line(),
            format!(
                "RouteTable echo/echo-routes: the webhook gate.example.com cannot be called: {down}; have its \
                 owner repair it, the next attempt follows by itself; `kubectl get service,endpoints,pods -n \
                 security` shows what serves Service gate"
            )
        );
        assert!(error.passes() && !error.is_unconfirmed(), "it comes before the object is stored");
        for code in [400, 403, 409, 429, 500, 503] {
            let error =
                answered(code, "admission webhook \"gate.example.com\" denied the request: no");
            assert!(
                !error.passes() && error.to_string().contains("refused by the API server"),
                "{error}"
            );
        }
        for (code, words) in [
            (500, "etcdserver: request is too large"),
            (413, "Request entity too large: limit is 3145728"),
            (
                500,
                "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2 vs. 1)",
            ),
        ] {
            let error = answered(code, words);
            assert!(!error.passes() && !error.is_unconfirmed(), "{error}");
            assert!(
                error.line().ends_with("make it smaller, or divide it into several"),
                "{error}"
            );
        }
        let busy = answered(
            429,
            "the server has received too many requests and has asked us to try again later",
        );
        assert!(busy.passes() && !busy.line().contains("KUBECONFIG"), "{}", busy.line());
        let fixed = "Deployment.apps \"echo-v1\" is invalid: spec.selector: Invalid value: {}: field is immutable";
        let line = answered(422, fixed).line();
        assert!(
            line.ends_with("`kubectl delete routetable.gateway.solo.io echo-routes -n echo`"),
            "{line}"
        );
        for words in [
            "object is being deleted: deployments.apps \"echo-v1\" already exists",
            "Operation cannot be fulfilled on deployments.apps \"echo-v1\": the object has been modified; please apply",
        ] {
            let line = answered(409, words).line();
            assert!(line.ends_with("; the next attempt follows by itself"), "{line}");
        }
        let error = answered(500, "etcdserver: request timed out");
        assert!(error.passes() && error.is_unconfirmed(), "{error}");
        assert!(
            error.line().starts_with("RouteTable echo/echo-routes: the API server failed"),
            "{error}"
        );
    }
}
