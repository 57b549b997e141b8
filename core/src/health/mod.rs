//! Whether objects are as healthy as the next step needs them: pure judgements on live objects.

mod cause;
mod condition;
mod container;
mod deployment;
mod http_route;
mod pod;
mod policy;
mod verdict;

pub use cause::Cause;
pub use deployment::{Health, Shortfall, deployment};
pub use pod::{Trouble, pod_is_ready, pod_trouble, ready_since, restarts};
pub use verdict::Verdict;

use serde_json::Value;

use crate::kind::Kind;

/// The verdict in the object's status: of the gateways on an HTTPRoute or a policy, of Gloo on any other; `None` while
/// there is none on what is there now.
pub fn verdict(object: &Value, gloo_namespace: &str) -> Option<Verdict> {
    let kind = object["apiVersion"].as_str().zip(object["kind"].as_str());
    match kind.and_then(|(api_version, kind)| Kind::of(api_version, kind)) {
        Some(Kind::HttpRoute) => http_route::verdict(object),
        Some(kind) if kind.is_policy() => policy::verdict(object),
        _ => verdict::of_gloo(object, gloo_namespace),
    }
}

/// Whether a parent of this HTTPRoute has not written a row for it in its status.
pub fn is_unnoticed(http_route: &Value) -> bool {
    http_route::is_unnoticed(http_route)
}

/// Whether a gateway serves this HTTPRoute that may name Envoy's clusters by the index of a rule.
pub fn has_clusters_by_rule(http_route: &Value) -> bool {
    http_route::has_clusters_by_rule(http_route)
}
